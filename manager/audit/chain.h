#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "manager/domain/audit.h"

namespace hostq::manager {

// The hash of `entry` that comes after an entry with the hash `previous`: 32 bytes, SHA-256 over a
// version, `previous`, and all fields but the hash itself, in their order, numbers with 8 bytes and
// texts after their length: no two entries have the same encoding (docs/reference/audit.md). The
// time counts in microseconds. Pure.
std::string ChainHash(absl::string_view previous, const AuditEntry& entry);

// What is wrong with a chain.
struct ChainProblem {
  enum class Kind {
    kChanged,   // the content of an entry is not what was written
    kHash,      // its content is, its hash is not
    kRemoved,   // entries are missing
    kMoved,     // an entry stands where another one was
    kInserted,  // an entry that was never written, or one that is there twice
    kRewritten  // the chain is not the one whose head was kept elsewhere
  };
  Kind kind = Kind::kChanged;
  int64_t first = 0;  // the entries concerned
  int64_t last = 0;
  std::string message;  // "entry 17 was changed: its content does not fit its hash"
};
// "CHANGED".
absl::string_view NameOf(ChainProblem::Kind kind);

// Takes the entries of a chain in the order in which they are kept, and says which are not as they
// were written. Finds what was changed, removed, moved or inserted without the hashes of all that
// follows being computed anew; who does that too is found out by an expected point. Memory is
// bounded. Not thread-safe.
class ChainVerifier {
 public:
  explicit ChainVerifier(ChainPoint beginning);

  // A point of the chain that was noted before. Before the first Add.
  void Expect(ChainPoint point) { expected_ = std::move(point); }
  void Add(const AuditEntry& entry);
  // After the last entry: the chain is to end with `head`.
  void Finish(const ChainPoint& head);

  // All problems, by entry, after Finish(); the first thousand.
  const std::vector<ChainProblem>& problems() const { return problems_; }
  // Those not in problems().
  int64_t more() const { return more_; }
  int64_t entries() const { return entries_; }
  // Entries and problems that it keeps in memory.
  size_t remembered() const { return gaps_.size() + misfits_.size() + problems_.size(); }
  // Where it ends as far as it has come.
  const ChainPoint& last() const { return last_; }

 private:
  // An entry that does not fit its hash.
  struct Misfit {
    AuditEntry entry;
    std::string previous;  // hash of the one before, as stored
  };
  // Entries that have not come before a later one did.
  struct Gap {
    int64_t last = 0;
    std::string previous;  // hash of the entry before it
    AuditEntry next;       // the entry after it: cannot be checked until the gap is filled
  };
  void Report(ChainProblem::Kind kind, int64_t first, int64_t last, std::string message);
  void AddNext(const AuditEntry& entry);
  void AddAfterGap(const AuditEntry& entry);
  void AddLate(const AuditEntry& entry);
  void MeetExpected(const AuditEntry& entry);
  void JudgeMisfits();
  // The entry of the place `sequence` among the misfits, elsewhere; null: it is not there.
  const Misfit* FindMoved(absl::string_view previous, int64_t sequence) const;
  void CheckEnd(const ChainPoint& head);
  void CheckExpected();

  const ChainPoint beginning_;
  ChainPoint last_;
  // What the hash of last_ had to be by its content; empty: what it is.
  std::string recomputed_;
  std::optional<ChainPoint> expected_;
  bool met_ = false;
  int64_t entries_ = 0;
  std::map<int64_t, Gap> gaps_;  // by the first
  std::deque<Misfit> misfits_;
  std::vector<ChainProblem> problems_;
  int64_t more_ = 0;
};

}  // namespace hostq::manager
