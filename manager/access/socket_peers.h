#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "common/base/mutex.h"

namespace hostq::manager {

// Who is at the other end of each connection of the local socket, as the kernel said when it was
// accepted (SO_PEERCRED), by the number of the connection's descriptor. An entry stays until the
// number is used again: a call may be looked at after its connection has gone. Thread-safe.
class SocketPeers {
 public:
  struct Peer {
    uint32_t uid = 0;
    std::string name;  // of the user; "uid 1234" if it has none
  };
  void Put(int descriptor, Peer peer);
  // Of gRPC's name of the connection, "fd:17". Nothing: it is no such connection.
  std::optional<Peer> Find(const std::string& grpc_peer) const;

 private:
  mutable Mutex mutex_;
  absl::flat_hash_map<int, Peer> peers_ ABSL_GUARDED_BY(mutex_);
};

// The actor of a call over the local socket. The kernel says who it is; only root is believed what
// it says of itself (sudo knows on whose behalf): "alice (root)".
std::string LocalActor(const SocketPeers::Peer& peer, const std::string& said);

}  // namespace hostq::manager
