#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "agent/actions/action.h"
#include "hostq/agent/v1/session.pb.h"

namespace hostq::agent {

// What a step may say at most; excess is cut.
inline constexpr size_t kMaxEvidenceEntries = 32;
inline constexpr size_t kMaxEvidenceKeyBytes = 64;
inline constexpr size_t kMaxEvidenceValueBytes = 1024;
inline constexpr size_t kMaxMessageBytesOfStep = 1024;

// Valid UTF-8 of at most `limit` bytes: what is not, and control characters except newline and tab,
// become '?'; what is longer is cut and ends in "...".
std::string CleanText(absl::string_view text, size_t limit);
// The same, but what is longer loses its beginning: for the end of an output.
std::string CleanTail(absl::string_view text, size_t limit);

// Within the limits. Duration is not known here.
v1::StepResult ToProto(const StepResult& result, absl::string_view name);

v1::StepResult FailedStep(absl::string_view name, Reason reason, absl::string_view message);

}  // namespace hostq::agent
