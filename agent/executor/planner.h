#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/actions/action.h"
#include "hostq/agent/v1/work.pb.h"

namespace hostq::agent {

// PlanSteps with the node's policy, or steps of a test. Deterministic and pure.
using StepPlanner =
    std::function<absl::StatusOr<std::vector<Step>>(const v1::Work& work, const Roles& roles)>;

// "app", "storage", "balancer"; others mean nothing to an agent.
template <typename Strings>
Roles RolesFromNames(const Strings& names) {
  Roles roles;
  for (const auto& name : names) {
    if (name == "app") roles.app = true;
    if (name == "storage") roles.storage = true;
    if (name == "balancer") roles.balancer = true;
  }
  return roles;
}

}  // namespace hostq::agent
