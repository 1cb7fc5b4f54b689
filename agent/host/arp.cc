#include "agent/host/arp.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "agent/host/file_descriptor.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr int kProbes = 3;
constexpr absl::Duration kProbeInterval = absl::Milliseconds(300);
// Offsets in an ARP packet for IPv4 over Ethernet.
constexpr size_t kSenderMac = 8;
constexpr size_t kSenderIp = 14;
constexpr size_t kTargetIp = 24;
constexpr size_t kSize = 28;
constexpr std::array<uint8_t, 6> kHeader = {0, ARPHRD_ETHER, 8, 0, 6, 4};

absl::StatusOr<FileDescriptor> OpenOn(const ProbeInterface& interface) {
  FileDescriptor fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_ll on = {};
  on.sll_family = AF_PACKET;
  on.sll_protocol = htons(ETH_P_ARP);
  on.sll_ifindex = interface.index;
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<sockaddr*>(&on), sizeof(on)) != 0) {
    const bool refused = errno == EPERM || errno == EACCES;
    return ErrnoError(errno, refused ? Reason::kPermissionDenied : Reason::kInternal,
                      absl::StrCat("listening for ARP on ", interface.name));
  }
  return fd;
}

void SendProbe(int fd, const ProbeInterface& interface, const IpAddress& target) {
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ARP);
  to.sll_ifindex = interface.index;
  to.sll_halen = ETH_ALEN;
  std::fill_n(to.sll_addr, ETH_ALEN, uint8_t{0xff});
  const auto packet = EncodeArpProbe(interface.mac, target);
  // An interface that just went down has nobody to ask: not an error.
  (void)sendto(fd, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to));
}

// Everything that waits on the socket; the claim in it, if there is one.
std::optional<MacAddress> ReadClaim(int fd, const std::vector<ProbeInterface>& own,
                                    const IpAddress& target) {
  while (true) {
    char buffer[256];
    sockaddr_ll from = {};
    socklen_t length = sizeof(from);
    const ssize_t got =
        recvfrom(fd, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) return std::nullopt;
    if (from.sll_pkttype == PACKET_OUTGOING) continue;
    const auto mac = ClaimsAddress({buffer, static_cast<size_t>(got)}, target);
    if (mac && std::none_of(own.begin(), own.end(),
                            [&](const ProbeInterface& one) { return one.mac == *mac; })) {
      return mac;
    }
  }
}

}  // namespace

std::string FormatMac(const MacAddress& mac) {
  return absl::StrFormat("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                         mac[5]);
}

std::array<uint8_t, 28> EncodeArpProbe(const MacAddress& sender, const IpAddress& target) {
  std::array<uint8_t, kSize> packet = {};
  std::copy(kHeader.begin(), kHeader.end(), packet.begin());
  packet[7] = ARPOP_REQUEST;
  std::copy(sender.begin(), sender.end(), packet.begin() + kSenderMac);
  std::copy_n(target.bytes.begin(), 4, packet.begin() + kTargetIp);
  return packet;
}

std::optional<MacAddress> ClaimsAddress(absl::string_view packet, const IpAddress& target) {
  if (packet.size() < kSize || target.v6) return std::nullopt;
  if (std::memcmp(packet.data(), kHeader.data(), kHeader.size()) != 0) return std::nullopt;
  if (std::memcmp(packet.data() + kSenderIp, target.bytes.data(), 4) != 0) return std::nullopt;
  MacAddress mac;
  std::memcpy(mac.data(), packet.data() + kSenderMac, mac.size());
  return mac;
}

absl::StatusOr<std::optional<AddressOwner>> ProbeByArp(
    const std::vector<ProbeInterface>& interfaces, const IpAddress& target) {
  std::vector<FileDescriptor> sockets;
  std::vector<pollfd> waiting;
  for (const ProbeInterface& interface : interfaces) {
    HOSTQ_ASSIGN_OR_RETURN(FileDescriptor fd, OpenOn(interface));
    waiting.push_back({fd.get(), POLLIN, 0});
    sockets.push_back(std::move(fd));
  }
  if (interfaces.empty()) return std::optional<AddressOwner>();
  for (int round = 0; round < kProbes; ++round) {
    for (size_t i = 0; i < interfaces.size(); ++i) {
      SendProbe(sockets[i].get(), interfaces[i], target);
    }
    const absl::Time deadline = absl::Now() + kProbeInterval;
    while (true) {
      const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
      if (left <= 0 || poll(waiting.data(), waiting.size(), static_cast<int>(left)) <= 0) break;
      for (size_t i = 0; i < interfaces.size(); ++i) {
        if (const auto mac = ReadClaim(sockets[i].get(), interfaces, target)) {
          return std::optional<AddressOwner>({FormatMac(*mac), interfaces[i].name});
        }
      }
    }
  }
  return std::optional<AddressOwner>();
}

}  // namespace hostq::agent
