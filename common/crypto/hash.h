#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "common/crypto/secret.h"

namespace hostq {

// All functions here are thread-safe, do not block and end the program if OpenSSL fails (out of
// memory, or a kernel without random numbers): there is nothing sensible to do then.

// `size` bytes from OpenSSL's generator (seeded by the kernel).
std::string RandomBytes(size_t size);
// The same in base 32 (encoding.h): `bits` is a multiple of 8; for tokens and keys.
SecretString RandomSecret(int bits);

// 32 bytes.
std::string Sha256(absl::string_view data);
// 64 lower-case hexadecimal digits.
std::string Sha256Hex(absl::string_view data);

// Takes the same time wherever the difference is. Tells lengths apart at once.
bool ConstantTimeEquals(absl::string_view a, absl::string_view b);

}  // namespace hostq
