#include "common/log/log_budget.h"

#include <utility>

namespace hostq {

std::optional<uint64_t> LogBudget::Take(absl::Duration now) {
  const MutexLock lock(mutex_);
  const int64_t second = absl::ToInt64Seconds(now);
  if (second != second_) {
    second_ = second;
    lines_ = 0;
  }
  if (lines_ >= lines_per_second_) {
    ++left_out_;
    return std::nullopt;
  }
  ++lines_;
  return std::exchange(left_out_, 0);
}

}  // namespace hostq
