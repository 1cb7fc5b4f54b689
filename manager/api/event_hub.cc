#include "manager/api/event_hub.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"
#include "manager/api/convert.h"

namespace hostq::manager {
namespace {

// A watcher this far behind reads from the store. About 1 MiB.
constexpr size_t kRecent = 4'096;

}  // namespace

EventHub::EventHub(Engine& engine, Store& store, Workers& workers,
                   std::function<void(const v1::Event&)> seen)
    : engine_(engine), store_(store), workers_(workers), seen_(std::move(seen)) {
  {
    // Before the first announcement: nothing is seen twice.
    MutexLock lock(mutex_);
    tail_ = announced_ = engine_.last_sequence();
  }
  listener_ = engine_.AddListener([this](int64_t sequence) { Announced(sequence); });
  // What came between the two lines above.
  Announced(engine_.last_sequence());
}

EventHub::~EventHub() { Stop(); }

void EventHub::Announced(int64_t sequence) {
  {
    MutexLock lock(mutex_);
    announced_ = std::max(announced_, sequence);
    if (filling_ || stopped_ || announced_ == tail_) return;
    filling_ = true;
  }
  workers_.Post([this] { Fill(); });
}

void EventHub::Fill() {
  if (FillPage()) workers_.Post([this] { Fill(); });
}

bool EventHub::FillPage() {
  int64_t from = 0;
  {
    MutexLock lock(mutex_);
    if (stopped_ || tail_ == announced_) return filling_ = false;
    from = tail_;
  }
  const auto events = store_.ListEvents(from, kPage);
  if (!events.ok()) {
    LogError("events cannot be read", {{"status", events.status()}});
    MutexLock lock(mutex_);
    return filling_ = false;  // the next announcement tries again
  }
  std::vector<EventPtr> added;
  for (const Event& event : *events) {
    added.push_back(std::make_shared<const v1::Event>(ToProto(event)));
    seen_(*added.back());
  }
  absl::flat_hash_set<std::shared_ptr<Waiter>> waiters;
  bool more = false;
  {
    MutexLock lock(mutex_);
    for (EventPtr& event : added) {
      tail_ = event->sequence();
      recent_.push_back(std::move(event));
      if (recent_.size() > kRecent) recent_.pop_front();
    }
    if (!added.empty()) waiters.swap(waiters_);
    filling_ = more = !added.empty() && tail_ < announced_;
  }
  for (const auto& waiter : waiters) waiter->Wake();
  return more;
}

absl::StatusOr<std::vector<EventHub::EventPtr>> EventHub::After(int64_t sequence) {
  std::vector<EventPtr> events;
  {
    MutexLock lock(mutex_);
    if (sequence >= tail_) return events;
    if (!recent_.empty() && sequence >= recent_.front()->sequence() - 1) {
      auto next = std::partition_point(recent_.begin(), recent_.end(), [&](const EventPtr& event) {
        return event->sequence() <= sequence;
      });
      for (; next != recent_.end() && events.size() < kPage; ++next) events.push_back(*next);
      return events;
    }
  }
  auto stored = store_.ListEvents(sequence, kPage);
  if (!stored.ok()) return stored.status();
  for (const Event& event : *stored) {
    events.push_back(std::make_shared<const v1::Event>(ToProto(event)));
  }
  return events;
}

void EventHub::Wait(int64_t sequence, std::shared_ptr<Waiter> waiter) {
  {
    MutexLock lock(mutex_);
    if (!stopped_ && sequence >= tail_) {
      waiters_.insert(std::move(waiter));
      return;
    }
  }
  waiter->Wake();
}

bool EventHub::CancelWait(const std::shared_ptr<Waiter>& waiter) {
  MutexLock lock(mutex_);
  return waiters_.erase(waiter) > 0;
}

void EventHub::Stop() {
  engine_.RemoveListener(listener_);
  absl::flat_hash_set<std::shared_ptr<Waiter>> waiters;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    waiters.swap(waiters_);
  }
  for (const auto& waiter : waiters) waiter->Wake();
}

bool EventHub::stopped() const {
  MutexLock lock(mutex_);
  return stopped_;
}

}  // namespace hostq::manager
