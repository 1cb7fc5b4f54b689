#pragma once

#include <sys/socket.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hostq::agent {

// An address with a port, as the socket calls take it.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// The first address of `host`, an address or a name. SHARE_SERVER_UNREACHABLE if it has none.
absl::StatusOr<SocketAddress> Resolve(const std::string& host, int port);
std::string NumericHost(const SocketAddress& address);
// The address of this machine from which `to` is reached. Sends nothing.
absl::StatusOr<std::string> LocalAddressTowards(const SocketAddress& to);
// 0, or the errno of the attempt (ETIMEDOUT after `timeout`).
int ConnectTcp(const SocketAddress& to, absl::Duration timeout);

}  // namespace hostq::agent
