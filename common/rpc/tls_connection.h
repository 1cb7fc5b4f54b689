#pragma once

// For common/rpc only.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/openssl.h"

namespace hostq {

// A client's TLS 1.3 connection to a manager without gRPC, for what gRPC does not tell: which
// certificates were shown, why a handshake failed. Not for more than one thread at a time.
class TlsConnection {
 public:
  // TLS 1.3, HTTP/2; whether the server's certificate is judged is up to the caller.
  static openssl::SslContextPtr NewContext();

  // Connects to `host_port` ("192.0.2.1:7444", "[2001:db8::1]:7444", "name:7444"). Blocks until
  // `deadline` (on the monotonic clock), name resolution apart. Errors: INVALID_ARGUMENT
  // (INVALID_ARGUMENT: the address), UNAVAILABLE (nobody there), DEADLINE_EXCEEDED.
  static absl::StatusOr<TlsConnection> Connect(absl::string_view host_port,
                                               absl::Duration deadline);

  TlsConnection(TlsConnection&& other) noexcept;
  ~TlsConnection();

  // Once, before what follows; asks for the manager by its name. Errors: UNAVAILABLE (no TLS 1.3
  // there, or the context's verification failed: see SSL_get_verify_result of ssl()),
  // DEADLINE_EXCEEDED.
  absl::Status Handshake(SSL_CTX* context);

  // Sends all of `bytes`, then waits for at least one byte. Errors: UNAVAILABLE (the other side has
  // hung up; the message says with which alert, if with any), DEADLINE_EXCEEDED.
  absl::Status SendAndAwait(absl::string_view bytes);

  const SSL* ssl() const { return ssl_.get(); }

 private:
  TlsConnection(int socket, absl::Duration deadline) : socket_(socket), deadline_(deadline) {}
  template <typename Operation>
  absl::Status Complete(absl::string_view what, Operation operation);

  int socket_;
  absl::Duration deadline_;
  openssl::SslPtr ssl_;
};

}  // namespace hostq
