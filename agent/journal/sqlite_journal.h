#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/journal/journal.h"
#include "common/sqlite/database.h"

namespace hostq::agent {

// A journal in one SQLite file, opened exclusively: a second agent on the same state is refused.
class SqliteJournal final : public Journal {
 public:
  // Creates the file if needed (its directory must exist) and migrates its schema. Errors: with
  // JOURNAL_UNAVAILABLE; ABORTED if another agent has it open, DATA_LOSS if it is damaged,
  // FAILED_PRECONDITION if a newer agent wrote it.
  static absl::StatusOr<std::unique_ptr<SqliteJournal>> Open(
      const std::string& path, const sqlite::OpenOptions& options = DefaultOptions());
  static sqlite::OpenOptions DefaultOptions();
  // The same in a database that is open already.
  static absl::StatusOr<std::unique_ptr<SqliteJournal>> Over(
      std::unique_ptr<sqlite::Database> database);

  absl::StatusOr<std::vector<AcceptAnswer>> Commit(const JournalBatch& batch,
                                                   absl::Time now) override;
  absl::StatusOr<JournalState> Load() override;
  absl::StatusOr<int64_t> Prune(absl::Time before) override;

 private:
  explicit SqliteJournal(std::unique_ptr<sqlite::Database> database)
      : database_(std::move(database)) {}
  absl::Status Prepare();
  absl::StatusOr<std::vector<AcceptAnswer>> Apply(const JournalBatch& batch, absl::Time now);
  absl::StatusOr<JournalState> ReadState();
  absl::StatusOr<AcceptAnswer> Accept(const Assignment& assignment, bool start);
  absl::StatusOr<AcceptAnswer> AcceptKnown(const Assignment& assignment, bool start);
  absl::Status Store(const Assignment& assignment, bool start);
  absl::StatusOr<uint64_t> KeyEpoch(const std::string& resource_key);

  std::unique_ptr<sqlite::Database> database_;  // before the statements: destroyed after them
  sqlite::Statement find_, insert_, renew_, replace_work_, again_, remove_, start_, finish_, ack_,
      drop_, key_epoch_, set_key_epoch_, load_, max_epoch_, keep_, drop_kept_, kept_, prune_;
};

}  // namespace hostq::agent
