#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hostq::manager {

// A page token says where the next page begins and which request it belongs to; to callers it is
// opaque. `request` is the method and its filters, in any unambiguous form. Pure.
std::string MakePageToken(absl::string_view position, absl::string_view request);
// The position; empty for an empty token (the first page). Errors: INVALID_ARGUMENT
// (PAGE_TOKEN_INVALID): not a token, or one of another request.
absl::StatusOr<std::string> ParsePageToken(absl::string_view token, absl::string_view request);

// Default 100, at most 1000. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT) if negative.
absl::StatusOr<int> PageSizeOf(int requested);

// A page also ends before it gets too large for one message (4 MiB).
inline constexpr size_t kMaxPageBytes = 3 << 20;

}  // namespace hostq::manager
