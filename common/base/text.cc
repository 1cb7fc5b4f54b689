#include "common/base/text.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hostq {

std::optional<int64_t> ParseSize(absl::string_view text) {
  if (text == "unlimited") return 0;
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  int64_t value = 0;
  if (digits == 0 || !absl::SimpleAtoi(text.substr(0, digits), &value)) return std::nullopt;
  absl::string_view unit = text.substr(digits);
  if (unit.empty() || unit == "B") return value;
  const size_t power = absl::string_view("KMGT").find(unit[0]);
  if (power == absl::string_view::npos) return std::nullopt;
  unit.remove_prefix(1);
  if (!unit.empty() && unit != "iB") return std::nullopt;
  const int shift = 10 * (static_cast<int>(power) + 1);
  if (value > (INT64_MAX >> shift)) return std::nullopt;
  return value << shift;
}

std::string FormatSize(int64_t bytes) {
  if (bytes == 0) return "unlimited";
  int power = 0;
  while (power < 4 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++power;
  }
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  return absl::StrCat(bytes, kUnits[power]);
}

std::string FormatAge(absl::Duration age) {
  const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(age), 0);
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  if (seconds < 86400) return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
  return absl::StrFormat("%dd%dh", seconds / 86400, seconds / 3600 % 24);
}

std::string Printable(absl::string_view text, size_t limit) {
  size_t end = std::min(text.size(), limit);
  // Half a character would make a message that holds it unreadable.
  const auto continues = [&] { return (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; };
  for (int i = 0; i < 3 && end > 0 && end < text.size() && continues(); ++i) --end;
  std::string out(text.substr(0, end));
  const bool readable = IsUtf8(out);
  for (char& c : out) {
    if (absl::ascii_iscntrl(c) || (!readable && !absl::ascii_isascii(c))) c = '?';
  }
  if (text.size() > limit) out += "...";
  return out;
}

bool IsUtf8(absl::string_view text) {
  // By the number of bytes that follow the first: shorter forms are forbidden.
  static constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4) return false;
    uint32_t code = lead & (0x3f >> more);
    for (int k = 0; k < more; ++k, ++i) {
      if (i == text.size() || (static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) return false;
      code = code << 6 | (static_cast<uint8_t>(text[i]) & 0x3f);
    }
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < kLeast[more] || code > 0x10ffff || surrogate) return false;
  }
  return true;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace hostq
