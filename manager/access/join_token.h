#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/secret.h"
#include "manager/access/address_range.h"

namespace hostq::manager {

// What the manager keeps of a join token. Nothing in it lets anybody join.
struct JoinToken {
  std::string id;           // 10 characters
  std::string secret_hash;  // SHA-256 of the secret, hexadecimal
  std::string node;         // whom it is for
  absl::Time expire_time;
  // "sha256:HEX" of the key that used it first; empty before.
  std::string key_hash;
  // The incarnation that this first use gave the node; 0 before.
  int64_t incarnation = 0;
  // From where it may be used; empty: from everywhere.
  std::vector<AddressRange> sources;
};

// A new token: what is kept and what is shown, once.
struct NewJoinToken {
  JoinToken record;
  SecretString text;  // "hqj_ID_SECRET"
};

// The secret has 200 bits. Pure but for chance.
NewJoinToken MakeJoinToken(absl::string_view node, absl::Time expire_time);

// The id in a token's text. Errors: PERMISSION_DENIED (TOKEN_INVALID) if it is no token; the text
// is not in the message.
absl::StatusOr<std::string> JoinTokenId(const SecretString& text);

// OK if `text` is the token that `record` is about (null: there is none with that id), it has not
// expired at `now`, and no other key than `key_hash` has used it. Takes the same time for an
// unknown id as for a wrong secret, and says the same. Pure. Errors: PERMISSION_DENIED
// (TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_USED).
absl::Status CheckJoinToken(const SecretString& text, const JoinToken* record,
                            absl::string_view key_hash, absl::Time now);

}  // namespace hostq::manager
