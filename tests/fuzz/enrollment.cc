// What a stranger may send to the enrollment listener, and what a join line holds: tokens, pins,
// requests for certificates, certificates, names in them.
#include <string>

#include "common/crypto/certificate.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "input.h"
#include "manager/access/join_token.h"
#include "manager/access/rate_limiter.h"

namespace {

using namespace hostq;
using namespace hostq::manager;

void Token(absl::string_view text) {
  const SecretString token{std::string(text)};
  const absl::StatusOr<std::string> id = JoinTokenId(token);
  if (!id.ok()) HOSTQ_CHECK(ReasonOf(id.status()) == Reason::kTokenInvalid);
  JoinToken record;
  record.id = id.ok() ? *id : "";
  record.secret_hash = Sha256Hex("another secret");
  record.expire_time = absl::InfiniteFuture();
  for (const JoinToken* known : {static_cast<const JoinToken*>(nullptr), &std::as_const(record)}) {
    const absl::Status status = CheckJoinToken(token, known, "sha256:00", absl::UnixEpoch());
    HOSTQ_CHECK(ReasonOf(status) == Reason::kTokenInvalid);
  }
}

// A value has one spelling.
void Encodings(const std::string& text) {
  if (const auto bytes = HexDecode(text)) HOSTQ_CHECK(HexEncode(*bytes) == text);
  if (const auto bytes = Base32Decode(text)) HOSTQ_CHECK(Base32Encode(*bytes) == text);
  if (const auto bytes = Base64UrlDecode(text)) HOSTQ_CHECK(Base64UrlEncode(*bytes) == text);
  HOSTQ_CHECK(HexDecode(HexEncode(text)) == text);
  HOSTQ_CHECK(Base32Decode(Base32Encode(text)) == text);
  HOSTQ_CHECK(Base64UrlDecode(Base64UrlEncode(text)) == text);
}

void Names(const std::string& text) {
  if (const auto node = ParseNodeUri(text)) {
    HOSTQ_CHECK(FormatNodeUri(*node) == text && IsNodeName(node->name) && node->incarnation > 0);
  }
  const std::string source = RateLimitSource(text);
  HOSTQ_CHECK(RateLimitSource(source).size() <= source.size() + 4);
  if (IsPin(text)) HOSTQ_CHECK(text.size() == 71 && HexDecode(text.substr(7)).has_value());
}

void Certificates(const std::string& text) {
  if (const auto request = ParseCertificateRequest(text); request.ok()) {
    HOSTQ_CHECK(IsPin(request->key.Hash()));
  } else {
    HOSTQ_CHECK(ReasonOf(request.status()) == Reason::kInvalidArgument);
  }
  if (const auto info = ParseCertificate(text); info.ok()) HOSTQ_CHECK(IsPin(info->key_hash));
  (void)PrivateKey::FromPem(SecretString(text));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const int part = input.Byte() % 4;
  const std::string text(input.Rest());
  if (part == 0) Token(text);
  if (part == 1) Encodings(text);
  if (part == 2) Names(text);
  if (part == 3) Certificates(text);
  return 0;
}
