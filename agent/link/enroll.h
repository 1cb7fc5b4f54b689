#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/secret.h"

namespace hostq::agent {

struct JoinRequest {
  std::string manager;  // "HOST:PORT" of the manager's enrolment listener
  SecretString token;   // "hqj_ID_SECRET"
  std::string ca_pin;   // "sha256:HEX"
  std::string state_dir;
  absl::Duration timeout = absl::Seconds(15);  // of each of the two calls
};

struct Joined {
  std::string node;
  std::string manager_address;
  absl::Time expire_time;
};

// Makes this machine a node: takes the cluster's authority by its pin, makes a key, gets a
// certificate for it, and writes STATE_DIR/identity. The key is kept before it is used, so that
// after a lost answer the same call can be made again and gets the same answer. Blocks on network
// and disk. Errors: those of FetchCaByPin and of EnrollmentService.Enroll (PERMISSION_DENIED:
// TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_USED), DATA_LOSS if the answer does not fit the key or the
// authority, what the system says about the files.
absl::StatusOr<Joined> Join(const JoinRequest& request);

}  // namespace hostq::agent
