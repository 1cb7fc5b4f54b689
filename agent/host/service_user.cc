#include "agent/host/service_user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

absl::Status Give(const std::string& path, const ServiceUser& user) {
  if (lchown(path.c_str(), user.uid, user.gid) == 0) return absl::OkStatus();
  return ErrnoError(errno, Reason::kInternal, absl::StrCat("chown ", user.name, " ", path));
}

}  // namespace

absl::StatusOr<ServiceUser> FindServiceUser(const std::string& name) {
  errno = 0;
  const passwd* found = getpwnam(name.c_str());
  if (found == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("there is no user ", name, ", whom the agent's process is to belong to: ",
                     "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin ",
                     name, " (or name another one: key 'user')"));
  }
  if (found->pw_uid == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("user ", name, " is root: the agent's process must have no privileges"));
  }
  return ServiceUser{name, found->pw_uid, found->pw_gid};
}

absl::Status HandOver(const std::string& directory, const ServiceUser& user) {
  const mode_t old = umask(022);
  std::error_code error;
  const bool made = std::filesystem::create_directories(directory, error);
  umask(old);
  if (error) return ErrnoError(error.value(), Reason::kInternal, absl::StrCat("mkdir ", directory));
  if (made) chmod(directory.c_str(), 0700);
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("looking at ", directory));
  }
  if (info.st_uid == user.uid) return absl::OkStatus();
  if (info.st_uid != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " belongs to uid ", info.st_uid, " instead of ", user.name));
  }
  // The directory last: until then nobody else can put anything into it.
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    HOSTQ_RETURN_IF_ERROR(Give(entry.path(), user));
  }
  if (error) {
    return ErrnoError(error.value(), Reason::kInternal, absl::StrCat("reading ", directory));
  }
  return Give(directory, user);
}

absl::Status Become(const ServiceUser& user) {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  const bool done = setgroups(0, nullptr) == 0 && setresgid(user.gid, user.gid, user.gid) == 0 &&
                    setresuid(user.uid, user.uid, user.uid) == 0 &&
                    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  if (!done) return ErrnoError(errno, Reason::kInternal, absl::StrCat("becoming ", user.name));
  HOSTQ_CHECK(setuid(0) != 0);
  return absl::OkStatus();
}

}  // namespace hostq::agent
