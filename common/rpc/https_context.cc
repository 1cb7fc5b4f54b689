#include "common/rpc/https_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/error.h"
#include "common/crypto/openssl.h"
#include "common/crypto/secret_file.h"

namespace hostq {
namespace {

// The only protocol there is; a client that names others only is sent away.
constexpr unsigned char kAlpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* in, unsigned int in_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kAlpn, sizeof(kAlpn), in, in_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

absl::Status Unfit(absl::string_view file, absl::string_view why) {
  return openssl::Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                        absl::StrCat(file, ": ", why));
}

absl::Status UseIdentity(SSL_CTX* context, const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(const SecretString text, ReadSecretFile(path));
  const absl::string_view pem = text.Reveal();
  const openssl::BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  HOSTQ_CHECK(bio != nullptr);
  const openssl::KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr) return Unfit(path, "no private key");
  HOSTQ_ASSIGN_OR_RETURN(const auto certificates, openssl::CertificatesFromPem(pem));
  if (SSL_CTX_use_certificate(context, certificates[0].get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return Unfit(path, "key and certificate do not fit together");
  }
  for (size_t i = 1; i < certificates.size(); ++i) {
    HOSTQ_CHECK(SSL_CTX_add1_chain_cert(context, certificates[i].get()) == 1);
  }
  return absl::OkStatus();
}

absl::Status TrustAuthorities(SSL_CTX* context, const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string pem, ReadFile(path));
  HOSTQ_ASSIGN_OR_RETURN(const auto certificates, openssl::CertificatesFromPem(pem));
  std::vector<X509*> authorities;
  for (const auto& certificate : certificates) {
    authorities.push_back(certificate.get());
    // A browser offers its user the certificates that are of these.
    HOSTQ_CHECK(SSL_CTX_add_client_CA(context, certificate.get()) == 1);
  }
  SSL_CTX_set_cert_store(context, openssl::StoreOf(authorities).release());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return absl::OkStatus();
}

}  // namespace

void TlsContextDeleter::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

absl::StatusOr<TlsContextPtr> HttpsServerContext(const WatchedFiles& files) {
  TlsContextPtr context(SSL_CTX_new(TLS_server_method()));
  HOSTQ_CHECK(context != nullptr);
  HOSTQ_CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  HOSTQ_CHECK(SSL_CTX_set_num_tickets(context.get(), 0) == 1);
  // Thousands of connections say nothing most of the time.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, nullptr);
  HOSTQ_RETURN_IF_ERROR(UseIdentity(context.get(), files.identity));
  HOSTQ_RETURN_IF_ERROR(TrustAuthorities(context.get(), files.trusted));
  return context;
}

std::string ClientCertificateOf(ssl_st* connection) {
  const openssl::X509Ptr certificate(SSL_get1_peer_certificate(connection));
  if (certificate == nullptr || SSL_get_verify_result(connection) != X509_V_OK) return "";
  return openssl::CertificateToPem(certificate.get()).value_or("");
}

}  // namespace hostq
