#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/base/reason.h"
#include "manager/domain/audit.h"

namespace hostq::manager {

// Gathers refusals, so that nobody fills the disk by being refused: of one sort (the same actor,
// source (RateLimitSource), act and reason) the first is written at once, and then at most one
// entry a minute, with how many they were. At most so many sorts are told apart at a time, of those
// who are known and of strangers (the actor "unknown"), who thus hide nobody; all others are one
// sort of their own. Time comes in; thread-safe; does not block.
class Refusals {
 public:
  struct Options {
    absl::Duration interval = absl::Minutes(1);
    size_t max_sorts = 1'000;
    size_t max_strangers = 100;
  };
  explicit Refusals(const Options& options) : options_(options) {}
  Refusals() : Refusals(Options()) {}

  // What is to be written now because of this one: it, or nothing. `now` is monotonic.
  std::optional<AuditEntry> Add(AuditEntry entry, absl::Duration now);
  // What has been gathered for long enough, oldest first. Sorts of which nothing came any more are
  // forgotten.
  std::vector<AuditEntry> TakeDue(absl::Duration now);
  // All that has been gathered, for the end of the program.
  std::vector<AuditEntry> TakeAll();
  size_t sorts() const;

 private:
  // Actor, source, act, reason.
  using Sort = std::tuple<std::string, std::string, std::string, Reason>;
  struct Gathered {
    absl::Duration written;  // when an entry of this sort was written last
    AuditEntry last;
    int64_t count = 0;  // since then
  };
  using Sorts = absl::flat_hash_map<Sort, Gathered>;
  static AuditEntry Take(Gathered& gathered);
  // Those that are over, to `due`; when the next one is.
  absl::Duration TakeDue(Sorts& sorts, absl::Duration now, std::vector<AuditEntry>& due) const;

  const Options options_;
  mutable Mutex mutex_;
  Sorts known_ ABSL_GUARDED_BY(mutex_);
  Sorts strangers_ ABSL_GUARDED_BY(mutex_);
  absl::Duration next_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
};

}  // namespace hostq::manager
