#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace hostq {

// POSIX extended regular expressions for names, as RE2 reads them: without the C library's, which
// takes gigabytes to compile a pattern of a hundred characters ("a++++...").

// Nothing: it can be used. Otherwise what is wrong, to follow the word it is said of: "is not a
// regular expression: missing ]".
std::optional<std::string> CheckPattern(absl::string_view pattern);
// Whether it matches the whole text. False for a pattern that cannot be used. Time in proportion to
// the text.
bool MatchesWhole(absl::string_view pattern, absl::string_view text);

}  // namespace hostq
