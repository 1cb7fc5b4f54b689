// The threads for what may block: jobs run, the limit holds, and nothing is lost when they stop.
#include "manager/api/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace hostq::manager {
namespace {

TEST(WorkersTest, EveryJobRunsBeforeStopReturns) {
  std::atomic<int> ran = 0;
  Workers workers("test", 2, 1'000);
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(workers.Try([&] { ++ran; }));
  workers.Stop();
  EXPECT_EQ(ran, 500);
}

TEST(WorkersTest, LimitHoldsForTryAndNotForPost) {
  std::promise<void> go;
  std::promise<void> started;
  std::atomic<int> ran = 0;
  Workers workers("test", 1, 2);
  workers.Post([&] {
    started.set_value();
    go.get_future().wait();
  });
  started.get_future().wait();
  EXPECT_TRUE(workers.Try([&] { ++ran; }));
  EXPECT_TRUE(workers.Try([&] { ++ran; }));
  EXPECT_FALSE(workers.Try([&] { ++ran; }));
  workers.Post([&] { ++ran; });
  go.set_value();
  workers.Stop();
  EXPECT_EQ(ran, 3);
}

TEST(WorkersTest, AfterStopPostRunsAtOnceAndTryRefuses) {
  Workers workers("test", 1, 10);
  workers.Stop();
  workers.Stop();
  bool ran = false;
  workers.Post([&] { ran = true; });
  EXPECT_TRUE(ran);
  EXPECT_FALSE(workers.Try([] {}));
}

}  // namespace
}  // namespace hostq::manager
