#include "common/config/manager_config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "common/base/reason.h"
#include "common/config/read_file.h"
#include "common/config/toml_reader.h"

namespace hostq {
namespace {

constexpr int64_t kAgentsPort = 7443;
constexpr int64_t kEnrollmentPort = 7444;
constexpr int64_t kApiPort = 7445;
constexpr int64_t kHttpsPort = 7446;

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

std::optional<std::string> CheckListenAddressOrNone(absl::string_view text) {
  return text.empty() ? std::nullopt : CheckListenAddress(text);
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
  listen.api = WithPort(cluster.quorum_address, kApiPort);
  reader.Text("listen.api", listen.api, CheckListenAddressOrNone);
  if (listen.api == listen.agents || listen.api == listen.enrollment) {
    reader.Problem("listen.api", "the same as listen.agents or listen.enrollment");
  }
  listen.https = WithPort(cluster.quorum_address, kHttpsPort);
  reader.Text("listen.https", listen.https, CheckListenAddressOrNone);
  if (!listen.https.empty() && (listen.https == listen.agents ||
                                listen.https == listen.enrollment || listen.https == listen.api)) {
    reader.Problem("listen.https", "the same as listen.agents, listen.enrollment or listen.api");
  }
  reader.Text("listen.admin_socket", listen.admin_socket, CheckSocketPath);
  reader.Text("listen.admin_group", listen.admin_group, CheckGroup);
}

void ReadTrust(TomlReader& reader, ManagerConfig::Trust& trust) {
  int64_t days = trust.node_certificate_life / absl::Hours(24);
  reader.Integer("trust.node_certificate_days", 1, 825, days);
  trust.node_certificate_life = absl::Hours(24 * days);
  days = trust.renewal_grace / absl::Hours(24);
  reader.Integer("trust.renewal_grace_days", 0, 3650, days);
  trust.renewal_grace = absl::Hours(24 * days);
}

// "10.0.0.0/8", "192.0.2.1": the whole of it is checked where it is used.
std::optional<std::string> CheckRange(absl::string_view text) {
  const std::string address(text.substr(0, text.find('/')));
  unsigned char bytes[16];
  const bool four = inet_pton(AF_INET, address.c_str(), bytes) == 1;
  const bool six = inet_pton(AF_INET6, address.c_str(), bytes) == 1;
  int bits = 0;
  const size_t slash = text.find('/');
  const bool good = slash == text.npos || (absl::SimpleAtoi(text.substr(slash + 1), &bits) &&
                                           bits >= 0 && bits <= (four ? 32 : 128));
  if ((four || six) && good) return std::nullopt;
  return "is not a range of addresses such as \"10.0.0.0/8\"";
}

// What a program takes as one, without what could be taken for an option or for two.
std::optional<std::string> CheckMailAddress(absl::string_view text) {
  const size_t at = text.find('@');
  const bool good =
      at != 0 && at != text.npos && at + 1 < text.size() && text.size() <= 254 && text[0] != '-' &&
      std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) ||
               absl::StrContains("@.!#$%&'*+-/=?^_`{|}~",
                                 absl::string_view(reinterpret_cast<const char*>(&c), 1));
      });
  return good ? std::nullopt : std::optional<std::string>("is not a mail address");
}

std::optional<std::string> CheckReason(absl::string_view text) {
  if (ReasonFromName(text)) return std::nullopt;
  return "is not a reason (docs/troubleshooting.md)";
}

// "22:00-07:00".
std::optional<std::string> ReadHours(absl::string_view text, absl::Duration& start,
                                     absl::Duration& end) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('-', 1));
  const auto read = [](absl::string_view time, absl::Duration& out) {
    int hour = 0, minute = 0;
    const bool good = time.size() == 5 && time[2] == ':' &&
                      absl::SimpleAtoi(time.substr(0, 2), &hour) &&
                      absl::SimpleAtoi(time.substr(3), &minute) && hour >= 0 && hour < 24 &&
                      minute >= 0 && minute < 60;
    out = absl::Hours(hour) + absl::Minutes(minute);
    return good;
  };
  if (read(parts.first, start) && read(parts.second, end)) return std::nullopt;
  return "is not a span of the day such as \"22:00-07:00\"";
}

void ReadWebhooks(TomlReader& reader, ManagerConfig::Webhooks& webhooks) {
  reader.TextList("webhooks.allow", webhooks.allow, CheckRange);
  reader.Text("webhooks.ca_cert", webhooks.ca_cert, CheckAbsolutePath);
}

void ReadNotify(TomlReader& reader, const ManagerConfig::Cluster& cluster,
                ManagerConfig::Notify& notify) {
  reader.TextList("notify.mail_to", notify.mail_to, CheckMailAddress);
  notify.mail_from = absl::StrCat("hostq@", cluster.name);
  reader.Text("notify.mail_from", notify.mail_from, CheckMailAddress);
  reader.Text("notify.sendmail", notify.sendmail, CheckAbsolutePath);
  reader.Duration("notify.settle", absl::ZeroDuration(), absl::Hours(1), notify.settle);
  std::string hours;
  reader.Text("notify.quiet_hours", hours, [&](absl::string_view text) {
    return ReadHours(text, notify.quiet_start, notify.quiet_end);
  });
  reader.TextList("notify.urgent", notify.urgent, CheckReason);
  reader.Integer("notify.mails_per_hour", 1, 1'000, notify.mails_per_hour);
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
  reader.Integer("limits.key_requests_per_second", 1, 1'000'000,
                 config.limits.key_requests_per_second);
  reader.Integer("limits.key_unfinished_commands", 1, 10'000'000,
                 config.limits.key_unfinished_commands);
  reader.Integer("limits.connections", 10, 1'000'000, config.limits.connections);
  reader.Integer("limits.connections_per_address", 1, 1'000'000,
                 config.limits.connections_per_address);
  reader.Integer("limits.retention_days", 1, 36'500, config.limits.retention_days);
  reader.Integer("limits.audit_days", 1, 36'500, config.limits.audit_days);
  ReadTrust(reader, config.trust);
  ReadWebhooks(reader, config.webhooks);
  ReadNotify(reader, config.cluster, config.notify);
  HOSTQ_RETURN_IF_ERROR(reader.Finish());
  return config;
}

absl::StatusOr<ManagerConfig> LoadManagerConfig(const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string text, ReadConfigFile(path));
  return ParseManagerConfig(text, path);
}

}  // namespace hostq
