#include "agent/host/mounts.h"

#include <cctype>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace hostq::agent {
namespace {

constexpr absl::string_view kDeleted = "//deleted";

// The kernel writes space, tab, newline and backslash as \040 and the like.
std::string Unescape(absl::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
        octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

absl::string_view WithoutTrailingSlash(absl::string_view path) {
  while (path.size() > 1 && absl::EndsWith(path, "/")) path.remove_suffix(1);
  return path;
}

// "[2001:db8::1]:/x" and "host:/x" into their two parts.
bool SplitSource(absl::string_view source, absl::string_view* server, absl::string_view* path) {
  const size_t colon = source.find(":/");
  if (colon == absl::string_view::npos) return false;
  *server = source.substr(0, colon);
  *path = source.substr(colon + 1);
  if (absl::StartsWith(*server, "[") && absl::EndsWith(*server, "]")) {
    *server = server->substr(1, server->size() - 2);
  }
  return true;
}

}  // namespace

std::string Mount::Option(absl::string_view name) const {
  for (absl::string_view option : absl::StrSplit(super_options, ',')) {
    if (absl::ConsumePrefix(&option, name) && absl::ConsumePrefix(&option, "=")) {
      return std::string(option);
    }
  }
  return "";
}

std::vector<Mount> ParseMountInfo(absl::string_view text) {
  std::vector<Mount> mounts;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    // id parent major:minor root mount-point options [optional...] - type source super-options
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    size_t dash = 6;
    while (dash < fields.size() && fields[dash] != "-") ++dash;
    Mount mount;
    if (dash + 3 >= fields.size() || !absl::SimpleAtoi(fields[0], &mount.id)) continue;
    mount.root = Unescape(fields[3]);
    mount.mount_point = Unescape(fields[4]);
    mount.options = std::string(fields[5]);
    mount.fs_type = std::string(fields[dash + 1]);
    mount.source = Unescape(fields[dash + 2]);
    mount.super_options = std::string(fields[dash + 3]);
    for (const absl::string_view suffix : {kDeleted, absl::string_view(" (deleted)")}) {
      if (!absl::EndsWith(mount.mount_point, suffix)) continue;
      mount.mount_point.resize(mount.mount_point.size() - suffix.size());
      mount.deleted = true;
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

const Mount* MountAt(const std::vector<Mount>& mounts, absl::string_view path) {
  const Mount* found = nullptr;
  for (const Mount& mount : mounts) {
    if (mount.mount_point == path && !mount.deleted) found = &mount;  // the last one is on top
  }
  return found;
}

const Mount* MountContaining(const std::vector<Mount>& mounts, absl::string_view path) {
  while (true) {
    if (const Mount* mount = MountAt(mounts, path.empty() ? "/" : path)) return mount;
    const size_t slash = path.rfind('/');
    if (path.empty() || slash == absl::string_view::npos) return nullptr;
    path = path.substr(0, slash);
    if (path.empty()) return MountAt(mounts, "/");
  }
}

std::string NfsSource(absl::string_view server, absl::string_view export_path) {
  if (absl::StrContains(server, ':')) return absl::StrCat("[", server, "]:", export_path);
  return absl::StrCat(server, ":", export_path);
}

bool IsNfsOf(const Mount& mount, absl::string_view server, absl::string_view server_address,
             absl::string_view export_path) {
  absl::string_view mounted_server;
  absl::string_view mounted_path;
  if (!mount.nfs() || !SplitSource(mount.source, &mounted_server, &mounted_path)) return false;
  if (WithoutTrailingSlash(mounted_path) != WithoutTrailingSlash(export_path)) return false;
  return mounted_server == server || mounted_server == server_address ||
         (!server_address.empty() && mount.Option("addr") == server_address);
}

}  // namespace hostq::agent
