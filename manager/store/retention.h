#pragma once

#include <functional>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "manager/store/store.h"

namespace hostq::manager {

// Moves finished work into the archive when it is old enough, and deletes old looks at nodes
// (Store::DeleteLooks), in small pieces with pauses between them, on a thread of its own: commits
// go on. What fails is tried again at the next turn.
class Retention {
 public:
  struct Options {
    absl::Duration age = absl::Hours(24 * 90);
    absl::Duration look_age = absl::Hours(24);
    absl::Duration interval = absl::Minutes(10);
    int batch = 100;  // commands, and events
    absl::Duration pause = absl::Milliseconds(50);
  };

  // `store` and `clock` must outlive it. Starts at once. `report` is told, on its thread, what each
  // turn has moved, or why it could not.
  using Report = std::function<void(const absl::StatusOr<Store::Archived>&)>;
  Retention(Store& store, Clock& clock, const Options& options, Report report);
  // Waits for the piece that is being moved.
  ~Retention();

 private:
  void Run();
  // Everything that is old enough, unless it is stopped.
  absl::StatusOr<Store::Archived> Turn();
  absl::Status DeleteLooks();
  // False: stopped.
  bool Wait(absl::Duration duration);

  Store& store_;
  Clock& clock_;
  const Options options_;
  const Report report_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hostq::manager
