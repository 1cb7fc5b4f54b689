// The part of SessionLogic that has to do with tasks: acceptance, the journal, results.

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/link/session_logic.h"
#include "agent/runner/convert.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/base/trace_context.h"
#include "common/log/log.h"
#include "common/log/log_span.h"

namespace hostq::agent {
namespace {

// As in the protocol: what a task asks for, and what names it.
constexpr size_t kMaxWorkBytes = 1 << 20;
// A task without a timeout must not run for ever.
constexpr absl::Duration kDefaultTimeout = absl::Minutes(5);
constexpr absl::Duration kLongestTimeout = absl::Hours(24);
constexpr absl::Duration kPruneInterval = absl::Hours(6);

absl::Status Bad(absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters, message);
}

// The field of Work that is set; empty if none that this version knows.
std::string KindOf(const v1::Work& work) {
  const auto* oneof = v1::Work::descriptor()->FindOneofByName("kind");
  const auto* field = v1::Work::GetReflection()->GetOneofFieldDescriptor(work, oneof);
  return field == nullptr ? "" : field->name();
}

Assignment ReadAssign(const v1::Assign& assign, absl::Time now) {
  Assignment assignment;
  assignment.lease = FromProto(assign.lease());
  assignment.resource_key = assign.resource_key();
  assignment.kind = assign.kind();
  assignment.work = assign.work();
  assignment.roles.assign(assign.roles().begin(), assign.roles().end());
  assignment.timeout = assign.has_timeout() ? FromProto(assign.timeout()) : kDefaultTimeout;
  assignment.timeout = std::clamp(assignment.timeout, absl::Seconds(1), kLongestTimeout);
  if (assign.has_start_within()) assignment.start_before = now + FromProto(assign.start_within());
  if (assign.has_start_before()) {
    assignment.start_before = std::min(assignment.start_before,
                                       absl::FromUnixSeconds(assign.start_before().seconds() + 1));
  }
  if (assign.traceparent().size() <= 64 && IsTraceparent(assign.traceparent())) {
    assignment.traceparent = assign.traceparent();
  }
  return assignment;
}

}  // namespace

absl::StatusOr<std::vector<StepPlan>> SessionLogic::Plan(const Assignment& assignment) const {
  const Lease& lease = assignment.lease;
  if (!IsTaskName(lease.task_id) || lease.attempt < 1 || lease.epoch == 0 ||
      lease.epoch > INT64_MAX || !IsTaskName(assignment.resource_key) ||
      !IsTaskName(assignment.kind)) {
    return Bad("task, attempt, epoch, resource key or kind is missing, too long or not text");
  }
  return PlanWork(assignment);
}

absl::StatusOr<std::vector<StepPlan>> SessionLogic::PlanWork(const Assignment& assignment) const {
  if (assignment.work.size() > kMaxWorkBytes) return Bad("the work is longer than 1 MiB");
  const auto& kinds = options_.kinds;
  if (std::find(kinds.begin(), kinds.end(), assignment.kind) == kinds.end()) {
    return MakeError(absl::StatusCode::kUnimplemented, Reason::kUnsupportedKind,
                     absl::StrCat("this agent (", options_.agent_version, ") does not know '",
                                  assignment.kind, "'"));
  }
  v1::Work work;
  if (!work.ParseFromString(assignment.work)) return Bad("the work cannot be parsed");
  if (KindOf(work) != assignment.kind) return Bad("the work is not what the assignment says");
  auto steps = planner_(work, RolesFromNames(assignment.roles));
  if (!steps.ok()) {
    const Reason reason = ReasonOf(steps.status());
    return MakeError(steps.status().code(),
                     reason == Reason::kNone ? Reason::kBadParameters : reason,
                     steps.status().message());
  }
  std::vector<StepPlan> plan;
  plan.reserve(steps->size());
  for (const Step& step : *steps) {
    plan.push_back({step.name, step.timeout, step.independent, static_cast<int>(plan.size())});
  }
  return plan;
}

void SessionLogic::OnAssign(const v1::Assign& assign) {
  CrashPoint("agent.task_received");
  Assignment assignment = ReadAssign(assign, clock_.Now());
  const Lease& lease = assignment.lease;
  const bool known = in_flight_.find(lease.task_id) != in_flight_.end() ||
                     outbox_.find(lease.task_id) != outbox_.end();
  if (const auto steps = Plan(assignment); !steps.ok()) {
    return Refuse(lease, ReasonOf(steps.status()), steps.status().message());
  }
  if (!known && stopping_) {
    return Refuse(lease, Reason::kBufferFull, "the agent is being stopped");
  }
  if (!known && in_flight_.size() + assigned_.size() >= static_cast<size_t>(options_.credits)) {
    return Refuse(lease, Reason::kBufferFull,
                  absl::StrCat("has ", in_flight_.size() + assigned_.size(), " tasks already"));
  }
  if (!known && runner_.Quarantined(assignment.resource_key)) {
    return Refuse(lease, Reason::kWedged,
                  absl::StrCat("a process of an earlier step on ", assignment.resource_key,
                               " cannot be ended"));
  }
  if (!known && runner_.ExecutorMissing()) {
    return Refuse(lease, Reason::kExecutorUnavailable, "hostq-executor does not run");
  }
  assigned_.push_back(std::move(assignment));
}

// Of this process's: `begun_before` if one before it had begun the task.
void SessionLogic::FinishUnstarted(const Lease& lease, bool begun_before,
                                   absl::string_view message) {
  v1::Result result;
  result.set_reason(hostq::v1::Reason::INTERRUPTED);
  result.set_message(std::string(message));
  if (begun_before) *result.mutable_start_time() = ToProto(clock_.Now());
  *result.mutable_finish_time() = ToProto(clock_.Now());
  pending_.finished.push_back({lease, result.SerializeAsString()});
}

void SessionLogic::OnExecutorLost() {
  LogError("the executor is gone; what it ran begins again when it is back");
  counts_.ExecutorLost();
  runner_.OnExecutorLost();
  held_.steps.clear();  // meant for the one that is gone, and begun again for the next
}

void SessionLogic::OnExecutorReport(const v1::ExecutorReport& report) {
  switch (report.report_case()) {
    case v1::ExecutorReport::kStepDone:
      CrashPoint("agent.step_done");
      return runner_.OnStepDone(report.step_done());
    case v1::ExecutorReport::kWedged:
      return runner_.OnWedged(report.wedged());
    case v1::ExecutorReport::kReleased:
      return runner_.OnReleased(report.released());
    case v1::ExecutorReport::REPORT_NOT_SET:
      return;
  }
}

// --- the journal ---

Effects SessionLogic::Flush() {
  RunTimers();
  if (!stopping_) {
    for (const Upkeep::Repair& repair : upkeep_.Advance(Changing())) RunRepair(repair);
  }
  const absl::Duration now = clock_.Monotonic();
  if (!journal_failed_ || now >= journal_retry_at_ || !assigned_.empty()) {
    // Twice at most in a row: an accepted task that may begin at once is already recorded as begun.
    do {
      CollectRunner();
    } while (CommitPending());
  }
  if (now >= next_prune_) {
    next_prune_ = now + kPruneInterval;
    if (const auto pruned = journal_.Prune(clock_.Now() - kJournalRetention); !pruned.ok()) {
      LogWarning("the journal cannot be pruned", {{"status", pruned.status()}});
    }
  }
  TellDrift();
  return std::exchange(effects_, {});
}

void SessionLogic::CollectRunner() {
  TaskRunner::Output out;
  bool again = false;  // a repair that ended may have to be undone
  runner_.Advance(out);
  for (Lease& lease : out.started) pending_.started.push_back(std::move(lease));
  for (auto& [assignment, result] : out.finished) {
    if (repairs_.contains(assignment.lease.task_id)) {
      counts_.OwnTaskEnded();
      OnOwnFinished(assignment, result);
      again = true;
      continue;
    }
    counts_.AttemptEnded(assignment.kind, result);
    LogEnded(assignment, result);
    if (result.reason() == hostq::v1::Reason::CODE_UNSPECIFIED) Keep(assignment);
    result.clear_lease();  // the journal's is the one that counts
    pending_.finished.push_back({std::move(assignment.lease), result.SerializeAsString()});
  }
  std::move(out.steps.begin(), out.steps.end(), std::back_inserter(held_.steps));
  std::move(out.progress.begin(), out.progress.end(), std::back_inserter(held_.progress));
  if (again) CollectRunner();
}

void SessionLogic::LogEnded(const Assignment& assignment, const v1::Result& result) const {
  const absl::Time now = clock_.Now();
  // Not begun: it has taken no time.
  const absl::Time start = result.has_start_time()
                               ? absl::FromUnixSeconds(result.start_time().seconds()) +
                                     absl::Nanoseconds(result.start_time().nanos())
                               : now;
  const auto reason = static_cast<Reason>(result.reason());
  LogSpan(reason == Reason::kNone ? LogLevel::kInfo : LogLevel::kWarning, "task ended",
          AttemptSpan(assignment), start, std::max(now - start, absl::ZeroDuration()),
          {{"task", assignment.lease.task_id},
           {"attempt", assignment.lease.attempt},
           {"kind", assignment.kind},
           {"resource_key", assignment.resource_key},
           {"outcome", reason == Reason::kNone ? "SUCCEEDED" : NameOf(reason)},
           {"message", result.message()}});
}

// True if it changed what the runner may do.
bool SessionLogic::CommitPending() {
  JournalBatch batch = pending_;
  std::set<std::string> starting;
  for (const Assignment& assignment : assigned_) {
    const bool start =
        assignment.start_before > clock_.Now() &&
        runner_.WouldStart(assignment.resource_key, static_cast<int>(starting.size())) &&
        starting.insert(assignment.resource_key).second;
    batch.accept.push_back({assignment, start});
  }
  const absl::Duration begin = clock_.Monotonic();
  auto answers = journal_.Commit(batch, clock_.Now());
  if (!batch.empty()) counts_.JournalCommitted(clock_.Monotonic() - begin);
  if (!answers.ok()) {
    CommitFailed(answers.status());
    return false;
  }
  if (journal_failed_) LogInfo("the journal can be written again");
  journal_failed_ = false;
  assigned_.clear();
  JournalBatch done = std::exchange(pending_, {});
  ReleasePending(std::move(done.finished));
  for (size_t i = 0; i < answers->size(); ++i) {
    ApplyAnswer(batch.accept[i].assignment, batch.accept[i].start, std::move((*answers)[i]));
  }
  return !answers->empty();
}

void SessionLogic::CommitFailed(const absl::Status& status) {
  if (!journal_failed_) LogError("the journal cannot be written", {{"status", status}});
  journal_failed_ = true;
  journal_retry_at_ = clock_.Monotonic() + options_.journal_retry;
  for (const Assignment& assignment : std::exchange(assigned_, {})) {
    Refuse(assignment.lease, Reason::kJournalUnavailable, status.message());
  }
}

void SessionLogic::ReleasePending(std::vector<JournalBatch::Finished> finished) {
  TaskRunner::Output held = std::exchange(held_, {});
  for (v1::Progress& progress : held.progress) {
    v1::AgentMessage message;
    *message.mutable_progress() = std::move(progress);
    Send(std::move(message));
  }
  for (auto& [lease, result] : finished) {
    in_flight_.erase(lease.task_id);
    const std::string task_id = lease.task_id;
    Stored& stored = outbox_[task_id] = {std::move(lease), std::move(result), clock_.Monotonic()};
    CrashPoint("agent.before_result");
    SendResult(stored);
  }
  std::move(held.steps.begin(), held.steps.end(), std::back_inserter(effects_.steps));
}

void SessionLogic::ApplyAnswer(const Assignment& assignment, bool started, AcceptAnswer answer) {
  const std::string& task_id = assignment.lease.task_id;
  switch (answer.outcome) {
    case AcceptOutcome::kStaleEpoch:
      return Refuse(
          assignment.lease, Reason::kStaleEpoch,
          absl::StrCat("epoch ", assignment.lease.epoch, " is not above ", answer.lease.epoch,
                       ", which ", assignment.resource_key, " has seen here"));
    case AcceptOutcome::kFinished: {
      Stored& stored = outbox_[task_id] = {std::move(answer.lease), std::move(answer.result),
                                           clock_.Monotonic()};
      return SendResult(stored);
    }
    case AcceptOutcome::kAccepted:
    case AcceptOutcome::kInFlight:
      break;
  }
  max_epoch_ = std::max(max_epoch_, assignment.lease.epoch);
  Accept(assignment);
  auto steps = Plan(assignment);
  HOSTQ_CHECK(steps.ok());  // it was, and planning is deterministic
  if (answer.outcome == AcceptOutcome::kInFlight) {
    runner_.Renew(assignment, *std::move(steps));
  } else {
    outbox_.erase(task_id);  // of an attempt before this one
    runner_.Add(assignment, *std::move(steps), started);
  }
  CrashPoint("agent.before_accepted");
  v1::AgentMessage message;
  *message.mutable_accepted()->mutable_lease() = ToProto(assignment.lease);
  Send(std::move(message));
}

// --- what the node keeps ---

// What this task takes away is not put back from now on.
void SessionLogic::Accept(const Assignment& assignment) {
  InFlight& accepted = in_flight_[assignment.lease.task_id];
  accepted.lease = assignment.lease;
  if (accepted.order != 0) return;
  accepted.order = ++accepted_;
  accepted.resource_key = assignment.resource_key;
  v1::Work work;
  if (!work.ParseFromString(assignment.work)) return;
  accepted.takes_away = NotKeptSince(work, RolesFromNames(assignment.roles));
  accepted.changes = ChangedBesides(work, RolesFromNames(assignment.roles));
  for (const std::string& key : accepted.takes_away) {
    upkeep_.Drop(key);
    pending_.kept.erase(key);
    pending_.not_kept.push_back(key);
  }
}

// Unless a task that was accepted later, and runs beside it or next, takes it away.
void SessionLogic::Keep(const Assignment& assignment) {
  const uint64_t order = in_flight_.at(assignment.lease.task_id).order;
  v1::Work work;
  if (!work.ParseFromString(assignment.work)) return;
  std::set<std::string> leaving;
  for (const auto& [task_id, other] : in_flight_) {
    if (other.order > order) leaving.insert(other.takes_away.begin(), other.takes_away.end());
  }
  for (auto& [key, item] : KeptAfter(work, RolesFromNames(assignment.roles), upkeep_.kept())) {
    // The journal takes no other names; the manager gives none.
    if (leaving.contains(key) || !IsTaskName(key)) continue;
    if (upkeep_.Keep(key, item)) pending_.kept[key] = std::move(item);
  }
}

// Until its result is there, the node may have what a task brings or what it had. An account is
// left to its commands from when they are accepted: a repair says how it was before.
std::set<std::string> SessionLogic::Changing() const {
  std::set<std::string> keys;
  for (const auto& [task_id, accepted] : in_flight_) {
    if (absl::StartsWith(accepted.resource_key, "account/")) keys.insert(accepted.resource_key);
    if (!accepted.changes.empty() && runner_.Begun(task_id)) {
      keys.insert(accepted.changes.begin(), accepted.changes.end());
    }
  }
  return keys;
}

void SessionLogic::TellDrift() {
  std::vector<Deviation> wedged;
  for (const v1::Wedged& one : runner_.WedgedUntold()) {
    wedged.push_back({one.resource_key(), Reason::kWedged,
                      absl::StrCat("process ", one.pid(), " cannot be ended (", one.state(),
                                   ", waits in ", one.wchan(), "): nothing is done to ",
                                   one.resource_key(), " until it ends")});
  }
  upkeep_.SetWedged(std::move(wedged));
  if (phase_ != Phase::kReady) return;
  if (std::optional<v1::Drift> drift = upkeep_.TakeNews()) {
    v1::AgentMessage message;
    *message.mutable_drift() = *std::move(drift);
    Send(std::move(message));
  }
}

namespace {

constexpr absl::Duration kLookTimeout = absl::Seconds(30);

bool Looks(const Upkeep::Repair& repair) {
  return repair.purpose == Upkeep::Purpose::kQuotaLook ||
         repair.purpose == Upkeep::Purpose::kPreflight;
}

// Nothing if the preflight did not get to the end.
std::optional<std::vector<Deviation>> FailedChecks(const v1::Result& result) {
  std::vector<Deviation> failed;
  for (const v1::StepResult& step : result.steps()) {
    if (step.warning() || step.skipped()) continue;
    if (step.reason() == hostq::v1::Reason::CODE_UNSPECIFIED) continue;
    failed.push_back(
        {absl::StrCat("check/", step.name()), static_cast<Reason>(step.reason()), step.message()});
  }
  const bool ended = result.reason() == hostq::v1::Reason::CODE_UNSPECIFIED || !failed.empty();
  if (!ended) return std::nullopt;
  return failed;
}

}  // namespace

void SessionLogic::RunRepair(const Upkeep::Repair& repair) {
  Assignment assignment;
  assignment.lease.task_id =
      absl::StrCat(Looks(repair) ? "look at " : "put back ", repair.item.kind, " ", repair.key);
  assignment.resource_key = repair.key;
  assignment.kind = repair.item.kind;
  assignment.work = repair.item.work;
  assignment.roles = repair.item.roles;
  assignment.timeout = kDefaultTimeout;
  repairs_[assignment.lease.task_id] = repair;
  if (auto steps = PlanWork(assignment); steps.ok()) {
    const std::set<std::string> wanted = repair.purpose == Upkeep::Purpose::kQuotaLook
                                             ? std::set<std::string>{"quota"}
                                             : StepsFor(repair.item);
    std::erase_if(*steps, [&](const StepPlan& step) {
      return !wanted.empty() && !wanted.contains(step.name);
    });
    // Reading is quick; what hangs is to be told soon.
    if (Looks(repair)) {
      for (StepPlan& step : *steps) step.timeout = std::min(step.timeout, kLookTimeout);
    }
    runner_.AddOwn(assignment, *std::move(steps));
  } else {
    v1::Result result;
    result.set_reason(static_cast<hostq::v1::Reason::Code>(ReasonOf(steps.status())));
    result.set_message(std::string(steps.status().message()));
    OnOwnFinished(assignment, result);
  }
}

void SessionLogic::OnOwnFinished(const Assignment& assignment, const v1::Result& result) {
  const auto found = repairs_.find(assignment.lease.task_id);
  const Upkeep::Repair repair = std::move(found->second);
  repairs_.erase(found);
  if (repair.purpose == Upkeep::Purpose::kPreflight) return upkeep_.OnChecked(FailedChecks(result));
  Reason reason = static_cast<Reason>(result.reason());
  std::string message = result.message();
  if (repair.purpose == Upkeep::Purpose::kQuotaLook && reason == Reason::kNone &&
      result.steps_size() > 0) {
    reason = static_cast<Reason>(result.steps(0).reason());  // a warning
    message = result.steps(0).message();
  }
  const auto undo = upkeep_.OnRepaired(repair, reason, message);
  if (undo) RunRepair(*undo);
}

}  // namespace hostq::agent
