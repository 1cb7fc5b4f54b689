#include "manager/domain/census.h"

#include <algorithm>

#include "manager/domain/findings.h"

namespace hostq::manager {
namespace {

// To explain a task costs a hundred times as much as to count it.
constexpr size_t kExplanation = 20;

// Waits for its node to have a hand free, and for nothing else: the most frequent case of a long
// queue, told without putting it into words. As in Explain (NO_CREDIT).
bool WaitsForCredit(const Queue& queue, const Command& command, const Task& task) {
  const NodeState* const node = queue.FindNode(task.node);
  if (task.phase != Phase::kQueued || node == nullptr || node->in_flight < node->credits ||
      command.fans_out_slowly() || !queue.pauses().empty()) {
    return false;
  }
  return node->joined && node->connected() && !node->banned && !node->cloned && !node->draining &&
         !node->paused && (node->admitted || !command.needs_ready) &&
         std::find(node->kinds.begin(), node->kinds.end(), command.kind) != node->kinds.end() &&
         Queue::StageReached(command, task.stage) && queue.PartWaitsFor(command) == nullptr;
}

void Add(const Task& task, Census::Waiting& waiting) {
  ++waiting.tasks;
  waiting.oldest = std::min(waiting.oldest, task.phase_time);
}

// Returns what it cost.
size_t CountTrouble(const Queue& queue, const Command& command, const Task& task, const Now& now,
                    Census& census) {
  if (task.waiting() && queue.Ahead(command, task.node) != nullptr) {
    ++census.behind;
    return 1;
  }
  if (WaitsForCredit(queue, command, task)) {
    Add(task, census.ready);
    return 1;
  }
  const std::optional<Finding> finding = Explain(queue, command, task, now);
  if (finding && !finding->root_task.empty()) {
    ++census.behind;
  } else if (finding && finding->stuck) {
    ++census.stuck[finding->cause != Reason::kNone ? finding->cause : finding->reason];
  } else if (task.phase == Phase::kQueued) {
    Add(task, census.ready);
  }
  return kExplanation;
}

}  // namespace

std::optional<CommandId> Count(const Queue& queue, CommandId from, size_t limit, const Now& now,
                               Census& census) {
  size_t cost = 0;
  for (auto at = queue.commands().lower_bound(from); at != queue.commands().end(); ++at) {
    if (cost >= limit) return at->first;
    const Command& command = at->second;
    ++census.commands;
    for (const Task& task : command.tasks) {
      ++cost;
      if (!task.live()) continue;
      if (command.delayed) {
        ++census.delayed;
        continue;
      }
      Add(task, census.phases[static_cast<size_t>(task.phase)]);
      cost += CountTrouble(queue, command, task, now, census);
    }
  }
  return std::nullopt;
}

}  // namespace hostq::manager
