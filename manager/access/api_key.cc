#include "manager/access/api_key.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"

namespace hostq::manager {
namespace {

constexpr absl::string_view kPrefix = "hostq_";
// 50 bits tell keys apart; the secret is what keeps others out.
constexpr size_t kIdLength = 10;
// More than 192, and a whole number of base 32 characters.
constexpr int kSecretBits = 200;
constexpr size_t kSecretLength = kSecretBits / 5;
constexpr size_t kChecksumLength = 7;
// At most two secrets are live; a comparison is made with as many always.
constexpr size_t kSecrets = 2;

// CRC-32 as in zlib (ISO 3309), bit by bit: 50 bytes.
uint32_t Crc32(absl::string_view text) {
  uint32_t crc = 0xffffffff;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

std::string Checksum(absl::string_view id_and_secret) {
  const uint32_t crc = Crc32(id_and_secret);
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(crc >> shift & 0xff);
  return Base32Encode(bytes);
}

absl::Status Refused(Reason reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, reason, message);
}

absl::Status NoSuchKey() { return Refused(Reason::kKeyInvalid, "no such API key"); }

std::string At(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

absl::Status Revoked(const ApiKey& key) {
  return Refused(Reason::kKeyRevoked,
                 absl::StrCat("API key ", key.name, " was revoked at ", At(key.revoke_time)));
}

absl::Status Expired(const ApiKey& key, absl::Time time) {
  return Refused(Reason::kKeyExpired, absl::StrCat("API key ", key.name, " expired at ", At(time)));
}

}  // namespace

Rights ApiKey::rights() const {
  Rights rights;
  rights.scopes = scopes;
  rights.own_accounts = own_accounts;
  rights.key_id = id;
  rights.actor = actor();
  rights.create_time = create_time;
  return rights;
}

std::string MakeApiKeyId() { return Base32Encode(RandomBytes(7)).substr(0, kIdLength); }

NewApiSecret MakeApiSecret(absl::string_view id) {
  const SecretString secret = RandomSecret(kSecretBits);
  const SecretString body(absl::StrCat(id, "_", secret.Reveal()));
  return {Sha256(secret.Reveal()),
          SecretString(absl::StrCat(kPrefix, body.Reveal(), Checksum(body.Reveal())))};
}

absl::StatusOr<ApiKeyParts> ParseApiKey(const SecretString& text) {
  constexpr absl::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  absl::string_view rest = text.Reveal();
  if (!absl::ConsumePrefix(&rest, kPrefix) ||
      rest.size() != kIdLength + 1 + kSecretLength + kChecksumLength || rest[kIdLength] != '_') {
    return Refused(Reason::kKeyInvalid, "what was shown is not an API key");
  }
  const absl::string_view body = rest.substr(0, kIdLength + 1 + kSecretLength);
  const ApiKeyParts parts = {body.substr(0, kIdLength), body.substr(kIdLength + 1)};
  if (parts.id.find_first_not_of(kAlphabet) != absl::string_view::npos ||
      parts.secret.find_first_not_of(kAlphabet) != absl::string_view::npos) {
    return Refused(Reason::kKeyInvalid, "what was shown is not an API key");
  }
  if (rest.substr(body.size()) != Checksum(body)) {
    return Refused(Reason::kKeyInvalid, "the API key was not copied right: its checksum is wrong");
  }
  return parts;
}

absl::Status CheckApiKey(const ApiKeyParts& parts, const ApiKey* key, absl::string_view source,
                         absl::Time now, bool& guessed) {
  const std::string hash = Sha256(parts.secret);
  const std::string nothing = Sha256("no such key");
  const ApiSecret* shown = nullptr;
  // As many comparisons whatever there is.
  for (size_t i = 0; i < kSecrets; ++i) {
    const bool there = key != nullptr && i < key->secrets.size();
    const bool right = ConstantTimeEquals(hash, there ? key->secrets[i].hash : nothing);
    if (right && there) shown = &key->secrets[i];
  }
  guessed = shown == nullptr;
  if (shown == nullptr || key->id != parts.id) return NoSuchKey();
  HOSTQ_RETURN_IF_ERROR(CheckStillValid(*key, shown->hash, now));
  if (InAnyRange(key->sources, source)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied, Reason::kSourceNotAllowed,
                   absl::StrCat("API key ", key->name, " may not be used from ", source));
}

absl::Status CheckStillValid(const ApiKey& key, absl::string_view secret_hash, absl::Time now) {
  if (key.revoke_time != absl::InfiniteFuture()) return Revoked(key);
  if (now >= key.expire_time) return Expired(key, key.expire_time);
  for (const ApiSecret& secret : key.secrets) {
    if (secret.hash != secret_hash) continue;
    if (now < secret.end_time) return absl::OkStatus();
    return Refused(Reason::kKeyExpired,
                   absl::StrCat("this secret of API key ", key.name, " was replaced and ended at ",
                                At(secret.end_time)));
  }
  return Refused(Reason::kKeyExpired,
                 absl::StrCat("this secret of API key ", key.name, " was replaced"));
}

}  // namespace hostq::manager
