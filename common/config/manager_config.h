#pragma once

#include <cstdint>
#include <string>

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
    // After so many days finished commands and their events move into the archive.
    int64_t retention_days = 90;
  };

  std::string state_dir = "/var/lib/hostq/manager";
  Cluster cluster;
  Listen listen;
  LogLevel log_level = LogLevel::kInfo;
  Limits limits;
};

inline constexpr char kManagerConfigPath[] = "/etc/hostq/manager.toml";

// Blocks on the disk.
// Errors: NOT_FOUND and what else the system says about the file; INVALID_ARGUMENT
// (INVALID_ARGUMENT) with every mistake in it, one a line: "PATH:LINE: KEY: what is wrong".
absl::StatusOr<ManagerConfig> LoadManagerConfig(const std::string& path);
// The same from text; `path` is for messages.
absl::StatusOr<ManagerConfig> ParseManagerConfig(const std::string& toml, const std::string& path);

}  // namespace hostq
