// Goal: which step runs when. Method: the runner alone, the executor played by the test.

#include "agent/runner/task_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/runner/convert.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using ReasonCode = hostq::v1::Reason;

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() { runner_.OnExecutorReady(); }

  void Add(const std::string& task, const std::string& key, int steps = 1, bool independent = false,
           absl::Duration timeout = absl::Minutes(5)) {
    std::vector<StepPlan> plan;
    for (int i = 0; i < steps; ++i) {
      plan.push_back({absl::StrCat(task, ".", i), absl::Seconds(30), independent, i});
    }
    runner_.Add({{task, 1, ++epoch_}, key, "k", "w", {}, timeout}, plan, false);
  }
  TaskRunner::Output Advance() {
    TaskRunner::Output out;
    runner_.Advance(out);
    for (const auto& step : out.steps) ids_[step.step_name()] = step.id();
    return out;
  }
  static std::vector<std::string> Names(const TaskRunner::Output& out) {
    std::vector<std::string> names;
    for (const auto& step : out.steps) names.push_back(step.step_name());
    return names;
  }
  void Done(const std::string& step, ReasonCode::Code reason = ReasonCode::CODE_UNSPECIFIED,
            bool warning = false) {
    v1::StepDone done;
    done.set_id(ids_[step]);
    done.mutable_result()->set_name(step);
    done.mutable_result()->set_reason(reason);
    done.mutable_result()->set_warning(warning);
    runner_.OnStepDone(done);
  }
  void Wedge(const std::string& step, const std::string& key) {
    v1::Wedged wedged;
    wedged.set_id(ids_[step]);
    wedged.set_resource_key(key);
    wedged.set_pid(42);
    wedged.set_state("D (disk sleep)");
    wedged.set_wchan("rpc_wait_bit_killable");
    runner_.OnWedged(wedged);
  }
  void Release(const std::string& key) {
    v1::Released released;
    released.set_resource_key(key);
    runner_.OnReleased(released);
  }

  FakeClock clock_;
  TaskRunner runner_{3, clock_};
  uint64_t epoch_ = 0;
  std::map<std::string, uint64_t> ids_;
};

TEST_F(RunnerTest, OrderPerKeyAndSideBySideAcrossKeys) {
  Add("a", "k1");
  Add("b", "k1");
  Add("c", "k2");
  EXPECT_THAT(Names(Advance()), ElementsAre("a.0", "c.0"));
  Done("c.0");
  EXPECT_THAT(Names(Advance()), IsEmpty());  // b waits for a
  Done("a.0");
  const auto out = Advance();
  EXPECT_THAT(Names(out), ElementsAre("b.0"));
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].assignment.lease.task_id, "a");
  ASSERT_EQ(out.started.size(), 1u);
  EXPECT_EQ(out.started[0].task_id, "b");
}

TEST_F(RunnerTest, NoMoreThanItsConcurrency) {
  for (int i = 0; i < 5; ++i) Add(absl::StrCat("t", i), absl::StrCat("k", i));
  EXPECT_THAT(Names(Advance()), ElementsAre("t0.0", "t1.0", "t2.0"));
  Done("t1.0");
  EXPECT_THAT(Names(Advance()), ElementsAre("t3.0"));
}

TEST_F(RunnerTest, PlaceThatBecomesFreeGoesToTheOldestThatWaits) {
  Wedge("none", "k0");
  Add("t0", "k0");
  for (int i = 1; i < 4; ++i) Add(absl::StrCat("t", i), absl::StrCat("k", i));
  EXPECT_THAT(Names(Advance()), ElementsAre("t1.0", "t2.0", "t3.0"));
  Release("k0");
  EXPECT_THAT(Names(Advance()), IsEmpty());
  Done("t3.0");
  EXPECT_THAT(Names(Advance()), ElementsAre("t0.0"));
}

TEST_F(RunnerTest, StepsFollowEachOtherAndStopAtTheFirstFailure) {
  Add("a", "k", 3);
  EXPECT_THAT(Names(Advance()), ElementsAre("a.0"));
  Done("a.0", ReasonCode::CLOCK_SKEW, /*warning=*/true);
  EXPECT_THAT(Names(Advance()), ElementsAre("a.1"));
  Done("a.1", ReasonCode::QUOTA_MISMATCH);
  const auto out = Advance();
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].result.reason(), ReasonCode::QUOTA_MISMATCH);
  EXPECT_EQ(out.finished[0].result.steps_size(), 2);
  EXPECT_EQ(runner_.size(), 0u);
}

TEST_F(RunnerTest, CancelledTaskEndsAfterTheStepItIsIn) {
  Add("a", "k", 3);
  Add("last", "k2");
  EXPECT_THAT(Names(Advance()), ElementsAre("a.0", "last.0"));
  runner_.Cancel("a");
  runner_.Cancel("last");
  EXPECT_THAT(Advance().finished, IsEmpty());
  Done("a.0");
  Done("last.0");
  const auto out = Advance();
  EXPECT_THAT(Names(out), IsEmpty());
  ASSERT_EQ(out.finished.size(), 2u);
  EXPECT_EQ(out.finished[0].result.reason(), ReasonCode::INTERRUPTED);
  EXPECT_EQ(out.finished[0].result.steps_size(), 1) << "what took effect is reported";
  EXPECT_NE(out.finished[0].result.message().find("step 2 of 3"), std::string::npos)
      << out.finished[0].result.message();
  EXPECT_EQ(out.finished[1].result.reason(), ReasonCode::CODE_UNSPECIFIED) << "it was done";
}

TEST_F(RunnerTest, IndependentStepsAllRunAndTheTaskFails) {
  Add("a", "k", 3, /*independent=*/true);
  Advance();
  Done("a.0", ReasonCode::TOOL_MISSING);
  EXPECT_THAT(Names(Advance()), ElementsAre("a.1"));
  Done("a.1");
  Advance();
  Done("a.2", ReasonCode::HOME_LAYOUT);
  const auto out = Advance();
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].result.reason(), ReasonCode::PREFLIGHT_FAILED);
  EXPECT_EQ(out.finished[0].result.steps_size(), 3);
}

TEST_F(RunnerTest, TaskWithoutStepsSucceeds) {
  Add("a", "k", 0);
  const auto out = Advance();
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].result.reason(), ReasonCode::CODE_UNSPECIFIED);
}

TEST_F(RunnerTest, TimeoutOfTheTaskLimitsItsStepsAndEndsIt) {
  Add("a", "k", 2, false, absl::Seconds(10));
  const auto first = Advance();
  EXPECT_EQ(FromProto(first.steps.at(0).timeout()), absl::Seconds(10));
  clock_.Advance(absl::Seconds(11));
  Done("a.0");
  const auto out = Advance();
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].result.reason(), ReasonCode::STEP_TIMED_OUT);
}

TEST_F(RunnerTest, HeldTasksDoNotBegin) {
  runner_.Hold(true);
  Add("a", "k");
  EXPECT_THAT(Names(Advance()), IsEmpty());
  EXPECT_TRUE(runner_.Remove("a"));
  Add("b", "k");
  runner_.Hold(false);
  EXPECT_THAT(Names(Advance()), ElementsAre("b.0"));
  EXPECT_FALSE(runner_.Remove("b"));
}

TEST_F(RunnerTest, LostExecutorMeansAgainFromTheFirstStepButNotForEver) {
  Add("a", "k", 2);
  Advance();
  Done("a.0");
  EXPECT_THAT(Names(Advance()), ElementsAre("a.1"));
  runner_.OnExecutorLost();
  EXPECT_THAT(Names(Advance()), IsEmpty());
  Done("a.1");  // what the dead one may still have said
  runner_.OnExecutorReady();
  const auto again = Advance();
  EXPECT_THAT(Names(again), ElementsAre("a.0"));
  EXPECT_THAT(again.started, IsEmpty());
  runner_.OnExecutorLost();
  runner_.OnExecutorReady();
  EXPECT_THAT(Names(Advance()), ElementsAre("a.0"));
  runner_.OnExecutorLost();
  runner_.OnExecutorReady();
  const auto out = Advance();
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].result.reason(), ReasonCode::STEP_CRASHED);
}

TEST_F(RunnerTest, WedgedKeyIsQuarantinedAndTheRestGoesOn) {
  Add("a", "k1");
  Add("b", "k1");
  Advance();
  Wedge("a.0", "k1");
  auto out = Advance();
  ASSERT_EQ(out.progress.size(), 1u);
  EXPECT_TRUE(out.progress[0].wedged());
  EXPECT_EQ(out.progress[0].evidence().at("wchan"), "rpc_wait_bit_killable");
  EXPECT_TRUE(runner_.Quarantined("k1"));
  for (int i = 2; i < 5; ++i) Add(absl::StrCat("t", i), absl::StrCat("k", i));
  EXPECT_EQ(Names(Advance()).size(), 3u);  // it does not count as running
  clock_.Advance(absl::Seconds(31));
  out = Advance();  // gives its credit back; the key stays closed
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].result.reason(), ReasonCode::STEP_TIMED_OUT);
  EXPECT_EQ(out.finished[0].result.steps(0).evidence().at("pid"), "42");
  for (int i = 2; i < 5; ++i) Done(absl::StrCat("t", i, ".0"));
  Advance();
  EXPECT_THAT(Names(Advance()), IsEmpty());
  Release("k1");
  EXPECT_THAT(Names(Advance()), ElementsAre("b.0"));
}

TEST_F(RunnerTest, StepRefusedForAQuarantineItDidNotKnowOfWaitsAndRuns) {
  Add("a", "k");
  Advance();
  Done("a.0", ReasonCode::WEDGED);
  const auto out = Advance();
  EXPECT_THAT(Names(out), IsEmpty());
  ASSERT_EQ(out.progress.size(), 1u);
  EXPECT_TRUE(out.progress[0].wedged());
  Release("k");
  EXPECT_THAT(Names(Advance()), ElementsAre("a.0"));
}

TEST_F(RunnerTest, RenewedLeaseIsTheOneThatTheResultAnswers) {
  Add("a", "k");
  Advance();
  runner_.Renew({{"a", 2, 99}, "k", "k", "other work", {}, absl::Minutes(1)}, {});
  Done("a.0");
  const auto out = Advance();
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].assignment.lease, (Lease{"a", 2, 99}));
}

TEST_F(RunnerTest, StoppedRunnerStartsNoFurtherStep) {
  Add("a", "k", 2);
  Advance();
  runner_.Stop();
  Done("a.0");
  EXPECT_THAT(Names(Advance()), IsEmpty());
  EXPECT_EQ(runner_.running_steps(), 0);
}

TEST_F(RunnerTest, WouldStartTellsTheTruth) {
  EXPECT_TRUE(runner_.WouldStart("k1", 0));
  EXPECT_FALSE(runner_.WouldStart("k1", 3));
  Add("a", "k1");
  Advance();
  EXPECT_FALSE(runner_.WouldStart("k1", 0));
  EXPECT_TRUE(runner_.WouldStart("k2", 0));
}

TEST_F(RunnerTest, WithoutAnExecutorTasksEndAfterAWhileAndSayWhy) {
  Add("a", "k1", 2);
  EXPECT_THAT(Names(Advance()), ElementsAre("a.0"));
  runner_.OnExecutorLost();
  Add("b", "k2");
  EXPECT_THAT(Advance().finished, IsEmpty());
  EXPECT_FALSE(runner_.ExecutorMissing());
  EXPECT_EQ(runner_.NextWake(), clock_.Monotonic() + absl::Seconds(5));
  clock_.Advance(absl::Seconds(5));
  EXPECT_TRUE(runner_.ExecutorMissing());
  const auto out = Advance();
  ASSERT_EQ(out.finished.size(), 2u);
  for (const auto& finished : out.finished) {
    EXPECT_EQ(finished.result.reason(), ReasonCode::EXECUTOR_UNAVAILABLE);
  }
  EXPECT_TRUE(out.finished[0].result.has_start_time());
  EXPECT_FALSE(out.finished[1].result.has_start_time()) << "b was never started";
  runner_.OnExecutorReady();
  EXPECT_FALSE(runner_.ExecutorMissing());
  Add("c", "k1");
  EXPECT_THAT(Names(Advance()), ElementsAre("c.0"));
}

TEST_F(RunnerTest, AnExecutorThatComesBackSoonGoesOnWithWhatRan) {
  Add("a", "k1", 2);
  EXPECT_THAT(Names(Advance()), ElementsAre("a.0"));
  runner_.OnExecutorLost();
  clock_.Advance(absl::Seconds(4));
  EXPECT_THAT(Advance().finished, IsEmpty());
  runner_.OnExecutorReady();
  EXPECT_THAT(Names(Advance()), ElementsAre("a.0"));
}

}  // namespace
}  // namespace hostq::agent
