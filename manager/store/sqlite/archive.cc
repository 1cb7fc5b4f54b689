#include "manager/store/sqlite/archive.h"

#include <utility>

#include "common/base/error.h"
#include "manager/store/sqlite/schema.h"

namespace hostq::manager {

absl::StatusOr<std::unique_ptr<Archive>> Archive::Open(const std::string& database,
                                                       const std::string& archive,
                                                       const sqlite::OpenOptions& options) {
  {
    HOSTQ_ASSIGN_OR_RETURN(const auto file, sqlite::Database::Open(archive, options));
    HOSTQ_RETURN_IF_ERROR(sqlite::Migrate(*file, Schema()));
  }
  auto made = std::make_unique<Archive>();
  HOSTQ_ASSIGN_OR_RETURN(made->database_, sqlite::Database::Open(database, options));
  HOSTQ_ASSIGN_OR_RETURN(sqlite::Statement attach,
                         made->database_->Prepare("ATTACH DATABASE ?1 AS archive"));
  HOSTQ_RETURN_IF_ERROR(attach.Run(archive));
  HOSTQ_RETURN_IF_ERROR(made->database_->Execute("PRAGMA archive.synchronous=FULL"));
  const std::pair<sqlite::Statement*, const char*> statements[] = {
      {&made->finished_,
       // Not the parts of an active command: whoever loads that one counts them.
       "SELECT id FROM main.command c WHERE finish_time < ?1 AND state <> 1 "
       "AND id < (SELECT max(id) FROM main.command) AND (part_of = 0 OR NOT EXISTS "
       "(SELECT 1 FROM main.command whole WHERE whole.id = c.part_of AND whole.state = 1)) "
       "ORDER BY finish_time LIMIT ?2"},
      {&made->events_,
       "SELECT sequence, time FROM main.event "
       "WHERE sequence < (SELECT max(sequence) FROM main.event) ORDER BY sequence LIMIT ?1"},
      {&made->copy_tasks_,
       "INSERT OR REPLACE INTO archive.task SELECT * FROM main.task WHERE command_id=?1"},
      {&made->copy_attempts_,
       "INSERT OR REPLACE INTO archive.attempt SELECT * FROM main.attempt WHERE command_id=?1"},
      {&made->copy_command_,
       "INSERT OR REPLACE INTO archive.command SELECT * FROM main.command WHERE id=?1"},
      {&made->copy_events_,
       "INSERT OR REPLACE INTO archive.event SELECT * FROM main.event WHERE sequence<=?1"},
  };
  for (const auto& [statement, sql] : statements) {
    HOSTQ_ASSIGN_OR_RETURN(*statement, made->database_->Prepare(sql));
  }
  return made;
}

absl::StatusOr<Archive::Batch> Archive::Copy(absl::Time time, int limit) {
  Batch batch;
  const int64_t before = absl::ToUnixMicros(time);
  finished_.BindAll(before, limit);
  for (;;) {
    HOSTQ_ASSIGN_OR_RETURN(const bool row, finished_.Step());
    if (!row) break;
    batch.commands.push_back(finished_.Int64(0));
  }
  finished_.Reset();
  events_.BindAll(limit);
  for (;;) {
    HOSTQ_ASSIGN_OR_RETURN(const bool row, events_.Step());
    if (!row || events_.Int64(1) >= before) break;
    batch.last_event = events_.Int64(0);
    ++batch.events;
  }
  events_.Reset();
  if (batch.commands.empty() && batch.events == 0) return batch;
  // Deferred: a transaction that only reads the database does not keep others from writing it.
  HOSTQ_RETURN_IF_ERROR(database_->Execute("BEGIN DEFERRED"));
  const absl::Status status = [&]() -> absl::Status {
    for (const CommandId id : batch.commands) {
      HOSTQ_RETURN_IF_ERROR(copy_tasks_.Run(id));
      HOSTQ_RETURN_IF_ERROR(copy_attempts_.Run(id));
      HOSTQ_RETURN_IF_ERROR(copy_command_.Run(id));
    }
    if (batch.events > 0) HOSTQ_RETURN_IF_ERROR(copy_events_.Run(batch.last_event));
    return database_->Execute("COMMIT");
  }();
  if (!status.ok()) {
    if (database_->InTransaction()) database_->Execute("ROLLBACK").IgnoreError();
    return status;
  }
  return batch;
}

}  // namespace hostq::manager
