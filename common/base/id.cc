#include "common/base/id.h"

#include <algorithm>

namespace hostq {
namespace {

constexpr absl::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr int kLength = 13;
constexpr int kRandomBits = 21;
constexpr int64_t kEpochMillis = 1'704'067'200'000;  // 2024-01-01T00:00:00Z

int Digit(char c) {
  if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (c == 'o') c = '0';
  if (c == 'i' || c == 'l') c = '1';
  const size_t at = kAlphabet.find(c);
  return at == absl::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

int64_t FirstIdAt(absl::Time time) {
  const int64_t millis = std::max(absl::ToUnixMillis(time), kEpochMillis) - kEpochMillis;
  return std::min(millis, INT64_MAX >> kRandomBits) << kRandomBits;
}

int64_t IdSource::Next(absl::Time now) {
  const int64_t millis = std::max<int64_t>(absl::ToUnixMillis(now) - kEpochMillis, 0);
  const auto low = static_cast<int64_t>(random_.Next() & ((1u << kRandomBits) - 1));
  const int64_t of_now = (millis << kRandomBits) | low;
  // Random also when the clock has gone back: the next of a restored database must be another one
  // than the next of the database that was lost.
  const int64_t room = std::min(low, INT64_MAX - 1 - last_);
  last_ = of_now > last_ ? of_now : last_ + 1 + room;
  return last_;
}

absl::Time TimeOfId(int64_t id) { return absl::FromUnixMillis((id >> kRandomBits) + kEpochMillis); }

std::string FormatId(int64_t id) {
  std::string text(kLength, '0');
  auto rest = static_cast<uint64_t>(id);
  for (int i = kLength - 1; i >= 0; --i, rest >>= 5) text[i] = kAlphabet[rest & 31];
  return text;
}

std::optional<int64_t> ParseId(absl::string_view text) {
  if (text.size() != kLength) return std::nullopt;
  uint64_t id = 0;
  for (const char c : text) {
    const int digit = Digit(c);
    if (digit < 0) return std::nullopt;
    if (id >> 59 != 0) return std::nullopt;
    id = id << 5 | static_cast<uint64_t>(digit);
  }
  if (id == 0 || id > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return static_cast<int64_t>(id);
}

}  // namespace hostq
