#include "manager/api/convert.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/id.h"
#include "manager/api/submission.h"
#include "manager/cluster/cluster.h"

namespace hostq::manager {
namespace {

void SetTime(absl::Time time, google::protobuf::Timestamp* (v1::Command::*field)(),
             v1::Command& out) {
  if (time != absl::InfiniteFuture() && time != absl::InfinitePast())
    *(out.*field)() = ToProto(time);
}

v1::Task TaskToProto(const Task& task, CommandId command) {
  v1::Task out;
  out.set_id(TaskIdOf(command, task.node));
  out.set_command_id(FormatId(command));
  out.set_node(task.node);
  out.set_stage(task.stage);
  out.set_phase(static_cast<v1::Task::Phase>(task.phase));
  out.set_outcome(static_cast<v1::Task::Outcome>(task.outcome));
  out.set_attempt(task.attempt);
  out.set_epoch(task.epoch);
  out.set_reason(static_cast<v1::Reason::Code>(task.reason));
  out.set_message(task.message);
  *out.mutable_phase_time() = ToProto(task.phase_time);
  if (task.phase == Phase::kBackingOff) {
    *out.mutable_next_attempt_time() = ToProto(task.next_attempt_time);
  }
  if (task.phase == Phase::kRunning) out.set_current_step(task.step);
  out.set_cancel_requested(task.live() && task.cancel_requested());
  return out;
}

bool InFlight(const v1::Task& task) {
  return task.phase() == v1::Task::LEASED || task.phase() == v1::Task::ACCEPTED ||
         task.phase() == v1::Task::RUNNING || task.phase() == v1::Task::UNKNOWN;
}

}  // namespace

google::protobuf::Timestamp ToProto(absl::Time time) {
  // What a Timestamp can hold; infinities become its ends.
  const absl::Time first = absl::FromUnixSeconds(-62'135'596'800);
  const absl::Time last = absl::FromUnixSeconds(253'402'300'799);
  time = std::clamp(time, first, last);
  google::protobuf::Timestamp out;
  const int64_t seconds = absl::ToUnixSeconds(time);
  out.set_seconds(seconds);
  out.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return out;
}

absl::Time TimeFromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

v1::Command ToProto(const Command& command) {
  v1::Command out;
  out.set_id(FormatId(command.id));
  out.mutable_spec()->ParseFromString(command.spec);
  out.set_kind(command.kind);
  out.set_resource_key(command.resource_key);
  out.set_state(static_cast<v1::Command::State>(command.state));
  for (const Task& task : command.tasks) *out.add_tasks() = TaskToProto(task, command.id);
  out.set_actor(command.actor);
  // Each key has request ids of its own: its id and a blank come first.
  out.set_request_id(command.request_id.substr(command.request_id.find(' ') + 1));
  SetTime(command.create_time, &v1::Command::mutable_create_time, out);
  SetTime(command.finish_time, &v1::Command::mutable_finish_time, out);
  SetTime(command.not_before, &v1::Command::mutable_not_before, out);
  SetTime(command.not_after, &v1::Command::mutable_not_after, out);
  out.set_priority(command.priority);
  out.set_max_parallel(command.max_parallel);
  if (command.max_failures >= 0) out.set_max_failures(command.max_failures);
  *out.mutable_retry() = ToProto(command.retry);
  if (command.part_of != 0) out.set_part_of(FormatId(command.part_of));
  out.set_part_stage(command.part_stage);
  if (command.parts.empty()) return out;
  v1::Command::Parts& parts = *out.mutable_parts();
  const auto count = [&](CommandState state) {
    const auto found = command.parts.find(state);
    return found == command.parts.end() ? 0 : found->second;
  };
  parts.set_active(count(CommandState::kActive));
  parts.set_succeeded(count(CommandState::kSucceeded));
  parts.set_failed(count(CommandState::kFailed));
  parts.set_cancelled(count(CommandState::kCancelled));
  parts.set_superseded(count(CommandState::kSuperseded));
  return out;
}

v1::Finding ToProto(const Finding& finding) {
  v1::Finding out;
  if (finding.command != 0) {
    out.set_task_id(TaskIdOf(finding.command, finding.node));
    out.set_command_id(FormatId(finding.command));
  }
  out.set_node(finding.node);
  out.set_kind(finding.kind);
  out.set_resource_key(finding.resource_key);
  out.set_reason(static_cast<v1::Reason::Code>(finding.reason));
  out.set_cause(static_cast<v1::Reason::Code>(finding.cause));
  *out.mutable_since_time() = ToProto(finding.since);
  out.set_owner(static_cast<v1::Finding::Owner>(finding.owner));
  out.set_summary(finding.summary);
  for (const auto& [name, value] : finding.evidence) (*out.mutable_evidence())[name] = value;
  out.set_remedy(finding.remedy);
  out.set_root_task_id(finding.root_task);
  out.set_stuck(finding.stuck);
  out.set_owner_node(finding.owner_node);
  return out;
}

void AddFindings(const std::vector<Finding>& findings, const v1::ListFindingsRequest& request,
                 size_t max_bytes, v1::ListFindingsResponse& response) {
  size_t bytes = 0;
  for (const Finding& finding : findings) {
    const auto reason = static_cast<v1::Reason::Code>(finding.reason);
    if (!request.node().empty() && request.node() != finding.node) continue;
    if (request.reason() != 0 && request.reason() != reason) continue;
    if (bytes > max_bytes) {
      response.set_left_out(response.left_out() + 1);
      continue;
    }
    *response.add_findings() = ToProto(finding);
    bytes += response.findings().rbegin()->ByteSizeLong();
  }
}

v1::Event ToProto(const Event& event) {
  v1::Event out;
  out.set_sequence(event.sequence);
  *out.mutable_time() = ToProto(event.time);
  out.set_type(static_cast<v1::Event::Type>(event.type));
  if (event.command != 0) out.set_command_id(FormatId(event.command));
  out.set_node(event.node);
  out.set_attempt(event.attempt);
  out.set_from_phase(static_cast<v1::Task::Phase>(event.from_phase));
  out.set_to_phase(static_cast<v1::Task::Phase>(event.to_phase));
  out.set_outcome(static_cast<v1::Task::Outcome>(event.outcome));
  out.set_reason(static_cast<v1::Reason::Code>(event.reason));
  out.set_actor(event.actor);
  out.set_message(event.message);
  out.set_traceparent(event.traceparent);
  return out;
}

void AddAttempts(const std::vector<Store::TaskAttempt>& attempts, size_t max_bytes,
                 v1::Command& command) {
  size_t bytes = command.ByteSizeLong();
  // The newest first: they are the ones that matter when there is no room for all.
  for (auto stored = attempts.rbegin(); stored != attempts.rend(); ++stored) {
    const auto task =
        std::find_if(command.mutable_tasks()->begin(), command.mutable_tasks()->end(),
                     [&](const v1::Task& candidate) { return candidate.node() == stored->node; });
    if (task == command.mutable_tasks()->end()) continue;
    const Attempt& attempt = stored->attempt;
    v1::Attempt& added = *task->add_attempts();
    bytes += attempt.steps.size() + attempt.message.size() + 64;
    if (bytes <= max_bytes) added.ParseFromString(attempt.steps);
    added.set_number(attempt.number);
    added.set_epoch(attempt.epoch);
    *added.mutable_start_time() = ToProto(attempt.start_time);
    *added.mutable_finish_time() = ToProto(attempt.finish_time);
    added.set_reason(static_cast<v1::Reason::Code>(attempt.reason));
    added.set_message(attempt.message);
  }
  for (v1::Task& task : *command.mutable_tasks()) {
    std::reverse(task.mutable_attempts()->begin(), task.mutable_attempts()->end());
    const int known = task.attempts_size();
    if (!InFlight(task) || (known > 0 && task.attempts(known - 1).number() >= task.attempt())) {
      continue;
    }
    v1::Attempt& current = *task.add_attempts();
    current.set_number(task.attempt());
    current.set_epoch(task.epoch());
    if (task.phase() == v1::Task::RUNNING) *current.mutable_start_time() = task.phase_time();
  }
}

v1::Node::State StateOf(const storage::v1::Node& node, const NodeState* state) {
  if (node.draining()) return v1::Node::DRAINING;
  if (node.has_ban()) return v1::Node::BANNED;
  if (!node.node().has_join_time()) return v1::Node::PENDING;
  if (node.has_pause_time()) return v1::Node::PAUSED;
  if (state == nullptr || !state->connected()) return v1::Node::OFFLINE;
  return node.admitted() ? v1::Node::READY : v1::Node::PREFLIGHT;
}

v1::Node ToProto(const storage::v1::Node& node, const NodeState* state, int unfinished) {
  v1::Node out = node.node();
  out.set_state(StateOf(node, state));
  *out.mutable_state_time() = out.create_time();
  out.set_tasks_queued(unfinished);
  if (const storage::v1::Certificate* certificate = CertificateOf(node)) {
    *out.mutable_certificate_expire_time() = certificate->expire_time();
    out.set_certificate_serial(certificate->serial());
    out.set_certificate_authority(certificate->authority());
  }
  if (node.has_next()) out.set_next_certificate_serial(node.next().serial());
  if (node.has_ban()) {
    out.set_banned_by(node.ban().actor());
    out.set_ban_note(node.ban().note());
    *out.mutable_ban_time() = node.ban().time();
  }
  if (node.has_approval_wanted_time()) {
    *out.mutable_approval_wanted_time() = node.approval_wanted_time();
  }
  if (node.has_approved_until()) {
    *out.mutable_approved_until_time() = node.approved_until();
    out.set_approved_by(node.approved_by());
  }
  if (state == nullptr) return out;
  if (node.node().has_join_time()) *out.mutable_state_time() = ToProto(state->since);
  if (out.state() == v1::Node::BANNED) *out.mutable_state_time() = node.ban().time();
  if (out.state() == v1::Node::PAUSED) *out.mutable_state_time() = node.pause_time();
  out.set_agent_version(state->agent_version);
  out.set_tasks_queued(std::max(unfinished - state->in_flight, 0));
  out.set_tasks_in_flight(state->in_flight);
  out.set_credits(state->connected() ? state->credits : 0);
  out.set_clock_skew_ms(absl::ToInt64Milliseconds(state->clock_skew.estimate()));
  if (state->connected() && state->certificate_expire_time != absl::InfiniteFuture()) {
    *out.mutable_certificate_expire_time() = ToProto(state->certificate_expire_time);
  }
  return out;
}

}  // namespace hostq::manager
