#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq {

// "10GiB", "512MiB", "1536KiB", "4096" (bytes), "0" or "unlimited". Units are powers of 1024: K, M,
// G, T with or without "iB"; "MB" and the like are refused as ambiguous. Nothing if malformed,
// negative or beyond 63 bits.
std::optional<int64_t> ParseSize(absl::string_view text);
// The largest unit that loses nothing: "10GiB", "1536KiB", "5B"; 0 is "unlimited".
std::string FormatSize(int64_t bytes);

// "3s", "2m05s", "4h20m", "3d4h": for people.
std::string FormatAge(absl::Duration age);

// UTF-8 for people and logs: control characters, and what is not UTF-8, become '?', and what is
// longer than `limit` bytes is cut with "...", not within a character.
std::string Printable(absl::string_view text, size_t limit = 200);

// Whether protobuf's strings can carry it, and SQLite's text: UTF-8 as in RFC 3629, section 4.
bool IsUtf8(absl::string_view text);

// How many letters have to be changed, added or left out to make one of the other.
size_t EditDistance(absl::string_view a, absl::string_view b);

}  // namespace hostq
