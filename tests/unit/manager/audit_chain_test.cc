// What was done to a chain of entries is found, and the entry is named: the first, one in the
// middle, the last.
#include "manager/audit/chain.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hostq::manager {
namespace {

using Kind = ChainProblem::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr int64_t kEntries = 9;

AuditEntry MakeEntry(int64_t sequence) {
  AuditEntry entry;
  entry.sequence = sequence;
  entry.time = absl::FromUnixMicros(1'800'000'000'000'000 + sequence);
  entry.actor = "alice";
  entry.source = "192.0.2.7";
  entry.act = "hostq.v1.NodeService.PauseNode";
  entry.target = absl::StrCat("node/web", sequence);
  entry.request_id = absl::StrCat("r", sequence);
  entry.before = "{}";
  entry.after = "{\"drained\":true}";
  return entry;
}

class ChainTest : public testing::Test {
 protected:
  explicit ChainTest(int64_t beginning = 0) {
    if (beginning != 0) beginning_ = {beginning, std::string(32, 'b')};
    head_ = beginning_;
    for (int64_t i = 1; i <= kEntries; ++i) {
      AuditEntry entry = MakeEntry(beginning + i);
      entry.hash = ChainHash(head_.hash, entry);
      head_ = {entry.sequence, entry.hash};
      entries_.push_back(entry);
    }
  }

  AuditEntry& At(int64_t sequence) {
    return entries_[static_cast<size_t>(sequence - 1 - beginning_.sequence)];
  }
  void Erase(int64_t first, int64_t last) {
    std::erase_if(entries_,
                  [&](const AuditEntry& e) { return e.sequence >= first && e.sequence <= last; });
  }
  // As whoever has the database and this program's source could.
  void Rehash(int64_t from) {
    for (AuditEntry& entry : entries_) {
      if (entry.sequence < from) continue;
      const std::string& previous =
          entry.sequence == beginning_.sequence + 1 ? beginning_.hash : At(entry.sequence - 1).hash;
      entry.hash = ChainHash(previous, entry);
    }
  }

  std::vector<ChainProblem> Problems(const std::optional<ChainPoint>& expected = {}) {
    ChainVerifier verifier(beginning_);
    if (expected) verifier.Expect(*expected);
    for (const AuditEntry& entry : entries_) verifier.Add(entry);
    verifier.Finish(head_);
    EXPECT_EQ(verifier.more(), 0);
    EXPECT_EQ(verifier.entries(), static_cast<int64_t>(entries_.size()));
    return verifier.problems();
  }
  // Kind and first entry of each.
  std::vector<std::pair<Kind, int64_t>> Found(const std::optional<ChainPoint>& expected = {}) {
    std::vector<std::pair<Kind, int64_t>> found;
    for (const ChainProblem& problem : Problems(expected)) {
      found.emplace_back(problem.kind, problem.first);
      EXPECT_NE(problem.message, "");
    }
    return found;
  }

  ChainPoint beginning_;
  ChainPoint head_;
  std::vector<AuditEntry> entries_;
};

TEST_F(ChainTest, WhatWasNotTouchedIsIntact) {
  EXPECT_THAT(Found(), IsEmpty());
  EXPECT_THAT(Found(head_), IsEmpty());
  EXPECT_THAT(Found(ChainPoint{5, At(5).hash}), IsEmpty());
}

TEST_F(ChainTest, NothingIsIntactToo) {
  entries_.clear();
  head_ = {};
  EXPECT_THAT(Found(), IsEmpty());
}

// The encoding is part of the format of what was exported: it never changes.
TEST_F(ChainTest, HashesAreThoseOfTheFormat) {
  EXPECT_EQ(absl::BytesToHexString(At(1).hash),
            "effbce49c5c5cd312a47551a8f44270df9eafe6f64745f82c78c96d1a8d9e8c0");
}

// No field can be changed, and nothing can be shifted from one into the next.
TEST_F(ChainTest, EveryFieldCounts) {
  const AuditEntry entry = MakeEntry(1);
  const std::vector<std::function<void(AuditEntry&)>> changes = {
      [](AuditEntry&) {},
      [](AuditEntry& e) { ++e.sequence; },
      [](AuditEntry& e) { e.time += absl::Microseconds(1); },
      [](AuditEntry& e) { e.actor += "x"; },
      [](AuditEntry& e) { e.source += "x"; },
      [](AuditEntry& e) { e.act += "x"; },
      [](AuditEntry& e) { e.target += "x"; },
      [](AuditEntry& e) { e.request_id += "x"; },
      [](AuditEntry& e) { e.outcome = Reason::kOutOfScope; },
      [](AuditEntry& e) { e.message += "x"; },
      [](AuditEntry& e) { e.before += "x"; },
      [](AuditEntry& e) { e.after += "x"; },
      [](AuditEntry& e) { ++e.count; },
      [](AuditEntry& e) { e.actor = "", e.source = "alice192.0.2.7"; },
      [](AuditEntry& e) { std::swap(e.before, e.after); },
  };
  std::set<std::string> hashes = {ChainHash(std::string(32, 'x'), entry)};
  for (const auto& change : changes) {
    AuditEntry changed = entry;
    change(changed);
    EXPECT_TRUE(hashes.insert(ChainHash(std::string(32, '\0'), changed)).second);
  }
}

class ChainAtTest : public ChainTest, public testing::WithParamInterface<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Places, ChainAtTest, testing::Values(1, 2, 5, 8, 9));

TEST_P(ChainAtTest, ChangedContentIsNamed) {
  At(GetParam()).actor = "mallory";
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kChanged, GetParam())));
  EXPECT_THAT(Problems()[0].message, HasSubstr(absl::StrCat("entry ", GetParam())));
}

TEST_P(ChainAtTest, ChangedHashIsNamed) {
  At(GetParam()).hash = std::string(32, 'x');
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kHash, GetParam())));
}

TEST_P(ChainAtTest, RemovedEntryIsNamed) {
  Erase(GetParam(), GetParam());
  const std::vector<ChainProblem> problems = Problems();
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].kind, Kind::kRemoved);
  EXPECT_EQ(problems[0].first, GetParam());
  EXPECT_EQ(problems[0].last, GetParam());
}

// Content and hash both: the next one does not fit any more, or the head.
TEST_P(ChainAtTest, ChangeWithItsHashShowsAtTheNext) {
  AuditEntry& entry = At(GetParam());
  entry.actor = "mallory";
  entry.hash = ChainHash(GetParam() == 1 ? beginning_.hash : At(GetParam() - 1).hash, entry);
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kChanged, std::min(GetParam() + 1, kEntries))));
}

// All hashes after it computed anew, and the head too: only who has kept a head sees it.
TEST_P(ChainAtTest, RewrittenChainNeedsAnExpectedHead) {
  const ChainPoint kept = head_;
  At(GetParam()).actor = "mallory";
  Rehash(GetParam());
  head_ = {kEntries, At(kEntries).hash};
  EXPECT_THAT(Found(), IsEmpty());
  EXPECT_THAT(Found(kept), ElementsAre(Pair(Kind::kRewritten, kEntries)));
}

TEST_P(ChainAtTest, SwappedRowsAreNamed) {
  for (int64_t other = 1; other <= kEntries; ++other) {
    if (other == GetParam()) continue;
    const std::vector<AuditEntry> before = entries_;
    std::swap(At(GetParam()), At(other));
    std::swap(At(GetParam()).sequence, At(other).sequence);
    EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kMoved, std::min(other, GetParam())),
                                     Pair(Kind::kMoved, std::max(other, GetParam()))))
        << other;
    entries_ = before;
  }
}

// Lines of a file in another order.
TEST_P(ChainAtTest, ReorderedLinesAreNamed) {
  const int64_t n = GetParam() == kEntries ? kEntries - 1 : GetParam();
  std::swap(At(n), At(n + 1));
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kMoved, n)));
}

TEST_P(ChainAtTest, RepeatedLineIsInserted) {
  const AuditEntry entry = At(GetParam());
  entries_.insert(entries_.begin() + GetParam(), entry);
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kInserted, GetParam())));
}

TEST_F(ChainTest, SeveralRemovedAreOneProblem) {
  Erase(3, 6);
  const std::vector<ChainProblem> problems = Problems();
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].message, "entries 3 to 6 are missing");
}

TEST_F(ChainTest, CutOffEndIsMissing) {
  const ChainPoint kept = head_;
  Erase(7, 9);
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kRemoved, 7)));
  // Who cuts off the head along with it is found out by one that was kept.
  head_ = {6, At(6).hash};
  EXPECT_THAT(Found(), IsEmpty());
  const std::vector<ChainProblem> problems = Problems(kept);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].kind, Kind::kRemoved);
  EXPECT_EQ(problems[0].first, 7);
  EXPECT_EQ(problems[0].last, 9);
}

TEST_F(ChainTest, WhatStandsBehindTheHeadIsInserted) {
  head_ = {7, At(7).hash};
  const std::vector<ChainProblem> problems = Problems();
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].kind, Kind::kInserted);
  EXPECT_EQ(problems[0].first, 8);
}

TEST_F(ChainTest, SeveralThingsAreAllNamed) {
  At(2).message = "x";
  At(4).hash = std::string(32, 'x');
  std::swap(At(7), At(8));
  std::swap(At(7).sequence, At(8).sequence);
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kChanged, 2), Pair(Kind::kHash, 4),
                                   Pair(Kind::kMoved, 7), Pair(Kind::kMoved, 8)));
}

TEST_F(ChainTest, MemoryIsBoundedWhenAllIsWrong) {
  ChainVerifier verifier(beginning_);
  for (int64_t i = 1; i <= 3'000; ++i) {
    AuditEntry entry = MakeEntry(i);
    entry.hash = std::string(32, 'x');
    verifier.Add(entry);
  }
  verifier.Finish({3'000, std::string(32, 'x')});
  EXPECT_EQ(verifier.problems().size(), 1'000u);
  EXPECT_GE(verifier.more(), 1'900);
}

// What is left after the oldest have been deleted.
class LaterChainTest : public ChainTest {
 protected:
  LaterChainTest() : ChainTest(100) {}
};

TEST_F(LaterChainTest, IsVerifiedFromItsBeginning) {
  EXPECT_THAT(Found(), IsEmpty());
  At(101).actor = "mallory";
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kChanged, 101)));
}

TEST_F(LaterChainTest, OlderEntriesThanTheBeginningAreInserted) {
  entries_.insert(entries_.begin(), MakeEntry(100));
  EXPECT_THAT(Found(), ElementsAre(Pair(Kind::kInserted, 100)));
}

TEST_F(LaterChainTest, ExpectedBeginningIsCompared) {
  EXPECT_THAT(Found(beginning_), IsEmpty());
  EXPECT_THAT(Found(ChainPoint{100, std::string(32, 'x')}),
              ElementsAre(Pair(Kind::kRewritten, 100)));
  EXPECT_THAT(Found(ChainPoint{50, std::string(32, 'x')}), ElementsAre(Pair(Kind::kRemoved, 50)));
}

// Whoever forges an export may interleave its lines as he likes.
TEST(ChainVerifierTest, RemembersNoMoreOfAFileThanItIsBoundTo) {
  constexpr int64_t kLines = 20'000;
  ChainVerifier verifier({});
  verifier.Add(MakeEntry(kLines));
  for (int64_t i = 2; i < kLines; i += 2) verifier.Add(MakeEntry(i));
  EXPECT_LE(verifier.remembered(), 3'000u);
  verifier.Finish({kLines, std::string(32, 'h')});
  EXPECT_EQ(verifier.problems().size(), 1'000u);
  EXPECT_GT(verifier.more(), kLines / 4);
}

}  // namespace
}  // namespace hostq::manager
