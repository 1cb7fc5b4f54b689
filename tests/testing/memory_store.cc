#include "tests/testing/memory_store.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "manager/audit/chain.h"

namespace hostq::manager {
namespace {

absl::Status Stale(absl::string_view what) {
  return MakeError(absl::StatusCode::kAborted, Reason::kInternal,
                   absl::StrCat("guard does not hold: ", what));
}

absl::Status Exists(absl::string_view what) {
  return MakeError(absl::StatusCode::kAlreadyExists, Reason::kStoreUnavailable,
                   absl::StrCat("not unique: ", what));
}

// Without what is not stored.
Task Stored(const Task& task) {
  Task stored = task;
  stored.phase_monotonic = stored.progress_monotonic = {};
  stored.wake_monotonic = stored.cancel_monotonic = {};
  stored.step.clear();
  stored.step_index = stored.step_count = 0;
  stored.wedged = false;
  return stored;
}

void Append(AuditEntry entry, MemoryDatabase& database) {
  ChainPoint& head = database.audit_chain.head;
  entry.sequence = head.sequence + 1;
  entry.hash = ChainHash(head.hash, entry);
  head = {entry.sequence, entry.hash};
  database.audit.push_back(std::move(entry));
}

// One transaction: what it changes, until everything in it has been found possible.
class Transaction {
 public:
  explicit Transaction(MemoryDatabase& database) : database_(database) {}

  absl::Status Apply(const InsertCommand& insert) {
    const Command& command = insert.command;
    if (Find(command.id) != nullptr) return Exists(FormatId(command.id));
    if (!command.request_id.empty() && (database_.requests.contains(command.request_id) ||
                                        requests_.contains(command.request_id))) {
      return Exists(absl::StrCat("request_id ", command.request_id));
    }
    if (!command.request_id.empty()) requests_[command.request_id] = command.id;
    Command& mine = commands_[command.id] = command;
    mine.finish_time = absl::InfiniteFuture();
    for (Task& task : mine.tasks) task = Stored(task);
    if (Command* whole = Find(command.part_of)) ++whole->parts[CommandState::kActive];
    return absl::OkStatus();
  }

  absl::Status Apply(const UpdateTask& update) {
    Command* command = Find(update.command);
    Task* task = command == nullptr ? nullptr : command->FindTask(update.task.node);
    const std::string id = TaskIdOf(update.command, update.task.node);
    if (task == nullptr || task->phase != update.from || task->attempt != update.from_attempt ||
        task->epoch != update.from_epoch) {
      return Stale(absl::StrCat("task ", id, " is not in phase ", NameOf(update.from)));
    }
    if ((update.task.phase == Phase::kFinished) != (update.task.outcome != Outcome::kNone)) {
      return absl::FailedPreconditionError(absl::StrCat("phase and outcome of ", id));
    }
    const int stage = task->stage;
    *task = Stored(update.task);
    task->stage = stage;
    return absl::OkStatus();
  }

  absl::Status Apply(const FinishCommand& finish) {
    Command* command = Find(finish.command);
    if (command == nullptr || command->state != CommandState::kActive) {
      return Stale(absl::StrCat("command ", FormatId(finish.command), " is not active"));
    }
    command->state = finish.state;
    command->finish_time = finish.finish_time;
    if (Command* whole = Find(command->part_of)) {
      if (--whole->parts[CommandState::kActive] == 0) whole->parts.erase(CommandState::kActive);
      ++whole->parts[finish.state];
    }
    return absl::OkStatus();
  }

  absl::Status Apply(const InsertAttempt& insert) {
    const Attempt& attempt = insert.attempt;
    const MemoryDatabase::AttemptKey key{insert.command, insert.node, attempt.number,
                                         attempt.epoch};
    if (database_.attempts.contains(key)) return Exists("attempt");
    if (!attempts_.emplace(key, attempt).second) return Exists("attempt");
    return absl::OkStatus();
  }

  absl::Status Apply(const InsertOrphan& insert) {
    const Lease& lease = insert.lease;
    const MemoryDatabase::AttemptKey key{lease.command, lease.node, lease.attempt, lease.epoch};
    if (database_.attempts.contains(key) || attempts_.contains(key)) return absl::OkStatus();
    orphans_.emplace(key, std::pair(insert.time, insert.attempt));
    return absl::OkStatus();
  }

  absl::Status Apply(const Event& event) {
    const int64_t last = !events_.empty()            ? events_.back().sequence
                         : !database_.events.empty() ? database_.events.back().sequence
                                                     : 0;
    if (event.sequence <= last) return Exists("event");
    events_.push_back(event);
    return absl::OkStatus();
  }

  absl::Status Apply(const ResourceChange& change) {
    resources_[{change.kind, change.key}] = change.data;
    return absl::OkStatus();
  }

  absl::Status Apply(const SetTerm& set) {
    term_ = set.term;
    return absl::OkStatus();
  }

  absl::Status Apply(const AuditEntry& entry) {
    audit_.push_back(entry);
    return absl::OkStatus();
  }

  void Commit() {
    for (auto& [id, command] : commands_) {
      if (command.state == CommandState::kActive) {
        database_.active.insert(id);
      } else {
        database_.active.erase(id);
      }
      database_.commands[id] = std::move(command);
    }
    database_.requests.merge(requests_);
    database_.attempts.merge(attempts_);
    database_.orphans.merge(orphans_);
    for (auto& [key, data] : resources_) {
      if (data) {
        database_.resources[key] = *std::move(data);
      } else {
        database_.resources.erase(key);
      }
    }
    std::move(events_.begin(), events_.end(), std::back_inserter(database_.events));
    if (term_) database_.term = *term_;
    for (AuditEntry& entry : audit_) Append(std::move(entry), database_);
  }

 private:
  // As this transaction sees it.
  Command* Find(CommandId id) {
    if (const auto mine = commands_.find(id); mine != commands_.end()) return &mine->second;
    const auto found = database_.commands.find(id);
    if (found == database_.commands.end()) return nullptr;
    return &(commands_[id] = found->second);
  }

  MemoryDatabase& database_;
  std::map<CommandId, Command> commands_;
  std::map<std::string, CommandId, std::less<>> requests_;
  std::map<MemoryDatabase::AttemptKey, Attempt> attempts_;
  std::map<MemoryDatabase::AttemptKey, std::pair<absl::Time, Attempt>> orphans_;
  std::map<std::pair<std::string, std::string>, std::optional<std::string>> resources_;
  std::vector<Event> events_;
  std::vector<AuditEntry> audit_;
  std::optional<uint64_t> term_;
};

}  // namespace

absl::StatusOr<Snapshot> MemoryStore::Load() {
  Snapshot snapshot;
  snapshot.term = database_.term;
  snapshot.audit = database_.audit_chain;
  if (!database_.events.empty()) snapshot.last_sequence = database_.events.back().sequence;
  if (!database_.commands.empty()) snapshot.last_command = database_.commands.rbegin()->first;
  for (const CommandId id : database_.active) snapshot.live.push_back(database_.commands.at(id));
  for (const auto& [key, data] : database_.resources) {
    snapshot.resources.push_back({key.first, key.second, data});
  }
  for (const Event& event : database_.events) {
    if (event.type == EventType::kNodeDisconnected) {
      snapshot.disconnect_times[event.node] = event.time;
    } else if (event.type == EventType::kNodeConnected) {
      snapshot.disconnect_times.erase(event.node);
    }
  }
  return snapshot;
}

absl::Status MemoryStore::Commit(absl::Span<const Mutation> mutations) {
  Transaction transaction(database_);
  for (const Mutation& mutation : mutations) {
    HOSTQ_RETURN_IF_ERROR(
        std::visit([&](const auto& change) { return transaction.Apply(change); }, mutation));
  }
  transaction.Commit();
  return absl::OkStatus();
}

absl::StatusOr<Command> MemoryStore::GetCommand(CommandId id) {
  const auto found = database_.commands.find(id);
  if (found != database_.commands.end()) return found->second;
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownCommand,
                   absl::StrCat("there is no command ", FormatId(id)));
}

absl::StatusOr<std::vector<Command>> MemoryStore::ListCommands(const CommandQuery& query) {
  std::vector<Command> list;
  auto at = database_.commands.lower_bound(query.before);
  while (at != database_.commands.begin() && list.size() < static_cast<size_t>(query.limit)) {
    const Command& command = (--at)->second;
    if (query.active_only && command.state != CommandState::kActive) continue;
    if (!query.resource_key.empty() && command.resource_key != query.resource_key) continue;
    if (query.part_of != 0 && command.part_of != query.part_of) continue;
    if (command.id <= query.after) break;
    if (query.state && command.state != *query.state) continue;
    if (!query.kind.empty() && command.kind != query.kind) continue;
    if (!query.actor.empty() && command.actor != query.actor) continue;
    if (!query.node.empty() && command.FindTask(query.node) == nullptr) continue;
    list.push_back(command);
  }
  return list;
}

absl::StatusOr<CommandId> MemoryStore::CommandBelow(CommandId before, int count) {
  auto at = database_.commands.lower_bound(before);
  for (; count > 0; --count, --at) {
    if (at == database_.commands.begin()) return 0;
  }
  return at->first;
}

absl::StatusOr<std::vector<Event>> MemoryStore::ListRepairs(absl::string_view node,
                                                            absl::Time since, int limit) {
  std::vector<Event> list;
  for (auto at = database_.events.rbegin(); at != database_.events.rend(); ++at) {
    if (list.size() == static_cast<size_t>(limit)) break;
    if (at->type != EventType::kNodeRepaired || at->node != node || at->time < since) continue;
    list.push_back(*at);
  }
  return list;
}

absl::StatusOr<std::optional<Command>> MemoryStore::FindRequest(absl::string_view request_id) {
  const auto found = database_.requests.find(request_id);
  if (found == database_.requests.end()) return std::optional<Command>();
  return std::optional<Command>(database_.commands.at(found->second));
}

absl::StatusOr<std::vector<Store::Orphan>> MemoryStore::ListOrphans(int limit) {
  std::vector<Orphan> list;
  for (const auto& [key, orphan] : database_.orphans) {
    const auto& [command, node, number, epoch] = key;
    list.push_back({{command, node, number, epoch}, orphan.first, orphan.second});
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const Orphan& a, const Orphan& b) { return a.time > b.time; });
  if (list.size() > static_cast<size_t>(limit)) list.resize(static_cast<size_t>(limit));
  return list;
}

absl::StatusOr<std::vector<Store::TaskAttempt>> MemoryStore::ListAttempts(CommandId id) {
  std::vector<TaskAttempt> list;
  for (auto at = database_.attempts.lower_bound({id, "", 0, 0});
       at != database_.attempts.end() && std::get<0>(at->first) == id; ++at) {
    list.push_back({std::get<1>(at->first), at->second});
  }
  return list;
}

absl::StatusOr<int> MemoryStore::DeleteLooks(absl::Time time, int limit) {
  std::vector<CommandId> looks;
  for (const auto& [id, command] : database_.commands) {
    const bool look = command.kind == "preflight" && command.actor == "manager";
    const bool old = command.state != CommandState::kActive && command.finish_time < time;
    const bool newest = id == database_.commands.rbegin()->first;
    if (look && old && !newest && looks.size() < static_cast<size_t>(limit)) looks.push_back(id);
  }
  for (const CommandId id : looks) {
    database_.commands.erase(id);
    std::erase_if(database_.attempts,
                  [id](const auto& entry) { return std::get<0>(entry.first) == id; });
  }
  return static_cast<int>(looks.size());
}

absl::StatusOr<std::vector<AuditEntry>> MemoryStore::ListAudit(const AuditQuery& query) {
  std::vector<AuditEntry> list;
  for (const AuditEntry& entry : database_.audit) {
    const bool asked = entry.sequence > query.after && entry.sequence < query.before &&
                       (query.actor.empty() || query.actor == entry.actor) &&
                       (query.act.empty() || query.act == entry.act ||
                        absl::EndsWith(entry.act, "." + query.act)) &&
                       (query.target.empty() || query.target == entry.target) &&
                       (!query.refused_only || entry.outcome != Reason::kNone) &&
                       entry.time >= query.start_time;
    if (asked) list.push_back(entry);
  }
  if (query.newest_first) std::reverse(list.begin(), list.end());
  if (list.size() > static_cast<size_t>(query.limit)) list.resize(static_cast<size_t>(query.limit));
  return list;
}

absl::StatusOr<int> MemoryStore::DeleteAudit(absl::Time time, int limit, absl::Time now) {
  auto& audit = database_.audit;
  auto end = audit.begin();
  while (end != audit.end() && end - audit.begin() < limit && end->time < time) ++end;
  if (end == audit.begin()) return 0;
  database_.audit_chain.beginning = {std::prev(end)->sequence, std::prev(end)->hash};
  const auto deleted = static_cast<int>(end - audit.begin());
  audit.erase(audit.begin(), end);
  Append(MakeDeletionEntry(deleted, now), database_);
  return deleted;
}

absl::StatusOr<std::vector<Event>> MemoryStore::ListEvents(int64_t sequence, int limit) {
  auto at =
      std::upper_bound(database_.events.begin(), database_.events.end(), sequence,
                       [](int64_t after, const Event& event) { return after < event.sequence; });
  std::vector<Event> list;
  for (; at != database_.events.end() && list.size() < static_cast<size_t>(limit); ++at) {
    list.push_back(*at);
  }
  return list;
}

}  // namespace hostq::manager
