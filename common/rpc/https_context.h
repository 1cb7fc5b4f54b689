#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/credentials.h"

// OpenSSL's, which only this folder and common/crypto see.
struct ssl_ctx_st;
struct ssl_st;

namespace hostq {

struct TlsContextDeleter {
  void operator()(ssl_ctx_st* context) const;
};
using TlsContextPtr = std::unique_ptr<ssl_ctx_st, TlsContextDeleter>;

// What connections to an HTTPS server are made with: TLS 1.3, HTTP/1.1, the identity in the file,
// and the authorities by which a client's certificate is verified, if it shows one (one that is not
// of theirs ends the connection). No session is resumed: who is trusted is looked at each time.
// Blocks on the disk. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT: the files do not fit), or what
// the system said about them.
absl::StatusOr<TlsContextPtr> HttpsServerContext(const WatchedFiles& files);

// The verified certificate of the client, in PEM. Empty: it showed none. After the handshake.
std::string ClientCertificateOf(ssl_st* connection);

}  // namespace hostq
