#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/secret.h"

namespace hostq::manager {

// What a manager without an authority of its own gets from outside.
struct OutsideCertificates {
  // Who signs the nodes' certificates and the manager's; all of these are trusted.
  std::string ca_pem;
  // The manager's own, then those between it and the authority.
  std::string server_pem;
  SecretString server_key_pem;
};

// From DIR/outside-ca.pem, outside-server.pem and outside-server.key. Blocks on the disk. Errors:
// FAILED_PRECONDITION (others may read the key), what the system said about the files.
absl::StatusOr<OutsideCertificates> ReadOutside(const std::string& dir);
absl::Status WriteOutside(const std::string& dir, const OutsideCertificates& files);

// Whether listeners can work with them. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): says which of
// them does not fit, and what is wanted.
absl::Status CheckOutside(const OutsideCertificates& files, absl::Time now);

}  // namespace hostq::manager
