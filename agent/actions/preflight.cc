#include "agent/actions/preflight.h"

#include <utility>

#include "agent/actions/plans.h"
#include "common/base/error.h"

namespace hostq::agent {

Step MakeCheck(std::string id, StepFunction run, absl::Duration timeout) {
  Step step = MakeStep(std::move(id), std::move(run), timeout);
  step.independent = true;
  return step;
}

absl::Status WithReason(const absl::Status& status, Reason reason) {
  if (status.ok() || ReasonOf(status) != Reason::kNone) return status;
  return MakeError(status.code(), reason, status.message());
}

// Every check runs, whatever the others find; a check that finds something outside the policy says
// so instead of refusing the whole.
Plan PlanPreflight(const v1::Preflight& work, const Roles& roles, const Policy& policy) {
  std::vector<Step> steps;
  const auto append = [&](std::vector<Step> more) {
    for (Step& step : more) steps.push_back(std::move(step));
  };
  append(NodeChecks(work, roles, policy));
  if (roles.storage) append(ShareServerChecks(work));
  // A node that has the homes itself does not mount them.
  if (roles.app && !roles.storage) append(ShareClientChecks(work, policy));
  if (roles.app) append(AddressChecks(work, roles));
  if (roles.balancer) append(BalancerChecks(work));
  return steps;
}

}  // namespace hostq::agent
