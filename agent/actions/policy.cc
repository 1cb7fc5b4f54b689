#include "agent/actions/policy.h"

#include <fnmatch.h>

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "common/base/pattern.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

constexpr size_t kMaxPath = 1024;     // what the quota protocol carries
constexpr size_t kMaxServer = 253;    // a domain name
constexpr uint32_t kUidFloor = 1000;  // below: the system's own users
constexpr uint32_t kUidCeiling = 0xfffffffd;

// Below these nothing is ever mounted and no home lies, even if a policy says so.
constexpr absl::string_view kSystemDirectories[] = {"/bin",   "/boot",  "/dev",  "/etc",  "/lib",
                                                    "/lib32", "/lib64", "/proc", "/root", "/run",
                                                    "/sbin",  "/sys",   "/usr"};

constexpr absl::string_view kSystemUsers[] = {
    "root",  "daemon",      "bin",          "sys",    "sync",       "games",  "man",     "lp",
    "mail",  "news",        "uucp",         "proxy",  "www-data",   "backup", "list",    "irc",
    "gnats", "nobody",      "nogroup",      "_apt",   "messagebus", "sshd",   "statd",   "postfix",
    "mysql", "postgres",    "nginx",        "apache", "named",      "bind",   "dovecot", "ftp",
    "sudo",  "adm",         "shadow",       "utmp",   "disk",       "wheel",  "admin",   "operator",
    "hostq", "hostq-agent", "hostq-manager"};

absl::Status Refused(absl::string_view what, absl::string_view rule) {
  return MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAllowedByPolicy,
                   absl::StrCat("this node's policy does not allow ", what, ": ", rule));
}

absl::Status Malformed(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters, what);
}

bool IsAtOrBelow(absl::string_view path, absl::string_view directory) {
  return path == directory ||
         (absl::StartsWith(path, directory) && path.size() > directory.size() &&
          (directory == "/" || path[directory.size()] == '/'));
}

absl::Status CheckDirectory(const Policy& policy, absl::string_view what, absl::string_view path,
                            bool below) {
  HOSTQ_RETURN_IF_ERROR(CheckNoSystemDirectory(path));
  for (const std::string& allowed : policy.mount_points) {
    if (below ? IsAtOrBelow(path, allowed) && path != allowed : path == allowed) {
      return absl::OkStatus();
    }
  }
  return Refused(absl::StrCat(what, " ", path),
                 absl::StrCat("it is not ", below ? "below one" : "one", " of mount_points"));
}

}  // namespace

bool IsPlainPath(absl::string_view path) {
  if (path.size() < 2 || path.size() > kMaxPath || path[0] != '/') return false;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == ':') return false;
  }
  for (const absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

absl::Status CheckNoSystemDirectory(absl::string_view path) {
  if (!IsPlainPath(path)) {
    return Malformed(absl::StrCat("the path ", Printable(path), " is not absolute and normalized"));
  }
  for (const absl::string_view directory : kSystemDirectories) {
    if (IsAtOrBelow(path, directory)) {
      return Refused(absl::StrCat("the path ", path),
                     absl::StrCat("nothing below ", directory, " is ever touched"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckKind(const Policy& policy, absl::string_view kind) {
  if (policy.kinds.empty() || absl::c_linear_search(policy.kinds, kind)) return absl::OkStatus();
  return Refused(kind, "it is not one of kinds");
}

absl::Status CheckShareSource(const Policy& policy, absl::string_view server,
                              absl::string_view export_path) {
  if (server.empty() || server.size() > kMaxServer || server[0] == '-' ||
      !std::all_of(server.begin(), server.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' ||
               c == '_' || c == ':';
      })) {
    return Malformed(
        absl::StrCat("share server ", Printable(server), " is neither an address nor a name"));
  }
  if (export_path != "/" && !IsPlainPath(export_path)) {
    return Malformed(absl::StrCat("export path ", Printable(export_path),
                                  " is not an absolute, normalized path"));
  }
  const std::string source = absl::StrCat(server, ":", export_path);
  for (const std::string& pattern : policy.share_sources) {
    if (fnmatch(pattern.c_str(), source.c_str(), 0) == 0) return absl::OkStatus();
  }
  return Refused(absl::StrCat("share source ", source), "it matches none of share_sources");
}

absl::Status CheckMountPoint(const Policy& policy, absl::string_view path) {
  return CheckDirectory(policy, "mount point", path, false);
}

absl::Status CheckHome(const Policy& policy, absl::string_view path) {
  return CheckDirectory(policy, "home", path, true);
}

absl::Status CheckAddress(const Policy& policy, absl::string_view address) {
  const auto parsed = IpAddress::Parse(address);
  if (!parsed)
    return Malformed(absl::StrCat("address ", Printable(address), " is not an IP address"));
  const std::string shown = absl::StrCat("address ", parsed->ToString());
  const absl::string_view kind = ReservedKind(*parsed);
  if (!kind.empty()) return Refused(shown, absl::StrCat("it is ", kind));
  for (const IpRange& range : policy.address_ranges) {
    if (range.Contains(*parsed)) return absl::OkStatus();
  }
  return Refused(shown, "it is in none of address_ranges");
}

absl::Status CheckUser(const Policy& policy, absl::string_view name, uint32_t uid, uint32_t gid) {
  const std::string shown = absl::StrCat("user ", Printable(name));
  if (name.empty() || name.size() > 32 || name[0] == '-' ||
      !std::all_of(name.begin(), name.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' ||
               c == '.';
      })) {
    return Malformed(absl::StrCat(shown, " is not a user name"));
  }
  if (absl::c_linear_search(kSystemUsers, name)) return Refused(shown, "it is a system user");
  if (!MatchesWhole(policy.user_name_pattern, std::string(name))) {
    return Refused(shown, "it does not match user_name_pattern");
  }
  for (const uint32_t id : {uid, gid}) {
    if (id < kUidFloor || id == 65534 || id == 65535 || id > kUidCeiling) {
      return Refused(absl::StrCat("id ", id), "it belongs to the system");
    }
    if (id < policy.uid_min || id > policy.uid_max) {
      return Refused(absl::StrCat("id ", id),
                     absl::StrCat("it is not within ", policy.uid_min, " to ", policy.uid_max));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckShell(const Policy& policy, absl::string_view shell) {
  if (absl::c_linear_search(policy.shells, shell)) return absl::OkStatus();
  return Refused(absl::StrCat("shell ", Printable(shell)), "it is not one of shells");
}

}  // namespace hostq::agent
