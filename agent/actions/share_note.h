#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host/host.h"
#include "hostq/agent/v1/work.pb.h"

namespace hostq::agent {

// The note that hostq mounted a share, kept until the next boot, as the mount is.

// Before mounting: an attempt that is killed after it mounted still knows that it did.
absl::Status NoteIntent(Host& host, const v1::Share& share);
// After mounting, and when the share is found mounted: if the intent was noted, this mount is ours.
absl::Status AdoptMount(Host& host, const v1::Share& share, const Mount& mount);
absl::StatusOr<bool> IsOurs(Host& host, const v1::Share& share, const Mount& mount);
absl::Status ForgetMount(Host& host, const v1::Share& share);

// OK if /home is a symbolic link to /chroot/home and nothing is mounted on /home itself.
// HOME_LAYOUT.
absl::Status CheckHomeLayout(Host& host);

}  // namespace hostq::agent
