#include "tests/testing/memory_journal.h"

#include <algorithm>

namespace hostq::agent {

MemoryJournal::Row* MemoryJournal::Find(const Lease& lease) {
  const auto found = disk_.rows.find(lease.task_id);
  if (found == disk_.rows.end() || found->second.assignment.lease != lease) return nullptr;
  return &found->second;
}

absl::StatusOr<std::vector<AcceptAnswer>> MemoryJournal::Commit(const JournalBatch& batch,
                                                                absl::Time now) {
  for (const auto& [lease, result] : batch.finished) {
    Row* row = Find(lease);
    if (row == nullptr || row->state >= State::kFinished) continue;
    row->state = State::kFinished;
    row->assignment.work.clear();
    row->result = result;
    row->finish_time = now;
  }
  for (const auto& [key, item] : batch.kept) disk_.kept[key] = item;
  for (const std::string& key : batch.not_kept) disk_.kept.erase(key);
  for (const Lease& lease : batch.acknowledged) {
    Row* row = Find(lease);
    if (row != nullptr && row->state == State::kFinished) row->state = State::kAcknowledged;
  }
  for (const Lease& lease : batch.dropped) {
    Row* row = Find(lease);
    if (row != nullptr && row->state == State::kWaiting) disk_.rows.erase(lease.task_id);
  }
  std::vector<AcceptAnswer> answers;
  for (const auto& [assignment, start] : batch.accept) answers.push_back(Accept(assignment, start));
  for (const Lease& lease : batch.started) {
    Row* row = Find(lease);
    if (row != nullptr && row->state == State::kWaiting) row->state = State::kStarted;
  }
  return answers;
}

AcceptAnswer MemoryJournal::Accept(const Assignment& assignment, bool start) {
  const Lease& lease = assignment.lease;
  if (const auto known = disk_.rows.find(lease.task_id); known != disk_.rows.end()) {
    return AcceptKnown(known->second, assignment, start);
  }
  const uint64_t highest = disk_.epochs[assignment.resource_key];
  if (lease.epoch <= highest) {
    return {AcceptOutcome::kStaleEpoch, {lease.task_id, lease.attempt, highest}, ""};
  }
  Store(assignment, start);
  return {AcceptOutcome::kAccepted, lease, ""};
}

AcceptAnswer MemoryJournal::AcceptKnown(Row& row, const Assignment& assignment, bool start) {
  const Lease& lease = assignment.lease;
  Lease& stored = row.assignment.lease;
  const bool finished = row.state >= State::kFinished;
  if (finished && stored.attempt >= lease.attempt) {
    if (lease.epoch > stored.epoch) stored = lease;
    row.state = State::kFinished;
    return {AcceptOutcome::kFinished, stored, row.result};
  }
  const uint64_t highest = disk_.epochs[assignment.resource_key];
  const bool older = lease.epoch < stored.epoch || lease.attempt < stored.attempt;
  if (older || lease.epoch < highest) {
    return {AcceptOutcome::kStaleEpoch,
            {lease.task_id, lease.attempt, std::max(highest, stored.epoch)},
            ""};
  }
  if (finished) {
    disk_.rows.erase(lease.task_id);
    Store(assignment, start);
    return {AcceptOutcome::kAccepted, lease, ""};
  }
  if (lease != stored) {
    stored = lease;
    if (row.state == State::kWaiting) row.assignment = assignment;
    disk_.epochs[assignment.resource_key] = lease.epoch;
  }
  return {AcceptOutcome::kInFlight, lease, ""};
}

void MemoryJournal::Store(const Assignment& assignment, bool start) {
  Row& row = disk_.rows[assignment.lease.task_id];
  row.sequence = ++disk_.last_sequence;
  row.assignment = assignment;
  row.state = start ? State::kStarted : State::kWaiting;
  disk_.epochs[assignment.resource_key] = assignment.lease.epoch;
}

absl::StatusOr<JournalState> MemoryJournal::Load() {
  std::vector<const Row*> rows;
  for (const auto& [task, row] : disk_.rows) {
    if (row.state < State::kAcknowledged) rows.push_back(&row);
  }
  std::sort(rows.begin(), rows.end(),
            [](const Row* a, const Row* b) { return a->sequence < b->sequence; });
  JournalState state;
  for (const Row* row : rows) {
    if (row->state == State::kFinished) {
      state.unacknowledged.push_back({row->assignment.lease, row->result});
    } else {
      state.in_flight.push_back({row->assignment, row->state == State::kStarted});
    }
  }
  state.kept = disk_.kept;
  for (const auto& [key, epoch] : disk_.epochs) state.max_epoch = std::max(state.max_epoch, epoch);
  return state;
}

absl::StatusOr<int64_t> MemoryJournal::Prune(absl::Time before) {
  return static_cast<int64_t>(std::erase_if(disk_.rows, [&](const auto& entry) {
    return entry.second.state == State::kAcknowledged && entry.second.finish_time < before;
  }));
}

}  // namespace hostq::agent
