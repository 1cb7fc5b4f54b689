#include "manager/cli/event_reader.h"

#include <algorithm>
#include <chrono>

#include "absl/time/clock.h"
#include "common/rpc/status.h"

namespace hostq::cli {
namespace {

// Enough to read ahead while a screen is drawn; beyond it the manager is slowed down.
constexpr size_t kReadAhead = 1000;

}  // namespace

EventReader::EventReader(v1::EventService::Stub& stub, std::unique_ptr<grpc::ClientContext> context,
                         const v1::WatchEventsRequest& request)
    : context_(std::move(context)),
      reader_(stub.WatchEvents(context_.get(), request)),
      thread_([this] { Read(); }) {}

EventReader::~EventReader() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  context_->TryCancel();
  thread_.join();
}

void EventReader::Read() {
  v1::Event event;
  while (reader_->Read(&event)) {
    MutexLock lock(mutex_);
    while (queue_.size() >= kReadAhead && !stopping_) changed_.Wait(mutex_);
    queue_.push_back(event);
    changed_.NotifyAll();
  }
  absl::Status status = FromGrpc(reader_->Finish());
  MutexLock lock(mutex_);
  status_ = std::move(status);
  ended_ = true;
  changed_.NotifyAll();
}

EventStream::Next EventReader::Wait(absl::Duration timeout, v1::Event& event) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(mutex_);
  while (queue_.empty()) {
    if (ended_) return Next::kEnd;
    // An hour, because infinity overflows the clock of the standard library.
    const absl::Duration left = std::min(deadline - absl::Now(), absl::Hours(1));
    if (left <= absl::ZeroDuration()) return Next::kNothingYet;
    changed_.WaitFor(mutex_, absl::ToChronoNanoseconds(left));
  }
  event = std::move(queue_.front());
  queue_.pop_front();
  changed_.NotifyAll();
  return Next::kEvent;
}

absl::Status EventReader::Finish() {
  MutexLock lock(mutex_);
  return status_;
}

}  // namespace hostq::cli
