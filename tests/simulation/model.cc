#include "model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"

namespace hostq::simulation {

using manager::Lease;
using manager::Task;
using manager::TaskIdOf;

Request& Model::AddRequest() {
  Request& request = requests_.emplace_back();
  request.token = static_cast<int>(requests_.size()) - 1;
  return request;
}

Model::TaskModel* Model::Find(CommandId id, const std::string& node) {
  const auto command = commands_.find(id);
  if (command == commands_.end()) return nullptr;
  const auto task = command->second.tasks.find(node);
  return task == command->second.tasks.end() ? nullptr : &task->second;
}

Phase Model::PhaseOf(CommandId id, const std::string& node) const {
  TaskModel* task = const_cast<Model*>(this)->Find(id, node);
  return task == nullptr ? Phase::kFinished : task->phase;
}

std::vector<CommandId> Model::Live() const {
  std::vector<CommandId> ids;
  for (const auto& [id, command] : commands_) {
    if (command.active) ids.push_back(id);
  }
  return ids;
}

std::vector<CommandId> Model::Parked() const {
  std::vector<CommandId> ids;
  for (const auto& [id, command] : commands_) {
    if (command.active && std::any_of(command.tasks.begin(), command.tasks.end(), [](auto& task) {
          return task.second.phase == Phase::kParked;
        })) {
      ids.push_back(id);
    }
  }
  return ids;
}

bool Model::HasAhead(CommandId id, const std::string& node) const {
  const auto command = commands_.find(id);
  if (command == commands_.end()) return false;
  const auto lane = lanes_.find({node, command->second.key});
  return lane != lanes_.end() && !lane->second.live.empty() && *lane->second.live.begin() < id;
}

// --- what clients know ---

void Model::OnAcknowledged(int token, CommandId id) {
  Request& request = requests_[token];
  if (request.command != 0 && request.command != id) {
    return Violate("request ", request.id, " was acknowledged as two commands");
  }
  const auto command = commands_.find(id);
  if (command == commands_.end() || command->second.token != token) {
    return Violate("request ", token, " was acknowledged and is not in the store");
  }
  request.command = id;
  request.answered = true;
  for (const int part : request.parts) {
    const auto made = by_token_.find(part);
    if (made == by_token_.end() || commands_.at(made->second).part_of != id) {
      return Violate("request ", token, " was acknowledged without its part ", part);
    }
  }
}

void Model::OnCancelled(CommandId id) {
  cancelled_.insert(id);
  const auto command = commands_.find(id);
  if (command == commands_.end()) return;
  cancelled_.insert(command->second.parts.begin(), command->second.parts.end());
}

// --- the manager ---

void Model::OnCommit(absl::Span<const manager::Mutation> mutations) {
  ++commits_;
  for (const manager::Mutation& mutation : mutations) {
    std::visit([this](const auto& change) { Apply(change); }, mutation);
  }
  if (resources_.size() != active_) {
    Violate("a command and its resource change were not committed together");
  }
}

void Model::Apply(const manager::InsertCommand& insert) {
  int token = 0;
  if (!absl::SimpleAtoi(insert.command.spec, &token)) return Violate("spec was changed");
  if (!by_token_.emplace(token, insert.command.id).second) {
    return Violate("request ", token, " became two commands");
  }
  if (!commands_.empty() && commands_.rbegin()->first >= insert.command.id) {
    return Violate("the ids of commands do not grow");
  }
  CommandModel& command = commands_[insert.command.id];
  command.token = token;
  command.kind = insert.command.kind;
  command.max_parallel = insert.command.max_parallel;
  command.max_failures = insert.command.max_failures;
  command.not_before = insert.command.not_before;
  command.not_after = insert.command.not_after;
  command.key = insert.command.resource_key;
  command.supersedes = insert.command.supersedes;
  command.part_of = insert.command.part_of;
  command.part_stage = insert.command.part_stage;
  if (command.part_of != 0) {
    CommandModel& whole = commands_[command.part_of];
    if (requests_[token].whole != whole.token) Violate("a part of another command");
    whole.parts.push_back(insert.command.id);
  } else if (requests_[token].whole != -1) {
    Violate("a part was inserted as a command of its own");
  }
  ++active_;
  for (const Task& task : insert.command.tasks) {
    TaskModel& mine = command.tasks[task.node];
    mine.stage = task.stage;
    lanes_[{task.node, command.key}].live.insert(insert.command.id);
    ++live_tasks_;
  }
  // It may be inserted with its lease: an update follows or it says so itself.
  for (const Task& task : insert.command.tasks) {
    if (task.phase != Phase::kQueued) Violate("a command was inserted in the middle of its life");
  }
}

void Model::Apply(const manager::UpdateTask& update) {
  const Task& after = update.task;
  const std::string id = TaskIdOf(update.command, after.node);
  TaskModel* task = Find(update.command, after.node);
  if (task == nullptr) return Violate("unknown task ", id, " was changed");
  if (!task->live()) return Violate("finished task ", id, " was changed");
  if (task->phase != update.from || task->attempt != update.from_attempt ||
      task->epoch != update.from_epoch) {
    return Violate("guard of ", id, " did not hold and was let through");
  }
  const CommandModel& command = commands_.at(update.command);
  const bool leased = after.attempt != task->attempt || after.epoch != task->epoch;
  if (leased || (after.phase == Phase::kLeased && task->phase != Phase::kLeased)) {
    CheckLease(update.command, command, after.node, *task, after);
  }
  if (after.phase == Phase::kFinished) {
    CheckOutcome(update.command, command, after.node, *task, after);
  }
  const bool was_in_flight = task->in_flight();
  const bool cut_off = after.outcome == Outcome::kCancelled && was_in_flight &&
                       after.reason == Reason::kNodeDraining;
  task->phase = after.phase;
  task->outcome = after.outcome;
  task->attempt = after.attempt;
  task->epoch = after.epoch;
  task->failures = after.failures;
  if (cut_off) task->cut_off = commits_;
  task->removed |= cut_off;
  NodeModel& node = NodeOf(after.node);
  node.in_flight += static_cast<int>(task->in_flight()) - static_cast<int>(was_in_flight);
  if (node.in_flight > node.credits) Violate("node ", after.node, " has more than its credits");
  if (task->live()) return;
  --live_tasks_;
  Lane& lane = lanes_[{after.node, command.key}];
  lane.live.erase(update.command);
  if (after.outcome == Outcome::kSucceeded && update.command > restored_up_to_) {
    lane.last_success = update.command;
  }
}

void Model::CheckLease(CommandId id, const CommandModel& command, const std::string& node,
                       const TaskModel& before, const Task& after) {
  const std::string name = TaskIdOf(id, node);
  if (after.phase != Phase::kLeased || before.phase != Phase::kQueued) {
    return Violate(name, " was leased from phase ", NameOf(before.phase));
  }
  if (cancelled_.contains(id)) Violate(name, " was leased after its cancellation was acknowledged");
  if (after.attempt != before.attempt + 1) Violate(name, ": attempts are not counted");
  if (after.epoch <= max_epoch_) Violate(name, ": the epoch does not grow");
  max_epoch_ = after.epoch;
  const Lane& lane = lanes_.at({node, command.key});
  if (*lane.live.begin() != id) Violate(name, " was leased before an earlier one of its key");
  for (const auto& [other, task] : command.tasks) {
    if (task.stage >= before.stage) continue;
    if (task.live()) Violate(name, " was leased before its stage was reached");
    if (task.outcome == Outcome::kCancelled || task.outcome == Outcome::kExpired) {
      Violate(name, " was leased although an earlier stage did not happen");
    }
  }
  int others = 0, failing = 0;
  for (const auto& [other, task] : command.tasks) {
    others += other != node && task.underway();
    failing += task.failing();
  }
  if (command.max_failures >= 0 && before.attempt == 0 && failing > command.max_failures) {
    Violate(name, " was leased although too many of its command's nodes are failing");
  }
  if (command.max_parallel > 0 && before.attempt == 0 && others >= command.max_parallel) {
    Violate(name, " was leased to more nodes at a time than its command allows");
  }
  if (command.part_of != 0) CheckTurnOfPart(name, command);
  // By the latest that the manager's clock has shown: it may be set back.
  if (latest_ < command.not_before) Violate(name, " was leased before its time");
  if (NodeOf(node).paused) Violate(name, " was leased to a paused node");
}

// A part begins after the tasks of its whole, if all of those were done or given up, and after the
// parts of lower stages.
void Model::CheckTurnOfPart(const std::string& name, const CommandModel& part) {
  const CommandModel& whole = commands_.at(part.part_of);
  for (const auto& [node, task] : whole.tasks) {
    if (task.live() || task.outcome == Outcome::kCancelled || task.outcome == Outcome::kExpired) {
      Violate(name, " was leased before the tasks of its whole were done");
    }
  }
  for (const CommandId id : whole.parts) {
    const CommandModel& other = commands_.at(id);
    if (other.active && other.part_stage < part.part_stage) {
      Violate(name, " was leased before a part of a lower stage had ended");
    }
  }
}

void Model::CheckOutcome(CommandId id, const CommandModel& command, const std::string& node,
                         const TaskModel& before, const Task& after) {
  const std::string name = TaskIdOf(id, node);
  switch (after.outcome) {
    case Outcome::kNone:
      return Violate(name, " ended without an outcome");
    case Outcome::kSucceeded:
      if (!before.in_flight()) Violate(name, " succeeded without a lease");
      for (int step = 0; step < requests_[command.token].steps; ++step) {
        const auto effect = before.effects.find(step);
        if (effect == before.effects.end()) {
          Violate(name, " succeeded without the effect of step ", step);
        } else if (effect->second != before.epoch && !restored_) {
          Violate(name, " succeeded, but step ", step, " is of an earlier lease");
        }
      }
      return;
    case Outcome::kExpired:
      if (latest_ < command.not_after) Violate(name, " expired before its not-after");
      if (!before.effects.empty() && !restored_ && !lost_disks_.contains(node)) {
        Violate(name, " expired after a step of it had taken effect");
      }
      return;
    case Outcome::kSuperseded:
      for (const CommandId newer : lanes_.at({node, command.key}).live) {
        const auto& kinds = commands_.at(newer).supersedes;
        if (newer > id && (std::find(kinds.begin(), kinds.end(), "*") != kinds.end() ||
                           std::find(kinds.begin(), kinds.end(), command.kind) != kinds.end())) {
          return;
        }
      }
      return Violate(name, " was superseded by nothing");
    case Outcome::kFailed:
    case Outcome::kCancelled:
      return;
  }
}

void Model::Apply(const manager::FinishCommand& finish) {
  const auto command = commands_.find(finish.command);
  if (command == commands_.end() || !command->second.active) {
    return Violate("a command that is not active was finished");
  }
  command->second.active = false;
  command->second.state = finish.state;
  --active_;
  for (const CommandId part : command->second.parts) {
    const manager::CommandState state = commands_.at(part).state;
    const bool badly =
        state == manager::CommandState::kFailed || state == manager::CommandState::kCancelled;
    if (state == manager::CommandState::kActive) Violate("a command ended before its parts");
    if (badly && finish.state == manager::CommandState::kSucceeded) {
      Violate("a command succeeded although a part of it did not");
    }
  }
  for (const auto& [node, task] : command->second.tasks) {
    if (task.live()) Violate(TaskIdOf(finish.command, node), " lives on in a finished command");
  }
}

void Model::Apply(const manager::InsertAttempt& insert) {
  const TaskModel* task = Find(insert.command, insert.node);
  if (task == nullptr || !task->in_flight() || task->attempt != insert.attempt.number ||
      task->epoch != insert.attempt.epoch) {
    Violate("a result of another lease counted for ", TaskIdOf(insert.command, insert.node));
  }
}

void Model::Apply(const manager::ResourceChange& change) {
  if (change.kind == "node") {
    NodeOf(change.key).paused = change.data == "paused";
    NodeOf(change.key).present = change.data.has_value();
  }
  if (change.kind != "live") return;
  if (change.data) {
    resources_.insert(change.key);
  } else {
    resources_.erase(change.key);
  }
}

void Model::Apply(const manager::Event& event) {
  if (event.sequence != last_sequence_ + 1) Violate("events are not numbered without gap");
  last_sequence_ = event.sequence;
}

void Model::Apply(const manager::SetTerm& set) {
  if (set.term <= term_) Violate("the term does not grow");
  term_ = set.term;
}

void Model::OnRestart(const manager::Snapshot& snapshot) {
  if (snapshot.live.size() != active_) Violate("the store lost or kept commands");
  for (const manager::Command& command : snapshot.live) {
    for (const Task& task : command.tasks) {
      const TaskModel* mine = Find(command.id, task.node);
      if (mine == nullptr || mine->phase != task.phase || mine->epoch != task.epoch) {
        Violate("the store has ", TaskIdOf(command.id, task.node), " differently");
      }
    }
  }
}

void Model::CheckStore(manager::Store& store) {
  for (const Request& request : requests_) {
    if (request.command == 0) continue;
    const auto command = store.GetCommand(request.command);
    if (!command.ok()) return Violate("acknowledged request ", request.token, " is lost");
    const CommandModel& mine = commands_.at(request.command);
    size_t parts = 0;
    for (const auto& [state, count] : command->parts) parts += count;
    if (parts != mine.parts.size()) Violate("the store counts other parts");
    if ((command->state == manager::CommandState::kActive) != mine.active) {
      Violate("the store has command ", request.command, " differently");
    }
  }
}

void Model::OnAssign(const manager::SendAssign& assign) {
  const Lease& lease = assign.lease;
  const TaskModel* task = Find(lease.command, lease.node);
  if (task == nullptr || task->attempt < lease.attempt || task->epoch < lease.epoch) {
    Violate(TaskIdOf(lease.command, lease.node), " was sent before its lease was durable");
  }
}

void Model::OnResultAck(const Lease& lease) {
  const TaskModel* task = Find(lease.command, lease.node);
  if (task != nullptr && task->in_flight() && task->epoch == lease.epoch) {
    Violate(TaskIdOf(lease.command, lease.node), ": its result was acknowledged, but not stored");
  }
}

void Model::OnNodeRemoved(const std::string& node) {
  if (NodeOf(node).present) return;  // added again by the same commit
  for (const auto& [key, lane] : lanes_) {
    if (key.first == node && !lane.live.empty()) Violate("a removed node kept tasks");
  }
}

std::vector<int> Model::Restore(const Model& backup) {
  const Model before = std::move(*this);
  *this = backup;
  violation_ = before.violation_;
  requests_ = before.requests_;
  commits_ = before.commits_ + 1;
  restored_ = true;
  restored_up_to_ = commands_.empty() ? 0 : commands_.rbegin()->first;
  std::vector<int> again;
  for (Request& request : requests_) {
    if (request.command == 0 || commands_.contains(request.command)) continue;
    request.command = 0;
    request.answered = request.id.empty();
    if (!request.answered) again.push_back(request.token);
  }
  // What has happened on the nodes has happened.
  for (const auto& [key, lane] : before.lanes_) lanes_[key].last_epoch = lane.last_epoch;
  for (auto& [key, lane] : lanes_) lane.last_command = lane.last_success = 0;
  for (auto& [id, command] : commands_) {
    const auto known = before.commands_.find(id);
    if (known == before.commands_.end()) continue;
    for (auto& [node, task] : command.tasks) task.effects = known->second.tasks.at(node).effects;
  }
  for (const auto& [node, facts] : before.node_models_) unaware_[node] = commits_;
  return again;
}

void Model::OnWelcome(const std::string& node, uint64_t commit) {
  const auto unaware = unaware_.find(node);
  if (unaware != unaware_.end() && unaware->second < commit) unaware_.erase(unaware);
  for (auto& [id, command] : commands_) {
    const auto task = command.tasks.find(node);
    if (task != command.tasks.end() && task->second.cut_off < commit) task->second.cut_off = 0;
  }
}

// --- the nodes ---

void Model::OnStepStarted(const StepFacts& step) {
  const std::string name = TaskIdOf(step.lease.command, step.node);
  const TaskModel* task = Find(step.lease.command, step.node);
  if (restored_ && (step.begun_before || unaware_.contains(step.node))) return;
  if (task == nullptr) return Violate(name, " runs and is not in the store");
  if (task->cut_off != 0 || (step.begun_before && task->removed)) return;
  if (!task->live()) return Violate(name, " runs although it has ended");
  if (!task->in_flight() || task->epoch != step.lease.epoch) {
    Violate(name, " runs with a lease that is not its current one");
  }
}

void Model::OnEffect(const StepFacts& step) {
  const std::string name = TaskIdOf(step.lease.command, step.node);
  Lane& lane = lanes_[{step.node, step.key}];
  if (TaskModel* task = Find(step.lease.command, step.node)) {
    task->effects[step.step] = step.lease.epoch;
  } else if (restored_) {
    return;  // lost with the manager's disk: it comes again under another name
  }
  if (step.lease.command < lane.last_command) {
    Violate(name, ": its effect on ", step.key, " came after that of a newer command");
  }
  if (step.lease.epoch < lane.last_epoch) {
    Violate(name, ": an effect of a stale epoch on ", step.key);
  }
  lane.last_epoch = step.lease.epoch;
  if (restored_ && step.lease.command <= restored_up_to_) return;
  lane.last_command = step.lease.command;
}

// --- the end ---

void Model::CheckDrained() {
  if (active_ != 0 || live_tasks_ != 0) Violate("not everything has ended");
  for (const Request& request : requests_) {
    if (!request.answered) Violate("request ", request.token, " was never answered");
  }
  for (const auto& [key, lane] : lanes_) {
    if (lane.last_command < lane.last_success) {
      Violate("node ", key.first, " does not have what succeeded last on ", key.second);
    }
  }
}

}  // namespace hostq::simulation
