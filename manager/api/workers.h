#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"

namespace hostq::manager {

// A few threads for what may block (the store): neither gRPC's threads nor the engine's may.
class Workers {
 public:
  // `name` is the threads' name, at most 15 characters.
  Workers(const std::string& name, int threads, size_t max_waiting);
  ~Workers();

  // False: too many are waiting, or it was stopped; `job` will not run.
  bool Try(std::function<void()> job);
  // The same without a limit, for jobs whose number is bounded otherwise. After Stop() it runs the
  // job at once, here: it has to end what it was about.
  void Post(std::function<void()> job);

  // Runs what is waiting, then ends the threads. May be called twice.
  void Stop();

 private:
  void Run();

  const size_t max_waiting_;
  Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace hostq::manager
