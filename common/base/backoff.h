#pragma once

#include "absl/time/time.h"
#include "common/base/random.h"

namespace hostq {

// Exponential delay with full jitter: uniform between `floor` times and one times
// min(cap, initial * factor^(n-1)).
struct BackoffPolicy {
  absl::Duration initial = absl::Seconds(1);
  absl::Duration cap = absl::Minutes(5);
  double factor = 2;
  // Full jitter may be nearly zero; half of the delay at least keeps a retry from being at once.
  double floor = 0.5;
  bool operator==(const BackoffPolicy&) const = default;
};

// The delay before try number `n` + 1, after `n` failures (n >= 1).
absl::Duration BackoffDelay(const BackoffPolicy& policy, int n, Random& random);

}  // namespace hostq
