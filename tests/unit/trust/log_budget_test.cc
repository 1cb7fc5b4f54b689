#include "common/log/log_budget.h"

#include <gtest/gtest.h>

namespace hostq {
namespace {

TEST(LogBudgetTest, SoManyASecondAndTheRestIsCounted) {
  LogBudget budget(2);
  const absl::Duration now = absl::Seconds(100);
  EXPECT_EQ(budget.Take(now), 0u);
  EXPECT_EQ(budget.Take(now), 0u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(budget.Take(now + absl::Milliseconds(900)), std::nullopt);
  EXPECT_EQ(budget.Take(now + absl::Seconds(1)), 5u);
  EXPECT_EQ(budget.Take(now + absl::Seconds(1)), 0u);
  EXPECT_EQ(budget.Take(now + absl::Seconds(1)), std::nullopt);
}

}  // namespace
}  // namespace hostq
