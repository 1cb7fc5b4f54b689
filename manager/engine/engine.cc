#include "manager/engine/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "manager/engine/refusal.h"

namespace hostq::manager {
Engine::Engine(Store& store, Resources& resources, Clock& clock, Random& random, Options options)
    : store_(store), resources_(resources), clock_(clock), random_(random), options_(options) {}

Engine::~Engine() { Stop(); }

absl::Status Engine::Start(Snapshot snapshot, std::vector<NodeState> nodes,
                           const std::map<PauseKey, Pause>& pauses) {
  const uint64_t term = snapshot.term + 1;
  const Mutation set_term = SetTerm{term};
  HOSTQ_RETURN_IF_ERROR(store_.Commit(absl::MakeConstSpan(&set_term, 1)));
  queue_ = std::make_unique<Queue>(term, random_, options_.queue);
  ids_ = std::make_unique<IdSource>(random_, snapshot.last_command);
  next_sequence_ = snapshot.last_sequence + 1;
  const Now now = ReadClocks();
  next_tick_ = now.monotonic;
  throughput_ = Throughput(now.monotonic);
  for (NodeState& node : nodes) {
    const auto gone = snapshot.disconnect_times.find(node.name);
    node.since = gone == snapshot.disconnect_times.end() ? now.wall : gone->second;
    queue_->SetNode(node, now, changes_);
  }
  for (const auto& [key, pause] : pauses) queue_->SetPause(key, pause, now, changes_);
  for (Command& command : snapshot.live) queue_->Load(std::move(command), now);
  const MutexLock lock(mutex_);
  committed_sequence_ = snapshot.last_sequence;
  return absl::OkStatus();
}

void Engine::StartThread() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "engine");
    Loop();
  });
}

void Engine::Stop() {
  {
    const MutexLock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  {
    const MutexLock lock(mutex_);
    if (failed_.ok()) {
      failed_ = MakeError(absl::StatusCode::kUnavailable, Reason::kShuttingDown,
                          "the manager is stopping");
    }
  }
  if (queue_ != nullptr) RunOnce();  // answers what is left
}

void Engine::Loop() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      while (mailbox_.empty() && !stopping_) {
        const absl::Duration until =
            std::min(next_tick_, relaxed_since_ + options_.relaxed_flush) - clock_.Monotonic();
        if (until <= absl::ZeroDuration()) break;
        wake_.WaitFor(mutex_, absl::ToChronoMicroseconds(until));
      }
      if (stopping_) return;
    }
    RunOnce();
  }
}

bool Engine::Post(Input input, bool bounded, size_t bytes) {
  {
    const MutexLock lock(mutex_);
    if (bounded && (mailbox_.size() >= options_.max_mailbox ||
                    mailbox_bytes_ + bytes > options_.max_mailbox_bytes)) {
      return false;
    }
    mailbox_bytes_ += bytes;
    mailbox_.push_back(std::move(input));
    if (mailbox_.size() > 1) return true;  // the engine has been woken already
  }
  wake_.NotifyOne();
  return true;
}

absl::Status Engine::failed() const {
  const MutexLock lock(mutex_);
  return failed_;
}

absl::Time Engine::failed_since() const {
  const MutexLock lock(mutex_);
  return failed_since_;
}

size_t Engine::waiting() const {
  const MutexLock lock(mutex_);
  return mailbox_.size();
}

int64_t Engine::last_sequence() const {
  const MutexLock lock(mutex_);
  return committed_sequence_;
}

// --- one round ---

void Engine::RunOnce() {
  std::vector<Input> inputs;
  {
    const MutexLock lock(mutex_);
    inputs.swap(mailbox_);
    mailbox_bytes_ = 0;
  }
  inputs_ = inputs.size();
  const Now now = ReadClocks();
  for (Input& input : inputs) {
    input(now);
    FollowUp(now);
  }
  if (now.monotonic >= next_tick_ && failed().ok()) {
    for (AuditEntry& entry : refusals_.TakeDue(now.monotonic)) Write(std::move(entry));
    queue_->Tick(now, changes_);
    CheckNodes(now);
    FollowUp(now);
    next_tick_ = now.monotonic + options_.tick;
  }
  CommitAndRelease(now);
}

void Engine::FollowUp(const Now& now) {
  // What follows from a finished command may finish others (a removed node's).
  for (std::vector<Command> finished = queue_->TakeFinished(); !finished.empty();
       finished = queue_->TakeFinished()) {
    for (const Command& command : finished) {
      ApplyChangeSet(resources_.CommandFinished(command), "manager", now);
    }
  }
}

void Engine::CheckNodes(const Now& now) {
  for (const std::string& name : queue_->NodesToCheck(now)) {
    std::optional<PlannedCommand> plan = resources_.CheckNode(*queue_->FindNode(name));
    if (!plan) continue;
    if (queue_->Busy(name, plan->resource_key)) {
      // A look that is parked itself is what everybody waits for.
      queue_->RetryParked(name, plan->resource_key, now, changes_);
    } else {
      EnqueueOwn(*std::move(plan), now);
    }
  }
}

void Engine::EnqueueOwn(PlannedCommand plan, const Now& now) {
  Submission submission;
  submission.origin = "manager";
  Enqueue(std::move(plan), submission, now);
}

void Engine::ApplyChangeSet(ChangeSet changes, absl::string_view actor, const Now& now) {
  const bool any = !changes.resources.empty() || !changes.events.empty();
  for (ResourceChange& change : changes.resources) changes_.mutations.push_back(std::move(change));
  for (Event& event : changes.events) {
    event.time = now.wall;
    if (event.actor.empty()) event.actor = std::string(actor);
    changes_.mutations.push_back(std::move(event));
  }
  for (const NodeState& node : changes.nodes) queue_->SetNode(node, now, changes_);
  for (const auto& [key, pause] : changes.pauses) queue_->SetPause(key, pause, now, changes_);
  for (const NodeCheck& check : changes.checks) queue_->NodeChecked(check, now, changes_);
  for (const std::string& node : changes.removed_nodes) {
    queue_->RemoveNode(node, now, actor, changes_);
  }
  for (PlannedCommand& command : changes.commands) EnqueueOwn(std::move(command), now);
  changes_.urgent |= any;
}

void Engine::CommitAndRelease(const Now& now) {
  const bool wanted = changes_.urgent || !replies_.empty() ||
                      now.monotonic - relaxed_since_ >= options_.relaxed_flush;
  if (!wanted) {
    if (!changes_.mutations.empty()) relaxed_since_ = std::min(relaxed_since_, now.monotonic);
    return Answer(absl::OkStatus(), std::exchange(reads_, {}));
  }
  Changes changes = std::exchange(changes_, {});
  uncommitted_requests_.clear();
  relaxed_since_ = absl::InfiniteDuration();
  absl::Status status = failed();
  const int64_t first = next_sequence_;
  if (status.ok() && !changes.mutations.empty()) {
    for (Mutation& mutation : changes.mutations) {
      Event* event = std::get_if<Event>(&mutation);
      if (event == nullptr) continue;
      event->sequence = next_sequence_++;
      throughput_.Count(*event, now.monotonic);
    }
    status = Write(changes.mutations);
    if (!status.ok()) Fail(status);
    if (!status.ok()) ReportUnaudited(changes);
    CrashPoint("manager.after_commit");
    const MutexLock lock(mutex_);
    // Before the replies: who was told of a change finds its events.
    if (status.ok()) committed_sequence_ = next_sequence_ - 1;
  }
  if (!status.ok()) changes.effects.clear();
  if (!replies_.empty()) CrashPoint("manager.before_answer");
  // Replies first: a session learns that it is welcome before it gets work.
  Answer(status.ok() ? status : failed(), std::exchange(replies_, {}));
  Answer(absl::OkStatus(), std::exchange(reads_, {}));
  Release(std::move(changes.effects));
  if (status.ok() && next_sequence_ != first) Announce(next_sequence_ - 1);
}

absl::Status Engine::Write(const std::vector<Mutation>& mutations) {
  const absl::Duration begin = clock_.Monotonic();
  const absl::Status status = store_.Commit(mutations);
  stats_.commit_seconds.Add(clock_.Monotonic() - begin);
  stats_.commit_inputs.Add(static_cast<double>(inputs_));
  stats_.commit_rows.Add(static_cast<double>(mutations.size()));
  if (!status.ok()) ++stats_.failed_commits;
  return status;
}

void Engine::Answer(const absl::Status& status, std::vector<Reply> replies) {
  for (auto& reply : replies) reply(status);
}

void Engine::Fail(const absl::Status& status) {
  const absl::Status sticky =
      MakeError(absl::StatusCode::kUnavailable, Reason::kStoreUnavailable,
                absl::StrCat("the manager cannot write its database and has stopped accepting "
                             "changes: ",
                             status.message()));
  {
    const MutexLock lock(mutex_);
    failed_ = sticky;
    failed_since_ = clock_.Now();
  }
  // What is in memory is ahead of what is stored: nobody may act on it.
  for (const auto& [id, session] : sessions_) session->Close(sticky);
  sessions_.clear();
}

void Engine::Release(std::vector<Effect> effects) {
  std::vector<std::shared_ptr<AgentSession>> touched;
  const auto session = [&](uint64_t id) -> AgentSession* {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return nullptr;
    if (touched.empty() || touched.back() != found->second) touched.push_back(found->second);
    return found->second.get();
  };
  for (const Effect& effect : effects) {
    if (const auto* assign = std::get_if<SendAssign>(&effect)) {
      CrashPoint("manager.before_assign");
      if (AgentSession* to = session(assign->session)) to->Assign(*assign);
    } else if (const auto* ack = std::get_if<SendAck>(&effect)) {
      CrashPoint("manager.before_result_ack");
      if (AgentSession* to = session(ack->session)) to->Acknowledge(ack->lease);
    } else if (const auto* cancel = std::get_if<SendCancel>(&effect)) {
      if (AgentSession* to = session(cancel->session)) to->Cancel(cancel->lease);
    } else if (const auto* close = std::get_if<CloseSession>(&effect)) {
      if (AgentSession* to = session(close->session)) to->Close(close->status);
      sessions_.erase(close->session);
    }
  }
  for (const auto& written : touched) written->Flush();
}

void Engine::Announce(int64_t sequence) {
  std::vector<std::pair<uint64_t, std::shared_ptr<Listener>>> listeners;
  {
    const MutexLock lock(mutex_);
    listeners = listeners_;
  }
  for (const auto& [handle, listener] : listeners) listener->Call(sequence);
}

void Engine::Listener::Call(int64_t sequence) {
  const MutexLock lock(mutex);
  if (function) function(sequence);
}

uint64_t Engine::AddListener(std::function<void(int64_t)> function) {
  auto listener = std::make_shared<Listener>(std::move(function));
  const MutexLock lock(mutex_);
  listeners_.emplace_back(next_listener_, std::move(listener));
  return next_listener_++;
}

void Engine::RemoveListener(uint64_t handle) {
  std::shared_ptr<Listener> removed;
  {
    const MutexLock lock(mutex_);
    const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                    [&](const auto& entry) { return entry.first == handle; });
    if (found == listeners_.end()) return;
    removed = std::move(found->second);
    listeners_.erase(found);
  }
  const MutexLock lock(removed->mutex);  // a call in progress ends first
  removed->function = nullptr;
}

// --- requests ---
// Submissions: engine_submit.cc.

void Engine::Act(CommandId id, const Origin& origin, const std::string& note,
                 std::function<absl::Status(const Now&)> act, CommandCallback done) {
  auto handle = [this, id, origin, note, act = std::move(act), done](const Now& now) {
    const size_t first = changes_.mutations.size();
    if (absl::Status status = DoAct(id, act, now); !status.ok()) {
      Record(origin, status, now);
      return done(status);
    }
    RecordTasks(origin, note, first, now);
    // It may have ended by this; then the store has it after the commit.
    const Command* live = queue_->Find(id);
    replies_.push_back([this, id, done,
                        now_live = live ? std::optional<Command>(*live)
                                        : std::nullopt](const absl::Status& status) {
      if (!status.ok()) return done(status);
      now_live ? done(*now_live) : done(store_.GetCommand(id));
    });
  };
  if (!Post(std::move(handle), true)) {
    done(TooManyRequests());
  }
}

absl::Status Engine::DoAct(CommandId id, const std::function<absl::Status(const Now&)>& act,
                           const Now& now) {
  HOSTQ_RETURN_IF_ERROR(failed());
  if (queue_->Find(id) != nullptr) return act(now);
  // Ended, or never there: the store knows.
  HOSTQ_ASSIGN_OR_RETURN(const Command ended, store_.GetCommand(id));
  return MakeError(
      absl::StatusCode::kFailedPrecondition, Reason::kCommandFinished,
      absl::StrCat("command ", FormatId(id), " has already ended as ", NameOf(ended.state)));
}

void Engine::Retry(CommandId id, std::string node, Origin origin, CommandCallback done) {
  Act(
      id, origin, "",
      [this, id, node, origin](const Now& now) {
        return queue_->Retry(id, node, origin.actor, now, changes_);
      },
      std::move(done));
}

void Engine::RetryMatching(RetryFilter filter, int limit, Origin origin,
                           std::function<void(absl::StatusOr<Retried>)> done) {
  auto handle = [this, filter = std::move(filter), limit, origin = std::move(origin),
                 done](const Now& now) {
    absl::Status refusal = failed();
    if (refusal.ok() && !filter.node.empty() && queue_->FindNode(filter.node) == nullptr) {
      refusal = UnknownNode(filter.node);
    }
    if (!refusal.ok()) {
      Record(origin, refusal, now);
      return done(refusal);
    }
    const size_t first = changes_.mutations.size();
    Retried retried;
    retried.tasks =
        queue_->RetryMatching(filter, limit, origin.actor, now, retried.remaining, changes_);
    RecordTasks(origin, "", first, now);
    replies_.push_back([done, retried = std::move(retried)](const absl::Status& status) {
      status.ok() ? done(retried) : done(status);
    });
  };
  if (!Post(std::move(handle), true)) done(TooManyRequests());
}

void Engine::Skip(CommandId id, std::string node, Origin origin, std::string note,
                  CommandCallback done) {
  Act(
      id, origin, note,
      [this, id, node, origin, note](const Now& now) {
        return queue_->Skip(id, node, origin.actor, note, now, changes_);
      },
      std::move(done));
}

void Engine::Cancel(CommandId id, Origin origin, CommandCallback done) {
  Act(
      id, origin, "",
      [this, id, origin](const Now& now) {
        return queue_->Cancel(id, origin.actor, now, changes_);
      },
      std::move(done));
}

void Engine::Change(std::function<absl::StatusOr<ChangeSet>(const Now&)> change, Origin origin,
                    std::function<void(absl::Status)> done) {
  auto handle = [this, change = std::move(change), origin = std::move(origin),
                 done](const Now& now) {
    const absl::Status usable = failed();
    absl::StatusOr<ChangeSet> changes =
        usable.ok() ? change(now) : absl::StatusOr<ChangeSet>(usable);
    Record(origin, changes.status(), now, changes.ok() ? changes->before : "",
           changes.ok() ? changes->after : "");
    if (!changes.ok()) return done(changes.status());
    ApplyChangeSet(*std::move(changes), origin.actor, now);
    replies_.push_back([done](const absl::Status& status) { done(status); });
  };
  if (!Post(std::move(handle), true)) {
    done(TooManyRequests());
  }
}

void Engine::Read(std::function<void(const Queue&, const Now&)> read) {
  Post(
      [this, read = std::move(read)](const Now& now) {
        reads_.push_back([this, read, now](const absl::Status&) { read(*queue_, now); });
      },
      false);
}

// --- sessions ---

void Engine::Connect(HelloFacts hello, std::shared_ptr<AgentSession> session,
                     std::function<void(absl::StatusOr<Welcomed>)> done) {
  Post(
      [this, hello = std::move(hello), session = std::move(session), done](const Now& now) mutable {
        if (absl::Status status = failed(); !status.ok()) return done(status);
        hello.session = next_session_++;
        sessions_[hello.session] = session;
        absl::StatusOr<std::vector<Lease>> forget = queue_->Connect(hello, now, changes_);
        if (!forget.ok()) {
          sessions_.erase(hello.session);
          return done(forget.status());
        }
        replies_.push_back(
            [done, welcomed = Welcomed{hello.session, queue_->term(), *std::move(forget)}](
                const absl::Status& status) { status.ok() ? done(welcomed) : done(status); });
        const NodeState& node = *queue_->FindNode(hello.node);
        if (std::optional<PlannedCommand> plan = resources_.NodeConnected(node)) {
          EnqueueOwn(*std::move(plan), now);
        }
      },
      false);
}

void Engine::Disconnect(std::string node, uint64_t session) {
  Post(
      [this, node = std::move(node), session](const Now& now) {
        sessions_.erase(session);
        if (failed().ok()) queue_->Disconnect(node, session, now, changes_);
      },
      false);
}

void Engine::FromAgent(uint64_t session, std::function<void(const Now&)> input) {
  Post(
      [this, session, input = std::move(input)](const Now& now) {
        // What an ended session still says is said again by the next one.
        if (failed().ok() && sessions_.contains(session)) input(now);
      },
      false);
}

void Engine::Accepted(uint64_t session, Lease lease) {
  FromAgent(session, [this, lease = std::move(lease)](const Now& now) {
    queue_->Accepted(lease, now, changes_);
  });
}

void Engine::Refused(uint64_t session, Lease lease, Reason reason, std::string message) {
  FromAgent(session,
            [this, lease = std::move(lease), reason, message = std::move(message)](const Now& now) {
              queue_->Refused(lease, reason, message, now, changes_);
            });
}

void Engine::Progress(uint64_t session, Lease lease, std::string step, int index, int count,
                      bool wedged, Evidence evidence) {
  FromAgent(session, [this, lease = std::move(lease), step = std::move(step), index, count, wedged,
                      evidence = std::move(evidence)](const Now& now) {
    queue_->Progress(lease, step, index, count, wedged, evidence, now, changes_);
  });
}

void Engine::Result(uint64_t session, ResultFacts result) {
  FromAgent(session, [this, session, result = std::move(result)](const Now& now) {
    CrashPoint("manager.result_received");
    const Command* command = queue_->Find(result.lease.command);
    const Task* task = command == nullptr ? nullptr : command->FindTask(result.lease.node);
    const bool current = task != nullptr && task->in_flight() &&
                         task->attempt == result.lease.attempt && task->epoch == result.lease.epoch;
    if (current) {
      const Attempt attempt{result.lease.attempt, result.lease.epoch, result.start_time,
                            result.finish_time,   result.reason,      result.message,
                            result.steps};
      ApplyChangeSet(resources_.AttemptEnded(*command, *task, attempt),
                     absl::StrCat("node/", result.lease.node), now);
    }
    queue_->Result(result, session, now, changes_);
  });
}

void Engine::Drifted(std::string node, uint64_t session, DriftFacts drift) {
  FromAgent(session, [this, node = std::move(node), session, drift](const Now& now) {
    queue_->Drifted(node, session, drift, now, changes_);
  });
}

void Engine::Heard(std::string node, uint64_t session, std::optional<absl::Duration> clock_skew,
                   int outbox) {
  FromAgent(session, [this, node = std::move(node), session, clock_skew, outbox](const Now& now) {
    queue_->Heard(node, session, clock_skew, outbox, now);
  });
}

}  // namespace hostq::manager
