#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "common/base/mutex.h"

namespace hostq {

// For lines that strangers cause: at most some of them a second, so that nobody fills the disk or
// hides something else by asking often. Thread-safe; does not block.
class LogBudget {
 public:
  explicit LogBudget(int lines_per_second) : lines_per_second_(lines_per_second) {}

  // Whether a line may be written at `now` (monotonic); then how many were not since the one
  // before: write that too.
  std::optional<uint64_t> Take(absl::Duration now);

 private:
  const int lines_per_second_;
  Mutex mutex_;
  int64_t second_ ABSL_GUARDED_BY(mutex_) = -1;
  int lines_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hostq
