// Goal: what steers the queue (rules of delivery, pauses, retries of many, drains, dry runs) asks
// the manager for what was typed, and tells how it ended. Method: the real hostq as a child
// process, talking to a fake manager over a real Unix socket.

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/cli/fake_manager.h"
#include "tests/unit/cli/process.h"
#include "tests/unit/cli/sample_cluster.h"

namespace hostq::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class SteeringTest : public ::testing::Test {
 protected:
  SteeringTest() : directory_("/tmp/hostq-cli-XXXXXX") {
    HOSTQ_CHECK(mkdtemp(directory_.data()) != nullptr);
    socket_ = directory_ + "/manager.sock";
    FillIn(manager_, absl::Now());
    manager_.next_id = kDoneId;
  }
  ~SteeringTest() override {
    manager_.Stop();
    unlink(socket_.c_str());
    rmdir(directory_.c_str());
  }

  Finished Run(const std::string& line) {
    std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    words.insert(words.begin(), HOSTQ_BINARY);
    return RunProcess(words, {{"HOSTQ_SOCKET", socket_}, {"TERM", "xterm"}}, "");
  }

  std::string directory_;
  std::string socket_;
  FakeManager manager_;
};

TEST_F(SteeringTest, RulesOfDeliveryAreSubmitted) {
  manager_.Start(socket_);
  const Finished result =
      Run("address bind 192.0.2.1 --not-before 2033-05-18T03:33:20Z --priority -5 --max-parallel 2 "
          "--max-failures 0 --max-attempts 3 --retry-initial 90s --retry-cap 1h --max-elapsed 1d "
          "--never-retry step_timed_out,UID_TAKEN --retry-factor 1.5 --retry-jitter full");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  v1::CreateCommandRequest request = manager_.Created();
  request.clear_spec();
  EXPECT_EQ(request.ShortDebugString(),
            "not_before { seconds: 2000000000 } priority: -5 max_parallel: 2 max_failures: 0 "
            "retry { initial { seconds: 90 } cap { seconds: 3600 } factor: 1.5 full_jitter: true "
            "max_attempts: 3 "
            "max_elapsed { seconds: 86400 } never: STEP_TIMED_OUT never: UID_TAKEN }");
  EXPECT_EQ(Run("address bind 192.0.2.1").exit_code, 0);
  request = manager_.Created();
  EXPECT_FALSE(request.has_retry());
  EXPECT_FALSE(request.has_max_failures());
  for (const char* wrong : {"--priority 101", "--retry-factor 0.5", "--retry-factor x",
                            "--retry-jitter some", "--max-attempts 0", "--never-retry NONSENSE",
                            "--retry-cap soon", "--not-before yesterday"}) {
    EXPECT_EQ(Run(std::string("address bind 192.0.2.1 ") + wrong).exit_code, 2) << wrong;
  }
}

TEST_F(SteeringTest, DryRunShowsWhatStandsInTheWay) {
  v1::Finding free;
  free.set_reason(v1::Reason::IN_PROGRESS);
  v1::Finding offline;
  offline.set_reason(v1::Reason::NODE_OFFLINE);
  offline.set_summary("node web1 has not been connected for 3h");
  offline.set_stuck(true);
  manager_.findings[kDoneId] = {free, offline, free};
  manager_.Start(socket_);
  const Finished result = Run("address bind 192.0.2.1 --dry-run --wait");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(manager_.Created().validate_only());
  EXPECT_THAT(result.out, HasSubstr("Nothing was changed."));
  EXPECT_THAT(result.out, HasSubstr("storage1  nothing stands in its way"));
  EXPECT_THAT(result.out, HasSubstr("web1  NODE_OFFLINE\n    node web1 has not been connected"));
  EXPECT_THAT(result.out, Not(HasSubstr("follow it")));
}

TEST_F(SteeringTest, CanaryThatSucceedsIsFollowedByTheOthers) {
  manager_.parked = {std::string(kDoneId) + "/web1", std::string(kDoneId) + "/web2",
                     std::string(kParkedId) + "/web2"};
  manager_.Start(socket_);
  const Finished result = Run("command retry --reason step_timed_out --canary 2");
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
  EXPECT_EQ(result.out, "3 tasks are tried again.\n");
  EXPECT_EQ(manager_.LastRequest(), "reason: STEP_TIMED_OUT");
}

TEST_F(SteeringTest, CanaryThatFailsLeavesTheOthers) {
  manager_.parked = {std::string(kParkedId) + "/web2", std::string(kDoneId) + "/web1"};
  manager_.Start(socket_);
  const Finished result = Run("command retry --kind create_account --canary 1");
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.out, HasSubstr("01jd4n7zq8w3b/web2  PARKED ADDRESS_OWNED_BY_OTHER_HOST: "));
  EXPECT_THAT(result.out, HasSubstr("1 more were left as they are."));
  const auto calls = manager_.Calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "RetryTasks"), 1);
}

TEST_F(SteeringTest, CanaryGivesUpInTime) {
  manager_.parked = {std::string(kMovingId) + "/web1"};
  manager_.commands[kMovingId][0].mutable_tasks(1)->set_phase(v1::Task::QUEUED);
  manager_.Start(socket_);
  const Finished result = Run("command retry --kind create_account --canary 1 --timeout 1s");
  EXPECT_EQ(result.exit_code, 6) << result.out << result.err;
}

TEST_F(SteeringTest, RetryOfManyNeedsToKnowWhich) {
  manager_.Start(socket_);
  EXPECT_EQ(Run("command retry").exit_code, 2);
  EXPECT_EQ(Run("command retry 01jd4n7zq8w3b --reason UID_TAKEN").exit_code, 2);
  EXPECT_EQ(manager_.Calls().size(), 0u);
  const Finished none = Run("command retry --node web1");
  EXPECT_EQ(none.out, "No parked or backing-off task matches.\n");
  EXPECT_EQ(manager_.LastRequest(), "node: \"web1\"");
}

TEST_F(SteeringTest, KindsAndKeysArePaused) {
  v1::Pause pause;
  pause.set_kind("set_quota");
  pause.set_actor("alice");
  pause.set_note("upgrade");
  manager_.pauses = {pause};
  manager_.Start(socket_);
  EXPECT_EQ(Run("command pause --kind set_quota --note upgrade").exit_code, 0);
  EXPECT_EQ(manager_.LastRequest(), "kind: \"set_quota\" note: \"upgrade\"");
  EXPECT_EQ(Run("command resume --key share/home").exit_code, 0);
  EXPECT_EQ(manager_.LastRequest(), "resource_key: \"share/home\"");
  EXPECT_THAT(Run("command pauses").out, HasSubstr("kind set_quota"));
  for (const char* wrong : {"command pause --kind a --key b --note c", "command pause --note c",
                            "command pause --kind a", "command resume"}) {
    EXPECT_EQ(Run(wrong).exit_code, 2) << wrong;
  }
}

TEST_F(SteeringTest, OrphansAreShown) {
  v1::Orphan orphan;
  orphan.set_task_id("01jd4n7zq8w3z/web1");
  orphan.mutable_attempt()->set_number(2);
  orphan.mutable_attempt()->set_reason(v1::Reason::UID_TAKEN);
  manager_.orphans = {orphan};
  manager_.Start(socket_);
  const Finished result = Run("command orphans --limit 10");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("01jd4n7zq8w3z/web1"));
  EXPECT_THAT(result.out, HasSubstr("UID_TAKEN"));
  EXPECT_EQ(manager_.LastRequest(), "limit: 10");
}

TEST_F(SteeringTest, DrainWaitsForWhatTheNodeHas) {
  manager_.nodes[0].set_tasks_in_flight(0);
  const std::string name = manager_.nodes[0].name();
  manager_.Start(socket_);
  const Finished result = Run("node drain " + name + " --note kernel");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("is drained"));
  EXPECT_THAT(manager_.Calls(), Contains("PauseNode"));
}

TEST_F(SteeringTest, DrainGivesUpInTime) {
  manager_.nodes[0].set_tasks_in_flight(2);
  const std::string name = manager_.nodes[0].name();
  manager_.Start(socket_);
  const Finished result = Run("node drain " + name + " --timeout 1s");
  EXPECT_EQ(result.exit_code, 6) << result.err;
  EXPECT_THAT(result.err, HasSubstr("works on 2 tasks"));
  EXPECT_THAT(result.out, HasSubstr("still works on 2 tasks; it stays paused"));
}

}  // namespace
}  // namespace hostq::testing
