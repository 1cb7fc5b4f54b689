// What a command asks of the queue (retry, start, priority, fan-out), what administrators stop, and
// what waits for its node to be mended.
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "manager/domain/findings.h"
#include "queue_harness.h"

namespace hostq::manager {
namespace {

TEST(QueueRulesTest, RulesOfRetryAreTheCommands) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId never =
      h.Submit("a/x", {{"web1", 0}}, {.retry = {.never = {Reason::kStepTimedOut}}});
  h.Result(h.LeaseOf(never, "web1"), Reason::kStepTimedOut);
  EXPECT_EQ(h.PhaseOf(never, "web1"), Phase::kParked);

  const CommandId brief =
      h.Submit("a/y", {{"web1", 0}}, {.retry = {.max_elapsed = absl::Minutes(10)}});
  while (h.PhaseOf(brief, "web1") == Phase::kLeased) {
    h.Result(h.LeaseOf(brief, "web1"), Reason::kStepTimedOut);
    if (h.PhaseOf(brief, "web1") == Phase::kParked) break;
    h.Advance(absl::Minutes(6));
  }
  EXPECT_EQ(h.LeaseOf(brief, "web1").attempt, 3) << "0, 6 and 12 minutes after it began";
  EXPECT_TRUE(
      h.Do([&](Changes& out) { return h.queue.Retry(brief, "", "root", h.now, out); }).ok());
  h.Result(h.LeaseOf(brief, "web1"), Reason::kStepTimedOut);
  EXPECT_EQ(h.PhaseOf(brief, "web1"), Phase::kBackingOff) << "a new budget";

  const CommandId slow = h.Submit(
      "a/z", {{"web1", 0}},
      {.retry = {.backoff = {absl::Minutes(1), absl::Minutes(3), 10, 1}, .max_attempts = 9}});
  h.Result(h.LeaseOf(slow, "web1"), Reason::kStepTimedOut);
  h.Advance(absl::Seconds(59));
  EXPECT_EQ(h.PhaseOf(slow, "web1"), Phase::kBackingOff);
  h.Advance(absl::Seconds(2));
  h.Result(h.LeaseOf(slow, "web1"), Reason::kStepTimedOut);
  h.Advance(absl::Seconds(179));
  EXPECT_EQ(h.PhaseOf(slow, "web1"), Phase::kBackingOff);
  h.Advance(absl::Seconds(2));
  EXPECT_EQ(h.PhaseOf(slow, "web1"), Phase::kLeased) << "the cap is 3 minutes";
}

TEST(QueueRulesTest, EnvironmentFailureParksUntilACheckOfTheNodeLooksWell) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_TRUE(h.queue.NodesToCheck(h.now).empty());
  h.Result(h.LeaseOf(id, "web1"), Reason::kQuotaSetNotPermitted);
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kParked);
  EXPECT_TRUE(h.queue.NodesToCheck(h.now).empty()) << "not in the same breath";
  for (int i = 0; i < 30; ++i) {
    h.Advance(absl::Seconds(31));
    ASSERT_EQ(h.queue.NodesToCheck(h.now), std::vector<std::string>{"web1"});
    ASSERT_TRUE(h.queue.NodesToCheck(h.now).empty()) << "asked for already";
    h.Check("web1", {Reason::kShareStale, Reason::kQuotaSetNotPermitted});
    ASSERT_EQ(h.PhaseOf(id, "web1"), Phase::kParked);
  }
  Changes out;
  h.queue.NodeChecked({"web1", h.now.monotonic - absl::Hours(1), {}, h.kCovered}, h.now, out);
  EXPECT_TRUE(out.mutations.empty()) << "that look was older than the failure";
  h.Check("web1", {Reason::kShareStale});
  EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
  h.Result(h.LeaseOf(id, "web1"));
  EXPECT_EQ(h.StateOf(id), CommandState::kSucceeded);
  h.Advance(absl::Minutes(1));
  EXPECT_TRUE(h.queue.NodesToCheck(h.now).empty());
}

// Found by a tester: a check that is skipped found nothing, and the task went to its node every few
// seconds, for ever, stuck "since 7 s".
TEST(QueueRulesTest, WhatWasNotLookedAtIsNotMended) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  h.Result(h.LeaseOf(id, "web1"), Reason::kQuotaUnsupportedFilesystem);
  const absl::Time begin = h.now.wall;
  for (int i = 0; i < 100; ++i) {
    h.Advance(absl::Seconds(31));
    h.Check("web1", {});
    ASSERT_EQ(h.PhaseOf(id, "web1"), Phase::kParked);
  }
  const Command& command = *h.queue.Find(id);
  EXPECT_EQ(Explain(h.queue, command, command.tasks[0], h.now)->since, begin);
}

TEST(QueueRulesTest, WhatNoCheckSeesIsTriedAgainLessAndLessOften) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  const absl::Time begin = h.now.wall;
  int attempts = 0;
  int checks = 0;
  for (int seconds = 0; seconds < 3600; seconds += 10) {
    if (h.PhaseOf(id, "web1") == Phase::kLeased) {
      h.Result(h.LeaseOf(id, "web1"), Reason::kShareBusy);
      ++attempts;
    }
    h.Advance(absl::Seconds(10));
    if (h.queue.NodesToCheck(h.now).empty()) continue;
    h.Check("web1", {});
    ++checks;
  }
  EXPECT_GE(attempts, 8);
  EXPECT_LE(attempts, 11) << "30 s, 1, 2, 4, 8 minutes, then every 10";
  EXPECT_LE(checks, 11) << "a check that can see nothing is made only to try again";
  const Command& command = *h.queue.Find(id);
  const auto finding = Explain(h.queue, command, command.tasks[0], h.now);
  EXPECT_EQ(finding->since, begin) << "not since its last attempt";
  EXPECT_NE(finding->summary.find("no check can see"), std::string::npos) << finding->summary;
}

TEST(QueueRulesTest, NodeThatCannotAnswerIsNotChecked) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  h.Result(h.LeaseOf(h.Submit("a/x", {{"web1", 0}}), "web1"), Reason::kShareStale);
  h.Advance(absl::Minutes(1));
  h.Disconnect("web1");
  EXPECT_TRUE(h.queue.NodesToCheck(h.now).empty());
  h.Connect("web1");
  EXPECT_EQ(h.queue.NodesToCheck(h.now).size(), 1u);
}

TEST(QueueRulesTest, DelayedCommandKeepsItsPlaceAndSupersedesWhenItsTimeHasCome) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId first = h.Submit("a/x", {{"web1", 0}});
  const CommandId waiting = h.Submit("a/x", {{"web1", 0}});
  const CommandId delayed = h.Submit(
      "a/x", {{"web1", 0}}, {.supersedes = {"a"}, .not_before = h.now.wall + absl::Minutes(10)});
  const CommandId later = h.Submit("a/x", {{"web1", 0}}, {.kind = "b"});
  EXPECT_EQ(h.PhaseOf(waiting, "web1"), Phase::kQueued) << "not superseded yet";
  h.Result(h.LeaseOf(first, "web1"));
  h.Result(h.LeaseOf(waiting, "web1"));
  h.Advance(absl::Minutes(9));
  EXPECT_FALSE(h.WasSent(delayed, "web1"));
  EXPECT_FALSE(h.WasSent(later, "web1"));
  h.Advance(absl::Minutes(2));
  EXPECT_EQ(h.PhaseOf(delayed, "web1"), Phase::kLeased);
}

TEST(QueueRulesTest, HigherPriorityGoesFirstButNotBeforeItsTurnOnAKey) {
  QueueHarness h;
  h.AddNode("web1");
  const CommandId low = h.Submit("a/1", {{"web1", 0}}, {.priority = -1});
  const CommandId usual = h.Submit("a/2", {{"web1", 0}});
  const CommandId high = h.Submit("a/3", {{"web1", 0}}, {.priority = 9});
  const CommandId behind = h.Submit("a/1", {{"web1", 0}}, {.priority = 99});
  h.Connect("web1", 1);
  for (const CommandId next : {high, usual, low, behind}) {
    ASSERT_EQ(h.PhaseOf(next, "web1"), Phase::kLeased);
    h.Result(h.LeaseOf(next, "web1"));
  }
}

TEST(QueueRulesTest, FanOutGoesToSoManyNodesAtATime) {
  QueueHarness h;
  std::vector<std::pair<std::string, int>> nodes;
  for (const char* node : {"n1", "n2", "n3", "n4"}) {
    h.AddNode(node);
    h.Connect(node);
    nodes.emplace_back(node, 0);
  }
  const CommandId id = h.Submit("a/x", nodes, {.max_parallel = 2});
  EXPECT_EQ(h.PhaseOf(id, "n2"), Phase::kLeased);
  EXPECT_EQ(h.PhaseOf(id, "n3"), Phase::kQueued);
  h.Result(h.LeaseOf(id, "n1"), Reason::kStepTimedOut);
  EXPECT_EQ(h.PhaseOf(id, "n3"), Phase::kQueued) << "n1 keeps its place while it backs off";
  h.Result(h.LeaseOf(id, "n2"));
  EXPECT_EQ(h.PhaseOf(id, "n3"), Phase::kLeased);
  EXPECT_EQ(h.PhaseOf(id, "n4"), Phase::kQueued);
  h.Advance(absl::Minutes(6));
  EXPECT_EQ(h.PhaseOf(id, "n1"), Phase::kLeased);
  h.Result(h.LeaseOf(id, "n1"));
  h.Result(h.LeaseOf(id, "n3"));
  h.Result(h.LeaseOf(id, "n4"));
  EXPECT_EQ(h.StateOf(id), CommandState::kSucceeded);
}

TEST(QueueRulesTest, FanOutStopsWhenTooManyFailUntilTheyAreMendedOrAccepted) {
  QueueHarness h;
  std::vector<std::pair<std::string, int>> nodes;
  for (const char* node : {"n1", "n2", "n3", "n4"}) {
    h.AddNode(node);
    h.Connect(node);
    nodes.emplace_back(node, 0);
  }
  const CommandId id = h.Submit("a/x", nodes, {.max_parallel = 3, .max_failures = 1});
  h.Result(h.LeaseOf(id, "n1"), Reason::kUidTaken);
  h.Result(h.LeaseOf(id, "n2"), Reason::kUidTaken);
  h.Result(h.LeaseOf(id, "n3"));
  EXPECT_EQ(h.PhaseOf(id, "n4"), Phase::kQueued);
  const Command* command = h.queue.Find(id);
  EXPECT_EQ(Explain(h.queue, *command, *command->FindTask("n4"), h.now)->reason,
            Reason::kFailureLimit);
  EXPECT_TRUE(
      h.Do([&](Changes& out) { return h.queue.Skip(id, "n1", "root", "known", h.now, out); }).ok());
  EXPECT_EQ(h.PhaseOf(id, "n4"), Phase::kLeased);
}

// Found by the simulation: nothing could have made the others go on, or end.
TEST(QueueRulesTest, FailuresForGoodBeyondTheLimitEndTheCommand) {
  QueueHarness h;
  std::vector<std::pair<std::string, int>> nodes;
  for (const char* node : {"n1", "n2", "n3"}) {
    h.AddNode(node);
    h.Connect(node);
    nodes.emplace_back(node, 0);
  }
  nodes.emplace_back("n4", 1);
  h.AddNode("n4");
  h.Connect("n4");
  const CommandId id = h.Submit("a/x", nodes, {.max_parallel = 2, .max_failures = 0});
  h.Result(h.LeaseOf(id, "n1"), Reason::kPreflightFailed);
  EXPECT_EQ(h.PhaseOf(id, "n2"), Phase::kLeased) << "what has begun goes on";
  const Task* third = h.queue.Find(id)->FindTask("n3");
  EXPECT_EQ(third->outcome, Outcome::kCancelled);
  EXPECT_EQ(third->reason, Reason::kFailureLimit);
  EXPECT_EQ(h.queue.Find(id)->FindTask("n4")->outcome, Outcome::kCancelled);
  h.Result(h.LeaseOf(id, "n2"));
  EXPECT_EQ(h.queue.Find(id), nullptr);
}

TEST(QueueRulesTest, PausedKindsAndKeysWait) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  h.SetPause(PauseScope::kKind, "a", true);
  h.SetPause(PauseScope::kResourceKey, "k/2", true);
  const CommandId kind = h.Submit("k/1", {{"web1", 0}});
  const CommandId key = h.Submit("k/2", {{"web1", 0}}, {.kind = "b"});
  const CommandId free = h.Submit("k/3", {{"web1", 0}}, {.kind = "b"});
  const auto reason = [&](CommandId id) {
    const Command* command = h.queue.Find(id);
    return Explain(h.queue, *command, command->tasks[0], h.now)->reason;
  };
  EXPECT_EQ(reason(kind), Reason::kKindPaused);
  EXPECT_EQ(reason(key), Reason::kResourcePaused);
  EXPECT_EQ(h.PhaseOf(free, "web1"), Phase::kLeased);
  h.SetPause(PauseScope::kKind, "a", false);
  EXPECT_EQ(h.PhaseOf(kind, "web1"), Phase::kLeased);
  h.SetPause(PauseScope::kResourceKey, "k/2", false);
  EXPECT_EQ(h.PhaseOf(key, "web1"), Phase::kLeased);
}

TEST(QueueRulesTest, RetryOfManyTakesTheOldestAndSaysHowManyAreLeft) {
  QueueHarness h;
  h.AddNode("web1");
  h.AddNode("web2");
  h.Connect("web1");
  h.Connect("web2");
  std::vector<CommandId> ids;
  for (const char* key : {"k/1", "k/2", "k/3"}) {
    ids.push_back(h.Submit(key, {{"web1", 0}, {"web2", 0}}));
    h.Result(h.LeaseOf(ids.back(), "web1"), Reason::kUidTaken);
    h.Result(h.LeaseOf(ids.back(), "web2"), Reason::kGidTaken);
  }
  const auto retry = [&](RetryFilter filter, int limit, int& remaining) {
    Changes out;
    auto tried = h.queue.RetryMatching(filter, limit, "root", h.now, remaining, out);
    h.Take(std::move(out));
    return tried;
  };
  int remaining = 0;
  using Tasks = std::vector<std::pair<CommandId, std::string>>;
  EXPECT_EQ(retry({.reason = Reason::kUidTaken}, 1, remaining), (Tasks{{ids[0], "web1"}}));
  EXPECT_EQ(remaining, 2);
  EXPECT_EQ(h.PhaseOf(ids[0], "web1"), Phase::kLeased);
  EXPECT_EQ(h.PhaseOf(ids[1], "web1"), Phase::kParked);
  EXPECT_EQ(retry({.reason = Reason::kUidTaken}, 100, remaining).size(), 2u);
  EXPECT_EQ(remaining, 0);
  EXPECT_TRUE(retry({.node = "web1"}, 100, remaining).empty());
  EXPECT_TRUE(retry({.kind = "b"}, 100, remaining).empty());
  EXPECT_EQ(retry({.kind = "a"}, 100, remaining).size(), 3u);
}

TEST(QueueRulesTest, LossesCountWithinTheirWindow) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  for (int i = 0; i < 12; ++i) {
    h.Accept(h.LeaseOf(id, "web1"));
    h.Advance(absl::Hours(25));
    h.Connect("web1");
    ASSERT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased) << "never more than three in 72 h";
  }
}

TEST(QueueRulesTest, ParkedAfterItsLossesItWaitsForSomebody) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  for (int i = 0; i < 4; ++i) {
    h.Accept(h.LeaseOf(id, "web1"));
    h.Connect("web1");
  }
  ASSERT_EQ(h.PhaseOf(id, "web1"), Phase::kParked);
  const Command& command = *h.queue.Find(id);
  const auto finding = Explain(h.queue, command, command.tasks[0], h.now);
  EXPECT_EQ(finding->cause, Reason::kOutcomeUnknown);
  EXPECT_EQ(finding->owner, Owner::kAgent) << "nothing happens by itself any more";
  EXPECT_NE(finding->remedy.find("hostq command retry"), std::string::npos) << finding->remedy;
}

}  // namespace
}  // namespace hostq::manager
