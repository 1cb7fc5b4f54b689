#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace hostq::agent {

// External data representation (RFC 4506), as much of it as rquota needs.
class XdrWriter {
 public:
  XdrWriter& U32(uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes_ += static_cast<char>((value >> shift) & 0xff);
    }
    return *this;
  }
  // Length, bytes, zeros up to a multiple of four.
  XdrWriter& Opaque(absl::string_view value) {
    U32(static_cast<uint32_t>(value.size()));
    bytes_.append(value.data(), value.size());
    bytes_.append((4 - value.size() % 4) % 4, '\0');
    return *this;
  }
  XdrWriter& Raw(absl::string_view value) {
    bytes_.append(value.data(), value.size());
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what it can; past the end every value is 0 and ok() is false.
class XdrReader {
 public:
  explicit XdrReader(absl::string_view bytes) : rest_(bytes) {}
  uint32_t U32() {
    if (rest_.size() < 4) return Fail();
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(rest_[i]);
    rest_.remove_prefix(4);
    return value;
  }
  absl::string_view Opaque() {
    const uint32_t size = U32();
    const uint64_t padded = (static_cast<uint64_t>(size) + 3) / 4 * 4;
    if (padded > rest_.size()) {
      Fail();
      return {};
    }
    const absl::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(static_cast<size_t>(padded));
    return value;
  }
  bool ok() const { return ok_; }
  absl::string_view rest() const { return rest_; }

 private:
  uint32_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  absl::string_view rest_;
  bool ok_ = true;
};

}  // namespace hostq::agent
