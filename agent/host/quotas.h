#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
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
  // As the node's configuration says:
  kProgram,      // a program of its administrator
  kSwitchedOff,  // not at all
};
// By what the mount is.
QuotaBackend QuotaBackendOf(const Mount& mount);

// What the node's own configuration says of quotas where the mount's kind does not tell: a filer
// without rquotad, a file system with quotas of its own sort. No manager has a say in it.
struct QuotaRule {
  // A pattern of Mount::source ("filer:/vol/home", "tank/home") as in fnmatch(3); '*' also matches
  // '/'. Of NFS, the server may be named by its address too.
  std::string source;
  // Its path; empty: quotas are switched off.
  std::string program;
  absl::Duration timeout = absl::Seconds(10);
};
// The first that matches; null if none does.
const QuotaRule* RuleFor(const std::vector<QuotaRule>& rules, const Mount& mount);

// User quotas, on whatever the mount is. Blocking, each call as long as a program may run (twice
// that to set one), otherwise at most about 10 s; errors carry a Reason and evidence:
// QUOTA_UNSUPPORTED_FILESYSTEM, QUOTA_NOT_ENABLED, PERMISSION_DENIED, over NFS
// QUOTA_SERVICE_UNREACHABLE, QUOTA_SET_NOT_PERMITTED, QUOTA_TOO_LARGE, with a program also
// QUOTA_PROGRAM_FAILED, and QUOTA_SWITCHED_OFF.
class Quotas {
 public:
  virtual ~Quotas() = default;
  virtual QuotaBackend BackendOf(const Mount& mount) = 0;
  virtual absl::StatusOr<Quota> Get(const Mount& mount, uint32_t uid) = 0;
  // Sets the hard limit, rounded up to 1024 bytes, and no soft limit; limits on the number of files
  // stay. Does not read back.
  virtual absl::Status Set(const Mount& mount, uint32_t uid, int64_t bytes) = 0;
  // Whether Set would be permitted, as far as can be seen; changes nothing. A program says so only
  // when it is to set one: OK if it can read them.
  virtual absl::Status CheckSettable(const Mount& mount) = 0;
  // Whether limits are kept: only the machine with the file system can tell. On NFS, and with a
  // program: OK if quotas can be read.
  virtual absl::Status CheckEnforced(const Mount& mount) = 0;
  // Whether rquotad is registered at `server`. QUOTA_SERVICE_UNREACHABLE if not.
  virtual absl::Status CheckService(absl::string_view server) = 0;
};

// `others` where no rule says otherwise.
std::unique_ptr<Quotas> MakeConfiguredQuotas(std::vector<QuotaRule> rules,
                                             std::unique_ptr<Quotas> others);

}  // namespace hostq::agent
