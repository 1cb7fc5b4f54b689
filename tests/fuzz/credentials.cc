// What callers show or type: texts of API keys, scopes, ranges of addresses. What is taken, printed
// and parsed again is the same; no made-up key is let in.
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/hash.h"
#include "input.h"
#include "manager/access/address_range.h"
#include "manager/access/api_key.h"
#include "manager/access/scope.h"

namespace {

using namespace hostq;
using namespace hostq::manager;

constexpr char kSource[] = "192.0.2.1";

ApiKey KeyOf(absl::string_view id, std::string hash) {
  ApiKey key;
  key.id = std::string(id);
  key.name = "billing";
  key.secrets.push_back({std::move(hash), absl::UnixEpoch()});
  return key;
}

Reason Check(const ApiKeyParts& parts, const ApiKey* key, bool& guessed) {
  return ReasonOf(CheckApiKey(parts, key, kSource, absl::UnixEpoch(), guessed));
}

// A text that somebody made up, or changed.
void Shown(const std::string& text) {
  const SecretString shown(text);
  const absl::StatusOr<ApiKeyParts> parts = ParseApiKey(shown);
  if (!parts.ok()) {
    // The same two words to everybody: nothing of the text is in them.
    static const std::string form(ParseApiKey(SecretString("x")).status().message());
    static const std::string checksum(
        ParseApiKey(SecretString("hostq_" + std::string(10, 'a') + "_" + std::string(47, 'b')))
            .status()
            .message());
    const absl::string_view message = parts.status().message();
    HOSTQ_CHECK(ReasonOf(parts.status()) == Reason::kKeyInvalid);
    HOSTQ_CHECK(form != checksum && (message == form || message == checksum));
    return;
  }
  HOSTQ_CHECK(absl::StartsWith(text, absl::StrCat("hostq_", parts->id, "_", parts->secret)));
  bool guessed = false;
  HOSTQ_CHECK(Check(*parts, nullptr, guessed) == Reason::kKeyInvalid && guessed);
  const ApiKey others = KeyOf(parts->id, Sha256("another secret"));
  HOSTQ_CHECK(Check(*parts, &others, guessed) == Reason::kKeyInvalid && guessed);
  const ApiKey own = KeyOf(parts->id, Sha256(parts->secret));
  HOSTQ_CHECK(Check(*parts, &own, guessed) == Reason::kNone && !guessed);
}

// A key that was made is read back; none that differs from it is taken for it.
void Made(absl::string_view id, uint8_t place, uint8_t change) {
  const NewApiSecret made = MakeApiSecret(id);
  const absl::StatusOr<ApiKeyParts> parts = ParseApiKey(made.text);
  const bool is_id =
      id.size() == 10 && id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == id.npos;
  HOSTQ_CHECK(parts.ok() == is_id);
  if (!is_id) return;
  HOSTQ_CHECK(parts->id == id && Sha256(parts->secret) == made.hash);
  const ApiKey key = KeyOf(id, made.hash);
  bool guessed = false;
  HOSTQ_CHECK(Check(*parts, &key, guessed) == Reason::kNone);
  std::string text(made.text.Reveal());
  if (change == 0) return;
  // The checksum finds every change within one byte.
  text[place % text.size()] = static_cast<char>(text[place % text.size()] ^ change);
  HOSTQ_CHECK(!ParseApiKey(SecretString(text)).ok());
}

void Scopes(const std::string& text, const std::string& name) {
  const absl::StatusOr<Scope> scope = ParseScope(text);
  if (!scope.ok()) {
    HOSTQ_CHECK(ReasonOf(scope.status()) == Reason::kInvalidArgument);
    return fuzz::CheckText(scope.status().message());
  }
  HOSTQ_CHECK(scope->verb != Verb::kNone);
  const absl::StatusOr<Scope> again = ParseScope(scope->text());
  HOSTQ_CHECK(again.ok() && *again == *scope && again->text() == scope->text());
  Rights rights;
  rights.scopes = {*scope};
  Subject subject;
  subject.kind = subject.account = name;
  subject.nodes = {name};
  // What is granted without a limit is granted for everything; one node is some of them.
  if (AllowsEverything(rights, scope->verb)) HOSTQ_CHECK(Allows(rights, scope->verb, subject));
  if (Allows(rights, scope->verb, subject)) {
    HOSTQ_CHECK(HasVerb(rights, scope->verb) && AllowsSome(rights, scope->verb, subject) &&
                AllowsNode(rights, scope->verb, subject, name));
  }
  HOSTQ_CHECK(!Allows(rights, Verb::kNone, subject) && !HasVerb(rights, Verb::kNone));
}

void Patterns(const std::string& pattern, const std::string& name) {
  HOSTQ_CHECK(MatchesName("*", name) && MatchesName("*" + name, name));
  if (!absl::StrContains(pattern, '*')) {
    HOSTQ_CHECK(MatchesName(pattern, name) == (pattern == name));
  }
  const bool matches = MatchesName(pattern, name);
  if (matches) HOSTQ_CHECK(MatchesName(pattern + "*", name + "x"));
  if (matches) HOSTQ_CHECK(MatchesName("*" + pattern, "x" + name));
}

void Ranges(const std::string& text, const std::string& address) {
  const absl::StatusOr<AddressRange> range = AddressRange::Parse(text);
  if (!range.ok()) {
    HOSTQ_CHECK(ReasonOf(range.status()) == Reason::kInvalidArgument);
    return fuzz::CheckText(range.status().message());
  }
  const absl::StatusOr<AddressRange> again = AddressRange::Parse(range->text());
  HOSTQ_CHECK(again.ok() && *again == *range && again->text() == range->text());
  HOSTQ_CHECK(range->Contains(text.substr(0, text.find('/'))));
  HOSTQ_CHECK(InAnyRange({}, address));
  if (!AddressRange::Parse(address).ok()) HOSTQ_CHECK(!range->Contains(address));
  HOSTQ_CHECK(InAnyRange({*range}, address) == range->Contains(address));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const int part = input.Byte() % 5;
  if (part == 0) {
    Shown(std::string(input.Rest()));
    return 0;
  }
  if (part == 1) {
    const uint8_t place = input.Byte(), change = input.Byte();
    Made(input.Rest(), place, change);
    return 0;
  }
  const std::string first(input.Chunk());
  const std::string second(input.Rest());
  if (part == 2) Scopes(first, second);
  if (part == 3) Patterns(first, second);
  if (part == 4) Ranges(first, second);
  return 0;
}
