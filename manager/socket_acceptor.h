#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "manager/access/socket_peers.h"
#include "manager/user_names.h"

namespace hostq::manager {

// Listens on the local socket, asks the kernel who each connection comes from, and hands it on.
// gRPC would listen itself, but does not tell the user at the other end.
class SocketAcceptor {
 public:
  // `accepted` gets each connection, not blocking, after `peers` knows its descriptor; it owns it.
  // Called on the acceptor's thread. `path` was prepared (PrepareAdminSocket); until
  // OpenAdminSocket nobody else may use it: see RestrictedUmask. `peers` must outlive it.
  // Errors: what the system says.
  static absl::StatusOr<std::unique_ptr<SocketAcceptor>> Listen(const std::string& path,
                                                                SocketPeers& peers,
                                                                std::function<void(int)> accepted);
  // Ends the connection that gRPC calls "fd:17", if it is one of a Unix socket. Any thread.
  static void EndConnection(const std::string& grpc_peer);
  // Accepts no more, and removes the socket if it is still this one. Connections go on.
  ~SocketAcceptor();
  SocketAcceptor(const SocketAcceptor&) = delete;
  SocketAcceptor& operator=(const SocketAcceptor&) = delete;

 private:
  SocketAcceptor(std::string path, int listener, int stop, SocketPeers& peers,
                 std::function<void(int)> accepted);
  void Loop();
  void Accept();
  // The same connection under a number that was not used for long: a call of an earlier connection
  // may still be looked at under its number.
  int Renumber(int connection);

  const std::string path_;
  const int listener_;
  const int stop_;  // an eventfd
  SocketPeers& peers_;
  UserNames names_;
  const std::function<void(int)> accepted_;
  int lowest_ = 0;
  int next_ = 0;
  std::thread thread_;
};

}  // namespace hostq::manager
