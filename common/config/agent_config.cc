#include "common/config/agent_config.h"

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/pattern.h"
#include "common/config/read_file.h"
#include "common/config/toml_reader.h"

namespace hostq {
namespace {

std::optional<std::string> CheckShareSource(absl::string_view text) {
  constexpr char kWhat[] = "is not SERVER:/PATH";
  const size_t at = text.find(":/");
  if (at == 0 || at == absl::string_view::npos) return kWhat;
  const absl::string_view server = text.substr(0, at);
  if (server.find_first_of(" \t\n/,") != absl::string_view::npos) return kWhat;
  return CheckAbsolutePath(text.substr(at + 1));
}

std::optional<std::string> CheckKind(absl::string_view text) {
  if (!text.empty() &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == absl::string_view::npos) {
    return std::nullopt;
  }
  return "is not the name of a kind, such as \"create_account\"";
}

void ReadPolicy(TomlReader& reader, AgentConfig::Policy& policy) {
  reader.TextList("policy.share_sources", policy.share_sources, CheckShareSource);
  reader.TextList("policy.mount_points", policy.mount_points, CheckAbsolutePath);
  reader.TextList("policy.address_ranges", policy.address_ranges, CheckAddressRange);
  reader.Text("policy.user_pattern", policy.user_pattern, CheckPattern);
  reader.TextList("policy.kinds", policy.kinds, CheckKind);
  reader.Boolean("policy.repair", policy.repair);
  reader.UidRange("policy.uid_min", "policy.uid_max", policy.uid_min, policy.uid_max);
}

std::optional<std::string> CheckUser(absl::string_view text) {
  if (!text.empty() && text.find_first_of(" \t\n:/") == absl::string_view::npos)
    return std::nullopt;
  return "is not the name of a user";
}

// sun_path of unix(7) has 108 bytes.
std::optional<std::string> CheckRunDirectory(absl::string_view text) {
  if (text.size() > 90) return "is longer than 90 characters: a socket in it could not be reached";
  return CheckAbsolutePath(text);
}

std::optional<std::string> CheckHookDirectory(absl::string_view text) {
  return text.empty() ? std::nullopt : CheckAbsolutePath(text);
}

void ReadHooks(TomlReader& reader, AgentConfig::Hooks& hooks) {
  reader.Text("hooks.directory", hooks.directory, CheckHookDirectory);
  // A task has 5 minutes on its node.
  reader.Duration("hooks.timeout", absl::Seconds(1), absl::Minutes(2), hooks.timeout);
  reader.Duration("hooks.reload_interval", absl::ZeroDuration(), absl::Minutes(1),
                  hooks.reload_interval);
}

std::optional<std::string> CheckSource(absl::string_view text) {
  if (text.empty()) return "matches no source";
  if (text.find_first_of(absl::string_view(" \t\n\0", 4)) == absl::string_view::npos) {
    return std::nullopt;
  }
  return "is not the source of a mount, such as \"filer:/vol/*\"";
}

std::optional<std::string> CheckBackend(absl::string_view text) {
  if (text == "program" || text == "none") return std::nullopt;
  return "is neither \"program\" nor \"none\"";
}

void ReadQuotas(TomlReader& reader, std::vector<AgentConfig::Quotas>& all) {
  const int count = reader.Sections("quotas");
  for (int i = 0; i < count; ++i) {
    AgentConfig::Quotas& quotas = all.emplace_back();
    const std::string prefix = absl::StrCat("quotas[", i, "].");
    const std::string program = prefix + "program";
    std::string backend;
    if (!reader.Text(prefix + "source", quotas.source, CheckSource)) {
      reader.Require(prefix + "source");
    }
    if (!reader.Text(prefix + "backend", backend, CheckBackend)) reader.Require(prefix + "backend");
    const bool named = reader.Text(program, quotas.program, CheckAbsolutePath);
    if (backend == "program") reader.Require(program);
    if (backend == "none" && named) reader.Problem(program, "backend \"none\" runs no program");
    // A quota step runs it up to five times, and a task has 5 minutes on its node.
    reader.Duration(prefix + "timeout", absl::Seconds(1), absl::Seconds(20), quotas.timeout);
  }
}

}  // namespace

absl::StatusOr<AgentConfig> ParseAgentConfig(const std::string& toml, const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(TomlReader reader, TomlReader::Parse(toml, path));
  AgentConfig config;
  reader.Text("user", config.user, CheckUser);
  reader.Text("state_dir", config.state_dir, CheckAbsolutePath);
  reader.Text("executor.run_dir", config.executor.run_dir, CheckRunDirectory);
  reader.Text("executor.state_dir", config.executor.state_dir, CheckAbsolutePath);
  // One child process each.
  int64_t credits = config.credits;
  reader.Integer("credits", 1, 256, credits);
  config.credits = static_cast<int>(credits);
  reader.Duration("preflight_interval", absl::Seconds(10), absl::Hours(24),
                  config.preflight_interval);
  std::string level;
  if (reader.Text("log.level", level, CheckLogLevel)) config.log_level = *ParseLogLevel(level);
  ReadPolicy(reader, config.policy);
  ReadHooks(reader, config.hooks);
  ReadQuotas(reader, config.quotas);
  HOSTQ_RETURN_IF_ERROR(reader.Finish());
  return config;
}

absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path) {
  absl::StatusOr<std::string> text = ReadConfigFile(path);
  if (absl::IsNotFound(text.status()) && path == kAgentConfigPath) return AgentConfig();
  HOSTQ_RETURN_IF_ERROR(text.status());
  return ParseAgentConfig(*text, path);
}

}  // namespace hostq
