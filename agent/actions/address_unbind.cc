#include "absl/strings/str_cat.h"
#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {

Plan PlanUnbindAddress(const v1::UnbindAddress& work, const Roles&, const Policy& policy) {
  HOSTQ_RETURN_IF_ERROR(CheckAddress(policy, work.address()));
  return std::vector<Step>{UnbindAddressStep(work.address())};
}

Plan PlanRemoveAccountAddress(const v1::RemoveAccountAddress& work, const Roles& roles,
                              const Policy& policy) {
  if (!roles.app) return std::vector<Step>();
  HOSTQ_RETURN_IF_ERROR(CheckAddress(policy, work.address()));
  Step step = UnbindAddressStep(work.address());
  if (roles.balancer) {
    step.run = [address = work.address()](Host&) {
      return Skipped(absl::StrCat(address, " is not on lo of a balancer"));
    };
  } else if (!work.unbind()) {
    step.run = [address = work.address()](Host&) {
      return Skipped(absl::StrCat(address, " stays on lo: another account uses it"));
    };
  }
  // A server lets go of the address before it is gone.
  std::vector<Step> steps;
  HOSTQ_RETURN_IF_ERROR(
      AppendHooks(kHookAddressRemoved, work.account(), roles, policy, steps, work.address()));
  steps.push_back(std::move(step));
  return steps;
}

}  // namespace hostq::agent
