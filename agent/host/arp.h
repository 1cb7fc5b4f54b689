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
// The same as an announcement (2.3): `sender` has `address` from now on.
std::array<uint8_t, 28> EncodeArpAnnouncement(const MacAddress& sender, const IpAddress& address);
// Whose packet this is, if it claims `target`: an answer or a request with `target` as its sender.
// Nothing for probes and whatever is malformed.
std::optional<MacAddress> ClaimsAddress(absl::string_view packet, const IpAddress& target);

struct ProbeInterface {
  std::string name;
  int index = 0;
  MacAddress mac = {};
};

struct ProbeTarget {
  IpAddress address;
  // Where it is asked for.
  std::vector<ProbeInterface> interfaces;
};

// Sends three probes for each, 300 ms apart, and listens 300 ms more. The first claim of each
// target by somebody who is not one of the interfaces itself; ends early when each has one.
absl::StatusOr<std::vector<AddressOwner>> ProbeByArp(const std::vector<ProbeTarget>& targets);
// Tells the network. Nobody answers.
absl::Status AnnounceByArp(const ProbeInterface& interface, const IpAddress& address);

}  // namespace hostq::agent
