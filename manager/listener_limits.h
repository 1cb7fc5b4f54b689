#pragma once

#include "common/config/manager_config.h"
#include "common/rpc/settings.h"
#include "manager/api/authorization.h"
#include "manager/tcp_acceptor.h"

namespace hostq::manager {

// What may be taken of the manager through one listener. They differ because those who call do:
// a node has one stream for as long as it lives, one that joins makes one short call, and whoever
// may use the local socket is trusted with more.
struct ListenerLimits {
  ServerLimits server;
  // Not of the local socket.
  TcpAcceptor::Limits acceptor;
  // Calls begun on one connection.
  RateLimiter::Options calls;
};
// `remote`: it has a port; administration is on the local socket too.
ListenerLimits LimitsOf(Listener listener, bool remote, const ManagerConfig::Limits& config);

// Of the HTTPS port: `acceptor`, and as `calls` the requests of one source.
ListenerLimits LimitsOfHttps(const ManagerConfig::Limits& config);

}  // namespace hostq::manager
