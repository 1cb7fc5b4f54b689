#include "manager/store/sqlite/rows.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace hostq::manager {

using sqlite::Statement;

namespace {

std::vector<Reason> DecodeReasons(absl::string_view text) {
  std::vector<Reason> reasons;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    int number = 0;
    if (absl::SimpleAtoi(part, &number)) reasons.push_back(static_cast<Reason>(number));
  }
  return reasons;
}

Evidence DecodeEvidence(absl::string_view bytes) {
  Evidence evidence;
  while (!bytes.empty()) {
    const size_t key_end = bytes.find('\0');
    if (key_end == absl::string_view::npos) break;
    const size_t value_end = bytes.find('\0', key_end + 1);
    if (value_end == absl::string_view::npos) break;
    evidence.emplace(bytes.substr(0, key_end), bytes.substr(key_end + 1, value_end - key_end - 1));
    bytes.remove_prefix(value_end + 1);
  }
  return evidence;
}

}  // namespace

void BindTime(Statement& statement, int index, absl::Time time) {
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) {
    return statement.BindNull(index);
  }
  statement.BindInt64(index, absl::ToUnixMicros(time));
}

absl::Time TimeAt(const Statement& statement, int column, absl::Time null) {
  return statement.IsNull(column) ? null : absl::FromUnixMicros(statement.Int64(column));
}

std::string EncodeReasons(const std::vector<Reason>& reasons) {
  return absl::StrJoin(reasons, ",", [](std::string* out, Reason reason) {
    absl::StrAppend(out, static_cast<int>(reason));
  });
}

std::string StringAt(const Statement& statement, int column) {
  return std::string(statement.Blob(column));
}

std::string EncodeEvidence(const Evidence& evidence) {
  std::string out;
  for (const auto& [key, value] : evidence) {
    out.append(key.c_str(), key.size() + 1).append(value.c_str(), value.size() + 1);
  }
  return out;
}

Command CommandAt(const Statement& row) {
  Command command;
  command.id = row.Int64(0);
  command.kind = StringAt(row, 1);
  command.resource_key = StringAt(row, 2);
  command.actor = StringAt(row, 3);
  command.request_id = StringAt(row, 4);
  command.request = StringAt(row, 5);
  command.spec = StringAt(row, 6);
  command.work = StringAt(row, 7);
  command.create_time = TimeAt(row, 8);
  command.not_after = TimeAt(row, 9);
  command.timeout = absl::Microseconds(row.Int64(10));
  command.needs_ready = row.Int64(11) != 0;
  command.state = static_cast<CommandState>(row.Int64(12));
  command.finish_time = TimeAt(row, 13);
  command.supersedes = absl::StrSplit(StringAt(row, 14), ',', absl::SkipEmpty());
  command.not_before = TimeAt(row, 15, absl::InfinitePast());
  command.priority = static_cast<int>(row.Int64(16));
  command.max_parallel = static_cast<int>(row.Int64(17));
  command.max_failures = static_cast<int>(row.Int64(18));
  command.retry.backoff = {absl::Microseconds(row.Int64(19)), absl::Microseconds(row.Int64(20)),
                           row.Double(21), row.Double(22)};
  command.retry.max_attempts = static_cast<int>(row.Int64(23));
  if (!row.IsNull(24)) command.retry.max_elapsed = absl::Microseconds(row.Int64(24));
  command.retry.never = DecodeReasons(StringAt(row, 25));
  command.part_of = row.Int64(26);
  command.part_stage = static_cast<int>(row.Int64(27));
  command.traceparent = StringAt(row, 28);
  return command;
}

Task TaskAt(const Statement& row) {
  Task task;
  task.node = StringAt(row, 0);
  task.stage = static_cast<int>(row.Int64(1));
  task.phase = static_cast<Phase>(row.Int64(2));
  task.outcome = static_cast<Outcome>(row.Int64(3));
  task.attempt = static_cast<int>(row.Int64(4));
  task.epoch = static_cast<uint64_t>(row.Int64(5));
  task.failures = static_cast<int>(row.Int64(6));
  task.losses = static_cast<int>(row.Int64(7));
  task.refusals = static_cast<int>(row.Int64(8));
  task.interruptions = static_cast<int>(row.Int64(9));
  task.reason = static_cast<Reason>(row.Int64(10));
  task.message = StringAt(row, 11);
  task.evidence = DecodeEvidence(row.Blob(12));
  task.phase_time = TimeAt(row, 13);
  task.next_attempt_time = TimeAt(row, 14);
  task.budget_time = TimeAt(row, 15, absl::InfinitePast());
  task.loss_time = TimeAt(row, 16, absl::InfinitePast());
  task.cancel_time = TimeAt(row, 17);
  task.trouble_time = TimeAt(row, 18, absl::InfinitePast());
  task.cancel_actor = StringAt(row, 19);
  return task;
}

AuditEntry AuditEntryAt(const Statement& row) {
  AuditEntry entry;
  entry.sequence = row.Int64(0);
  entry.time = TimeAt(row, 1);
  entry.actor = StringAt(row, 2);
  entry.source = StringAt(row, 3);
  entry.act = StringAt(row, 4);
  entry.target = StringAt(row, 5);
  entry.request_id = StringAt(row, 6);
  entry.outcome = static_cast<Reason>(row.Int64(7));
  entry.message = StringAt(row, 8);
  entry.before = StringAt(row, 9);
  entry.after = StringAt(row, 10);
  entry.count = row.Int64(11);
  entry.hash = std::string(row.Blob(12));
  return entry;
}

Event EventAt(const Statement& row) {
  Event event;
  event.sequence = row.Int64(0);
  event.time = TimeAt(row, 1);
  event.type = static_cast<EventType>(row.Int64(2));
  event.command = row.Int64(3);
  event.node = StringAt(row, 4);
  event.attempt = static_cast<int>(row.Int64(5));
  event.from_phase = static_cast<int>(row.Int64(6));
  event.to_phase = static_cast<int>(row.Int64(7));
  event.outcome = static_cast<Outcome>(row.Int64(8));
  event.reason = static_cast<Reason>(row.Int64(9));
  event.actor = StringAt(row, 10);
  event.message = StringAt(row, 11);
  event.traceparent = StringAt(row, 12);
  return event;
}

Attempt AttemptAt(const Statement& row) {
  Attempt attempt;
  attempt.number = static_cast<int>(row.Int64(1));
  attempt.epoch = static_cast<uint64_t>(row.Int64(2));
  attempt.start_time = TimeAt(row, 3);
  attempt.finish_time = TimeAt(row, 4);
  attempt.reason = static_cast<Reason>(row.Int64(5));
  attempt.message = StringAt(row, 6);
  attempt.steps = StringAt(row, 7);
  return attempt;
}

}  // namespace hostq::manager
