#include "manager/cluster/validate.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::manager {
namespace {

// Debian's base-passwd, what its packages commonly add, and hostq itself.
constexpr absl::string_view kSystemUsers[] = {
    "_apt",     "adm",      "apache",     "audio",   "avahi",    "backup",  "bin",      "daemon",
    "dialout",  "disk",     "dnsmasq",    "docker",  "ftp",      "games",   "gnats",    "halt",
    "hostq",    "http",     "irc",        "kmem",    "list",     "lp",      "mail",     "mailman",
    "man",      "memcache", "messagebus", "mysql",   "named",    "netdev",  "news",     "nfsnobody",
    "nginx",    "nobody",   "nogroup",    "ntp",     "operator", "plugdev", "polkitd",  "postfix",
    "postgres", "proxy",    "redis",      "root",    "rpc",      "shadow",  "shutdown", "src",
    "ssh",      "sshd",     "ssl-cert",   "staff",   "statd",    "sudo",    "sync",     "sys",
    "syslog",   "tape",     "tcpdump",    "tty",     "users",    "utmp",    "uucp",     "uuidd",
    "video",    "voice",    "wheel",      "www-data"};
constexpr absl::string_view kSystemUserPrefixes[] = {"hostq-", "systemd-", "_"};

// A mount there takes the node down. The node's own policy decides what else is allowed.
constexpr absl::string_view kSystemDirectories[] = {
    "/bin",  "/boot", "/dev", "/etc",  "/lib", "/lib32", "/lib64",   "/libx32",
    "/proc", "/root", "/run", "/sbin", "/sys", "/usr",   "/var/lib", "/var/run"};
// Not themselves, but what is in them.
constexpr absl::string_view kSystemParents[] = {"/var", "/tmp", "/opt", "/srv", "/mnt", "/media"};

constexpr size_t kMaxDomain = 253;
constexpr size_t kMaxLabel = 63;
constexpr size_t kMaxUserName = 32;   // useradd(8)
constexpr size_t kMaxPath = 1000;     // NFS servers stop at 1024 with the rest of the request
constexpr size_t kMaxPathPart = 255;  // NAME_MAX

constexpr absl::string_view kWantedDomain = "wanted: a domain such as example.com";
constexpr absl::string_view kWantedUserName =
    "wanted: a lower-case letter, then letters, digits, - or _; at most 32";

constexpr uint8_t kZero[15] = {};

bool IsLower(char c) { return absl::ascii_islower(static_cast<unsigned char>(c)); }
bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool IsHostChar(char c) { return IsLower(c) || IsDigit(c) || c == '-'; }
bool IsPathChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("._+@=-").find(c) != absl::string_view::npos;
}

std::string Quoted(absl::string_view value) { return absl::StrCat("\"", Printable(value), "\""); }

absl::Status Wrong(Reason reason, absl::string_view field, absl::string_view value,
                   absl::string_view what) {
  if (value.empty()) return InvalidField(reason, field, absl::StrCat("missing; ", what));
  return InvalidField(reason, field, absl::StrCat(Quoted(value), " ", what));
}

// What is wrong with one part of a lower-case host name; empty: nothing.
absl::string_view LabelFault(absl::string_view label) {
  if (label.empty()) return "has an empty part";
  if (label.size() > kMaxLabel) return "has a part of more than 63 characters";
  if (!absl::c_all_of(label, IsHostChar)) {
    return "has a character other than letters, digits and hyphens (internationalized names are "
           "written as A-labels: xn--...)";
  }
  if (label.front() == '-' || label.back() == '-') {
    return "has a part that begins or ends with a hyphen";
  }
  // RFC 5890 2.3.1: hyphens in third and fourth place are reserved.
  if (label.size() >= 4 && label.substr(2, 2) == "--" && !absl::StartsWith(label, "xn--")) {
    return "has a part with hyphens in third and fourth place that is no A-label";
  }
  return "";
}

struct Parsed {
  bool v6 = false;
  uint8_t bytes[16] = {};
  std::string text;
};

bool Parse(absl::string_view value, Parsed& out) {
  // inet_pton would stop at a NUL and take what is before it.
  if (value.size() > INET6_ADDRSTRLEN || value.find('\0') != absl::string_view::npos) return false;
  const std::string text(value);
  char canonical[INET6_ADDRSTRLEN];
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), out.bytes) != 1) continue;
    out.v6 = family == AF_INET6;
    if (inet_ntop(family, out.bytes, canonical, sizeof canonical) == nullptr) return false;
    out.text = canonical;
    return true;
  }
  return false;
}

// What it is instead of an address for one host; empty: it is one.
absl::string_view ReservedKind(const Parsed& address, bool loopback_fits) {
  const uint8_t* b = address.bytes;
  if (!address.v6) {
    if (b[0] == 0) return "in 0.0.0.0/8: no address of a host";
    if (b[0] == 127) return loopback_fits ? "" : "a loopback address (127.0.0.0/8)";
    if (b[0] == 169 && b[1] == 254) return "a link-local address (169.254.0.0/16)";
    if (b[0] >= 224 && b[0] < 240) return "a multicast address (224.0.0.0/4)";
    if (b[0] >= 240) return "in 240.0.0.0/4: reserved or broadcast";
    return "";
  }
  if (std::memcmp(b, kZero, 15) == 0 && b[15] == 0) return "the unspecified address";
  if (std::memcmp(b, kZero, 15) == 0 && b[15] == 1) {
    return loopback_fits ? "" : "the loopback address";
  }
  if (b[0] == 0xff) return "a multicast address (ff00::/8)";
  if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) return "a link-local address (fe80::/10)";
  if (std::memcmp(b, kZero, 10) == 0) {
    return "an IPv4 address written as IPv6 (write the IPv4 address)";
  }
  return "";
}

absl::StatusOr<Parsed> ParseAddress(absl::string_view field, absl::string_view value) {
  if (value.find('/') != absl::string_view::npos) {
    return Wrong(Reason::kInvalidAddress, field, value,
                 "is a network; wanted: a single address, without prefix");
  }
  Parsed parsed;
  if (!Parse(value, parsed)) {
    return Wrong(Reason::kInvalidAddress, field, value,
                 "wanted: an IPv4 address (203.0.113.10) or an IPv6 address (2001:db8::10)");
  }
  return parsed;
}

absl::StatusOr<std::string> UnicastAddress(absl::string_view field, absl::string_view value,
                                           bool loopback_fits) {
  HOSTQ_ASSIGN_OR_RETURN(const Parsed parsed, ParseAddress(field, value));
  const absl::string_view kind = ReservedKind(parsed, loopback_fits);
  if (kind.empty()) return parsed.text;
  return Wrong(Reason::kInvalidAddress, field, value,
               absl::StrCat("is ", kind, "; wanted: an address of one host"));
}

absl::StatusOr<std::string> NormalHost(absl::string_view field, absl::string_view value) {
  if (absl::StartsWith(value, "[") && absl::EndsWith(value, "]")) {
    Parsed parsed;
    if (!Parse(value.substr(1, value.size() - 2), parsed) || !parsed.v6 ||
        !ReservedKind(parsed, false).empty()) {
      return Wrong(Reason::kInvalidAddress, field, value, "is no IPv6 address of a file server");
    }
    return parsed.text;
  }
  const std::string host = absl::AsciiStrToLower(value);
  const std::vector<absl::string_view> labels = absl::StrSplit(host, '.');
  // What ends in a number is an address or nothing (RFC 3696 2).
  if (absl::c_all_of(labels.back(), IsDigit)) {
    return UnicastAddress(field, value, /*loopback_fits=*/false);
  }
  if (host.size() > kMaxDomain) {
    return Wrong(Reason::kInvalidAddress, field, value, "is longer than a host name can be");
  }
  for (const absl::string_view label : labels) {
    const absl::string_view fault = LabelFault(label);
    if (!fault.empty()) return Wrong(Reason::kInvalidAddress, field, value, fault);
  }
  return host;
}

}  // namespace

absl::StatusOr<std::string> NormalDomain(absl::string_view field, absl::string_view value) {
  const auto wrong = [&](absl::string_view what) {
    return Wrong(Reason::kInvalidDomain, field, value, what);
  };
  if (value.empty()) return wrong(kWantedDomain);
  if (value.size() > kMaxDomain) return wrong("is longer than 253 characters");
  if (value.back() == '.') return wrong("ends with a dot; wanted: the name without it");
  std::string domain = absl::AsciiStrToLower(value);
  const std::vector<absl::string_view> labels = absl::StrSplit(domain, '.');
  for (const absl::string_view label : labels) {
    const absl::string_view fault = LabelFault(label);
    if (!fault.empty()) return wrong(absl::StrCat(fault, "; ", kWantedDomain));
  }
  if (labels.size() < 2) return wrong(absl::StrCat("has only one part; ", kWantedDomain));
  if (absl::c_all_of(labels.back(), IsDigit)) {
    return wrong(absl::StrCat("ends with a number; ", kWantedDomain));
  }
  return domain;
}

absl::Status CheckUserName(absl::string_view field, absl::string_view value) {
  const bool formed = !value.empty() && value.size() <= kMaxUserName && IsLower(value[0]) &&
                      absl::c_all_of(value, [](char c) { return IsHostChar(c) || c == '_'; });
  // The underscore first: those names are the system's, and it says more.
  for (const absl::string_view prefix : kSystemUserPrefixes) {
    if (absl::StartsWith(value, prefix)) {
      return Wrong(Reason::kInvalidUserName, field, value, "belongs to the system");
    }
  }
  if (!formed) return Wrong(Reason::kInvalidUserName, field, value, kWantedUserName);
  if (absl::c_linear_search(kSystemUsers, value)) {
    return Wrong(Reason::kInvalidUserName, field, value,
                 "belongs to the system; wanted: a name of its own for the account");
  }
  return absl::OkStatus();
}

absl::Status CheckName(absl::string_view field, absl::string_view value, size_t limit) {
  if (!value.empty() && value.size() <= limit && IsLower(value[0]) && value.back() != '-' &&
      absl::c_all_of(value, IsHostChar)) {
    return absl::OkStatus();
  }
  return Wrong(
      Reason::kInvalidName, field, value,
      absl::StrCat("wanted: a lower-case letter, then letters, digits or hyphens, not ending "
                   "with a hyphen; at most ",
                   limit));
}

absl::Status CheckPath(absl::string_view field, absl::string_view value) {
  const auto wrong = [&](absl::string_view what) {
    return Wrong(Reason::kInvalidPath, field, value, what);
  };
  if (value.empty() || value[0] != '/') return wrong("wanted: an absolute path such as /home");
  if (value.size() > kMaxPath) return wrong("is longer than 1000 characters");
  const std::vector<absl::string_view> parts = absl::StrSplit(value.substr(1), '/');
  for (const absl::string_view part : parts) {
    if (part.empty() || part == "." || part == "..") {
      return wrong("is not normalized; wanted: a path without //, ., .. or / at the end");
    }
    if (part.size() > kMaxPathPart) return wrong("has a part of more than 255 characters");
    if (!absl::c_all_of(part, IsPathChar)) {
      return wrong("has a character other than letters, digits and ._+@=-");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMountPoint(absl::string_view field, absl::string_view value) {
  HOSTQ_RETURN_IF_ERROR(CheckPath(field, value));
  const bool of_system =
      absl::c_any_of(kSystemDirectories,
                     [&](absl::string_view directory) {
                       return value == directory ||
                              absl::StartsWith(value, absl::StrCat(directory, "/"));
                     }) ||
      absl::c_linear_search(kSystemParents, value);
  if (!of_system) return absl::OkStatus();
  return WithRemedy(Wrong(Reason::kInvalidPath, field, value, "is a directory of the system"),
                    "choose a directory for the share, such as /home");
}

absl::StatusOr<ShareSource> NormalSource(absl::string_view field, absl::string_view value) {
  const size_t colon = value.find(":/");
  if (colon == absl::string_view::npos || colon == 0) {
    return WithRemedy(
        Wrong(Reason::kInvalidPath, field, value, "is not a file server and what it exports"),
        absl::StrCat("write the ", field, " as HOST:/PATH, such as 10.0.0.1:/chroot/home"));
  }
  ShareSource source;
  HOSTQ_ASSIGN_OR_RETURN(source.host, NormalHost(field, value.substr(0, colon)));
  source.path = std::string(value.substr(colon + 1));
  // The root of a server is a path like any other there.
  if (source.path != "/") HOSTQ_RETURN_IF_ERROR(CheckPath(field, source.path));
  const bool v6 = source.host.find(':') != std::string::npos;
  source.text = v6 ? absl::StrCat("[", source.host, "]:", source.path)
                   : absl::StrCat(source.host, ":", source.path);
  return source;
}

absl::StatusOr<int64_t> NormalQuota(absl::string_view field, int64_t bytes) {
  if (bytes == 0) return 0;
  if (bytes < 1024) {
    return InvalidField(Reason::kInvalidSize, field,
                        absl::StrCat(bytes, " bytes; wanted: 0 (unlimited) or at least 1KiB"));
  }
  const int64_t kib = bytes / 1024 + (bytes % 1024 != 0 ? 1 : 0);
  if (kib > kMaxQuotaKib) {
    return InvalidField(
        Reason::kInvalidSize, field,
        absl::StrCat(FormatSize(bytes), bytes % 1024 != 0 ? " (rounded up to whole KiB)" : "",
                     "; wanted: less than 4TiB, which is all that the file "
                     "server's quota protocol can carry"));
  }
  return kib * 1024;
}

absl::StatusOr<std::string> CanonicalAddress(absl::string_view field, absl::string_view value) {
  HOSTQ_ASSIGN_OR_RETURN(const Parsed parsed, ParseAddress(field, value));
  return parsed.text;
}

absl::StatusOr<std::string> NormalAddress(absl::string_view field, absl::string_view value) {
  return UnicastAddress(field, value, /*loopback_fits=*/false);
}

absl::StatusOr<std::string> NormalNodeAddress(absl::string_view field, absl::string_view value) {
  return UnicastAddress(field, value, /*loopback_fits=*/true);
}

absl::Status CheckText(absl::string_view field, absl::string_view value, size_t limit) {
  const auto wrong = [&](absl::string_view what) {
    return InvalidField(Reason::kInvalidArgument, field, what);
  };
  // Stored text must be readable again.
  if (!IsUtf8(value)) return wrong("not UTF-8");
  // Bytes that continue a character do not count.
  const auto characters =
      absl::c_count_if(value, [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; });
  if (static_cast<size_t>(characters) > limit) {
    return wrong(absl::StrCat(characters, " characters; wanted: at most ", limit));
  }
  const bool control = absl::c_any_of(
      value, [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
  if (control) return wrong(absl::StrCat(Quoted(value), " has a control character"));
  return absl::OkStatus();
}

}  // namespace hostq::manager
