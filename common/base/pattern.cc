#include "common/base/pattern.h"

#include "absl/strings/str_cat.h"
#include "re2/re2.h"

namespace hostq {
namespace {

RE2::Options Posix() {
  RE2::Options options(RE2::POSIX);
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  return options;
}

re2::StringPiece Piece(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::optional<std::string> CheckPattern(absl::string_view pattern) {
  if (pattern.empty()) return "matches no name";
  const RE2 compiled(Piece(pattern), Posix());
  if (compiled.ok()) return std::nullopt;
  return absl::StrCat("is not a regular expression: ", compiled.error());
}

bool MatchesWhole(absl::string_view pattern, absl::string_view text) {
  const RE2 compiled(Piece(pattern), Posix());
  return compiled.ok() && RE2::FullMatch(Piece(text), compiled);
}

}  // namespace hostq
