// What every Journal must do, over the real one and the one in memory: nothing that it confirmed is
// lost, nothing runs twice, no older lease passes. Reopened after every kind of step.
#include "agent/journal/journal.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/journal/sqlite_journal.h"
#include "tests/testing/journal_fixture.h"
#include "tests/testing/memory_journal.h"

namespace hostq::agent {
namespace {

// Where a journal is, so that it can be opened again.
class Place {
 public:
  virtual ~Place() = default;
  // The one before must be gone.
  virtual std::unique_ptr<Journal> Open() = 0;
};

class SqlitePlace final : public Place {
 public:
  SqlitePlace() {
    char pattern[] = "/tmp/hostq_journal_XXXXXX";
    directory_ = mkdtemp(pattern);
  }
  ~SqlitePlace() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<Journal> Open() override {
    auto journal = SqliteJournal::Open(directory_ + "/journal.db");
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journal.ok() ? *std::move(journal) : nullptr;
  }

 private:
  std::string directory_;
};

class MemoryPlace final : public Place {
 public:
  std::unique_ptr<Journal> Open() override { return std::make_unique<MemoryJournal>(disk_); }

 private:
  MemoryJournalDisk disk_;
};

class JournalTest : public JournalFixture,
                    public testing::WithParamInterface<std::function<std::unique_ptr<Place>()>> {
 protected:
  JournalTest() : place_(GetParam()()) { Reopen(); }

  void Reopen() {
    journal_.reset();
    journal_ = place_->Open();
    ASSERT_NE(journal_, nullptr);
  }

  std::unique_ptr<Place> place_;
};

TEST_P(JournalTest, AcceptedTaskSurvivesReopenWithEverythingInOrder) {
  Assignment limited = MakeAssignment("t2", 1, 10);
  limited.start_before = kNow + absl::Minutes(5);
  limited.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ(Accept(limited).outcome, AcceptOutcome::kAccepted);
  EXPECT_EQ(Accept(MakeAssignment("t1", 3, 11, "account/b"), true).outcome,
            AcceptOutcome::kAccepted);
  Reopen();
  const JournalState state = Load();
  ASSERT_EQ(state.in_flight.size(), 2u);
  EXPECT_EQ(state.in_flight[0].assignment.lease, (Lease{"t2", 1, 10}));
  EXPECT_FALSE(state.in_flight[0].started);
  const Assignment& second = state.in_flight[1].assignment;
  EXPECT_TRUE(state.in_flight[1].started);
  EXPECT_EQ(second.lease, (Lease{"t1", 3, 11}));
  EXPECT_EQ(second.resource_key, "account/b");
  EXPECT_EQ(second.kind, "set_quota");
  EXPECT_EQ(second.work, "work of t1");
  EXPECT_EQ(second.roles, (std::vector<std::string>{"app", "storage"}));
  EXPECT_EQ(second.timeout, absl::Seconds(30));
  EXPECT_EQ(state.in_flight[0].assignment.start_before, kNow + absl::Minutes(5));
  EXPECT_EQ(state.in_flight[0].assignment.traceparent, limited.traceparent);
  EXPECT_EQ(second.start_before, absl::InfiniteFuture());
  EXPECT_EQ(state.max_epoch, 11u);
}

TEST_P(JournalTest, WhatTheNodeKeepsSurvivesUntilItIsDropped) {
  const KeptItem share = {"mount_share", std::string("wo\0rk", 5), {"app", "storage"}};
  const KeptItem address = {"bind_address", "work", {}};
  JournalBatch batch;
  batch.kept = {{"share/home", share}, {"address/192.0.2.1", address}};
  Commit(batch);
  batch.kept = {{"share/home", address}};  // the latest counts
  Commit(batch);
  batch.kept = {{"share/home", share}};
  batch.not_kept = {"address/192.0.2.1", "address/192.0.2.2"};
  Commit(batch);
  Reopen();
  EXPECT_EQ(Load().kept, (Kept{{"share/home", share}}));
}

TEST_P(JournalTest, ResultStaysUntilAcknowledged) {
  const Lease lease = MakeAssignment("t", 1, 10).lease;
  Accept(MakeAssignment("t", 1, 10));
  Start(lease);
  Finish(lease, std::string("bytes\0more", 10));
  Reopen();
  JournalState state = Load();
  EXPECT_TRUE(state.in_flight.empty());
  ASSERT_EQ(state.unacknowledged.size(), 1u);
  EXPECT_EQ(state.unacknowledged[0].lease, lease);
  EXPECT_EQ(state.unacknowledged[0].result, std::string("bytes\0more", 10));
  Acknowledge({"t", 1, 9});  // of another lease: not this result
  EXPECT_EQ(Load().unacknowledged.size(), 1u);
  Acknowledge(lease);
  Reopen();
  EXPECT_TRUE(Load().unacknowledged.empty());
}

TEST_P(JournalTest, LowerEpochOfAKeyIsRefusedAlsoAfterReopen) {
  Accept(MakeAssignment("t1", 1, 10));
  Reopen();
  const AcceptAnswer answer = Accept(MakeAssignment("t2", 1, 9));
  EXPECT_EQ(answer.outcome, AcceptOutcome::kStaleEpoch);
  EXPECT_EQ(answer.lease.epoch, 10u);
  EXPECT_EQ(Load().in_flight.size(), 1u);
  // Other keys have nothing to do with it.
  EXPECT_EQ(Accept(MakeAssignment("t3", 1, 5, "account/b")).outcome, AcceptOutcome::kAccepted);
}

TEST_P(JournalTest, EpochIsRememberedAfterTheTaskIsForgotten) {
  Accept(MakeAssignment("t1", 1, 10));
  Finish({"t1", 1, 10}, "r");
  Acknowledge({"t1", 1, 10});
  const auto pruned = journal_->Prune(kNow + absl::Seconds(1));
  ASSERT_TRUE(pruned.ok());
  EXPECT_EQ(*pruned, 1);
  EXPECT_EQ(Accept(MakeAssignment("t1", 1, 10)).outcome, AcceptOutcome::kStaleEpoch);
  EXPECT_EQ(Accept(MakeAssignment("t0", 1, 9)).outcome, AcceptOutcome::kStaleEpoch);
  EXPECT_EQ(Accept(MakeAssignment("t2", 1, 11)).outcome, AcceptOutcome::kAccepted);
}

TEST_P(JournalTest, DuplicateInFlightIsNothingNew) {
  Accept(MakeAssignment("t", 1, 10), true);
  EXPECT_EQ(Accept(MakeAssignment("t", 1, 10)).outcome, AcceptOutcome::kInFlight);
  const JournalState state = Load();
  ASSERT_EQ(state.in_flight.size(), 1u);
  EXPECT_TRUE(state.in_flight[0].started);
}

TEST_P(JournalTest, NewerLeaseReplacesTheOneInFlight) {
  Accept(MakeAssignment("t", 1, 10), true);
  EXPECT_EQ(Accept(MakeAssignment("t", 2, 12)).outcome, AcceptOutcome::kInFlight);
  EXPECT_EQ(Load().in_flight[0].assignment.lease, (Lease{"t", 2, 12}));
  EXPECT_EQ(Accept(MakeAssignment("t", 1, 10)).outcome, AcceptOutcome::kStaleEpoch);
  Finish({"t", 1, 10}, "of the old lease");  // means nothing any more
  EXPECT_EQ(Load().in_flight.size(), 1u);
  Finish({"t", 2, 12}, "of the new one");
  EXPECT_EQ(Load().unacknowledged.size(), 1u);
}

TEST_P(JournalTest, LateDuplicateIsAnsweredWithTheStoredResult) {
  Accept(MakeAssignment("t", 2, 10));
  Finish({"t", 2, 10}, "result");
  Acknowledge({"t", 2, 10});
  Reopen();
  const AcceptAnswer same = Accept(MakeAssignment("t", 2, 10));
  EXPECT_EQ(same.outcome, AcceptOutcome::kFinished);
  EXPECT_EQ(same.result, "result");
  // To be sent again, and kept until acknowledged again.
  EXPECT_EQ(Load().unacknowledged.size(), 1u);
  // A newer lease of the same attempt is what the result answers from then on.
  const AcceptAnswer renewed = Accept(MakeAssignment("t", 2, 15));
  EXPECT_EQ(renewed.outcome, AcceptOutcome::kFinished);
  EXPECT_EQ(renewed.lease, (Lease{"t", 2, 15}));
  EXPECT_EQ(Accept(MakeAssignment("t", 1, 8)).outcome, AcceptOutcome::kFinished);
  Acknowledge({"t", 2, 15});
  EXPECT_TRUE(Load().unacknowledged.empty());
}

TEST_P(JournalTest, NextAttemptOfAFinishedTaskRuns) {
  Accept(MakeAssignment("t", 1, 10));
  Finish({"t", 1, 10}, "failed");
  EXPECT_EQ(Accept(MakeAssignment("t", 2, 12)).outcome, AcceptOutcome::kAccepted);
  const JournalState state = Load();
  EXPECT_TRUE(state.unacknowledged.empty());
  ASSERT_EQ(state.in_flight.size(), 1u);
  EXPECT_EQ(state.in_flight[0].assignment.work, "work of t");
}

TEST_P(JournalTest, OnlyWhatHasNotStartedIsDropped) {
  Accept(MakeAssignment("t1", 1, 10));
  Accept(MakeAssignment("t2", 1, 11, "account/b"), true);
  JournalBatch batch;
  batch.dropped = {{"t1", 1, 10}, {"t2", 1, 11}};
  Commit(batch);
  const JournalState state = Load();
  ASSERT_EQ(state.in_flight.size(), 1u);
  EXPECT_EQ(state.in_flight[0].assignment.lease.task_id, "t2");
}

TEST_P(JournalTest, PruneKeepsWhatIsNotAcknowledged) {
  Accept(MakeAssignment("t1", 1, 10));
  Finish({"t1", 1, 10}, "r");
  Accept(MakeAssignment("t2", 1, 11, "account/b"));
  const auto pruned = journal_->Prune(absl::InfiniteFuture());
  ASSERT_TRUE(pruned.ok());
  EXPECT_EQ(*pruned, 0);
  EXPECT_EQ(Load().unacknowledged.size(), 1u);
}

TEST_P(JournalTest, ResultAnswersANewerLeaseOfALowerAttempt) {
  Accept(MakeAssignment("t", 3, 10));
  Finish({"t", 3, 10}, "result");
  // The manager was restored from a backup of before the first attempt.
  const AcceptAnswer answer = Accept(MakeAssignment("t", 1, 20));
  EXPECT_EQ(answer.outcome, AcceptOutcome::kFinished);
  EXPECT_EQ(answer.lease, (Lease{"t", 1, 20}));
  EXPECT_EQ(answer.result, "result");
  Acknowledge({"t", 1, 20});
  EXPECT_TRUE(Load().unacknowledged.empty());
  EXPECT_EQ(Accept(MakeAssignment("t", 2, 21)).outcome, AcceptOutcome::kAccepted);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, JournalTest, testing::Values([] {
                           return std::unique_ptr<Place>(std::make_unique<SqlitePlace>());
                         }));
INSTANTIATE_TEST_SUITE_P(Memory, JournalTest, testing::Values([] {
                           return std::unique_ptr<Place>(std::make_unique<MemoryPlace>());
                         }));

}  // namespace
}  // namespace hostq::agent
