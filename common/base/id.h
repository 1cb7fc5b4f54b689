#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/random.h"

namespace hostq {

// Ids of commands: positive 63-bit numbers that grow with time, so that they are cheap as primary
// keys. 42 bits of milliseconds since 2024, then 21 random bits: a manager restored from a backup
// does not hand out ids again that nodes have already seen.
class IdSource {
 public:
  // `last` is the highest id in use.
  IdSource(Random& random, int64_t last) : random_(random), last_(last) {}
  // Higher than every id before it, also when the clock goes back.
  int64_t Next(absl::Time now);

 private:
  Random& random_;
  int64_t last_;
};

// No command created at `time` or later has a lower id, none created before a higher or equal one:
// as far as the clock has not gone back.
int64_t FirstIdAt(absl::Time time);
// When it was made, to the millisecond; as that clock told.
absl::Time TimeOfId(int64_t id);

// 13 characters of Crockford's base 32 in lower case; order is kept.
std::string FormatId(int64_t id);
// Reads either case and Crockford's look-alikes (o, i, l). Nothing if it is no id.
std::optional<int64_t> ParseId(absl::string_view text);

}  // namespace hostq
