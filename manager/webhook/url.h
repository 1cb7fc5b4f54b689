#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hostq::manager {

// Where a webhook's deliveries go.
struct Url {
  bool tls = false;
  std::string host;  // a name in lower case, or an address, without brackets
  uint16_t port = 0;
  std::string target;  // "/path?query"

  bool is_address() const;
  // For the header `host`: with the port unless it is the scheme's.
  std::string authority() const;
};

// "https://HOST[:PORT][/PATH][?QUERY]", or http. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT), said
// of the field "url": neither, a user or a fragment in it, longer than 2000 characters, characters
// that a URL must escape.
absl::StatusOr<Url> ParseUrl(absl::string_view text);

}  // namespace hostq::manager
