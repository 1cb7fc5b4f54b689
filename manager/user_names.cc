#include "manager/user_names.h"

#include <pthread.h>
#include <pwd.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kFresh = absl::Minutes(1);
constexpr absl::Duration kPatience = absl::Seconds(1);

}  // namespace

struct UserNames::Shared {
  struct Known {
    std::string name;  // empty: none
    absl::Duration time;
  };
  explicit Shared(Lookup the_lookup) : lookup(std::move(the_lookup)) {}

  const Lookup lookup;
  Mutex mutex;
  CondVar changed;
  std::map<uid_t, Known> known ABSL_GUARDED_BY(mutex);
  // What the thread is to look up, or is looking up.
  std::optional<uid_t> wanted ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool ended ABSL_GUARDED_BY(mutex) = false;
};

std::string UserNames::FromSystem(uid_t uid) {
  std::vector<char> buffer(64 << 10);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0) return "";
  return found == nullptr ? "" : entry.pw_name;
}

UserNames::UserNames(Lookup lookup) : shared_(std::make_shared<Shared>(std::move(lookup))) {
  thread_ = std::thread([shared = shared_] {
    pthread_setname_np(pthread_self(), "user-names");
    Run(*shared);
  });
}

UserNames::~UserNames() {
  bool ended = false;
  {
    const MutexLock lock(shared_->mutex);
    shared_->stopping = true;
    shared_->changed.NotifyAll();
    const absl::Duration until = SystemClock().Monotonic() + kPatience;
    for (absl::Duration left = kPatience; !shared_->ended && left > absl::ZeroDuration();
         left = until - SystemClock().Monotonic()) {
      shared_->changed.WaitFor(shared_->mutex, absl::ToChronoMilliseconds(left));
    }
    ended = shared_->ended;
  }
  ended ? thread_.join() : thread_.detach();
}

void UserNames::Run(Shared& shared) {
  const MutexLock lock(shared.mutex);
  for (;;) {
    while (!shared.stopping && !shared.wanted) shared.changed.Wait(shared.mutex);
    if (shared.stopping) break;
    const uid_t uid = *shared.wanted;
    shared.mutex.Unlock();
    std::string name = shared.lookup(uid);
    shared.mutex.Lock();
    shared.known[uid] = {std::move(name), SystemClock().Monotonic()};
    shared.wanted.reset();
    shared.changed.NotifyAll();
  }
  shared.ended = true;
  shared.changed.NotifyAll();
}

std::string UserNames::Of(uid_t uid) {
  const MutexLock lock(shared_->mutex);
  const absl::Duration now = SystemClock().Monotonic();
  const auto known = shared_->known.find(uid);
  const bool fresh = known != shared_->known.end() && now - known->second.time < kFresh;
  // One that is under way is stuck: the one before has waited for it.
  if (!fresh && !shared_->wanted) {
    shared_->wanted = uid;
    shared_->changed.NotifyAll();
    for (absl::Duration left = kPatience; shared_->wanted && left > absl::ZeroDuration();
         left = now + kPatience - SystemClock().Monotonic()) {
      shared_->changed.WaitFor(shared_->mutex, absl::ToChronoMilliseconds(left));
    }
  }
  const auto found = shared_->known.find(uid);
  const bool named = found != shared_->known.end() && !found->second.name.empty();
  return named ? found->second.name : absl::StrCat("uid ", uid);
}

}  // namespace hostq::manager
