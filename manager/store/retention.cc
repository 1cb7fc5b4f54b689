#include "manager/store/retention.h"

#include <pthread.h>

#include <utility>

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

absl::StatusOr<Store::Archived> Retention::Turn() {
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
