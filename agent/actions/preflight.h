#pragma once

#include <string>
#include <vector>

#include "agent/actions/steps.h"

namespace hostq::agent {

// A check: a step that does not keep the others from running.
Step MakeCheck(std::string id, StepFunction run, absl::Duration timeout = absl::Seconds(30));
// The same status with this reason, if it has none.
absl::Status WithReason(const absl::Status& status, Reason reason);

// Of the machine itself (preflight_node.cc).
std::vector<Step> NodeChecks(const v1::Preflight& work, const Roles& roles, const Policy& policy);
std::vector<Step> AddressChecks(const v1::Preflight& work, const Roles& roles);
std::vector<Step> BalancerChecks(const v1::Preflight& work);
// Of a share as its client (preflight_share.cc).
std::vector<Step> ShareClientChecks(const v1::Preflight& work, const Policy& policy);
// Of a share as its server.
std::vector<Step> ShareServerChecks(const v1::Preflight& work);

}  // namespace hostq::agent
