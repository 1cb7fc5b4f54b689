#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/histogram.h"
#include "common/base/id.h"
#include "common/base/mutex.h"
#include "common/base/random.h"
#include "manager/audit/refusals.h"
#include "manager/domain/findings.h"
#include "manager/domain/origin.h"
#include "manager/domain/plan.h"
#include "manager/domain/queue.h"
#include "manager/domain/throughput.h"
#include "manager/store/store.h"

namespace hostq::manager {

// The cluster's desired state, as far as the engine deals with it. Implemented by manager/cluster.
// Called on the engine's thread only; must not block.
class Resources {
 public:
  virtual ~Resources() = default;
  // A task's attempt ended, well or not.
  virtual ChangeSet AttemptEnded(const Command& command, const Task& task,
                                 const Attempt& attempt) = 0;
  // All tasks of the command are finished.
  virtual ChangeSet CommandFinished(const Command& command) = 0;
  // What to do first with a node that has just connected (its first preflight).
  virtual std::optional<PlannedCommand> NodeConnected(const NodeState& node) = 0;
  // A look at a node whose environment keeps tasks from succeeding (a preflight). Its result comes
  // back as ChangeSet::checks of AttemptEnded.
  virtual std::optional<PlannedCommand> CheckNode(const NodeState& node) = 0;
};

// A connected agent. Methods are called on the engine's thread, after the commit that justifies
// them; they must not block, and must not call the engine.
class AgentSession {
 public:
  virtual ~AgentSession() = default;
  virtual void Assign(const SendAssign& assign) = 0;
  virtual void Acknowledge(const Lease& lease) = 0;
  virtual void Cancel(const Lease& lease) = 0;
  virtual void Close(const absl::Status& status) = 0;
  // Everything of this commit has been handed over: what was gathered may be written.
  virtual void Flush() = 0;
};

struct Submission {
  Origin origin;
  std::string request_id;  // empty: none
  std::string request;     // see Command::request
  // Unfinished commands of this actor since then: no more than so many. 0: no limit.
  size_t max_unfinished = 0;
  absl::Time unfinished_since = absl::InfinitePast();
  absl::Time not_after = absl::InfiniteFuture();
  // See Command.
  absl::Time not_before = absl::InfinitePast();
  int priority = 0;
  int max_parallel = 0;
  int max_failures = -1;
  // Changes the kind's rules of retry. Optional.
  std::function<void(RetryRules&)> retry;
  // Runs on the engine's thread; may look at and change the cluster.
  std::function<absl::StatusOr<PlannedCommand>(const Now&)> plan;
};

struct Submitted {
  Command command;
  bool repeated = false;
};

// What the engine has done since it started. Plain data.
struct EngineStats {
  // Of each transaction: how long it took until it was durable, how many inputs came in its round,
  // and how many rows it writes.
  Histogram commit_seconds{kCallBounds};
  Histogram commit_inputs{kCountBounds};
  Histogram commit_rows{kCountBounds};
  uint64_t failed_commits = 0;
};

struct Welcomed {
  uint64_t session = 0;
  uint64_t term = 0;
  std::vector<Lease> forget;
};

// The one thread that runs the domain: takes everything in its mailbox, applies it to the queue,
// writes all that follows in one transaction, and then releases replies, messages and events. All
// public methods but the constructor, Start and Stop may be called by any thread; they do not
// block. Callbacks run on the engine's thread after the commit, must not block, and may call the
// engine.
//
// Requests whose origin has an act are audited: what was done in the transaction that did it, a
// refusal with the next one. Refusals of one sort are gathered (manager/audit/refusals.h).
//
// A failed commit is sticky: nothing of that batch is acknowledged, and from then on every request
// is answered UNAVAILABLE (STORE_UNAVAILABLE); failed() tells.
class Engine {
 public:
  struct Options {
    // Mutations that justify nothing wait at most this long for company.
    absl::Duration relaxed_flush = absl::Milliseconds(100);
    absl::Duration tick = absl::Milliseconds(250);
    size_t max_live_tasks = 1'000'000;
    // Requests that wait for the engine, and what they hold.
    size_t max_mailbox = 100'000;
    size_t max_mailbox_bytes = 64 << 20;
    QueuePolicy queue;
    // Told of what is not in the audit because the store has failed. Any thread; must not block.
    std::function<void(const AuditEntry&)> unaudited;
  };

  Engine(Store& store, Resources& resources, Clock& clock, Random& random, Options options);
  ~Engine();

  // Makes a new term durable and takes over what `snapshot` (from store.Load()) has. `nodes` are
  // the nodes of the cluster, `pauses` the kinds and keys that are paused. Does not start the
  // thread: call RunOnce, or StartThread.
  absl::Status Start(Snapshot snapshot, std::vector<NodeState> nodes,
                     const std::map<PauseKey, Pause>& pauses = {});
  void StartThread();
  // Ends the thread after the batch it is in; what is left in the mailbox is answered UNAVAILABLE
  // (SHUTTING_DOWN). May be called twice.
  void Stop();

  // One round, for tests and simulation (no thread): handles what is in the mailbox and what is
  // due.
  void RunOnce();

  // --- requests ---
  // Errors: those of `plan`; ALREADY_EXISTS (REQUEST_ID_REUSED); RESOURCE_EXHAUSTED (QUEUE_FULL,
  // KEY_LIMIT_REACHED).
  void Submit(Submission submission, std::function<void(absl::StatusOr<Submitted>)> done);
  // Each as if by a call of Submit, in one commit; an answer for each, in their order.
  using ManyCallback = std::function<void(std::vector<absl::StatusOr<Submitted>>)>;
  void SubmitMany(std::vector<Submission> submissions, ManyCallback done);
  // What Submit would make of it now (without an id), and what would stand in the way of each of
  // its tasks. `plan` must leave the desired state as it is. Errors: those of `plan`.
  struct Tried {
    Command command;
    std::vector<Finding> findings;
  };
  void Try(Submission submission, std::function<void(absl::StatusOr<Tried>)> done);
  // See Queue. The command as it is afterwards.
  using CommandCallback = std::function<void(absl::StatusOr<Command>)>;
  void Retry(CommandId id, std::string node, Origin origin, CommandCallback done);
  struct Retried {
    std::vector<std::pair<CommandId, std::string>> tasks;
    int remaining = 0;
  };
  void RetryMatching(RetryFilter filter, int limit, Origin origin,
                     std::function<void(absl::StatusOr<Retried>)> done);  // NOT_FOUND: the node
  void Skip(CommandId id, std::string node, Origin origin, std::string note, CommandCallback done);
  void Cancel(CommandId id, Origin origin, CommandCallback done);
  // Changes desired state without a command (nodes, tokens). `change` runs on the engine's thread;
  // `done` is told when it is durable, or what `change` returned as error.
  void Change(std::function<absl::StatusOr<ChangeSet>(const Now&)> change, Origin origin,
              std::function<void(absl::Status)> done);
  // Runs `read` on the engine's thread, where queue and cluster may be looked at. It sees what is
  // committed and what is about to be.
  void Read(std::function<void(const Queue&, const Now&)> read);
  // Within Read() only.
  const Throughput& throughput() const { return throughput_; }

  // For what is run by Read: on the engine's thread only.
  const EngineStats& stats() const { return stats_; }
  // Inputs that wait for it. Any thread.
  size_t waiting() const;

  // --- audit ---
  // Writes down what does not pass through a request: who was refused before, say. A refusal is
  // gathered; what is written waits at most `relaxed_flush` for company.
  void Audit(const Origin& origin, const absl::Status& outcome, absl::string_view before = "",
             absl::string_view after = "");
  // Writes the refusals that are still being gathered; for a manager that stops.
  void FlushRefusals();

  // --- sessions ---
  // `hello.session` is ignored; the engine numbers sessions. Errors: as Queue::Connect.
  void Connect(HelloFacts hello, std::shared_ptr<AgentSession> session,
               std::function<void(absl::StatusOr<Welcomed>)> done);
  void Disconnect(std::string node, uint64_t session);
  void Accepted(uint64_t session, Lease lease);
  void Refused(uint64_t session, Lease lease, Reason reason, std::string message);
  void Progress(uint64_t session, Lease lease, std::string step, int index, int count, bool wedged,
                Evidence evidence);
  void Result(uint64_t session, ResultFacts result);
  void Drifted(std::string node, uint64_t session, DriftFacts drift);
  void Heard(std::string node, uint64_t session, std::optional<absl::Duration> clock_skew,
             int outbox);

  // --- events ---
  // `listener` is called on the engine's thread after each commit that wrote events, with the last
  // sequence number; it must not block. Returns a handle for RemoveListener, after which it is not
  // called any more.
  uint64_t AddListener(std::function<void(int64_t)> listener);
  void RemoveListener(uint64_t handle);
  int64_t last_sequence() const;

  // OK until a commit has failed.
  absl::Status failed() const;
  // Since when; meaningless while it is OK.
  absl::Time failed_since() const;

 private:
  using Input = std::function<void(const Now&)>;
  using Reply = std::function<void(const absl::Status&)>;
  struct Listener {
    explicit Listener(std::function<void(int64_t)> f) : function(std::move(f)) {}
    void Call(int64_t sequence);
    Mutex mutex;
    std::function<void(int64_t)> function ABSL_GUARDED_BY(mutex);
  };

  // False: the mailbox is full, and the caller answers. Only what `bounded` says is ever refused;
  // `bytes` is what it holds besides itself.
  bool Post(Input input, bool bounded, size_t bytes = 0);
  // An input that counts only while its session lasts.
  void FromAgent(uint64_t session, Input input);
  void Act(CommandId id, const Origin& origin, const std::string& note,
           std::function<absl::Status(const Now&)> act, CommandCallback done);
  // Of a request that is answered with `outcome`; audited if its origin has an act.
  void Record(const Origin& origin, const absl::Status& outcome, const Now& now,
              absl::string_view before = "", absl::string_view after = "");
  void RecordTasks(const Origin& origin, const std::string& note, size_t first, const Now& now);
  void RecordSubmission(const Origin& origin, const absl::StatusOr<Submitted>& submitted,
                        const Now& now);
  void Write(AuditEntry entry);
  void ReportUnaudited(const Changes& changes) const;
  absl::Status CheckUnfinished(const Submission& submission) const;
  absl::StatusOr<Submitted> DoSubmit(const Submission& submission, const Now& now);
  // With its entry in the audit.
  absl::StatusOr<Submitted> SubmitOne(const Submission& submission, const Now& now);
  absl::Status DoAct(CommandId id, const std::function<absl::Status(const Now&)>& act,
                     const Now& now);
  absl::StatusOr<std::optional<Command>> FindEarlier(const std::string& request_id);
  // Without an id.
  static Command MakeCommand(PlannedCommand& plan, const Submission& submission, const Now& now);
  CommandId Enqueue(PlannedCommand plan, const Submission& submission, const Now& now,
                    CommandId part_of = 0);
  void ApplyChangeSet(ChangeSet changes, absl::string_view actor, const Now& now);
  void EnqueueOwn(PlannedCommand plan, const Now& now);
  void CheckNodes(const Now& now);
  void FollowUp(const Now& now);
  void CommitAndRelease(const Now& now);
  absl::Status Write(const std::vector<Mutation>& mutations);
  void Answer(const absl::Status& status, std::vector<Reply> replies);
  void Release(std::vector<Effect> effects);
  void Announce(int64_t sequence);
  void Fail(const absl::Status& status);
  void Loop();
  Now ReadClocks() const { return {clock_.Now(), clock_.Monotonic()}; }

  Store& store_;
  Resources& resources_;
  Clock& clock_;
  Random& random_;
  const Options options_;

  // The engine's thread only.
  EngineStats stats_;
  size_t inputs_ = 0;  // since the last commit
  std::unique_ptr<Queue> queue_;
  std::unique_ptr<IdSource> ids_;
  Changes changes_;
  absl::flat_hash_set<std::string> uncommitted_requests_;  // of the commands in changes_
  Refusals refusals_;                                      // any thread
  std::vector<Reply> replies_;                             // wait for the commit
  std::vector<Reply> reads_;                               // wait for the end of the round
  int64_t next_sequence_ = 1;
  Throughput throughput_;
  absl::Duration relaxed_since_ = absl::InfiniteDuration();
  absl::Duration next_tick_;
  uint64_t next_session_ = 1;
  absl::flat_hash_map<uint64_t, std::shared_ptr<AgentSession>> sessions_;

  mutable Mutex mutex_;
  CondVar wake_;
  std::vector<Input> mailbox_ ABSL_GUARDED_BY(mutex_);
  size_t mailbox_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failed_ ABSL_GUARDED_BY(mutex_);
  absl::Time failed_since_ ABSL_GUARDED_BY(mutex_);
  int64_t committed_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::pair<uint64_t, std::shared_ptr<Listener>>> listeners_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_listener_ ABSL_GUARDED_BY(mutex_) = 1;

  std::thread thread_;
};

}  // namespace hostq::manager
