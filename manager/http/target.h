#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hostq::manager {

// What a request is for. Plain data.
struct HttpTarget {
  std::string path;                                        // as it was sent: "/v1/nodes/web1:pause"
  std::vector<std::pair<std::string, std::string>> query;  // decoded, as often as it was sent
};

// Of the first line of a request; origin form ("/path?query") only. Errors: INVALID_ARGUMENT
// (INVALID_ARGUMENT).
absl::StatusOr<HttpTarget> ParseTarget(absl::string_view text);

// Without its percent signs. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): not encoded so, not
// UTF-8, or control characters.
absl::StatusOr<std::string> DecodePart(absl::string_view text);

}  // namespace hostq::manager
