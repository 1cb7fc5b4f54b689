#include "manager/access/socket_peers.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/text.h"

namespace hostq::manager {

void SocketPeers::Put(int descriptor, Peer peer) {
  const MutexLock lock(mutex_);
  peers_[descriptor] = std::move(peer);
}

std::optional<SocketPeers::Peer> SocketPeers::Find(const std::string& grpc_peer) const {
  absl::string_view rest = grpc_peer;
  int descriptor = 0;
  if (!absl::ConsumePrefix(&rest, "fd:") || !absl::SimpleAtoi(rest, &descriptor)) {
    return std::nullopt;
  }
  const MutexLock lock(mutex_);
  const auto found = peers_.find(descriptor);
  if (found == peers_.end()) return std::nullopt;
  return found->second;
}

std::string LocalActor(const SocketPeers::Peer& peer, const std::string& said) {
  if (peer.uid != 0 || said.empty() || said == peer.name) return peer.name;
  std::string name = said;
  // Metadata may be any bytes; the history is text.
  for (char& c : name) {
    if (!absl::ascii_isprint(c)) c = '?';
  }
  return absl::StrCat(Printable(name, 64), " (", peer.name, ")");
}

}  // namespace hostq::manager
