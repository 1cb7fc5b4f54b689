#include "common/base/error.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hostq {
namespace {
constexpr absl::string_view kReasonPayload = "hostq/reason";
constexpr absl::string_view kRemedyPayload = "hostq/remedy";
constexpr absl::string_view kRetryPayload = "hostq/retry";  // milliseconds
}  // namespace

absl::Status MakeError(absl::StatusCode code, Reason reason, absl::string_view message) {
  absl::Status status(code, message);
  status.SetPayload(kReasonPayload, absl::Cord(absl::StrCat(static_cast<int>(reason))));
  return status;
}

absl::Status InvalidField(Reason reason, absl::string_view field, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, absl::StrCat(field, ": ", message));
}

absl::Status Precondition(Reason reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, message);
}

absl::Status ErrnoError(int error_number, Reason reason, absl::string_view what) {
  return MakeError(absl::ErrnoToStatusCode(error_number), reason,
                   absl::StrCat(what, ": ", strerror(error_number)));
}

absl::Status WithRemedy(absl::Status status, absl::string_view remedy) {
  status.SetPayload(kRemedyPayload, absl::Cord(remedy));
  return status;
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryPayload, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(delay))));
  return status;
}

absl::Duration RetryDelayOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryPayload);
  int64_t milliseconds = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &milliseconds)) return {};
  return absl::Milliseconds(milliseconds);
}

Reason ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonPayload);
  int value = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &value)) return Reason::kNone;
  return static_cast<Reason>(value);
}

std::string RemedyOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRemedyPayload);
  return payload ? std::string(*payload) : "";
}

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "hostq: invariant does not hold: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace hostq
