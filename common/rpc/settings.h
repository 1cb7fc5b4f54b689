#pragma once

#include <cstddef>

#include "absl/time/time.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/channel_arguments.h"

namespace hostq {

// The largest message either side takes. Twice of what the protocol's own limits add up to (a
// result is at most 1 MiB, a hello with 10,000 tasks in flight about 1.5 MiB).
inline constexpr int kMaxMessageBytes = 4 << 20;

// What one listener gives its peers.
struct ServerLimits {
  // Calls at once on a connection. More end the connection.
  int streams = 100;
  // From the connection to its first frame of HTTP/2, TLS included.
  absl::Duration handshake = absl::Seconds(10);
  // A connection without a call is ended after this.
  absl::Duration idle = absl::InfiniteDuration();
  // A connection is ended after this, and 5 s later its calls too.
  absl::Duration age = absl::InfiniteDuration();
  // For what gRPC buffers of all connections of the listener. Above it, it takes no more and ends
  // calls; other listeners do not notice.
  size_t memory = size_t{256} << 20;
};

// What every listener and every channel of hostq has in common: message size, keepalive (a peer
// that vanished is noticed within 30 s, also when no call is open), no port sharing between two
// servers, no proxies from the environment, no retries behind our back. A server takes nothing that
// is compressed: a few KiB would become the largest message many times over before anybody could
// say how large it is.
void ConfigureServer(grpc::ServerBuilder& builder, const ServerLimits& limits = {});
void ConfigureChannel(grpc::ChannelArguments& arguments);

// gRPC's own messages (failed handshakes, mostly) become lines of our log: its errors as warnings,
// the rest as debug; at most ten warnings a second, so that a stranger cannot fill the disk. Call
// after InitLog() and before any other use of gRPC.
void RouteGrpcLog();

}  // namespace hostq
