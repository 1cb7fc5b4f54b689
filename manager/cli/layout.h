#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hostq::cli {

// Narrower than that no layout is readable, and broken sizes of terminals are reported as 0 or 1.
inline constexpr size_t kMinWidth = 40;
// Wider than any line: nothing is cut or wrapped, and no column is left out (--output wide).
inline constexpr size_t kEveryColumn = 1 << 30;

// What is known about standard output.
struct Terminal {
  // Whether a person sees it live: redrawing makes sense.
  bool interactive = false;
  // Whether standard input can be asked.
  bool can_ask = false;
  bool colour = false;
  // Columns; 0: no limit (a pipe or file, so that nothing is cut for programs).
  size_t width = 0;
  // Lines; 24 if unknown.
  size_t height = 24;

  // For prose, which is hard to read in very long lines.
  size_t ProseWidth() const;
};

// Looks at the file descriptors and at COLUMNS, NO_COLOR and TERM.
Terminal DetectTerminal();

enum class Colour { kNone, kBold, kDim, kRed, kGreen, kYellow };
// `text` itself if `on` is false or the colour is kNone.
std::string Paint(absl::string_view text, Colour colour, bool on);

// Columns that UTF-8 text takes, one for each character.
size_t DisplayWidth(absl::string_view text);
// At most `width` columns, the end replaced by "..." if something was cut.
std::string Cut(absl::string_view text, size_t width);
std::string PadRight(absl::string_view text, size_t width);
std::string PadLeft(absl::string_view text, size_t width);

// Lines of at most `width` columns (0: one line), broken at blanks. A word longer than a line is
// broken, except that a "hostq ..." command within the text stays whole, however long, so that it
// can be copied. At least one line.
std::vector<std::string> Wrap(absl::string_view text, size_t width);

// The clauses of a remedy, one a line: split at "; " outside of parentheses.
std::vector<std::string> Clauses(absl::string_view remedy);

}  // namespace hostq::cli
