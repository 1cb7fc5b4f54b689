#include "manager/cli/layout.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hostq::cli {
namespace {

constexpr size_t kProseWidth = 100;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Length in bytes of the first `columns` characters.
size_t PrefixBytes(absl::string_view text, size_t columns) {
  size_t i = 0;
  while (i < text.size() && columns > 0) {
    ++i;
    while (i < text.size() && IsContinuation(text[i])) ++i;
    --columns;
  }
  return i;
}

// "hostq node show web1", not "hostq with sudo".
bool IsCommand(absl::string_view text) {
  constexpr absl::string_view kFirstWords[] = {
      "account", "address", "administrator", "alarm",   "audit",  "authority", "balancer",
      "command", "doctor",  "events",        "explain", "key",    "node",      "overview",
      "quota",   "share",   "stuck",         "top",     "webhook"};
  if (!absl::ConsumePrefix(&text, "hostq ")) return false;
  return std::any_of(std::begin(kFirstWords), std::end(kFirstWords),
                     [&](absl::string_view word) { return absl::StartsWith(text, word); });
}

// Length of the unbreakable unit at the start of `text`: a command to be copied, or one word.
size_t UnitBytes(absl::string_view text) {
  if (!IsCommand(text)) return std::min(text.size(), text.find(' '));
  return std::min({text.size(), text.find_first_of(";)"), text.find(", ")});
}

}  // namespace

size_t Terminal::ProseWidth() const {
  return width == 0 ? kProseWidth : std::min(width, kProseWidth);
}

Terminal DetectTerminal() {
  Terminal terminal;
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || absl::string_view(term) == "dumb";
  const bool is_terminal = isatty(STDOUT_FILENO) == 1;
  terminal.interactive = is_terminal && !dumb;
  terminal.can_ask = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
  const char* no_color = std::getenv("NO_COLOR");
  terminal.colour = terminal.interactive && (no_color == nullptr || *no_color == '\0');
  winsize size{};
  if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    terminal.width = size.ws_col;
    if (size.ws_row > 0) terminal.height = size.ws_row;
  }
  int columns = 0;
  const char* variable = std::getenv("COLUMNS");
  if (variable != nullptr && absl::SimpleAtoi(variable, &columns) && columns > 0) {
    terminal.width = static_cast<size_t>(columns);
  } else if (is_terminal && terminal.width == 0) {
    terminal.width = 80;
  }
  if (terminal.width != 0) terminal.width = std::max(terminal.width, kMinWidth);
  return terminal;
}

std::string Paint(absl::string_view text, Colour colour, bool on) {
  if (!on || colour == Colour::kNone || text.empty()) return std::string(text);
  const char* code = "";
  switch (colour) {
    case Colour::kNone:
      break;
    case Colour::kBold:
      code = "1";
      break;
    case Colour::kDim:
      code = "2";
      break;
    case Colour::kRed:
      code = "1;31";
      break;
    case Colour::kGreen:
      code = "32";
      break;
    case Colour::kYellow:
      code = "33";
      break;
  }
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

size_t DisplayWidth(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string Cut(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width <= 3) return std::string(text.substr(0, PrefixBytes(text, width)));
  return absl::StrCat(text.substr(0, PrefixBytes(text, width - 3)), "...");
}

std::string PadRight(absl::string_view text, size_t width) {
  const size_t have = DisplayWidth(text);
  return absl::StrCat(text, std::string(have < width ? width - have : 0, ' '));
}

std::string PadLeft(absl::string_view text, size_t width) {
  const size_t have = DisplayWidth(text);
  return absl::StrCat(std::string(have < width ? width - have : 0, ' '), text);
}

std::vector<std::string> Wrap(absl::string_view text, size_t width) {
  if (width == 0 || DisplayWidth(text) <= width) return {std::string(text)};
  std::vector<std::string> lines;
  std::string line;
  for (;;) {
    text = absl::StripLeadingAsciiWhitespace(text);
    if (text.empty()) break;
    absl::string_view unit = text.substr(0, UnitBytes(text));
    const bool is_command = IsCommand(unit);
    // What follows a command directly (";" or ")") is not set apart by a blank.
    const bool tail = is_command && unit.size() < text.size() && text[unit.size()] != ' ';
    if (tail) unit = text.substr(0, unit.size() + 1);
    if (!line.empty() && DisplayWidth(line) + 1 + DisplayWidth(unit) > width) {
      lines.push_back(line);
      line.clear();
    }
    if (line.empty() && !is_command) unit = unit.substr(0, PrefixBytes(unit, width));
    absl::StrAppend(&line, line.empty() ? "" : " ", unit);
    text.remove_prefix(unit.size());
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

std::vector<std::string> Clauses(absl::string_view remedy) {
  std::vector<std::string> clauses;
  std::string clause;
  int depth = 0;
  for (size_t i = 0; i < remedy.size(); ++i) {
    if (remedy[i] == '(') ++depth;
    if (remedy[i] == ')') --depth;
    if (depth <= 0 && remedy.substr(i, 2) == "; ") {
      clauses.push_back(clause);
      clause.clear();
      ++i;
    } else {
      clause += remedy[i];
    }
  }
  if (!clause.empty()) clauses.push_back(clause);
  return clauses;
}

}  // namespace hostq::cli
