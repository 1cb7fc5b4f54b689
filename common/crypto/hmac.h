#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace hostq {

// 32 bytes. Thread-safe; does not block; ends the program if OpenSSL fails, as hash.h.
std::string HmacSha256(absl::string_view key, absl::string_view data);

}  // namespace hostq
