#pragma once

#include <memory>
#include <string>

#include "common/crypto/identity.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace hostq {

// TLS 1.3 only. gRPC 1.51 has no option for it, and OpenSSL's configuration file does not help
// because gRPC sets the lowest version itself. What it does let us choose are the cipher suites for
// TLS 1.2, once for the process, through the environment (GRPC_SSL_CIPHER_SUITES): these functions
// set it to a suite that needs a pre-shared key, which neither side has, so that a TLS 1.2
// handshake finds no common suite. The first call must come before any other use of gRPC with TLS
// and before other threads read the environment: RequireTls13() at the top of main() makes sure of
// it.
void RequireTls13();

// Malformed PEM is not noticed here but when the server starts or the channel connects.

// The client must show a certificate that the authority signed for clients (checked: signature,
// validity, purpose). Who it is: peer.h.
std::shared_ptr<grpc::ServerCredentials> MutualTlsServerCredentials(const TlsIdentity& identity,
                                                                    const std::string& ca_pem);
// No certificate is asked of the client: for enrolment only.
std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(const TlsIdentity& identity);

// What is asked of the clients of a listener.
enum class ClientCertificate {
  kNone,
  kOptional,  // who shows one shows one that is verified; whether there is one: peer.h
  kRequired,
};

// Where a listener's key and certificates are. Whoever changes a file replaces it (rename).
struct WatchedFiles {
  // The server's key, then its certificate, then those between it and the authority, in PEM.
  std::string identity;
  // The authorities by which clients are verified.
  std::string trusted;
};

// The same as the two above, but with what is in the files, which are read again every second: a
// new server certificate, another set of authorities count for new connections without a restart.
// While a file does not fit, nobody gets in: whoever replaces one has looked at it before. The
// first reading is done when this returns. Blocks on the disk.
std::shared_ptr<grpc::ServerCredentials> WatchedServerCredentials(const WatchedFiles& files,
                                                                  ClientCertificate wanted);

// The server must show a certificate that the authority signed and that has the name it is called
// by: pass arguments that went through ApplyManagerName().
std::shared_ptr<grpc::ChannelCredentials> MutualTlsChannelCredentials(const TlsIdentity& identity,
                                                                      const std::string& ca_pem);
std::shared_ptr<grpc::ChannelCredentials> TlsChannelCredentials(const std::string& ca_pem);

// The channel expects "hostq-manager" in the server's certificate, whatever address it connects to.
void ApplyManagerName(grpc::ChannelArguments& arguments);

}  // namespace hostq
