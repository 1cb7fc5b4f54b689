#include "manager/webhook/url.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxLength = 2'000;
constexpr size_t kMaxHost = 253;

absl::Status Wrong(absl::string_view text, absl::string_view why) {
  return InvalidField(Reason::kInvalidArgument, "url",
                      absl::StrCat("\"", Printable(text, 100), "\" ", why,
                                   ": wanted is https://HOST[:PORT]/PATH, or http"));
}

bool IsAddress(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// A name of letters, digits, `-` and `_` in parts. One whose last part is a number is none: some
// resolvers read "127.1" and "0x7f000001" as addresses, and so would we.
bool IsName(absl::string_view host) {
  if (host.empty() || host.size() > kMaxHost) return false;
  absl::string_view last = host;
  if (const size_t dot = host.rfind('.'); dot != host.npos) last = host.substr(dot + 1);
  if (last.empty() || absl::ascii_isdigit(static_cast<unsigned char>(last[0]))) return false;
  if (host[0] == '.' || absl::StrContains(host, "..")) return false;
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace

bool Url::is_address() const { return IsAddress(host); }

std::string Url::authority() const {
  const std::string name = absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : host;
  return port == (tls ? 443 : 80) ? name : absl::StrCat(name, ":", port);
}

absl::StatusOr<Url> ParseUrl(absl::string_view text) {
  if (text.size() > kMaxLength) return Wrong(text, "is longer than 2000 characters");
  Url url;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "https://")) {
    url.tls = true;
  } else if (!absl::ConsumePrefix(&rest, "http://")) {
    return Wrong(text, "begins with neither https:// nor http://");
  }
  for (const unsigned char c : rest) {
    if (!absl::ascii_isgraph(c) ||
        absl::StrContains("\"<>\\^`{|}", absl::string_view(reinterpret_cast<const char*>(&c), 1))) {
      return Wrong(text, "has a character that must be escaped with %");
    }
  }
  if (absl::StrContains(rest, '#')) return Wrong(text, "has a fragment (#)");
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  absl::string_view authority = rest.substr(0, end);
  url.target = std::string(rest.substr(end));
  if (!absl::StartsWith(url.target, "/")) url.target = absl::StrCat("/", url.target);
  if (absl::StrContains(authority, '@')) return Wrong(text, "has a user in it");
  absl::string_view port;
  if (absl::ConsumePrefix(&authority, "[")) {
    const size_t close = authority.find(']');
    if (close == authority.npos) return Wrong(text, "has no ] behind the address");
    url.host = std::string(authority.substr(0, close));
    port = authority.substr(close + 1);
    if (!absl::StrContains(url.host, ':') || !IsAddress(url.host)) {
      return Wrong(text, "has no IPv6 address in the brackets");
    }
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    url.host = absl::AsciiStrToLower(authority.substr(0, colon));
    port = authority.substr(colon);
    if (!IsAddress(url.host) && !IsName(url.host)) return Wrong(text, "names no host");
  }
  int number = url.tls ? 443 : 80;
  if (!port.empty()) {
    if (!absl::ConsumePrefix(&port, ":") || !absl::SimpleAtoi(port, &number) || number < 1 ||
        number > 65535) {
      return Wrong(text, "has a port that is none");
    }
  }
  url.port = static_cast<uint16_t>(number);
  return url;
}

}  // namespace hostq::manager
