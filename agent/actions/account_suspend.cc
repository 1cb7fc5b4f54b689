#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {

Plan PlanSuspendAccount(const v1::SuspendAccount& work, const Roles& roles, const Policy& policy) {
  if (!roles.app && !roles.storage) return std::vector<Step>();
  HOSTQ_RETURN_IF_ERROR(CheckAccountUser(policy, work.account()));
  std::vector<Step> steps = SuspendSteps(work.account());
  HOSTQ_RETURN_IF_ERROR(AppendHooks(kHookSuspended, work.account(), roles, policy, steps));
  return steps;
}

Plan PlanUnsuspendAccount(const v1::UnsuspendAccount& work, const Roles& roles,
                          const Policy& policy) {
  if (!roles.app && !roles.storage) return std::vector<Step>();
  HOSTQ_RETURN_IF_ERROR(CheckAccountUser(policy, work.account()));
  std::vector<Step> steps = UnsuspendSteps(work.account());
  HOSTQ_RETURN_IF_ERROR(AppendHooks(kHookUnsuspended, work.account(), roles, policy, steps));
  return steps;
}

}  // namespace hostq::agent
