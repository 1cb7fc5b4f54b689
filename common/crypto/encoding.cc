#include "common/crypto/encoding.h"

#include <cstdint>

namespace hostq {
namespace {

constexpr absl::string_view kHex = "0123456789abcdef";
constexpr absl::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr absl::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// `bits` for each character of the alphabet.
std::string Encode(absl::string_view bytes, absl::string_view alphabet, int bits) {
  std::string out;
  out.reserve(bytes.size() * 8 / static_cast<size_t>(bits) + 1);
  const uint32_t mask = (1u << bits) - 1;
  uint32_t pending = 0;
  int count = 0;
  for (const char c : bytes) {
    pending = pending << 8 | static_cast<uint8_t>(c);
    for (count += 8; count >= bits; count -= bits) {
      out += alphabet[pending >> (count - bits) & mask];
    }
  }
  if (count > 0) out += alphabet[pending << (bits - count) & mask];
  return out;
}

std::optional<std::string> Decode(absl::string_view text, absl::string_view alphabet, int bits) {
  std::string out;
  uint32_t pending = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = alphabet.find(c);
    if (digit == absl::string_view::npos) return std::nullopt;
    pending = pending << bits | static_cast<uint32_t>(digit);
    count += bits;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(pending >> count & 0xff);
    }
  }
  // A whole character too many, or bits that belong to no byte.
  if (count >= bits || (pending & ((1u << count) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace

std::string HexEncode(absl::string_view bytes) { return Encode(bytes, kHex, 4); }
std::optional<std::string> HexDecode(absl::string_view text) { return Decode(text, kHex, 4); }
std::string Base32Encode(absl::string_view bytes) { return Encode(bytes, kBase32, 5); }
std::optional<std::string> Base32Decode(absl::string_view text) { return Decode(text, kBase32, 5); }
std::string Base64UrlEncode(absl::string_view bytes) { return Encode(bytes, kBase64Url, 6); }
std::optional<std::string> Base64UrlDecode(absl::string_view text) {
  return Decode(text, kBase64Url, 6);
}

}  // namespace hostq
