#include "common/base/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace hostq {
namespace {

TEST(BackoffTest, GrowsToTheCapWithJitterBetweenHalfAndAll) {
  const BackoffPolicy policy{absl::Seconds(1), absl::Seconds(30)};
  SeededRandom random(7);
  for (int n = 1; n <= 100; ++n) {
    const absl::Duration full =
        std::min(absl::Seconds(std::ldexp(1.0, std::min(n - 1, 20))), policy.cap);
    for (int i = 0; i < 20; ++i) {
      const absl::Duration delay = BackoffDelay(policy, n, random);
      EXPECT_LE(delay, full);
      EXPECT_GE(delay, full / 2);
    }
  }
}

}  // namespace
}  // namespace hostq
