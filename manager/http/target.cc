#include "manager/http/target.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

absl::Status Malformed(absl::string_view why) {
  return InvalidField(Reason::kInvalidArgument, "path", why);
}

int HexDigit(char c) {
  if (absl::ascii_isdigit(static_cast<unsigned char>(c))) return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// JSON's strings are UTF-8 without control characters.
bool IsText(absl::string_view text) {
  return nlohmann::json::accept(
      absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\""));
}

}  // namespace

absl::StatusOr<std::string> DecodePart(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return Malformed("a % is not followed by two hexadecimal digits");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (!IsText(out)) return Malformed("has control characters, or is not UTF-8");
  return out;
}

absl::StatusOr<HttpTarget> ParseTarget(absl::string_view text) {
  HttpTarget target;
  if (!absl::StartsWith(text, "/")) return Malformed("must begin with /");
  const bool graphic = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '#' && c != '\\';
  });
  if (!graphic) return Malformed("has characters that must be percent-encoded");
  const size_t mark = text.find('?');
  target.path = std::string(text.substr(0, mark));
  if (mark == absl::string_view::npos) return target;
  for (const absl::string_view part :
       absl::StrSplit(text.substr(mark + 1), '&', absl::SkipEmpty())) {
    const size_t equals = part.find('=');
    // As forms have it.
    const auto decoded = [](absl::string_view encoded) {
      return DecodePart(absl::StrReplaceAll(encoded, {{"+", "%20"}}));
    };
    HOSTQ_ASSIGN_OR_RETURN(std::string name, decoded(part.substr(0, equals)));
    std::string value;
    if (equals != absl::string_view::npos) {
      HOSTQ_ASSIGN_OR_RETURN(value, decoded(part.substr(equals + 1)));
    }
    target.query.emplace_back(std::move(name), std::move(value));
  }
  return target;
}

}  // namespace hostq::manager
