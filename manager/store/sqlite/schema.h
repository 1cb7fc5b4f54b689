#pragma once

#include "absl/types/span.h"

namespace hostq::manager {

// The migrations, by number. A script is never changed once it was released.
absl::Span<const char* const> Schema();

}  // namespace hostq::manager
