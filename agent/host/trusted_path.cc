#include "agent/host/trusted_path.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;
// As the kernel's own limit on symbolic links in one path (path_resolution(7)).
constexpr int kMaxLinks = 40;

absl::Status Untrusted(absl::string_view message) {
  return MakeError(absl::StatusCode::kPermissionDenied, Reason::kPermissionDenied, message);
}

absl::Status CheckOne(const std::string& path, const struct stat& info) {
  if (info.st_uid != 0 && info.st_uid != geteuid()) {
    return Untrusted(absl::StrCat(path, " belongs to uid ", info.st_uid,
                                  ", who could put anything there: chown root ", path));
  }
  const bool sticky_directory = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  if (!S_ISLNK(info.st_mode) && !sticky_directory && (info.st_mode & kOthersMayWrite) != 0) {
    return Untrusted(absl::StrCat("others than its owner may write to ", path,
                                  ", and so put anything there: chmod go-w ", path));
  }
  return absl::OkStatus();
}

absl::Status Check(const std::string& path, int links) {
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string prefix = end == 0 ? "/" : path.substr(0, end);
    struct stat info {};
    if (lstat(prefix.c_str(), &info) != 0) {
      if (errno == ENOENT) return absl::OkStatus();
      return ErrnoError(errno, Reason::kPermissionDenied, absl::StrCat("looking at ", prefix));
    }
    HOSTQ_RETURN_IF_ERROR(CheckOne(prefix, info));
    if (!S_ISLNK(info.st_mode)) continue;
    char target[PATH_MAX];
    if (links >= kMaxLinks || realpath(prefix.c_str(), target) == nullptr) {
      return Untrusted(absl::StrCat(prefix, " is a symbolic link that leads nowhere"));
    }
    HOSTQ_RETURN_IF_ERROR(Check(target, links + 1));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTrusted(const std::string& path) {
  struct stat root {};
  if (stat("/", &root) != 0) return ErrnoError(errno, Reason::kPermissionDenied, "looking at /");
  HOSTQ_RETURN_IF_ERROR(CheckOne("/", root));
  return Check(path, 0);
}

}  // namespace hostq::agent
