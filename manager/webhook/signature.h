#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq::manager {

// The header `hostq-signature`: "t=UNIX,v1=HEX", where HEX is HMAC-SHA-256 of "UNIX.BODY" under a
// secret; one v1 for each secret.
std::string SignatureOf(const std::vector<std::string>& secrets, absl::Time time,
                        absl::string_view body);

}  // namespace hostq::manager
