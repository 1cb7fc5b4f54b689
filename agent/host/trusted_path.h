#pragma once

#include <string>

#include "absl/status/status.h"

namespace hostq::agent {

// Whether nobody but root (or this process's user) can change what is at `path`, an absolute path,
// by writing to it or by putting something else there: it, and every directory and symbolic link on
// the way to it, belongs to root or this user, and nobody else may write to it (to directories with
// the sticky bit everybody may). What does not exist is nobody's; what is above it counts.
// Errors: PERMISSION_DENIED, with a message that says which of them, why, and what to do.
absl::Status CheckTrusted(const std::string& path);

}  // namespace hostq::agent
