#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "manager/domain/queue.h"

// The part of the queue that moves tasks: every change of a state, and what follows from it.

namespace hostq::manager {
namespace {

CommandState StateOf(const Command& command) {
  const auto any_part = [&](CommandState state) { return command.parts.contains(state); };
  const auto any_task = [&](Outcome outcome) {
    return std::any_of(command.tasks.begin(), command.tasks.end(),
                       [&](const Task& task) { return task.outcome == outcome; });
  };
  if (any_task(Outcome::kFailed) || any_task(Outcome::kExpired) ||
      any_part(CommandState::kFailed)) {
    return CommandState::kFailed;
  }
  if (any_task(Outcome::kCancelled) || any_part(CommandState::kCancelled)) {
    return CommandState::kCancelled;
  }
  // A part that was superseded is what somebody wanted since; the whole is what it was.
  return any_task(Outcome::kSuperseded) ? CommandState::kSuperseded : CommandState::kSucceeded;
}

}  // namespace

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
  Count(task, before.phase, now);
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
  UpdateAiling(ref, now);
  // In a careful fan-out the others may have to wait for this one, or no longer.
  if (ref.command->fans_out_slowly()) return UpdateReadyAll(*ref.command);
  UpdateReady(ref);
}

void Queue::Count(Task& task, Phase before, const Now& now) {
  const absl::Duration in_phase = now.monotonic - task.phase_monotonic;
  switch (task.phase) {
    case Phase::kQueued:
      task.queued_monotonic = now.monotonic;
      break;
    case Phase::kLeased:
      ++stats_.leases;
      break;
    case Phase::kAccepted:
      if (before == Phase::kLeased) {
        stats_.schedule_to_accept.Add(now.monotonic - task.queued_monotonic);
      }
      break;
    case Phase::kRunning:
      // What was accepted may be told together with what was started.
      if (before == Phase::kLeased) {
        stats_.schedule_to_accept.Add(now.monotonic - task.queued_monotonic);
      }
      if (before == Phase::kAccepted) stats_.accept_to_start.Add(in_phase);
      break;
    case Phase::kFinished:
      ++stats_.finished[static_cast<size_t>(task.outcome)];
      break;
    case Phase::kUnknown:
    case Phase::kBackingOff:
    case Phase::kParked:
      break;
  }
  if (before == Phase::kRunning && !task.in_flight()) stats_.start_to_finish.Add(in_phase);
}

// Keeps the tasks that wait for their node's environment to be mended.
void Queue::UpdateAiling(Ref ref, const Now& now) {
  const Task& task = *ref.task;
  const bool ails =
      task.phase == Phase::kParked && InfoOf(task.reason).reason_class == ReasonClass::kEnvironment;
  const auto found = ailing_.find(task.node);
  if (ails) {
    Ailing& ailing = found == ailing_.end() ? ailing_[task.node] : found->second;
    // One that fails again after the node looked well is looked at less and less often.
    if (ailing.tasks.empty()) {
      if (now.monotonic - ailing.since > 4 * policy_.check.cap) ailing.checks = 0;
      ailing.next_check =
          now.monotonic + BackoffDelay(policy_.check, std::max(ailing.checks, 1), random_);
    }
    ailing.tasks.insert(ref.command->id);
    ailing.since = now.monotonic;
  } else if (found != ailing_.end()) {
    found->second.tasks.erase(ref.command->id);
  }
}

// Counts only what has ended: failures that somebody may still mend or accept are waited for.
bool Queue::TooManyFailed(const Command& command) {
  const auto failed = std::count_if(
      command.tasks.begin(), command.tasks.end(),
      [](const Task& task) { return task.outcome == Outcome::kFailed && task.failing(); });
  return command.max_failures >= 0 && failed > command.max_failures;
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
    std::vector<std::pair<CommandId, std::string>> later;
    for (const CommandId each : WithParts(id)) {
      for (const Task& task : commands_.at(each).tasks) {
        const bool follows = each != id || task.stage > ref.task->stage;
        if (follows && task.waiting()) later.emplace_back(each, task.node);
      }
    }
    for (const auto& [each, node] : later) {
      const Ref next = FindRef(each, node);
      if (!next || !next.task->waiting()) continue;
      next.task->message = outcome == Outcome::kCancelled
                               ? "an earlier stage was cancelled"
                               : "an earlier stage was not started in time";
      Finish(next, outcome, actor, now, out);
    }
  } else if (outcome == Outcome::kFailed && TooManyFailed(command)) {
    // No skipping and no retry changes that: what has not begun never will.
    std::vector<std::string> others;
    for (const Task& task : command.tasks) {
      if (task.attempt == 0 && task.waiting()) others.push_back(task.node);
    }
    for (const std::string& node : others) {
      const Ref next = FindRef(id, node);
      if (!next || !next.task->waiting()) continue;
      next.task->reason = Reason::kFailureLimit;
      next.task->message =
          absl::StrCat("more than ", command.max_failures, " nodes failed for good");
      Finish(next, Outcome::kCancelled, actor, now, out);
    }
  }
  if (Find(id) == nullptr) return;  // the last of them ended the command
  UpdateReadyAll(command);
  if (StageReached(command, std::numeric_limits<int>::max())) UpdateReadyParts(id);
  FinishIfDone(id, now, out);
}

void Queue::FinishIfDone(CommandId id, const Now& now, Changes& out) {
  const Command* const command = Find(id);
  if (command == nullptr || parts_.contains(id)) return;
  const bool done = std::none_of(command->tasks.begin(), command->tasks.end(),
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
  if (command.part_of == 0) {
    const auto mine = unfinished_.find(command.actor);
    if (command.create_time < mine->second.since) --mine->second.before;
    if (--mine->second.count == 0) unfinished_.erase(mine);
  }
  expiries_.erase({command.not_after, id});
  starts_.erase({command.not_before, id});
  finished_.push_back(std::move(command));
  commands_.erase(found);
  if (finished_.back().part_of != 0) PartFinished(finished_.back(), now, out);
}

void Queue::PartFinished(const Command& part, const Now& now, Changes& out) {
  const CommandId id = part.part_of;
  if (const auto whole = commands_.find(id); whole != commands_.end()) {
    std::map<CommandState, int>& counts = whole->second.parts;
    if (--counts[CommandState::kActive] == 0) counts.erase(CommandState::kActive);
    ++counts[part.state];
  }
  const auto siblings = parts_.find(id);
  siblings->second.erase({part.part_stage, part.id});
  if (siblings->second.empty()) {
    parts_.erase(siblings);
    return FinishIfDone(id, now, out);
  }
  if (siblings->second.begin()->first > part.part_stage) UpdateReadyParts(id);
}

std::vector<CommandId> Queue::WithParts(CommandId id) const {
  std::vector<CommandId> all = {id};
  if (const auto parts = parts_.find(id); parts != parts_.end()) {
    for (const auto& [stage, part] : parts->second) all.push_back(part);
  }
  return all;
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

void Queue::Begin(Task& task, const Now& now) {
  if (task.phase != Phase::kRunning && task.failures == 0) task.budget_time = now.wall;
}

void Queue::SetTrouble(Task& task, Reason reason, const Now& now) {
  if (task.reason != reason || task.trouble_time == absl::InfinitePast()) {
    task.trouble_time = now.wall;
  }
  task.reason = reason;
}

void Queue::Fail(Ref ref, Reason reason, absl::string_view actor, const Now& now, Changes& out) {
  if (EndIfUnwanted(ref, now, out)) return;
  Task& task = *ref.task;
  SetTrouble(task, reason, now);
  if (reason == Reason::kInterrupted) {
    ++task.interruptions;
    return BackOff(ref, policy_.refusal, task.interruptions, actor, now, out);
  }
  const ReasonClass reason_class = InfoOf(reason).reason_class;
  // It goes on when a check of the node does not show the reason any more.
  if (reason_class == ReasonClass::kEnvironment) return Move(ref, Phase::kParked, actor, now, out);
  ++task.failures;
  if (reason_class == ReasonClass::kFinal) return Finish(ref, Outcome::kFailed, actor, now, out);
  const RetryRules& rules = ref.command->retry;
  const bool for_a_person =
      reason_class == ReasonClass::kConflict || reason_class == ReasonClass::kInvalid ||
      std::find(rules.never.begin(), rules.never.end(), reason) != rules.never.end() ||
      task.failures >= rules.max_attempts || now.wall - task.budget_time >= rules.max_elapsed;
  if (for_a_person) return Move(ref, Phase::kParked, actor, now, out);
  BackOff(ref, rules.backoff, task.failures, actor, now, out);
}

// Of a lease that ended without a result of the node's.
void Queue::AddAttempt(Ref ref, Reason reason, absl::string_view message, const Now& now,
                       Changes& out) {
  const Task& task = *ref.task;
  out.mutations.push_back(InsertAttempt{ref.command->id, task.node,
                                        Attempt{task.attempt, task.epoch, task.phase_time, now.wall,
                                                reason, std::string(message), ""}});
}

void Queue::Lose(Ref ref, const Now& now, Changes& out) {
  Begin(*ref.task, now);  // for all that is known
  if (now.wall - ref.task->loss_time > policy_.loss_window) {
    ref.task->losses = 0;
    ref.task->loss_time = now.wall;
  }
  ++ref.task->losses;
  SetTrouble(*ref.task, Reason::kOutcomeUnknown, now);
  ref.task->message = "the node no longer has what it had accepted (was its journal lost?)";
  AddAttempt(ref, ref.task->reason, ref.task->message, now, out);
  if (ref.task->phase != Phase::kUnknown) Move(ref, Phase::kUnknown, kManager, now, out);
  if (EndIfUnwanted(ref, now, out)) return;
  if (ref.task->losses > policy_.max_losses) {
    return Move(ref, Phase::kParked, kManager, now, out);
  }
  // Every step looks before it acts: sending it again reads back what is there.
  Move(ref, Phase::kQueued, kManager, now, out);
}

}  // namespace hostq::manager
