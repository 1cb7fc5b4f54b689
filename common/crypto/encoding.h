#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace hostq {

// Decoders take exactly what the encoders make and nothing else: no white space, no padding, no
// left-over bits, so that a value has one spelling. Nothing if malformed. Hex is lower case.
std::string HexEncode(absl::string_view bytes);
std::optional<std::string> HexDecode(absl::string_view text);
// RFC 4648 base 32, in lower case, without padding.
std::string Base32Encode(absl::string_view bytes);
std::optional<std::string> Base32Decode(absl::string_view text);
// RFC 4648 base 64 for URLs, without padding.
std::string Base64UrlEncode(absl::string_view bytes);
std::optional<std::string> Base64UrlDecode(absl::string_view text);

}  // namespace hostq
