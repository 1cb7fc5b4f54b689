#pragma once

#include "absl/status/status.h"

namespace hostq::cli {

// What the program ends with. Documented in --help and docs/reference/cli.md: scripts rely on the
// numbers.
enum ExitCode : int {
  kDone = 0,
  kCommandFailed = 1,  // the command finished, but did not succeed; stuck --exit-code
  kUsage = 2,
  kRefused = 3,
  kUnreachable = 4,
  kNotAuthorized = 5,
  kTimedOut = 6,
  kOtherError = 7,
};

// Of a refused or failed call. kDone for OK.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace hostq::cli
