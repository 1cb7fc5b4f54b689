#include "manager/authority_watch.h"

#include <pthread.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);

}  // namespace

AuthorityWatch::AuthorityWatch(AuthoritySet& authorities, Clock& clock,
                               std::vector<std::string> ip_addresses, std::function<void()> changed)
    : authorities_(authorities),
      clock_(clock),
      ip_addresses_(std::move(ip_addresses)),
      changed_(std::move(changed)) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "authorities");
    Run();
  });
}

AuthorityWatch::~AuthorityWatch() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

void AuthorityWatch::Poke() {
  const MutexLock lock(mutex_);
  poked_ = true;
  wake_.NotifyAll();
}

void AuthorityWatch::Run() {
  std::string told;
  for (;;) {
    bool poked = false;
    {
      const MutexLock lock(mutex_);
      if (!poked_ && !stopping_) wake_.WaitFor(mutex_, absl::ToChronoMilliseconds(kInterval));
      if (stopping_) return;
      poked = std::exchange(poked_, false);
    }
    const absl::StatusOr<bool> maintained = authorities_.Maintain(ip_addresses_, clock_.Now());
    const std::string problem = maintained.ok() ? "" : maintained.status().ToString();
    if (!problem.empty() && problem != told) {
      LogError("the manager's certificate files cannot be brought up to date",
               {{"status", maintained.status()}});
    }
    told = problem;
    if (maintained.ok() && *maintained) LogInfo("certificate files changed");
    if (poked || (maintained.ok() && *maintained)) changed_();
  }
}

}  // namespace hostq::manager
