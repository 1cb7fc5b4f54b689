#include "common/rpc/pin.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/openssl.h"
#include "common/rpc/tls_connection.h"

namespace hostq {
namespace {

// The authority among the certificates shown, if the server's own is what it must be.
absl::StatusOr<std::string> Judge(const SSL* ssl, absl::string_view pin) {
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  X509* leaf = SSL_get0_peer_certificate(ssl);
  X509* authority = nullptr;
  std::vector<std::string> shown;
  for (int i = 0; leaf != nullptr && i < sk_X509_num(chain); ++i) {
    X509* certificate = sk_X509_value(chain, i);
    if (X509_check_ca(certificate) != 1) continue;
    shown.push_back(openssl::KeyHash(certificate));
    if (shown.back() == pin) authority = certificate;
  }
  const auto refuse = [](absl::string_view why) {
    return MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated, why);
  };
  if (authority == nullptr) {
    return refuse(absl::StrCat("not the pinned authority: expected ", pin, ", shown ",
                               shown.empty() ? "none" : absl::StrJoin(shown, ", ")));
  }
  HOSTQ_RETURN_IF_ERROR(openssl::VerifyIssuedBy(leaf, {}, {authority}, X509_PURPOSE_SSL_SERVER,
                                                absl::ToUnixSeconds(SystemClock().Now())));
  if (X509_check_host(leaf, kManagerName.data(), kManagerName.size(),
                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) != 1) {
    return refuse("the server's certificate is not a manager's");
  }
  return openssl::CertificateToPem(authority);
}

absl::StatusOr<std::string> Fetch(absl::string_view host_port, absl::string_view pin,
                                  absl::Duration deadline) {
  HOSTQ_ASSIGN_OR_RETURN(TlsConnection connection, TlsConnection::Connect(host_port, deadline));
  // By default OpenSSL's clients judge nothing: that is done afterwards, by the pin.
  const openssl::SslContextPtr context = TlsConnection::NewContext();
  HOSTQ_RETURN_IF_ERROR(connection.Handshake(context.get()));
  return Judge(connection.ssl(), pin);
}

}  // namespace

absl::StatusOr<std::string> FetchCaByPin(absl::string_view host_port, absl::string_view pin,
                                         absl::Duration timeout) {
  if (!IsPin(pin)) {
    return InvalidField(Reason::kInvalidArgument, "pin", "not sha256: and 64 lower-case digits");
  }
  absl::StatusOr<std::string> ca = Fetch(host_port, pin, SystemClock().Monotonic() + timeout);
  if (ca.ok() || absl::IsInvalidArgument(ca.status())) return ca;
  return MakeError(ca.status().code(), ReasonOf(ca.status()),
                   absl::StrCat("manager at ", host_port, ": ", ca.status().message()));
}

}  // namespace hostq
