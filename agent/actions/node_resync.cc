#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/actions/comparing_host.h"
#include "agent/actions/plans.h"
#include "agent/actions/steps.h"

namespace hostq::agent {
namespace {

// The step called `name` of a plan, as a look. A plan that the policy forbids is a finding like any
// other.
Step Look(absl::string_view name, const Plan& plan, std::string resource_key) {
  Step look = MakeStep("", [status = plan.status()](Host&) { return Warned(status); });
  if (plan.ok()) {
    for (const Step& step : *plan) {
      if (step.name == name) look = step;
    }
  }
  look = Compared(std::move(look));
  look.name = std::move(resource_key);
  return look;
}

}  // namespace

Plan PlanResyncNode(const v1::ResyncNode& work, const Roles& roles, const Policy& policy) {
  Plan steps = PlanPreflight(work.preflight(), roles, policy);
  if (!steps.ok()) return steps;
  for (const v1::Share& share : work.shares()) {
    v1::MountShare mount;
    *mount.mutable_share() = share;
    steps->push_back(
        Look("mount", PlanMountShare(mount, roles, policy), absl::StrCat("share/", share.name())));
  }
  for (const std::string& address : work.addresses()) {
    v1::BindAddress bind;
    bind.set_address(address);
    *bind.mutable_balancers() = work.preflight().balancers();
    steps->push_back(Look(absl::StrCat("address ", address), PlanBindAddress(bind, roles, policy),
                          absl::StrCat("address/", address)));
  }
  return steps;
}

}  // namespace hostq::agent
