#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/host/ip_address.h"

namespace hostq::agent {

// Where a virtual service sends connections.
struct RealServer {
  enum class Forwarding { kDirect, kTunnel, kOther };

  IpAddress address;
  uint16_t port = 0;
  // 0: no new connections.
  int weight = 0;
  Forwarding forwarding = Forwarding::kDirect;
  friend bool operator==(const RealServer&, const RealServer&) = default;
};

// TCP on one address and port, spread over real servers by the kernel (IPVS).
struct VirtualService {
  IpAddress address;
  uint16_t port = 0;
  std::string scheduler;
  // In seconds; 0: none.
  uint32_t persistence = 0;
  // By address.
  std::vector<RealServer> servers;
  friend bool operator==(const VirtualService&, const VirtualService&) = default;
};

// The seam to IPVS in this network namespace, by netlink. Errors: KERNEL_WITHOUT_IPVS,
// PERMISSION_DENIED, OUT_OF_RESOURCES, INTERNAL.
class VirtualServices {
 public:
  virtual ~VirtualServices() = default;
  // Whether the kernel has IPVS now, after trying to load the module.
  virtual absl::Status Check() = 0;
  // Those of TCP, by address and port.
  virtual absl::StatusOr<std::vector<VirtualService>> List() = 0;
  // The same as far as it can be seen without privileges: `persistence` is 1 if there is any. None
  // if the kernel has no IPVS.
  virtual absl::StatusOr<std::vector<VirtualService>> Glimpse() = 0;
  // Adds it, or changes the one of this address and port. Its servers are left as they are.
  virtual absl::Status Put(const VirtualService& service) = 0;
  // With its servers. OK if it is not there.
  virtual absl::Status Remove(const VirtualService& service) = 0;
  // Adds it, or changes the one of this address.
  virtual absl::Status PutServer(const VirtualService& service, const RealServer& server) = 0;
  // Ends its connections. OK if it is not there.
  virtual absl::Status RemoveServer(const VirtualService& service, const RealServer& server) = 0;
};

// The TCP services in what /proc/net/ip_vs says, sorted as in List; what cannot be read is left
// out.
std::vector<VirtualService> ParseVirtualServices(absl::string_view text);
// By address and port, and so their servers.
void Sort(std::vector<VirtualService>& services);

}  // namespace hostq::agent
