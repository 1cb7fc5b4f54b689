#include "manager/store/retention.h"

#include <pthread.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/error.h"

namespace hostq::manager {

Retention::Retention(Store& store, Clock& clock, const Options& options, Report report)
    : store_(store), clock_(clock), options_(options), report_(std::move(report)) {
  thread_ = std::thread([this] { Run(); });
}

Retention::~Retention() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

bool Retention::Wait(absl::Duration duration) {
  const absl::Duration until = clock_.Monotonic() + duration;
  const MutexLock lock(mutex_);
  while (!stopping_) {
    const absl::Duration left = until - clock_.Monotonic();
    if (left <= absl::ZeroDuration()) return true;
    wake_.WaitFor(mutex_, absl::ToChronoMicroseconds(left));
  }
  return false;
}

bool Retention::Another() { return clock_.Monotonic() < turn_end_ && Wait(options_.pause); }

absl::Status Retention::DeleteLooks() {
  do {
    const absl::StatusOr<int> deleted =
        store_.DeleteLooks(clock_.Now() - options_.look_age, options_.batch);
    if (!deleted.ok() || *deleted == 0) return deleted.status();
  } while (Another());
  return absl::OkStatus();
}

absl::Status Retention::DeleteAudit(int& entries) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<AuditEntry> oldest, store_.ListAudit({.limit = 1}));
  if (oldest.empty()) return absl::OkStatus();
  const absl::Time time =
      std::min(clock_.Now() - options_.audit_age, oldest.front().time + options_.audit_span);
  do {
    const absl::StatusOr<int> deleted = store_.DeleteAudit(time, options_.batch, clock_.Now());
    if (!deleted.ok() || *deleted == 0) return deleted.status();
    entries += *deleted;
  } while (Another());
  return absl::OkStatus();
}

absl::StatusOr<Retention::Done> Retention::Turn() {
  turn_end_ = clock_.Monotonic() + options_.interval;
  // First: they are not to get into the archive.
  HOSTQ_RETURN_IF_ERROR(DeleteLooks());
  Done total;
  do {
    const absl::StatusOr<Store::Archived> moved =
        store_.MoveToArchive(clock_.Now() - options_.age, options_.batch);
    if (!moved.ok()) return moved.status();
    if (moved->commands == 0 && moved->events == 0) break;
    total.commands += moved->commands;
    total.events += moved->events;
  } while (Another());
  HOSTQ_RETURN_IF_ERROR(DeleteAudit(total.audit_entries));
  return total;
}

void Retention::Run() {
  pthread_setname_np(pthread_self(), "retention");
  do report_(Turn());
  while (Wait(options_.interval));
}

}  // namespace hostq::manager
