#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/log/log.h"

namespace hostq {

// The manager's configuration file (TOML). docs/reference lists every key; required ones are
// marked.
struct ManagerConfig {
  struct Cluster {
    std::string name;            // required: a lower-case letter, then letters, digits or '-'
    std::string quorum_address;  // required: an IPv4 or IPv6 address
    uint32_t uid_min = 20000;
    uint32_t uid_max = 59999;
  };
  // "ADDRESS:PORT", IPv6 in brackets.
  struct Listen {
    std::string agents;      // default: quorum_address:7443
    std::string enrollment;  // default: quorum_address:7444
    // For API keys and administrators elsewhere. Default: quorum_address:7445. Empty: none.
    std::string api;
    // HTTPS: REST, metrics and the dashboard. Default: quorum_address:7446. Empty: none.
    std::string https;
    std::string admin_socket = "/run/hostq/manager.sock";
    // Members may use the socket (0660). Empty: only the user that runs the manager (0600), and
    // root.
    std::string admin_group;
  };
  struct Limits {
    int64_t max_live_tasks = 1'000'000;
    absl::Duration heartbeat_interval = absl::Seconds(5);
    // Of one caller; twice as many at once after a pause.
    int64_t requests_per_second = 500;
    // Of an API key that says nothing itself; requests twice as many at once after a pause.
    int64_t key_requests_per_second = 50;
    int64_t key_unfinished_commands = 1'000;
    // Of all nodes at once, and of those behind one address.
    int64_t connections = 10'000;
    int64_t connections_per_address = 200;
    // After so many days finished commands and their events move into the archive.
    int64_t retention_days = 90;
    // After so many days entries of the audit are deleted.
    int64_t audit_days = 400;
  };

  struct Trust {
    // How long a node's certificate is valid; it renews it at half of that.
    absl::Duration node_certificate_life = absl::Hours(24 * 90);
    // So long after it has expired a node gets another one without an administrator's approval.
    absl::Duration renewal_grace = absl::Hours(24 * 90);
  };

  struct Webhooks {
    // Ranges of addresses that receivers may have although they are private, or the manager's own.
    std::vector<std::string> allow;
    // PEM file with the authorities of receivers' certificates. Empty: the system's.
    std::string ca_cert;
  };

  // Who is told of stuck work.
  struct Notify {
    // Empty: nobody gets mails.
    std::vector<std::string> mail_to;
    std::string mail_from;
    std::string sendmail = "/usr/sbin/sendmail";
    // So long a cause is there, or gone, before anybody is told.
    absl::Duration settle = absl::Seconds(30);
    // Since midnight, in local time. Equal: none.
    absl::Duration quiet_start, quiet_end;
    std::vector<std::string> urgent = {"STORE_UNAVAILABLE"};
    int64_t mails_per_hour = 10;
  };

  std::string state_dir = "/var/lib/hostq/manager";
  Cluster cluster;
  Listen listen;
  LogLevel log_level = LogLevel::kInfo;
  Limits limits;
  Trust trust;
  Webhooks webhooks;
  Notify notify;
};

inline constexpr char kManagerConfigPath[] = "/etc/hostq/manager.toml";

// Blocks on the disk.
// Errors: NOT_FOUND and what else the system says about the file; INVALID_ARGUMENT
// (INVALID_ARGUMENT) with every mistake in it, one a line: "PATH:LINE: KEY: what is wrong".
absl::StatusOr<ManagerConfig> LoadManagerConfig(const std::string& path);
// The same from text; `path` is for messages.
absl::StatusOr<ManagerConfig> ParseManagerConfig(const std::string& toml, const std::string& path);

}  // namespace hostq
