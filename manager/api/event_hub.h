#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "hostq/v1/event_service.pb.h"
#include "manager/api/workers.h"
#include "manager/engine/engine.h"
#include "manager/store/store.h"

namespace hostq::manager {

// The newest events in memory, read from the store once for all watchers, and older ones from the
// store. Thread-safe.
class EventHub {
 public:
  using EventPtr = std::shared_ptr<const v1::Event>;
  // Waits for events; woken once, on any thread, and must not block.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void Wake() = 0;
  };

  // All three must outlive it. `seen` is called once for each event that becomes durable from now
  // on, in order, on a worker.
  EventHub(Engine& engine, Store& store, Workers& workers,
           std::function<void(const v1::Event&)> seen);
  ~EventHub();

  // Events after `sequence`, oldest first, without a gap, at most kPage. Empty: there are none yet
  // that this hub knows of. May block on the store.
  absl::StatusOr<std::vector<EventPtr>> After(int64_t sequence);
  static constexpr int kPage = 500;

  // Wakes `waiter` when there is something after `sequence`, or the hub stops: perhaps at once.
  void Wait(int64_t sequence, std::shared_ptr<Waiter> waiter);
  // True: it was waiting and will not be woken.
  bool CancelWait(const std::shared_ptr<Waiter>& waiter);

  // Wakes everybody, for the last time. May be called twice.
  void Stop();
  bool stopped() const;

 private:
  void Announced(int64_t sequence);
  void Fill();
  // False: there is nothing to fill, or it went wrong.
  bool FillPage();

  Engine& engine_;
  Store& store_;
  Workers& workers_;
  const std::function<void(const v1::Event&)> seen_;
  uint64_t listener_ = 0;

  mutable Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // A Fill is waiting or running.
  bool filling_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t announced_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of the last event in recent_, or before it if that is empty.
  int64_t tail_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<EventPtr> recent_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::shared_ptr<Waiter>> waiters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
