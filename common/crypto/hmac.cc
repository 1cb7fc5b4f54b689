#include "common/crypto/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base/error.h"

namespace hostq {

std::string HmacSha256(absl::string_view key, absl::string_view data) {
  std::string digest(32, '\0');
  unsigned int size = 0;
  HOSTQ_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                   reinterpret_cast<const unsigned char*>(data.data()), data.size(),
                   reinterpret_cast<unsigned char*>(digest.data()), &size) != nullptr);
  HOSTQ_CHECK(size == digest.size());
  return digest;
}

}  // namespace hostq
