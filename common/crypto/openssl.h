#pragma once

// For common/crypto and common/rpc only: the only folders that see OpenSSL.

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/reason.h"

namespace hostq::openssl {

template <auto function>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    function(pointer);
  }
};

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using NamePtr = std::unique_ptr<X509_NAME, Deleter<X509_NAME_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
// Of certificates that belong to others.
using StackPtr =
    std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * stack) { sk_X509_free(stack); })>;
using StorePtr = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Deleter<SSL_free>>;

// An error with OpenSSL's reason for what it just failed to do; empties its queue.
absl::Status Error(absl::StatusCode code, Reason reason, absl::string_view what);
// The same of what somebody else gave: INVALID_ARGUMENT.
inline absl::Status Invalid(absl::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument, what);
}

// The first certificate of `pem`. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::StatusOr<X509Ptr> CertificateFromPem(absl::string_view pem);
// All of them, at least one. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::StatusOr<std::vector<X509Ptr>> CertificatesFromPem(absl::string_view pem);
absl::StatusOr<std::string> CertificateToPem(X509* certificate);
// "sha256:HEX" of the public key as it stands in certificates (SubjectPublicKeyInfo, DER).
std::string KeyHash(EVP_PKEY* key);
std::string KeyHash(X509* certificate);

// Whom a certificate may come from, as X509_verify_cert wants it. Each of `authorities` is trusted
// as it is, whoever signed it: one that a company's root has signed is trusted, that root is not.
StorePtr StoreOf(const std::vector<X509*>& authorities);

// OK if one of `authorities` signed `leaf`, or signed one of `between` that did, all are valid at
// `now`, and the leaf is for `purpose` (X509_PURPOSE_SSL_SERVER or _CLIENT). Errors:
// UNAUTHENTICATED (UNAUTHENTICATED).
absl::Status VerifyIssuedBy(X509* leaf, const std::vector<X509*>& between,
                            const std::vector<X509*>& authorities, int purpose,
                            int64_t now_unix_seconds);

}  // namespace hostq::openssl
