#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "manager/access/authority_set.h"

namespace hostq::manager {

// Keeps the files that the listeners follow up to date while the manager runs: one thread, which
// looks every second, and at once when it is told of a step.
class AuthorityWatch {
 public:
  // `changed` is called on the thread after something was changed. `authorities` and `clock` must
  // outlive it.
  AuthorityWatch(AuthoritySet& authorities, Clock& clock, std::vector<std::string> ip_addresses,
                 std::function<void()> changed);
  // Waits for the thread.
  ~AuthorityWatch();
  AuthorityWatch(const AuthorityWatch&) = delete;
  AuthorityWatch& operator=(const AuthorityWatch&) = delete;

  // A step was made: the files are brought up to date, and `changed` is called, before long.
  void Poke();

 private:
  void Run();

  AuthoritySet& authorities_;
  Clock& clock_;
  const std::vector<std::string> ip_addresses_;
  const std::function<void()> changed_;
  Mutex mutex_;
  CondVar wake_;
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hostq::manager
