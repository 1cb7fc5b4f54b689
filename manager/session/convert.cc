#include "manager/session/convert.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/base/text.h"
#include "common/base/trace_context.h"
#include "google/protobuf/util/time_util.h"
#include "hostq/v1/command.pb.h"

namespace hostq::manager {
namespace {

// What a Duration on the wire can hold is longer, and has no infinity.
constexpr absl::Duration kMaxTimeout = absl::Hours(24 * 365);
const absl::Time kLastTime =
    absl::FromUnixSeconds(google::protobuf::util::TimeUtil::kTimestampMaxSeconds);
constexpr int64_t kMaxAgeSeconds = int64_t{365} * 24 * 3600;

absl::Status Malformed(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument, what);
}

google::protobuf::Duration Limited(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::MicrosecondsToDuration(
      absl::ToInt64Microseconds(std::clamp(duration, absl::ZeroDuration(), kMaxTimeout)));
}

bool Known(Reason reason) { return InfoOf(reason).reason == reason; }

void AddStep(const agent::v1::StepResult& step, v1::Attempt& out) {
  v1::Step& added = *out.add_steps();
  added.set_name(CutText(step.name(), kMaxNameText));
  added.set_changed(step.changed());
  added.set_reason(static_cast<v1::Reason::Code>(ResultReason(step.reason())));
  added.set_message(CutText(step.message(), kMaxMessageText));
  for (auto& [name, value] : FromProto(step.evidence())) {
    (*added.mutable_evidence())[name] = value;
  }
  added.set_duration_us(std::max<int64_t>(step.duration_us(), 0));
  added.set_warning(step.warning());
  added.set_skipped(step.skipped());
}

std::string StepsOf(const agent::v1::Result& result) {
  v1::Attempt attempt;
  size_t bytes = 0;
  for (const agent::v1::StepResult& step : result.steps()) {
    const auto count = static_cast<size_t>(attempt.steps_size());
    if (count < kMaxSteps) AddStep(step, attempt);
    if (count < kMaxSteps) bytes += attempt.steps(attempt.steps_size() - 1).ByteSizeLong() + 8;
    if (count < kMaxSteps && bytes <= kMaxStepsBytes) continue;
    v1::Step& last = *attempt.mutable_steps(attempt.steps_size() - 1);
    last.Clear();
    last.set_name("...");
    last.set_message(absl::StrCat("left out: ", result.steps_size() - attempt.steps_size() + 1,
                                  " more steps than a result may have"));
    break;
  }
  return attempt.SerializeAsString();
}

}  // namespace

std::optional<absl::Time> FromProto(const google::protobuf::Timestamp& time) {
  using google::protobuf::util::TimeUtil;
  if (time.seconds() < TimeUtil::kTimestampMinSeconds ||
      time.seconds() > TimeUtil::kTimestampMaxSeconds || time.nanos() < 0 ||
      time.nanos() >= 1'000'000'000) {
    return std::nullopt;
  }
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string CutText(absl::string_view text, size_t limit) {
  if (text.size() <= limit) return std::string(text);
  size_t end = limit - 3;
  // Half a character would make the message it is put in unreadable.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "...");
}

Reason ResultReason(int number) {
  const auto reason = static_cast<Reason>(number);
  if (reason == Reason::kNone) return reason;
  if (!Known(reason)) return Reason::kInternal;
  const ReasonClass reason_class = InfoOf(reason).reason_class;
  if (reason_class == ReasonClass::kRefusal) return Reason::kInternal;
  const bool met_on_node = reason == Reason::kWedged || reason == Reason::kUnsupportedKind;
  return reason_class == ReasonClass::kWait && !met_on_node ? Reason::kInternal : reason;
}

Reason RefusalReason(int number) {
  switch (const auto reason = static_cast<Reason>(number); reason) {
    case Reason::kUnsupportedKind:
    case Reason::kNotAllowedByPolicy:
    case Reason::kStaleEpoch:
    case Reason::kBadParameters:
    case Reason::kBufferFull:
    case Reason::kJournalUnavailable:
    case Reason::kExecutorUnavailable:
    case Reason::kWedged:
    case Reason::kInterrupted:
      return reason;
    default:
      return Reason::kInternal;
  }
}

absl::StatusOr<Lease> FromProto(const agent::v1::Lease& lease, absl::string_view node) {
  const absl::string_view id(lease.task_id());
  const size_t slash = id.find('/');
  const auto command =
      slash == absl::string_view::npos ? std::nullopt : ParseId(id.substr(0, slash));
  if (!command || lease.attempt() < 1 || lease.epoch() == 0 || lease.epoch() > INT64_MAX) {
    return Malformed(absl::StrCat("not a lease: task \"", Printable(id, 100), "\", attempt ",
                                  lease.attempt(), ", epoch ", lease.epoch()));
  }
  if (id.substr(slash + 1) != node) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kNotAuthorized,
                     absl::StrCat("task \"", Printable(id, 100), "\" is not one of node ", node));
  }
  return Lease{*command, std::string(node), lease.attempt(), lease.epoch()};
}

absl::StatusOr<HelloFacts> FromProto(const agent::v1::Hello& hello, absl::string_view node,
                                     absl::Time now) {
  if (hello.protocol_version() != 1) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kInvalidArgument,
                     absl::StrCat("protocol version ", hello.protocol_version(),
                                  " is not supported: this manager speaks 1"));
  }
  if (hello.credits() < 0 || hello.credits() > kMaxHelloTasks ||
      hello.in_flight_size() > kMaxHelloTasks || hello.kinds_size() > kMaxHelloKinds) {
    return Malformed(absl::StrCat("hello with ", hello.credits(), " credits, ",
                                  hello.in_flight_size(), " tasks and ", hello.kinds_size(),
                                  " kinds: more than allowed"));
  }
  HelloFacts facts;
  facts.node = std::string(node);
  facts.agent_version = Printable(hello.agent_version(), 64);
  facts.process = Printable(hello.process_id(), 64);
  for (const std::string& kind : hello.kinds()) facts.kinds.push_back(Printable(kind, 64));
  facts.credits = hello.credits();
  if (hello.has_clock()) {
    const auto clock = FromProto(hello.clock());
    if (!clock) return Malformed("hello with a clock that is no time");
    facts.clock_skew = *clock - now;
  }
  if (hello.max_epoch() > INT64_MAX) {
    return Malformed(absl::StrCat("hello with ", hello.max_epoch(), ", which is no epoch"));
  }
  facts.max_epoch = hello.max_epoch();
  facts.in_flight.reserve(hello.in_flight_size());
  for (const agent::v1::InFlight& task : hello.in_flight()) {
    HOSTQ_ASSIGN_OR_RETURN(Lease lease, FromProto(task.lease(), node));
    facts.in_flight.push_back({std::move(lease), task.started()});
  }
  facts.outbox.reserve(hello.outbox_size());
  for (const agent::v1::Lease& result : hello.outbox()) {
    HOSTQ_ASSIGN_OR_RETURN(Lease lease, FromProto(result, node));
    facts.outbox.push_back(std::move(lease));
  }
  return facts;
}

ResultFacts FromProto(const agent::v1::Result& result, const Lease& lease, absl::Time now) {
  ResultFacts facts;
  facts.lease = lease;
  facts.reason = ResultReason(result.reason());
  facts.message = CutText(result.message(), kMaxMessageText);
  for (const agent::v1::StepResult& step : result.steps()) {
    const Reason reason = ResultReason(step.reason());
    if (reason == Reason::kNone || step.warning() || step.skipped()) continue;
    if (facts.reason == Reason::kNone) facts.reason = reason;
    if (facts.message.empty()) facts.message = CutText(step.message(), kMaxMessageText);
    facts.evidence = FromProto(step.evidence());
    break;
  }
  const auto finish = FromProto(result.finish_time());
  facts.finish_time = result.has_finish_time() && finish ? *finish : now;
  const auto start = FromProto(result.start_time());
  facts.started = result.has_start_time();
  facts.start_time = result.has_start_time() && start ? *start : facts.finish_time;
  facts.steps = StepsOf(result);
  return facts;
}

DriftFacts FromProto(const agent::v1::Drift& drift, absl::Time now) {
  const auto convert = [&](const auto& deviations) {
    std::vector<Deviation> out;
    for (const agent::v1::Deviation& one : deviations) {
      if (out.size() == kMaxDeviations) break;
      const int64_t age = std::clamp<int64_t>(one.age().seconds(), 0, kMaxAgeSeconds);
      out.push_back({CutText(one.resource_key(), kMaxNameText), ResultReason(one.reason()),
                     CutText(one.message(), kMaxMessageText), now - absl::Seconds(age)});
    }
    return out;
  };
  DriftFacts facts;
  facts.open = convert(drift.open());
  facts.repaired = convert(drift.repaired());
  facts.open_count = std::max(drift.open_count(), static_cast<int>(facts.open.size()));
  facts.repairs = drift.repairs();
  return facts;
}

Evidence FromProto(const google::protobuf::Map<std::string, std::string>& evidence) {
  // The wire has no order; which entries are kept must not depend on chance.
  Evidence out;
  for (const auto& [name, value] : evidence) {
    out[CutText(name, 100)] = CutText(value, kMaxEvidenceText);
    if (out.size() > kMaxEvidence) out.erase(std::prev(out.end()));
  }
  return out;
}

agent::v1::Lease ToProto(const Lease& lease) {
  agent::v1::Lease out;
  out.set_task_id(TaskIdOf(lease.command, lease.node));
  out.set_attempt(lease.attempt);
  out.set_epoch(lease.epoch);
  return out;
}

agent::v1::Assign ToProto(const SendAssign& assign) {
  agent::v1::Assign out;
  *out.mutable_lease() = ToProto(assign.lease);
  out.set_resource_key(assign.resource_key);
  out.set_kind(assign.kind);
  out.set_work(assign.work);
  for (const std::string& role : assign.roles) out.add_roles(role);
  *out.mutable_timeout() = Limited(assign.timeout);
  if (assign.start_within < kMaxTimeout) {
    *out.mutable_start_within() = Limited(assign.start_within);
  }
  if (assign.start_before < kLastTime) {
    out.mutable_start_before()->set_seconds(absl::ToUnixSeconds(assign.start_before));
  }
  const auto span =
      SpanWithin(assign.traceparent, absl::StrCat("command/", FormatId(assign.lease.command)));
  if (span) out.set_traceparent(span->traceparent());
  return out;
}

}  // namespace hostq::manager
