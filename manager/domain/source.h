#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace hostq::manager {

// What counts as one source, when requests are limited and refusals are gathered: an IPv4 address,
// or the /64 of an IPv6 address (one host has as many addresses in it as it likes). Text that is no
// address stands for itself. Pure.
std::string RateLimitSource(absl::string_view address);

}  // namespace hostq::manager
