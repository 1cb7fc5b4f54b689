#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/log/log.h"

namespace hostq {

// The agent's configuration file (TOML). docs/reference lists every key; none is required.
struct AgentConfig {
  // What this node lets be done to it, whatever the manager says. A key that is not in the file has
  // the default below; an empty list allows nothing of its sort, except `kinds`, where it allows
  // every kind that this agent knows.
  struct Policy {
    // "SERVER:/PATH", also with wildcards as in fnmatch(3).
    std::vector<std::string> share_sources = {"*:/*"};
    std::vector<std::string> mount_points = {"/home", "/chroot/home"};
    std::vector<std::string> address_ranges = {"0.0.0.0/0", "::/0"};
    uint32_t uid_min = 20000;
    uint32_t uid_max = 59999;
    // POSIX extended regular expression, matched against the whole name.
    std::string user_pattern = "[a-z][a-z0-9_-]{0,31}";
    std::vector<std::string> kinds;
    // Whether the agent puts back by itself what the node was told to have and is missing: shares,
    // addresses on lo. Otherwise it only tells.
    bool repair = true;
  };

  // Programs of the node's own, run for account events (docs/reference/hooks.md).
  struct Hooks {
    // Empty: none are run.
    std::string directory = "/etc/hostq/hooks.d";
    // For each of them.
    absl::Duration timeout = absl::Seconds(30);
    // From the start of a reload to that of the next one of the same hook.
    absl::Duration reload_interval = absl::Seconds(1);
  };

  // How quotas are kept where the mount's kind does not tell; the first that matches counts
  // (docs/reference/quotas.md).
  struct Quotas {
    // Of what mount's source, with wildcards as in fnmatch(3).
    std::string source;
    // Of the node's own. Empty: quotas are switched off (backend = "none").
    std::string program;
    // For each run.
    absl::Duration timeout = absl::Seconds(10);
  };

  // The process that changes the system, hostq-executor, which is root's.
  struct Executor {
    // Its socket, and what is gone with the next boot.
    std::string run_dir = "/run/hostq-executor";
    // What it must remember.
    std::string state_dir = "/var/lib/hostq/executor";

    std::string socket() const { return run_dir + "/socket"; }
  };

  // Whom the agent's process belongs to, if root starts it, and who may ask the executor.
  std::string user = "hostq-agent";
  std::string state_dir = "/var/lib/hostq/agent";
  // How many tasks it takes at once.
  int credits = 8;
  // Between two preflights of its own, once the node has passed one.
  absl::Duration preflight_interval = absl::Minutes(5);
  LogLevel log_level = LogLevel::kInfo;
  Executor executor;
  Policy policy;
  Hooks hooks;
  std::vector<Quotas> quotas;
};

inline constexpr char kAgentConfigPath[] = "/etc/hostq/agent.toml";

// Blocks on the disk. A file that is missing at kAgentConfigPath means defaults; anywhere else it
// is an error, because somebody asked for it. Errors: NOT_FOUND and what else the system says about
// the file; INVALID_ARGUMENT (INVALID_ARGUMENT) with every mistake in it, one a line: "PATH:LINE:
// KEY: what is wrong".
absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path = kAgentConfigPath);
// The same from text; `path` is for messages.
absl::StatusOr<AgentConfig> ParseAgentConfig(const std::string& toml, const std::string& path);

}  // namespace hostq
