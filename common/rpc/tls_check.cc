#include "common/rpc/tls_check.h"

#include <openssl/pem.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/rpc/tls_connection.h"

namespace hostq {
namespace {

// What a client of HTTP/2 says first (RFC 9113, section 3.4), with an empty SETTINGS frame. A
// server answers with its own settings.
constexpr absl::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 24 + 9);

absl::Status Refused(absl::string_view why, absl::string_view remedy) {
  return WithRemedy(MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated, why),
                    remedy);
}

absl::Status Trust(SSL_CTX* context, absl::string_view ca_pem) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<openssl::X509Ptr> authorities,
                         openssl::CertificatesFromPem(ca_pem));
  std::vector<X509*> trusted;
  for (const openssl::X509Ptr& one : authorities) trusted.push_back(one.get());
  SSL_CTX_set_cert_store(context, openssl::StoreOf(trusted).release());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  const std::string name(kManagerName);
  HOSTQ_CHECK(X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(context), name.data(), name.size()) ==
              1);
  return absl::OkStatus();
}

absl::Status Show(SSL_CTX* context, const TlsIdentity& identity) {
  HOSTQ_ASSIGN_OR_RETURN(const openssl::X509Ptr leaf,
                         openssl::CertificateFromPem(identity.certificate_chain_pem));
  const absl::string_view pem = identity.private_key_pem.Reveal();
  const openssl::BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const openssl::KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return openssl::Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                          "certificate and key do not belong together");
  }
  return absl::OkStatus();
}

std::string At(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

absl::Status HungUp(const TlsIdentity& identity, absl::string_view how) {
  if (identity.certificate_chain_pem.empty()) {
    return Refused(absl::StrCat("it is the manager, but it wants a certificate there (", how, ")"),
                   "take the port of the join line that 'hostq node add' prints (listen.enrollment "
                   "of the manager): the other one is for nodes that have joined");
  }
  std::string shown = "the certificate of this node";
  if (const auto info = ParseCertificate(identity.certificate_chain_pem); info.ok()) {
    absl::StrAppend(&shown, " (serial ", info->serial, ", valid from ", At(info->not_before),
                    " to ", At(info->not_after), ")");
  }
  return Refused(absl::StrCat("it is the manager, but it does not take ", shown, ": ", how),
                 "compare the clocks of both machines; if they are right, join the node again: "
                 "hostq node rejoin NAME");
}

absl::Status Check(absl::string_view host_port, const TlsIdentity& identity,
                   absl::string_view ca_pem, absl::Duration timeout) {
  const openssl::SslContextPtr context = TlsConnection::NewContext();
  HOSTQ_RETURN_IF_ERROR(Trust(context.get(), ca_pem));
  if (!identity.certificate_chain_pem.empty()) {
    HOSTQ_RETURN_IF_ERROR(Show(context.get(), identity));
  }
  HOSTQ_ASSIGN_OR_RETURN(TlsConnection connection,
                         TlsConnection::Connect(host_port, SystemClock().Monotonic() + timeout));
  const absl::Status shaken = connection.Handshake(context.get());
  if (const long verified = SSL_get_verify_result(connection.ssl()); verified != X509_V_OK) {
    return Refused(absl::StrCat("it shows a certificate that is not a manager's of this cluster: ",
                                X509_verify_cert_error_string(verified),
                                "; the clock of this machine says ", At(SystemClock().Now())),
                   "compare the clocks of both machines; if the manager was set up anew, join the "
                   "node again: hostq node rejoin NAME");
  }
  HOSTQ_RETURN_IF_ERROR(shaken);
  const absl::Status answer = connection.SendAndAwait(kPreface);
  return absl::IsUnavailable(answer) ? HungUp(identity, answer.message()) : answer;
}

}  // namespace

absl::Status CheckTls(absl::string_view host_port, const TlsIdentity& identity,
                      absl::string_view ca_pem, absl::Duration timeout) {
  const absl::Status status = Check(host_port, identity, ca_pem, timeout);
  if (status.ok()) return status;
  return WithRemedy(MakeError(status.code(), ReasonOf(status),
                              absl::StrCat("manager at ", host_port, ": ", status.message())),
                    RemedyOf(status));
}

}  // namespace hostq
