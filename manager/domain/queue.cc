#include "manager/domain/queue.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"

namespace hostq::manager {
namespace {

constexpr absl::string_view kManager = "manager";

absl::Status UnknownCommand(CommandId id) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownCommand,
                   absl::StrCat("there is no unfinished command ", FormatId(id)));
}

CommandState StateOf(const Command& command) {
  CommandState state = CommandState::kSucceeded;
  for (const Task& task : command.tasks) {
    if (task.outcome == Outcome::kFailed || task.outcome == Outcome::kExpired) {
      return CommandState::kFailed;
    }
    if (task.outcome == Outcome::kCancelled) state = CommandState::kCancelled;
    if (task.outcome == Outcome::kSuperseded && state == CommandState::kSucceeded) {
      state = CommandState::kSuperseded;
    }
  }
  return state;
}

}  // namespace

Queue::Queue(uint64_t term, Random& random, RetryPolicy policy)
    : term_(term), random_(random), policy_(policy) {}

// --- looking things up ---

const Command* Queue::Find(CommandId id) const {
  const auto found = commands_.find(id);
  return found == commands_.end() ? nullptr : &found->second;
}

const NodeState* Queue::FindNode(absl::string_view name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

NodeState* Queue::MutableNode(absl::string_view name) {
  return const_cast<NodeState*>(std::as_const(*this).FindNode(name));
}

const Command* Queue::FindRequest(absl::string_view request_id) const {
  const auto found = requests_.find(request_id);
  return found == requests_.end() ? nullptr : Find(found->second);
}

const Command* Queue::Ahead(const Command& command, absl::string_view node) const {
  const auto lane = lanes_.find({std::string(node), command.resource_key});
  if (lane == lanes_.end()) return nullptr;
  const auto at = lane->second.find(command.id);
  if (at == lane->second.end() || at == lane->second.begin()) return nullptr;
  return Find(*std::prev(at));
}

bool Queue::StageReached(const Command& command, int stage) {
  return std::none_of(command.tasks.begin(), command.tasks.end(), [&](const Task& task) {
    return task.stage < stage && (task.live() || task.outcome == Outcome::kCancelled ||
                                  task.outcome == Outcome::kExpired);
  });
}

Queue::Ref Queue::FindRef(CommandId id, absl::string_view node) {
  const auto found = commands_.find(id);
  if (found == commands_.end()) return {};
  return {&found->second, found->second.FindTask(node)};
}

Queue::Ref Queue::FindLease(const Lease& lease) {
  const Ref ref = FindRef(lease.command, lease.node);
  if (!ref || !ref.task->in_flight()) return {};
  if (ref.task->attempt != lease.attempt || ref.task->epoch != lease.epoch) return {};
  return ref;
}

std::vector<std::pair<CommandId, std::string>> Queue::TasksOf(absl::string_view node) const {
  std::vector<std::pair<CommandId, std::string>> tasks;
  const std::string name(node);
  for (auto lane = lanes_.lower_bound({name, ""});
       lane != lanes_.end() && lane->first.first == name; ++lane) {
    for (const CommandId id : lane->second) tasks.emplace_back(id, name);
  }
  return tasks;
}

Lease Queue::LeaseOf(Ref ref) const {
  return {ref.command->id, ref.task->node, ref.task->attempt, ref.task->epoch};
}

// --- after a start ---

void Queue::Load(Command command, const Now& now) {
  const CommandId id = command.id;
  Command& loaded = commands_[id] = std::move(command);
  if (!loaded.request_id.empty()) requests_[loaded.request_id] = id;
  if (loaded.not_after != absl::InfiniteFuture()) expiries_.emplace(loaded.not_after, id);
  for (Task& task : loaded.tasks) {
    task.phase_monotonic = task.progress_monotonic = now.monotonic;
    if (!task.live()) continue;
    ++live_tasks_;
    lanes_[{task.node, loaded.resource_key}].insert(id);
    if (task.in_flight()) {
      if (NodeState* node = MutableNode(task.node)) ++node->in_flight;
    }
    if (task.phase == Phase::kBackingOff) {
      const absl::Duration left = task.next_attempt_time - now.wall;
      task.wake_monotonic =
          now.monotonic + std::clamp(left, absl::ZeroDuration(), absl::Minutes(5));
      wakes_.insert({task.wake_monotonic, {id, task.node}});
    }
  }
  // A command loaded later may belong in front of this one: decided when its node connects.
}

// --- desired state ---

void Queue::SetNode(const NodeState& node, const Now& now, Changes& out) {
  NodeState& mine = nodes_[node.name];
  if (mine.name.empty()) {
    mine.name = node.name;
    mine.since = now.wall;
  }
  mine.roles = node.roles;
  mine.joined = node.joined;
  mine.admitted = node.admitted;
  mine.draining = node.draining;
  mine.paused = node.paused;
  mine.paused_by = node.paused_by;
  mine.pause_note = node.pause_note;
  mine.pause_time = node.pause_time;
  dirty_.insert(node.name);
  Dispatch(now, out);
}

void Queue::RemoveNode(absl::string_view name, const Now& now, absl::string_view actor,
                       Changes& out) {
  NodeState* node = MutableNode(name);
  if (node == nullptr) return;
  node->draining = true;
  for (const auto& [id, node_name] : TasksOf(name)) {
    const Ref ref = FindRef(id, node_name);
    if (!ref) continue;
    ref.task->reason = Reason::kNodeDraining;
    ref.task->message = absl::StrCat("the node was removed by ", actor);
    Finish(ref, Outcome::kCancelled, actor, now, out);
  }
  if (node->connected()) {
    out.effects.push_back(
        CloseSession{node->name, node->session,
                     MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAuthorized,
                               absl::StrCat("node ", name, " was removed from the cluster"))});
  }
  ready_.erase(node->name);
  dirty_.erase(node->name);
  nodes_.erase(nodes_.find(name));
  out.urgent = true;
  Dispatch(now, out);
}

// --- requests ---

void Queue::Submit(Command command, const Now& now, Changes& out) {
  HOSTQ_CHECK(!command.tasks.empty() && commands_.count(command.id) == 0);
  const CommandId id = command.id;
  Command& mine = commands_[id] = std::move(command);
  for (Task& task : mine.tasks) {
    task.phase_time = now.wall;
    task.phase_monotonic = task.progress_monotonic = now.monotonic;
  }
  live_tasks_ += mine.tasks.size();
  if (!mine.request_id.empty()) requests_[mine.request_id] = id;
  if (mine.not_after != absl::InfiniteFuture()) expiries_.emplace(mine.not_after, id);
  out.mutations.push_back(InsertCommand{mine});
  AddEvent(EventType::kCommandCreated, id, "", mine.actor,
           absl::StrCat(mine.kind, " ", mine.resource_key), now, out);
  for (Task& task : mine.tasks) lanes_[{task.node, mine.resource_key}].insert(id);
  if (!mine.supersedes.empty()) SupersedeWaiting(mine, now, out);
  for (Task& task : mine.tasks) UpdateReady({&mine, &task});
  out.urgent = true;
  Dispatch(now, out);
}

const Command* Queue::SupersededBy(Ref ref) const {
  const auto lane = lanes_.find({ref.task->node, ref.command->resource_key});
  if (lane == lanes_.end()) return nullptr;
  for (auto at = lane->second.upper_bound(ref.command->id); at != lane->second.end(); ++at) {
    const Command& newer = commands_.at(*at);
    for (const std::string& kind : newer.supersedes) {
      if (kind == "*" || kind == ref.command->kind) return &newer;
    }
  }
  return nullptr;
}

void Queue::SupersedeWaiting(const Command& by, const Now& now, Changes& out) {
  std::vector<std::pair<CommandId, std::string>> waiting;
  for (const Task& task : by.tasks) {
    for (const CommandId id : lanes_.at({task.node, by.resource_key})) {
      const Ref older = FindRef(id, task.node);
      if (older.task->waiting()) waiting.emplace_back(id, task.node);
    }
  }
  for (const auto& [id, node] : waiting) {
    // Ending an earlier one may have ended this one too (its command's later stage).
    if (const Ref ref = FindRef(id, node); ref && ref.task->waiting()) {
      EndIfSuperseded(ref, now, out);
    }
  }
}

bool Queue::EndIfSuperseded(Ref ref, const Now& now, Changes& out) {
  const Command* newer = SupersededBy(ref);
  if (newer == nullptr) return false;
  ref.task->reason = Reason::kNone;
  ref.task->message = absl::StrCat("superseded by ", newer->kind, " ", FormatId(newer->id));
  Finish(ref, Outcome::kSuperseded, newer->actor, now, out);
  return true;
}

bool Queue::EndIfCancelled(Ref ref, const Now& now, Changes& out) {
  if (!ref.task->cancel_requested) return false;
  ref.task->message = "cancelled; the node does not have it";
  Finish(ref, Outcome::kCancelled, kManager, now, out);
  return true;
}

absl::Status Queue::Retry(CommandId id, absl::string_view node, absl::string_view actor,
                          const Now& now, Changes& out) {
  const auto found = commands_.find(id);
  if (found == commands_.end()) return UnknownCommand(id);
  bool any = false;
  for (Task& task : found->second.tasks) {
    if (!node.empty() && task.node != node) continue;
    if (task.phase != Phase::kParked && task.phase != Phase::kBackingOff) continue;
    any = true;
    task.failures = task.losses = 0;
    Move({&found->second, &task}, Phase::kQueued, actor, now, out);
  }
  if (!any) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kNotRetryable,
        absl::StrCat("no task of command ", FormatId(id), " is parked or backing off"));
  }
  Dispatch(now, out);
  return absl::OkStatus();
}

absl::Status Queue::Skip(CommandId id, absl::string_view node, absl::string_view actor,
                         absl::string_view note, const Now& now, Changes& out) {
  const auto found = commands_.find(id);
  if (found == commands_.end()) return UnknownCommand(id);
  std::vector<std::string> nodes;
  for (const Task& task : found->second.tasks) {
    const bool retryable = task.phase == Phase::kParked || task.phase == Phase::kBackingOff;
    if (retryable && (node.empty() || task.node == node)) nodes.push_back(task.node);
  }
  if (nodes.empty()) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kNotRetryable,
        absl::StrCat("no task of command ", FormatId(id), " is parked or backing off"));
  }
  for (const std::string& name : nodes) {
    const Ref ref = FindRef(id, name);
    if (!ref) continue;
    ref.task->message =
        absl::StrCat("skipped by ", actor, ": ", note, " (last failure: ", ref.task->message, ")");
    Finish(ref, Outcome::kFailed, actor, now, out);
  }
  Dispatch(now, out);
  return absl::OkStatus();
}

absl::Status Queue::Cancel(CommandId id, absl::string_view actor, const Now& now, Changes& out) {
  const auto found = commands_.find(id);
  if (found == commands_.end()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kCommandFinished,
                     absl::StrCat("command ", FormatId(id), " has already ended"));
  }
  std::vector<std::string> waiting;
  for (Task& task : found->second.tasks) {
    if (task.waiting()) waiting.push_back(task.node);
    if (!task.in_flight()) continue;
    task.cancel_requested = true;
    const NodeState* node = FindNode(task.node);
    if (node != nullptr && node->connected()) {
      out.effects.push_back(SendCancel{task.node, node->session, LeaseOf({&found->second, &task})});
    }
  }
  for (const std::string& name : waiting) {
    const Ref ref = FindRef(id, name);
    if (!ref || !ref.task->waiting()) continue;
    ref.task->message = absl::StrCat("cancelled by ", actor);
    Finish(ref, Outcome::kCancelled, actor, now, out);
  }
  out.urgent = true;
  Dispatch(now, out);
  return absl::OkStatus();
}

// --- moving tasks ---

void Queue::AddEvent(EventType type, CommandId command, absl::string_view node,
                     absl::string_view actor, absl::string_view message, const Now& now,
                     Changes& out) {
  Event event;
  event.time = now.wall;
  event.type = type;
  event.command = command;
  event.node = std::string(node);
  event.actor = std::string(actor);
  event.message = std::string(message);
  out.mutations.push_back(std::move(event));
}

void Queue::Move(Ref ref, Phase to, absl::string_view actor, const Now& now, Changes& out) {
  const Before before{ref.task->phase, ref.task->attempt, ref.task->epoch};
  ref.task->phase = to;
  Record(ref, before, actor, now, out);
}

void Queue::Record(Ref ref, const Before& before, absl::string_view actor, const Now& now,
                   Changes& out) {
  Task& task = *ref.task;
  const bool was_in_flight = before.phase == Phase::kLeased || before.phase == Phase::kAccepted ||
                             before.phase == Phase::kRunning || before.phase == Phase::kUnknown;
  if (was_in_flight != task.in_flight()) {
    if (NodeState* node = MutableNode(task.node)) {
      node->in_flight += task.in_flight() ? 1 : -1;
      dirty_.insert(node->name);
    }
  }
  if (before.phase == Phase::kBackingOff) {
    wakes_.erase({task.wake_monotonic, {ref.command->id, task.node}});
    task.next_attempt_time = absl::InfiniteFuture();
  }
  task.phase_time = now.wall;
  task.phase_monotonic = task.progress_monotonic = now.monotonic;
  if (!task.in_flight()) {
    task.step.clear();
    task.step_index = task.step_count = 0;
    task.wedged = false;
  }
  Event event;
  event.time = now.wall;
  event.type = EventType::kTaskChanged;
  event.command = ref.command->id;
  event.node = task.node;
  event.attempt = task.attempt;
  event.from_phase = static_cast<int>(before.phase);
  event.to_phase = static_cast<int>(task.phase);
  event.outcome = task.outcome;
  event.reason = task.phase == Phase::kQueued || task.in_flight() ? Reason::kNone : task.reason;
  event.actor = std::string(actor);
  if (event.reason != Reason::kNone || !task.live()) event.message = task.message;
  out.mutations.push_back(
      UpdateTask{ref.command->id, before.phase, before.attempt, before.epoch, task});
  out.mutations.push_back(std::move(event));
  // What the next hello tells again may wait for company; everything else is written now.
  out.urgent |= task.phase != Phase::kAccepted && task.phase != Phase::kRunning;
  UpdateReady(ref);
}

void Queue::Finish(Ref ref, Outcome outcome, absl::string_view actor, const Now& now,
                   Changes& out) {
  Command& command = *ref.command;
  const CommandId id = command.id;
  const LaneKey lane{ref.task->node, command.resource_key};
  const Before before{ref.task->phase, ref.task->attempt, ref.task->epoch};
  if (outcome == Outcome::kSucceeded) {
    ref.task->reason = Reason::kNone;
    ref.task->message.clear();
    ref.task->evidence.clear();
  }
  ref.task->phase = Phase::kFinished;
  ref.task->outcome = outcome;
  const auto members = lanes_.find(lane);
  if (members != lanes_.end()) {
    members->second.erase(id);
    if (members->second.empty()) lanes_.erase(members);
  }
  --live_tasks_;
  Record(ref, before, actor, now, out);
  UpdateReadyFront(lane);
  if (outcome == Outcome::kCancelled || outcome == Outcome::kExpired) {
    // What was to follow this task must not happen without it.
    std::vector<std::string> later;
    for (const Task& task : command.tasks) {
      if (task.stage > ref.task->stage && task.waiting()) later.push_back(task.node);
    }
    for (const std::string& node : later) {
      const Ref next = FindRef(id, node);
      if (!next || !next.task->waiting()) continue;
      next.task->message = outcome == Outcome::kCancelled
                               ? "an earlier stage was cancelled"
                               : "an earlier stage was not started in time";
      Finish(next, outcome, actor, now, out);
    }
    if (Find(id) == nullptr) return;  // the last of them ended the command
  }
  for (Task& task : command.tasks) UpdateReady({&command, &task});
  const bool done = std::none_of(command.tasks.begin(), command.tasks.end(),
                                 [](const Task& task) { return task.live(); });
  if (done) FinishCommand(id, now, out);
}

void Queue::FinishCommand(CommandId id, const Now& now, Changes& out) {
  const auto found = commands_.find(id);
  Command& command = found->second;
  command.state = StateOf(command);
  command.finish_time = now.wall;
  out.mutations.push_back(hostq::manager::FinishCommand{id, command.state, now.wall});
  AddEvent(EventType::kCommandFinished, id, "", kManager, NameOf(command.state), now, out);
  if (!command.request_id.empty()) requests_.erase(command.request_id);
  expiries_.erase({command.not_after, id});
  finished_.push_back(std::move(command));
  commands_.erase(found);
}

void Queue::BackOff(Ref ref, const BackoffPolicy& policy, int n, absl::string_view actor,
                    const Now& now, Changes& out) {
  const absl::Duration delay = BackoffDelay(policy, n, random_);
  const Before before{ref.task->phase, ref.task->attempt, ref.task->epoch};
  ref.task->phase = Phase::kBackingOff;
  ref.task->next_attempt_time = now.wall + delay;
  ref.task->wake_monotonic = now.monotonic + delay;
  wakes_.insert({ref.task->wake_monotonic, {ref.command->id, ref.task->node}});
  Record(ref, before, actor, now, out);
}

void Queue::Fail(Ref ref, Reason reason, absl::string_view actor, const Now& now, Changes& out) {
  if (EndIfSuperseded(ref, now, out)) return;
  Task& task = *ref.task;
  task.reason = reason;
  if (reason == Reason::kInterrupted) {
    ++task.interruptions;
    return BackOff(ref, policy_.refusal, task.interruptions, actor, now, out);
  }
  switch (InfoOf(reason).reason_class) {
    case ReasonClass::kEnvironment:
      return BackOff(ref, policy_.environment, task.attempt, actor, now, out);
    case ReasonClass::kConflict:
    case ReasonClass::kInvalid:
      return Move(ref, Phase::kParked, actor, now, out);
    case ReasonClass::kFinal:
      return Finish(ref, Outcome::kFailed, actor, now, out);
    case ReasonClass::kTransient:
    case ReasonClass::kWait:
    case ReasonClass::kRefusal:
      break;
  }
  if (++task.failures >= policy_.max_transient_failures) {
    return Move(ref, Phase::kParked, actor, now, out);
  }
  BackOff(ref, policy_.transient, task.failures, actor, now, out);
}

void Queue::Lose(Ref ref, const Now& now, Changes& out) {
  ++ref.task->losses;
  ref.task->reason = Reason::kOutcomeUnknown;
  ref.task->message = "the node no longer has what it had accepted (was its journal lost?)";
  if (ref.task->phase != Phase::kUnknown) Move(ref, Phase::kUnknown, kManager, now, out);
  if (EndIfCancelled(ref, now, out)) return;
  if (EndIfSuperseded(ref, now, out)) return;
  if (ref.task->losses > policy_.max_losses) {
    return Move(ref, Phase::kParked, kManager, now, out);
  }
  // Every step looks before it acts: sending it again reads back what is there.
  Move(ref, Phase::kQueued, kManager, now, out);
}

// --- dispatch ---

void Queue::UpdateReady(Ref ref) {
  const Task& task = *ref.task;
  const auto lane = lanes_.find({task.node, ref.command->resource_key});
  const bool front = lane != lanes_.end() && *lane->second.begin() == ref.command->id;
  if (front && task.phase == Phase::kQueued && StageReached(*ref.command, task.stage)) {
    if (ready_[task.node].insert(ref.command->id).second) dirty_.insert(task.node);
    return;
  }
  const auto ready = ready_.find(task.node);
  if (ready != ready_.end()) ready->second.erase(ref.command->id);
}

void Queue::UpdateReadyFront(const LaneKey& lane) {
  const auto members = lanes_.find(lane);
  if (members == lanes_.end()) return;
  const Ref front = FindRef(*members->second.begin(), lane.first);
  if (front) UpdateReady(front);
}

uint64_t Queue::NextEpoch(Changes& out) {
  if (leases_ == std::numeric_limits<uint32_t>::max()) RaiseTerm(term_ + 1, out);
  return (term_ << 32) | ++leases_;
}

void Queue::RaiseTerm(uint64_t term, Changes& out) {
  term_ = term;
  leases_ = 0;
  out.mutations.push_back(SetTerm{term_});
  out.urgent = true;
}

void Queue::Send(Ref ref, NodeState& node, const Now& now, Changes& out) {
  Task& task = *ref.task;
  const Before before{task.phase, task.attempt, task.epoch};
  ++task.attempt;
  task.epoch = NextEpoch(out);
  task.phase = Phase::kLeased;
  Record(ref, before, kManager, now, out);
  out.effects.push_back(SendAssign{node.name, node.session, LeaseOf(ref), ref.command->kind,
                                   ref.command->resource_key, ref.command->work, node.roles,
                                   ref.command->timeout});
}

void Queue::DispatchTo(NodeState& node, const Now& now, Changes& out) {
  if (!node.connected() || node.paused || node.draining) return;
  const auto ready = ready_.find(node.name);
  if (ready == ready_.end()) return;
  // A copy: sending takes members out.
  const std::vector<CommandId> candidates(ready->second.begin(), ready->second.end());
  for (const CommandId id : candidates) {
    if (node.in_flight >= node.credits) return;
    const Ref ref = FindRef(id, node.name);
    HOSTQ_CHECK(ref);
    if (ref.command->needs_ready && !node.admitted) continue;
    if (std::find(node.kinds.begin(), node.kinds.end(), ref.command->kind) == node.kinds.end()) {
      continue;
    }
    Send(ref, node, now, out);
  }
}

void Queue::Dispatch(const Now& now, Changes& out) {
  // Sending marks its node again; what it can take it has.
  for (const std::string& name : std::exchange(dirty_, {})) {
    if (NodeState* node = MutableNode(name)) DispatchTo(*node, now, out);
  }
  dirty_.clear();
}

// --- time ---

void Queue::Tick(const Now& now, Changes& out) {
  while (!wakes_.empty() && wakes_.begin()->first <= now.monotonic) {
    const auto [id, node] = wakes_.begin()->second;
    const Ref ref = FindRef(id, node);
    HOSTQ_CHECK(ref && ref.task->phase == Phase::kBackingOff);
    Move(ref, Phase::kQueued, kManager, now, out);
  }
  while (!expiries_.empty() && expiries_.begin()->first <= now.wall) {
    const CommandId id = expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    std::vector<std::string> never_started;
    for (const Task& task : commands_.at(id).tasks) {
      if (task.waiting() && task.attempt == 0) never_started.push_back(task.node);
    }
    for (const std::string& node : never_started) {
      const Ref ref = FindRef(id, node);
      if (!ref || !ref.task->waiting()) continue;
      ref.task->message = "it was not started before its not-after time";
      Finish(ref, Outcome::kExpired, kManager, now, out);
    }
  }
  Dispatch(now, out);
}

}  // namespace hostq::manager
