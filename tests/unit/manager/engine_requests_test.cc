// What the engine answers to requests, what it asks for by itself, and what it refuses: when it is
// full, when a commit has failed, for nodes and sessions that it does not know.
#include <optional>

#include "engine_fixture.h"

namespace hostq::manager {
namespace {

class EngineRequestsTest : public EngineTest {
 protected:
  static PlannedCommand PlanFor(const std::string& key) {
    PlannedCommand plan;
    plan.kind = "a";
    plan.resource_key = key;
    plan.tasks = {{"web1", 0}};
    return plan;
  }
  static Submission SubmissionFor(const std::string& key) {
    Submission submission;
    submission.plan = [key](const Now&) -> absl::StatusOr<PlannedCommand> { return PlanFor(key); };
    return submission;
  }
  // What a request is answered with in the next round.
  template <typename T, typename F>
  absl::StatusOr<T> Ask(F ask) {
    absl::StatusOr<T> answer = absl::UnknownError("not answered");
    ask([&](absl::StatusOr<T> result) { answer = std::move(result); });
    engine_->RunOnce();
    return answer;
  }
  absl::Status Change(std::function<absl::StatusOr<ChangeSet>(const Now&)> change) {
    absl::Status answer = absl::UnknownError("not answered");
    engine_->Change(std::move(change), "root", [&](absl::Status status) { answer = status; });
    engine_->RunOnce();
    return answer;
  }
  Phase PhaseOf(CommandId id) { return store_->GetCommand(id)->tasks[0].phase; }

  // Every kind of request; each answers with its status.
  std::vector<absl::Status> AskEverything() {
    std::vector<absl::Status> answers;
    const auto keep = [&](const auto& answer) { answers.push_back(answer.status()); };
    engine_->Submit(SubmissionFor("account/x"), keep);
    engine_->Try(SubmissionFor("account/x"), keep);
    engine_->Retry(1, "", "root", keep);
    engine_->RetryMatching({}, 1, "root", keep);
    engine_->Skip(1, "", "root", "no", keep);
    engine_->Cancel(1, "root", keep);
    engine_->Change([](const Now&) { return ChangeSet(); }, "root",
                    [&](const absl::Status& status) { answers.push_back(status); });
    return answers;
  }
};

TEST_F(EngineRequestsTest, DryRunTellsWhatWouldStandInTheWayAndChangesNothing) {
  const int before = store_->commits;
  const auto offline = Ask<Engine::Tried>(
      [&](auto done) { engine_->Try(SubmissionFor("account/x"), std::move(done)); });
  ASSERT_TRUE(offline.ok()) << offline.status();
  EXPECT_EQ(offline->command.id, 0);
  ASSERT_EQ(offline->findings.size(), 1u);
  EXPECT_EQ(offline->findings[0].reason, Reason::kNodeOffline);
  Submission later = SubmissionFor("account/x");
  later.not_before = clock_.Now() + absl::Hours(1);
  const auto delayed =
      Ask<Engine::Tried>([&](auto done) { engine_->Try(std::move(later), std::move(done)); });
  EXPECT_EQ(delayed->findings.at(0).reason, Reason::kDelayed);
  Submission wrong;
  wrong.plan = [](const Now&) { return absl::InvalidArgumentError("no"); };
  const auto refused =
      Ask<Engine::Tried>([&](auto done) { engine_->Try(std::move(wrong), std::move(done)); });
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_EQ(store_->commits, before);
}

TEST_F(EngineRequestsTest, WhatCannotBePlannedIsNotSubmitted) {
  Submission wrong;
  wrong.plan = [](const Now&) { return absl::InvalidArgumentError("no"); };
  const auto refused =
      Ask<Submitted>([&](auto done) { engine_->Submit(std::move(wrong), std::move(done)); });
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_TRUE(store_->ListCommands({})->empty());
}

TEST_F(EngineRequestsTest, SubmissionsOwnRulesGoWithTheCommand) {
  Submission submission = SubmissionFor("account/x");
  submission.priority = 7;
  submission.retry = [](RetryRules& rules) { rules.max_attempts = 3; };
  const auto submitted =
      Ask<Submitted>([&](auto done) { engine_->Submit(std::move(submission), std::move(done)); });
  const auto stored = store_->GetCommand(submitted->command.id);
  EXPECT_EQ(stored->priority, 7);
  EXPECT_EQ(stored->retry.max_attempts, 3);
}

// Found by the simulation (seed 40604): the first command ended before it was ever committed, so
// neither the queue nor the store knew the request, it was submitted again, the store refused the
// batch, and the manager could not write any more.
TEST_F(EngineRequestsTest, ARequestThatEndedInItsOwnRoundIsStillKnown) {
  const auto submission = [](const std::string& request_id, const std::string& request) {
    Submission made;
    made.request_id = request_id;
    made.request = request;
    made.plan = [](const Now&) -> absl::StatusOr<PlannedCommand> {
      PlannedCommand plan = PlanFor("account/x");
      plan.supersedes = {"a"};
      return plan;
    };
    return made;
  };
  std::vector<absl::StatusOr<Submitted>> answers;
  const auto keep = [&](absl::StatusOr<Submitted> answer) { answers.push_back(std::move(answer)); };
  engine_->Submit(submission("r1", "first"), keep);
  engine_->Submit(submission("r2", "newer"), keep);
  engine_->Submit(submission("r1", "first"), keep);
  engine_->Submit(submission("r1", "another"), keep);
  engine_->RunOnce();
  ASSERT_EQ(answers.size(), 4u);
  // Refusals do not wait for the commit.
  EXPECT_EQ(ReasonOf(answers[0].status()), Reason::kRequestIdReused);
  for (int i = 1; i < 4; ++i) ASSERT_TRUE(answers[i].ok()) << answers[i].status();
  EXPECT_TRUE(answers[3]->repeated);
  EXPECT_EQ(answers[3]->command.id, answers[1]->command.id);
  EXPECT_TRUE(engine_->failed().ok());
  const auto later = Submit("r1", "first");
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_EQ(later->command.id, answers[1]->command.id);
  EXPECT_EQ(later->command.tasks[0].outcome, Outcome::kSuperseded);
}

TEST_F(EngineRequestsTest, RetryAndSkipAnswerWithTheCommandAsItIsThen) {
  const Welcomed welcomed = Connect();
  const CommandId id = Submit()->command.id;
  Result(welcomed.session, session_->assigns.back().lease, Reason::kUidTaken);
  EXPECT_EQ(PhaseOf(id), Phase::kParked);
  const auto retried =
      Ask<Command>([&](auto done) { engine_->Retry(id, "", "root", std::move(done)); });
  ASSERT_TRUE(retried.ok()) << retried.status();
  EXPECT_EQ(retried->tasks[0].phase, Phase::kLeased);
  const auto again =
      Ask<Command>([&](auto done) { engine_->Retry(id, "", "root", std::move(done)); });
  EXPECT_EQ(ReasonOf(again.status()), Reason::kNotRetryable);
  Result(welcomed.session, session_->assigns.back().lease, Reason::kUidTaken);
  const auto skipped = Ask<Command>(
      [&](auto done) { engine_->Skip(id, "web1", "root", "never mind", std::move(done)); });
  ASSERT_TRUE(skipped.ok()) << skipped.status();
  EXPECT_EQ(skipped->state, CommandState::kFailed) << "it has ended: from the store";
}

TEST_F(EngineRequestsTest, RetryOfManyTellsWhichAndHowManyAreLeft) {
  const Welcomed welcomed = Connect();
  for (const char* key : {"account/x", "account/y", "account/z"}) {
    ASSERT_TRUE(Submit("", "r", key).ok());
    Result(welcomed.session, session_->assigns.back().lease, Reason::kUidTaken);
  }
  const auto retried = Ask<Engine::Retried>([&](auto done) {
    engine_->RetryMatching({.reason = Reason::kUidTaken}, 2, "root", std::move(done));
  });
  ASSERT_TRUE(retried.ok()) << retried.status();
  EXPECT_EQ(retried->tasks.size(), 2u);
  EXPECT_EQ(retried->remaining, 1);
}

TEST_F(EngineRequestsTest, CancellationIsAnsweredWhenItIsDurableAndThenTheNodeIsTold) {
  Connect();
  const CommandId id = Submit()->command.id;
  const auto cancelled =
      Ask<Command>([&](auto done) { engine_->Cancel(id, "root", std::move(done)); });
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_TRUE(cancelled->tasks[0].cancel_requested());
  EXPECT_EQ(session_->cancelled, std::vector<Lease>{session_->assigns[0].lease});
  Restart();
  EXPECT_TRUE(store_->GetCommand(id)->tasks[0].cancel_requested());
}

TEST_F(EngineRequestsTest, ChangesOfDesiredStateTakeEffectTogether) {
  const Welcomed welcomed = Connect();
  const CommandId id = Submit()->command.id;
  Result(welcomed.session, session_->assigns[0].lease, Reason::kQuotaSetNotPermitted);
  EXPECT_EQ(PhaseOf(id), Phase::kParked);
  EXPECT_TRUE(
      Change([&](const Now& now) {
        ChangeSet changes;
        changes.resources.push_back({"node", "web1", "row"});
        changes.pauses.push_back({{PauseScope::kKind, "a"}, Pause{"root", "wait", now.wall}});
        changes.checks.push_back({"web1", now.monotonic, {}, {Reason::kQuotaSetNotPermitted}});
        Event event;
        event.type = EventType::kPaused;
        changes.events.push_back(event);
        return changes;
      }).ok());
  EXPECT_EQ(PhaseOf(id), Phase::kQueued) << "its node is mended, and its kind is paused";
  EXPECT_EQ(store_->ListEvents(0, 1000)->back().type, EventType::kTaskChanged);
  EXPECT_TRUE(absl::IsNotFound(Change([](const Now&) { return absl::NotFoundError("no node"); })));
  EXPECT_TRUE(Change([](const Now&) {
                ChangeSet changes;
                changes.removed_nodes = {"web1"};
                return changes;
              }).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(session_->closed));
  EXPECT_EQ(store_->GetCommand(id)->state, CommandState::kCancelled);
}

TEST_F(EngineRequestsTest, PausesHoldAfterAStart) {
  Restart({{{PauseScope::kKind, "a"}, Pause{"root", "wait", clock_.Now()}}});
  Connect();
  ASSERT_TRUE(Submit().ok());
  EXPECT_TRUE(session_->assigns.empty());
  ASSERT_TRUE(Change([](const Now&) {
                ChangeSet changes;
                changes.pauses.push_back({{PauseScope::kKind, "a"}, std::nullopt});
                return changes;
              }).ok());
  EXPECT_EQ(session_->assigns.size(), 1u);
}

TEST_F(EngineRequestsTest, NodeThatConnectsGetsItsFirstCommandAtOnce) {
  resources_.first = PlanFor("node/web1");
  Connect();
  ASSERT_EQ(session_->assigns.size(), 1u);
  EXPECT_EQ(store_->GetCommand(session_->assigns[0].lease.command)->actor, "manager");
}

TEST_F(EngineRequestsTest, AilingNodeIsLookedAtOnceAndItsTasksGoOn) {
  const Welcomed welcomed = Connect();
  const CommandId id = Submit()->command.id;
  Result(welcomed.session, session_->assigns[0].lease, Reason::kQuotaSetNotPermitted);
  resources_.check = PlanFor("node/web1");
  for (int i = 0; i < 4; ++i) {
    clock_.Advance(absl::Seconds(31));
    engine_->RunOnce();
  }
  ASSERT_EQ(session_->assigns.size(), 2u) << "one look at a time";
  resources_.ended.checks.push_back(
      {"web1", clock_.Monotonic(), {}, {Reason::kQuotaSetNotPermitted}});
  Result(welcomed.session, session_->assigns[1].lease);
  EXPECT_EQ(PhaseOf(id), Phase::kLeased);
  EXPECT_EQ(session_->assigns.size(), 3u);
}

TEST_F(EngineRequestsTest, FullMailboxRefusesRequestsAndTakesWhatAgentsSay) {
  options_.max_mailbox = 1;
  Restart();
  engine_->Disconnect("web1", 1);  // fills it
  for (const absl::Status& status : AskEverything()) {
    EXPECT_EQ(ReasonOf(status), Reason::kQueueFull) << status;
  }
  bool welcome = false;
  HelloFacts hello;
  hello.node = "web1";
  engine_->Connect(hello, session_, [&](const auto& welcomed) { welcome = welcomed.ok(); });
  engine_->RunOnce();
  EXPECT_TRUE(welcome);
}

TEST_F(EngineRequestsTest, AfterAFailedCommitEveryRequestIsRefused) {
  Connect();
  store_->failing = true;
  EXPECT_FALSE(Submit().ok());
  EXPECT_EQ(ReasonOf(engine_->failed()), Reason::kStoreUnavailable);
  store_->failing = false;
  std::vector<absl::Status> answers;
  const auto keep = [&](const absl::Status& status) { answers.push_back(status); };
  engine_->Submit(SubmissionFor("account/x"), [&](const auto& answer) { keep(answer.status()); });
  engine_->Try(SubmissionFor("account/x"), [&](const auto& answer) { keep(answer.status()); });
  engine_->Retry(1, "", "root", [&](const auto& answer) { keep(answer.status()); });
  engine_->RetryMatching({}, 1, "root", [&](const auto& answer) { keep(answer.status()); });
  engine_->Change([](const Now&) { return ChangeSet(); }, "root", keep);
  engine_->Connect({}, session_, [&](const auto& answer) { keep(answer.status()); });
  engine_->RunOnce();
  EXPECT_EQ(answers.size(), 6u);
  for (const absl::Status& status : answers) {
    EXPECT_EQ(ReasonOf(status), Reason::kStoreUnavailable) << status;
  }
}

TEST_F(EngineRequestsTest, DoesNotStartWithoutANewTerm) {
  store_->failing = true;
  Engine engine(*store_, resources_, clock_, random_, {});
  EXPECT_TRUE(absl::IsResourceExhausted(engine.Start(*store_->Load(), {})));
}

TEST_F(EngineRequestsTest, UnknownNodeGetsNoSession) {
  HelloFacts hello;
  hello.node = "web9";
  const auto welcomed =
      Ask<Welcomed>([&](auto done) { engine_->Connect(hello, session_, std::move(done)); });
  EXPECT_EQ(ReasonOf(welcomed.status()), Reason::kUnknownNode);
}

TEST_F(EngineRequestsTest, WhatAnEndedSessionStillSaysCountsForNothing) {
  const Welcomed welcomed = Connect();
  const CommandId id = Submit()->command.id;
  const Lease lease = session_->assigns[0].lease;
  engine_->Heard("web1", welcomed.session, absl::Seconds(9), 3);
  engine_->RunOnce();
  engine_->Read([](const Queue& queue, const Now&) {
    EXPECT_EQ(queue.FindNode("web1")->outbox, 3);
    EXPECT_EQ(queue.FindNode("web1")->clock_skew.estimate(), absl::Seconds(9));
  });
  engine_->Disconnect("web1", welcomed.session);
  engine_->Accepted(welcomed.session, lease);
  engine_->Refused(welcomed.session, lease, Reason::kBufferFull, "full");
  engine_->Heard("web1", welcomed.session, std::nullopt, 9);
  Result(welcomed.session, lease);
  clock_.Advance(absl::Seconds(1));
  engine_->RunOnce();
  EXPECT_EQ(PhaseOf(id), Phase::kLeased);
  EXPECT_EQ(resources_.attempts, 0);
  const Welcomed next = Connect({{lease, true}});
  engine_->Refused(next.session, lease, Reason::kBufferFull, "full");
  engine_->RunOnce();
  EXPECT_EQ(PhaseOf(id), Phase::kBackingOff);
}

}  // namespace
}  // namespace hostq::manager
