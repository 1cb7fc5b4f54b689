#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/crypto/secret.h"

namespace hostq {

enum class IfExists { kReplace, kRefuse };

// Writes beside the file, then renames: after a crash there is the old content or the new, never a
// part. Durable when OK is returned. Blocks on the disk. The mode is set whatever the umask says.
// Errors: ALREADY_EXISTS (kRefuse), or what the system said, with INTERNAL as reason; `contents` is
// never in a message.
absl::Status WriteFileDurably(const std::string& path, absl::string_view contents, int mode,
                              IfExists if_exists);

// At most `limit` bytes. Blocks on the disk. Errors: NOT_FOUND, FAILED_PRECONDITION (larger), or
// what the system said.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit = 1 << 20);

// The same for a key. Errors too: FAILED_PRECONDITION if group or others may read or write it.
absl::StatusOr<SecretString> ReadSecretFile(const std::string& path, size_t limit = 1 << 20);

}  // namespace hostq
