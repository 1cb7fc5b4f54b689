#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/reason.h"

namespace hostq {

// An absl::Status that carries a reason. Messages are lower case and say what was tried, on what,
// and why it failed.
absl::Status MakeError(absl::StatusCode code, Reason reason, absl::string_view message);
// INVALID_ARGUMENT, the most frequent one: `field` is the request field that is wrong.
absl::Status InvalidField(Reason reason, absl::string_view field, absl::string_view message);
inline absl::Status InvalidField(absl::string_view field, absl::string_view message) {
  return InvalidField(Reason::kInvalidArgument, field, message);
}
// FAILED_PRECONDITION: something has to change before it can be done.
absl::Status Precondition(Reason reason, absl::string_view message);
// `what` and the text of `error_number`; the code follows the number (ENOENT: NOT_FOUND, ...).
absl::Status ErrnoError(int error_number, Reason reason, absl::string_view what);

// `status` with what to do in this very case, instead of the reason's fixed remedy. Nothing in it
// is filled in any more.
absl::Status WithRemedy(absl::Status status, absl::string_view remedy);

// `status` with when to send the same request again.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

// kNone if it carries none.
Reason ReasonOf(const absl::Status& status);
// Of WithRemedy(); empty if it carries none.
std::string RemedyOf(const absl::Status& status);
// Of WithRetryDelay(); zero if it carries none.
absl::Duration RetryDelayOf(const absl::Status& status);

}  // namespace hostq

// Ends the program with a message if one of our own invariants does not hold, in release builds
// too. Never for input.
#define HOSTQ_CHECK(condition)                                              \
  do {                                                                      \
    if (!(condition)) ::hostq::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)

#define HOSTQ_RETURN_IF_ERROR(expression)                    \
  do {                                                       \
    if (absl::Status _s = (expression); !_s.ok()) return _s; \
  } while (false)

#define HOSTQ_CONCAT_INNER(a, b) a##b
#define HOSTQ_CONCAT(a, b) HOSTQ_CONCAT_INNER(a, b)
#define HOSTQ_ASSIGN_OR_RETURN(lhs, expression) \
  HOSTQ_ASSIGN_OR_RETURN_INNER(HOSTQ_CONCAT(_status_or_, __LINE__), lhs, expression)
#define HOSTQ_ASSIGN_OR_RETURN_INNER(temporary, lhs, expression) \
  auto temporary = (expression);                                 \
  if (!temporary.ok()) return std::move(temporary).status();     \
  lhs = *std::move(temporary)

namespace hostq {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}  // namespace hostq
