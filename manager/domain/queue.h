#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/backoff.h"
#include "common/base/random.h"
#include "manager/domain/changes.h"
#include "manager/domain/plan.h"
#include "manager/domain/queue_stats.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// Rules of retry that are the same for every command; see RetryRules for those that are not.
struct QueuePolicy {
  // A refusal (buffer full, stale epoch) and an interruption are sent again soon.
  BackoffPolicy refusal{absl::Seconds(1), absl::Seconds(30)};
  // A node whose environment keeps tasks from succeeding is looked at so often.
  BackoffPolicy check{absl::Seconds(5), absl::Seconds(30)};
  // The task is parked when it loses more leases than this within the window.
  int max_losses = 3;
  absl::Duration loss_window = absl::Hours(72);
  // Without a sign of a second agent for so long, a node has one again: several times as long as an
  // agent stays away that was replaced.
  absl::Duration clone_quiet = absl::Seconds(20);
};

// NOT_FOUND (UNKNOWN_NODE).
absl::Status UnknownNode(absl::string_view name);

// Which tasks a retry is meant for. Empty and kNone: any.
struct RetryFilter {
  Reason reason = Reason::kNone;
  std::string node;
  std::string kind;
};

// What a node says when it connects.
struct HelloFacts {
  std::string node;
  uint64_t session = 0;
  std::string agent_version;
  std::string process;  // another one at each start of the agent; empty: it did not say
  std::vector<std::string> kinds;
  int credits = 0;
  std::optional<absl::Duration> clock_skew;  // nullopt: the node named no time
  uint64_t max_epoch = 0;
  absl::Time certificate_start_time = absl::InfinitePast();
  absl::Time certificate_expire_time = absl::InfiniteFuture();
  struct InFlight {
    Lease lease;
    bool started = false;
  };
  std::vector<InFlight> in_flight;
  std::vector<Lease> outbox;
};

// What a node reports of an ended attempt.
struct ResultFacts {
  Lease lease;
  Reason reason = Reason::kNone;
  std::string message;
  Evidence evidence;  // of the step that failed
  bool started = true;
  absl::Time start_time;
  absl::Time finish_time;
  std::string steps;
};

// What a node reports of what it keeps: all that is not so, and what was put right.
struct DriftFacts {
  std::vector<Deviation> open, repaired;
  int open_count = 0;
  bool repairs = false;
};

// All live commands and the rules by which they move: states, order, leases, retry, supersession.
// Pure: no I/O, no threads, no clock. Every method appends to `out` what has to be written and
// sent; nothing of it may leave before the mutations are durable. Not thread-safe.
class Queue {
 public:
  Queue(uint64_t term, Random& random, QueuePolicy policy = {});
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // --- after a start ---
  // A live command as it was stored. In any order; before the first Connect.
  void Load(Command command, const Now& now);

  // --- desired state ---
  // Adds a node or changes its stored part.
  void SetNode(const NodeState& node, const Now& now, Changes& out);
  // Stops a kind or a resource key (nothing of it is sent; what was sent goes on), or lets it go
  // on.
  void SetPause(const PauseKey& key, const std::optional<Pause>& pause, const Now& now,
                Changes& out);
  // Tasks that were parked for their node's environment go on if the check covered their reason and
  // did not find it. What no check covers is tried again now and then (BlindDelay).
  void NodeChecked(const NodeCheck& check, const Now& now, Changes& out);
  // Nodes that should be looked at now, because they have not passed a preflight yet, or because
  // tasks are parked for their environment: what a check covers, or what is due to be tried again
  // without one.
  std::vector<std::string> NodesToCheck(const Now& now);
  // The task in front on this node and key goes on if it is parked for its node's environment.
  void RetryParked(const std::string& node, const std::string& resource_key, const Now& now,
                   Changes& out);
  // Ends its session and cancels its unfinished tasks.
  void RemoveNode(absl::string_view name, const Now& now, absl::string_view actor, Changes& out);

  // --- requests ---
  // Earlier tasks on its key that it supersedes end now if they wait; those that are with a node
  // end when they come back without having succeeded.
  void Submit(Command command, const Now& now, Changes& out);
  // What is done to a command is done to its parts, too.
  // Parked and backing-off tasks of the command (of one node if `node` is not empty) are tried now.
  // Errors: NOT_FOUND (UNKNOWN_COMMAND), FAILED_PRECONDITION (NOT_RETRYABLE).
  absl::Status Retry(CommandId id, absl::string_view node, absl::string_view actor, const Now& now,
                     Changes& out);
  // Tries at most `limit` of those parked and backing-off tasks, the oldest first. Returns the
  // tasks that are tried; `remaining` is how many more there are.
  std::vector<std::pair<CommandId, std::string>> RetryMatching(const RetryFilter& filter, int limit,
                                                               absl::string_view actor,
                                                               const Now& now, int& remaining,
                                                               Changes& out);
  // They end as FAILED. Errors as Retry.
  absl::Status Skip(CommandId id, absl::string_view node, absl::string_view actor,
                    absl::string_view note, const Now& now, Changes& out);
  // What waits at the manager ends as CANCELLED; the node is told to give up what it has: before
  // its first step, or after the step it is in, and it reports what took effect. Errors: NOT_FOUND,
  // FAILED_PRECONDITION (COMMAND_FINISHED).
  absl::Status Cancel(CommandId id, absl::string_view actor, const Now& now, Changes& out);

  // --- sessions ---
  // Reconciles what the node has with what the manager thinks. Returns the leases the node should
  // forget. An older session of the node is closed. Errors: NOT_FOUND (the node was removed),
  // FAILED_PRECONDITION (STALE_EPOCH: its epochs are too far ahead to be of this cluster).
  absl::StatusOr<std::vector<Lease>> Connect(const HelloFacts& hello, const Now& now, Changes& out);
  // Nothing if a newer session has taken over.
  void Disconnect(absl::string_view node, uint64_t session, const Now& now, Changes& out);
  // Messages of a session. Those of a lease that is not the task's current one change nothing.
  void Accepted(const Lease& lease, const Now& now, Changes& out);
  void Refused(const Lease& lease, Reason reason, absl::string_view message, const Now& now,
               Changes& out);
  void Progress(const Lease& lease, absl::string_view step, int index, int count, bool wedged,
                const Evidence& evidence, const Now& now, Changes& out);
  void Result(const ResultFacts& result, uint64_t session, const Now& now, Changes& out);
  void Drifted(absl::string_view node, uint64_t session, DriftFacts drift, const Now& now,
               Changes& out);
  void Heard(absl::string_view node, uint64_t session, std::optional<absl::Duration> clock_skew,
             int outbox, const Now& now);

  // --- time ---
  // Backing-off tasks and delayed commands whose time has come; tasks whose not-after has passed.
  void Tick(const Now& now, Changes& out);

  // --- reading ---
  const Command* Find(CommandId id) const;
  const NodeState* FindNode(absl::string_view name) const;
  const std::map<CommandId, Command>& commands() const { return commands_; }
  const std::map<std::string, NodeState, std::less<>>& nodes() const { return nodes_; }
  // The live command with this request id.
  const Command* FindRequest(absl::string_view request_id) const;
  // The command whose unfinished task is next in front of this one on its node and key. Null: none.
  const Command* Ahead(const Command& command, absl::string_view node) const;
  // Some task of this node and key is not finished.
  bool Busy(const std::string& node, const std::string& resource_key) const {
    return lanes_.find({node, resource_key}) != lanes_.end();
  }
  // Null: not paused.
  const Pause* FindPause(const PauseKey& key) const;
  const std::map<PauseKey, Pause>& pauses() const { return pauses_; }
  // Fan-out: how many nodes are at it, and how many are failing.
  static int Underway(const Command& command);
  static int Failing(const Command& command);
  // What no check covers is tried again at this pace at the end.
  static constexpr absl::Duration kLongestBlindDelay = absl::Minutes(10);
  static absl::Duration BlindDelay(int attempt);
  static bool BlindlyDue(const Task& task, const Now& now);
  static bool TooManyFailed(const Command& command);
  // All tasks of the earlier stages are finished, and none of them cancelled or expired.
  static bool StageReached(const Command& command, int stage);
  // The command, and its unfinished parts by stage.
  std::vector<CommandId> WithParts(CommandId id) const;
  // What a part waits for: its whole, whose tasks come first, or a part of a lower stage. Null:
  // nothing.
  const Command* PartWaitsFor(const Command& part) const;
  // How late Tick was called, at worst in the last minute.
  absl::Duration lateness(const Now& now) const;
  size_t live_tasks() const { return live_tasks_; }
  // Commands that somebody submitted, not before `since`, and that have not finished; parts count
  // with their whole. What somebody of the same name submitted before was another's.
  size_t UnfinishedOf(absl::string_view actor, absl::Time since = absl::InfinitePast());
  uint64_t term() const { return term_; }
  const QueueStats& stats() const { return stats_; }
  // Commands that finished since the last call; they are gone from commands() and the caller
  // decides what follows from them.
  std::vector<Command> TakeFinished() { return std::exchange(finished_, {}); }

 private:
  // Who it was, where nobody asked for it.
  static constexpr absl::string_view kManager = "manager";

  // Order is kept per node and resource key: the front may be sent, the rest wait.
  using LaneKey = std::pair<std::string, std::string>;
  struct Ref {
    Command* command = nullptr;
    Task* task = nullptr;
    explicit operator bool() const { return task != nullptr; }
  };

  // What a guarded update compares with.
  struct Before {
    Phase phase;
    int attempt;
    uint64_t epoch;
  };

  // What waits to be sent to a node: the highest priority first, then the oldest.
  using Ready = std::set<std::pair<int, CommandId>>;
  // Tasks of a node that are parked for its environment.
  struct Ailing {
    std::set<CommandId> tasks;
    absl::Duration since = -absl::InfiniteDuration();  // the latest of them
    absl::Duration next_check;
    int checks = 0;
  };

  Ref FindRef(CommandId id, absl::string_view node);
  // The task of this lease, if it is the task's current one.
  Ref FindLease(const Lease& lease);
  NodeState* MutableNode(absl::string_view name);
  // Every unfinished task of a node, in order of key and command.
  std::vector<std::pair<CommandId, std::string>> TasksOf(absl::string_view node) const;

  // Everything that changes a task ends here: one guarded update and one event.
  void Move(Ref ref, Phase to, absl::string_view actor, const Now& now, Changes& out);
  void Record(Ref ref, const Before& before, absl::string_view actor, const Now& now, Changes& out);
  // Before the task's times are those of its new phase.
  void Count(Task& task, Phase before, const Now& now);
  // Ends the task, and with it the command if it was the last one: `ref` is void afterwards.
  void Finish(Ref ref, Outcome outcome, absl::string_view actor, const Now& now, Changes& out);
  // If that was the last of its tasks and parts.
  void FinishIfDone(CommandId id, const Now& now, Changes& out);
  void FinishCommand(CommandId id, const Now& now, Changes& out);
  void PartFinished(const Command& part, const Now& now, Changes& out);
  // Those that may be next are ready now.
  void UpdateReadyParts(CommandId whole);
  void CancelOne(CommandId id, absl::string_view actor, const Now& now, Changes& out);
  void Expire(Ref ref, const Now& now, Changes& out);
  // The node has begun the attempt. Before the task leaves the phase it was in.
  static void Begin(Task& task, const Now& now);
  static void SetTrouble(Task& task, Reason reason, const Now& now);
  void Fail(Ref ref, Reason reason, absl::string_view actor, const Now& now, Changes& out);

  void BackOff(Ref ref, const BackoffPolicy& policy, int n, absl::string_view actor, const Now& now,
               Changes& out);
  // The node does not have what it had accepted: sent again, and the node sees what is there.
  void Lose(Ref ref, const Now& now, Changes& out);
  void AddAttempt(Ref ref, Reason reason, absl::string_view message, const Now& now, Changes& out);
  void Delay(Command& command, const Now& now);
  void TryAgain(Ref ref, absl::string_view actor, const Now& now, Changes& out);
  // The next command on the task's node and key that supersedes it. Null: none.
  const Command* SupersededBy(Ref ref) const;
  void SupersedeWaiting(const Command& by, const Now& now, Changes& out);
  bool EndIfSuperseded(Ref ref, const Now& now, Changes& out);
  // A task that has come back from its node without having succeeded ends if its cancellation was
  // asked for, a newer command superseded it, or it has not begun before its not-after. Whether it
  // did.
  bool EndIfUnwanted(Ref ref, const Now& now, Changes& out);
  Lease LeaseOf(Ref ref) const;
  uint64_t NextEpoch(Changes& out);
  void RaiseTerm(uint64_t term, Changes& out);
  void Send(Ref ref, NodeState& node, const Now& now, Changes& out);
  void DispatchTo(NodeState& node, const Now& now, Changes& out);
  // Sends every node that may be able to take more what it can take.
  void Dispatch(const Now& now, Changes& out);
  // Nothing stands in its way but its node.
  bool MayBeSent(Ref ref) const;
  // Puts the task into or takes it out of its node's ready set, as it should be.
  void UpdateReady(Ref ref);
  void UpdateReadyAll(Command& command);
  void UpdateAiling(Ref ref, const Now& now);
  void UpdateReadyFront(const LaneKey& lane);
  void AddEvent(EventType type, CommandId command, absl::string_view node, absl::string_view actor,
                absl::string_view message, const Now& now, Changes& out);

  uint64_t term_;
  Random& random_;
  const QueuePolicy policy_;
  uint32_t leases_ = 0;  // in this term
  std::map<CommandId, Command> commands_;
  std::map<std::string, NodeState, std::less<>> nodes_;
  std::map<LaneKey, std::set<CommandId>> lanes_;
  // Unfinished parts, by stage, of unfinished commands.
  std::map<CommandId, std::set<std::pair<int, CommandId>>> parts_;
  // By node: those that MayBeSent. Only the node decides.
  std::map<std::string, Ready, std::less<>> ready_;
  std::map<std::string, Ailing, std::less<>> ailing_;  // by node
  std::map<PauseKey, Pause> pauses_;
  std::set<std::string, std::less<>> dirty_;  // nodes to dispatch to
  std::set<std::pair<absl::Duration, std::pair<CommandId, std::string>>> wakes_;
  std::set<std::pair<absl::Time, CommandId>> expiries_;
  std::set<std::pair<absl::Time, CommandId>> starts_;  // delayed commands
  absl::flat_hash_map<std::string, CommandId> requests_;
  std::vector<Command> finished_;
  size_t live_tasks_ = 0;
  QueueStats stats_;
  // By actor, without parts: all, and those of before the time that was asked for last.
  struct Unfinished {
    size_t count = 0;
    absl::Time since = absl::InfinitePast();
    size_t before = 0;
  };
  absl::flat_hash_map<std::string, Unfinished> unfinished_;
  std::optional<absl::Duration> last_tick_;  // monotonic
  absl::Duration worst_gap_;                 // between two ticks, and when the later one was
  absl::Duration worst_gap_at_;
};

// Epochs grow with every lease of the cluster, across restarts: the manager's term in the upper 32
// bits, a counter in the lower.
inline uint64_t TermOfEpoch(uint64_t epoch) { return epoch >> 32; }

}  // namespace hostq::manager
