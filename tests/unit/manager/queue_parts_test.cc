// Commands that are parts of another one: when they begin, when the whole ends, and what is done to
// both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "manager/domain/findings.h"
#include "queue_harness.h"

namespace hostq::manager {
namespace {

using testing::ElementsAre;
using testing::Pair;

class QueuePartsTest : public testing::Test {
 protected:
  QueuePartsTest() {
    h.AddNode("web1");
    h.Connect("web1", 20);
    whole = h.Submit("node/web1", {{"web1", 0}});
    share = Part("share/home", 1);
    for (const char* key : {"account/a", "account/b"}) accounts.push_back(Part(key, 2));
  }

  CommandId Part(const std::string& key, int stage) {
    return h.Submit(key, {{"web1", 0}}, {.part_of = whole, .part_stage = stage});
  }
  void Succeed(CommandId id) { h.Result(h.LeaseOf(id, "web1")); }
  Finding Why(CommandId id) {
    const Command& command = *h.queue.Find(id);
    return *Explain(h.queue, command, command.tasks[0], h.now);
  }

  QueueHarness h;
  CommandId whole = 0, share = 0;
  std::vector<CommandId> accounts;
};

TEST_F(QueuePartsTest, BeginAfterTheTasksOfTheWholeStageByStageAndEndIt) {
  EXPECT_THAT(h.queue.Find(whole)->parts, ElementsAre(Pair(CommandState::kActive, 3)));
  EXPECT_FALSE(h.WasSent(share, "web1"));
  EXPECT_EQ(Why(share).reason, Reason::kEarlierStage);
  EXPECT_EQ(Why(share).root_task, TaskIdOf(whole, "web1"));
  Succeed(whole);
  EXPECT_EQ(h.StateOf(whole), CommandState::kActive) << "its parts are not done";
  EXPECT_TRUE(h.WasSent(share, "web1"));
  EXPECT_FALSE(h.WasSent(accounts[0], "web1"));
  EXPECT_EQ(Why(accounts[0]).root_task, TaskIdOf(share, "web1"));
  Succeed(share);
  for (const CommandId account : accounts) EXPECT_TRUE(h.WasSent(account, "web1"));
  Succeed(accounts[1]);
  EXPECT_THAT(h.queue.Find(whole)->parts,
              ElementsAre(Pair(CommandState::kActive, 1), Pair(CommandState::kSucceeded, 2)));
  Succeed(accounts[0]);
  EXPECT_EQ(h.StateOf(whole), CommandState::kSucceeded);
}

TEST_F(QueuePartsTest, AreInOrderWithWhatElseChangesTheirKeys) {
  const CommandId later = h.Submit("account/a", {{"web1", 0}});
  EXPECT_EQ(Why(later).root_task, TaskIdOf(whole, "web1")) << "through the part in front of it";
  const CommandId gone = h.Submit("account/b", {{"web1", 0}}, {.supersedes = {"*"}});
  EXPECT_TRUE(h.WasSent(gone, "web1")) << "what it supersedes does not hold it up";
  EXPECT_EQ(h.StateOf(accounts[1]), CommandState::kSuperseded);
  Succeed(whole);
  Succeed(share);
  Succeed(accounts[0]);
  EXPECT_TRUE(h.WasSent(later, "web1"));
  EXPECT_EQ(h.StateOf(whole), CommandState::kSucceeded) << "somebody wanted something else since";
}

TEST_F(QueuePartsTest, AFailedPartFailsTheWholeAndHoldsUpNoOther) {
  Succeed(whole);
  Succeed(share);
  h.Result(h.LeaseOf(accounts[0], "web1"), Reason::kUidTaken);
  Succeed(accounts[1]);
  EXPECT_EQ(h.StateOf(whole), CommandState::kActive);
  const auto skip = [&](Changes& out) {
    return h.queue.Skip(whole, "", "root", "not needed", h.now, out);
  };
  EXPECT_TRUE(h.Do(skip).ok()) << "the parts of the whole";
  EXPECT_EQ(h.StateOf(accounts[0]), CommandState::kFailed);
  EXPECT_EQ(h.StateOf(whole), CommandState::kFailed);
}

TEST_F(QueuePartsTest, RetryOfTheWholeIsOfItsParts) {
  const auto retry = [&](Changes& out) { return h.queue.Retry(whole, "", "root", h.now, out); };
  EXPECT_EQ(ReasonOf(h.Do(retry)), Reason::kNotRetryable);
  Succeed(whole);
  h.Result(h.LeaseOf(share, "web1"), Reason::kUidTaken);
  EXPECT_EQ(h.PhaseOf(share, "web1"), Phase::kParked);
  EXPECT_TRUE(h.Do(retry).ok());
  EXPECT_EQ(h.LeaseOf(share, "web1").attempt, 2);
}

TEST_F(QueuePartsTest, CancellingTheWholeCancelsItsParts) {
  Succeed(whole);
  const auto cancel = [&](Changes& out) { return h.queue.Cancel(whole, "root", h.now, out); };
  EXPECT_TRUE(h.Do(cancel).ok());
  EXPECT_THAT(h.cancelled, ElementsAre(h.LeaseOf(share, "web1"))) << "the node is asked";
  for (const CommandId account : accounts) {
    EXPECT_EQ(h.StateOf(account), CommandState::kCancelled);
  }
  EXPECT_EQ(h.StateOf(whole), CommandState::kActive);
  h.NotStarted(h.LeaseOf(share, "web1"));
  EXPECT_EQ(h.StateOf(whole), CommandState::kCancelled);
}

TEST_F(QueuePartsTest, NothingFollowsAWholeThatWasCancelledOrNotStartedInTime) {
  const CommandId late =
      h.Submit("node/web1", {{"web1", 0}}, {.not_after = h.now.wall + absl::Minutes(1)});
  const CommandId part = h.Submit("account/c", {{"web1", 0}}, {.part_of = late, .part_stage = 1});
  h.Advance(absl::Minutes(2));
  EXPECT_EQ(h.OutcomeOf(late, "web1"), Outcome::kExpired);
  EXPECT_EQ(h.OutcomeOf(part, "web1"), Outcome::kExpired);
  EXPECT_EQ(h.StateOf(late), CommandState::kFailed);

  h.NotStarted(h.LeaseOf(whole, "web1"));
  const auto cancel = [&](Changes& out) { return h.queue.Cancel(whole, "root", h.now, out); };
  EXPECT_TRUE(h.Do(cancel).ok());
  for (const CommandId each : {share, accounts[0], accounts[1], whole}) {
    EXPECT_EQ(h.StateOf(each), CommandState::kCancelled);
  }
  EXPECT_TRUE(h.queue.commands().empty());
}

TEST_F(QueuePartsTest, AreFoundAgainAfterAStart) {
  Succeed(whole);
  Succeed(share);
  Succeed(accounts[0]);
  Queue again(8, h.random);
  Changes out;
  NodeState node = *h.queue.FindNode("web1");
  again.SetNode(node, h.now, out);
  // As they were stored, in any order.
  again.Load(*h.queue.Find(accounts[1]), h.now);
  again.Load(*h.queue.Find(whole), h.now);
  HelloFacts hello;
  hello.node = "web1";
  hello.session = 99;
  hello.credits = 8;
  hello.kinds = {"a"};
  hello.outbox = {h.LeaseOf(accounts[1], "web1")};
  ASSERT_TRUE(again.Connect(hello, h.now, out).ok());
  ResultFacts result;
  result.lease = h.LeaseOf(accounts[1], "web1");
  result.start_time = result.finish_time = h.now.wall;
  again.Result(result, 99, h.now, out);
  EXPECT_TRUE(again.commands().empty());
  const std::vector<Command> finished = again.TakeFinished();
  ASSERT_EQ(finished.size(), 2u);
  EXPECT_EQ(finished[1].id, whole) << "after its parts";
  EXPECT_THAT(finished[1].parts, ElementsAre(Pair(CommandState::kSucceeded, 3)));
}

// Found by a tester: the look was parked for want of an executor, and everything waited for a look.
TEST(QueueAdmissionTest, ALookThatIsParkedItselfGoesOn) {
  QueueHarness h;
  h.AddNode("web1", false);
  h.Connect("web1");
  const CommandId look = h.Submit("node/preflight", {{"web1", 0}}, {.needs_ready = false});
  const auto retry = [&](Changes& out) {
    h.queue.RetryParked("web1", "node/preflight", h.now, out);
    return absl::OkStatus();
  };
  EXPECT_TRUE(h.Do(retry).ok());
  EXPECT_EQ(h.LeaseOf(look, "web1").attempt, 1) << "it is under way";
  h.Result(h.LeaseOf(look, "web1"), Reason::kExecutorUnavailable);
  ASSERT_EQ(h.PhaseOf(look, "web1"), Phase::kParked);
  EXPECT_TRUE(h.Do(retry).ok());
  EXPECT_EQ(h.LeaseOf(look, "web1").attempt, 2);
}

TEST(QueueAdmissionTest, ANodeThatHasNotPassedIsLookedAtAgain) {
  QueueHarness h;
  h.AddNode("web1", false);
  EXPECT_TRUE(h.queue.NodesToCheck(h.now).empty()) << "it is not there";
  h.Connect("web1");
  for (int i = 0; i < 5; ++i) {
    h.Advance(absl::Seconds(31));
    EXPECT_THAT(h.queue.NodesToCheck(h.now), ElementsAre("web1"));
    EXPECT_TRUE(h.queue.NodesToCheck(h.now).empty());
  }
  h.AddNode("web1");
  h.Advance(absl::Minutes(5));
  EXPECT_TRUE(h.queue.NodesToCheck(h.now).empty());
}

}  // namespace
}  // namespace hostq::manager
