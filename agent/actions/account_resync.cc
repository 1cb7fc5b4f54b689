#include "agent/actions/comparing_host.h"
#include "agent/actions/plans.h"
#include "agent/actions/steps.h"

namespace hostq::agent {
// A limit is the storage nodes' business: while this waited it may have been changed, and the
// command that tells this node so waits behind this one.
Step WithoutLimit(Step step) {
  step.run = [run = std::move(step.run)](Host& host) {
    StepResult result = run(host);
    if (result.reason == Reason::kQuotaMismatch) result.warning = true;
    return result;
  };
  return step;
}

// What creating the account would make, and made; its hooks only if something may be changed: they
// are programs, and say nothing of what they would do.
Plan PlanResyncAccount(const v1::ResyncAccount& work, const Roles& roles, const Policy& policy) {
  v1::CreateAccount create;
  *create.mutable_account() = work.account();
  if (work.apply()) {
    auto steps = PlanCreateAccount(create, roles, policy);
    if (!steps.ok() || roles.storage) return steps;
    for (Step& step : *steps) {
      if (step.name == "quota") step = WithoutLimit(std::move(step));
    }
    return steps;
  }
  Policy without_hooks = policy;
  without_hooks.hooks.directory.clear();
  auto steps = PlanCreateAccount(create, roles, without_hooks);
  if (!steps.ok()) return steps;
  for (Step& step : *steps) step = Compared(std::move(step));
  return steps;
}

}  // namespace hostq::agent
