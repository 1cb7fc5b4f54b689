#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/secret.h"

namespace hostq::agent {

struct JoinRequest {
  std::string node;      // whom the line is for; empty: it does not say
  bool replace = false;  // also if this machine is another node
  std::string manager;   // "HOST:PORT" of the manager's enrolment listener
  SecretString token;    // "hqj_ID_SECRET"
  std::string ca_pin;    // "sha256:HEX"
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
// authority, FAILED_PRECONDITION (NODE_EXISTS) if this machine is another node and not to be
// replaced, what the system says about the files.
absl::StatusOr<Joined> Join(const JoinRequest& request);

// The same with a certificate from outside, without a token.
struct OutsideIdentity {
  std::string manager;  // "HOST:PORT" of the manager's listener for agents
  // The node's certificate, then those between it and the authority.
  std::string certificate_pem;
  SecretString key_pem;
  std::string ca_pem;
  std::string state_dir;
  bool replace = false;  // also if this machine is another node
};

// Checks that all belongs together and writes STATE_DIR/identity; whether the manager knows the
// node shows when the agent connects. Again with another certificate: a running agent takes it over
// within seconds. Blocks on the disk. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT: what does not
// fit), FAILED_PRECONDITION as above, what the system says about the files.
absl::StatusOr<Joined> JoinFromOutside(const OutsideIdentity& identity);

}  // namespace hostq::agent
