#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/sqlite/database.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// Copies what is finished from the database into the archive, a second database of the same schema.
// Two files cannot be committed as one (SQLite, "ATTACH DATABASE": not with write-ahead logs), so
// this only copies, and whoever deletes does so after the copy is durable; a copy that is made
// again replaces the first. Not thread-safe.
class Archive {
 public:
  // Makes `archive` if it does not exist and brings its schema up to date. `database` has the
  // current schema. Blocks on the disk.
  static absl::StatusOr<std::unique_ptr<Archive>> Open(const std::string& database,
                                                       const std::string& archive,
                                                       const sqlite::OpenOptions& options);

  struct Batch {
    std::vector<CommandId> commands;
    int64_t last_event = 0;  // this one and those before it; 0: none
    int events = 0;
  };
  // At most `limit` commands that finished before `time` and as many events that are older, the
  // oldest first. The newest command and the newest event always stay: the next ones are numbered
  // after them. OK when the copy is durable.
  absl::StatusOr<Batch> Copy(absl::Time time, int limit);

 private:
  std::unique_ptr<sqlite::Database> database_;  // outlives the statements
  sqlite::Statement finished_, events_, copy_tasks_, copy_attempts_, copy_command_, copy_events_;
};

}  // namespace hostq::manager
