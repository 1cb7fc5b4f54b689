#include "manager/domain/throughput.h"

#include <algorithm>

namespace hostq::manager {

Throughput::Counts& Throughput::Window::At(absl::Duration now) {
  const int64_t number = NumberAt(now);
  Slot& slot = slots_[static_cast<size_t>(number) % slots_.size()];
  if (slot.number != number) slot = Slot{number, {}};
  return slot.counts;
}

Throughput::Counts Throughput::Window::Sum(absl::Duration now) const {
  const int64_t oldest = NumberAt(now) - static_cast<int64_t>(slots_.size()) + 1;
  Counts sum;
  for (const Slot& slot : slots_) {
    if (slot.number < oldest) continue;
    sum.commands_accepted += slot.counts.commands_accepted;
    sum.tasks_finished += slot.counts.tasks_finished;
    sum.tasks_failed += slot.counts.tasks_failed;
  }
  return sum;
}

void Throughput::Count(const Event& event, absl::Duration now) {
  const bool created = event.type == EventType::kCommandCreated;
  const bool finished = event.type == EventType::kTaskChanged &&
                        event.to_phase == static_cast<int>(Phase::kFinished) &&
                        event.from_phase != event.to_phase;
  if (!created && !finished) return;
  const bool failed = event.outcome == Outcome::kFailed || event.outcome == Outcome::kExpired;
  for (Window* window : {&seconds_, &minutes_}) {
    Counts& counts = window->At(now);
    if (created) ++counts.commands_accepted;
    if (finished) ++counts.tasks_finished;
    if (finished && failed) ++counts.tasks_failed;
  }
}

Throughput::Counts Throughput::Of(const Window& window, absl::Duration length,
                                  absl::Duration now) const {
  Counts counts = window.Sum(now);
  counts.span = std::min(length, now - start_);
  return counts;
}

Throughput::Counts Throughput::LastMinute(absl::Duration now) const {
  return Of(seconds_, absl::Minutes(1), now);
}

Throughput::Counts Throughput::LastHour(absl::Duration now) const {
  return Of(minutes_, absl::Hours(1), now);
}

}  // namespace hostq::manager
