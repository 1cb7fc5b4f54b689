#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/crypto/secret.h"

namespace hostq::agent {

// What joining leaves behind in STATE_DIR/identity: node.key (0600), node.crt, ca.crt, manager.
struct Identity {
  SecretString key_pem;
  std::string certificate_pem;
  std::string ca_pem;
  std::string manager_address;  // "HOST:PORT"
};

std::string IdentityDirectory(const std::string& state_dir);

// Blocks on the disk. Errors: NOT_FOUND if this node has not joined; what the system says.
absl::StatusOr<Identity> LoadIdentity(const std::string& state_dir);

}  // namespace hostq::agent
