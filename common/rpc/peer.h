#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/security/auth_context.h"
#include "grpcpp/server_context.h"

namespace hostq {

// The node at the other end of a connection, as its certificate says.
struct PeerNode {
  std::string name;
  int64_t incarnation = 0;
  // Of the certificate; lower-case hexadecimal.
  std::string serial;
  absl::Time not_before;
  // A stream can outlive its certificate: whoever keeps one open compares again.
  absl::Time not_after;
};

// From the verified client certificate of a connection with MutualTlsServerCredentials: exactly one
// URI "hostq://node/NAME/INCARNATION", and valid at `now` (a resumed TLS session does not check
// that again). Whether the node still exists and the incarnation is the current one is the caller's
// question. Does not block.
// Errors: UNAUTHENTICATED (UNAUTHENTICATED).
absl::StatusOr<PeerNode> PeerNodeOf(const grpc::AuthContext& context, absl::Time now = absl::Now());
absl::StatusOr<PeerNode> PeerNodeOf(const grpc::ServerContextBase& context,
                                    absl::Time now = absl::Now());

// The address alone of "ipv4:192.0.2.1:4711" or "ipv6:%5B2001:db8::1%5D:4711"; the whole text if it
// is of another kind ("unix:/run/...").
std::string PeerAddress(absl::string_view grpc_peer);

}  // namespace hostq
