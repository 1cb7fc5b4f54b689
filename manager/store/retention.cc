#include "manager/store/retention.h"

#include <pthread.h>

#include <utility>

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

absl::Status Retention::DeleteLooks() {
  do {
    const absl::StatusOr<int> deleted =
        store_.DeleteLooks(clock_.Now() - options_.look_age, options_.batch);
    if (!deleted.ok() || *deleted == 0) return deleted.status();
  } while (Wait(options_.pause));
  return absl::OkStatus();
}

absl::StatusOr<Store::Archived> Retention::Turn() {
  // First: they are not to get into the archive.
  HOSTQ_RETURN_IF_ERROR(DeleteLooks());
  Store::Archived total;
  do {
    const absl::StatusOr<Store::Archived> moved =
        store_.MoveToArchive(clock_.Now() - options_.age, options_.batch);
    if (!moved.ok()) return moved.status();
    if (moved->commands == 0 && moved->events == 0) break;
    total.commands += moved->commands;
    total.events += moved->events;
  } while (Wait(options_.pause));
  return total;
}

void Retention::Run() {
  pthread_setname_np(pthread_self(), "retention");
  do report_(Turn());
  while (Wait(options_.interval));
}

}  // namespace hostq::manager
