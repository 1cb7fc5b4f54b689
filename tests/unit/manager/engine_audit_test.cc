// What the engine writes into the audit: with what it is about, once, and refusals gathered.
#include <gmock/gmock.h>

#include "engine_fixture.h"
#include "manager/audit/chain.h"

namespace hostq::manager {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class EngineAuditTest : public EngineTest {
 protected:
  static Origin By(const std::string& actor, const std::string& act,
                   const std::string& target = "") {
    Origin origin(actor);
    origin.source = "192.0.2.7";
    origin.act = act;
    origin.target = target;
    origin.request_id = "request-1";
    return origin;
  }
  std::vector<AuditEntry> Entries() { return *store_->ListAudit({.limit = 1'000}); }

  absl::StatusOr<Submitted> SubmitBy(const Origin& origin, const std::string& request_id = "",
                                     const std::string& request = "r") {
    absl::StatusOr<Submitted> answer = absl::UnknownError("not answered");
    Submission submission;
    submission.origin = origin;
    submission.request_id = request_id;
    submission.request = request;
    submission.plan = [](const Now&) -> absl::StatusOr<PlannedCommand> {
      PlannedCommand plan;
      plan.kind = "a";
      plan.resource_key = "account/x";
      plan.tasks = {{"web1", 0}};
      return plan;
    };
    engine_->Submit(std::move(submission),
                    [&](absl::StatusOr<Submitted> result) { answer = std::move(result); });
    engine_->RunOnce();
    return answer;
  }
  absl::Status ChangeBy(const Origin& origin, absl::StatusOr<ChangeSet> changes) {
    absl::Status answer = absl::UnknownError("not answered");
    engine_->Change([changes](const Now&) { return changes; }, origin,
                    [&](absl::Status status) { answer = std::move(status); });
    engine_->RunOnce();
    return answer;
  }
  static absl::Status Refusal() {
    return MakeError(absl::StatusCode::kPermissionDenied, Reason::kOutOfScope, "not yours");
  }
};

TEST_F(EngineAuditTest, WhatIsNotAskedForFromOutsideIsNotInIt) {
  ASSERT_TRUE(Submit().ok());
  ASSERT_TRUE(ChangeBy("manager", ChangeSet()).ok());
  EXPECT_THAT(Entries(), IsEmpty());
}

TEST_F(EngineAuditTest, SubmissionIsInTheCommitOfItsCommand) {
  const int before = store_->commits;
  const absl::StatusOr<Submitted> submitted = SubmitBy(By("alice", "Create"));
  ASSERT_TRUE(submitted.ok()) << submitted.status();
  EXPECT_EQ(store_->commits, before + 1);
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].actor, "alice");
  EXPECT_EQ(entries[0].source, "192.0.2.7");
  EXPECT_EQ(entries[0].act, "Create");
  EXPECT_EQ(entries[0].target, "account/x");
  EXPECT_EQ(entries[0].request_id, "request-1");
  EXPECT_EQ(entries[0].outcome, Reason::kNone);
  EXPECT_EQ(entries[0].before, "");
  EXPECT_EQ(entries[0].after,
            absl::StrCat("{\"id\":\"", FormatId(submitted->command.id),
                         "\",\"kind\":\"a\",\"resource_key\":\"account/x\",\"nodes\":[\"web1\"]}"));
}

TEST_F(EngineAuditTest, RepetitionIsNotDoneAgain) {
  ASSERT_TRUE(SubmitBy(By("alice", "Create"), "one").ok());
  ASSERT_TRUE(SubmitBy(By("alice", "Create"), "one")->repeated);
  EXPECT_EQ(Entries().size(), 1u);
  EXPECT_EQ(ReasonOf(SubmitBy(By("alice", "Create"), "one", "other").status()),
            Reason::kRequestIdReused);
  clock_.Advance(absl::Seconds(1));
  engine_->RunOnce();
  ASSERT_EQ(Entries().size(), 2u);
  EXPECT_EQ(Entries()[1].outcome, Reason::kRequestIdReused);
}

TEST_F(EngineAuditTest, ChangeHasWhatItChanged) {
  ChangeSet changes;
  changes.before = "{\"a\":1}";
  changes.after = "{\"a\":2}";
  ASSERT_TRUE(ChangeBy(By("alice", "Pause", "node/web1"), changes).ok());
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].target, "node/web1");
  EXPECT_EQ(entries[0].before, "{\"a\":1}");
  EXPECT_EQ(entries[0].after, "{\"a\":2}");
}

TEST_F(EngineAuditTest, RefusalIsWrittenSoonAndOnce) {
  const int before = store_->commits;
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_FALSE(ChangeBy(By("alice", "Pause", "node/web1"), Refusal()).ok());
  }
  EXPECT_EQ(store_->commits, before) << "nobody waits for it";
  clock_.Advance(absl::Milliseconds(500));
  engine_->RunOnce();
  std::vector<AuditEntry> entries = Entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].outcome, Reason::kOutOfScope);
  EXPECT_THAT(entries[0].message, HasSubstr("not yours"));
  EXPECT_EQ(entries[0].count, 1);
  clock_.Advance(absl::Minutes(1));
  engine_->RunOnce();  // it is due
  clock_.Advance(absl::Seconds(1));
  engine_->RunOnce();  // and written
  entries = Entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].count, 999);
}

TEST_F(EngineAuditTest, CancelAndRetryTellOfTheirTasks) {
  const absl::StatusOr<Submitted> submitted = SubmitBy(By("alice", "Create"));
  const CommandId id = submitted->command.id;
  absl::StatusOr<Command> answer = absl::UnknownError("not answered");
  const auto take = [&](absl::StatusOr<Command> command) { answer = std::move(command); };
  engine_->Retry(id, "", By("bob", "Retry", "command/1"), take);
  engine_->RunOnce();
  EXPECT_FALSE(answer.ok()) << "it is not parked";
  engine_->Cancel(id, By("bob", "Cancel", "command/1"), take);
  engine_->RunOnce();
  ASSERT_TRUE(answer.ok()) << answer.status();
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[1].act, "Retry");
  EXPECT_NE(entries[1].outcome, Reason::kNone);
  EXPECT_EQ(entries[2].act, "Cancel");
  const std::string task = TaskIdOf(id, "web1");
  EXPECT_EQ(entries[2].before, absl::StrCat("{\"tasks\":{\"", task, "\":\"QUEUED\"}}"));
  EXPECT_EQ(entries[2].after, absl::StrCat("{\"tasks\":{\"", task, "\":\"CANCELLED\"}}"));
}

TEST_F(EngineAuditTest, SkipHasItsNoteAndRetryOfManyItsTasks) {
  const Welcomed welcomed = Connect();
  const CommandId id = SubmitBy(By("alice", "Create"))->command.id;
  ASSERT_FALSE(session_->assigns.empty());
  Result(welcomed.session, session_->assigns.back().lease, Reason::kUidTaken);
  engine_->RetryMatching({Reason::kUidTaken, "", ""}, 10, By("bob", "RetryTasks", "commands"),
                         [](const absl::StatusOr<Engine::Retried>& retried) {
                           ASSERT_TRUE(retried.ok());
                           EXPECT_EQ(retried->tasks.size(), 1u);
                         });
  engine_->RunOnce();
  std::vector<AuditEntry> entries = Entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_THAT(entries[1].before, HasSubstr("\"PARKED\""));
  EXPECT_THAT(entries[1].after, StartsWith("{\"tasks\":{"));
  Result(welcomed.session, session_->assigns.back().lease, Reason::kUidTaken);
  engine_->Skip(id, "", By("bob", "Skip", "command/1"), "done \"by hand\"",
                [](const absl::StatusOr<Command>& command) { EXPECT_TRUE(command.ok()); });
  engine_->RunOnce();
  entries = Entries();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_THAT(entries[2].after, HasSubstr("\"FAILED\""));
  EXPECT_THAT(entries[2].after, HasSubstr("\"note\":\"done \\\"by hand\\\"\""));
}

TEST_F(EngineAuditTest, UnknownCommandsAndNodesAreRefusals) {
  engine_->Cancel(4711, By("bob", "Cancel"), [](const absl::StatusOr<Command>&) {});
  engine_->RetryMatching({Reason::kUidTaken, "nobody", ""}, 10, By("bob", "RetryTasks"),
                         [](const absl::StatusOr<Engine::Retried>&) {});
  engine_->RunOnce();
  clock_.Advance(absl::Seconds(1));
  engine_->RunOnce();
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].outcome, Reason::kUnknownCommand);
  EXPECT_EQ(entries[1].outcome, Reason::kUnknownNode);
}

TEST_F(EngineAuditTest, WhatPassesThroughNoRequestIsWrittenToo) {
  engine_->Audit(By("unknown", "node.enroll"), Refusal());
  engine_->Audit(By("manager", "audit.retention"), absl::OkStatus(), "", "{}");
  engine_->RunOnce();
  clock_.Advance(absl::Milliseconds(200));
  engine_->RunOnce();
  ASSERT_EQ(Entries().size(), 2u);
}

TEST_F(EngineAuditTest, TheEndWritesWhatIsStillGathered) {
  for (int i = 0; i < 5; ++i) engine_->Audit(By("unknown", "node.enroll"), Refusal());
  engine_->FlushRefusals();
  ASSERT_TRUE(ChangeBy(By("manager", "manager.stop"), ChangeSet()).ok());
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].count, 1);
  EXPECT_EQ(entries[1].count, 4);
  EXPECT_EQ(entries[2].act, "manager.stop");
}

TEST_F(EngineAuditTest, WhatCannotBeWrittenIsTold) {
  std::vector<AuditEntry> unaudited;
  options_.unaudited = [&](const AuditEntry& entry) { unaudited.push_back(entry); };
  Restart();
  store_->failing = true;
  EXPECT_FALSE(ChangeBy(By("alice", "Pause"), ChangeSet()).ok());
  ASSERT_EQ(unaudited.size(), 1u);
  EXPECT_EQ(unaudited[0].act, "Pause");
  EXPECT_FALSE(ChangeBy(By("alice", "Resume"), ChangeSet()).ok());
  ASSERT_EQ(unaudited.size(), 2u);
  EXPECT_EQ(unaudited[1].outcome, Reason::kStoreUnavailable);
  store_->failing = false;
  EXPECT_THAT(Entries(), IsEmpty());
}

TEST_F(EngineAuditTest, ChainIsIntactOverARestart) {
  ASSERT_TRUE(SubmitBy(By("alice", "Create")).ok());
  Restart();
  ASSERT_TRUE(ChangeBy(By("alice", "Pause"), ChangeSet()).ok());
  const AuditChain chain = *store_->GetAuditChain();
  ChainVerifier verifier(chain.beginning);
  const std::vector<AuditEntry> entries = Entries();
  for (const AuditEntry& entry : entries) verifier.Add(entry);
  verifier.Finish(chain.head);
  EXPECT_THAT(verifier.problems(), IsEmpty());
  EXPECT_EQ(chain.head.sequence, 2);
}

}  // namespace
}  // namespace hostq::manager
