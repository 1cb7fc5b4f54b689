#include "agent/link/session_logic.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/runner/convert.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/log/log.h"

namespace hostq::agent {
namespace {

constexpr int kProtocolVersion = 1;
// Silence for so many intervals means that the connection is dead, whatever TCP thinks.
constexpr int kSilentIntervals = 3;
// Managers of any load keep between these; outside is a mistake that must not stop the agent.
constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);
constexpr absl::Duration kLongestInterval = absl::Minutes(5);

}  // namespace

SessionLogic::SessionLogic(SessionOptions options, StepPlanner planner, Journal& journal,
                           Clock& clock, Random& random)
    : options_(std::move(options)),
      planner_(std::move(planner)),
      journal_(journal),
      clock_(clock),
      random_(random),
      runner_(options_.credits, clock),
      counts_(clock.Now()),
      upkeep_(options_.upkeep, clock),
      next_connect_(clock.Monotonic()),
      heartbeat_interval_(options_.heartbeat_interval),
      trusts_(options_.trusts),
      next_prune_(clock.Monotonic()) {
  runner_.Hold(true);
}

absl::Status SessionLogic::Start() {
  auto state = journal_.Load();
  if (!state.ok()) return state.status();
  max_epoch_ = state->max_epoch;
  upkeep_.Load(std::move(state->kept));
  for (auto& [lease, result] : state->unacknowledged) {
    outbox_[lease.task_id] = {lease, std::move(result), clock_.Monotonic()};
  }
  for (const auto& [assignment, started] : state->in_flight) {
    Accept(assignment);
    auto steps = Plan(assignment);
    if (!steps.ok()) {  // the policy was changed meanwhile, or the agent is an older one
      v1::Result result;
      result.set_reason(static_cast<hostq::v1::Reason::Code>(ReasonOf(steps.status())));
      result.set_message(std::string(steps.status().message()));
      pending_.finished.push_back({assignment.lease, result.SerializeAsString()});
      continue;
    }
    runner_.Add(assignment, *std::move(steps), started);
  }
  return absl::OkStatus();
}

void SessionLogic::Stop() {
  stopping_ = true;
  runner_.Stop();
}

// --- connection ---

void SessionLogic::Connect() {
  phase_ = Phase::kAwaitingWelcome;
  ++connection_;
  welcome_deadline_ = clock_.Monotonic() + options_.welcome_timeout;
  effects_.connect = connection_;
  effects_.messages.clear();
  effects_.messages.push_back(MakeHello());
  told_trusts_ = trusts_;
}

void SessionLogic::Disconnect(absl::Duration delay) {
  phase_ = Phase::kDisconnected;
  next_connect_ = clock_.Monotonic() + delay;
  // What the old connection was still to be told is told again after the next hello.
  effects_.messages.clear();
}

void SessionLogic::OnClosed(uint64_t connection, const absl::Status& status) {
  if (connection != connection_ || phase_ == Phase::kDisconnected) return;
  ++failures_;
  const bool refused = absl::IsPermissionDenied(status) || absl::IsFailedPrecondition(status) ||
                       absl::IsUnauthenticated(status);
  absl::Duration delay = BackoffDelay(options_.reconnect, failures_, random_);
  if (refused) delay += options_.refused_delay;
  const Reason reason = ReasonOf(status);
  if (reason == Reason::kNodeBanned || reason == Reason::kCertificateSuperseded) {
    delay += options_.banned_delay;
  }
  effects_.certificate_refused = absl::IsUnauthenticated(status);
  if (absl::IsAborted(status)) delay += options_.replaced_delay;
  if (phase_ == Phase::kReady || failures_ == 1 || failures_ % 20 == 0) {
    LogWarning("not connected to the manager", {{"status", status},
                                                {"remedy", refused ? InfoOf(reason).remedy : ""},
                                                {"failures", failures_},
                                                {"again_in", delay}});
  }
  Disconnect(delay);
}

void SessionLogic::OnIdentity(std::vector<std::string> trusts, bool renewed) {
  trusts_ = std::move(trusts);
  if (renewed) {
    effects_.close = true;
    Disconnect(absl::ZeroDuration());
    return;
  }
  TellTrusts();
}

void SessionLogic::TellTrusts() {
  if (phase_ != Phase::kReady || trusts_ == told_trusts_) return;
  v1::AgentMessage message;
  for (const std::string& pin : trusts_) message.mutable_trusts()->add_pins(pin);
  Send(std::move(message));
  told_trusts_ = trusts_;
}

void SessionLogic::RunTimers() {
  const absl::Duration now = clock_.Monotonic();
  if (stopping_ && phase_ != Phase::kReady) return;
  if (phase_ == Phase::kDisconnected) {
    if (now >= next_connect_) Connect();
    return;
  }
  const bool no_welcome = phase_ == Phase::kAwaitingWelcome && now >= welcome_deadline_;
  const bool silent =
      phase_ == Phase::kReady && now >= last_heard_ + kSilentIntervals * heartbeat_interval_;
  if (no_welcome || silent) {
    LogWarning(no_welcome ? "the manager does not answer" : "the manager is silent: reconnecting");
    ++failures_;
    effects_.close = true;
    Disconnect(BackoffDelay(options_.reconnect, failures_, random_));
    return;
  }
  if (phase_ == Phase::kReady && now >= next_heartbeat_) {
    Send(MakeHeartbeat());
    next_heartbeat_ = now + heartbeat_interval_;
  }
}

v1::AgentMessage SessionLogic::MakeHeartbeat() const {
  v1::AgentMessage message;
  v1::Heartbeat& heartbeat = *message.mutable_heartbeat();
  *heartbeat.mutable_clock() = ToProto(clock_.Now());
  heartbeat.set_outbox(static_cast<int32_t>(outbox_.size()));
  v1::AgentMetrics& metrics = *heartbeat.mutable_metrics();
  metrics = counts_.ToProto();
  absl::Duration oldest;
  for (const auto& [task_id, stored] : outbox_) {
    oldest = std::max(oldest, clock_.Monotonic() - stored.since);
  }
  metrics.set_outbox_age_ms(absl::ToInt64Milliseconds(oldest));
  metrics.set_wedged(static_cast<int32_t>(runner_.quarantined()));
  metrics.set_executor_connected(runner_.executor_ready());
  return message;
}

absl::Duration SessionLogic::NextWake() const {
  absl::Duration next = std::min(runner_.NextWake(), next_prune_);
  if (!stopping_) next = std::min(next, upkeep_.NextWake());
  if (journal_failed_) next = std::min(next, journal_retry_at_);
  switch (phase_) {
    case Phase::kDisconnected:
      if (!stopping_) next = std::min(next, next_connect_);
      break;
    case Phase::kAwaitingWelcome:
      next = std::min(next, welcome_deadline_);
      break;
    case Phase::kReady:
      next =
          std::min({next, next_heartbeat_, last_heard_ + kSilentIntervals * heartbeat_interval_});
      break;
  }
  return next;
}

v1::AgentMessage SessionLogic::MakeHello() const {
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_protocol_version(kProtocolVersion);
  hello.set_agent_version(options_.agent_version);
  for (const std::string& kind : options_.kinds) hello.add_kinds(kind);
  hello.set_credits(options_.credits);
  *hello.mutable_clock() = ToProto(clock_.Now());
  hello.set_boot_id(options_.boot_id);
  hello.set_process_id(options_.process_id);
  hello.set_max_epoch(max_epoch_);
  hello.set_batches(true);
  for (const std::string& pin : trusts_) hello.add_trusts(pin);
  for (const auto& [task_id, accepted] : in_flight_) {
    v1::InFlight& entry = *hello.add_in_flight();
    *entry.mutable_lease() = ToProto(accepted.lease);
    entry.set_started(runner_.Started(task_id));
  }
  for (const auto& [task_id, stored] : outbox_) *hello.add_outbox() = ToProto(stored.lease);
  return message;
}

void SessionLogic::Send(v1::AgentMessage message) {
  if (phase_ == Phase::kReady) effects_.messages.push_back(std::move(message));
}

// --- messages ---

void SessionLogic::OnMessage(uint64_t connection, const v1::ManagerMessage& message) {
  if (connection != connection_ || phase_ == Phase::kDisconnected) return;
  last_heard_ = clock_.Monotonic();
  if (message.has_welcome() != (phase_ == Phase::kAwaitingWelcome)) {
    LogError("the manager's message is out of order: reconnecting",
             {{"message", static_cast<int>(message.message_case())}});
    ++failures_;
    effects_.close = true;
    Disconnect(BackoffDelay(options_.reconnect, failures_, random_));
    return;
  }
  switch (message.message_case()) {
    case v1::ManagerMessage::kWelcome:
      return OnWelcome(message.welcome());
    case v1::ManagerMessage::kAssign:
      return OnAssign(message.assign());
    case v1::ManagerMessage::kResultAck:
      return OnResultAck(message.result_ack());
    case v1::ManagerMessage::kCancel:
      return OnCancel(message.cancel());
    case v1::ManagerMessage::kTrust:
      effects_.trust = message.trust();
      return;
    case v1::ManagerMessage::kHeartbeat:
      return;
    case v1::ManagerMessage::kBatch:  // the transport takes them apart: one within another
    case v1::ManagerMessage::MESSAGE_NOT_SET:
      LogWarning("a message of a kind that this agent does not know was ignored");
      return;
  }
}

void SessionLogic::OnWelcome(const v1::Welcome& welcome) {
  phase_ = Phase::kReady;
  failures_ = 0;
  if (welcome.has_heartbeat_interval()) {
    heartbeat_interval_ =
        std::clamp(FromProto(welcome.heartbeat_interval()), kShortestInterval, kLongestInterval);
  }
  next_heartbeat_ = clock_.Monotonic() + heartbeat_interval_;
  if (welcome.has_trust()) effects_.trust = welcome.trust();
  LogInfo("connected to the manager", {{"cluster", welcome.cluster()},
                                       {"term", welcome.term()},
                                       {"in_flight", in_flight_.size()},
                                       {"outbox", outbox_.size()},
                                       {"forget", welcome.forget_size()}});
  for (const v1::Lease& proto : welcome.forget()) {
    const Lease lease = FromProto(proto);
    const auto known = in_flight_.find(lease.task_id);
    if (known == in_flight_.end() || known->second.lease != lease) continue;
    const bool started = runner_.Started(lease.task_id);
    if (!runner_.Remove(lease.task_id)) continue;  // it runs: its result will tell
    if (started) {
      // A process before this one began it. What it did is not known, and it is not wanted.
      FinishUnstarted(lease, true,
                      "the agent was stopped while it ran; the manager no longer wants it");
    } else {
      pending_.dropped.push_back(lease);
      in_flight_.erase(known);
    }
  }
  runner_.Hold(false);
  TellTrusts();
  upkeep_.TellAgain();
  for (v1::Progress& progress : runner_.Snapshot()) {
    v1::AgentMessage message;
    *message.mutable_progress() = std::move(progress);
    Send(std::move(message));
  }
  for (const auto& [task_id, stored] : outbox_) SendResult(stored);
}

void SessionLogic::OnResultAck(const v1::ResultAck& ack) {
  for (const v1::Lease& proto : ack.leases()) {
    const Lease lease = FromProto(proto);
    const auto it = outbox_.find(lease.task_id);
    if (it == outbox_.end() || it->second.lease != lease) continue;
    CrashPoint("agent.result_acknowledged");
    outbox_.erase(it);
    pending_.acknowledged.push_back(lease);
  }
}

void SessionLogic::OnCancel(const v1::Cancel& cancel) {
  const Lease lease = FromProto(cancel.lease());
  const auto queued = std::find_if(assigned_.begin(), assigned_.end(),
                                   [&](const Assignment& a) { return a.lease == lease; });
  if (queued != assigned_.end()) {  // assigned and cancelled in one breath
    assigned_.erase(queued);
    return Refuse(lease, Reason::kInterrupted, "before it was accepted");
  }
  const auto known = in_flight_.find(lease.task_id);
  if (known == in_flight_.end() || known->second.lease != lease) return;
  const bool ran_before = runner_.Started(lease.task_id);
  if (!runner_.Remove(lease.task_id)) return runner_.Cancel(lease.task_id);
  FinishUnstarted(lease, ran_before,
                  ran_before ? "an agent before this one had begun it; what it did stays"
                             : "before it started");
}

void SessionLogic::SendResult(const Stored& stored) {
  v1::AgentMessage message;
  v1::Result& result = *message.mutable_result();
  if (!result.ParseFromString(stored.result)) {
    result.Clear();  // what was read of it may be what no manager can read
    result.set_reason(hostq::v1::Reason::INTERNAL);
    result.set_message("the journal holds a result that cannot be read");
  }
  *result.mutable_lease() = ToProto(stored.lease);
  Send(std::move(message));
}

void SessionLogic::Refuse(const Lease& lease, Reason reason, absl::string_view message) {
  LogWarning("task refused", {{"task", lease.task_id},
                              {"attempt", lease.attempt},
                              {"reason", NameOf(reason)},
                              {"message", message}});
  v1::AgentMessage refusal;
  *refusal.mutable_refused()->mutable_lease() = ToProto(lease);
  refusal.mutable_refused()->set_reason(static_cast<hostq::v1::Reason::Code>(reason));
  refusal.mutable_refused()->set_message(std::string(message));
  Send(std::move(refusal));
}

}  // namespace hostq::agent
