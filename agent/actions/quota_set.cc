#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

absl::StatusOr<HomePlace> CheckedPlace(const v1::Account& account, const Roles& roles,
                                       const Policy& policy) {
  HOSTQ_RETURN_IF_ERROR(CheckUser(policy, account.user(), account.uid(), account.gid()));
  HOSTQ_RETURN_IF_ERROR(CheckAccountHome(policy, account, roles));
  return PlaceOfHome(account, roles);
}

}  // namespace

// Set once where the limits live, verified by reading everywhere else.
Plan PlanSetAccountQuota(const v1::SetAccountQuota& work, const Roles& roles,
                         const Policy& policy) {
  if (!roles.app && !roles.storage) return std::vector<Step>();
  HOSTQ_ASSIGN_OR_RETURN(const HomePlace place, CheckedPlace(work.account(), roles, policy));
  std::vector<Step> steps = {place.remote ? VerifyQuotaStep(work.account(), place)
                                          : SetQuotaStep(work.account(), place)};
  HOSTQ_RETURN_IF_ERROR(AppendHooks(kHookQuotaChanged, work.account(), roles, policy, steps));
  return steps;
}

// From this node, by whatever the mount is.
Plan PlanSetQuota(const v1::SetQuota& work, const Roles& roles, const Policy& policy) {
  HOSTQ_ASSIGN_OR_RETURN(const HomePlace place, CheckedPlace(work.account(), roles, policy));
  std::vector<Step> steps = {SetQuotaStep(work.account(), place)};
  HOSTQ_RETURN_IF_ERROR(AppendHooks(kHookQuotaChanged, work.account(), roles, policy, steps));
  return steps;
}

}  // namespace hostq::agent
