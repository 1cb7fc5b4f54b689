#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace hostq::agent {

// One IPv4 or IPv6 address, without prefix or zone.
struct IpAddress {
  bool v6 = false;
  // Network order; IPv4 uses the first four.
  std::array<uint8_t, 16> bytes = {};

  // Nothing if malformed. IPv4 in dotted form with four parts only.
  static std::optional<IpAddress> Parse(absl::string_view text);
  std::string ToString() const;
  // 32 or 128.
  int bits() const { return v6 ? 128 : 32; }
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// The addresses that share their first `prefix` bits with `base`.
struct IpRange {
  IpAddress base;
  int prefix = 0;

  // "203.0.113.0/24", or one address. Nothing if malformed.
  static std::optional<IpRange> Parse(absl::string_view text);
  bool Contains(const IpAddress& address) const;
};

// What no account's address can be, whatever a policy says: unspecified, "this network", loopback,
// link-local, multicast, class E, broadcast, IPv4 inside IPv6. The name of the kind; empty if the
// address is none of these.
absl::string_view ReservedKind(const IpAddress& address);

}  // namespace hostq::agent
