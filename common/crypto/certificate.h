#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/key.h"

namespace hostq {

// What is in a certificate. Says nothing about who signed it.
struct CertificateInfo {
  std::string common_name;
  // "CN = hostq-manager, O = Example", of the certificate and of who signed it.
  std::string subject;
  std::string issuer;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> uris;
  // Lower-case hexadecimal.
  std::string serial;
  absl::Time not_before;
  absl::Time not_after;
  // "sha256:HEX" of the public key (PublicKey::Hash).
  std::string key_hash;
  bool is_authority = false;
  // SHA-256 of the whole certificate (DER), lower-case hexadecimal.
  std::string hash;
};

// The first certificate of `pem`. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::StatusOr<CertificateInfo> ParseCertificate(absl::string_view pem);
// All of them, at least one, in PEM each. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::StatusOr<std::vector<std::string>> SplitCertificates(absl::string_view pem);
// The key of the first one. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): also if it is not on
// P-256.
absl::StatusOr<PublicKey> CertificateKey(absl::string_view pem);
// The pins of all of them; none if that cannot be read.
std::vector<std::string> PinsOf(absl::string_view pem);

// What an authority is asked to sign.
struct CertificateSpec {
  enum class Use { kServer, kClient };
  Use use = Use::kClient;
  std::string common_name;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;  // textual, IPv4 or IPv6
  std::vector<std::string> uris;
  absl::Time not_before;
  absl::Time not_after;
};

// A certificate of an authority signed by itself, for end certificates only (path length 0). PEM.
// Errors: INVALID_ARGUMENT (INVALID_ARGUMENT) for a common name longer than 64 bytes.
absl::StatusOr<std::string> MakeAuthorityCertificate(const PrivateKey& key,
                                                     absl::string_view common_name,
                                                     absl::Time not_before, absl::Time not_after);

// A certificate for `key`, signed with `authority_key`, which belongs to `authority_pem`; the
// serial number is 128 random bits. PEM. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): a name that
// does not fit, an address that is none, a key that is not the authority's.
absl::StatusOr<std::string> IssueCertificate(absl::string_view authority_pem,
                                             const PrivateKey& authority_key, const PublicKey& key,
                                             const CertificateSpec& spec);

// OK if one of the authorities signed the certificate (the first of `pem`; those behind it may
// stand between), all are valid at `now`, and it is for `use`. Errors: UNAUTHENTICATED
// (UNAUTHENTICATED), INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::Status VerifyCertificate(absl::string_view pem, absl::string_view authorities_pem,
                               CertificateSpec::Use use, absl::Time now);

// The pin of that one of the authorities whose key signed the first certificate of `pem`; empty:
// none of them did. Looks at nothing but the signature. Errors: INVALID_ARGUMENT
// (INVALID_ARGUMENT).
absl::StatusOr<std::string> SignerOf(absl::string_view pem, absl::string_view authorities_pem);

// "sha256:" and 64 lower-case digits.
bool IsPin(absl::string_view text);

}  // namespace hostq
