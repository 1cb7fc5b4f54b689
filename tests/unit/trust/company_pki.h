#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"

namespace hostq {

// What a company has: a root of its own, which signs authorities, for tests.
class CompanyPki {
 public:
  CompanyPki() : key_(PrivateKey::Generate()) {
    root_pem_ = Sign(key_.handle(), "Company Root", key_, "Company Root", "critical,CA:TRUE");
  }
  const std::string& root_pem() const { return root_pem_; }
  const PrivateKey& root_key() const { return key_; }

  // An authority for `key`, signed by the root; or what `constraints` says.
  std::string SignAuthority(const PrivateKey& key,
                            const std::string& constraints = "critical,CA:TRUE,pathlen:0",
                            absl::Time not_after = absl::Now() + absl::Hours(24 * 1000)) const {
    return SignAuthority(key.handle(), constraints, not_after);
  }
  // For any sort of key.
  std::string SignAuthority(EVP_PKEY* key, const std::string& constraints,
                            absl::Time not_after) const {
    return Sign(key, "Company Hosting CA", key_, "Company Root", constraints, not_after);
  }

 private:
  static void SetName(X509_NAME* name, const char* text) {
    HOSTQ_CHECK(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                           reinterpret_cast<const unsigned char*>(text), -1, -1,
                                           0) == 1);
  }
  static void Extend(X509* certificate, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const openssl::ExtensionPtr extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    HOSTQ_CHECK(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
  }
  static std::string Sign(EVP_PKEY* key, const char* subject, const PrivateKey& issuer_key,
                          const char* issuer, const std::string& constraints,
                          absl::Time not_after = absl::Now() + absl::Hours(24 * 1000)) {
    const openssl::X509Ptr certificate(X509_new());
    X509* raw = certificate.get();
    X509_set_version(raw, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(raw), 4711);
    SetName(X509_get_subject_name(raw), subject);
    SetName(X509_get_issuer_name(raw), issuer);
    ASN1_TIME_set(X509_getm_notBefore(raw), absl::ToTimeT(absl::Now() - absl::Hours(2)));
    ASN1_TIME_set(X509_getm_notAfter(raw), absl::ToTimeT(not_after));
    X509_set_pubkey(raw, key);
    Extend(raw, NID_basic_constraints, constraints);
    Extend(raw, NID_key_usage, "critical,keyCertSign,cRLSign");
    Extend(raw, NID_subject_key_identifier, "hash");
    HOSTQ_CHECK(X509_sign(raw, issuer_key.handle(), EVP_sha256()) > 0);
    return *openssl::CertificateToPem(raw);
  }

  const PrivateKey key_;
  std::string root_pem_;
};

}  // namespace hostq
