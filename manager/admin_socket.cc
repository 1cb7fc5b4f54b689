#include "manager/admin_socket.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

absl::StatusOr<gid_t> GroupId(const std::string& name) {
  std::vector<char> buffer(64 << 10);
  group entry{};
  group* found = nullptr;
  const int error = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return entry.gr_gid;
  if (error != 0) return ErrnoError(error, Reason::kInternal, absl::StrCat("look up group ", name));
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                   absl::StrCat("listen.admin_group: there is no group ", name));
}

// Whether somebody answers.
absl::StatusOr<bool> Answers(const sockaddr_un& address, const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoError(errno, Reason::kInternal, "make a socket");
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  close(fd);
  if (result == 0) return true;
  if (error == ECONNREFUSED || error == ENOENT) return false;
  return ErrnoError(error, Reason::kInternal, absl::StrCat("connect to ", path));
}

}  // namespace

absl::Status PrepareAdminSocket(const std::string& path, const std::string& group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path[0] != '/' || path.size() >= sizeof(address.sun_path)) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                     absl::StrCat("listen.admin_socket: must be an absolute path of at most ",
                                  sizeof(address.sun_path) - 1, " bytes: ", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (!group.empty()) HOSTQ_RETURN_IF_ERROR(GroupId(group).status());
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0) {
    return ErrnoError(errno, Reason::kInternal,
                      absl::StrCat("the admin socket's directory ", directory));
  }
  if (lstat(path.c_str(), &info) != 0) return absl::OkStatus();
  if (!S_ISSOCK(info.st_mode)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kInternal,
                     absl::StrCat(path, " exists and is no socket"));
  }
  HOSTQ_ASSIGN_OR_RETURN(const bool live, Answers(address, path));
  if (live) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kInternal,
        absl::StrCat("another program listens on ", path, ": is a manager running already?"));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("remove the stale socket ", path));
  }
  return absl::OkStatus();
}

absl::Status OpenAdminSocket(const std::string& path, const std::string& group) {
  if (!group.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(const gid_t gid, GroupId(group));
    if (chown(path.c_str(), static_cast<uid_t>(-1), gid) != 0) {
      return ErrnoError(errno, Reason::kInternal,
                        absl::StrCat("give ", path, " to group ", group,
                                     " (is the manager's user a member of it?)"));
    }
  }
  if (chmod(path.c_str(), group.empty() ? 0600 : 0660) != 0) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("set the mode of ", path));
  }
  return absl::OkStatus();
}

RestrictedUmask::RestrictedUmask() : old_(umask(0177)) {}
RestrictedUmask::~RestrictedUmask() { umask(old_); }

}  // namespace hostq::manager
