#include "agent/journal/sqlite_journal.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// Stored; never renumbered.
enum State : int64_t { kWaiting = 0, kStarted = 1, kFinished = 2, kAcknowledged = 3 };

const char* const kSchema[] = {
    // sequence: order of acceptance. state: see State. work is emptied when the task has finished.
    // Epochs are stored as signed 64-bit numbers; the manager's term in the upper half keeps them
    // positive for two thousand million starts.
    "CREATE TABLE task("
    "  sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  task_id TEXT NOT NULL UNIQUE,"
    "  attempt INTEGER NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  resource_key TEXT NOT NULL,"
    "  kind TEXT NOT NULL,"
    "  work BLOB NOT NULL,"
    "  roles TEXT NOT NULL,"
    "  timeout_us INTEGER NOT NULL,"
    "  state INTEGER NOT NULL,"
    "  result BLOB NOT NULL DEFAULT x'',"
    "  finish_time_us INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX task_live ON task(sequence) WHERE state<3;"
    "CREATE INDEX task_old ON task(finish_time_us) WHERE state=3;"
    "CREATE TABLE resource(resource_key TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;",
    // Unix time in microseconds; the highest number: any time.
    "ALTER TABLE task ADD COLUMN start_before_us INTEGER NOT NULL DEFAULT 9223372036854775807;"
    "CREATE TABLE kept(resource_key TEXT PRIMARY KEY, kind TEXT NOT NULL, work BLOB NOT NULL,"
    "  roles TEXT NOT NULL) WITHOUT ROWID;",
    "ALTER TABLE task ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';",
};

constexpr int64_t kAnyTime = INT64_MAX;

int64_t MicrosOf(absl::Time time) {
  return time == absl::InfiniteFuture() ? kAnyTime : absl::ToUnixMicros(time);
}

absl::Status Unavailable(const absl::Status& status) {
  return MakeError(status.code(), Reason::kJournalUnavailable,
                   absl::StrCat("journal: ", status.message()));
}

// What only damage can make of a row: no manager can have sent it.
absl::Status CheckStored(const Lease& lease, absl::string_view resource_key,
                         absl::string_view kind) {
  const bool named = IsTaskName(lease.task_id) && IsTaskName(resource_key) && IsTaskName(kind);
  if (named && lease.attempt >= 1 && lease.epoch >= 1 && lease.epoch <= INT64_MAX) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("it is damaged: it has task \"", Printable(lease.task_id, 100), "\", attempt ",
                   lease.attempt, ", epoch ", lease.epoch, ", kind \"", Printable(kind, 100),
                   "\", resource key \"", Printable(resource_key, 100), "\""));
}

template <typename T>
absl::StatusOr<T> OrUnavailable(absl::StatusOr<T> value) {
  if (!value.ok()) return Unavailable(value.status());
  return value;
}

}  // namespace

sqlite::OpenOptions SqliteJournal::DefaultOptions() {
  sqlite::OpenOptions options;
  options.mode = 0600;
  options.exclusive = true;
  // Long enough for an agent that is being stopped to close it.
  options.busy_timeout = absl::Seconds(2);
  return options;
}

absl::StatusOr<std::unique_ptr<SqliteJournal>> SqliteJournal::Open(
    const std::string& path, const sqlite::OpenOptions& options) {
  auto database = sqlite::Database::Open(path, options);
  if (!database.ok()) {
    if (sqlite::KindOf(database.status()) == sqlite::ErrorKind::kBusy) {
      return MakeError(absl::StatusCode::kAborted, Reason::kJournalUnavailable,
                       absl::StrCat("journal: ", path, " is in use: another agent runs here"));
    }
    return Unavailable(database.status());
  }
  return Over(*std::move(database));
}

absl::StatusOr<std::unique_ptr<SqliteJournal>> SqliteJournal::Over(
    std::unique_ptr<sqlite::Database> database) {
  if (const auto migrated = sqlite::Migrate(*database, kSchema); !migrated.ok()) {
    return Unavailable(migrated);
  }
  std::unique_ptr<SqliteJournal> journal(new SqliteJournal(std::move(database)));
  if (const auto prepared = journal->Prepare(); !prepared.ok()) return Unavailable(prepared);
  return journal;
}

absl::Status SqliteJournal::Prepare() {
  const std::pair<sqlite::Statement*, const char*> statements[] = {
      {&find_, "SELECT attempt,epoch,state,result FROM task WHERE task_id=?"},
      {&insert_,
       "INSERT INTO task(task_id,attempt,epoch,resource_key,kind,work,roles,timeout_us,state,"
       "start_before_us,traceparent) VALUES(?,?,?,?,?,?,?,?,?,?,?)"},
      {&renew_, "UPDATE task SET attempt=?,epoch=? WHERE task_id=?"},
      {&replace_work_,
       "UPDATE task SET work=?,roles=?,timeout_us=?,start_before_us=?"
       " WHERE task_id=? AND state=0"},
      {&again_, "UPDATE task SET state=2,attempt=?,epoch=? WHERE task_id=? AND state>=2"},
      {&remove_, "DELETE FROM task WHERE task_id=?"},
      {&start_, "UPDATE task SET state=1 WHERE task_id=? AND attempt=? AND epoch=? AND state=0"},
      {&finish_,
       "UPDATE task SET state=2,work=x'',result=?,finish_time_us=?"
       " WHERE task_id=? AND attempt=? AND epoch=? AND state<2"},
      {&ack_, "UPDATE task SET state=3 WHERE task_id=? AND attempt=? AND epoch=? AND state=2"},
      {&drop_, "DELETE FROM task WHERE task_id=? AND attempt=? AND epoch=? AND state=0"},
      {&key_epoch_, "SELECT epoch FROM resource WHERE resource_key=?"},
      {&set_key_epoch_, "INSERT OR REPLACE INTO resource(resource_key,epoch) VALUES(?,?)"},
      {&load_,
       "SELECT task_id,attempt,epoch,resource_key,kind,work,roles,timeout_us,state,result,"
       "start_before_us,traceparent"
       " FROM task WHERE state<3 ORDER BY sequence"},
      {&max_epoch_, "SELECT ifnull(max(epoch),0) FROM resource"},
      {&keep_, "INSERT OR REPLACE INTO kept(resource_key,kind,work,roles) VALUES(?,?,?,?)"},
      {&drop_kept_, "DELETE FROM kept WHERE resource_key=?"},
      {&kept_, "SELECT resource_key,kind,work,roles FROM kept"},
      {&prune_, "DELETE FROM task WHERE state=3 AND finish_time_us<?"},
  };
  for (const auto& [statement, sql] : statements) {
    HOSTQ_ASSIGN_OR_RETURN(*statement, database_->Prepare(sql));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AcceptAnswer>> SqliteJournal::Commit(const JournalBatch& batch,
                                                                absl::Time now) {
  if (batch.empty()) return std::vector<AcceptAnswer>();
  return OrUnavailable(Apply(batch, now));
}

absl::StatusOr<std::vector<AcceptAnswer>> SqliteJournal::Apply(const JournalBatch& batch,
                                                               absl::Time now) {
  HOSTQ_ASSIGN_OR_RETURN(auto transaction, sqlite::Transaction::Begin(*database_));
  for (const auto& [lease, result] : batch.finished) {
    HOSTQ_RETURN_IF_ERROR(finish_.Run(sqlite::Blob(result), absl::ToUnixMicros(now), lease.task_id,
                                      lease.attempt, lease.epoch));
  }
  for (const auto& [key, item] : batch.kept) {
    HOSTQ_RETURN_IF_ERROR(
        keep_.Run(key, item.kind, sqlite::Blob(item.work), absl::StrJoin(item.roles, ",")));
  }
  for (const std::string& key : batch.not_kept) HOSTQ_RETURN_IF_ERROR(drop_kept_.Run(key));
  for (const Lease& lease : batch.acknowledged) {
    HOSTQ_RETURN_IF_ERROR(ack_.Run(lease.task_id, lease.attempt, lease.epoch));
  }
  for (const Lease& lease : batch.dropped) {
    HOSTQ_RETURN_IF_ERROR(drop_.Run(lease.task_id, lease.attempt, lease.epoch));
  }
  std::vector<AcceptAnswer> answers;
  answers.reserve(batch.accept.size());
  for (const auto& [assignment, start] : batch.accept) {
    HOSTQ_ASSIGN_OR_RETURN(AcceptAnswer answer, Accept(assignment, start));
    answers.push_back(std::move(answer));
  }
  for (const Lease& lease : batch.started) {
    HOSTQ_RETURN_IF_ERROR(start_.Run(lease.task_id, lease.attempt, lease.epoch));
  }
  CrashPoint("agent.before_journal_commit");
  HOSTQ_RETURN_IF_ERROR(transaction.Commit());
  CrashPoint("agent.after_journal_commit");
  return answers;
}

absl::StatusOr<AcceptAnswer> SqliteJournal::Accept(const Assignment& assignment, bool start) {
  find_.BindAll(assignment.lease.task_id);
  HOSTQ_ASSIGN_OR_RETURN(const bool known, find_.Step());
  if (known) {
    auto answer = AcceptKnown(assignment, start);
    find_.Reset();
    return answer;
  }
  find_.Reset();
  HOSTQ_ASSIGN_OR_RETURN(const uint64_t highest, KeyEpoch(assignment.resource_key));
  // Leases have epochs of their own, so an equal one was seen here before and has been forgotten.
  if (assignment.lease.epoch <= highest) {
    return AcceptAnswer{AcceptOutcome::kStaleEpoch,
                        {assignment.lease.task_id, assignment.lease.attempt, highest},
                        ""};
  }
  HOSTQ_RETURN_IF_ERROR(Store(assignment, start));
  return AcceptAnswer{AcceptOutcome::kAccepted, assignment.lease, ""};
}

// `find_` stands on the task's row.
absl::StatusOr<AcceptAnswer> SqliteJournal::AcceptKnown(const Assignment& assignment, bool start) {
  const Lease& lease = assignment.lease;
  const Lease stored{lease.task_id, static_cast<int32_t>(find_.Int64(0)),
                     static_cast<uint64_t>(find_.Int64(1))};
  const bool finished = find_.Int64(2) >= kFinished;
  if (finished && stored.attempt >= lease.attempt) {
    // The result answers the newest lease: the manager looks at nothing else. One that was restored
    // from a backup counts the attempts anew, so that the newest may have a lower attempt.
    const Lease answers = lease.epoch > stored.epoch ? lease : stored;
    AcceptAnswer answer{AcceptOutcome::kFinished, answers, std::string(find_.Blob(3))};
    HOSTQ_RETURN_IF_ERROR(again_.Run(answers.attempt, answers.epoch, answers.task_id));
    return answer;
  }
  HOSTQ_ASSIGN_OR_RETURN(const uint64_t highest, KeyEpoch(assignment.resource_key));
  const bool older = lease.epoch < stored.epoch || lease.attempt < stored.attempt;
  if (older || lease.epoch < highest) {
    return AcceptAnswer{AcceptOutcome::kStaleEpoch,
                        {lease.task_id, lease.attempt, std::max(highest, stored.epoch)},
                        ""};
  }
  if (finished) {  // a new attempt of a task whose last one has ended
    find_.Reset();
    HOSTQ_RETURN_IF_ERROR(remove_.Run(lease.task_id));
    HOSTQ_RETURN_IF_ERROR(Store(assignment, start));
    return AcceptAnswer{AcceptOutcome::kAccepted, lease, ""};
  }
  if (lease != stored) {
    HOSTQ_RETURN_IF_ERROR(renew_.Run(lease.attempt, lease.epoch, lease.task_id));
    HOSTQ_RETURN_IF_ERROR(replace_work_.Run(sqlite::Blob(assignment.work),
                                            absl::StrJoin(assignment.roles, ","),
                                            absl::ToInt64Microseconds(assignment.timeout),
                                            MicrosOf(assignment.start_before), lease.task_id));
    HOSTQ_RETURN_IF_ERROR(set_key_epoch_.Run(assignment.resource_key, lease.epoch));
  }
  return AcceptAnswer{AcceptOutcome::kInFlight, lease, ""};
}

absl::Status SqliteJournal::Store(const Assignment& assignment, bool start) {
  HOSTQ_RETURN_IF_ERROR(insert_.Run(
      assignment.lease.task_id, assignment.lease.attempt, assignment.lease.epoch,
      assignment.resource_key, assignment.kind, sqlite::Blob(assignment.work),
      absl::StrJoin(assignment.roles, ","), absl::ToInt64Microseconds(assignment.timeout),
      start ? kStarted : kWaiting, MicrosOf(assignment.start_before), assignment.traceparent));
  return set_key_epoch_.Run(assignment.resource_key, assignment.lease.epoch);
}

absl::StatusOr<uint64_t> SqliteJournal::KeyEpoch(const std::string& resource_key) {
  key_epoch_.BindAll(resource_key);
  HOSTQ_ASSIGN_OR_RETURN(const bool known, key_epoch_.Step());
  const uint64_t epoch = known ? static_cast<uint64_t>(key_epoch_.Int64(0)) : 0;
  key_epoch_.Reset();
  return epoch;
}

absl::StatusOr<JournalState> SqliteJournal::Load() { return OrUnavailable(ReadState()); }

absl::StatusOr<JournalState> SqliteJournal::ReadState() {
  JournalState state;
  for (;;) {
    HOSTQ_ASSIGN_OR_RETURN(const bool row, load_.Step());
    if (!row) break;
    Lease lease{std::string(load_.Text(0)), static_cast<int32_t>(load_.Int64(1)),
                static_cast<uint64_t>(load_.Int64(2))};
    if (absl::Status damaged = CheckStored(lease, load_.Text(3), load_.Text(4)); !damaged.ok()) {
      load_.Reset();
      return damaged;
    }
    if (load_.Int64(8) >= kFinished) {
      state.unacknowledged.push_back({std::move(lease), std::string(load_.Blob(9))});
      continue;
    }
    Assignment assignment{std::move(lease),
                          std::string(load_.Text(3)),
                          std::string(load_.Text(4)),
                          std::string(load_.Blob(5)),
                          absl::StrSplit(load_.Text(6), ',', absl::SkipEmpty()),
                          absl::Microseconds(load_.Int64(7)),
                          load_.Int64(10) == kAnyTime ? absl::InfiniteFuture()
                                                      : absl::FromUnixMicros(load_.Int64(10)),
                          std::string(load_.Text(11))};
    state.in_flight.push_back({std::move(assignment), load_.Int64(8) == kStarted});
  }
  load_.Reset();
  HOSTQ_ASSIGN_OR_RETURN(const bool row, max_epoch_.Step());
  if (row) state.max_epoch = static_cast<uint64_t>(max_epoch_.Int64(0));
  max_epoch_.Reset();
  for (;;) {
    HOSTQ_ASSIGN_OR_RETURN(const bool item, kept_.Step());
    if (!item) break;
    if (!IsTaskName(kept_.Text(0)) || !IsTaskName(kept_.Text(1))) {
      kept_.Reset();
      return absl::DataLossError("it is damaged: what the node keeps has no name");
    }
    state.kept[std::string(kept_.Text(0))] = {
        std::string(kept_.Text(1)), std::string(kept_.Blob(2)),
        absl::StrSplit(kept_.Text(3), ',', absl::SkipEmpty())};
  }
  kept_.Reset();
  return state;
}

absl::StatusOr<int64_t> SqliteJournal::Prune(absl::Time before) {
  if (const auto status = prune_.Run(absl::ToUnixMicros(before)); !status.ok()) {
    return Unavailable(status);
  }
  return database_->Changes();
}

}  // namespace hostq::agent
