#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/config/toml_reader.h"
#include "common/log/log.h"

namespace hostq {
namespace {

struct Address {
  int family = 0;
  unsigned char bytes[16] = {};
  size_t size() const { return family == AF_INET ? 4 : 16; }
};

std::optional<Address> ParseAddress(absl::string_view text) {
  const std::string copy(text);
  if (copy.size() != std::strlen(copy.c_str())) return std::nullopt;
  for (const int family : {AF_INET, AF_INET6}) {
    Address address;
    address.family = family;
    if (::inet_pton(family, copy.c_str(), address.bytes) == 1) return address;
  }
  return std::nullopt;
}

bool IsUnspecified(const Address& address) {
  return std::all_of(address.bytes, address.bytes + address.size(),
                     [](unsigned char byte) { return byte == 0; });
}

bool IsMulticast(const Address& address) {
  return address.family == AF_INET ? address.bytes[0] >> 4 == 14 : address.bytes[0] == 0xff;
}

}  // namespace

std::optional<std::string> CheckName(absl::string_view text) {
  const bool fits = !text.empty() && text.size() <= 63 && absl::ascii_islower(text[0]) &&
                    std::all_of(text.begin(), text.end(), [](char c) {
                      return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
                    });
  if (fits) return std::nullopt;
  return "is not a lower-case letter followed by at most 62 letters, digits or -";
}

std::optional<std::string> CheckAbsolutePath(absl::string_view text) {
  if (!absl::StartsWith(text, "/")) return "is not an absolute path";
  if (text.size() > 4000) return "is too long";
  if (std::any_of(text.begin(), text.end(), [](char c) { return absl::ascii_iscntrl(c); })) {
    return "contains control characters";
  }
  if (text == "/") return std::nullopt;
  for (const absl::string_view part : absl::StrSplit(text.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") {
      return "is not a plain path (no //, /./, /../ and no / at the end)";
    }
  }
  return std::nullopt;
}

std::optional<std::string> CheckHostAddress(absl::string_view text) {
  const std::optional<Address> address = ParseAddress(text);
  if (!address) return "is not an IPv4 or IPv6 address";
  if (IsUnspecified(*address)) return "is not the address of one machine";
  if (IsMulticast(*address)) return "is a multicast address";
  return std::nullopt;
}

std::optional<std::string> CheckListenAddress(absl::string_view text) {
  constexpr char kWhat[] = "is not ADDRESS:PORT (IPv6 addresses in brackets)";
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return kWhat;
  absl::string_view host = text.substr(0, colon);
  const bool brackets = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  const std::optional<Address> address = ParseAddress(host);
  if (!address || (address->family == AF_INET6) != brackets) return kWhat;
  int port = 0;
  const absl::string_view digits = text.substr(colon + 1);
  if (!std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &port) || port < 1 || port > 65535) {
    return "has no port from 1 to 65535";
  }
  if (IsMulticast(*address)) return "is a multicast address";
  return std::nullopt;
}

std::optional<std::string> CheckAddressRange(absl::string_view text) {
  constexpr char kWhat[] = "is not ADDRESS/PREFIX";
  const size_t slash = text.find('/');
  if (slash == absl::string_view::npos) return kWhat;
  const std::optional<Address> address = ParseAddress(text.substr(0, slash));
  const absl::string_view digits = text.substr(slash + 1);
  size_t prefix = 0;
  if (!address || digits.size() > 3 ||
      !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &prefix) || prefix > 8 * address->size()) {
    return kWhat;
  }
  for (size_t bit = prefix; bit < 8 * address->size(); ++bit) {
    if ((address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
      return "has bits set behind its prefix: write the first address of the range";
    }
  }
  return std::nullopt;
}

std::optional<std::string> CheckLogLevel(absl::string_view text) {
  if (ParseLogLevel(text)) return std::nullopt;
  return "is not debug, info, warning or error";
}

}  // namespace hostq
