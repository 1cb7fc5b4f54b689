#include "manager/listener_limits.h"

namespace hostq::manager {
namespace {

constexpr size_t kMiB = 1 << 20;

ListenerLimits OfAgents(size_t connections, size_t per_address) {
  ListenerLimits limits;
  // A session; and room for one that begins while gRPC has not yet noticed the end of the last.
  limits.server.streams = 16;
  limits.calls.burst = 16;
  limits.calls.per_second = 1;
  // Long enough for all nodes at once after the manager was away.
  limits.server.handshake = absl::Seconds(10);
  limits.server.idle = absl::Seconds(15);
  limits.server.memory = 512 * kMiB;
  limits.acceptor.connections = connections;
  limits.acceptor.connections_per_source = per_address;
  // Hello, certificate and signature are more.
  limits.acceptor.silent_bytes = 1'200;
  limits.acceptor.first_byte = limits.server.handshake;
  // All nodes behind an address may come back at once, twice.
  limits.acceptor.rate.burst = 2.0 * static_cast<double>(per_address);
  limits.acceptor.rate.per_second = static_cast<double>(per_address) / 10;
  return limits;
}

ListenerLimits OfEnrollment() {
  ListenerLimits limits;
  limits.server.streams = 4;
  limits.calls.burst = 16;
  limits.calls.per_second = 1;
  limits.server.handshake = absl::Seconds(5);
  limits.server.idle = absl::Seconds(10);
  limits.server.age = absl::Seconds(20);
  limits.server.memory = 64 * kMiB;
  // Anybody may call. A join makes three connections, sends less than 20 KiB, and is let through
  // once a second (Enroller).
  limits.acceptor.connections = 1'000;
  limits.acceptor.connections_per_source = 30;
  // The handshake alone is less, the request is more.
  limits.acceptor.silent_bytes = 1'200;
  limits.acceptor.first_byte = limits.server.handshake;
  limits.acceptor.rate.burst = 60;
  limits.acceptor.rate.per_second = 5;
  limits.acceptor.bytes = 256 << 10;
  limits.acceptor.penalty = 5;
  return limits;
}

// Administrators elsewhere and programs: each may begin as many calls as the limit of callers lets
// through, and as many again that are refused. Anybody may connect, and has to show soon who it is.
ListenerLimits OfApi(const ManagerConfig::Limits& config) {
  ListenerLimits limits;
  limits.server.streams = 100;
  limits.calls.per_second = 2.0 * static_cast<double>(config.requests_per_second);
  limits.calls.burst = 2 * limits.calls.per_second;
  limits.server.handshake = absl::Seconds(5);
  // A channel connects again by itself.
  limits.server.idle = absl::Seconds(30);
  limits.server.memory = 128 * kMiB;
  limits.acceptor.connections = 2'000;
  limits.acceptor.connections_per_source = 200;
  // The handshake and the key are more.
  limits.acceptor.silent_bytes = 800;
  limits.acceptor.first_byte = limits.server.handshake;
  // A script that calls hostq again and again from one machine.
  limits.acceptor.rate.burst = 200;
  limits.acceptor.rate.per_second = 20;
  // A handshake and a first request, which gRPC reads as a whole before anybody can look at the
  // key: what reads it all day is a stranger.
  limits.acceptor.stranger_bytes = 64 << 10;
  limits.acceptor.stranger_time = absl::Seconds(15);
  limits.acceptor.penalty = 20;
  return limits;
}

ListenerLimits OfSocket(const ManagerConfig::Limits& config) {
  ListenerLimits limits;
  limits.server.streams = 100;
  limits.calls.per_second = 2.0 * static_cast<double>(config.requests_per_second);
  limits.calls.burst = 2 * limits.calls.per_second;
  // gRPC's timeout of handshakes does not count here: connections are handed to it (Server).
  limits.server.idle = absl::Seconds(10);
  limits.server.memory = 256 * kMiB;
  return limits;
}

}  // namespace

// As of the API, with what browsers add: several connections each, and streams of events that stay
// open. The two ports do not take from each other.
ListenerLimits LimitsOfHttps(const ManagerConfig::Limits& config) {
  ListenerLimits limits = OfApi(config);
  // 80 KiB each.
  limits.acceptor.connections = 3'000;
  limits.acceptor.connections_per_source = 300;
  limits.acceptor.rate.burst = 400;
  limits.acceptor.rate.per_second = 50;
  // The first request of a connection may be as large as a request can be. HttpServer bounds how
  // long it takes and what all of them hold together.
  limits.acceptor.stranger_bytes = 400 << 10;
  limits.acceptor.stranger_time = absl::Seconds(30);
  return limits;
}

ListenerLimits LimitsOf(Listener listener, bool remote, const ManagerConfig::Limits& config) {
  switch (listener) {
    case Listener::kAgents:
      return OfAgents(static_cast<size_t>(config.connections),
                      static_cast<size_t>(config.connections_per_address));
    case Listener::kEnrollment:
      return OfEnrollment();
    case Listener::kAdministration:
    case Listener::kHealth:
      break;
  }
  return remote ? OfApi(config) : OfSocket(config);
}

}  // namespace hostq::manager
