#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hostq::agent {

// Adds to a failure what was seen when it happened ("mac", "02:00:..."); nothing if `status` is OK.
absl::Status WithEvidence(absl::Status status, absl::string_view name, absl::string_view value);

// Everything WithEvidence added, by name.
std::map<std::string, std::string> EvidenceOf(const absl::Status& status);

}  // namespace hostq::agent
