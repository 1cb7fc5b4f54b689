#include "common/crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/base/error.h"
#include "common/crypto/encoding.h"

namespace hostq {

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  HOSTQ_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) ==
              1);
  return bytes;
}

SecretString RandomSecret(int bits) {
  HOSTQ_CHECK(bits > 0 && bits % 8 == 0);
  std::string bytes = RandomBytes(static_cast<size_t>(bits) / 8);
  SecretString secret(Base32Encode(bytes));
  Wipe(bytes);
  return secret;
}

std::string Sha256(absl::string_view data) {
  std::string digest(32, '\0');
  unsigned int size = 0;
  HOSTQ_CHECK(EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(digest.data()),
                         &size, EVP_sha256(), nullptr) == 1);
  HOSTQ_CHECK(size == digest.size());
  return digest;
}

std::string Sha256Hex(absl::string_view data) { return HexEncode(Sha256(data)); }

bool ConstantTimeEquals(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace hostq
