#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host/ip_address.h"

namespace hostq::agent {

struct InterfaceAddress {
  std::string interface;
  IpAddress address;
  int prefix = 0;
};

// Who answers for an address on the network.
struct AddressOwner {
  IpAddress address;
  std::string mac;        // "02:00:00:00:0d:01"
  std::string interface;  // of this node, on which the answer came
};

// What the kernel does with ARP on one interface: the larger of its own value and that of "all".
struct ArpSetting {
  std::string interface;
  int ignore = 0;
  int announce = 0;
};

// The seam to addresses, by netlink. Errors: PERMISSION_DENIED, OUT_OF_RESOURCES, INTERNAL.
class Addresses {
 public:
  virtual ~Addresses() = default;
  // Every address of every interface of this network namespace.
  virtual absl::StatusOr<std::vector<InterfaceAddress>> List() = 0;
  // As /32 or /128, scope host, without duplicate address detection. OK if it is there already.
  virtual absl::Status AddToLoopback(const IpAddress& address) = 0;
  // The /32 or /128 only. OK if it is not there.
  virtual absl::Status RemoveFromLoopback(const IpAddress& address) = 0;
  // The same on an interface to the network, which then answers for the address: the network is
  // told (a gratuitous ARP). IPv6: not used for this machine's own connections.
  virtual absl::Status AddToInterface(const std::string& interface, const IpAddress& address) = 0;
  virtual absl::Status RemoveFromInterface(const std::string& interface,
                                           const IpAddress& address) = 0;
  // Asks the network as RFC 5227 does (three probes within a second, sender 0.0.0.0, so that
  // nobody's cache changes), on the interface whose subnet has the address, or on all Ethernet
  // interfaces that are up. Nothing if nobody answers, if there is no such interface, or for IPv6.
  // Another host's probe for the same address is no answer.
  virtual absl::StatusOr<std::optional<AddressOwner>> FindOwner(const IpAddress& address) = 0;
  // The same of several at once, in the time that one takes: those that have an owner.
  virtual absl::StatusOr<std::vector<AddressOwner>> FindOwners(
      const std::vector<IpAddress>& addresses) = 0;
  // Of each Ethernet interface that is up.
  virtual absl::StatusOr<std::vector<ArpSetting>> ArpSettings() = 0;
};

}  // namespace hostq::agent
