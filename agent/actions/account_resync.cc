#include "agent/actions/comparing_host.h"
#include "agent/actions/plans.h"
#include "agent/actions/steps.h"

namespace hostq::agent {
namespace {

// The step as a look: it changes nothing, what it finds stops nobody, and the next one looks too.
Step Compared(Step step) {
  step.independent = true;
  step.run = [run = std::move(step.run)](Host& host) {
    StepResult result = run(*MakeComparingHost(host));
    result.warning = result.reason != Reason::kNone;
    return result;
  };
  return step;
}

}  // namespace

// What creating the account would make, and made; its hooks only if something may be changed: they
// are programs, and say nothing of what they would do.
Plan PlanResyncAccount(const v1::ResyncAccount& work, const Roles& roles, const Policy& policy) {
  v1::CreateAccount create;
  *create.mutable_account() = work.account();
  if (work.apply()) return PlanCreateAccount(create, roles, policy);
  Policy without_hooks = policy;
  without_hooks.hooks.directory.clear();
  auto steps = PlanCreateAccount(create, roles, without_hooks);
  if (!steps.ok()) return steps;
  for (Step& step : *steps) step = Compared(std::move(step));
  return steps;
}

}  // namespace hostq::agent
