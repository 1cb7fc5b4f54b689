#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "google/protobuf/stubs/logging.h"

// What libFuzzer calls with bytes of its own making; each target defines it. Whatever must hold for
// any input is a HOSTQ_CHECK there.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace hostq::fuzz {

// Protobuf writes a line for each text that is not UTF-8: millions of them here.
inline const auto kProtobufLog = google::protobuf::SetLogHandler(nullptr);

// The bytes, taken from the front; at the end every number is 0 and every text empty.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  // Two bytes of length, the lower one first, and so many bytes or what is there.
  absl::string_view Chunk() {
    const size_t low = Byte();
    return Bytes(low | static_cast<size_t>(Byte()) << 8);
  }
  absl::string_view Bytes(size_t count) {
    const absl::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }
  absl::string_view Rest() { return Bytes(rest_.size()); }

 private:
  absl::string_view rest_;
};

// What leaves in a message must be UTF-8, or the other side cannot read the message at all.
inline void CheckText(absl::string_view text) { HOSTQ_CHECK(IsUtf8(text)); }

}  // namespace hostq::fuzz
