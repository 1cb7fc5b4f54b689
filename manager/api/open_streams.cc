#include "manager/api/open_streams.h"

#include <pthread.h>

#include <chrono>
#include <utility>
#include <vector>

namespace hostq::manager {
namespace {

constexpr std::chrono::milliseconds kInterval(500);
// Asked so often, it is cut off: its reader does not read.
constexpr int kPatience = 4;

}  // namespace

OpenStreams::OpenStreams() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "streams");
    Loop();
  });
}

OpenStreams::~OpenStreams() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void OpenStreams::Add(const std::shared_ptr<Stream>& stream) {
  const MutexLock lock(mutex_);
  streams_[stream.get()] = {stream, 0};
}

void OpenStreams::Remove(const Stream* stream) {
  const MutexLock lock(mutex_);
  streams_.erase(stream);
}

void OpenStreams::Look() {
  std::vector<std::pair<std::shared_ptr<Stream>, int>> unwanted;
  {
    const MutexLock lock(mutex_);
    for (auto& [key, entry] : streams_) {
      std::shared_ptr<Stream> stream = entry.stream.lock();
      if (stream == nullptr || stream->Recheck().ok()) continue;
      unwanted.emplace_back(std::move(stream), ++entry.asked);
    }
  }
  for (const auto& [stream, asked] : unwanted) {
    asked < kPatience ? stream->End() : stream->Abort();
  }
}

void OpenStreams::Loop() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      if (!stopping_) wake_.WaitFor(mutex_, kInterval);
      if (stopping_) return;
    }
    Look();
  }
}

}  // namespace hostq::manager
