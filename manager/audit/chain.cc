#include "manager/audit/chain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/hash.h"

namespace hostq::manager {
namespace {

constexpr char kVersion = 1;
// What is remembered of a chain that is wrong everywhere.
constexpr size_t kMaxProblems = 1'000;
// With more misfits than this nobody has just reordered entries, and each would have to be compared
// with each.
constexpr size_t kMaxReordered = 200;

using Kind = ChainProblem::Kind;

void AppendNumber(int64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out += static_cast<char>(static_cast<uint64_t>(value) >> shift & 0xff);
  }
}

void AppendText(absl::string_view text, std::string& out) {
  AppendNumber(static_cast<int64_t>(text.size()), out);
  absl::StrAppend(&out, text);
}

std::string Entries(int64_t first, int64_t last) {
  return first == last ? absl::StrCat("entry ", first)
                       : absl::StrCat("entries ", first, " to ", last);
}

std::string AreMissing(int64_t first, int64_t last) {
  return absl::StrCat(Entries(first, last), first == last ? " is missing" : " are missing");
}

}  // namespace

std::string ChainHash(absl::string_view previous, const AuditEntry& entry) {
  std::string bytes(1, kVersion);
  AppendText(previous, bytes);
  AppendNumber(entry.sequence, bytes);
  AppendNumber(absl::ToUnixMicros(entry.time), bytes);
  for (const std::string* text :
       {&entry.actor, &entry.source, &entry.act, &entry.target, &entry.request_id}) {
    AppendText(*text, bytes);
  }
  AppendNumber(static_cast<int64_t>(entry.outcome), bytes);
  for (const std::string* text : {&entry.message, &entry.before, &entry.after}) {
    AppendText(*text, bytes);
  }
  AppendNumber(entry.count, bytes);
  return Sha256(bytes);
}

absl::string_view NameOf(ChainProblem::Kind kind) {
  switch (kind) {
    case Kind::kChanged:
      return "CHANGED";
    case Kind::kHash:
      return "HASH_CHANGED";
    case Kind::kRemoved:
      return "REMOVED";
    case Kind::kMoved:
      return "MOVED";
    case Kind::kInserted:
      return "INSERTED";
    case Kind::kRewritten:
      return "REWRITTEN";
  }
  return "";
}

ChainVerifier::ChainVerifier(ChainPoint beginning)
    : beginning_(std::move(beginning)), last_(beginning_) {}

void ChainVerifier::Report(Kind kind, int64_t first, int64_t last, std::string message) {
  if (problems_.size() >= kMaxProblems) {
    ++more_;
    return;
  }
  problems_.push_back({kind, first, last, std::move(message)});
}

void ChainVerifier::Add(const AuditEntry& entry) {
  ++entries_;
  MeetExpected(entry);
  if (entry.sequence <= last_.sequence) return AddLate(entry);
  entry.sequence == last_.sequence + 1 ? AddNext(entry) : AddAfterGap(entry);
  last_ = {entry.sequence, entry.hash};
}

void ChainVerifier::AddNext(const AuditEntry& entry) {
  const std::string hash = ChainHash(last_.hash, entry);
  const std::string before = std::exchange(recomputed_, "");
  if (hash == entry.hash) return;
  if (!before.empty() && ChainHash(before, entry) == entry.hash) {
    // The one before had another hash when this one was written, the one of its content.
    misfits_.pop_back();
    Report(Kind::kHash, last_.sequence, last_.sequence,
           absl::StrCat("the hash of entry ", last_.sequence, " was changed: its content was not"));
    return;
  }
  if (misfits_.size() >= kMaxProblems) {
    ++more_;
    return;
  }
  misfits_.push_back({entry, last_.hash});
  recomputed_ = hash;
}

void ChainVerifier::AddAfterGap(const AuditEntry& entry) {
  recomputed_.clear();
  if (gaps_.size() >= kMaxProblems) {
    ++more_;
    return;
  }
  gaps_[last_.sequence + 1] = {entry.sequence - 1, last_.hash, entry};
}

void ChainVerifier::AddLate(const AuditEntry& entry) {
  const int64_t n = entry.sequence;
  auto found = gaps_.upper_bound(n);
  const bool in_gap = found != gaps_.begin() && n <= (--found)->second.last;
  if (!in_gap) {
    return Report(Kind::kInserted, n, n,
                  n <= beginning_.sequence
                      ? absl::StrCat("entry ", n, " is not after the beginning, which is ",
                                     beginning_.sequence, ": it was inserted")
                      : absl::StrCat("entry ", n, " is there twice: one was inserted"));
  }
  Report(Kind::kMoved, n, n,
         absl::StrCat("entry ", n, " stands after entry ", last_.sequence, ": it was moved"));
  const int64_t first = found->first;
  const bool splits = first < n && n < found->second.last;
  if (splits && gaps_.size() >= kMaxProblems) {
    ++more_;
    return;
  }
  Gap gap = std::move(found->second);
  gaps_.erase(found);
  if (first == n && ChainHash(gap.previous, entry) != entry.hash) {
    Report(Kind::kChanged, n, n, absl::StrCat("entry ", n, " does not fit its hash"));
  }
  if (gap.last == n && ChainHash(entry.hash, gap.next) != gap.next.hash) {
    Report(Kind::kChanged, n + 1, n + 1, absl::StrCat("entry ", n + 1, " does not fit its hash"));
  }
  if (n < gap.last) gaps_[n + 1] = {gap.last, entry.hash, std::move(gap.next)};
  // What follows it is no longer next to the gap.
  if (first < n) gaps_[first] = {n - 1, std::move(gap.previous), entry};
}

void ChainVerifier::MeetExpected(const AuditEntry& entry) {
  if (!expected_ || entry.sequence != expected_->sequence) return;
  met_ = true;
  if (entry.hash == expected_->hash) return;
  Report(Kind::kRewritten, entry.sequence, entry.sequence,
         absl::StrCat("entry ", entry.sequence,
                      " has not the hash that is expected: it or an entry before it was changed, "
                      "and the hashes after that were computed anew"));
}

const ChainVerifier::Misfit* ChainVerifier::FindMoved(absl::string_view previous,
                                                      int64_t sequence) const {
  if (misfits_.size() > kMaxReordered) return nullptr;
  for (const Misfit& other : misfits_) {
    if (other.entry.sequence == sequence) continue;
    AuditEntry entry = other.entry;
    entry.sequence = sequence;
    if (ChainHash(previous, entry) == entry.hash) return &other;
  }
  return nullptr;
}

// Whether an entry fits depends on the hash of the one before it. So the hash that belongs to a
// place is taken along: where an entry is found at another place, it is that one's.
void ChainVerifier::JudgeMisfits() {
  ChainPoint right;  // the last place judged, and the hash that belongs there
  for (const Misfit& misfit : misfits_) {
    const int64_t n = misfit.entry.sequence;
    const std::string& previous =
        right.sequence != 0 && right.sequence == n - 1 ? right.hash : misfit.previous;
    if (ChainHash(previous, misfit.entry) == misfit.entry.hash) {
      right = {n, misfit.entry.hash};  // only the one before it was not the right one
      continue;
    }
    if (const Misfit* moved = FindMoved(previous, n)) {
      Report(Kind::kMoved, n, n,
             absl::StrCat("entry ", n, " stands at the place of entry ", moved->entry.sequence,
                          ": they were reordered"));
      right = {n, moved->entry.hash};
      continue;
    }
    Report(Kind::kChanged, n, n,
           n == beginning_.sequence + 1
               ? absl::StrCat("entry ", n, " does not fit its hash: it was changed")
               : absl::StrCat("entry ", n, " does not fit its hash: it was changed (or entry ",
                              n - 1, " was, along with its hash)"));
    right = {n, misfit.entry.hash};
  }
}

void ChainVerifier::CheckEnd(const ChainPoint& head) {
  const int64_t n = last_.sequence;
  if (n < head.sequence) {
    return Report(Kind::kRemoved, n + 1, head.sequence,
                  absl::StrCat(AreMissing(n + 1, head.sequence), ": the end was cut off"));
  }
  if (n > head.sequence) {
    return Report(Kind::kInserted, head.sequence + 1, n,
                  absl::StrCat(Entries(head.sequence + 1, n), " stand after the head, which is ",
                               head.sequence, ": inserted"));
  }
  if (last_.hash == head.hash) return;
  if (!recomputed_.empty() && recomputed_ == head.hash) {
    misfits_.pop_back();
    return Report(Kind::kHash, n, n,
                  absl::StrCat("the hash of entry ", n, " was changed: its content was not"));
  }
  const bool misfit = !misfits_.empty() && misfits_.back().entry.sequence == n;
  if (misfit) return;
  Report(Kind::kChanged, n, n,
         absl::StrCat("entry ", n,
                      " is not the one whose hash the head has: it was changed, along "
                      "with its hash"));
}

void ChainVerifier::CheckExpected() {
  if (!expected_ || met_) return;
  const int64_t n = expected_->sequence;
  if (n > last_.sequence) {
    Report(Kind::kRemoved, last_.sequence + 1, n,
           absl::StrCat(AreMissing(last_.sequence + 1, n), ": entry ", n, " is expected"));
  } else if (n < beginning_.sequence) {
    Report(Kind::kRemoved, n, n,
           absl::StrCat("entry ", n, ", which is expected, is older than the beginning, ",
                        beginning_.sequence,
                        ": it was deleted because of its age, or the beginning was moved"));
  } else if (n == beginning_.sequence && expected_->hash != beginning_.hash) {
    Report(Kind::kRewritten, n, n,
           absl::StrCat("the beginning, ", n, ", has not the hash that is expected"));
  }
}

void ChainVerifier::Finish(const ChainPoint& head) {
  CheckEnd(head);
  JudgeMisfits();
  for (const auto& [first, gap] : gaps_) {
    Report(Kind::kRemoved, first, gap.last, AreMissing(first, gap.last));
  }
  CheckExpected();
  std::stable_sort(problems_.begin(), problems_.end(),
                   [](const ChainProblem& a, const ChainProblem& b) { return a.first < b.first; });
}

}  // namespace hostq::manager
