#pragma once

#include "grpcpp/server_builder.h"
#include "grpcpp/support/channel_arguments.h"

namespace hostq {

// The largest message either side takes. Twice of what the protocol's own limits add up to (a
// result is at most 1 MiB, a hello with 10,000 tasks in flight about 1.5 MiB).
inline constexpr int kMaxMessageBytes = 4 << 20;

// What every listener and every channel of hostq has in common: message size, keepalive (a peer
// that vanished is noticed within 30 s, also when no call is open), no port sharing between two
// servers, no proxies from the environment, no retries behind our back.
void ConfigureServer(grpc::ServerBuilder& builder);
void ConfigureChannel(grpc::ChannelArguments& arguments);

// gRPC's own messages (failed handshakes, mostly) become lines of our log: its errors as warnings,
// the rest as debug; at most ten warnings a second, so that a stranger cannot fill the disk. Call
// after InitLog() and before any other use of gRPC.
void RouteGrpcLog();

}  // namespace hostq
