#include "agent/executor/configuration.h"

#include "absl/strings/str_cat.h"

namespace hostq::agent {

// A list that the file does not have leaves the policy's own default.
absl::StatusOr<Policy> PolicyOf(const AgentConfig& config) {
  Policy policy;
  policy.share_sources = config.policy.share_sources;
  policy.mount_points = config.policy.mount_points;
  policy.address_ranges.clear();
  for (const std::string& text : config.policy.address_ranges) {
    const auto range = IpRange::Parse(text);
    if (!range) {
      return absl::InvalidArgumentError(
          absl::StrCat("policy.address_ranges: '", text, "' is not an address range"));
    }
    policy.address_ranges.push_back(*range);
  }
  policy.uid_min = config.policy.uid_min;
  policy.uid_max = config.policy.uid_max;
  policy.user_name_pattern = config.policy.user_pattern;
  policy.kinds = config.policy.kinds;
  policy.hooks = {config.hooks.directory, config.hooks.timeout, config.hooks.reload_interval};
  return policy;
}

std::vector<QuotaRule> QuotaRulesOf(const AgentConfig& config) {
  std::vector<QuotaRule> rules;
  for (const AgentConfig::Quotas& quotas : config.quotas) {
    rules.push_back({quotas.source, quotas.program, quotas.timeout});
  }
  return rules;
}

}  // namespace hostq::agent
