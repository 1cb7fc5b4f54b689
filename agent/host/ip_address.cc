#include "agent/host/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"

namespace hostq::agent {

std::optional<IpAddress> IpAddress::Parse(absl::string_view text) {
  IpAddress address;
  const std::string copy(text);
  if (copy.size() != std::strlen(copy.c_str())) return std::nullopt;
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) return address;
  address.v6 = true;
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof(text));
  return text;
}

std::optional<IpRange> IpRange::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  const auto base = IpAddress::Parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  IpRange range = {*base, base->bits()};
  if (slash == absl::string_view::npos) return range;
  const absl::string_view prefix = text.substr(slash + 1);
  if (prefix.empty() || !std::all_of(prefix.begin(), prefix.end(), ::isdigit) ||
      !absl::SimpleAtoi(prefix, &range.prefix) || range.prefix > base->bits()) {
    return std::nullopt;
  }
  return range;
}

bool IpRange::Contains(const IpAddress& address) const {
  if (address.v6 != base.v6) return false;
  const size_t whole = static_cast<size_t>(prefix) / 8;
  if (!std::equal(base.bytes.begin(), base.bytes.begin() + static_cast<ptrdiff_t>(whole),
                  address.bytes.begin())) {
    return false;
  }
  const int rest = prefix % 8;
  if (rest == 0) return true;
  const int mask = 0xff & (0xff << (8 - rest));
  return (base.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

absl::string_view ReservedKind(const IpAddress& address) {
  struct Row {
    const char* range;
    absl::string_view kind;
  };
  static constexpr Row kRows[] = {
      {"0.0.0.0/8", "unspecified"},     {"127.0.0.0/8", "loopback"},
      {"169.254.0.0/16", "link-local"}, {"224.0.0.0/4", "multicast"},
      {"240.0.0.0/4", "reserved"},      {"::/128", "unspecified"},
      {"::1/128", "loopback"},          {"::ffff:0:0/96", "IPv4 inside IPv6"},
      {"fe80::/10", "link-local"},      {"ff00::/8", "multicast"},
  };
  for (const Row& row : kRows) {
    if (IpRange::Parse(row.range)->Contains(address)) return row.kind;
  }
  return "";
}

}  // namespace hostq::agent
