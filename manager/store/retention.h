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
// (Store::DeleteLooks) and old entries of the audit (Store::DeleteAudit), in small pieces with
// pauses between them, on a thread of its own: commits go on. What fails is tried again at the next
// turn.
class Retention {
 public:
  struct Options {
    absl::Duration age = absl::Hours(24 * 90);
    absl::Duration look_age = absl::Hours(24);
    absl::Duration audit_age = absl::Hours(24 * 400);
    // Of the audit a turn deletes at most what was written within so long: a clock that was set
    // wrong makes everything old, and takes days for what it would otherwise do at once.
    absl::Duration audit_span = absl::Hours(6);
    // Between two turns. One does not last longer either: what is left is the next one's.
    absl::Duration interval = absl::Minutes(10);
    int batch = 100;  // commands, and events
    absl::Duration pause = absl::Milliseconds(50);
  };

  struct Done : Store::Archived {
    int audit_entries = 0;  // deleted
  };
  // `store` and `clock` must outlive it. Starts at once. `report` is told, on its thread, what each
  // turn has moved and deleted, or why it could not.
  using Report = std::function<void(const absl::StatusOr<Done>&)>;
  Retention(Store& store, Clock& clock, const Options& options, Report report);
  // Waits for the piece that is being moved.
  ~Retention();

 private:
  void Run();
  // Everything that is old enough, unless it is stopped.
  absl::StatusOr<Done> Turn();
  absl::Status DeleteLooks();
  absl::Status DeleteAudit(int& entries);
  // Waits for the next piece. False: the turn has lasted long enough, or it is stopped.
  bool Another();
  // False: stopped.
  bool Wait(absl::Duration duration);

  Store& store_;
  Clock& clock_;
  const Options options_;
  const Report report_;
  absl::Duration turn_end_;  // of the thread
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hostq::manager
