#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "agent/journal/journal.h"

namespace hostq::agent {

inline const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

inline Assignment MakeAssignment(const std::string& task, int attempt, uint64_t epoch,
                                 const std::string& key = "account/a") {
  return {{task, attempt, epoch}, key, "set_quota", "work of " + task, {"app", "storage"},
          absl::Seconds(30)};
}

// A journal, driven a step at a time; each step must succeed. The test opens it.
class JournalFixture : public testing::Test {
 protected:
  AcceptAnswer Accept(const Assignment& assignment, bool start = false) {
    JournalBatch batch;
    batch.accept.push_back({assignment, start});
    auto answers = journal_->Commit(batch, kNow);
    EXPECT_TRUE(answers.ok()) << answers.status();
    return answers.ok() ? answers->at(0) : AcceptAnswer{};
  }
  void Commit(const JournalBatch& batch) {
    const auto answers = journal_->Commit(batch, kNow);
    ASSERT_TRUE(answers.ok()) << answers.status();
  }
  void Start(const Lease& lease) {
    JournalBatch batch;
    batch.started.push_back(lease);
    Commit(batch);
  }
  void Finish(const Lease& lease, const std::string& result) {
    JournalBatch batch;
    batch.finished.push_back({lease, result});
    Commit(batch);
  }
  void Acknowledge(const Lease& lease) {
    JournalBatch batch;
    batch.acknowledged.push_back(lease);
    Commit(batch);
  }
  JournalState Load() {
    auto state = journal_->Load();
    EXPECT_TRUE(state.ok()) << state.status();
    return *std::move(state);
  }

  std::unique_ptr<Journal> journal_;
};

}  // namespace hostq::agent
