#include "common/crypto/key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/openssl.h"

namespace hostq {
namespace {

constexpr size_t kMaxRequestBytes = 8 << 10;

// A request is signed by whoever sends it: without this check its key could be of any sort and
// size.
bool IsP256(EVP_PKEY* key) {
  char group[32] = {};
  size_t size = 0;
  return key != nullptr && EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1 &&
         absl::string_view(group, size) == SN_X9_62_prime256v1;
}

std::string Contents(BIO* bio) {
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio, &data));
  return std::string(data, size);
}

std::shared_ptr<EVP_PKEY> Share(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }

// Refuses every encrypted key instead of asking for a password on the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

}  // namespace

std::string PublicKey::Hash() const { return openssl::KeyHash(handle_.get()); }

bool PublicKey::IsP256() const { return hostq::IsP256(handle_.get()); }

bool PublicKey::Verifies(absl::string_view data, absl::string_view signature) const {
  const openssl::DigestPtr context(EVP_MD_CTX_new());
  HOSTQ_CHECK(context != nullptr);
  const bool good =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, handle_.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(data.data()),
                       data.size()) == 1;
  ERR_clear_error();
  return good;
}

std::string PrivateKey::Sign(absl::string_view data) const {
  const openssl::DigestPtr context(EVP_MD_CTX_new());
  HOSTQ_CHECK(context != nullptr);
  HOSTQ_CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, handle_.get()) ==
              1);
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  size_t size = 0;
  HOSTQ_CHECK(EVP_DigestSign(context.get(), nullptr, &size, bytes, data.size()) == 1);
  std::string signature(size, '\0');
  HOSTQ_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                             &size, bytes, data.size()) == 1);
  signature.resize(size);
  return signature;
}

PrivateKey PrivateKey::Generate() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  HOSTQ_CHECK(key != nullptr);
  return PrivateKey(Share(key));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(const SecretString& pem) {
  const absl::string_view text = pem.Reveal();
  const openssl::BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  HOSTQ_CHECK(bio != nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr);
  if (key == nullptr)
    return openssl::Invalid(
        "not a private key in PEM (one in DER: openssl pkey -inform der -in FILE)");
  PrivateKey result(Share(key));
  if (!IsP256(key)) return openssl::Invalid("not a key on the curve P-256");
  return result;
}

SecretString PrivateKey::ToPem() const {
  const openssl::BioPtr bio(BIO_new(BIO_s_secmem()));
  HOSTQ_CHECK(bio != nullptr);
  HOSTQ_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), handle_.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) == 1);
  return SecretString(Contents(bio.get()));
}

std::string MakeCertificateRequest(const PrivateKey& key, absl::string_view common_name) {
  const openssl::RequestPtr request(X509_REQ_new());
  HOSTQ_CHECK(request != nullptr);
  X509_NAME* name = X509_REQ_get_subject_name(request.get());
  HOSTQ_CHECK(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(common_name.data()),
                                         static_cast<int>(common_name.size()), -1, 0) == 1);
  HOSTQ_CHECK(X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1);
  HOSTQ_CHECK(X509_REQ_set_pubkey(request.get(), key.handle()) == 1);
  HOSTQ_CHECK(X509_REQ_sign(request.get(), key.handle(), EVP_sha256()) > 0);
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  HOSTQ_CHECK(bio != nullptr && PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1);
  return Contents(bio.get());
}

absl::StatusOr<CertificateRequest> ParseCertificateRequest(absl::string_view pem) {
  if (pem.size() > kMaxRequestBytes) {
    return InvalidField(Reason::kInvalidArgument, "csr_pem", "longer than 8 KiB");
  }
  const openssl::BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  HOSTQ_CHECK(bio != nullptr);
  const openssl::RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, NoPassword, nullptr));
  if (request == nullptr) return openssl::Invalid("csr_pem: not a certificate request in PEM");
  EVP_PKEY* key = X509_REQ_get_pubkey(request.get());
  if (key == nullptr) return openssl::Invalid("csr_pem: no key that can be read");
  PublicKey public_key(Share(key));
  if (!IsP256(key)) return openssl::Invalid("csr_pem: its key is not on the curve P-256");
  if (X509_REQ_verify(request.get(), key) != 1) {
    return openssl::Invalid("csr_pem: not signed by the key that it carries");
  }
  char name[256] = {};
  X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request.get()), NID_commonName, name,
                            sizeof(name));
  return CertificateRequest{std::move(public_key), name};
}

}  // namespace hostq
