#include "common/base/histogram.h"

#include <gmock/gmock.h>

namespace hostq {
namespace {

using ::testing::ElementsAre;

constexpr double kBounds[] = {1, 10};

TEST(HistogramTest, AValueIsBelowItsBoundOrAtIt) {
  Histogram histogram(kBounds);
  for (const double value : {0.5, 1.0, 1.5, 10.0, 11.0}) histogram.Add(value);
  histogram.Add(absl::Milliseconds(500));
  EXPECT_THAT(histogram.counts(), ElementsAre(3, 2, 1));
  EXPECT_DOUBLE_EQ(histogram.sum(), 24.5);
  EXPECT_EQ(histogram.count(), 6u);
}

TEST(HistogramTest, AnotherOnesCountsAreAddedIfTheyFit) {
  Histogram histogram(kBounds);
  histogram.Add(5);
  EXPECT_TRUE(histogram.Add({1, 2, 3}, 40.0));
  EXPECT_THAT(histogram.counts(), ElementsAre(1, 3, 3));
  EXPECT_FALSE(histogram.Add({1, 2}, 1.0));
  EXPECT_DOUBLE_EQ(histogram.sum(), 45);
}

}  // namespace
}  // namespace hostq
