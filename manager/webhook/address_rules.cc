#include "manager/webhook/address_rules.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::manager {
namespace {

struct Special {
  const char* range;
  const char* what;
};

// IANA's registries of special-purpose addresses, and what carries an IPv4 address inside.
constexpr Special kSpecial[] = {
    {"0.0.0.0/8", "no destination"},
    {"10.0.0.0/8", "a private address"},
    {"100.64.0.0/10", "a carrier's internal address"},
    {"127.0.0.0/8", "a loopback address"},
    {"169.254.0.0/16", "a link-local address"},
    {"172.16.0.0/12", "a private address"},
    {"192.0.0.0/24", "a special address"},
    {"192.0.2.0/24", "an address for documentation"},
    {"192.88.99.0/24", "a special address"},
    {"192.168.0.0/16", "a private address"},
    {"198.18.0.0/15", "an address for benchmarks"},
    {"198.51.100.0/24", "an address for documentation"},
    {"203.0.113.0/24", "an address for documentation"},
    {"224.0.0.0/4", "a multicast address"},
    {"240.0.0.0/4", "a reserved address"},
    {"::/96", "a special address"},  // unspecified, loopback, IPv4 in its old form
    {"64:ff9b::/96", "an IPv4 address behind a translator"},
    {"64:ff9b:1::/48", "an IPv4 address behind a translator"},
    {"100::/64", "a special address"},
    {"2001::/23", "a special address"},  // Teredo and others
    {"2001:db8::/32", "an address for documentation"},
    {"2002::/16", "an IPv4 address in 6to4"},
    {"3fff::/20", "an address for documentation"},
    {"5f00::/16", "a special address"},
    {"fc00::/7", "a private address"},
    {"fe80::/10", "a link-local address"},
    {"fec0::/10", "a private address"},
    {"ff00::/8", "a multicast address"},
};

const std::vector<std::pair<AddressRange, const char*>>& SpecialRanges() {
  static const auto* const ranges = [] {
    auto* out = new std::vector<std::pair<AddressRange, const char*>>;
    for (const Special& special : kSpecial) {
      absl::StatusOr<AddressRange> range = AddressRange::Parse(special.range);
      HOSTQ_CHECK(range.ok());
      out->emplace_back(*std::move(range), special.what);
    }
    return out;
  }();
  return *ranges;
}

absl::Status Refuse(absl::string_view address, absl::string_view what) {
  return MakeError(
      absl::StatusCode::kPermissionDenied, Reason::kWebhookAddressRefused,
      absl::StrCat("the address ", Printable(address, 64), " is ", what,
                   ", and not in webhooks.allow of manager.toml: nothing is sent there"));
}

bool SameAddress(absl::string_view a, absl::string_view b) {
  const absl::StatusOr<AddressRange> range = AddressRange::Parse(a);
  return range.ok() && range->Contains(b);
}

}  // namespace

AddressRules::AddressRules(std::vector<AddressRange> allow,
                           std::function<std::vector<std::string>()> own)
    : allow_(std::move(allow)), own_(std::move(own)) {}

absl::Status AddressRules::Check(absl::string_view address) const {
  if (!AddressRange::Parse(address).ok()) return Refuse(address, "none");
  const auto holds = [&](const AddressRange& range) { return range.Contains(address); };
  if (std::any_of(allow_.begin(), allow_.end(), holds)) return absl::OkStatus();
  for (const auto& [range, what] : SpecialRanges()) {
    if (range.Contains(address)) return Refuse(address, what);
  }
  for (const std::string& own : own_()) {
    if (SameAddress(own, address)) return Refuse(address, "the manager's own");
  }
  return absl::OkStatus();
}

std::vector<std::string> InterfaceAddresses() {
  std::vector<std::string> addresses;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return addresses;
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    const int family = at->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    char text[NI_MAXHOST];
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (getnameinfo(at->ifa_addr, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) {
      continue;
    }
    std::string address = text;
    address = address.substr(0, address.find('%'));  // the zone of a link-local one
    addresses.push_back(std::move(address));
  }
  freeifaddrs(first);
  return addresses;
}

}  // namespace hostq::manager
