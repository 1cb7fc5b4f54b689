#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/crypto/secret.h"

namespace hostq::agent {

// What joining leaves behind in STATE_DIR/identity: node.key (0600), node.crt, ca.crt, manager,
// and enrollment.
struct Identity {
  SecretString key_pem;
  std::string certificate_pem;
  std::string ca_pem;
  std::string manager_address;     // "HOST:PORT"
  std::string enrollment_address;  // the same; empty: not known, or certificates come from outside
};

std::string IdentityDirectory(const std::string& state_dir);

// Blocks on the disk, and while another process installs one. Errors: NOT_FOUND if this node has
// not joined; what the system says.
absl::StatusOr<Identity> LoadIdentity(const std::string& state_dir);

// While it lives, nobody else installs an identity, or loads one: as long as some files take to be
// written. The folder itself is locked (flock(2)), so that a full disk or a user who may only read
// is no obstacle, and nothing is left behind. Not of a thread that has it already.
class IdentityLock {
 public:
  // Blocks. Errors: NOT_FOUND if there is no such folder; what the system says.
  static absl::StatusOr<IdentityLock> Take(const std::string& state_dir);
  IdentityLock(IdentityLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  IdentityLock& operator=(IdentityLock&&) = delete;
  ~IdentityLock();

 private:
  explicit IdentityLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace hostq::agent
