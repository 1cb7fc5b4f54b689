#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/secret.h"
#include "manager/access/address_range.h"
#include "manager/access/scope.h"

namespace hostq::manager {

// What the manager keeps of a secret.
struct ApiSecret {
  // SHA-256, 32 bytes. The secret has 200 random bits: a slow hash would protect nothing more.
  std::string hash;
  absl::Time create_time;
  absl::Time end_time = absl::InfiniteFuture();
};

// What the manager keeps of an API key. Nothing in it lets anybody in.
struct ApiKey {
  std::string id;
  std::string name;
  std::vector<Scope> scopes;
  // Newest first.
  std::vector<ApiSecret> secrets;
  absl::Time create_time = absl::InfinitePast();
  absl::Time expire_time = absl::InfiniteFuture();
  absl::Time revoke_time = absl::InfiniteFuture();  // InfiniteFuture: not revoked
  std::vector<AddressRange> sources;
  bool own_accounts = false;
  // 0: the defaults.
  double requests_per_second = 0;
  int max_unfinished = 0;

  std::string actor() const { return "key/" + name; }
  Rights rights() const;
};

// 10 characters of base 32: the public part of a key.
std::string MakeApiKeyId();
// A new secret for the key `id`: its hash, and the text to be shown, once:
// "hostq_ID_SECRETCHECKSUM". The checksum (CRC-32) tells scanners and typos before anything is
// looked up. Pure but for chance.
struct NewApiSecret {
  std::string hash;
  SecretString text;
};
NewApiSecret MakeApiSecret(absl::string_view id);

// Views into the key's text.
struct ApiKeyParts {
  absl::string_view id;
  absl::string_view secret;
};
// Errors: UNAUTHENTICATED (KEY_INVALID): the form or the checksum is wrong. The text is not in the
// message.
absl::StatusOr<ApiKeyParts> ParseApiKey(const SecretString& text);

// OK if the secret is one of the key's (null: there is no such key) that is live at `now`, and the
// key is neither expired nor revoked, and may be used from `source`. Takes the same time for an
// unknown id as for a wrong secret, and says the same: only who has the secret learns more.
// `guessed` is set if it was the secret that was wrong. Errors: UNAUTHENTICATED (KEY_INVALID,
// KEY_EXPIRED, KEY_REVOKED), PERMISSION_DENIED (SOURCE_NOT_ALLOWED).
absl::Status CheckApiKey(const ApiKeyParts& parts, const ApiKey* key, absl::string_view source,
                         absl::Time now, bool& guessed);
// Whether what was let in before is still let in. Errors: UNAUTHENTICATED (KEY_EXPIRED,
// KEY_REVOKED).
absl::Status CheckStillValid(const ApiKey& key, absl::string_view secret_hash, absl::Time now);

}  // namespace hostq::manager
