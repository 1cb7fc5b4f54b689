#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "manager/cli/tool.h"

namespace hostq::cli {

// Shows the command until it has finished, and what it got stuck on as soon as it does. Blocks at
// most `timeout`. In JSON mode prints only the command as it is at the end. Returns kDone,
// kCommandFailed or kTimedOut; an error if the command does not exist or the manager stays away
// for a minute.
absl::StatusOr<int> WaitForCommand(Tool& tool, const std::string& id, absl::Duration timeout);

}  // namespace hostq::cli
