#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/journal/journal.h"

namespace hostq::agent {

// What a MemoryJournal keeps: a disk that outlives the process.
struct MemoryJournalDisk {
  enum class State { kWaiting, kStarted, kFinished, kAcknowledged };
  struct Row {
    uint64_t sequence = 0;
    Assignment assignment;
    State state = State::kWaiting;
    std::string result;
    absl::Time finish_time;
  };
  uint64_t last_sequence = 0;
  std::map<std::string, Row> rows;         // by task
  std::map<std::string, uint64_t> epochs;  // by resource key
  Kept kept;
};

// A Journal without files, with the same rules as the real one: what is on the disk are the
// committed batches, so that an agent made anew on it is an agent after a crash. The disk must
// outlive it. Not thread-safe.
class MemoryJournal final : public Journal {
 public:
  explicit MemoryJournal(MemoryJournalDisk& disk) : disk_(disk) {}

  absl::StatusOr<std::vector<AcceptAnswer>> Commit(const JournalBatch& batch,
                                                   absl::Time now) override;
  absl::StatusOr<JournalState> Load() override;
  absl::StatusOr<int64_t> Prune(absl::Time before) override;

 private:
  using State = MemoryJournalDisk::State;
  using Row = MemoryJournalDisk::Row;
  // The task's row if it has this lease.
  Row* Find(const Lease& lease);
  AcceptAnswer Accept(const Assignment& assignment, bool start);
  AcceptAnswer AcceptKnown(Row& row, const Assignment& assignment, bool start);
  void Store(const Assignment& assignment, bool start);

  MemoryJournalDisk& disk_;
};

}  // namespace hostq::agent
