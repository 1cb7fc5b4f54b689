#include "manager/access/rate_limiter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

// What all share who came when the table was full.
constexpr char kOthers[] = "*";

}  // namespace

double RateLimiter::LevelAt(const Bucket& bucket, absl::Duration now) const {
  const double gained = absl::ToDoubleSeconds(now - bucket.time) * options_.per_second;
  return std::min(options_.burst, bucket.level + std::max(gained, 0.0));
}

void RateLimiter::Forget(absl::Duration now) {
  // Looks at all of them: not for each of a flood of sources.
  if (now - forgot_ < absl::Seconds(1)) return;
  forgot_ = now;
  absl::erase_if(buckets_,
                 [&](const auto& entry) { return LevelAt(entry.second, now) >= options_.burst; });
}

absl::Duration RateLimiter::WaitOf(absl::string_view source, absl::Duration now) {
  const MutexLock lock(mutex_);
  auto at = buckets_.find(source);
  if (at == buckets_.end()) {
    if (buckets_.size() >= options_.max_sources) Forget(now);
    const bool room = buckets_.size() < options_.max_sources;
    at = buckets_.try_emplace(room ? source : kOthers, Bucket{options_.burst, now}).first;
  }
  Bucket& bucket = at->second;
  bucket.level = LevelAt(bucket, now);
  bucket.time = now;
  if (bucket.level < 1) return absl::Seconds((1 - bucket.level) / options_.per_second);
  bucket.level -= 1;
  return absl::ZeroDuration();
}

absl::Status RateLimiter::Check(absl::string_view source, absl::Duration now) {
  const absl::Duration wait = WaitOf(source, now);
  if (wait == absl::ZeroDuration()) return absl::OkStatus();
  // Never "at once".
  const absl::Duration delay = absl::Ceil(wait, absl::Milliseconds(1));
  return WithRetryDelay(
      MakeError(absl::StatusCode::kResourceExhausted, Reason::kRateLimited,
                absl::StrCat("too many requests from ", source, ": at most ", options_.per_second,
                             " a second after the first ", options_.burst)),
      delay);
}

}  // namespace hostq::manager
