#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "manager/store/store.h"

namespace hostq::manager {

// What a MemoryStore keeps: a disk that can be copied (a backup) and opened again.
struct MemoryDatabase {
  using AttemptKey = std::tuple<CommandId, std::string, int, uint64_t>;
  uint64_t term = 0;
  std::map<CommandId, Command> commands;
  std::set<CommandId> active;
  std::map<std::string, CommandId, std::less<>> requests;
  std::map<AttemptKey, Attempt> attempts;
  std::map<AttemptKey, std::pair<absl::Time, Attempt>> orphans;
  std::map<std::pair<std::string, std::string>, std::string> resources;
  std::vector<Event> events;
  std::vector<AuditEntry> audit;
  AuditChain audit_chain;
};

// A Store without a disk, with the same guards as the real one: for the simulation, where thousands
// of stores are made each second. The database must outlive it. Not thread-safe.
class MemoryStore final : public Store {
 public:
  explicit MemoryStore(MemoryDatabase& database) : database_(database) {}

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
  // There is nothing it could be moved out of the way of.
  absl::StatusOr<Archived> MoveToArchive(absl::Time, int) override { return Archived(); }
  absl::StatusOr<int> DeleteLooks(absl::Time time, int limit) override;
  absl::StatusOr<std::vector<AuditEntry>> ListAudit(const AuditQuery& query) override;
  absl::StatusOr<AuditChain> GetAuditChain() override { return database_.audit_chain; }
  absl::StatusOr<int> DeleteAudit(absl::Time time, int limit, absl::Time now) override;

 private:
  MemoryDatabase& database_;
};

}  // namespace hostq::manager
