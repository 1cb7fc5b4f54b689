#include "manager/access/address_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

constexpr absl::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

// 4 or 16 bytes.
std::optional<std::string> BytesOf(absl::string_view address) {
  const std::string text(address);
  if (text.size() != std::strlen(text.c_str())) return std::nullopt;
  char bytes[16] = {};
  if (::inet_pton(AF_INET, text.c_str(), bytes) == 1) return std::string(bytes, 4);
  if (::inet_pton(AF_INET6, text.c_str(), bytes) != 1) return std::nullopt;
  std::string out(bytes, 16);
  if (absl::StartsWith(out, kMapped)) out.erase(0, kMapped.size());
  return out;
}

std::string TextOf(const std::string& bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof(text));
  return text;
}

// The first `bits` of it; the rest is zero.
std::string Prefix(std::string bytes, int bits) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int kept = std::clamp(bits - static_cast<int>(i) * 8, 0, 8);
    bytes[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) & (0xff00 >> kept));
  }
  return bytes;
}

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                   absl::StrCat("range of addresses \"", absl::CEscape(text), "\": ", why));
}

}  // namespace

absl::StatusOr<AddressRange> AddressRange::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<std::string> bytes = BytesOf(text.substr(0, slash));
  if (!bytes) return Bad(text, "not ADDRESS or ADDRESS/BITS");
  AddressRange range;
  const int most = static_cast<int>(bytes->size()) * 8;
  range.bits_ = most;
  if (slash != absl::string_view::npos) {
    const absl::string_view bits = text.substr(slash + 1);
    // SimpleAtoi takes signs and spaces.
    if (bits.empty() || bits.size() > 3 ||
        bits.find_first_not_of("0123456789") != absl::string_view::npos ||
        !absl::SimpleAtoi(bits, &range.bits_) || range.bits_ > most) {
      return Bad(text, absl::StrCat("behind the slash a number from 0 to ", most));
    }
  }
  range.bytes_ = Prefix(*bytes, range.bits_);
  if (range.bytes_ != *bytes) {
    return Bad(text, absl::StrCat("has bits behind the prefix; the range is ", range.text()));
  }
  return range;
}

bool AddressRange::Contains(absl::string_view address) const {
  const std::optional<std::string> bytes = BytesOf(address);
  return bytes && bytes->size() == bytes_.size() && Prefix(*bytes, bits_) == bytes_;
}

std::string AddressRange::text() const {
  const bool one = bits_ == static_cast<int>(bytes_.size()) * 8;
  return one ? TextOf(bytes_) : absl::StrCat(TextOf(bytes_), "/", bits_);
}

bool InAnyRange(const std::vector<AddressRange>& ranges, absl::string_view address) {
  return ranges.empty() ||
         std::any_of(ranges.begin(), ranges.end(),
                     [&](const AddressRange& range) { return range.Contains(address); });
}

}  // namespace hostq::manager
