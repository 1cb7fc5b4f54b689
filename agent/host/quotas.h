#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/host/mounts.h"

namespace hostq::agent {

// What a user may use of one file system, and uses. Bytes; limits are multiples of 1024; 0 is
// unlimited.
struct Quota {
  int64_t hard_bytes = 0;
  int64_t soft_bytes = 0;
  int64_t used_bytes = 0;
  // The unit the limits were told in: they may be off by as much.
  int64_t unit = 1024;
};

// How quotas of a mount are reached.
enum class QuotaBackend {
  kKernel,  // quotactl: ext4, XFS and the like, on this machine
  kRquota,  // NFS: the file server's rquotad
  kNone,    // this kind of file system has no user quotas
};
QuotaBackend QuotaBackendOf(const Mount& mount);

// User quotas, on whatever the mount is. Blocking, at most about 10 s; errors carry a Reason and
// evidence: QUOTA_UNSUPPORTED_FILESYSTEM, QUOTA_NOT_ENABLED, PERMISSION_DENIED, and over NFS
// QUOTA_SERVICE_UNREACHABLE, QUOTA_SET_NOT_PERMITTED, QUOTA_TOO_LARGE.
class Quotas {
 public:
  virtual ~Quotas() = default;
  virtual absl::StatusOr<Quota> Get(const Mount& mount, uint32_t uid) = 0;
  // Sets the hard limit, rounded up to 1024 bytes, and no soft limit; limits on the number of files
  // stay. Does not read back.
  virtual absl::Status Set(const Mount& mount, uint32_t uid, int64_t bytes) = 0;
  // Whether Set would be permitted; changes nothing.
  virtual absl::Status CheckSettable(const Mount& mount) = 0;
  // Whether limits are kept: only the machine with the file system can tell. On NFS: OK if quotas
  // can be read.
  virtual absl::Status CheckEnforced(const Mount& mount) = 0;
  // Whether rquotad is registered at `server`. QUOTA_SERVICE_UNREACHABLE if not.
  virtual absl::Status CheckService(absl::string_view server) = 0;
};

}  // namespace hostq::agent
