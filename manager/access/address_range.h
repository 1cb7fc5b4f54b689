#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hostq::manager {

// A range of IP addresses, as in "10.0.0.0/24" or "2001:db8::/32"; an address alone is a range of
// one. IPv4 addresses mapped into IPv6 ("::ffff:192.0.2.1") are IPv4 addresses. Immutable;
// thread-safe.
class AddressRange {
 public:
  // "ADDRESS" or "ADDRESS/BITS". Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): not an address, not a
  // number of bits, or bits set behind the prefix ("10.0.0.1/24": the message says what is meant).
  static absl::StatusOr<AddressRange> Parse(absl::string_view text);

  // Of text that is no address ("unix:/run/..."): false.
  bool Contains(absl::string_view address) const;

  // As it is written canonically: "10.0.0.0/24", "192.0.2.1".
  std::string text() const;

 private:
  friend bool operator==(const AddressRange&, const AddressRange&) = default;

  // 4 or 16 bytes.
  std::string bytes_;
  int bits_ = 0;
};

// Whether the address is in one of the ranges. No ranges at all: every address is.
bool InAnyRange(const std::vector<AddressRange>& ranges, absl::string_view address);

}  // namespace hostq::manager
