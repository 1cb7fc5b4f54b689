#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {

Plan PlanBindAddress(const v1::BindAddress& work, const Roles& roles, const Policy& policy) {
  HOSTQ_RETURN_IF_ERROR(CheckAddress(policy, work.address()));
  return std::vector<Step>{BindAddressStep(work.address(), work.balancers(), roles)};
}

Plan PlanAddAccountAddress(const v1::AddAccountAddress& work, const Roles& roles,
                           const Policy& policy) {
  if (!roles.app) return std::vector<Step>();
  HOSTQ_RETURN_IF_ERROR(CheckAddress(policy, work.address()));
  std::vector<Step> steps;
  // A balancer has it on its interface to the network.
  if (!roles.balancer) {
    steps.push_back(BindAddressStep(work.address(), work.account().balancers(), roles));
  }
  HOSTQ_RETURN_IF_ERROR(
      AppendHooks(kHookAddressAdded, work.account(), roles, policy, steps, work.address()));
  return steps;
}

}  // namespace hostq::agent
