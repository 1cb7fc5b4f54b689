#include "common/base/process_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/config.h"

namespace hostq {
namespace {

TEST(ProcessLimitsTest, NoCoreDumps) {
  ForbidCoreDumps();
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_CORE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, 0u);
  EXPECT_EQ(limit.rlim_max, 0u);
}

TEST(ProcessLimitsTest, AsManyDescriptorsAsTheHardLimit) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = 256;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  RaiseDescriptorLimit();
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
  EXPECT_GT(limit.rlim_cur, 256u);
}

TEST(ProcessLimitsTest, FreedMemoryGoesBack) {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
  GTEST_SKIP() << "SKIPPED LOUDLY: a sanitizer's allocator is not the one that is asked";
#endif
  // Small pieces, of which the last one stays: the allocator cannot give back the top by itself.
  std::vector<std::unique_ptr<std::string>> pieces;
  for (int i = 0; i < 40'000; ++i) {
    pieces.push_back(std::make_unique<std::string>(3'000, 'x'));
  }
  const auto last = std::move(pieces.back());
  pieces.clear();
  ReturnFreedMemory();
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  EXPECT_LT(resident * 4096, 100 << 20);
}

TEST(ReturnSchedule, OftenAfterGrowthAndThenLessAndLess) {
  constexpr int64_t kMiB = 1 << 20;
  ReturnSchedule schedule;
  std::vector<int> times;
  for (int second = 0; second < 200; ++second) {
    // Grows in the tenth second, and is smaller again from the twelfth on.
    const int64_t resident = second == 10 || second == 11 ? 200 * kMiB : 30 * kMiB;
    if (schedule.IsTime(absl::Seconds(second), resident)) times.push_back(second);
  }
  EXPECT_THAT(times, ::testing::ElementsAre(0, 1, 3, 7, 10, 11, 13, 17, 25, 41, 73, 133, 193));
}

TEST(ReturnSchedule, LittleByLittleCountsFromTheLeast) {
  constexpr int64_t kMiB = 1 << 20;
  ReturnSchedule schedule;
  for (int second = 0; second < 400; ++second) schedule.IsTime(absl::Seconds(second), 30 * kMiB);
  EXPECT_FALSE(schedule.IsTime(absl::Seconds(400), 46 * kMiB));
  EXPECT_TRUE(schedule.IsTime(absl::Seconds(401), 47 * kMiB));
}

TEST(ResidentBytes, IsWhatThisProcessHas) {
  EXPECT_GT(ResidentBytes(), int64_t{1} << 20);
  EXPECT_LT(ResidentBytes(), int64_t{1} << 40);
}

}  // namespace
}  // namespace hostq
