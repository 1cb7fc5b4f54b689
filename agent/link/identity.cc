#include "agent/link/identity.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/crypto/secret_file.h"

namespace hostq::agent {

std::string IdentityDirectory(const std::string& state_dir) {
  return absl::StrCat(state_dir, "/identity");
}

absl::StatusOr<IdentityLock> IdentityLock::Take(const std::string& state_dir) {
  const int fd = open(state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoError(errno, Reason::kInternal, absl::StrCat("open ", state_dir));
  IdentityLock lock(fd);
  while (flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) {
      return ErrnoError(errno, Reason::kInternal, absl::StrCat("lock ", state_dir));
    }
  }
  return lock;
}

IdentityLock::~IdentityLock() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<Identity> LoadIdentity(const std::string& state_dir) {
  HOSTQ_ASSIGN_OR_RETURN(const IdentityLock lock, IdentityLock::Take(state_dir));
  const std::string directory = IdentityDirectory(state_dir);
  Identity identity;
  HOSTQ_ASSIGN_OR_RETURN(identity.key_pem, ReadSecretFile(absl::StrCat(directory, "/node.key")));
  HOSTQ_ASSIGN_OR_RETURN(identity.certificate_pem, ReadFile(absl::StrCat(directory, "/node.crt")));
  HOSTQ_ASSIGN_OR_RETURN(identity.ca_pem, ReadFile(absl::StrCat(directory, "/ca.crt")));
  HOSTQ_ASSIGN_OR_RETURN(std::string manager, ReadFile(absl::StrCat(directory, "/manager")));
  identity.manager_address = std::string(absl::StripAsciiWhitespace(manager));
  const absl::StatusOr<std::string> enrollment = ReadFile(absl::StrCat(directory, "/enrollment"));
  if (!enrollment.ok() && !absl::IsNotFound(enrollment.status())) return enrollment.status();
  if (enrollment.ok()) {
    identity.enrollment_address = std::string(absl::StripAsciiWhitespace(*enrollment));
  }
  return identity;
}

}  // namespace hostq::agent
