#include "manager/health/checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/types/span.h"
#include "common/base/text.h"

namespace hostq::manager {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kGiB = int64_t{1} << 30;
// A day of a busy cluster's events is less; one commit with its log is far less.
constexpr int64_t kFewBytes = kGiB;
constexpr int64_t kNoBytes = 64 * kMiB;
// Of the file system.
constexpr double kFewShare = 0.05;
constexpr int64_t kFewFiles = 1000;
// A commit waits for one or two of these: people notice tenths of a second, queues whole ones.
constexpr absl::Duration kSlowWrite = absl::Milliseconds(100);
constexpr absl::Duration kStuckWrite = absl::Seconds(2);
// SQLite begins anew at 4 MiB; more means that something keeps it from that.
constexpr int64_t kLargeLog = 256 * kMiB;
constexpr absl::Duration kSlowAnswer = absl::Seconds(1);
constexpr absl::Duration kLateSweep = absl::Seconds(5);
constexpr size_t kMaxNames = 10;

// "1.4 GiB".
std::string SizeText(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string MillisecondsText(absl::Duration span) {
  return absl::StrFormat("%.1f ms", absl::ToDoubleMilliseconds(span));
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

HealthCheck Ok(absl::string_view id, std::string message) {
  HealthCheck check;
  check.id = std::string(id);
  check.message = std::move(message);
  return check;
}

HealthCheck Skipped(absl::string_view id, std::string message) {
  HealthCheck check = Ok(id, std::move(message));
  check.status = CheckStatus::kSkipped;
  return check;
}

void Becomes(HealthCheck& check, CheckStatus status, Reason reason, std::string remedy = "") {
  check.status = status;
  check.reason = reason;
  check.remedy = remedy.empty() ? std::string(InfoOf(reason).remedy) : std::move(remedy);
}

std::string InDir(Reason reason, const std::string& dir) {
  return absl::StrReplaceAll(InfoOf(reason).remedy, {{"STATE_DIR", dir}});
}

// "web1, web2 and 3 more".
std::string Names(std::vector<std::string> names) {
  const size_t more = names.size() > kMaxNames ? names.size() - kMaxNames : 0;
  names.resize(names.size() - more);
  return absl::StrCat(absl::StrJoin(names, ", "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

// Those that have less than this part of their life left, and those that have none.
struct Ages {
  std::vector<std::string> ending, ended;
  const Validity* first = nullptr;  // to end
};

Ages AgesOf(absl::Span<const Validity> certificates, double part, absl::Time now) {
  Ages ages;
  for (const Validity& one : certificates) {
    const absl::Duration left = one.not_after - now;
    if (left <= absl::ZeroDuration()) {
      ages.ended.push_back(one.name);
    } else if (left < (one.not_after - one.not_before) * part) {
      ages.ending.push_back(one.name);
    }
    if (ages.first == nullptr || one.not_after < ages.first->not_after) ages.first = &one;
  }
  return ages;
}

HealthCheck CheckAges(absl::string_view id, absl::string_view what,
                      absl::Span<const Validity> certificates, double part, absl::Time now,
                      const std::string& remedy) {
  const Ages ages = AgesOf(certificates, part, now);
  HealthCheck check = Ok(id, absl::StrCat(what, ": the first to end is that of ", ages.first->name,
                                          ", in ", FormatAge(ages.first->not_after - now)));
  check.evidence["certificates"] = absl::StrCat(certificates.size());
  check.evidence["first_end"] = TimeText(ages.first->not_after);
  if (!ages.ended.empty()) {
    check.message = absl::StrCat(what, ": expired: ", Names(ages.ended));
    Becomes(check, CheckStatus::kFailed, Reason::kCertificateExpired, remedy);
  } else if (!ages.ending.empty()) {
    check.message = absl::StrCat(what, ": near their end: ", Names(ages.ending), "; the first in ",
                                 FormatAge(ages.first->not_after - now));
    Becomes(check, CheckStatus::kWarning, Reason::kCertificateExpiring, remedy);
  }
  return check;
}

}  // namespace

HealthCheck CheckStore(const absl::Status& failed) {
  HealthCheck check = Ok("store", "the database takes what is submitted");
  if (failed.ok()) return check;
  check.message = std::string(failed.message());
  Becomes(check, CheckStatus::kFailed, Reason::kStoreUnavailable);
  return check;
}

HealthCheck CheckDiskFree(const std::string& dir, const absl::StatusOr<DiskSpace>& space) {
  constexpr absl::string_view kId = "disk-free";
  if (!space.ok()) return Skipped(kId, std::string(space.status().message()));
  const double share = space->total_bytes == 0 ? 0
                                               : static_cast<double>(space->free_bytes) /
                                                     static_cast<double>(space->total_bytes);
  HealthCheck check = Ok(kId, absl::StrFormat("%s free below %s (%.0f %%)",
                                              SizeText(space->free_bytes), dir, share * 100));
  check.evidence["directory"] = dir;
  check.evidence["free_bytes"] = absl::StrCat(space->free_bytes);
  check.evidence["total_bytes"] = absl::StrCat(space->total_bytes);
  const bool counts_files = space->total_files > 0;
  if (counts_files) check.evidence["free_files"] = absl::StrCat(space->free_files);
  const bool no_files = counts_files && space->free_files == 0;
  const bool few_files = counts_files && space->free_files < kFewFiles;
  if (few_files) absl::StrAppend(&check.message, "; room for ", space->free_files, " files");
  if (space->free_bytes < kNoBytes || no_files) {
    Becomes(check, CheckStatus::kFailed, Reason::kDiskLow, InDir(Reason::kDiskLow, dir));
  } else if (space->free_bytes < kFewBytes || share < kFewShare || few_files) {
    Becomes(check, CheckStatus::kWarning, Reason::kDiskLow, InDir(Reason::kDiskLow, dir));
  }
  return check;
}

HealthCheck CheckDiskWrite(const std::string& dir,
                           const absl::StatusOr<std::vector<absl::Duration>>& writes) {
  constexpr absl::string_view kId = "disk-write";
  if (!writes.ok()) {
    HealthCheck check = Ok(kId, std::string(writes.status().message()));
    const Reason reason =
        absl::IsResourceExhausted(writes.status()) ? Reason::kDiskLow : Reason::kStoreUnavailable;
    Becomes(check, CheckStatus::kFailed, reason, InDir(reason, dir));
    return check;
  }
  if (writes->empty()) return Skipped(kId, "nothing was measured");
  std::vector<absl::Duration> sorted = *writes;
  std::sort(sorted.begin(), sorted.end());
  const absl::Duration median = sorted[sorted.size() / 2];
  HealthCheck check = Ok(kId, absl::StrCat("a durable write takes ", MillisecondsText(median),
                                           " (at worst ", MillisecondsText(sorted.back()), ")"));
  check.evidence["median"] = MillisecondsText(median);
  check.evidence["worst"] = MillisecondsText(sorted.back());
  check.evidence["writes"] = absl::StrCat(sorted.size());
  if (median >= kStuckWrite) {
    Becomes(check, CheckStatus::kFailed, Reason::kStoreSlow, InDir(Reason::kStoreSlow, dir));
  } else if (median >= kSlowWrite) {
    Becomes(check, CheckStatus::kWarning, Reason::kStoreSlow, InDir(Reason::kStoreSlow, dir));
  }
  return check;
}

HealthCheck CheckDatabaseSize(const absl::StatusOr<DatabaseSize>& size) {
  constexpr absl::string_view kId = "database-size";
  if (!size.ok()) return Skipped(kId, std::string(size.status().message()));
  HealthCheck check =
      Ok(kId, absl::StrCat("database ", SizeText(size->database), ", its log ", SizeText(size->log),
                           ", archive ", SizeText(size->archive)));
  check.evidence["database_bytes"] = absl::StrCat(size->database);
  check.evidence["log_bytes"] = absl::StrCat(size->log);
  check.evidence["archive_bytes"] = absl::StrCat(size->archive);
  if (size->log >= kLargeLog) {
    Becomes(check, CheckStatus::kWarning, Reason::kStoreSlow,
            "the log should be a few MiB: does another program have the database open (fuser "
            "hostq.db)? otherwise: systemctl restart hostq-manager");
  }
  return check;
}

HealthCheck CheckQueueLag(const std::optional<EngineLag>& lag, absl::Duration waited) {
  HealthCheck check = Ok("queue-lag", "");
  if (!lag) {
    check.message = absl::StrCat("the engine has not answered for ", FormatAge(waited));
    Becomes(check, CheckStatus::kFailed, Reason::kSweepStale);
    return check;
  }
  check.message = absl::StrCat("the engine answers after ", MillisecondsText(lag->answer),
                               "; its loop came round after ", MillisecondsText(lag->sweep),
                               " at worst in the last minute");
  check.evidence["answer"] = MillisecondsText(lag->answer);
  check.evidence["sweep"] = MillisecondsText(lag->sweep);
  if (lag->answer >= kSlowAnswer || lag->sweep >= kLateSweep) {
    Becomes(check, CheckStatus::kWarning, Reason::kSweepStale);
  }
  return check;
}

HealthCheck CheckClock(const absl::StatusOr<ClockState>& clock) {
  constexpr absl::string_view kId = "clock";
  if (absl::IsPermissionDenied(clock.status())) {
    return Skipped(kId,
                   "the manager's service may not ask the kernel: hostq doctor does, on the "
                   "manager's machine");
  }
  if (!clock.ok()) return Skipped(kId, std::string(clock.status().message()));
  HealthCheck check = Ok(kId, absl::StrCat("the clock is kept in time, to about ",
                                           MillisecondsText(clock->estimated_error)));
  check.evidence["estimated_error"] = MillisecondsText(clock->estimated_error);
  if (clock->synchronized) return check;
  check.message = "nothing keeps the clock in time";
  check.evidence.clear();
  Becomes(check, CheckStatus::kWarning, Reason::kClockUnsynchronized);
  return check;
}

HealthCheck CheckAuthorityCertificate(const absl::StatusOr<std::vector<Validity>>& authorities,
                                      absl::Time now) {
  constexpr absl::string_view kId = "authority-certificate";
  if (!authorities.ok()) return Skipped(kId, std::string(authorities.status().message()));
  if (authorities->empty()) return Skipped(kId, "there is no authority");
  // Another one takes months to get everywhere only where nodes are away for months.
  return CheckAges(kId, "authorities", *authorities, 0.1, now,
                   "let another authority take its place: hostq authority show says the next step");
}

HealthCheck CheckManagerCertificate(const absl::StatusOr<Validity>& certificate, absl::Time now) {
  constexpr absl::string_view kId = "manager-certificate";
  if (!certificate.ok()) return Skipped(kId, std::string(certificate.status().message()));
  // The manager makes itself another at half of its life, and looks every second.
  return CheckAges(kId, "the manager's own certificate", absl::MakeConstSpan(&*certificate, 1),
                   1.0 / 3, now,
                   "the manager should have taken another one: see its log (journalctl -u "
                   "hostq-manager); if it comes from outside: hostq authority show");
}

HealthCheck CheckNodeCertificates(const std::vector<Validity>& nodes, absl::Time now) {
  constexpr absl::string_view kId = "node-certificates";
  if (nodes.empty()) return Skipped(kId, "no node has joined yet");
  return CheckAges(
      kId, "certificates of nodes", nodes, 1.0 / 3, now,
      "is the agent running there (it renews by itself)? why not: hostq node show NODE; "
      "otherwise join the node again: hostq node rejoin NODE");
}

HealthCheck CheckAgentVersions(const std::string& version,
                               const std::map<std::string, std::string>& agents) {
  constexpr absl::string_view kId = "agent-versions";
  if (agents.empty()) return Skipped(kId, "no node is connected");
  std::vector<std::string> others;
  for (const auto& [node, of_agent] : agents) {
    if (of_agent != version) others.push_back(absl::StrCat(node, " (", of_agent, ")"));
  }
  HealthCheck check = Ok(kId, absl::StrCat("all connected agents are of version ", version));
  check.evidence["agents"] = absl::StrCat(agents.size());
  check.evidence["manager"] = version;
  if (others.empty()) return check;
  check.evidence["others"] = absl::StrCat(others.size());
  check.message = absl::StrCat("the manager is ", version, "; of another version: ", Names(others));
  Becomes(check, CheckStatus::kWarning, Reason::kVersionSkew,
          "upgrade the agents there, one node after the other");
  return check;
}

HealthCheck CheckAuditChain(const absl::StatusOr<AuditLook>& look) {
  constexpr absl::string_view kId = "audit-chain";
  if (!look.ok()) return Skipped(kId, std::string(look.status().message()));
  HealthCheck check =
      Ok(kId, absl::StrCat("the newest ", look->entries,
                           " entries fit each other; all of them: hostq audit verify"));
  check.evidence["entries"] = absl::StrCat(look->entries);
  if (look->problem.empty()) return check;
  check.message = look->problem;
  Becomes(check, CheckStatus::kFailed, Reason::kAuditBroken,
          absl::StrCat("see all that does not fit: hostq audit verify; ",
                       InfoOf(Reason::kAuditBroken).remedy));
  return check;
}

HealthCheck CheckBackup(const std::string& state_dir) {
  HealthCheck check =
      Skipped("backup", absl::StrCat("the manager does not see backups; one is a copy of ",
                                     state_dir, " while it is stopped, with ca/"));
  return check;
}

}  // namespace hostq::manager
