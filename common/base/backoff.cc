#include "common/base/backoff.h"

#include <algorithm>
#include <cmath>

namespace hostq {

absl::Duration BackoffDelay(const BackoffPolicy& policy, int n, Random& random) {
  const double ceiling = absl::FDivDuration(policy.cap, policy.initial);
  const double times = std::min(ceiling, std::pow(policy.factor, std::clamp(n - 1, 0, 64)));
  return policy.initial * times * (policy.floor + (1 - policy.floor) * random.Fraction());
}

}  // namespace hostq
