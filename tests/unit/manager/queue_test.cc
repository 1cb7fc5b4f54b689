// The rules of the queue, one by one: order, leases, stages, retry, reconciliation.
#include "manager/domain/queue.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/base/error.h"
#include "queue_harness.h"

namespace hostq::manager {
namespace {

using Options = QueueHarness::Options;

TEST(QueueTest, SendsAtOnceWhenNothingStandsInTheWay) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("account/x", {{"web1", 0}});
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
  const Lease lease = h.LeaseOf(id, "web1");
  EXPECT_EQ(lease.attempt, 1);
  EXPECT_EQ(TermOfEpoch(lease.epoch), 7u);
  h.Accept(lease);
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kAccepted);
  h.Progress(lease);
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kRunning);
  h.Result(lease);
  EXPECT_EQ(h.OutcomeOf(id, "web1"), Outcome::kSucceeded);
  EXPECT_EQ(h.StateOf(id), CommandState::kSucceeded);
  EXPECT_EQ(h.acknowledged, std::vector<Lease>{lease});
  EXPECT_EQ(h.queue.live_tasks(), 0u);
  EXPECT_TRUE(h.queue.commands().empty());
}

TEST(QueueTest, KeepsOrderPerNodeAndKeyAndNowhereElse) {
  QueueHarness h;
  h.AddNode("web1");
  h.AddNode("web2");
  h.Connect("web1");
  h.Connect("web2");
  const CommandId first = h.Submit("account/x", {{"web1", 0}});
  const CommandId second = h.Submit("account/x", {{"web1", 0}, {"web2", 0}});
  const CommandId other = h.Submit("account/y", {{"web1", 0}});
  EXPECT_TRUE(h.WasSent(first, "web1"));
  EXPECT_FALSE(h.WasSent(second, "web1"));
  EXPECT_TRUE(h.WasSent(second, "web2"));
  EXPECT_TRUE(h.WasSent(other, "web1"));
  h.Result(h.LeaseOf(first, "web1"));
  EXPECT_TRUE(h.WasSent(second, "web1"));
}

TEST(QueueTest, ParkedTaskBlocksItsKeyOnItsNodeOnly) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId bad = h.Submit("account/x", {{"web1", 0}});
  h.Result(h.LeaseOf(bad, "web1"), Reason::kUidTaken);
  EXPECT_EQ(h.PhaseOf(bad, "web1"), Phase::kParked);
  const CommandId behind = h.Submit("account/x", {{"web1", 0}});
  const CommandId other = h.Submit("account/y", {{"web1", 0}});
  EXPECT_FALSE(h.WasSent(behind, "web1"));
  EXPECT_TRUE(h.WasSent(other, "web1"));
  EXPECT_TRUE(h.Do([&](Changes& out) {
                 return h.queue.Skip(bad, "", "admin", "not needed", h.now, out);
               }).ok());
  EXPECT_EQ(h.OutcomeOf(bad, "web1"), Outcome::kFailed);
  EXPECT_TRUE(h.WasSent(behind, "web1"));
}

TEST(QueueTest, NeverMoreInFlightThanCredits) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1", 2);
  std::vector<CommandId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(h.Submit("k/" + std::to_string(i), {{"web1", 0}}));
  EXPECT_EQ(h.queue.FindNode("web1")->in_flight, 2);
  EXPECT_FALSE(h.WasSent(ids[2], "web1"));
  h.Result(h.LeaseOf(ids[1], "web1"));
  EXPECT_TRUE(h.WasSent(ids[2], "web1"));
  EXPECT_EQ(h.queue.FindNode("web1")->in_flight, 2);
}

TEST(QueueTest, LaterStageWaitsForEarlierOne) {
  QueueHarness h;
  for (const char* node : {"storage1", "web1", "web2"}) {
    h.AddNode(node);
    h.Connect(node);
  }
  const CommandId id = h.Submit("account/x", {{"storage1", 0}, {"web1", 1}, {"web2", 1}});
  EXPECT_FALSE(h.WasSent(id, "web1"));
  h.Result(h.LeaseOf(id, "storage1"));
  EXPECT_TRUE(h.WasSent(id, "web1"));
  EXPECT_TRUE(h.WasSent(id, "web2"));
}

TEST(QueueTest, CancelledEarlierStageCancelsAllLaterTasks) {
  QueueHarness h;
  for (const char* node : {"storage1", "web1", "web2", "web3"}) h.AddNode(node);
  const CommandId id =
      h.Submit("account/x", {{"storage1", 0}, {"web1", 1}, {"web2", 1}, {"web3", 2}});
  EXPECT_TRUE(h.Do([&](Changes& out) { return h.queue.Cancel(id, "admin", h.now, out); }).ok());
  for (const char* node : {"storage1", "web1", "web2", "web3"}) {
    EXPECT_EQ(h.OutcomeOf(id, node), Outcome::kCancelled) << node;
  }
  EXPECT_EQ(h.StateOf(id), CommandState::kCancelled);
}

TEST(QueueTest, RemovedNodeOfAnEarlierStageEndsTheCommand) {
  QueueHarness h;
  for (const char* node : {"storage1", "web1", "web2"}) h.AddNode(node);
  h.Connect("storage1");
  const CommandId id = h.Submit("account/x", {{"storage1", 0}, {"web1", 1}, {"web2", 1}});
  const uint64_t session = h.queue.FindNode("storage1")->session;
  (void)h.Do([&](Changes& out) {
    h.queue.RemoveNode("storage1", h.now, "admin", out);
    return absl::OkStatus();
  });
  EXPECT_EQ(h.StateOf(id), CommandState::kCancelled);
  EXPECT_EQ(h.closed, std::vector<uint64_t>{session});
  EXPECT_EQ(h.queue.FindNode("storage1"), nullptr);
  EXPECT_EQ(h.queue.live_tasks(), 0u);
}

TEST(QueueTest, TransientFailureBacksOffThenParks) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}}, {.retry = {.max_attempts = 3}});
  for (int i = 1; i <= 2; ++i) {
    h.Result(h.LeaseOf(id, "web1"), Reason::kStepTimedOut);
    EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kBackingOff);
    h.Advance(absl::Minutes(6));
    EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
    EXPECT_EQ(h.LeaseOf(id, "web1").attempt, i + 1);
  }
  h.Result(h.LeaseOf(id, "web1"), Reason::kStepTimedOut);
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kParked);
  EXPECT_TRUE(h.Do([&](Changes& out) { return h.queue.Retry(id, "", "admin", h.now, out); }).ok());
  h.Result(h.LeaseOf(id, "web1"));
  EXPECT_EQ(h.OutcomeOf(id, "web1"), Outcome::kSucceeded);
  EXPECT_EQ(h.attempts, 4);
}

TEST(QueueTest, CancelledTaskThatFailsOrIsLostEndsAsCancelled) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const auto cancel = [&](CommandId id) {
    return h.Do([&](Changes& out) { return h.queue.Cancel(id, "root", h.now, out); });
  };
  const CommandId fails = h.Submit("a/1", {{"web1", 0}});
  EXPECT_TRUE(cancel(fails).ok());
  h.Result(h.LeaseOf(fails, "web1"), Reason::kStepTimedOut);
  EXPECT_EQ(h.OutcomeOf(fails, "web1"), Outcome::kCancelled);
  const CommandId lost = h.Submit("a/2", {{"web1", 0}});
  const CommandId unsent = h.Submit("a/3", {{"web1", 0}});
  h.Accept(h.LeaseOf(lost, "web1"));
  EXPECT_TRUE(cancel(lost).ok());
  EXPECT_TRUE(cancel(unsent).ok());
  h.Connect("web1");
  EXPECT_EQ(h.OutcomeOf(lost, "web1"), Outcome::kCancelled);
  EXPECT_EQ(h.OutcomeOf(unsent, "web1"), Outcome::kCancelled);
}

TEST(QueueTest, PreflightFailureIsAnAnswerNotAnObstacle) {
  QueueHarness h;
  h.AddNode("web1", false);
  h.Connect("web1");
  const CommandId id = h.Submit("node/preflight", {{"web1", 0}}, {.needs_ready = false});
  h.Result(h.LeaseOf(id, "web1"), Reason::kPreflightFailed);
  EXPECT_EQ(h.StateOf(id), CommandState::kFailed);
}

TEST(QueueTest, UnreadyNodeGetsOnlyWhatMakesItReady) {
  QueueHarness h;
  h.AddNode("web1", false);
  h.Connect("web1");
  const CommandId account = h.Submit("account/x", {{"web1", 0}});
  EXPECT_FALSE(h.WasSent(account, "web1"));
  h.AddNode("web1", true);
  EXPECT_TRUE(h.WasSent(account, "web1"));
}

TEST(QueueTest, PausedNodeGetsNothingUntilResumed) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  NodeState node = *h.queue.FindNode("web1");
  node.paused = true;
  (void)h.Do([&](Changes& out) {
    h.queue.SetNode(node, h.now, out);
    return absl::OkStatus();
  });
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_FALSE(h.WasSent(id, "web1"));
  h.AddNode("web1");
  EXPECT_TRUE(h.WasSent(id, "web1"));
}

TEST(QueueTest, UnknownKindIsNotSent) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}}, {.kind = "new_kind"});
  EXPECT_FALSE(h.WasSent(id, "web1"));
}

TEST(QueueTest, RefusalDoesNotSpendAnAttemptUnlessItIsForGood) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  for (int i = 0; i < 30; ++i) {
    h.Refuse(h.LeaseOf(id, "web1"), Reason::kBufferFull);
    ASSERT_EQ(h.PhaseOf(id, "web1"), Phase::kBackingOff);
    EXPECT_EQ(h.stored.at({id, "web1"}).failures, 0);
    h.Advance(absl::Seconds(31));
  }
  h.Refuse(h.LeaseOf(id, "web1"), Reason::kNotAllowedByPolicy);
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kParked);
}

TEST(QueueTest, StaleResultChangesNothingAndIsAcknowledged) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  const Lease old = h.LeaseOf(id, "web1");
  h.Result(old, Reason::kStepCrashed);
  h.Advance(absl::Minutes(1));
  const Lease current = h.LeaseOf(id, "web1");
  ASSERT_NE(old, current);
  h.Result(old);
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
  EXPECT_EQ(h.orphans, 1);
  EXPECT_EQ(h.acknowledged.size(), 2u);
  h.Accept(old);
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
}

TEST(QueueTest, ReconnectRenewsWhatBothKnow) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  const Lease lease = h.LeaseOf(id, "web1");
  h.Disconnect("web1");
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
  EXPECT_TRUE(h.Connect("web1", 8, {{lease, true}}).empty());
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kRunning);
  h.Result(lease);
  EXPECT_EQ(h.StateOf(id), CommandState::kSucceeded);
  EXPECT_EQ(h.assigns.size(), 1u);
}

TEST(QueueTest, ReconnectSendsAgainWhatNeverArrived) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  const Lease lost = h.LeaseOf(id, "web1");
  h.Disconnect("web1");
  h.Connect("web1");
  const Lease again = h.LeaseOf(id, "web1");
  EXPECT_GT(again.epoch, lost.epoch);
  EXPECT_EQ(h.stored.at({id, "web1"}).losses, 0);
}

TEST(QueueTest, ReconnectWithoutAcceptedTaskIsALossAndThreeInARowPark) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  for (int i = 1; i <= 3; ++i) {
    h.Accept(h.LeaseOf(id, "web1"));
    h.Disconnect("web1");
    h.Connect("web1");
    EXPECT_EQ(h.stored.at({id, "web1"}).losses, i);
    EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
  }
  h.Accept(h.LeaseOf(id, "web1"));
  h.Disconnect("web1");
  h.Connect("web1");
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kParked);
}

TEST(QueueTest, ReconnectWaitsForResultsInTheOutbox) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  const Lease lease = h.LeaseOf(id, "web1");
  h.Accept(lease);
  h.Disconnect("web1");
  h.Connect("web1", 8, {}, {lease});
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kAccepted);
  h.Result(lease);
  EXPECT_EQ(h.StateOf(id), CommandState::kSucceeded);
}

TEST(QueueTest, ReconnectForgetsLeasesNobodyKnows) {
  QueueHarness h;
  h.AddNode("web1");
  const Lease unknown{4711, "web1", 1, 5};
  EXPECT_EQ(h.Connect("web1", 8, {{unknown, true}}), std::vector<Lease>{unknown});
}

TEST(QueueTest, NewerSessionClosesTheOlderOne) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const uint64_t old = h.queue.FindNode("web1")->session;
  h.Connect("web1");
  EXPECT_EQ(h.closed, std::vector<uint64_t>{old});
  Changes out;
  h.queue.Disconnect("web1", old, h.now, out);
  EXPECT_TRUE(h.queue.FindNode("web1")->connected()) << "the old one's end is not the new one's";
}

TEST(QueueTest, TermRisesAboveWhatNodesHaveSeen) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1", 8, {}, {}, (uint64_t{20} << 32) | 5);
  EXPECT_EQ(h.queue.term(), 21u);
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_EQ(TermOfEpoch(h.LeaseOf(id, "web1").epoch), 21u);
}

TEST(QueueTest, TermDoesNotRiseToWhatNoManagerOfThisClusterCanHaveGivenOut) {
  QueueHarness h;
  h.AddNode("web1");
  for (const uint64_t epoch :
       {uint64_t{7 + (1 << 20) + 1} << 32, uint64_t{INT64_MAX}, UINT64_MAX}) {
    HelloFacts hello;
    hello.node = "web1";
    hello.session = 1;
    hello.max_epoch = epoch;
    Changes out;
    const auto forget = h.queue.Connect(hello, h.now, out);
    EXPECT_TRUE(absl::IsFailedPrecondition(forget.status())) << epoch;
    EXPECT_TRUE(out.mutations.empty() && out.effects.empty());
  }
  EXPECT_EQ(h.queue.term(), 7u);
  EXPECT_FALSE(h.queue.FindNode("web1")->connected());
}

TEST(QueueTest, NewerCommandSupersedesWaitingOnesNeverRunningOnes) {
  QueueHarness h;
  h.AddNode("web1");
  h.AddNode("web2");
  h.Connect("web1");
  const CommandId running = h.Submit("a/x", {{"web1", 0}, {"web2", 0}});
  const CommandId other_kind = h.Submit("a/x", {{"web1", 0}}, {.kind = "b"});
  const CommandId newer =
      h.Submit("a/x", {{"web1", 0}, {"web2", 0}}, {.kind = "a", .supersedes = {"a"}});
  EXPECT_EQ(h.PhaseOf(running, "web1"), Phase::kLeased);
  EXPECT_EQ(h.OutcomeOf(running, "web2"), Outcome::kSuperseded);
  EXPECT_EQ(h.PhaseOf(other_kind, "web1"), Phase::kQueued);
  const CommandId removal =
      h.Submit("a/x", {{"web1", 0}, {"web2", 0}}, {.kind = "delete", .supersedes = {"*"}});
  EXPECT_EQ(h.OutcomeOf(other_kind, "web1"), Outcome::kSuperseded);
  EXPECT_EQ(h.OutcomeOf(newer, "web1"), Outcome::kSuperseded);
  EXPECT_EQ(h.StateOf(newer), CommandState::kSuperseded);
  h.Result(h.LeaseOf(running, "web1"));
  EXPECT_EQ(h.StateOf(running), CommandState::kSuperseded);
  EXPECT_TRUE(h.WasSent(removal, "web1"));
}

// A quota set while the node was away: when the node reports that it differs by now, the newer
// command must not wait for the older one to be tried again and again.
TEST(QueueTest, WhatWasWithTheNodeIsSupersededWhenItComesBackWithoutSuccess) {
  for (const Reason reason : {Reason::kQuotaMismatch, Reason::kInterrupted, Reason::kInternal}) {
    QueueHarness h;
    h.AddNode("web1");
    h.Connect("web1");
    const CommandId older = h.Submit("a/x", {{"web1", 0}});
    const CommandId newer = h.Submit("a/x", {{"web1", 0}}, {.supersedes = {"a"}});
    EXPECT_EQ(h.PhaseOf(older, "web1"), Phase::kLeased);
    h.Result(h.LeaseOf(older, "web1"), reason);
    EXPECT_EQ(h.OutcomeOf(older, "web1"), Outcome::kSuperseded) << NameOf(reason);
    EXPECT_TRUE(h.WasSent(newer, "web1")) << NameOf(reason);
  }
}

TEST(QueueTest, RefusedOrLostTaskIsSupersededToo) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId refused = h.Submit("a/x", {{"web1", 0}});
  const CommandId lost = h.Submit("a/y", {{"web1", 0}});
  const CommandId never_arrived = h.Submit("a/z", {{"web1", 0}});
  for (const char* key : {"a/x", "a/y", "a/z"}) h.Submit(key, {{"web1", 0}}, {.supersedes = {"*"}});
  h.Refuse(h.LeaseOf(refused, "web1"), Reason::kBufferFull);
  EXPECT_EQ(h.OutcomeOf(refused, "web1"), Outcome::kSuperseded);
  h.Accept(h.LeaseOf(lost, "web1"));
  h.Disconnect("web1");
  h.Connect("web1");
  EXPECT_EQ(h.OutcomeOf(lost, "web1"), Outcome::kSuperseded);
  EXPECT_EQ(h.OutcomeOf(never_arrived, "web1"), Outcome::kSuperseded);
}

TEST(QueueTest, CancelledNewerCommandSupersedesNothingAnyMore) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId older = h.Submit("a/x", {{"web1", 0}});
  const CommandId newer = h.Submit("a/x", {{"web1", 0}}, {.supersedes = {"a"}});
  EXPECT_TRUE(h.Do([&](Changes& out) { return h.queue.Cancel(newer, "root", h.now, out); }).ok());
  h.Result(h.LeaseOf(older, "web1"), Reason::kQuotaMismatch);
  EXPECT_EQ(h.PhaseOf(older, "web1"), Phase::kBackingOff);
}

TEST(QueueTest, CancelOfWhatIsWithTheNodeTellsTheNode) {
  QueueHarness h;
  h.AddNode("web1");
  h.AddNode("web2");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}, {"web2", 0}});
  EXPECT_TRUE(h.Do([&](Changes& out) { return h.queue.Cancel(id, "admin", h.now, out); }).ok());
  EXPECT_EQ(h.OutcomeOf(id, "web2"), Outcome::kCancelled);
  EXPECT_EQ(h.cancelled, std::vector<Lease>{h.LeaseOf(id, "web1")});
  h.Result(h.LeaseOf(id, "web1"), Reason::kInterrupted);
  EXPECT_EQ(h.OutcomeOf(id, "web1"), Outcome::kCancelled);
  EXPECT_EQ(ReasonOf(h.Do([&](Changes& out) { return h.queue.Cancel(id, "admin", h.now, out); })),
            Reason::kCommandFinished);
}

TEST(QueueTest, CancelThatComesTooLateReportsWhatHappened) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_TRUE(h.Do([&](Changes& out) { return h.queue.Cancel(id, "admin", h.now, out); }).ok());
  h.Result(h.LeaseOf(id, "web1"));
  EXPECT_EQ(h.OutcomeOf(id, "web1"), Outcome::kSucceeded);
}

TEST(QueueTest, CancelledTaskIsNotSentAgain) {
  const auto cancel_with_node = [](const std::function<void(QueueHarness&, CommandId)>& then) {
    QueueHarness h;
    h.AddNode("web1");
    h.Connect("web1");
    const CommandId id = h.Submit("a/x", {{"web1", 0}});
    EXPECT_TRUE(h.Do([&](Changes& out) { return h.queue.Cancel(id, "admin", h.now, out); }).ok());
    then(h, id);
    EXPECT_EQ(h.OutcomeOf(id, "web1"), Outcome::kCancelled);
    EXPECT_EQ(h.assigns.size(), 1u);
  };
  cancel_with_node([](QueueHarness& h, CommandId id) {
    h.Result(h.LeaseOf(id, "web1"), Reason::kStepTimedOut);
  });
  // It never arrived.
  cancel_with_node([](QueueHarness& h, CommandId) { h.Connect("web1"); });
  // The node has lost it.
  cancel_with_node([](QueueHarness& h, CommandId id) {
    h.Accept(h.LeaseOf(id, "web1"));
    h.Connect("web1");
  });
}

TEST(QueueTest, NotAfterExpiresOnlyWhatNeverStarted) {
  QueueHarness h;
  h.AddNode("web1");
  h.AddNode("web2");
  h.Connect("web1");
  const CommandId id =
      h.Submit("a/x", {{"web1", 0}, {"web2", 0}}, {.not_after = h.now.wall + absl::Minutes(1)});
  h.Advance(absl::Minutes(2));
  EXPECT_EQ(h.OutcomeOf(id, "web2"), Outcome::kExpired);
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
  h.Result(h.LeaseOf(id, "web1"));
  EXPECT_EQ(h.StateOf(id), CommandState::kFailed);
}

TEST(QueueTest, NotAfterIsToldToTheNode) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}}, {.not_after = h.now.wall + absl::Minutes(1)});
  EXPECT_EQ(h.last_assign.start_within, absl::Minutes(1));
  EXPECT_EQ(h.last_assign.start_before, absl::InfiniteFuture()) << "the node's clock is not known";
  h.Accept(h.LeaseOf(id, "web1"));
  h.Advance(absl::Seconds(59));
  h.NotStarted(h.LeaseOf(id, "web1"));
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kBackingOff) << "by our clock there is time left";
  h.Advance(absl::Seconds(40));
  EXPECT_EQ(h.OutcomeOf(id, "web1"), Outcome::kExpired);

  const CommandId late =
      h.Submit("a/y", {{"web1", 0}}, {.not_after = h.now.wall + absl::Minutes(1)});
  h.Accept(h.LeaseOf(late, "web1"));
  h.Advance(absl::Seconds(61));
  EXPECT_EQ(h.PhaseOf(late, "web1"), Phase::kAccepted) << "the node tells whether it has begun";
  h.NotStarted(h.LeaseOf(late, "web1"));
  EXPECT_EQ(h.OutcomeOf(late, "web1"), Outcome::kExpired);

  const CommandId begun =
      h.Submit("a/z", {{"web1", 0}}, {.not_after = h.now.wall + absl::Hours(1)});
  h.Progress(h.LeaseOf(begun, "web1"));
  h.queue.Heard("web1", h.queue.FindNode("web1")->session, absl::Minutes(5), 0, h.now);
  h.Submit("a/q", {{"web1", 0}}, {.not_after = h.now.wall + absl::Hours(1)});
  EXPECT_EQ(h.last_assign.start_before, h.now.wall + absl::Hours(1) + absl::Minutes(5));
  h.Result(h.LeaseOf(begun, "web1"), Reason::kInterrupted);
  h.Advance(absl::Minutes(1));
  EXPECT_EQ(h.last_assign.lease.attempt, 2);
  EXPECT_EQ(h.last_assign.start_within, absl::InfiniteDuration()) << "it has begun: it goes on";
}

TEST(QueueTest, RetryAndSkipRefuseWhatIsNotParked) {
  QueueHarness h;
  h.AddNode("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_EQ(ReasonOf(h.Do([&](Changes& o) { return h.queue.Retry(id, "", "x", h.now, o); })),
            Reason::kNotRetryable);
  EXPECT_EQ(ReasonOf(h.Do([&](Changes& o) { return h.queue.Skip(id, "", "x", "y", h.now, o); })),
            Reason::kNotRetryable);
  EXPECT_EQ(ReasonOf(h.Do([&](Changes& o) { return h.queue.Retry(99, "", "x", h.now, o); })),
            Reason::kUnknownCommand);
}

TEST(QueueTest, LoadedTasksGoOnWhereTheyWere) {
  QueueHarness h;
  h.AddNode("web1");
  Command command;
  command.id = 5;
  command.kind = "a";
  command.resource_key = "a/x";
  Task& task = command.tasks.emplace_back();
  task.node = "web1";
  task.phase = Phase::kBackingOff;
  task.attempt = 3;
  task.epoch = 9;
  task.next_attempt_time = h.now.wall + absl::Seconds(20);
  h.stored[{5, "web1"}] = task;
  h.states[5] = CommandState::kActive;
  h.queue.Load(command, h.now);
  h.Connect("web1");
  h.Advance(absl::Seconds(10));
  EXPECT_FALSE(h.WasSent(5, "web1"));
  h.Advance(absl::Seconds(11));
  EXPECT_EQ(h.LeaseOf(5, "web1").attempt, 4);
}

}  // namespace
}  // namespace hostq::manager
