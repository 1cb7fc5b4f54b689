#include "manager/webhook/signature.h"

#include "absl/strings/str_cat.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hmac.h"

namespace hostq::manager {

std::string SignatureOf(const std::vector<std::string>& secrets, absl::Time time,
                        absl::string_view body) {
  const std::string seconds = absl::StrCat(absl::ToUnixSeconds(time));
  const std::string text = absl::StrCat(seconds, ".", body);
  std::string signature = absl::StrCat("t=", seconds);
  for (const std::string& secret : secrets) {
    absl::StrAppend(&signature, ",v1=", HexEncode(HmacSha256(secret, text)));
  }
  return signature;
}

}  // namespace hostq::manager
