#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace hostq {

// A configuration file as text, at most 1 MiB. Blocks on the disk. Errors: what the system said,
// with INVALID_ARGUMENT as reason; INVALID_ARGUMENT if it is larger or no regular file.
absl::StatusOr<std::string> ReadConfigFile(const std::string& path);

}  // namespace hostq
