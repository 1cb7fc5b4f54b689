#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "manager/domain/changes.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// Everything the manager must know again after a restart.
struct Snapshot {
  uint64_t term = 0;
  int64_t last_sequence = 0;
  CommandId last_command = 0;
  std::vector<Command> live;              // active commands, with all their tasks
  std::vector<ResourceChange> resources;  // data always set
  // Of the nodes that were not connected in the end; as far back as events are kept.
  std::map<std::string, absl::Time> disconnect_times;
  AuditChain audit;
};

struct CommandQuery {
  CommandId before = INT64_MAX;  // ids below this one, newest first
  int limit = 100;               // at least 1
  bool active_only = false;
  std::string resource_key;  // empty: any
  CommandId part_of = 0;     // only parts of this one; 0: any. Not with resource_key
  // What follows looks at every command between `after` and `before`: see CommandBelow.
  CommandId after = 0;                // ids above this one
  std::optional<CommandState> state;  // nothing: any
  std::string kind, actor;            // empty: any
  std::string node;                   // with a task there; empty: any

  bool filters() const { return state || !kind.empty() || !actor.empty() || !node.empty(); }
};

// Entries between two, in order, that match all of what is given.
struct AuditQuery {
  int64_t after = 0;
  int64_t before = INT64_MAX;
  bool newest_first = false;
  int limit = 100;  // at least 1
  // Empty: any. `act` may be the last part of a method: "PauseNode".
  std::string actor, act, target;
  bool refused_only = false;
  absl::Time start_time = absl::InfinitePast();  // not before
};

// The seam to the database. Commit is called by one thread, the engine's; the readers by any,
// also while a commit runs: they see what is committed.
class Store {
 public:
  virtual ~Store() = default;

  // Once, before the first Commit. Errors: DATA_LOSS (corrupt), FAILED_PRECONDITION (made by a
  // newer version), UNAVAILABLE and RESOURCE_EXHAUSTED (disk), all with STORE_UNAVAILABLE.
  virtual absl::StatusOr<Snapshot> Load() = 0;

  // All or nothing, in order. OK only when it is durable (survives a loss of power). A guard that
  // does not hold is ABORTED. After any error nothing may be committed any more: what is in memory
  // is ahead of what is stored.
  virtual absl::Status Commit(absl::Span<const Mutation> mutations) = 0;

  // With its tasks. Errors: NOT_FOUND (UNKNOWN_COMMAND).
  virtual absl::StatusOr<Command> GetCommand(CommandId id) = 0;
  virtual absl::StatusOr<std::vector<Command>> ListCommands(const CommandQuery& query) = 0;
  // About the id of the `count`-th of the commands with an id below `before`, the newest first; 0:
  // there are not that many. So that a caller of ListCommands can look at so many at a time.
  virtual absl::StatusOr<CommandId> CommandBelow(CommandId before, int count) = 0;
  // The command that was submitted with this request id, live or not.
  virtual absl::StatusOr<std::optional<Command>> FindRequest(absl::string_view request_id) = 0;
  struct TaskAttempt {
    std::string node;
    Attempt attempt;
  };
  // By node, then number.
  virtual absl::StatusOr<std::vector<TaskAttempt>> ListAttempts(CommandId id) = 0;
  // Results nobody waited for (InsertOrphan).
  struct Orphan {
    Lease lease;
    absl::Time time;  // when it came
    Attempt attempt;
  };
  // The newest first, at most `limit`.
  virtual absl::StatusOr<std::vector<Orphan>> ListOrphans(int limit) = 0;
  // Those after `sequence`, oldest first, at most `limit`.
  virtual absl::StatusOr<std::vector<Event>> ListEvents(int64_t sequence, int limit) = 0;
  // What the node told of as put right (NODE_REPAIRED) at `since` or later, the newest first, at
  // most `limit`.
  virtual absl::StatusOr<std::vector<Event>> ListRepairs(absl::string_view node, absl::Time since,
                                                         int limit) = 0;

  struct Archived {
    int commands = 0;
    int events = 0;
  };
  // Moves what is old out of Commit's way, at most `limit` commands that finished before `time` and
  // at most `limit` events older than it; nothing moved: nothing is left. The readers find it as
  // before. The newest command and event stay. Any thread, one at a time; Commit may have to wait
  // for a few milliseconds. After an error it may be called again.
  virtual absl::StatusOr<Archived> MoveToArchive(absl::Time time, int limit) = 0;
  // Deletes for good at most `limit` looks at nodes that the manager made by itself (preflights of
  // the actor "manager") and that finished before `time`: a node that stays in trouble is looked at
  // twice a minute. Their events stay, and what they found stands with the node. Returns how many;
  // 0: none is left. The newest command stays. Threads as for MoveToArchive.
  virtual absl::StatusOr<int> DeleteLooks(absl::Time time, int limit) = 0;

  // The entries `query` asks for. Reads all that are between, so who may be kept waiting asks for
  // small parts.
  virtual absl::StatusOr<std::vector<AuditEntry>> ListAudit(const AuditQuery& query) = 0;
  virtual absl::StatusOr<AuditChain> GetAuditChain() = 0;
  // Deletes for good at most `limit` of the oldest entries, as long as they are older than `time`,
  // notes where the chain begins from then on, and appends an entry that tells how many they were
  // ("audit.retention", at `now`). Returns how many; 0: none is left. What is not as it was written
  // is not deleted: DATA_LOSS (AUDIT_BROKEN). Threads as for MoveToArchive.
  virtual absl::StatusOr<int> DeleteAudit(absl::Time time, int limit, absl::Time now) = 0;
};

}  // namespace hostq::manager
