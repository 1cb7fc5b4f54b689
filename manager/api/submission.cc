#include "manager/api/submission.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/base/trace_context.h"
#include "common/log/log.h"
#include "manager/api/convert.h"

namespace hostq::manager {
namespace {

constexpr int kMaxPriority = 100;
constexpr int kMaxAttempts = 1000;
constexpr double kMaxFactor = 100;
constexpr absl::Duration kMinDelay = absl::Milliseconds(1);
constexpr absl::Duration kMaxDelay = absl::Hours(30 * 24);
constexpr double kHalfJitter = BackoffPolicy().floor;

absl::Duration FromProto(const google::protobuf::Duration& span) {
  return absl::Seconds(span.seconds()) + absl::Nanoseconds(span.nanos());
}

google::protobuf::Duration DurationToProto(absl::Duration span) {
  google::protobuf::Duration out;
  out.set_seconds(absl::IDivDuration(span, absl::Seconds(1), &span));
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(span)));
  return out;
}

absl::Status CheckTime(absl::string_view field, const google::protobuf::Timestamp& time) {
  constexpr int64_t kFirst = -62'135'596'800;
  constexpr int64_t kLast = 253'402'300'799;
  if (time.seconds() >= kFirst && time.seconds() <= kLast && time.nanos() >= 0 &&
      time.nanos() < 1'000'000'000) {
    return absl::OkStatus();
  }
  return InvalidField(field, "is not a time");
}

absl::Status CheckDelay(absl::string_view field, bool set, const google::protobuf::Duration& span) {
  if (!set) return absl::OkStatus();
  const absl::Duration delay = FromProto(span);
  if (delay >= kMinDelay && delay <= kMaxDelay) return absl::OkStatus();
  return InvalidField(field, "must be at least 1 ms and at most 30 days");
}

absl::Status CheckRetry(const v1::RetryPolicy& retry) {
  HOSTQ_RETURN_IF_ERROR(CheckDelay("retry.initial", retry.has_initial(), retry.initial()));
  HOSTQ_RETURN_IF_ERROR(CheckDelay("retry.cap", retry.has_cap(), retry.cap()));
  HOSTQ_RETURN_IF_ERROR(
      CheckDelay("retry.max_elapsed", retry.has_max_elapsed(), retry.max_elapsed()));
  if (retry.has_initial() && retry.has_cap() &&
      FromProto(retry.cap()) < FromProto(retry.initial())) {
    return InvalidField("retry.cap", "is below retry.initial");
  }
  // Not a number is none of these.
  if (retry.has_factor() && !(retry.factor() >= 1 && retry.factor() <= kMaxFactor)) {
    return InvalidField("retry.factor", absl::StrCat("must be from 1 to ", kMaxFactor));
  }
  if (retry.has_max_attempts() &&
      (retry.max_attempts() < 1 || retry.max_attempts() > kMaxAttempts)) {
    return InvalidField("retry.max_attempts", absl::StrCat("must be from 1 to ", kMaxAttempts));
  }
  for (const int code : retry.never()) {
    if (code == 0 || !v1::Reason::Code_IsValid(code)) {
      return InvalidField("retry.never", absl::StrCat(code, " is not a reason"));
    }
  }
  return absl::OkStatus();
}

void Apply(const v1::RetryPolicy& policy, RetryRules& rules) {
  if (policy.has_initial()) rules.backoff.initial = FromProto(policy.initial());
  if (policy.has_cap()) rules.backoff.cap = FromProto(policy.cap());
  if (policy.has_factor()) rules.backoff.factor = policy.factor();
  if (policy.has_full_jitter()) rules.backoff.floor = policy.full_jitter() ? 0 : kHalfJitter;
  if (policy.has_max_attempts()) rules.max_attempts = policy.max_attempts();
  if (policy.has_max_elapsed()) rules.max_elapsed = FromProto(policy.max_elapsed());
  if (policy.never().empty()) return;
  rules.never.clear();
  for (const int code : policy.never()) rules.never.push_back(static_cast<Reason>(code));
  std::sort(rules.never.begin(), rules.never.end());
  rules.never.erase(std::unique(rules.never.begin(), rules.never.end()), rules.never.end());
}

}  // namespace

absl::Status CheckRules(const v1::CreateCommandRequest& request) {
  HOSTQ_RETURN_IF_ERROR(CheckTime("not_after", request.not_after()));
  HOSTQ_RETURN_IF_ERROR(CheckTime("not_before", request.not_before()));
  if (request.has_not_before() && request.has_not_after() &&
      TimeFromProto(request.not_before()) >= TimeFromProto(request.not_after())) {
    return InvalidField("not_before", "is not before not_after");
  }
  if (std::abs(static_cast<int64_t>(request.priority())) > kMaxPriority) {
    return InvalidField("priority",
                        absl::StrCat("must be from -", kMaxPriority, " to ", kMaxPriority));
  }
  if (request.max_parallel() < 0) return InvalidField("max_parallel", "must not be negative");
  if (request.has_max_failures() && request.max_failures() < 0) {
    return InvalidField("max_failures", "must not be negative");
  }
  return CheckRetry(request.retry());
}

void SetRules(const v1::CreateCommandRequest& request, Submission& submission) {
  if (request.has_not_after()) submission.not_after = TimeFromProto(request.not_after());
  if (request.has_not_before()) submission.not_before = TimeFromProto(request.not_before());
  submission.priority = request.priority();
  submission.max_parallel = request.max_parallel();
  if (request.has_max_failures()) submission.max_failures = request.max_failures();
  if (!request.has_retry()) return;
  submission.retry = [policy = request.retry()](RetryRules& rules) {
    Apply(policy, rules);
    // Only one of them was given: the kind's other one gives way.
    if (policy.has_initial() && !policy.has_cap()) {
      rules.backoff.cap = std::max(rules.backoff.cap, rules.backoff.initial);
    } else {
      rules.backoff.initial = std::min(rules.backoff.initial, rules.backoff.cap);
    }
  };
}

void LogSubmitted(const Caller& caller, const Submitted& submitted) {
  const Command& command = submitted.command;
  const auto span = SpanWithin(command.traceparent, absl::StrCat("command/", FormatId(command.id)));
  LogInfo("command submitted", {{"command", FormatId(command.id)},
                                {"request_id", caller.request_id},
                                {"actor", caller.actor},
                                {"source", caller.source},
                                {"repeated", submitted.repeated},
                                {"trace_id", span ? span->trace_id : ""}});
}

v1::RetryPolicy ToProto(const RetryRules& rules) {
  v1::RetryPolicy out;
  *out.mutable_initial() = DurationToProto(rules.backoff.initial);
  *out.mutable_cap() = DurationToProto(rules.backoff.cap);
  out.set_factor(rules.backoff.factor);
  out.set_full_jitter(rules.backoff.floor == 0);
  out.set_max_attempts(rules.max_attempts);
  if (rules.max_elapsed != absl::InfiniteDuration()) {
    *out.mutable_max_elapsed() = DurationToProto(rules.max_elapsed);
  }
  for (const Reason reason : rules.never) out.add_never(static_cast<v1::Reason::Code>(reason));
  return out;
}

}  // namespace hostq::manager
