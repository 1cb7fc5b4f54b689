// The audit in every Store: in the transaction of what it is about, a chain over restarts and
// deletions; and what becomes of one that somebody has written in.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/sqlite/database.h"
#include "manager/audit/chain.h"
#include "manager/store/retention.h"
#include "store_place.h"

namespace hostq::manager {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

absl::Time At(int64_t minute) {
  return absl::FromUnixSeconds(1'900'000'000) + absl::Minutes(minute);
}

AuditEntry MakeEntry(int64_t minute) {
  AuditEntry entry;
  entry.time = At(minute) + absl::Microseconds(7);
  entry.actor = minute % 2 == 0 ? "alice" : "bob";
  entry.source = "socket";
  entry.act =
      minute % 3 == 0 ? "hostq.v1.NodeService.PauseNode" : "hostq.v1.NodeService.RemoveNode";
  entry.target = absl::StrCat("node/web", minute);
  entry.request_id = absl::StrCat("r", minute);
  entry.outcome = minute % 5 == 0 ? Reason::kOutOfScope : Reason::kNone;
  entry.message = "müller";
  entry.before = "{}";
  entry.after = "{\"a\":1}";
  entry.count = minute;
  return entry;
}

// What its first turn reports.
absl::StatusOr<Retention::Done> RunRetention(Store& store, const Retention::Options& options,
                                             Clock& clock) {
  Mutex mutex;
  CondVar changed;
  std::optional<absl::StatusOr<Retention::Done>> reported;
  const Retention retention(store, clock, options,
                            [&](const absl::StatusOr<Retention::Done>& done) {
                              const MutexLock lock(mutex);
                              if (!reported) reported = done;
                              changed.NotifyAll();
                            });
  const MutexLock lock(mutex);
  while (!reported) changed.Wait(mutex);
  return *reported;
}
absl::StatusOr<Retention::Done> RunRetention(Store& store, const Retention::Options& options,
                                             absl::Time now) {
  FakeClock clock(now);
  return RunRetention(store, options, clock);
}

class StoreAuditTest : public testing::TestWithParam<PlaceFactory> {
 protected:
  StoreAuditTest() : place_(GetParam()()) { Reopen(); }
  void Reopen() {
    store_.reset();
    store_ = *place_->Open();
  }
  absl::Status Commit(std::vector<Mutation> mutations) { return store_->Commit(mutations); }
  void Fill(int64_t first, int64_t last) {
    for (int64_t i = first; i <= last; ++i) ASSERT_TRUE(Commit({MakeEntry(i)}).ok());
  }
  std::vector<int64_t> Listed(const AuditQuery& query) {
    std::vector<int64_t> sequences;
    const std::vector<AuditEntry> entries = *store_->ListAudit(query);
    for (const AuditEntry& entry : entries) sequences.push_back(entry.sequence);
    return sequences;
  }
  // An hour after the last of them.
  absl::StatusOr<int> Delete(absl::Time time, int limit) {
    return store_->DeleteAudit(time, limit, At(1000));
  }
  std::vector<ChainProblem> Verify() {
    const AuditChain chain = *store_->GetAuditChain();
    ChainVerifier verifier(chain.beginning);
    const std::vector<AuditEntry> entries = *store_->ListAudit({.limit = 10'000});
    for (const AuditEntry& entry : entries) verifier.Add(entry);
    verifier.Finish(chain.head);
    return verifier.problems();
  }

  std::unique_ptr<Place> place_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreAuditTest, EmptyAtFirst) {
  EXPECT_TRUE(store_->ListAudit({})->empty());
  EXPECT_EQ(store_->GetAuditChain()->head, ChainPoint());
  EXPECT_EQ(store_->GetAuditChain()->beginning, ChainPoint());
  EXPECT_EQ(store_->Load()->audit.head, ChainPoint());
}

TEST_P(StoreAuditTest, EntryReadsBackAsItWasWritten) {
  const AuditEntry wanted = MakeEntry(5);
  ASSERT_TRUE(Commit({wanted}).ok());
  Reopen();
  const std::vector<AuditEntry> entries = *store_->ListAudit({});
  ASSERT_EQ(entries.size(), 1u);
  const AuditEntry& entry = entries[0];
  EXPECT_EQ(entry.sequence, 1);
  EXPECT_EQ(entry.time, wanted.time);
  EXPECT_EQ(entry.actor, wanted.actor);
  EXPECT_EQ(entry.source, wanted.source);
  EXPECT_EQ(entry.act, wanted.act);
  EXPECT_EQ(entry.target, wanted.target);
  EXPECT_EQ(entry.request_id, wanted.request_id);
  EXPECT_EQ(entry.outcome, wanted.outcome);
  EXPECT_EQ(entry.message, wanted.message);
  EXPECT_EQ(entry.before, wanted.before);
  EXPECT_EQ(entry.after, wanted.after);
  EXPECT_EQ(entry.count, wanted.count);
  EXPECT_EQ(entry.hash, ChainHash(std::string(32, '\0'), entry));
  EXPECT_EQ(store_->GetAuditChain()->head, (ChainPoint{1, entry.hash}));
  EXPECT_EQ(store_->Load()->audit.head, (ChainPoint{1, entry.hash}));
}

TEST_P(StoreAuditTest, ChainGoesOnAfterARestart) {
  Fill(1, 3);
  Reopen();
  Fill(4, 6);
  ASSERT_TRUE(Commit({MakeEntry(7), SetTerm{9}, MakeEntry(8)}).ok());
  EXPECT_THAT(Listed({}), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(Verify(), IsEmpty());
}

// What is not done is not in the audit, and the numbers have no gap.
TEST_P(StoreAuditTest, ABatchThatFailsLeavesNone) {
  Fill(1, 2);
  ASSERT_EQ(Commit({MakeEntry(3), FinishCommand{4711, CommandState::kFailed, At(1)}}).code(),
            absl::StatusCode::kAborted);
  EXPECT_THAT(Listed({}), ElementsAre(1, 2));
  EXPECT_EQ(store_->GetAuditChain()->head.sequence, 2);
  Reopen();
  Fill(3, 4);
  EXPECT_THAT(Listed({}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Verify(), IsEmpty());
}

TEST_P(StoreAuditTest, ListsAreFiltered) {
  Fill(1, 12);
  EXPECT_THAT(Listed({.limit = 3}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Listed({.newest_first = true, .limit = 3}), ElementsAre(12, 11, 10));
  EXPECT_THAT(Listed({.after = 3, .before = 6}), ElementsAre(4, 5));
  EXPECT_THAT(Listed({.after = 3, .before = 6, .newest_first = true}), ElementsAre(5, 4));
  EXPECT_THAT(Listed({.actor = "bob"}), ElementsAre(1, 3, 5, 7, 9, 11));
  EXPECT_THAT(Listed({.act = "PauseNode"}), ElementsAre(3, 6, 9, 12));
  EXPECT_THAT(Listed({.act = "hostq.v1.NodeService.PauseNode"}), ElementsAre(3, 6, 9, 12));
  EXPECT_THAT(Listed({.act = "auseNode"}), IsEmpty());
  EXPECT_THAT(Listed({.act = "pausenode"}), IsEmpty());
  EXPECT_THAT(Listed({.target = "node/web7"}), ElementsAre(7));
  EXPECT_THAT(Listed({.refused_only = true}), ElementsAre(5, 10));
  EXPECT_THAT(Listed({.start_time = At(11)}), ElementsAre(11, 12));
  EXPECT_THAT(Listed({.actor = "bob", .act = "PauseNode", .refused_only = false}),
              ElementsAre(3, 9));
}

TEST_P(StoreAuditTest, OldEntriesGoAndTheRestIsVerifiable) {
  Fill(1, 10);
  EXPECT_EQ(*Delete(At(1), 100), 0);
  EXPECT_EQ(*Delete(At(6), 3), 3);
  EXPECT_THAT(Verify(), IsEmpty());
  EXPECT_EQ(*Delete(At(6), 3), 2);
  EXPECT_EQ(*Delete(At(6), 3), 0);
  EXPECT_THAT(Listed({}), ElementsAre(6, 7, 8, 9, 10, 11, 12));
  EXPECT_THAT(Listed({.act = "audit.retention"}), ElementsAre(11, 12)) << "what was deleted";
  EXPECT_EQ(store_->GetAuditChain()->beginning.sequence, 5);
  EXPECT_THAT(Verify(), IsEmpty());
  Fill(11, 12);
  Reopen();
  EXPECT_THAT(Verify(), IsEmpty());
  EXPECT_EQ(store_->Load()->audit.beginning.sequence, 5);
}

TEST_P(StoreAuditTest, NumbersGoOnWhenAllWereOld) {
  Fill(1, 3);
  EXPECT_EQ(*Delete(At(100), 100), 3);
  EXPECT_THAT(Listed({}), ElementsAre(4)) << "what tells of it";
  Reopen();
  Fill(5, 5);
  EXPECT_THAT(Listed({}), ElementsAre(4, 5));
  EXPECT_EQ(store_->GetAuditChain()->beginning.sequence, 3);
  EXPECT_THAT(Verify(), IsEmpty());
}

// A clock that was set back must not have young ones deleted, nor old ones kept for ever.
TEST_P(StoreAuditTest, OnlyTheOldestGo) {
  Fill(5, 5);
  Fill(1, 2);
  EXPECT_EQ(*Delete(At(3), 100), 0);
  EXPECT_EQ(*Delete(At(6), 100), 3);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreAuditTest, testing::Values([] {
                           return std::unique_ptr<Place>(std::make_unique<SqlitePlace>());
                         }));
INSTANTIATE_TEST_SUITE_P(Memory, StoreAuditTest, testing::Values([] {
                           return std::unique_ptr<Place>(std::make_unique<MemoryPlace>());
                         }));

// With another program that writes into the database.
class TamperedStoreTest : public testing::Test {
 protected:
  TamperedStoreTest() : store_(*place_.Open()) {
    for (int64_t i = 1; i <= 6; ++i) EXPECT_TRUE(store_->Commit({MakeEntry(i)}).ok());
  }
  void Execute(const std::string& sql) {
    const auto database = *sqlite::Database::Open(place_.path());
    const absl::Status status = database->Execute(sql);
    ASSERT_TRUE(status.ok()) << status;
  }

  SqlitePlace place_;
  std::unique_ptr<Store> store_;
};

// The traces of what was done would go with it.
TEST_F(TamperedStoreTest, WhatWasChangedIsNotDeletedForItsAge) {
  Execute("UPDATE audit SET actor='mallory' WHERE sequence=2");
  const absl::Status status = store_->DeleteAudit(At(4), 100, At(1000)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(status), Reason::kAuditBroken);
  EXPECT_THAT(std::string(status.message()), HasSubstr("entry 2"));
  EXPECT_EQ(store_->ListAudit({})->size(), 6u);
}

// What was deleted before that was found is told by the audit itself.
TEST_F(TamperedStoreTest, WhatWasDeletedBeforeItIsRecorded) {
  for (int64_t i = 7; i <= 300; ++i) ASSERT_TRUE(store_->Commit({MakeEntry(i)}).ok());
  Execute("UPDATE audit SET actor='mallory' WHERE sequence=150");
  Retention::Options options;
  options.audit_age = absl::Hours(1);
  options.batch = 100;
  options.pause = absl::ZeroDuration();
  const absl::StatusOr<Retention::Done> done = RunRetention(*store_, options, At(1000));
  EXPECT_EQ(ReasonOf(done.status()), Reason::kAuditBroken);
  EXPECT_EQ(store_->GetAuditChain()->beginning.sequence, 100);
  const std::vector<AuditEntry> told = *store_->ListAudit({.act = "audit.retention"});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].actor, "manager");
  EXPECT_EQ(told[0].time, At(1000));
  EXPECT_EQ(told[0].after, "{\"deleted_entries\":100}");
}

// A clock that is far ahead makes everything old: what is left must not be gone before somebody has
// looked at it.
TEST(RetentionAuditTest, AClockThatIsAheadDoesNotEmptyIt) {
  SqlitePlace place;
  const auto store = *place.Open();
  for (int64_t hour = 1; hour <= 48; ++hour) {
    ASSERT_TRUE(store->Commit({MakeEntry(60 * hour)}).ok());
  }
  Retention::Options options;
  options.pause = absl::ZeroDuration();
  const absl::Time ahead = At(0) + absl::Hours(24 * 1000);
  for (const int left : {42, 36, 30}) {
    const auto done = RunRetention(*store, options, ahead);
    ASSERT_TRUE(done.ok()) << done.status();
    EXPECT_EQ(done->audit_entries, 6);
    const auto entries = *store->ListAudit({.limit = 1'000});
    const auto old = std::count_if(entries.begin(), entries.end(),
                                   [&](const AuditEntry& entry) { return entry.time < ahead; });
    EXPECT_EQ(old, left);
  }
}

TEST_F(TamperedStoreTest, RetentionReportsIt) {
  Execute("DELETE FROM audit WHERE sequence=2");
  Retention::Options options;
  options.audit_age = absl::ZeroDuration();
  EXPECT_EQ(ReasonOf(RunRetention(*store_, options, At(100)).status()), Reason::kAuditBroken);
}

// A manager must be able to go on: the gap stays visible.
TEST_F(TamperedStoreTest, CutOffEndDoesNotComeBack) {
  store_.reset();
  Execute("DELETE FROM audit WHERE sequence>4");
  store_ = *place_.Open();
  ASSERT_TRUE(store_->Commit({MakeEntry(7)}).ok());
  EXPECT_EQ(store_->ListAudit({.after = 4})->front().sequence, 7);
}

TEST_F(TamperedStoreTest, RowsBehindTheHeadDoNotKeepItFromWriting) {
  store_.reset();
  Execute(
      "INSERT INTO audit SELECT 9, time, actor, source, act, target, request_id, outcome, "
      "message, before, after, count, hash FROM audit WHERE sequence=1");
  store_ = *place_.Open();
  ASSERT_TRUE(store_->Commit({MakeEntry(10)}).ok());
  EXPECT_EQ(store_->GetAuditChain()->head.sequence, 10);
}

TEST(RetentionAuditTest, OldEntriesAreDeletedAndCounted) {
  SqlitePlace place;
  const auto store = *place.Open();
  for (int64_t i = 1; i <= 25; ++i) ASSERT_TRUE(store->Commit({MakeEntry(i)}).ok());
  Retention::Options options;
  options.audit_age = absl::Minutes(10);
  options.batch = 4;
  options.pause = absl::ZeroDuration();
  const auto done = RunRetention(*store, options, At(30));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->audit_entries, 19);
  EXPECT_EQ(store->GetAuditChain()->beginning.sequence, 19);
}

// Whoever waits for the end of a turn, to log the head of the audit, waits no longer than that.
TEST(RetentionAuditTest, ATurnEndsWhateverIsLeft) {
  // A minute passes whenever somebody looks.
  class PassingClock final : public Clock {
   public:
    absl::Time Now() override { return At(1000); }
    absl::Duration Monotonic() override { return absl::Minutes(++looks_); }

   private:
    std::atomic<int> looks_ = 0;
  };
  SqlitePlace place;
  const auto store = *place.Open();
  for (int64_t i = 1; i <= 40; ++i) ASSERT_TRUE(store->Commit({MakeEntry(i)}).ok());
  Retention::Options options;
  options.audit_age = absl::Minutes(10);
  options.batch = 1;
  options.pause = absl::ZeroDuration();
  PassingClock clock;
  const auto done = RunRetention(*store, options, clock);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_GT(done->audit_entries, 0);
  EXPECT_LT(done->audit_entries, 11);
}

}  // namespace
}  // namespace hostq::manager
