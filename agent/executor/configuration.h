#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/actions/policy.h"
#include "agent/host/quotas.h"
#include "common/config/agent_config.h"

namespace hostq::agent {

// What the node lets be done to it, as its configuration says. INVALID_ARGUMENT: an address range
// that is none.
absl::StatusOr<Policy> PolicyOf(const AgentConfig& config);

// How quotas are kept there, for RealHostOptions.
std::vector<QuotaRule> QuotaRulesOf(const AgentConfig& config);

}  // namespace hostq::agent
