#include "agent/host/virtual_services.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace hostq::agent {
namespace {

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
};

// "CB00710A:0050", "[2001:0db8:0000:0000:0000:0000:0000:0010]:0050".
std::optional<Endpoint> ParseEndpoint(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  Endpoint endpoint;
  uint32_t port = 0;
  if (!absl::SimpleHexAtoi(text.substr(colon + 1), &port) || port > 65535) return std::nullopt;
  endpoint.port = static_cast<uint16_t>(port);
  absl::string_view host = text.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]")) {
    const auto address = IpAddress::Parse(host);
    if (!address || !address->v6) return std::nullopt;
    endpoint.address = *address;
    return endpoint;
  }
  uint32_t bits = 0;
  if (host.size() != 8 || !absl::SimpleHexAtoi(host, &bits)) return std::nullopt;
  for (size_t i = 0; i < 4; ++i) {
    endpoint.address.bytes[i] = static_cast<uint8_t>(bits >> (24 - 8 * i));
  }
  return endpoint;
}

RealServer::Forwarding ParseForwarding(absl::string_view word) {
  if (word == "Route") return RealServer::Forwarding::kDirect;
  if (word == "Tunnel") return RealServer::Forwarding::kTunnel;
  return RealServer::Forwarding::kOther;
}

std::optional<RealServer> ParseServer(const std::vector<absl::string_view>& words) {
  if (words.size() < 4) return std::nullopt;
  const auto endpoint = ParseEndpoint(words[1]);
  RealServer server;
  if (!endpoint || !absl::SimpleAtoi(words[3], &server.weight)) return std::nullopt;
  server.address = endpoint->address;
  server.port = endpoint->port;
  server.forwarding = ParseForwarding(words[2]);
  return server;
}

std::optional<VirtualService> ParseService(const std::vector<absl::string_view>& words) {
  if (words.size() < 3 || words[0] != "TCP") return std::nullopt;
  const auto endpoint = ParseEndpoint(words[1]);
  if (!endpoint) return std::nullopt;
  VirtualService service;
  service.address = endpoint->address;
  service.port = endpoint->port;
  service.scheduler = std::string(words[2]);
  service.persistence = std::find(words.begin() + 3, words.end(), "persistent") != words.end();
  return service;
}

std::tuple<bool, std::array<uint8_t, 16>, uint16_t> Order(const IpAddress& address, uint16_t port) {
  return {address.v6, address.bytes, port};
}

}  // namespace

std::vector<VirtualService> ParseVirtualServices(absl::string_view text) {
  std::vector<VirtualService> services;
  // The servers that follow belong to a service that is listed.
  bool listed = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.empty()) continue;
    if (words[0] != "->") {
      auto service = ParseService(words);
      listed = service.has_value();
      if (listed) services.push_back(*std::move(service));
    } else if (listed) {
      if (auto server = ParseServer(words)) services.back().servers.push_back(*server);
    }
  }
  Sort(services);
  return services;
}

void Sort(std::vector<VirtualService>& services) {
  const auto before = [](const auto& a, const auto& b) {
    return Order(a.address, a.port) < Order(b.address, b.port);
  };
  std::sort(services.begin(), services.end(), before);
  for (VirtualService& service : services) {
    std::sort(service.servers.begin(), service.servers.end(), before);
  }
}

}  // namespace hostq::agent
