#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/sqlite/database.h"
#include "manager/domain/audit.h"
#include "manager/domain/types.h"

// Rows of the database as the types of the domain, and back. See schema.cc.
namespace hostq::manager {

inline constexpr absl::string_view kCommandColumns =
    "id, kind, resource_key, actor, request_id, request, spec, work, create_time, not_after, "
    "timeout, needs_ready, state, finish_time, supersedes, not_before, priority, max_parallel, "
    "max_failures, retry_initial, retry_cap, retry_factor, retry_floor, retry_max_attempts, "
    "retry_max_elapsed, retry_never, part_of, part_stage, traceparent";
inline constexpr absl::string_view kTaskColumns =
    "node, stage, phase, outcome, attempt, epoch, failures, losses, refusals, interruptions, "
    "reason, message, evidence, phase_time, next_attempt_time, budget_time, loss_time, "
    "cancel_time, trouble_time, cancel_actor";

inline constexpr absl::string_view kAuditColumns =
    "sequence, time, actor, source, act, target, request_id, outcome, message, before, after, "
    "count, hash";

inline constexpr absl::string_view kEventColumns =
    "sequence, time, type, command_id, node, attempt, from_phase, to_phase, outcome, reason, "
    "actor, message, (SELECT traceparent FROM command WHERE id=command_id)";

// A row of kCommandColumns; without its tasks.
Command CommandAt(const sqlite::Statement& row);
// A row of kTaskColumns.
Task TaskAt(const sqlite::Statement& row);
// A row of kAuditColumns.
AuditEntry AuditEntryAt(const sqlite::Statement& row);
// A row of kEventColumns.
Event EventAt(const sqlite::Statement& row);
// Of a row that begins with the node.
Attempt AttemptAt(const sqlite::Statement& row);

std::string StringAt(const sqlite::Statement& row, int column);
// NULL stands for what is infinitely far away.
void BindTime(sqlite::Statement& statement, int index, absl::Time time);
absl::Time TimeAt(const sqlite::Statement& row, int column,
                  absl::Time null = absl::InfiniteFuture());

std::string EncodeReasons(const std::vector<Reason>& reasons);
std::string EncodeEvidence(const Evidence& evidence);

}  // namespace hostq::manager
