#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/reason.h"
#include "manager/health/machine.h"

// What must be right for the manager to do its work (docs/reference/doctor.md). Pure: facts in,
// judgement out, so that every state can be shown.
namespace hostq::manager {

// The numbers are those of hostq.v1.PreflightCheck.Status.
enum class CheckStatus : int { kOk = 1, kWarning = 2, kFailed = 3, kSkipped = 4 };

// One check's result. See hostq.v1.ManagerCheck.
struct HealthCheck {
  std::string id;
  CheckStatus status = CheckStatus::kOk;
  std::string message;
  std::map<std::string, std::string> evidence;
  Reason reason = Reason::kNone;
  std::string remedy;
};

struct Validity {
  std::string name;  // whose: "web1", "authority sha256:..."
  absl::Time not_before;
  absl::Time not_after;
};

// Sizes of the database's files in bytes.
struct DatabaseSize {
  int64_t database = 0;
  int64_t log = 0;  // hostq.db-wal
  int64_t archive = 0;
};

// How the engine answered.
struct EngineLag {
  absl::Duration answer;  // from being asked to answering
  absl::Duration sweep;   // how late its loop was at worst in the last minute
};

struct AuditLook {
  int64_t entries = 0;  // that were looked at, the newest ones
  std::string problem;  // empty: each fits the one before
};

HealthCheck CheckStore(const absl::Status& failed);
HealthCheck CheckDiskFree(const std::string& dir, const absl::StatusOr<DiskSpace>& space);
HealthCheck CheckDiskWrite(const std::string& dir,
                           const absl::StatusOr<std::vector<absl::Duration>>& writes);
HealthCheck CheckDatabaseSize(const absl::StatusOr<DatabaseSize>& size);
// Nothing: it did not answer within `waited`.
HealthCheck CheckQueueLag(const std::optional<EngineLag>& lag, absl::Duration waited);
HealthCheck CheckClock(const absl::StatusOr<ClockState>& clock);
HealthCheck CheckAuthorityCertificate(const absl::StatusOr<std::vector<Validity>>& authorities,
                                      absl::Time now);
HealthCheck CheckManagerCertificate(const absl::StatusOr<Validity>& certificate, absl::Time now);
// Of the nodes that have joined.
HealthCheck CheckNodeCertificates(const std::vector<Validity>& nodes, absl::Time now);
// By node, of those that are connected.
HealthCheck CheckAgentVersions(const std::string& version,
                               const std::map<std::string, std::string>& agents);
HealthCheck CheckAuditChain(const absl::StatusOr<AuditLook>& look);
HealthCheck CheckBackup(const std::string& state_dir);

}  // namespace hostq::manager
