#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace hostq {

// How often values were how large. Plain data: belongs to one thread, and is copied to be shown.
class Histogram {
 public:
  // Upper bounds, rising; of a lifetime without end. What is above the last one has a bucket too.
  explicit Histogram(absl::Span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  void Add(double value) {
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    ++counts_[static_cast<size_t>(at - bounds_.begin())];
    sum_ += value;
  }
  void Add(absl::Duration span) { Add(absl::ToDoubleSeconds(span)); }
  // What another one with these bounds has. False: it has others, and nothing is added.
  bool Add(absl::Span<const uint64_t> counts, double sum) {
    if (counts.size() != counts_.size()) return false;
    for (size_t i = 0; i < counts.size(); ++i) counts_[i] += counts[i];
    sum_ += sum;
    return true;
  }

  absl::Span<const double> bounds() const { return bounds_; }
  // One for each bucket, not added up; one more than bounds.
  const std::vector<uint64_t>& counts() const { return counts_; }
  double sum() const { return sum_; }
  uint64_t count() const {
    uint64_t all = 0;
    for (const uint64_t one : counts_) all += one;
    return all;
  }

 private:
  absl::Span<const double> bounds_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
};

// Seconds, of a disk or a call: from what an SSD needs to what is felt as a hang.
inline constexpr double kCallBounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                         0.1,    0.25,  0.5,    1,     2.5,  5,     10};
// Seconds, of what waits its turn or runs on a node: to the hour that somebody may be away.
inline constexpr double kWorkBounds[] = {0.01, 0.05, 0.1, 0.25, 0.5, 1,    2.5,
                                         5,    10,   30,  60,   300, 1800, 3600};
// How many at once.
inline constexpr double kCountBounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

}  // namespace hostq
