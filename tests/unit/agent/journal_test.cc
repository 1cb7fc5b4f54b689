// Goal: the journal's file is what it must be: nothing that was confirmed is lost, damage is
// refused. Method: real files, full, damaged, in use, and a child process that is killed between
// commits. What every journal does is in tests/contract/journal_test.cc.

#include "agent/journal/sqlite_journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "tests/testing/journal_fixture.h"

namespace hostq::agent {
namespace {

class JournalTest : public JournalFixture {
 protected:
  JournalTest() {
    char pattern[] = "/tmp/hostq_journal_XXXXXX";
    directory_ = mkdtemp(pattern);
    path_ = directory_ + "/journal.db";
    Reopen();
  }
  ~JournalTest() override {
    journal_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Reopen() {
    journal_.reset();
    auto journal = SqliteJournal::Open(path_);
    ASSERT_TRUE(journal.ok()) << journal.status();
    journal_ = *std::move(journal);
  }

  std::string directory_;
  std::string path_;
};

TEST_F(JournalTest, SecondAgentOnTheSameStateIsRefused) {
  sqlite::OpenOptions options = SqliteJournal::DefaultOptions();
  options.busy_timeout = absl::ZeroDuration();
  const auto second = SqliteJournal::Open(path_, options);
  EXPECT_TRUE(absl::IsAborted(second.status())) << second.status();
  EXPECT_EQ(ReasonOf(second.status()), Reason::kJournalUnavailable);
}

TEST_F(JournalTest, DamagedAndNewerFilesAreRefusedWithAClearError) {
  journal_.reset();
  {
    auto database = sqlite::Database::Open(path_, SqliteJournal::DefaultOptions());
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version=99").ok());
  }
  auto newer = SqliteJournal::Open(path_);
  EXPECT_TRUE(absl::IsFailedPrecondition(newer.status())) << newer.status();
  EXPECT_NE(std::string(newer.status().message()).find("newer"), std::string::npos);
  for (const char* suffix : {"", "-wal"}) std::filesystem::remove(path_ + suffix);
  std::ofstream(path_) << std::string(8192, 'x');
  auto damaged = SqliteJournal::Open(path_);
  EXPECT_TRUE(absl::IsDataLoss(damaged.status())) << damaged.status();
  EXPECT_EQ(ReasonOf(damaged.status()), Reason::kJournalUnavailable);
}

TEST_F(JournalTest, RowsThatNoManagerCanHaveSentAreSaidToBeDamaged) {
  for (const char* damage : {"task_id='t\xff'", "task_id=''", "attempt=0", "epoch=-1",
                             "kind='\xff'", "kind=''", "resource_key='a\nb'"}) {
    std::filesystem::remove_all(path_);
    Reopen();
    Accept(MakeAssignment("t1", 1, 10));
    EXPECT_TRUE(journal_->Load().ok());
    journal_.reset();
    {
      auto database = sqlite::Database::Open(path_, SqliteJournal::DefaultOptions());
      ASSERT_TRUE(database.ok());
      ASSERT_TRUE((*database)->Execute(absl::StrCat("UPDATE task SET ", damage)).ok());
    }
    Reopen();
    const auto state = journal_->Load();
    EXPECT_TRUE(absl::IsDataLoss(state.status())) << damage;
    EXPECT_EQ(ReasonOf(state.status()), Reason::kJournalUnavailable);
    journal_.reset();
  }
}

TEST_F(JournalTest, FullDiskChangesNothingAndPasses) {
  Accept(MakeAssignment("t1", 1, 10));
  journal_.reset();
  sqlite::OpenOptions options = SqliteJournal::DefaultOptions();
  auto database = sqlite::Database::Open(path_, options);
  ASSERT_TRUE(database.ok());
  const auto pages = (*database)->QueryInt64("PRAGMA page_count");
  ASSERT_TRUE((*database)->Execute(absl::StrCat("PRAGMA max_page_count=", *pages)).ok());
  auto insert = (*database)->Prepare("INSERT INTO resource VALUES(?,1)");
  ASSERT_TRUE(insert.ok());
  {
    auto transaction = sqlite::Transaction::Begin(**database);
    ASSERT_TRUE(transaction.ok());
    absl::Status status;
    for (int i = 0; i < 1000 && status.ok(); ++i)
      status = insert->Run(std::string(4000, 'k') + std::to_string(i));
    EXPECT_EQ(sqlite::KindOf(status), sqlite::ErrorKind::kFull) << status;
    EXPECT_TRUE(absl::IsResourceExhausted(status));
  }
  insert = sqlite::Statement();
  database->reset();
  Reopen();
  EXPECT_EQ(Load().in_flight.size(), 1u);
}

// A child commits one step after the other and says so; it is killed at some moment. Everything it
// said is there, and at most one step more.
TEST_F(JournalTest, KilledBetweenCommitsLosesNothingThatWasConfirmed) {
  journal_.reset();
  for (int round = 0; round < 12; ++round) {
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + "-wal");
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto journal = SqliteJournal::Open(path_);
      for (uint64_t i = 1; journal.ok(); ++i) {
        const std::string task = absl::StrCat("t", i);
        JournalBatch batch;
        batch.accept.push_back({MakeAssignment(task, 1, i), true});
        if (i > 1) batch.finished.push_back({{absl::StrCat("t", i - 1), 1, i - 1}, "r"});
        if (!(*journal)->Commit(batch, kNow).ok()) _exit(1);
        if (write(pipe_fds[1], "x", 1) != 1) _exit(1);
      }
      _exit(1);
    }
    close(pipe_fds[1]);
    uint64_t confirmed = 0;
    char byte;
    for (int i = 0; i < 5 + 7 * round && read(pipe_fds[0], &byte, 1) == 1; ++i) ++confirmed;
    kill(child, SIGKILL);
    while (read(pipe_fds[0], &byte, 1) == 1) ++confirmed;
    close(pipe_fds[0]);
    waitpid(child, nullptr, 0);
    Reopen();
    const JournalState state = Load();
    EXPECT_GE(state.max_epoch, confirmed);
    EXPECT_LE(state.max_epoch, confirmed + 1);
    ASSERT_EQ(state.in_flight.size(), 1u);
    EXPECT_EQ(state.in_flight[0].assignment.lease.epoch, state.max_epoch);
    EXPECT_EQ(state.unacknowledged.size(), state.max_epoch - 1);
    journal_.reset();
  }
}

}  // namespace
}  // namespace hostq::agent
