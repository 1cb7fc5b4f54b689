#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "manager/domain/queue.h"

// The part of the queue that decides what may be sent, and sends it.

namespace hostq::manager {

const Command* Queue::Ahead(const Command& command, absl::string_view node) const {
  const auto lane = lanes_.find({std::string(node), command.resource_key});
  if (lane == lanes_.end()) return nullptr;
  // A command that was not submitted yet (a dry run) would come after all of them.
  const auto at = lane->second.lower_bound(command.id);
  return at == lane->second.begin() ? nullptr : Find(*std::prev(at));
}

bool Queue::StageReached(const Command& command, int stage) {
  return std::none_of(command.tasks.begin(), command.tasks.end(), [&](const Task& task) {
    return task.stage < stage && (task.live() || task.outcome == Outcome::kCancelled ||
                                  task.outcome == Outcome::kExpired);
  });
}

const Command* Queue::PartWaitsFor(const Command& part) const {
  const Command* const whole = part.part_of == 0 ? nullptr : Find(part.part_of);
  if (whole == nullptr) return nullptr;
  if (!StageReached(*whole, std::numeric_limits<int>::max())) return whole;
  const auto [stage, first] = *parts_.at(whole->id).begin();
  return stage < part.part_stage ? Find(first) : nullptr;
}

int Queue::Underway(const Command& command) {
  return static_cast<int>(std::count_if(command.tasks.begin(), command.tasks.end(),
                                        [](const Task& task) { return task.underway(); }));
}

int Queue::Failing(const Command& command) {
  return static_cast<int>(std::count_if(command.tasks.begin(), command.tasks.end(),
                                        [](const Task& task) { return task.failing(); }));
}

bool Queue::MayBeSent(Ref ref) const {
  const Command& command = *ref.command;
  const Task& task = *ref.task;
  if (task.phase != Phase::kQueued || command.delayed) return false;
  const auto lane = lanes_.find({task.node, command.resource_key});
  if (lane == lanes_.end() || *lane->second.begin() != command.id) return false;
  if (FindPause({PauseScope::kKind, command.kind}) != nullptr ||
      FindPause({PauseScope::kResourceKey, command.resource_key}) != nullptr) {
    return false;
  }
  // One that has begun has its place already.
  if (task.attempt == 0 && command.fans_out_slowly()) {
    if (command.max_parallel > 0 && Underway(command) >= command.max_parallel) return false;
    if (command.max_failures >= 0 && Failing(command) > command.max_failures) return false;
  }
  return StageReached(command, task.stage) && PartWaitsFor(command) == nullptr;
}

void Queue::UpdateReady(Ref ref) {
  const std::pair<int, CommandId> entry(-ref.command->priority, ref.command->id);
  if (MayBeSent(ref)) {
    if (ready_[ref.task->node].insert(entry).second) dirty_.insert(ref.task->node);
    return;
  }
  const auto ready = ready_.find(ref.task->node);
  if (ready != ready_.end()) ready->second.erase(entry);
}

void Queue::UpdateReadyAll(Command& command) {
  for (Task& task : command.tasks) UpdateReady({&command, &task});
}

void Queue::UpdateReadyParts(CommandId whole) {
  const auto parts = parts_.find(whole);
  if (parts == parts_.end()) return;
  const int stage = parts->second.begin()->first;
  for (const auto& [of, id] : parts->second) {
    if (of > stage) break;
    UpdateReadyAll(commands_.at(id));
  }
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
  SendAssign assign{node.name,
                    node.session,
                    LeaseOf(ref),
                    ref.command->kind,
                    ref.command->resource_key,
                    ref.command->work,
                    ref.command->traceparent,
                    node.roles,
                    ref.command->timeout};
  if (!task.begun()) {
    assign.start_within = ref.command->not_after - now.wall;
    if (node.clock_skew.known()) {
      assign.start_before = ref.command->not_after + node.clock_skew.estimate();
    }
  }
  out.effects.push_back(std::move(assign));
}

void Queue::DispatchTo(NodeState& node, const Now& now, Changes& out) {
  if (!node.connected() || node.cloned || node.paused || node.draining || node.banned) return;
  const auto ready = ready_.find(node.name);
  if (ready == ready_.end()) return;
  // Sending one takes it out, and others of its command with it.
  for (auto at = ready->second.begin(); at != ready->second.end();) {
    if (node.in_flight >= node.credits) return;
    const std::pair<int, CommandId> entry = *at;
    const Ref ref = FindRef(entry.second, node.name);
    HOSTQ_CHECK(ref);
    const bool known =
        std::find(node.kinds.begin(), node.kinds.end(), ref.command->kind) != node.kinds.end();
    if (known && (node.admitted || !ref.command->needs_ready)) Send(ref, node, now, out);
    at = ready->second.upper_bound(entry);
  }
}

void Queue::Dispatch(const Now& now, Changes& out) {
  // Sending marks its node again; what it can take it has.
  for (const std::string& name : std::exchange(dirty_, {})) {
    if (NodeState* node = MutableNode(name)) DispatchTo(*node, now, out);
  }
  dirty_.clear();
}

}  // namespace hostq::manager
