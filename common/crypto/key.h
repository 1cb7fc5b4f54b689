#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/crypto/secret.h"

struct evp_pkey_st;

namespace hostq {

// A public key; on P-256, the one curve hostq uses, wherever it comes from a function that says
// nothing else. Immutable; cheap to copy; thread-safe.
class PublicKey {
 public:
  // "sha256:HEX" of its SubjectPublicKeyInfo: the pin of a certificate with this key.
  std::string Hash() const;
  // Whether `signature` is PrivateKey::Sign's of `data` with the key that belongs to this one.
  bool Verifies(absl::string_view data, absl::string_view signature) const;

  bool IsP256() const;

  // For common/crypto. `handle` is not null.
  explicit PublicKey(std::shared_ptr<evp_pkey_st> handle) : handle_(std::move(handle)) {}
  evp_pkey_st* handle() const { return handle_.get(); }

 private:
  std::shared_ptr<evp_pkey_st> handle_;
};

// A private key on P-256. Immutable; cheap to copy; thread-safe. OpenSSL wipes it.
class PrivateKey {
 public:
  static PrivateKey Generate();
  // Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): not a key in PEM, encrypted, or not on P-256. The
  // message has nothing of the key in it.
  static absl::StatusOr<PrivateKey> FromPem(const SecretString& pem);

  // PKCS#8, not encrypted.
  SecretString ToPem() const;
  // ECDSA with SHA-256, in DER. Whoever signs begins `data` with what it is for.
  std::string Sign(absl::string_view data) const;
  PublicKey public_key() const { return PublicKey(handle_); }
  // For common/crypto.
  evp_pkey_st* handle() const { return handle_.get(); }

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<evp_pkey_st> handle_;
};

// A request for a certificate (PKCS#10).
struct CertificateRequest {
  PublicKey key;
  std::string common_name;
};

// PEM, signed with `key`.
std::string MakeCertificateRequest(const PrivateKey& key, absl::string_view common_name);
// Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): longer than 8 KiB, not a request in PEM, not on
// P-256, or not signed by the key that it carries.
absl::StatusOr<CertificateRequest> ParseCertificateRequest(absl::string_view pem);

}  // namespace hostq
