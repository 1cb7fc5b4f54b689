#include "common/config/manager_config.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/config/read_file.h"
#include "common/config/toml_reader.h"

namespace hostq {
namespace {

constexpr int64_t kAgentsPort = 7443;
constexpr int64_t kEnrollmentPort = 7444;

std::string WithPort(const std::string& address, int64_t port) {
  return absl::StrContains(address, ":") ? absl::StrCat("[", address, "]:", port)
                                         : absl::StrCat(address, ":", port);
}

// sockaddr_un has room for 107 characters.
std::optional<std::string> CheckSocketPath(absl::string_view text) {
  if (text.size() > 107) return "is longer than 107 characters";
  return CheckAbsolutePath(text);
}

std::optional<std::string> CheckGroup(absl::string_view text) {
  const bool fits =
      text.size() <= 32 &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == absl::string_view::npos;
  if (fits) return std::nullopt;
  return "is not the name of a group";
}

void ReadCluster(TomlReader& reader, ManagerConfig::Cluster& cluster) {
  reader.Require("cluster.name");
  reader.Text("cluster.name", cluster.name, CheckName);
  reader.Require("cluster.quorum_address");
  reader.Text("cluster.quorum_address", cluster.quorum_address, CheckHostAddress);
  reader.UidRange("cluster.uid_min", "cluster.uid_max", cluster.uid_min, cluster.uid_max);
}

void ReadListen(TomlReader& reader, const ManagerConfig::Cluster& cluster,
                ManagerConfig::Listen& listen) {
  listen.agents = WithPort(cluster.quorum_address, kAgentsPort);
  listen.enrollment = WithPort(cluster.quorum_address, kEnrollmentPort);
  reader.Text("listen.agents", listen.agents, CheckListenAddress);
  reader.Text("listen.enrollment", listen.enrollment, CheckListenAddress);
  if (listen.agents == listen.enrollment) {
    reader.Problem("listen.enrollment", "the same as listen.agents");
  }
  reader.Text("listen.admin_socket", listen.admin_socket, CheckSocketPath);
  reader.Text("listen.admin_group", listen.admin_group, CheckGroup);
}

}  // namespace

absl::StatusOr<ManagerConfig> ParseManagerConfig(const std::string& toml, const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(TomlReader reader, TomlReader::Parse(toml, path));
  ManagerConfig config;
  reader.Text("state_dir", config.state_dir, CheckAbsolutePath);
  ReadCluster(reader, config.cluster);
  ReadListen(reader, config.cluster, config.listen);
  std::string level;
  if (reader.Text("log.level", level, CheckLogLevel)) config.log_level = *ParseLogLevel(level);
  // 400 bytes of memory for each (docs/architecture.md); below the minimum nothing useful fits.
  reader.Integer("limits.max_live_tasks", 1000, 10'000'000, config.limits.max_live_tasks);
  reader.Duration("limits.heartbeat_interval", absl::Seconds(1), absl::Minutes(1),
                  config.limits.heartbeat_interval);
  reader.Integer("limits.requests_per_second", 1, 1'000'000, config.limits.requests_per_second);
  reader.Integer("limits.retention_days", 1, 36'500, config.limits.retention_days);
  HOSTQ_RETURN_IF_ERROR(reader.Finish());
  return config;
}

absl::StatusOr<ManagerConfig> LoadManagerConfig(const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string text, ReadConfigFile(path));
  return ParseManagerConfig(text, path);
}

}  // namespace hostq
