#include "common/rpc/credentials.h"

#include <cstdlib>
#include <mutex>

#include "absl/strings/string_view.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace hostq {
namespace {

grpc::SslServerCredentialsOptions::PemKeyCertPair KeyCertPair(const TlsIdentity& identity) {
  return {std::string(identity.private_key_pem.Reveal()), identity.certificate_chain_pem};
}

}  // namespace

void RequireTls13() {
  static std::once_flag once;
  std::call_once(once, [] { ::setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", 1); });
}

std::shared_ptr<grpc::ServerCredentials> MutualTlsServerCredentials(const TlsIdentity& identity,
                                                                    const std::string& ca_pem) {
  RequireTls13();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = ca_pem;
  options.pem_key_cert_pairs.push_back(KeyCertPair(identity));
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(const TlsIdentity& identity) {
  RequireTls13();
  grpc::SslServerCredentialsOptions options(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_key_cert_pairs.push_back(KeyCertPair(identity));
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ServerCredentials> WatchedServerCredentials(const WatchedFiles& files,
                                                                  ClientCertificate wanted) {
  RequireTls13();
  constexpr unsigned int kSeconds = 1;
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          files.identity, files.identity, files.trusted, kSeconds));
  options.watch_identity_key_cert_pairs();
  if (wanted != ClientCertificate::kNone) options.watch_root_certs();
  options.set_cert_request_type(wanted == ClientCertificate::kNone
                                    ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                : wanted == ClientCertificate::kOptional
                                    ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY
                                    : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> MutualTlsChannelCredentials(const TlsIdentity& identity,
                                                                      const std::string& ca_pem) {
  RequireTls13();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ca_pem;
  options.pem_private_key = std::string(identity.private_key_pem.Reveal());
  options.pem_cert_chain = identity.certificate_chain_pem;
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> TlsChannelCredentials(const std::string& ca_pem) {
  RequireTls13();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ca_pem;
  return grpc::SslCredentials(options);
}

void ApplyManagerName(grpc::ChannelArguments& arguments) {
  arguments.SetSslTargetNameOverride(std::string(kManagerName));
}

}  // namespace hostq
