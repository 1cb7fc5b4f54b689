#include "manager/domain/source.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hostq::manager {

std::string RateLimitSource(absl::string_view address) {
  const std::string text(address);
  unsigned char bytes[16] = {};
  if (::inet_pton(AF_INET6, text.c_str(), bytes) != 1) return text;
  constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  char out[INET6_ADDRSTRLEN] = {};
  if (std::equal(kMapped, kMapped + sizeof(kMapped), bytes)) {
    ::inet_ntop(AF_INET, bytes + sizeof(kMapped), out, sizeof(out));
    return out;
  }
  std::fill(bytes + 8, bytes + 16, 0);
  ::inet_ntop(AF_INET6, bytes, out, sizeof(out));
  return absl::StrCat(out, "/64");
}

}  // namespace hostq::manager
