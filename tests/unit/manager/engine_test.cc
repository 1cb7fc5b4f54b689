// The engine over the real SQLite store, driven round by round without a thread: what is
// acknowledged is durable, and a restart goes on where it was.
#include "engine_fixture.h"

namespace hostq::manager {
namespace {

TEST_F(EngineTest, WholeLifeCostsTwoCommits) {
  const Welcomed welcomed = Connect();
  const int before = store_->commits;
  const absl::StatusOr<Submitted> submitted = Submit();
  ASSERT_TRUE(submitted.ok()) << submitted.status();
  ASSERT_EQ(session_->assigns.size(), 1u);
  const Lease lease = session_->assigns[0].lease;
  engine_->Accepted(welcomed.session, lease);
  engine_->Progress(welcomed.session, lease, "step", 0, 1, false, {});
  engine_->RunOnce();
  Result(welcomed.session, lease);
  EXPECT_EQ(store_->commits - before, 2);
  EXPECT_EQ(session_->acknowledged, std::vector<Lease>{lease});
  const absl::StatusOr<Command> stored = store_->GetCommand(submitted->command.id);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->state, CommandState::kSucceeded);
  EXPECT_EQ(store_->ListAttempts(stored->id)->size(), 1u);
  EXPECT_EQ(resources_.attempts, 1);
}

TEST_F(EngineTest, RelaxedChangesAreWrittenSoon) {
  const Welcomed welcomed = Connect();
  ASSERT_TRUE(Submit().ok());
  engine_->Accepted(welcomed.session, session_->assigns[0].lease);
  engine_->RunOnce();
  const int64_t before = engine_->last_sequence();
  clock_.Advance(absl::Milliseconds(150));
  engine_->RunOnce();
  EXPECT_GT(engine_->last_sequence(), before);
}

TEST_F(EngineTest, AcknowledgedCommandSurvivesAndIsSentAfterRestart) {
  const absl::StatusOr<Submitted> submitted = Submit();
  ASSERT_TRUE(submitted.ok());
  Restart();
  EXPECT_EQ(Connect().term, 2u);
  ASSERT_EQ(session_->assigns.size(), 1u);
  EXPECT_EQ(session_->assigns[0].lease.command, submitted->command.id);
  EXPECT_EQ(session_->assigns[0].work, "work");
}

TEST_F(EngineTest, RestartBetweenSendingAndResultTakesTheResultOnce) {
  Connect();
  ASSERT_TRUE(Submit().ok());
  const Lease lease = session_->assigns[0].lease;
  Restart();
  const Welcomed welcomed = Connect({}, {lease});
  EXPECT_TRUE(session_->assigns.empty()) << "not sent a second time";
  Result(welcomed.session, lease);
  Result(welcomed.session, lease);
  EXPECT_EQ(session_->acknowledged.size(), 2u) << "the repeated one is acknowledged too";
  EXPECT_EQ(store_->GetCommand(lease.command)->state, CommandState::kSucceeded);
  EXPECT_EQ(store_->ListAttempts(lease.command)->size(), 1u);
}

TEST_F(EngineTest, RequestIdGivesTheFirstAnswerAlsoAfterRestartAndEnd) {
  const absl::StatusOr<Submitted> first = Submit("id-1", "same");
  ASSERT_TRUE(first.ok());
  const absl::StatusOr<Submitted> again = Submit("id-1", "same");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->command.id, first->command.id);
  EXPECT_EQ(ReasonOf(Submit("id-1", "other").status()), Reason::kRequestIdReused);
  Restart();
  const Welcomed welcomed = Connect();
  Result(welcomed.session, session_->assigns[0].lease);
  const absl::StatusOr<Submitted> ended = Submit("id-1", "same");
  ASSERT_TRUE(ended.ok());
  EXPECT_TRUE(ended->repeated);
  EXPECT_EQ(ended->command.state, CommandState::kSucceeded);
}

TEST_F(EngineTest, FailedCommitAcknowledgesNothingAndIsSticky) {
  Connect();
  store_->failing = true;
  const absl::StatusOr<Submitted> refused = Submit();
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kStoreUnavailable);
  EXPECT_TRUE(session_->assigns.empty());
  EXPECT_FALSE(session_->closed.ok());
  store_->failing = false;
  EXPECT_EQ(ReasonOf(Submit().status()), Reason::kStoreUnavailable);
  bool read = false;
  engine_->Read([&](const Queue&, const Now&) { read = true; });
  engine_->RunOnce();
  EXPECT_TRUE(read) << "reading goes on";
  Restart();
  EXPECT_TRUE(Submit().ok());
  EXPECT_EQ(store_->ListCommands({})->size(), 1u);
}

TEST_F(EngineTest, RequestAndItsResourceChangesAreOneTransaction) {
  ASSERT_TRUE(Submit().ok());
  Restart();
  EXPECT_EQ(sqlite_->Load()->resources.size(), 1u);
  const Welcomed welcomed = Connect();
  Result(welcomed.session, session_->assigns[0].lease);
  EXPECT_TRUE(sqlite_->Load()->resources.empty()) << "CommandFinished removed it";
}

TEST_F(EngineTest, EventsAreNumberedWithoutGapAndAnnounced) {
  int64_t announced = 0;
  const uint64_t handle = engine_->AddListener([&](int64_t sequence) { announced = sequence; });
  const Welcomed welcomed = Connect();
  ASSERT_TRUE(Submit().ok());
  Result(welcomed.session, session_->assigns[0].lease);
  const std::vector<Event> events = *store_->ListEvents(0, 1000);
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence, static_cast<int64_t>(i) + 1);
  }
  EXPECT_EQ(announced, events.back().sequence);
  engine_->RemoveListener(handle);
  ASSERT_TRUE(Submit().ok());
  EXPECT_EQ(announced, events.back().sequence);
}

TEST_F(EngineTest, ActsOnEndedAndUnknownCommandsAreRefused) {
  const Welcomed welcomed = Connect();
  const CommandId id = Submit()->command.id;
  Result(welcomed.session, session_->assigns[0].lease);
  absl::Status status;
  const auto keep = [&](absl::StatusOr<Command> answer) { status = answer.status(); };
  engine_->Cancel(id, "x", keep);
  engine_->RunOnce();
  EXPECT_EQ(ReasonOf(status), Reason::kCommandFinished);
  engine_->Retry(12345, "", "x", keep);
  engine_->RunOnce();
  EXPECT_EQ(ReasonOf(status), Reason::kUnknownCommand);
}

TEST_F(EngineTest, WhatIsLeftInTheMailboxIsAnsweredAtStop) {
  absl::Status status;
  Submission submission;
  submission.plan = [](const Now&) -> absl::StatusOr<PlannedCommand> {
    return absl::InternalError("must not be planned");
  };
  engine_->Submit(std::move(submission),
                  [&](absl::StatusOr<Submitted> answer) { status = answer.status(); });
  engine_->Stop();
  EXPECT_EQ(ReasonOf(status), Reason::kShuttingDown);
}

TEST_F(EngineTest, FullMailboxIsSaidAtOnceWithWhenToComeBack) {
  options_.max_mailbox = 3;
  options_.max_mailbox_bytes = 1000;
  Restart();
  int planned = 0;
  std::vector<absl::Status> refused;
  const auto submit = [&](size_t bytes) {
    Submission submission;
    submission.request = std::string(bytes, 'x');
    submission.plan = [&](const Now&) -> absl::StatusOr<PlannedCommand> {
      ++planned;
      return absl::InternalError("planned");
    };
    engine_->Submit(std::move(submission), [&](absl::StatusOr<Submitted> answer) {
      if (answer.status().code() == absl::StatusCode::kResourceExhausted) {
        refused.push_back(answer.status());
      }
    });
  };
  for (int i = 0; i < 5; ++i) submit(10);
  ASSERT_EQ(refused.size(), 2u) << "before the engine has even looked";
  EXPECT_EQ(ReasonOf(refused[0]), Reason::kQueueFull);
  EXPECT_EQ(RetryDelayOf(refused[0]), absl::Seconds(1));
  engine_->RunOnce();
  EXPECT_EQ(planned, 3);
  submit(400);
  submit(400);
  EXPECT_EQ(refused.size(), 3u) << "few, and large";
  // What comes from nodes is never refused: its number is bounded by their credits.
  engine_->Disconnect("web1", 1);
  engine_->RunOnce();
  submit(400);
  EXPECT_EQ(refused.size(), 3u);
}

TEST_F(EngineTest, FullQueueTakesNothingMoreUntilWorkHasEnded) {
  options_.max_live_tasks = 2;
  Restart();
  ASSERT_TRUE(Submit("1", "r", "account/1").ok());
  ASSERT_TRUE(Submit("2", "r", "account/2").ok());
  const absl::Status full = Submit("3", "r", "account/3").status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full), Reason::kQueueFull);
  EXPECT_GT(RetryDelayOf(full), absl::ZeroDuration());
  EXPECT_TRUE(Submit("1", "r", "account/1")->repeated) << "its answer was only lost";
  const Welcomed welcomed = Connect();
  ASSERT_FALSE(session_->assigns.empty());
  Result(welcomed.session, session_->assigns[0].lease);
  EXPECT_TRUE(Submit("3", "r", "account/3").ok());
}

TEST_F(EngineTest, RunsInItsOwnThread) {
  engine_->StartThread();
  for (int i = 0; i < 50; ++i) {
    Mutex mutex;
    CondVar answered;
    bool done = false;
    Submission submission;
    submission.plan = [](const Now&) -> absl::StatusOr<PlannedCommand> {
      PlannedCommand plan;
      plan.kind = "a";
      plan.resource_key = "k";
      plan.tasks = {{"web1", 0}};
      return plan;
    };
    engine_->Submit(std::move(submission), [&](absl::StatusOr<Submitted> answer) {
      EXPECT_TRUE(answer.ok());
      const MutexLock lock(mutex);
      done = true;
      answered.NotifyAll();
    });
    const MutexLock lock(mutex);
    while (!done) answered.Wait(mutex);
  }
  engine_->Stop();
  EXPECT_EQ(store_->ListCommands({})->size(), 50u);
}

TEST_F(EngineTest, WhatFollowsFromAChangeIsSubmittedInTheSameCommit) {
  Connect();
  const int commits = store_->commits;
  absl::Status answer = absl::UnknownError("not answered");
  engine_->Change(
      [](const Now&) -> absl::StatusOr<ChangeSet> {
        ChangeSet changes;
        changes.resources.push_back({"node", "web2", "row"});
        PlannedCommand& own = changes.commands.emplace_back();
        own.kind = "a";
        own.resource_key = "balancer/services";
        own.tasks = {{"web1", 0}};
        return changes;
      },
      "root", [&](absl::Status status) { answer = std::move(status); });
  engine_->RunOnce();
  EXPECT_TRUE(answer.ok()) << answer;
  EXPECT_EQ(store_->commits, commits + 1);
  ASSERT_EQ(session_->assigns.size(), 1u);
  const auto stored = store_->GetCommand(session_->assigns[0].lease.command);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->resource_key, "balancer/services");
  EXPECT_EQ(stored->actor, "manager");
}

}  // namespace
}  // namespace hostq::manager
