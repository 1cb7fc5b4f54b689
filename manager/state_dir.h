#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/manager_config.h"
#include "common/crypto/secret.h"

namespace hostq::manager {

// STATE_DIR/hostq.db.
std::string DatabasePath(const std::string& state_dir);
bool DatabaseExists(const std::string& state_dir);
// Whether something can be written to it, durably. Blocks on the disk. Errors as Store::Load.
absl::Status ProbeDatabase(const std::string& state_dir);

// Held by the one manager that uses a state directory, until it goes. The system lets go of it when
// the process dies.
class StateLock {
 public:
  // Errors: FAILED_PRECONDITION (another manager has it), or what the system says.
  static absl::StatusOr<std::unique_ptr<StateLock>> Take(const std::string& state_dir);
  ~StateLock();
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  const int fd_;
};

// PEM. Nothing: the manager makes its own authority.
struct InitialCertificates {
  // An authority that was made elsewhere, with its key: the manager issues with it. Or, without the
  // key, with the manager's own certificate and key: certificates come from outside.
  std::string ca_pem;
  SecretString ca_key_pem;
  std::string server_pem;
  SecretString server_key_pem;
};

// What `hostq-manager init` does: makes the state directory (0700), the certificate authority and
// the database. Nothing that exists is overwritten. Run by root for a directory that belongs to
// another user, it becomes that user first, for good. Blocks on the disk.
// Returns the lines to print. Errors: ALREADY_EXISTS (there is a cluster),
// INVALID_ARGUMENT (certificates or keys that do not fit), or what the system says.
absl::StatusOr<std::string> InitStateDir(const ManagerConfig& config,
                                         const InitialCertificates& certificates = {});

}  // namespace hostq::manager
