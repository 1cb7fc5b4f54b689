#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "common/sqlite/database.h"
#include "manager/store/sqlite/archive.h"
#include "manager/store/store.h"

namespace hostq::manager {

// The store in one SQLite file: write-ahead log, synchronous=FULL. One connection writes, another
// one reads. What is old moves into a second file beside it ("archive.db"), which has a reader of
// its own.
class SqliteStore final : public Store {
 public:
  // Makes the files if they do not exist and brings their schema up to date. Blocks on the disk.
  // Errors as Store::Load.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(
      const std::string& path, const sqlite::OpenOptions& options = DefaultOptions());
  static sqlite::OpenOptions DefaultOptions();
  // Writes something that means nothing to an existing database, durably. Also while a store has it
  // open. Errors as Open.
  static absl::Status Probe(const std::string& path,
                            const sqlite::OpenOptions& options = DefaultOptions());
  ~SqliteStore() override;

  absl::StatusOr<Snapshot> Load() override;
  absl::Status Commit(absl::Span<const Mutation> mutations) override;
  absl::StatusOr<Command> GetCommand(CommandId id) override;
  absl::StatusOr<std::vector<Command>> ListCommands(const CommandQuery& query) override;
  absl::StatusOr<CommandId> CommandBelow(CommandId before, int count) override;
  absl::StatusOr<std::optional<Command>> FindRequest(absl::string_view request_id) override;
  absl::StatusOr<std::vector<TaskAttempt>> ListAttempts(CommandId id) override;
  absl::StatusOr<std::vector<Orphan>> ListOrphans(int limit) override;
  absl::StatusOr<std::vector<Event>> ListEvents(int64_t sequence, int limit) override;
  absl::StatusOr<std::vector<Event>> ListRepairs(absl::string_view node, absl::Time since,
                                                 int limit) override;
  absl::StatusOr<Archived> MoveToArchive(absl::Time time, int limit) override;
  absl::StatusOr<int> DeleteLooks(absl::Time time, int limit) override;
  absl::StatusOr<std::vector<AuditEntry>> ListAudit(const AuditQuery& query) override;
  absl::StatusOr<AuditChain> GetAuditChain() override;
  absl::StatusOr<int> DeleteAudit(absl::Time time, int limit, absl::Time now) override;

 private:
  class Writer;
  class Reader;

  SqliteStore();
  absl::Status CountParts(Command& command) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reader_mutex_);

  Mutex writer_mutex_;
  std::unique_ptr<Writer> writer_ ABSL_PT_GUARDED_BY(writer_mutex_);
  Mutex reader_mutex_;
  std::unique_ptr<Reader> reader_ ABSL_PT_GUARDED_BY(reader_mutex_);
  std::unique_ptr<Reader> old_ ABSL_PT_GUARDED_BY(reader_mutex_);  // of the archive
  std::unique_ptr<Archive> archive_;                               // of who calls MoveToArchive
};

}  // namespace hostq::manager
