#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/host/host.h"
#include "agent/journal/journal.h"
#include "common/base/reason.h"

namespace hostq::agent {

// A kept item that is not as it should be.
struct Deviation {
  std::string resource_key;
  Reason reason = Reason::kNone;
  std::string message;
};

// What of `kept` is not so, in order of the keys, as far as can be seen without privileges: quotas
// cannot. Reads the kernel's lists of mounts, addresses and virtual services, and /etc/passwd: no
// name is resolved, no share is touched, nothing blocks. Reasons: ADDRESS_MISSING,
// SHARE_NOT_MOUNTED, SHARE_WRONG_SOURCE, BALANCING_INCOMPLETE, BALANCER_UPLINK_MISSING,
// USER_MISSING, USER_NAME_TAKEN, UID_TAKEN, DIFFERS. Errors: the lists cannot be read.
absl::StatusOr<std::vector<Deviation>> FindDrift(Host& host, const Kept& kept);

}  // namespace hostq::agent
