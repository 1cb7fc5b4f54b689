#include "manager/domain/queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"

namespace hostq::manager {
namespace {

absl::Status UnknownCommand(CommandId id) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownCommand,
                   absl::StrCat("there is no unfinished command ", FormatId(id)));
}

absl::Status NotRetryable(const Command& command, absl::string_view node) {
  const Task* task = node.empty() ? nullptr : command.FindTask(node);
  if (!node.empty() && task == nullptr) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownCommand,
                     absl::StrCat("command ", FormatId(command.id), " has no task on ", node));
  }
  return MakeError(
      absl::StatusCode::kFailedPrecondition, Reason::kNotRetryable,
      task == nullptr
          ? absl::StrCat("no task of command ", FormatId(command.id), " is parked or backing off")
          : absl::StrCat("task ", TaskIdOf(command.id, node), " is ",
                         task->live() ? NameOf(task->phase) : NameOf(task->outcome),
                         ", and not parked or backing off"));
}

}  // namespace

Queue::Queue(uint64_t term, Random& random, QueuePolicy policy)
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

size_t Queue::UnfinishedOf(absl::string_view actor, absl::Time since) {
  const auto found = unfinished_.find(actor);
  if (found == unfinished_.end()) return 0;
  Unfinished& mine = found->second;
  if (mine.since != since) {  // once for each key of this name
    mine.since = since;
    mine.before = static_cast<size_t>(
        std::count_if(commands_.begin(), commands_.end(), [&](const auto& entry) {
          const Command& command = entry.second;
          return command.part_of == 0 && command.actor == actor && command.create_time < since;
        }));
  }
  return mine.count - mine.before;
}

const Command* Queue::FindRequest(absl::string_view request_id) const {
  const auto found = requests_.find(request_id);
  return found == requests_.end() ? nullptr : Find(found->second);
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
  Delay(loaded, now);
  if (loaded.part_of != 0) parts_[loaded.part_of].emplace(loaded.part_stage, id);
  if (!loaded.request_id.empty()) requests_[loaded.request_id] = id;
  if (loaded.part_of == 0) ++unfinished_[loaded.actor].count;
  if (loaded.not_after != absl::InfiniteFuture()) expiries_.emplace(loaded.not_after, id);
  for (Task& task : loaded.tasks) {
    task.phase_monotonic = task.progress_monotonic = task.cancel_monotonic = now.monotonic;
    task.queued_monotonic = now.monotonic;
    if (!task.live()) continue;
    UpdateAiling({&loaded, &task}, now);
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
    mine.since = node.since == absl::Time() ? now.wall : node.since;
  }
  mine.roles = node.roles;
  mine.joined = node.joined;
  mine.admitted = node.admitted;
  mine.failed_checks = node.failed_checks;
  mine.awaits_accounts = node.awaits_accounts;
  mine.draining = node.draining;
  mine.paused = node.paused;
  mine.paused_by = node.paused_by;
  mine.pause_note = node.pause_note;
  mine.pause_time = node.pause_time;
  mine.banned = node.banned;
  mine.banned_by = node.banned_by;
  mine.ban_note = node.ban_note;
  mine.ban_time = node.ban_time;
  if (!mine.connected()) mine.certificate_expire_time = node.certificate_expire_time;
  mine.old_manager_address = node.old_manager_address;
  dirty_.insert(node.name);
  Dispatch(now, out);
}

void Queue::SetPause(const PauseKey& key, const std::optional<Pause>& pause, const Now& now,
                     Changes& out) {
  if (pause) {
    pauses_[key] = *pause;
  } else {
    pauses_.erase(key);
  }
  for (auto& [id, command] : commands_) {
    if (key.second == (key.first == PauseScope::kKind ? command.kind : command.resource_key)) {
      UpdateReadyAll(command);
    }
  }
  Dispatch(now, out);
}

const Pause* Queue::FindPause(const PauseKey& key) const {
  const auto found = pauses_.find(key);
  return found == pauses_.end() ? nullptr : &found->second;
}

// How long what no check can see stays parked after an attempt.
absl::Duration Queue::BlindDelay(int attempt) {
  return std::min(kLongestBlindDelay, absl::Seconds(30) * (1 << std::clamp(attempt - 1, 0, 10)));
}

bool Queue::BlindlyDue(const Task& task, const Now& now) {
  return !IsCovered(task.reason) &&
         now.monotonic - task.phase_monotonic >= BlindDelay(task.attempt);
}

std::vector<std::string> Queue::NodesToCheck(const Now& now) {
  std::vector<std::string> due;
  for (const auto& [name, node] : nodes_) {
    if (node.joined && node.connected() && !node.admitted) ailing_.try_emplace(name);
  }
  for (auto& [name, ailing] : ailing_) {
    const NodeState* node = FindNode(name);
    const bool answers = node != nullptr && node->connected() && !node->paused && !node->draining;
    if (!answers || ailing.next_check > now.monotonic) continue;
    const std::string& node_name = name;
    const bool wanted = std::any_of(ailing.tasks.begin(), ailing.tasks.end(), [&](CommandId id) {
      const Task& task = *FindRef(id, node_name).task;
      return IsCovered(task.reason) || BlindlyDue(task, now);
    });
    if (node->admitted && !wanted) {
      ailing.next_check = now.monotonic + policy_.check.initial;
      continue;
    }
    ailing.next_check = now.monotonic + BackoffDelay(policy_.check, ++ailing.checks, random_);
    due.push_back(name);
  }
  return due;
}

void Queue::NodeChecked(const NodeCheck& check, const Now& now, Changes& out) {
  const auto found = ailing_.find(check.node);
  if (found == ailing_.end()) return;
  for (const CommandId id : std::set<CommandId>(found->second.tasks)) {
    const Ref ref = FindRef(id, check.node);
    const Task& task = *ref.task;
    if (task.phase_monotonic > check.begin) continue;
    const auto in = [&](const std::vector<Reason>& reasons) {
      return std::find(reasons.begin(), reasons.end(), task.reason) != reasons.end();
    };
    const bool mended = in(check.covered) && !in(check.reasons);
    if (mended || BlindlyDue(task, now)) Move(ref, Phase::kQueued, kManager, now, out);
  }
  Dispatch(now, out);
}

void Queue::RetryParked(const std::string& node, const std::string& resource_key, const Now& now,
                        Changes& out) {
  const auto lane = lanes_.find({node, resource_key});
  if (lane == lanes_.end()) return;
  const Ref front = FindRef(*lane->second.begin(), node);
  const bool ails = front.task->phase == Phase::kParked &&
                    InfoOf(front.task->reason).reason_class == ReasonClass::kEnvironment;
  if (!ails) return;
  Move(front, Phase::kQueued, kManager, now, out);
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
    task.phase_monotonic = task.queued_monotonic = task.progress_monotonic = now.monotonic;
  }
  ++stats_.commands;
  live_tasks_ += mine.tasks.size();
  if (!mine.request_id.empty()) requests_[mine.request_id] = id;
  if (mine.part_of == 0) ++unfinished_[mine.actor].count;
  if (mine.not_after != absl::InfiniteFuture()) expiries_.emplace(mine.not_after, id);
  Delay(mine, now);
  if (const auto whole = commands_.find(mine.part_of); whole != commands_.end()) {
    parts_[mine.part_of].emplace(mine.part_stage, id);
    ++whole->second.parts[CommandState::kActive];
  }
  out.mutations.push_back(InsertCommand{mine});
  AddEvent(EventType::kCommandCreated, id, "", mine.actor,
           absl::StrCat(mine.kind, " ", mine.resource_key), now, out);
  for (Task& task : mine.tasks) lanes_[{task.node, mine.resource_key}].insert(id);
  if (!mine.delayed && !mine.supersedes.empty()) SupersedeWaiting(mine, now, out);
  UpdateReadyAll(mine);
  out.urgent = true;
  Dispatch(now, out);
}

void Queue::Delay(Command& command, const Now& now) {
  command.delayed = command.not_before > now.wall;
  if (command.delayed) starts_.emplace(command.not_before, command.id);
}

const Command* Queue::SupersededBy(Ref ref) const {
  const auto lane = lanes_.find({ref.task->node, ref.command->resource_key});
  if (lane == lanes_.end()) return nullptr;
  for (auto at = lane->second.upper_bound(ref.command->id); at != lane->second.end(); ++at) {
    const Command& newer = commands_.at(*at);
    if (newer.delayed) continue;
    for (const std::string& kind : newer.supersedes) {
      if (kind == "*" || kind == ref.command->kind) return &newer;
    }
  }
  return nullptr;
}

void Queue::SupersedeWaiting(const Command& by, const Now& now, Changes& out) {
  std::vector<std::pair<CommandId, std::string>> waiting;
  for (const Task& task : by.tasks) {
    if (!task.live()) continue;  // a delayed command may have been skipped on a node
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

// Orders a budget anew.
void Queue::TryAgain(Ref ref, absl::string_view actor, const Now& now, Changes& out) {
  ref.task->failures = ref.task->losses = 0;
  ref.task->loss_time = absl::InfinitePast();
  Move(ref, Phase::kQueued, actor, now, out);
}

std::vector<std::pair<CommandId, std::string>> Queue::RetryMatching(const RetryFilter& filter,
                                                                    int limit,
                                                                    absl::string_view actor,
                                                                    const Now& now, int& remaining,
                                                                    Changes& out) {
  std::vector<std::pair<CommandId, std::string>> tried;
  remaining = 0;
  for (auto& [id, command] : commands_) {
    if (!filter.kind.empty() && command.kind != filter.kind) continue;
    for (Task& task : command.tasks) {
      if (task.phase != Phase::kParked && task.phase != Phase::kBackingOff) continue;
      if (filter.reason != Reason::kNone && task.reason != filter.reason) continue;
      if (!filter.node.empty() && task.node != filter.node) continue;
      if (static_cast<int>(tried.size()) == limit) {
        ++remaining;
        continue;
      }
      tried.emplace_back(id, task.node);
      TryAgain({&command, &task}, actor, now, out);
    }
  }
  Dispatch(now, out);
  return tried;
}

absl::Status Queue::Retry(CommandId id, absl::string_view node, absl::string_view actor,
                          const Now& now, Changes& out) {
  const Command* const command = Find(id);
  if (command == nullptr) return UnknownCommand(id);
  bool any = false;
  for (const CommandId each : WithParts(id)) {
    Command& mine = commands_.at(each);
    for (Task& task : mine.tasks) {
      if (!node.empty() && task.node != node) continue;
      if (task.phase != Phase::kParked && task.phase != Phase::kBackingOff) continue;
      any = true;
      TryAgain({&mine, &task}, actor, now, out);
    }
  }
  if (!any) return NotRetryable(*command, node);
  Dispatch(now, out);
  return absl::OkStatus();
}

absl::Status Queue::Skip(CommandId id, absl::string_view node, absl::string_view actor,
                         absl::string_view note, const Now& now, Changes& out) {
  const Command* const command = Find(id);
  if (command == nullptr) return UnknownCommand(id);
  std::vector<std::pair<CommandId, std::string>> tasks;
  for (const CommandId each : WithParts(id)) {
    for (const Task& task : commands_.at(each).tasks) {
      const bool retryable = task.phase == Phase::kParked || task.phase == Phase::kBackingOff;
      if (retryable && (node.empty() || task.node == node)) tasks.emplace_back(each, task.node);
    }
  }
  if (tasks.empty()) return NotRetryable(*command, node);
  for (const auto& [each, name] : tasks) {
    const Ref ref = FindRef(each, name);
    if (!ref) continue;
    ref.task->message =
        absl::StrCat("skipped by ", actor, ": ", note, " (last failure: ", ref.task->message, ")");
    ref.task->failures = 0;  // accepted: the other nodes of a careful fan-out go on
    Finish(ref, Outcome::kFailed, actor, now, out);
  }
  Dispatch(now, out);
  return absl::OkStatus();
}

bool Queue::EndIfUnwanted(Ref ref, const Now& now, Changes& out) {
  Task& task = *ref.task;
  if (task.cancel_requested()) {
    task.reason = Reason::kNone;
    task.message = absl::StrCat("cancelled by ", task.cancel_actor,
                                task.message.empty() ? "" : ": ", task.message);
    Finish(ref, Outcome::kCancelled, task.cancel_actor, now, out);
    return true;
  }
  if (EndIfSuperseded(ref, now, out)) return true;
  if (task.begun() || ref.command->not_after > now.wall) return false;
  Expire(ref, now, out);
  return true;
}

void Queue::Expire(Ref ref, const Now& now, Changes& out) {
  ref.task->reason = Reason::kNone;
  ref.task->message = "it was not started before its not-after time";
  Finish(ref, Outcome::kExpired, kManager, now, out);
}

absl::Status Queue::Cancel(CommandId id, absl::string_view actor, const Now& now, Changes& out) {
  if (Find(id) == nullptr) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kCommandFinished,
                     absl::StrCat("command ", FormatId(id), " has already ended"));
  }
  for (const CommandId each : WithParts(id)) CancelOne(each, actor, now, out);
  out.urgent = true;
  Dispatch(now, out);
  return absl::OkStatus();
}

void Queue::CancelOne(CommandId id, absl::string_view actor, const Now& now, Changes& out) {
  const auto found = commands_.find(id);
  if (found == commands_.end()) return;  // it ended with its whole
  std::vector<std::string> waiting;
  for (Task& task : found->second.tasks) {
    if (task.waiting()) waiting.push_back(task.node);
    if (!task.in_flight()) continue;
    if (!task.cancel_requested()) {
      task.cancel_time = now.wall;
      task.cancel_monotonic = now.monotonic;
      task.cancel_actor = std::string(actor);
      out.mutations.push_back(UpdateTask{id, task.phase, task.attempt, task.epoch, task});
      AddEvent(EventType::kCancelRequested, id, task.node, actor, "", now, out);
    }
    const NodeState* node = FindNode(task.node);
    if (node != nullptr && node->connected()) {
      out.effects.push_back(SendCancel{task.node, node->session, LeaseOf({&found->second, &task})});
    }
  }
  for (const std::string& name : waiting) {
    const Ref ref = FindRef(id, name);
    if (!ref || !ref.task->waiting()) continue;
    ref.task->reason = Reason::kNone;  // not that of its last failure
    ref.task->message = absl::StrCat("cancelled by ", actor);
    Finish(ref, Outcome::kCancelled, actor, now, out);
  }
}

// --- time ---

absl::Duration Queue::lateness(const Now& now) const {
  return now.monotonic - worst_gap_at_ < absl::Minutes(1) ? worst_gap_ : absl::ZeroDuration();
}

void Queue::Tick(const Now& now, Changes& out) {
  if (last_tick_) {
    const absl::Duration gap = now.monotonic - *last_tick_;
    if (gap >= lateness(now)) {
      worst_gap_ = gap;
      worst_gap_at_ = now.monotonic;
    }
  }
  last_tick_ = now.monotonic;
  for (auto& [name, node] : nodes_) {
    if (!node.cloned || now.monotonic - node.cloned_seen_monotonic < policy_.clone_quiet) continue;
    node.cloned = false;
    dirty_.insert(name);
  }
  while (!wakes_.empty() && wakes_.begin()->first <= now.monotonic) {
    const auto [id, node] = wakes_.begin()->second;
    const Ref ref = FindRef(id, node);
    HOSTQ_CHECK(ref && ref.task->phase == Phase::kBackingOff);
    Move(ref, Phase::kQueued, kManager, now, out);
  }
  while (!starts_.empty() && starts_.begin()->first <= now.wall) {
    const auto found = commands_.find(starts_.begin()->second);
    starts_.erase(starts_.begin());
    Command& command = found->second;
    command.delayed = false;
    UpdateReadyAll(command);
    if (!command.supersedes.empty()) SupersedeWaiting(command, now, out);
  }
  while (!expiries_.empty() && expiries_.begin()->first <= now.wall) {
    const CommandId id = expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    std::vector<std::string> never_begun;
    for (const Task& task : commands_.at(id).tasks) {
      if (task.waiting() && !task.begun()) never_begun.push_back(task.node);
    }
    for (const std::string& node : never_begun) {
      if (const Ref ref = FindRef(id, node); ref && ref.task->waiting()) Expire(ref, now, out);
    }
  }
  Dispatch(now, out);
}

}  // namespace hostq::manager
