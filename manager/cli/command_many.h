#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/cli/options.h"

// What of `hostq command` is about more than one command.
namespace hostq::cli {

// Which tasks `command retry` without an id means, and how many to try before the others.
struct RetryMatch {
  v1::RetryTasksRequest request;
  int canary = 0;  // 0: all at once
  bool given() const {
    return request.reason() != v1::Reason::CODE_UNSPECIFIED || !request.kind().empty() ||
           canary > 0;
  }
};
void AddRetryMatch(CLI::App& leaf, RetryMatch& match);
// With a canary: tries the others only after those have succeeded. Returns kDone, kCommandFailed or
// kTimedOut.
absl::StatusOr<int> RetryMatching(Tool& tool, const RetryMatch& match, absl::Duration timeout);

// pause, resume, pauses, orphans
void AddPauses(CLI::App& group, Tool& tool);

}  // namespace hostq::cli
