#pragma once

#include <algorithm>
#include <deque>

#include "absl/time/time.h"

namespace hostq::manager {

// How far a node's clock is from the manager's, from times the node wrote into its messages.
// A message that travels long (a cable was out, a machine stood still) makes the node look late,
// never early: so the greatest of the last samples is the nearest to the truth, as NTP's clock
// filter takes the sample of the least delay (RFC 5905, section 10). Not thread-safe.
class ClockSkew {
 public:
  // `sample`: the clock read in the message minus the manager's at its arrival.
  void Add(absl::Duration sample) {
    samples_.push_back(sample);
    if (samples_.size() > kKept) samples_.pop_front();
  }

  bool known() const { return !samples_.empty(); }
  // Zero while nothing is known.
  absl::Duration estimate() const {
    return samples_.empty() ? absl::ZeroDuration()
                            : *std::max_element(samples_.begin(), samples_.end());
  }

  // More than `limit` for certain. A late clock takes several messages to tell from a slow one.
  bool Exceeds(absl::Duration limit) const {
    return estimate() > limit || (estimate() < -limit && samples_.size() >= kNeeded);
  }

 private:
  static constexpr size_t kNeeded = 3, kKept = 6;
  std::deque<absl::Duration> samples_;
};

}  // namespace hostq::manager
