#include "common/crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/hash.h"

namespace hostq::openssl {

absl::Status Error(absl::StatusCode code, Reason reason, absl::string_view what) {
  // The first error in the queue is nearest to the cause.
  const unsigned long number = ERR_get_error();
  ERR_clear_error();
  const char* text = number == 0 ? nullptr : ERR_reason_error_string(number);
  return MakeError(code, reason,
                   text == nullptr ? std::string(what) : absl::StrCat(what, ": ", text));
}

absl::StatusOr<X509Ptr> CertificateFromPem(absl::string_view pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  HOSTQ_CHECK(bio != nullptr);
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                 "not a certificate in PEM (one in DER: openssl x509 -inform der -in FILE)");
  }
  return certificate;
}

absl::StatusOr<std::vector<X509Ptr>> CertificatesFromPem(absl::string_view pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  HOSTQ_CHECK(bio != nullptr);
  std::vector<X509Ptr> certificates;
  while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(one);
  }
  // That there is no more is an error to OpenSSL as well.
  const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!end || certificates.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                 "not certificates in PEM (one in DER: openssl x509 -inform der -in FILE)");
  }
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<std::string> CertificateToPem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_X509(bio.get(), certificate) != 1) {
    return Error(absl::StatusCode::kInternal, Reason::kInternal, "cannot write a certificate");
  }
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio.get(), &data));
  return std::string(data, size);
}

std::string KeyHash(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = key == nullptr ? 0 : i2d_PUBKEY(key, &der);
  if (size <= 0) return "";
  std::string hash = absl::StrCat(
      "sha256:", Sha256Hex({reinterpret_cast<const char*>(der), static_cast<size_t>(size)}));
  OPENSSL_free(der);
  return hash;
}

std::string KeyHash(X509* certificate) { return KeyHash(X509_get0_pubkey(certificate)); }

StorePtr StoreOf(const std::vector<X509*>& authorities) {
  StorePtr store(X509_STORE_new());
  HOSTQ_CHECK(store != nullptr);
  // As gRPC does.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  for (X509* authority : authorities) {
    HOSTQ_CHECK(X509_STORE_add_cert(store.get(), authority) == 1);
  }
  return store;
}

absl::Status VerifyIssuedBy(X509* leaf, const std::vector<X509*>& between,
                            const std::vector<X509*>& authorities, int purpose,
                            int64_t now_unix_seconds) {
  const StorePtr store = StoreOf(authorities);
  const StoreContextPtr context(X509_STORE_CTX_new());
  const StackPtr untrusted(sk_X509_new_null());
  HOSTQ_CHECK(context != nullptr && untrusted != nullptr);
  for (X509* one : between) HOSTQ_CHECK(sk_X509_push(untrusted.get(), one) > 0);
  X509_VERIFY_PARAM* parameters = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_time(parameters, now_unix_seconds);
  X509_VERIFY_PARAM_set_purpose(parameters, purpose);
  HOSTQ_CHECK(X509_STORE_CTX_init(context.get(), store.get(), leaf, untrusted.get()) == 1);
  if (X509_verify_cert(context.get()) == 1) return absl::OkStatus();
  const char* why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
  return MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated,
                   absl::StrCat("certificate refused: ", why));
}

}  // namespace hostq::openssl
