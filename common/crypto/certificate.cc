#include "common/crypto/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/error.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"
#include "common/crypto/openssl.h"

namespace hostq {
namespace {

using openssl::X509Ptr;

absl::Time ToTime(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

std::string TextOf(const ASN1_STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

std::string AddressOf(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(bytes) != 16) return "";
  return ::inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof(text)) ? text : "";
}

std::string NameText(X509_NAME* name) {
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  HOSTQ_CHECK(bio != nullptr);
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio.get(), &data));
  return std::string(data, size);
}

void ReadNames(X509* certificate, CertificateInfo& info) {
  const openssl::NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) info.dns_names.push_back(TextOf(name->d.dNSName));
    if (name->type == GEN_URI) info.uris.push_back(TextOf(name->d.uniformResourceIdentifier));
    if (name->type == GEN_IPADD) info.ip_addresses.push_back(AddressOf(name->d.iPAddress));
  }
}

// RFC 5280: UTCTime until 2049, GeneralizedTime after; ASN1_TIME_set knows.
bool SetTimes(X509* certificate, absl::Time not_before, absl::Time not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), absl::ToTimeT(not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), absl::ToTimeT(not_after)) != nullptr;
}

// 128 random bits; the highest bit of another byte in front keeps the number positive and its
// length constant.
bool SetSerial(X509* certificate) {
  const std::string bytes = absl::StrCat(std::string(1, '\x01'), RandomBytes(16));
  const openssl::BignumPtr number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                            static_cast<int>(bytes.size()), nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetCommonName(X509* certificate, absl::string_view common_name) {
  return X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                    MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const openssl::ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Names go into OpenSSL's small extension language, so nothing that means something in it.
bool IsPlainName(absl::string_view name) {
  if (name.empty() || name.size() > 255) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && !absl::StrContains(".-_:/", c)) return false;
  }
  return true;
}

bool IsAddress(const std::string& text) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

absl::StatusOr<std::string> AlternativeNames(const CertificateSpec& spec) {
  std::vector<std::string> parts;
  for (const std::string& name : spec.dns_names) {
    if (!IsPlainName(name))
      return openssl::Invalid(absl::StrCat("not a DNS name: ", absl::CEscape(name)));
    parts.push_back(absl::StrCat("DNS:", name));
  }
  for (const std::string& address : spec.ip_addresses) {
    if (!IsAddress(address))
      return openssl::Invalid(absl::StrCat("not an address: ", absl::CEscape(address)));
    parts.push_back(absl::StrCat("IP:", address));
  }
  for (const std::string& uri : spec.uris) {
    if (!IsPlainName(uri)) return openssl::Invalid(absl::StrCat("not a URI: ", absl::CEscape(uri)));
    parts.push_back(absl::StrCat("URI:", uri));
  }
  return absl::StrJoin(parts, ",");
}

// All but names, extensions and signature.
absl::StatusOr<X509Ptr> NewCertificate(EVP_PKEY* key, absl::string_view common_name,
                                       absl::Time not_before, absl::Time not_after) {
  X509Ptr certificate(X509_new());
  HOSTQ_CHECK(certificate != nullptr);
  if (!SetCommonName(certificate.get(), common_name))
    return openssl::Invalid("common name does not fit");
  if (X509_set_version(certificate.get(), X509_VERSION_3) != 1 || !SetSerial(certificate.get()) ||
      !SetTimes(certificate.get(), not_before, not_after) ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return openssl::Error(absl::StatusCode::kInternal, Reason::kInternal,
                          "cannot make a certificate");
  }
  return certificate;
}

absl::StatusOr<std::string> Sign(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) <= 0) {
    return openssl::Error(absl::StatusCode::kInternal, Reason::kInternal,
                          "cannot sign a certificate");
  }
  return openssl::CertificateToPem(certificate);
}

}  // namespace

absl::StatusOr<CertificateInfo> ParseCertificate(absl::string_view pem) {
  HOSTQ_ASSIGN_OR_RETURN(const X509Ptr certificate, openssl::CertificateFromPem(pem));
  CertificateInfo info;
  char name[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                            sizeof(name));
  info.common_name = name;
  info.subject = NameText(X509_get_subject_name(certificate.get()));
  info.issuer = NameText(X509_get_issuer_name(certificate.get()));
  ReadNames(certificate.get(), info);
  info.serial = HexEncode(TextOf(X509_get0_serialNumber(certificate.get())));
  info.not_before = ToTime(X509_get0_notBefore(certificate.get()));
  info.not_after = ToTime(X509_get0_notAfter(certificate.get()));
  info.key_hash = openssl::KeyHash(certificate.get());
  info.is_authority = X509_check_ca(certificate.get()) == 1;
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  unsigned int size = 0;
  if (X509_digest(certificate.get(), EVP_sha256(), digest, &size) != 1) {
    return openssl::Error(absl::StatusCode::kInternal, Reason::kInternal,
                          "cannot hash a certificate");
  }
  info.hash = HexEncode(absl::string_view(reinterpret_cast<const char*>(digest), size));
  return info;
}

absl::StatusOr<std::vector<std::string>> SplitCertificates(absl::string_view pem) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<X509Ptr> certificates,
                         openssl::CertificatesFromPem(pem));
  std::vector<std::string> out;
  for (const X509Ptr& one : certificates) {
    HOSTQ_ASSIGN_OR_RETURN(std::string text, openssl::CertificateToPem(one.get()));
    out.push_back(std::move(text));
  }
  return out;
}

absl::StatusOr<PublicKey> CertificateKey(absl::string_view pem) {
  HOSTQ_ASSIGN_OR_RETURN(const X509Ptr certificate, openssl::CertificateFromPem(pem));
  EVP_PKEY* key = X509_get_pubkey(certificate.get());
  if (key == nullptr) return openssl::Invalid("the certificate has no key that can be read");
  PublicKey out(std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free));
  if (!out.IsP256()) return openssl::Invalid("the certificate's key is not on the curve P-256");
  return out;
}

std::vector<std::string> PinsOf(absl::string_view pem) {
  std::vector<std::string> pins;
  const auto certificates = openssl::CertificatesFromPem(pem);
  if (!certificates.ok()) return pins;
  for (const X509Ptr& one : *certificates) pins.push_back(openssl::KeyHash(one.get()));
  return pins;
}

absl::StatusOr<std::string> MakeAuthorityCertificate(const PrivateKey& key,
                                                     absl::string_view common_name,
                                                     absl::Time not_before, absl::Time not_after) {
  HOSTQ_ASSIGN_OR_RETURN(const X509Ptr certificate,
                         NewCertificate(key.handle(), common_name, not_before, not_after));
  X509* raw = certificate.get();
  if (X509_set_issuer_name(raw, X509_get_subject_name(raw)) != 1 ||
      !AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(raw, raw, NID_subject_key_identifier, "hash")) {
    return openssl::Invalid("cannot make the authority's certificate");
  }
  return Sign(raw, key.handle());
}

absl::StatusOr<std::string> IssueCertificate(absl::string_view authority_pem,
                                             const PrivateKey& authority_key, const PublicKey& key,
                                             const CertificateSpec& spec) {
  HOSTQ_ASSIGN_OR_RETURN(const X509Ptr authority, openssl::CertificateFromPem(authority_pem));
  if (X509_check_private_key(authority.get(), authority_key.handle()) != 1) {
    return openssl::Invalid("the key is not the authority's");
  }
  HOSTQ_ASSIGN_OR_RETURN(const std::string names, AlternativeNames(spec));
  HOSTQ_ASSIGN_OR_RETURN(
      const X509Ptr certificate,
      NewCertificate(key.handle(), spec.common_name, spec.not_before, spec.not_after));
  X509* raw = certificate.get();
  const char* use = spec.use == CertificateSpec::Use::kServer ? "serverAuth" : "clientAuth";
  if (X509_set_issuer_name(raw, X509_get_subject_name(authority.get())) != 1 ||
      !AddExtension(raw, authority.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(raw, authority.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(raw, authority.get(), NID_ext_key_usage, use) ||
      !AddExtension(raw, authority.get(), NID_subject_key_identifier, "hash") ||
      !AddExtension(raw, authority.get(), NID_authority_key_identifier, "keyid:always") ||
      (!names.empty() && !AddExtension(raw, authority.get(), NID_subject_alt_name, names))) {
    return openssl::Invalid("cannot make a certificate");
  }
  return Sign(raw, authority_key.handle());
}

absl::Status VerifyCertificate(absl::string_view pem, absl::string_view authorities_pem,
                               CertificateSpec::Use use, absl::Time now) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, openssl::CertificatesFromPem(pem));
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                         openssl::CertificatesFromPem(authorities_pem));
  std::vector<X509*> trusted;
  for (const X509Ptr& one : authorities) trusted.push_back(one.get());
  std::vector<X509*> between;
  for (size_t i = 1; i < chain.size(); ++i) between.push_back(chain[i].get());
  return openssl::VerifyIssuedBy(
      chain[0].get(), between, trusted,
      use == CertificateSpec::Use::kServer ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT,
      absl::ToUnixSeconds(now));
}

absl::StatusOr<std::string> SignerOf(absl::string_view pem, absl::string_view authorities_pem) {
  HOSTQ_ASSIGN_OR_RETURN(const X509Ptr leaf, openssl::CertificateFromPem(pem));
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                         openssl::CertificatesFromPem(authorities_pem));
  std::string signer;
  for (const X509Ptr& one : authorities) {
    if (X509_verify(leaf.get(), X509_get0_pubkey(one.get())) == 1) {
      signer = openssl::KeyHash(one.get());
      break;
    }
  }
  ERR_clear_error();
  return signer;
}

bool IsPin(absl::string_view text) {
  constexpr absl::string_view kPrefix = "sha256:";
  return absl::StartsWith(text, kPrefix) && text.size() == kPrefix.size() + 64 &&
         HexDecode(text.substr(kPrefix.size())).has_value();
}

}  // namespace hostq
