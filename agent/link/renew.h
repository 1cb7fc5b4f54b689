#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/link/identity.h"

namespace hostq::agent {

// Gets another certificate for a new key, with the key of `identity`, also if its certificate has
// expired, and installs both in STATE_DIR/identity. The new key is kept before it is used, so that
// after a lost answer the same one asks again. Blocks on network (at most `timeout` a call) and
// disk. Errors: those of EnrollmentService.Renew, FAILED_PRECONDITION if it is not known where to
// ask, DATA_LOSS if the answer does not fit the key or the authorities, ABORTED if another identity
// has been installed meanwhile (it stays), what the system says.
absl::StatusOr<Identity> Renew(const std::string& state_dir, const Identity& identity,
                               absl::Duration timeout);

}  // namespace hostq::agent
