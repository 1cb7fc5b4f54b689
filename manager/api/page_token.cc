#include "manager/api/page_token.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxToken = 1'024;
// Against mistakes, not against malice: whoever makes up a token sees nothing that the method would
// not show without one.
constexpr size_t kHashBytes = 8;

std::string HashOf(absl::string_view request, absl::string_view position) {
  return Sha256(absl::StrCat(request, absl::string_view("\0", 1), position)).substr(0, kHashBytes);
}

}  // namespace

std::string MakePageToken(absl::string_view position, absl::string_view request) {
  return Base64UrlEncode(absl::StrCat(HashOf(request, position), position));
}

absl::StatusOr<std::string> ParsePageToken(absl::string_view token, absl::string_view request) {
  if (token.empty()) return std::string();
  const std::optional<std::string> bytes =
      token.size() > kMaxToken ? std::nullopt : Base64UrlDecode(token);
  if (bytes && bytes->size() > kHashBytes) {
    std::string position = bytes->substr(kHashBytes);
    if (absl::StartsWith(*bytes, HashOf(request, position))) return position;
  }
  return InvalidField(Reason::kPageTokenInvalid, "page_token", "does not belong to this request");
}

absl::StatusOr<int> PageSizeOf(int requested) {
  if (requested < 0) {
    return InvalidField(Reason::kInvalidArgument, "page_size", "must not be negative");
  }
  return requested == 0 ? 100 : std::min(requested, 1'000);
}

}  // namespace hostq::manager
