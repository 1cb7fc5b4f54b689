#pragma once

#include <cstdint>
#include <optional>
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
  // As it was shown, PEM.
  std::string certificate_pem;
  // From where, without the port; empty: not known.
  std::string address;
};

// From the verified client certificate of a connection with MutualTlsServerCredentials: exactly one
// URI "hostq://node/NAME/INCARNATION", and valid at `now` (a resumed TLS session does not check
// that again). Whether the node still exists and the incarnation is the current one is the caller's
// question. Does not block.
// Errors: UNAUTHENTICATED (UNAUTHENTICATED).
absl::StatusOr<PeerNode> PeerNodeOf(const grpc::AuthContext& context, absl::Time now = absl::Now());
absl::StatusOr<PeerNode> PeerNodeOf(const grpc::ServerContextBase& context,
                                    absl::Time now = absl::Now());

// The administrator at the other end, as the certificate says.
struct PeerAdministrator {
  std::string name;
  // CertificateInfo::hash.
  std::string certificate_hash;
};

// The verified client certificate of a connection, PEM. Empty: the client showed none. Does not
// block.
std::string PeerCertificateOf(const grpc::ServerContextBase& context);

// From a verified client certificate: exactly one URI "hostq://admin/NAME", and valid at `now`.
// Whether the certificate is the administrator's current one is the caller's question. Does not
// block. Errors: UNAUTHENTICATED (UNAUTHENTICATED).
absl::StatusOr<PeerAdministrator> PeerAdministratorOf(absl::string_view certificate_pem,
                                                      absl::Time now);

// The address alone of "ipv4:192.0.2.1:4711", "ipv6:%5B2001:db8::1%5D:4711" or
// "ipv6:%5Bfe80::1%252%5D:4711"; the whole text if it is of another kind ("unix:/run/...").
std::string PeerAddress(absl::string_view grpc_peer);

}  // namespace hostq
