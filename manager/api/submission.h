#pragma once

#include "absl/status/status.h"
#include "hostq/v1/command_service.pb.h"
#include "manager/access/caller.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// The rules of delivery in a request: when, in which order, to how many at once, how often again.
// Errors: INVALID_ARGUMENT (INVALID_ARGUMENT), naming the field.
absl::Status CheckRules(const v1::CreateCommandRequest& request);
// The same, of a request that was checked.
void SetRules(const v1::CreateCommandRequest& request, Submission& submission);

v1::RetryPolicy ToProto(const RetryRules& rules);

// Brings the call, the command and the trace together, in the log.
void LogSubmitted(const Caller& caller, const Submitted& submitted);

}  // namespace hostq::manager
