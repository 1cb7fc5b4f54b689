#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {

// First what lets somebody in, last what could be missed: an attempt that is cut short leaves no
// account that still works but has lost its files. Hooks before all else: a server lets go of the
// account before its user and its addresses are gone.
Plan PlanDeleteAccount(const v1::DeleteAccount& work, const Roles& roles, const Policy& policy) {
  const v1::Account& account = work.account();
  if (!roles.app && !roles.storage) return std::vector<Step>();
  HOSTQ_RETURN_IF_ERROR(CheckUser(policy, account.user(), account.uid(), account.gid()));
  HOSTQ_RETURN_IF_ERROR(CheckAccountHome(policy, account, roles));
  HOSTQ_ASSIGN_OR_RETURN(const HomePlace place, PlaceOfHome(account, roles));
  std::vector<Step> steps;
  HOSTQ_RETURN_IF_ERROR(AppendHooks(kHookDeleted, account, roles, policy, steps));
  for (Step& step : RemoveUserSteps(account)) steps.push_back(std::move(step));
  if (roles.app && !roles.balancer) {
    for (const std::string& address : work.addresses_to_unbind()) {
      HOSTQ_RETURN_IF_ERROR(CheckAddress(policy, address));
      steps.push_back(UnbindAddressStep(address));
    }
  }
  if (!place.remote) {
    steps.push_back(ClearQuotaStep(account, place));
    steps.push_back(TrashHomeStep(account, place));
  }
  return steps;
}

}  // namespace hostq::agent
