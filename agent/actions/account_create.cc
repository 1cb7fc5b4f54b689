#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

void Append(std::vector<Step> more, std::vector<Step>* steps) {
  for (Step& step : more) steps->push_back(std::move(step));
}

}  // namespace

// storage: user, home, quota. app: user, share, home and quota verified, addresses. A node with
// both roles has the homes itself: nothing to verify over NFS. Hooks last: what they set up needs
// all the others.
Plan PlanCreateAccount(const v1::CreateAccount& work, const Roles& roles, const Policy& policy) {
  const v1::Account& account = work.account();
  if (!roles.app && !roles.storage) return std::vector<Step>();
  HOSTQ_RETURN_IF_ERROR(CheckAccountUser(policy, account));
  HOSTQ_RETURN_IF_ERROR(CheckAccountHome(policy, account, roles));
  HOSTQ_ASSIGN_OR_RETURN(const HomePlace place, PlaceOfHome(account, roles));
  std::vector<Step> steps = EnsureUserSteps(account);
  if (place.remote) {
    steps.push_back(VerifyShareStep(account.share()));
    steps.push_back(VerifyHomeStep(account, place));
    steps.push_back(VerifyQuotaStep(account, place));
  } else {
    steps.push_back(MakeHomeStep(account, place));
    steps.push_back(SetQuotaStep(account, place));
  }
  // A balancer has them on its interface to the network.
  if (roles.app && !roles.balancer) {
    for (const std::string& address : account.addresses()) {
      HOSTQ_RETURN_IF_ERROR(CheckAddress(policy, address));
      steps.push_back(BindAddressStep(address, account.balancers(), roles));
    }
  }
  if (account.suspended()) Append(SuspendSteps(account), &steps);
  HOSTQ_RETURN_IF_ERROR(AppendHooks(kHookCreated, account, roles, policy, steps));
  return steps;
}

}  // namespace hostq::agent
