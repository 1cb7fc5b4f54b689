#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "manager/domain/changes.h"
#include "manager/store/store.h"

namespace hostq::simulation {

using manager::CommandId;
using manager::Outcome;
using manager::Phase;

// What a client asks for, under a number of its own that travels as the command's spec and in its
// work.
struct Request {
  int token = 0;
  std::string id;  // empty: it cannot be repeated
  std::string kind;
  std::string key;
  std::vector<manager::PlannedTask> tasks;
  std::vector<std::string> supersedes;
  int steps = 1;
  int priority = 0;
  int max_parallel = 0;
  int max_failures = -1;
  absl::Duration delay = absl::ZeroDuration();
  // Tokens of those that are submitted with it as its parts; the one that this is a part of (-1: of
  // none).
  std::vector<int> parts;
  int whole = -1;
  int part_stage = 0;
  bool answered = false;  // acknowledged, or refused for good
  CommandId command = 0;  // acknowledged as this
};

// What must be so, kept apart from the programs and in a simpler way: told of every durable commit,
// everything that leaves the manager, and every step and effect on a node, it says at once when
// something is not as promised. The first violation is kept.
class Model {
 public:
  bool violated() const { return !violation_.empty(); }
  const std::string& violation() const { return violation_; }
  template <typename... Parts>
  void Violate(const Parts&... parts) {
    if (violation_.empty()) violation_ = absl::StrCat(parts...);
  }

  // --- what clients know ---
  Request& AddRequest();
  std::vector<Request>& requests() { return requests_; }
  void OnAcknowledged(int token, CommandId id);
  // With its journal: nobody knows any more what it had begun.
  void OnDiskLost(const std::string& node) { lost_disks_.insert(node); }
  // What the manager's clock shows in a round.
  void OnClock(absl::Time now) { latest_ = std::max(latest_, now); }
  void OnCancelled(CommandId id);
  void SetCredits(const std::string& node, int credits) { NodeOf(node).credits = credits; }

  // --- the manager ---
  // The batch is durable.
  void OnCommit(absl::Span<const manager::Mutation> mutations);
  // What a new process reads.
  void OnRestart(const manager::Snapshot& snapshot);
  // What leaves it.
  void OnAssign(const manager::SendAssign& assign);
  void OnResultAck(const manager::Lease& lease);
  void OnNodeRemoved(const std::string& node);
  // The node reads a welcome that left the manager after so many commits.
  void OnWelcome(const std::string& node, uint64_t commit);
  uint64_t commits() const { return commits_; }
  // Everything that can be asked of the store still holds.
  void CheckStore(manager::Store& store);

  // The manager's disk is replaced by a copy of what it was when `backup` was copied from this
  // model. What clients were told since is void; they ask again. Returns their requests.
  std::vector<int> Restore(const Model& backup);

  // --- the nodes ---
  struct StepFacts {
    std::string node;
    std::string key;
    manager::Lease lease;
    int token = 0;
    int step = 0;
    bool begun_before = false;  // the task began in this agent's process before
  };
  void OnStepStarted(const StepFacts& step);
  void OnEffect(const StepFacts& step);

  // --- the end ---
  bool Drained() const { return live_tasks_ == 0; }
  void CheckDrained();
  size_t live_tasks() const { return live_tasks_; }
  size_t active_commands() const { return active_; }
  Phase PhaseOf(CommandId id, const std::string& node) const;
  // Tasks of these commands that may be retried.
  std::vector<CommandId> Parked() const;
  std::vector<CommandId> Live() const;
  // A live task before this command's on the node and key.
  bool HasAhead(CommandId id, const std::string& node) const;
  bool IsPaused(const std::string& node) { return NodeOf(node).paused; }

 private:
  struct TaskModel {
    int stage = 0;
    Phase phase = Phase::kQueued;
    Outcome outcome = Outcome::kNone;
    int attempt = 0;
    uint64_t epoch = 0;
    int failures = 0;
    // Cancelled with its node, by this commit, and the node may not know yet. 0: not so.
    uint64_t cut_off = 0;
    bool removed = false;  // cancelled with its node while it was there: what runs may end
    std::map<int, uint64_t> effects;  // by step: the epoch of the last one
    bool live() const { return phase != Phase::kFinished; }
    bool underway() const { return live() && attempt > 0; }
    bool failing() const {
      return phase == Phase::kParked ||
             (failures > 0 && (phase == Phase::kBackingOff || outcome == Outcome::kFailed));
    }
    bool in_flight() const {
      return phase == Phase::kLeased || phase == Phase::kAccepted || phase == Phase::kRunning ||
             phase == Phase::kUnknown;
    }
  };
  struct CommandModel {
    int token = 0;
    std::string kind;
    std::string key;
    std::vector<std::string> supersedes;
    int max_parallel = 0;
    int max_failures = -1;
    absl::Time not_before = absl::InfinitePast();
    absl::Time not_after = absl::InfiniteFuture();
    CommandId part_of = 0;
    int part_stage = 0;
    std::vector<CommandId> parts;
    bool active = true;
    manager::CommandState state = manager::CommandState::kActive;
    std::map<std::string, TaskModel> tasks;
  };
  struct Lane {
    std::set<CommandId> live;
    CommandId last_command = 0;  // of the last effect
    uint64_t last_epoch = 0;
    CommandId last_success = 0;
  };
  struct NodeModel {
    int in_flight = 0;
    int credits = 0;
    bool present = false;
    bool paused = false;
  };
  using LaneKey = std::pair<std::string, std::string>;

  void Apply(const manager::InsertCommand& insert);
  void Apply(const manager::UpdateTask& update);
  void Apply(const manager::FinishCommand& finish);
  void Apply(const manager::InsertAttempt& insert);
  void Apply(const manager::InsertOrphan&) {}
  void Apply(const manager::ResourceChange& change);
  void Apply(const manager::Event& event);
  void Apply(const manager::SetTerm& set);
  void Apply(const manager::AuditEntry&) {}
  void CheckLease(CommandId id, const CommandModel& command, const std::string& node,
                  const TaskModel& before, const manager::Task& after);
  void CheckOutcome(CommandId id, const CommandModel& command, const std::string& node,
                    const TaskModel& before, const manager::Task& after);
  void CheckTurnOfPart(const std::string& name, const CommandModel& part);
  TaskModel* Find(CommandId id, const std::string& node);
  NodeModel& NodeOf(const std::string& name) { return node_models_[name]; }

  std::string violation_;
  std::vector<Request> requests_;
  std::map<CommandId, CommandModel> commands_;
  std::map<int, CommandId> by_token_;
  std::map<LaneKey, Lane> lanes_;
  std::map<std::string, NodeModel> node_models_;
  std::set<std::string> resources_;  // "live" rows: one for each active command
  std::set<CommandId> cancelled_;
  absl::Time latest_ = absl::InfinitePast();
  // After the manager was restored from a backup: nodes that have not been welcomed since, and the
  // newest command of the backup.
  std::map<std::string, uint64_t> unaware_;
  bool restored_ = false;
  std::set<std::string> lost_disks_;  // nodes
  CommandId restored_up_to_ = 0;
  uint64_t commits_ = 0;
  uint64_t term_ = 0;
  uint64_t max_epoch_ = 0;
  int64_t last_sequence_ = 0;
  size_t live_tasks_ = 0;
  size_t active_ = 0;
};

}  // namespace hostq::simulation
