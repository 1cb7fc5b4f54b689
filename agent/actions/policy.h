#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/host/ip_address.h"

namespace hostq::agent {

// Which programs of the node's own are run for account events; no manager has a say in it.
struct HookPolicy {
  // Empty: none.
  std::string directory;
  // For each hook, and each reload.
  absl::Duration timeout = absl::Seconds(30);
  // From the start of a reload to that of the next one of the same name.
  absl::Duration reload_interval = absl::Seconds(1);
};

// What this node will do at most, whatever the manager asks: the node's own last word, read from
// its own configuration. An empty list allows nothing of its sort, except where said otherwise.
struct Policy {
  // Patterns of "server:/path" as in fnmatch(3); '*' also matches '/'.
  std::vector<std::string> share_sources = {"*:/*"};
  // Where shares may be mounted, and below which homes may lie.
  std::vector<std::string> mount_points = {"/home", "/chroot/home"};
  std::vector<IpRange> address_ranges = {*IpRange::Parse("0.0.0.0/0"), *IpRange::Parse("::/0")};
  // Of users and groups, both inclusive.
  uint32_t uid_min = 1000;
  uint32_t uid_max = 65000;
  // A POSIX extended regular expression that the whole name must match.
  std::string user_name_pattern = "[a-z][a-z0-9_-]{0,31}";
  std::vector<std::string> shells = {"/bin/sh",       "/bin/bash",         "/usr/bin/bash",
                                     "/bin/false",    "/usr/sbin/nologin", "/sbin/nologin",
                                     "/usr/bin/rssh", "/usr/bin/dash",     "/bin/dash"};
  // Names of kinds ("create_account"); empty: all.
  std::vector<std::string> kinds;
  HookPolicy hooks;
};

// Each: OK, or PERMISSION_DENIED with NOT_ALLOWED_BY_POLICY and a message that names the rule; for
// what is malformed INVALID_ARGUMENT with BAD_PARAMETERS. Some things are refused under every
// policy: unusual paths and system directories, uids below 1000, names of system users, addresses
// that are not unicast.
absl::Status CheckKind(const Policy& policy, absl::string_view kind);
absl::Status CheckShareSource(const Policy& policy, absl::string_view server,
                              absl::string_view export_path);
absl::Status CheckMountPoint(const Policy& policy, absl::string_view path);
// `path` must lie below one of the mount points.
absl::Status CheckHome(const Policy& policy, absl::string_view path);
absl::Status CheckAddress(const Policy& policy, absl::string_view address);
absl::Status CheckUser(const Policy& policy, absl::string_view name, uint32_t uid, uint32_t gid);
absl::Status CheckShell(const Policy& policy, absl::string_view shell);

// Of a path that a symbolic link led to: only what is refused under every policy.
absl::Status CheckNoSystemDirectory(absl::string_view path);

// Absolute, without empty, "." or ".." parts, without control characters, ':' or a trailing '/'.
bool IsPlainPath(absl::string_view path);

}  // namespace hostq::agent
