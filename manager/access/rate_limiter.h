#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "manager/domain/source.h"

namespace hostq::manager {

// A token bucket for each source, so that secrets cannot be tried out, and no caller takes what
// others need. Memory is bounded: when
// `max_sources` are known at once, full buckets are forgotten; if none is full, sources not yet
// known share one bucket. Thread-safe; does not block.
class RateLimiter {
 public:
  struct Options {
    double per_second = 1;
    double burst = 5;
    size_t max_sources = 10'000;
  };
  explicit RateLimiter(const Options& options) : options_(options) {}

  // Zero: `source` may act now, and it is counted. Else when it may. `now` is monotonic.
  absl::Duration WaitOf(absl::string_view source, absl::Duration now);
  // As WaitOf, as an error: RESOURCE_EXHAUSTED (RATE_LIMITED), with the delay.
  absl::Status Check(absl::string_view source, absl::Duration now);

 private:
  struct Bucket {
    double level;
    absl::Duration time;
  };
  double LevelAt(const Bucket& bucket, absl::Duration now) const;
  void Forget(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Bucket> buckets_ ABSL_GUARDED_BY(mutex_);
  absl::Duration forgot_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace hostq::manager
