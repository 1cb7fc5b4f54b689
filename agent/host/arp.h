#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/host/addresses.h"

namespace hostq::agent {

using MacAddress = std::array<uint8_t, 6>;

// "02:00:00:00:0d:01".
std::string FormatMac(const MacAddress& mac);

// The 28 bytes of an ARP probe (RFC 5227, 2.1.1): who has `target`, asked by nobody.
std::array<uint8_t, 28> EncodeArpProbe(const MacAddress& sender, const IpAddress& target);
// Whose packet this is, if it claims `target`: an answer or a request with `target` as its sender.
// Nothing for probes and whatever is malformed.
std::optional<MacAddress> ClaimsAddress(absl::string_view packet, const IpAddress& target);

struct ProbeInterface {
  std::string name;
  int index = 0;
  MacAddress mac = {};
};

// Sends three probes on each interface, 300 ms apart, and listens 300 ms more. The first claim by
// somebody who is not one of `interfaces` itself; nothing if there is none.
absl::StatusOr<std::optional<AddressOwner>> ProbeByArp(
    const std::vector<ProbeInterface>& interfaces, const IpAddress& target);

}  // namespace hostq::agent
