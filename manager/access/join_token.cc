#include "manager/access/join_token.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"

namespace hostq::manager {
namespace {

constexpr absl::string_view kTokenPrefix = "hqj_";
// 50 bits tell tokens apart; the secret is what keeps others out.
constexpr size_t kTokenIdLength = 10;
// More than 192, and a whole number of base 32 characters.
constexpr int kTokenSecretBits = 200;
constexpr size_t kTokenSecretLength = kTokenSecretBits / 5;

// Views into the token's text.
struct Parts {
  absl::string_view id;
  absl::string_view secret;
};

std::optional<Parts> Split(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, kTokenPrefix)) return std::nullopt;
  if (text.size() != kTokenIdLength + 1 + kTokenSecretLength || text[kTokenIdLength] != '_')
    return std::nullopt;
  const Parts parts = {text.substr(0, kTokenIdLength), text.substr(kTokenIdLength + 1)};
  constexpr absl::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  if (parts.id.find_first_not_of(kAlphabet) != absl::string_view::npos ||
      parts.secret.find_first_not_of(kAlphabet) != absl::string_view::npos) {
    return std::nullopt;
  }
  return parts;
}

absl::Status TokenRefused(Reason reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kPermissionDenied, reason, message);
}

absl::Status TokenInvalid() { return TokenRefused(Reason::kTokenInvalid, "no such join token"); }

}  // namespace

NewJoinToken MakeJoinToken(absl::string_view node, absl::Time expire_time) {
  NewJoinToken token;
  token.record.id = Base32Encode(RandomBytes(7)).substr(0, kTokenIdLength);
  token.record.node = std::string(node);
  token.record.expire_time = expire_time;
  const SecretString secret = RandomSecret(kTokenSecretBits);
  token.record.secret_hash = Sha256Hex(secret.Reveal());
  token.text = SecretString(absl::StrCat(kTokenPrefix, token.record.id, "_", secret.Reveal()));
  return token;
}

absl::StatusOr<std::string> JoinTokenId(const SecretString& text) {
  const std::optional<Parts> parts = Split(text.Reveal());
  if (!parts) return TokenInvalid();
  return std::string(parts->id);
}

absl::Status CheckJoinToken(const SecretString& text, const JoinToken* record,
                            absl::string_view key_hash, absl::Time now) {
  const std::optional<Parts> parts = Split(text.Reveal());
  if (!parts) return TokenInvalid();
  // Hash and compare also when there is no such id.
  const std::string hash = Sha256Hex(parts->secret);
  const bool right = ConstantTimeEquals(
      hash, record == nullptr ? Sha256Hex("no such token") : record->secret_hash);
  if (record == nullptr || !right || record->id != parts->id) return TokenInvalid();
  if (now >= record->expire_time) {
    return TokenRefused(Reason::kTokenExpired,
                        absl::StrCat("the join token for node ", record->node, " expired at ",
                                     absl::FormatTime(absl::RFC3339_sec, record->expire_time,
                                                      absl::UTCTimeZone())));
  }
  if (!record->key_hash.empty() && record->key_hash != key_hash) {
    return TokenRefused(Reason::kTokenUsed, absl::StrCat("the join token for node ", record->node,
                                                         " was used with another key"));
  }
  return absl::OkStatus();
}

}  // namespace hostq::manager
