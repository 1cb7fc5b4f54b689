#include "manager/store/sqlite/sqlite_store.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "manager/store/sqlite/audit_table.h"
#include "manager/store/sqlite/rows.h"
#include "manager/store/sqlite/schema.h"

namespace hostq::manager {
namespace {

using sqlite::Blob;
using sqlite::Database;
using sqlite::Statement;

// Every error of the database, said with the reason that the API shows.
absl::Status StoreError(const absl::Status& status) {
  if (status.ok() || ReasonOf(status) != Reason::kNone) return status;
  return MakeError(status.code(), Reason::kStoreUnavailable,
                   absl::StrCat("the manager's database: ", status.message()));
}

absl::Status Stale(absl::string_view what) {
  return MakeError(absl::StatusCode::kAborted, Reason::kInternal,
                   absl::StrCat("guard does not hold: ", what));
}

}  // namespace

// The connection that writes, and its statements.
class SqliteStore::Writer {
 public:
  static absl::StatusOr<std::unique_ptr<Writer>> Open(const std::string& path,
                                                      const sqlite::OpenOptions& options) {
    auto writer = std::make_unique<Writer>();
    HOSTQ_ASSIGN_OR_RETURN(writer->database_, Database::Open(path, options));
    HOSTQ_RETURN_IF_ERROR(sqlite::Migrate(*writer->database_, Schema()));
    HOSTQ_RETURN_IF_ERROR(writer->Prepare());
    HOSTQ_RETURN_IF_ERROR(writer->audit_.Open(*writer->database_));
    return writer;
  }

  absl::Status Commit(absl::Span<const Mutation> mutations) {
    HOSTQ_ASSIGN_OR_RETURN(sqlite::Transaction transaction, sqlite::Transaction::Begin(*database_));
    audit_.Begin();
    for (const Mutation& mutation : mutations) {
      HOSTQ_RETURN_IF_ERROR(std::visit([this](const auto& m) { return Apply(m); }, mutation));
    }
    HOSTQ_RETURN_IF_ERROR(audit_.End());
    CrashPoint("manager.before_commit");
    HOSTQ_RETURN_IF_ERROR(transaction.Commit());
    audit_.Committed();
    return absl::OkStatus();
  }

  absl::StatusOr<int> DeleteAudit(absl::Time time, int limit, absl::Time now) {
    return audit_.Delete(time, limit, now);
  }

  // What the archive has a copy of.
  absl::Status Delete(const Archive::Batch& batch) {
    HOSTQ_ASSIGN_OR_RETURN(sqlite::Transaction transaction, sqlite::Transaction::Begin(*database_));
    HOSTQ_RETURN_IF_ERROR(DeleteCommands(batch.commands));
    if (batch.events > 0) HOSTQ_RETURN_IF_ERROR(delete_events_.Run(batch.last_event));
    return transaction.Commit();
  }

  // See Store.
  absl::StatusOr<int> DeleteLooks(absl::Time time, int limit) {
    std::vector<CommandId> looks;
    old_looks_.BindAll(absl::ToUnixMicros(time), limit);
    for (;;) {
      HOSTQ_ASSIGN_OR_RETURN(const bool row, old_looks_.Step());
      if (!row) break;
      looks.push_back(old_looks_.Int64(0));
    }
    old_looks_.Reset();
    if (looks.empty()) return 0;
    HOSTQ_ASSIGN_OR_RETURN(sqlite::Transaction transaction, sqlite::Transaction::Begin(*database_));
    HOSTQ_RETURN_IF_ERROR(DeleteCommands(looks));
    HOSTQ_RETURN_IF_ERROR(transaction.Commit());
    return static_cast<int>(looks.size());
  }

 private:
  absl::Status DeleteCommands(const std::vector<CommandId>& ids) {
    for (const CommandId id : ids) {
      HOSTQ_RETURN_IF_ERROR(delete_command_.Run(id));
      if (database_->Changes() == 0) continue;
      HOSTQ_RETURN_IF_ERROR(delete_tasks_.Run(id));
      HOSTQ_RETURN_IF_ERROR(delete_attempts_.Run(id));
    }
    return absl::OkStatus();
  }

  absl::Status Prepare() {
    const std::pair<Statement*, std::string> statements[] = {
        {&insert_command_, absl::StrCat("INSERT INTO command(", kCommandColumns,
                                        ") VALUES "
                                        "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?"
                                        "17,?18,?19,?20,?21,?22,?23,?24,"
                                        "?25,?26,?27,?28,?29)")},
        {&insert_task_,
         absl::StrCat(
             "INSERT INTO task(command_id, ", kTaskColumns,
             ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?"
             "21)")},
        {&update_task_,
         "UPDATE task SET phase=?3, outcome=?4, attempt=?5, epoch=?6, failures=?7, losses=?8, "
         "refusals=?9, interruptions=?10, reason=?11, message=?12, evidence=?13, phase_time=?14, "
         "next_attempt_time=?15, budget_time=?16, loss_time=?17, cancel_time=?18, "
         "trouble_time=?19, cancel_actor=?20 "
         "WHERE command_id=?1 AND node=?2 AND phase=?21 AND attempt=?22 AND epoch=?23"},
        {&finish_command_, "UPDATE command SET state=?2, finish_time=?3 WHERE id=?1 AND state=1"},
        {&insert_attempt_,
         "INSERT INTO attempt(command_id, node, number, epoch, start_time, finish_time, reason, "
         "message, steps) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)"},
        {&insert_orphan_,
         "INSERT OR IGNORE INTO orphan(command_id, node, number, epoch, start_time, finish_time, "
         "reason, message, steps, receive_time) SELECT ?1,?2,?3,?4,?5,?6,?7,?8,?9,?10 "
         "WHERE NOT EXISTS (SELECT 1 FROM attempt WHERE command_id=?1 AND node=?2 AND number=?3 "
         "AND epoch=?4)"},
        {&insert_event_,
         "INSERT INTO event(sequence, time, type, command_id, node, attempt, from_phase, to_phase, "
         "outcome, reason, actor, message) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)"},
        {&put_resource_, "INSERT OR REPLACE INTO resource(kind, key, data) VALUES (?1,?2,?3)"},
        {&delete_resource_, "DELETE FROM resource WHERE kind=?1 AND key=?2"},
        {&set_meta_, "INSERT OR REPLACE INTO meta(key, value) VALUES (?1,?2)"},
        {&delete_command_, "DELETE FROM command WHERE id=?1 AND state<>1"},
        {&old_looks_,  // as the index command_look says
         "SELECT id FROM command WHERE finish_time < ?1 AND kind = 'preflight' "
         "AND actor = 'manager' AND state <> 1 AND id < (SELECT max(id) FROM command) LIMIT ?2"},
        {&delete_tasks_, "DELETE FROM task WHERE command_id=?1"},
        {&delete_attempts_, "DELETE FROM attempt WHERE command_id=?1"},
        {&delete_events_, "DELETE FROM event WHERE sequence<=?1"},
    };
    for (const auto& [statement, sql] : statements) {
      HOSTQ_ASSIGN_OR_RETURN(*statement, database_->Prepare(sql));
    }
    return absl::OkStatus();
  }

  absl::Status Apply(const InsertCommand& insert) {
    const Command& c = insert.command;
    const std::string supersedes = absl::StrJoin(c.supersedes, ",");
    const std::string never = EncodeReasons(c.retry.never);
    insert_command_.BindAll(c.id, c.kind, c.resource_key, c.actor, nullptr, Blob(c.request),
                            Blob(c.spec), Blob(c.work), absl::ToUnixMicros(c.create_time), nullptr,
                            absl::ToInt64Microseconds(c.timeout), c.needs_ready, c.state, nullptr,
                            supersedes, nullptr, c.priority, c.max_parallel, c.max_failures,
                            absl::ToInt64Microseconds(c.retry.backoff.initial),
                            absl::ToInt64Microseconds(c.retry.backoff.cap), c.retry.backoff.factor,
                            c.retry.backoff.floor, c.retry.max_attempts, nullptr, never, c.part_of,
                            c.part_stage, c.traceparent);
    BindTime(insert_command_, 16, c.not_before);
    if (c.retry.max_elapsed != absl::InfiniteDuration()) {
      insert_command_.BindInt64(25, absl::ToInt64Microseconds(c.retry.max_elapsed));
    }
    if (!c.request_id.empty()) insert_command_.BindText(5, c.request_id);
    BindTime(insert_command_, 10, c.not_after);
    HOSTQ_RETURN_IF_ERROR(insert_command_.Execute());
    for (const Task& t : c.tasks) {
      const std::string evidence = EncodeEvidence(t.evidence);
      insert_task_.BindAll(c.id, t.node, t.stage, t.phase, t.outcome, t.attempt, t.epoch,
                           t.failures, t.losses, t.refusals, t.interruptions, t.reason, t.message,
                           Blob(evidence), absl::ToUnixMicros(t.phase_time), nullptr, nullptr,
                           nullptr, nullptr, nullptr, t.cancel_actor);
      BindTimes(insert_task_, 16, t);
      HOSTQ_RETURN_IF_ERROR(insert_task_.Execute());
    }
    return absl::OkStatus();
  }

  // Those that may be infinite, in their order.
  static void BindTimes(Statement& statement, int first, const Task& t) {
    for (const absl::Time time :
         {t.next_attempt_time, t.budget_time, t.loss_time, t.cancel_time, t.trouble_time}) {
      BindTime(statement, first++, time);
    }
  }

  absl::Status Apply(const UpdateTask& update) {
    const Task& t = update.task;
    const std::string evidence = EncodeEvidence(t.evidence);
    update_task_.BindAll(update.command, t.node, t.phase, t.outcome, t.attempt, t.epoch, t.failures,
                         t.losses, t.refusals, t.interruptions, t.reason, t.message, Blob(evidence),
                         absl::ToUnixMicros(t.phase_time), nullptr, nullptr, nullptr, nullptr,
                         nullptr, t.cancel_actor, update.from, update.from_attempt,
                         update.from_epoch);
    BindTimes(update_task_, 15, t);
    HOSTQ_RETURN_IF_ERROR(update_task_.Execute());
    if (database_->Changes() == 1) return absl::OkStatus();
    return Stale(absl::StrCat("task ", TaskIdOf(update.command, t.node), " is not in phase ",
                              NameOf(update.from), ", attempt ", update.from_attempt));
  }

  absl::Status Apply(const FinishCommand& finish) {
    HOSTQ_RETURN_IF_ERROR(
        finish_command_.Run(finish.command, finish.state, absl::ToUnixMicros(finish.finish_time)));
    if (database_->Changes() == 1) return absl::OkStatus();
    return Stale(absl::StrCat("command ", FormatId(finish.command), " is not active"));
  }

  static void BindAttempt(Statement& statement, CommandId command, absl::string_view node,
                          const Attempt& a) {
    statement.BindInt64(1, command);
    statement.BindText(2, node);
    statement.BindInt64(3, a.number);
    statement.BindInt64(4, static_cast<int64_t>(a.epoch));
    BindTime(statement, 5, a.start_time);
    BindTime(statement, 6, a.finish_time);
    statement.BindInt64(7, static_cast<int64_t>(a.reason));
    statement.BindText(8, a.message);
    statement.BindBlob(9, a.steps);
  }

  absl::Status Apply(const InsertAttempt& insert) {
    BindAttempt(insert_attempt_, insert.command, insert.node, insert.attempt);
    return insert_attempt_.Execute();
  }

  absl::Status Apply(const InsertOrphan& insert) {
    BindAttempt(insert_orphan_, insert.lease.command, insert.lease.node, insert.attempt);
    insert_orphan_.BindInt64(10, absl::ToUnixMicros(insert.time));
    return insert_orphan_.Execute();
  }

  absl::Status Apply(const Event& e) {
    return insert_event_.Run(e.sequence, absl::ToUnixMicros(e.time), e.type, e.command, e.node,
                             e.attempt, e.from_phase, e.to_phase, e.outcome, e.reason, e.actor,
                             e.message);
  }

  absl::Status Apply(const ResourceChange& change) {
    if (!change.data) return delete_resource_.Run(change.kind, change.key);
    return put_resource_.Run(change.kind, change.key, Blob(*change.data));
  }

  absl::Status Apply(const SetTerm& set) { return set_meta_.Run("term", set.term); }

  absl::Status Apply(const AuditEntry& entry) { return audit_.Append(entry); }

  std::unique_ptr<Database> database_;  // outlives the statements
  Statement insert_command_, insert_task_, update_task_, finish_command_, insert_attempt_,
      insert_orphan_, insert_event_, put_resource_, delete_resource_, set_meta_, delete_command_,
      delete_tasks_, delete_attempts_, delete_events_, old_looks_;
  AuditWriter audit_;
};

// The connection that reads, and its statements.
class SqliteStore::Reader {
 public:
  static absl::StatusOr<std::unique_ptr<Reader>> Open(const std::string& path,
                                                      sqlite::OpenOptions options) {
    auto reader = std::make_unique<Reader>();
    options.read_only = true;
    options.create = false;
    HOSTQ_ASSIGN_OR_RETURN(reader->database_, Database::Open(path, options));
    HOSTQ_RETURN_IF_ERROR(reader->Prepare());
    HOSTQ_RETURN_IF_ERROR(reader->audit_.Open(*reader->database_));
    return reader;
  }

  absl::StatusOr<Snapshot> Load() {
    Snapshot snapshot;
    term_.Reset();
    HOSTQ_ASSIGN_OR_RETURN(const bool has_term, term_.Step());
    if (has_term) snapshot.term = static_cast<uint64_t>(term_.Int64(0));
    term_.Reset();
    HOSTQ_ASSIGN_OR_RETURN(snapshot.last_sequence,
                           database_->QueryInt64("SELECT coalesce(max(sequence),0) FROM event"));
    HOSTQ_ASSIGN_OR_RETURN(snapshot.last_command,
                           database_->QueryInt64("SELECT coalesce(max(id),0) FROM command"));
    HOSTQ_ASSIGN_OR_RETURN(snapshot.audit, audit_.Chain());
    HOSTQ_ASSIGN_OR_RETURN(snapshot.live, Commands(active_));
    // The archive takes no part of an active command.
    for (Command& command : snapshot.live) {
      HOSTQ_RETURN_IF_ERROR(CountParts(command.id, command.parts));
    }
    for (;;) {
      HOSTQ_ASSIGN_OR_RETURN(const bool row, resources_.Step());
      if (!row) break;
      snapshot.resources.push_back(
          {StringAt(resources_, 0), StringAt(resources_, 1), StringAt(resources_, 2)});
    }
    resources_.Reset();
    for (;;) {
      HOSTQ_ASSIGN_OR_RETURN(const bool row, sessions_.Step());
      if (!row) break;
      const auto last = static_cast<EventType>(sessions_.Int64(2));
      if (last == EventType::kNodeDisconnected) {
        snapshot.disconnect_times[StringAt(sessions_, 0)] = TimeAt(sessions_, 3);
      }
    }
    sessions_.Reset();
    return snapshot;
  }

  AuditReader& audit() { return audit_; }

  absl::StatusOr<Command> GetCommand(CommandId id) {
    get_.BindAll(id);
    HOSTQ_ASSIGN_OR_RETURN(std::vector<Command> found, Commands(get_));
    if (found.empty()) {
      return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownCommand,
                       absl::StrCat("there is no command ", FormatId(id)));
    }
    return std::move(found.front());
  }

  absl::StatusOr<std::vector<Command>> ListCommands(const CommandQuery& query) {
    Statement& list = !query.resource_key.empty() ? list_by_resource_
                      : query.part_of != 0        ? list_parts_
                      : query.active_only         ? list_active_
                                                  : list_;
    list.BindInt64(1, query.before);
    list.BindInt64(2, query.limit);
    list.BindInt64(3, query.after);
    list.BindInt64(4, query.state ? static_cast<int64_t>(*query.state) : 0);
    list.BindText(5, query.kind);
    list.BindText(6, query.actor);
    list.BindText(7, query.node);
    if (&list == &list_by_resource_) list.BindText(8, query.resource_key);
    if (&list == &list_parts_) list.BindInt64(8, query.part_of);
    if (&list == &list_by_resource_ || &list == &list_parts_) {
      list.BindInt64(9, query.active_only ? 1 : 0);
    }
    return Commands(list);
  }

  absl::StatusOr<CommandId> CommandBelow(CommandId before, int count) {
    below_.BindAll(before, count - 1);
    const absl::StatusOr<bool> row = below_.Step();
    const CommandId id = row.ok() && *row ? below_.Int64(0) : 0;
    below_.Reset();
    HOSTQ_RETURN_IF_ERROR(row.status());
    return id;
  }

  // Adds to `parts` the parts of a command that are here.
  absl::Status CountParts(CommandId whole, std::map<CommandState, int>& parts) {
    count_parts_.BindAll(whole);
    for (;;) {
      const absl::StatusOr<bool> row = count_parts_.Step();
      if (!row.ok() || !*row) {
        count_parts_.Reset();
        return row.status();
      }
      parts[static_cast<CommandState>(count_parts_.Int64(0))] +=
          static_cast<int>(count_parts_.Int64(1));
    }
  }

  absl::StatusOr<std::optional<Command>> FindRequest(absl::string_view request_id) {
    by_request_.BindAll(request_id);
    HOSTQ_ASSIGN_OR_RETURN(std::vector<Command> found, Commands(by_request_));
    if (found.empty()) return std::optional<Command>();
    return std::optional<Command>(std::move(found.front()));
  }

  absl::StatusOr<std::vector<Store::TaskAttempt>> ListAttempts(CommandId id) {
    std::vector<Store::TaskAttempt> attempts;
    attempts_.BindAll(id);
    for (;;) {
      HOSTQ_ASSIGN_OR_RETURN(const bool row, attempts_.Step());
      if (!row) break;
      attempts.push_back({StringAt(attempts_, 0), AttemptAt(attempts_)});
    }
    attempts_.Reset();
    return attempts;
  }

  absl::StatusOr<std::vector<Store::Orphan>> ListOrphans(int limit) {
    std::vector<Store::Orphan> orphans;
    orphans_.BindAll(limit);
    for (;;) {
      HOSTQ_ASSIGN_OR_RETURN(const bool row, orphans_.Step());
      if (!row) break;
      Store::Orphan& orphan = orphans.emplace_back();
      orphan.attempt = AttemptAt(orphans_);
      orphan.lease = {orphans_.Int64(8), StringAt(orphans_, 0), orphan.attempt.number,
                      orphan.attempt.epoch};
      orphan.time = TimeAt(orphans_, 9);
    }
    orphans_.Reset();
    return orphans;
  }

  absl::StatusOr<std::vector<Event>> ListEvents(int64_t sequence, int limit) {
    events_.BindAll(sequence, limit);
    return Events(events_);
  }

  absl::StatusOr<std::vector<Event>> ListRepairs(absl::string_view node, absl::Time since,
                                                 int limit) {
    repairs_.BindAll(node, absl::ToUnixMicros(since), limit);
    return Events(repairs_);
  }

 private:
  absl::Status Prepare() {
    const std::string select = absl::StrCat("SELECT ", kCommandColumns, " FROM command ");
    const std::string matching =
        "id<?1 AND id>?3 AND (?4=0 OR state=?4) AND (?5='' OR kind=?5) AND (?6='' OR actor=?6) "
        "AND (?7='' OR EXISTS (SELECT 1 FROM task WHERE command_id=command.id AND node=?7)) "
        "ORDER BY id DESC LIMIT ?2";
    const std::string event = absl::StrCat("SELECT ", kEventColumns, " FROM event ");
    const std::pair<Statement*, std::string> statements[] = {
        {&term_, "SELECT value FROM meta WHERE key='term'"},
        {&active_, absl::StrCat(select, "WHERE state=1 ORDER BY id")},
        {&get_, absl::StrCat(select, "WHERE id=?1")},
        {&by_request_, absl::StrCat(select, "WHERE request_id=?1")},
        {&list_, absl::StrCat(select, "WHERE ", matching)},
        {&list_active_, absl::StrCat(select, "WHERE state=1 AND ", matching)},
        {&list_by_resource_,
         absl::StrCat(select, "WHERE resource_key=?8 AND (?9=0 OR state=1) AND ", matching)},
        {&list_parts_,
         absl::StrCat(select, "WHERE part_of=?8 AND part_of<>0 AND (?9=0 OR state=1) AND ",
                      matching)},
        {&below_, "SELECT id FROM command WHERE id<?1 ORDER BY id DESC LIMIT 1 OFFSET ?2"},
        {&count_parts_,
         "SELECT state, count(*) FROM command WHERE part_of=?1 AND part_of<>0 GROUP BY state"},
        {&tasks_, absl::StrCat("SELECT ", kTaskColumns,
                               " FROM task WHERE command_id=?1 ORDER BY stage, node")},
        {&orphans_,
         "SELECT node, number, epoch, start_time, finish_time, reason, message, steps, command_id, "
         "receive_time FROM orphan ORDER BY receive_time DESC, command_id DESC, node, number, "
         "epoch "
         "LIMIT ?1"},
        {&attempts_,
         "SELECT node, number, epoch, start_time, finish_time, reason, message, steps FROM attempt "
         "WHERE command_id=?1 ORDER BY node, number, epoch"},
        {&events_, absl::StrCat(event, "WHERE sequence>?1 ORDER BY sequence LIMIT ?2")},
        {&repairs_, absl::StrCat(event,
                                 "WHERE node=?1 AND type=16 AND time>=?2 "
                                 "ORDER BY sequence DESC LIMIT ?3")},
        {&resources_, "SELECT kind, key, data FROM resource ORDER BY kind, key"},
        // The other columns are those of the row with the highest sequence (SQLite, "Bare columns
        // in an aggregate query").
        {&sessions_,
         "SELECT node, max(sequence), type, time FROM event WHERE type IN (6, 7) GROUP BY node"},
    };
    for (const auto& [statement, sql] : statements) {
      HOSTQ_ASSIGN_OR_RETURN(*statement, database_->Prepare(sql));
    }
    return absl::OkStatus();
  }

  // The rows of a bound statement, each with its tasks. Resets it.
  absl::StatusOr<std::vector<Command>> Commands(Statement& rows) {
    std::vector<Command> commands;
    for (;;) {
      const absl::StatusOr<bool> row = rows.Step();
      if (!row.ok() || !*row) {
        rows.Reset();
        if (!row.ok()) return row.status();
        return commands;
      }
      commands.push_back(CommandAt(rows));
      const absl::Status status = ReadTasks(commands.back());
      if (!status.ok()) {
        rows.Reset();
        return status;
      }
    }
  }

  // The rows of a bound statement. Resets it.
  absl::StatusOr<std::vector<Event>> Events(Statement& rows) {
    std::vector<Event> events;
    for (;;) {
      const absl::StatusOr<bool> row = rows.Step();
      if (!row.ok() || !*row) {
        rows.Reset();
        if (!row.ok()) return row.status();
        return events;
      }
      events.push_back(EventAt(rows));
    }
  }

  absl::Status ReadTasks(Command& command) {
    tasks_.BindAll(command.id);
    for (;;) {
      const absl::StatusOr<bool> row = tasks_.Step();
      if (!row.ok() || !*row) {
        tasks_.Reset();
        return row.status();
      }
      command.tasks.push_back(TaskAt(tasks_));
    }
  }

  std::unique_ptr<Database> database_;
  Statement term_, active_, get_, by_request_, list_, list_active_, list_by_resource_, list_parts_,
      below_, repairs_, count_parts_, tasks_, attempts_, orphans_, events_, resources_, sessions_;
  AuditReader audit_;
};

SqliteStore::SqliteStore() = default;

SqliteStore::~SqliteStore() = default;

sqlite::OpenOptions SqliteStore::DefaultOptions() {
  sqlite::OpenOptions options;
  options.mode = 0600;
  return options;
}

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path,
                                                               const sqlite::OpenOptions& options) {
  const std::string archive = std::filesystem::path(path).replace_filename("archive.db");
  std::unique_ptr<SqliteStore> store(new SqliteStore);
  const absl::Status status = [&]() -> absl::Status {
    HOSTQ_ASSIGN_OR_RETURN(store->writer_, Writer::Open(path, options));
    HOSTQ_ASSIGN_OR_RETURN(store->reader_, Reader::Open(path, options));
    HOSTQ_ASSIGN_OR_RETURN(store->archive_, Archive::Open(path, archive, options));
    HOSTQ_ASSIGN_OR_RETURN(store->old_, Reader::Open(archive, options));
    return absl::OkStatus();
  }();
  if (!status.ok()) return StoreError(status);
  return store;
}

absl::Status SqliteStore::Probe(const std::string& path, const sqlite::OpenOptions& options) {
  sqlite::OpenOptions existing = options;
  existing.create = false;
  const absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path, existing);
  if (!database.ok()) return StoreError(database.status());
  return StoreError((*database)->Execute(
      "INSERT OR REPLACE INTO meta(key, value) VALUES ('probe', strftime('%s','now'))"));
}

absl::Status SqliteStore::Commit(absl::Span<const Mutation> mutations) {
  const MutexLock lock(writer_mutex_);
  return StoreError(writer_->Commit(mutations));
}

absl::StatusOr<Store::Archived> SqliteStore::MoveToArchive(absl::Time time, int limit) {
  const absl::StatusOr<Archive::Batch> batch = archive_->Copy(time, limit);
  if (!batch.ok()) return StoreError(batch.status());
  if (batch->commands.empty() && batch->events == 0) return Archived();
  const MutexLock lock(writer_mutex_);
  const absl::Status status = writer_->Delete(*batch);
  if (!status.ok()) return StoreError(status);
  return Archived{static_cast<int>(batch->commands.size()), batch->events};
}

absl::StatusOr<int> SqliteStore::DeleteLooks(absl::Time time, int limit) {
  const MutexLock lock(writer_mutex_);
  const absl::StatusOr<int> deleted = writer_->DeleteLooks(time, limit);
  if (!deleted.ok()) return StoreError(deleted.status());
  return deleted;
}

namespace {

template <typename T>
absl::StatusOr<T> WithReason(absl::StatusOr<T> result) {
  if (!result.ok()) return StoreError(result.status());
  return result;
}

// Two lists in the order of `before`, as one without repetition: what is being moved is in both for
// a moment.
template <typename T, typename Before>
std::vector<T> Merge(std::vector<T> a, std::vector<T> b, int limit, Before before) {
  std::vector<T> merged;
  std::set_union(std::make_move_iterator(a.begin()), std::make_move_iterator(a.end()),
                 std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()),
                 std::back_inserter(merged), before);
  if (merged.size() > static_cast<size_t>(limit)) merged.resize(static_cast<size_t>(limit));
  return merged;
}

}  // namespace

absl::StatusOr<Snapshot> SqliteStore::Load() {
  const MutexLock lock(reader_mutex_);
  return WithReason(reader_->Load());
}

absl::StatusOr<Command> SqliteStore::GetCommand(CommandId id) {
  const MutexLock lock(reader_mutex_);
  absl::StatusOr<Command> command = reader_->GetCommand(id);
  if (absl::IsNotFound(command.status())) command = old_->GetCommand(id);
  if (command.ok()) HOSTQ_RETURN_IF_ERROR(CountParts(*command));
  return WithReason(std::move(command));
}

// One that is being moved to the archive counts twice for a moment.
absl::Status SqliteStore::CountParts(Command& command) {
  HOSTQ_RETURN_IF_ERROR(StoreError(reader_->CountParts(command.id, command.parts)));
  return StoreError(old_->CountParts(command.id, command.parts));
}

absl::StatusOr<std::vector<Command>> SqliteStore::ListCommands(const CommandQuery& query) {
  const MutexLock lock(reader_mutex_);
  absl::StatusOr<std::vector<Command>> commands = reader_->ListCommands(query);
  if (!commands.ok()) return StoreError(commands.status());
  if (!query.active_only) {
    absl::StatusOr<std::vector<Command>> old = old_->ListCommands(query);
    if (!old.ok()) return StoreError(old.status());
    commands = Merge(*std::move(commands), *std::move(old), query.limit,
                     [](const Command& a, const Command& b) { return a.id > b.id; });
  }
  for (Command& command : *commands) HOSTQ_RETURN_IF_ERROR(CountParts(command));
  return commands;
}

absl::StatusOr<CommandId> SqliteStore::CommandBelow(CommandId before, int count) {
  const MutexLock lock(reader_mutex_);
  const absl::StatusOr<CommandId> id = reader_->CommandBelow(before, count);
  if (!id.ok()) return StoreError(id.status());
  const absl::StatusOr<CommandId> old = old_->CommandBelow(before, count);
  if (!old.ok()) return StoreError(old.status());
  return std::max(*id, *old);
}

absl::StatusOr<std::optional<Command>> SqliteStore::FindRequest(absl::string_view request_id) {
  const MutexLock lock(reader_mutex_);
  absl::StatusOr<std::optional<Command>> command = reader_->FindRequest(request_id);
  if (command.ok() && !command->has_value()) command = old_->FindRequest(request_id);
  return WithReason(std::move(command));
}

absl::StatusOr<std::vector<Store::TaskAttempt>> SqliteStore::ListAttempts(CommandId id) {
  const MutexLock lock(reader_mutex_);
  absl::StatusOr<std::vector<TaskAttempt>> attempts = reader_->ListAttempts(id);
  if (attempts.ok() && attempts->empty()) attempts = old_->ListAttempts(id);
  return WithReason(std::move(attempts));
}

absl::StatusOr<std::vector<Store::Orphan>> SqliteStore::ListOrphans(int limit) {
  const MutexLock lock(reader_mutex_);
  return WithReason(reader_->ListOrphans(limit));
}

absl::StatusOr<std::vector<Event>> SqliteStore::ListEvents(int64_t sequence, int limit) {
  const MutexLock lock(reader_mutex_);
  absl::StatusOr<std::vector<Event>> events = reader_->ListEvents(sequence, limit);
  const bool gapless = events.ok() && !events->empty() && events->front().sequence == sequence + 1;
  if (!events.ok() || gapless) return WithReason(std::move(events));
  absl::StatusOr<std::vector<Event>> old = old_->ListEvents(sequence, limit);
  if (!old.ok()) return StoreError(old.status());
  return Merge(*std::move(old), *std::move(events), limit,
               [](const Event& a, const Event& b) { return a.sequence < b.sequence; });
}

absl::StatusOr<std::vector<Event>> SqliteStore::ListRepairs(absl::string_view node,
                                                            absl::Time since, int limit) {
  const MutexLock lock(reader_mutex_);
  absl::StatusOr<std::vector<Event>> events = reader_->ListRepairs(node, since, limit);
  if (!events.ok()) return StoreError(events.status());
  absl::StatusOr<std::vector<Event>> old = old_->ListRepairs(node, since, limit);
  if (!old.ok()) return StoreError(old.status());
  return Merge(*std::move(events), *std::move(old), limit,
               [](const Event& a, const Event& b) { return a.sequence > b.sequence; });
}

absl::StatusOr<std::vector<AuditEntry>> SqliteStore::ListAudit(const AuditQuery& query) {
  const MutexLock lock(reader_mutex_);
  return WithReason(reader_->audit().List(query));
}

absl::StatusOr<AuditChain> SqliteStore::GetAuditChain() {
  const MutexLock lock(reader_mutex_);
  return WithReason(reader_->audit().Chain());
}

absl::StatusOr<int> SqliteStore::DeleteAudit(absl::Time time, int limit, absl::Time now) {
  const MutexLock lock(writer_mutex_);
  return WithReason(writer_->DeleteAudit(time, limit, now));
}

}  // namespace hostq::manager
