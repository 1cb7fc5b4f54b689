#include "manager/cli/exit_code.h"

#include "common/base/error.h"

namespace hostq::cli {

ExitCode ExitCodeOf(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return kRefused;
    case absl::StatusCode::kResourceExhausted:
      // A full queue empties by itself; a request that is too large stays so.
      return reason == Reason::kRequestTooLarge ? kRefused : kOtherError;
    case absl::StatusCode::kUnavailable:
    // What gRPC makes of a call that a stopping manager or a broken connection cut off.
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
      // With another reason somebody did answer.
      return reason == Reason::kNone || reason == Reason::kShuttingDown ? kUnreachable
                                                                        : kOtherError;
    case absl::StatusCode::kDeadlineExceeded:
      return kUnreachable;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kNotAuthorized;
    default:
      return kOtherError;
  }
}

}  // namespace hostq::cli
