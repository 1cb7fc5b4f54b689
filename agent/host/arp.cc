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
#include <iterator>

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

void Send(int fd, const ProbeInterface& interface, const std::array<uint8_t, kSize>& packet) {
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ARP);
  to.sll_ifindex = interface.index;
  to.sll_halen = ETH_ALEN;
  std::fill_n(to.sll_addr, ETH_ALEN, uint8_t{0xff});
  // An interface that just went down has nobody to ask: not an error.
  (void)sendto(fd, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to));
}

// An interface that is listened on, and what is asked there.
struct Listener {
  ProbeInterface interface;
  FileDescriptor fd;
  std::vector<IpAddress> targets;
};

absl::StatusOr<std::vector<Listener>> Listen(const std::vector<ProbeTarget>& targets) {
  std::vector<Listener> listeners;
  for (const ProbeTarget& target : targets) {
    for (const ProbeInterface& interface : target.interfaces) {
      auto at = std::find_if(listeners.begin(), listeners.end(), [&](const Listener& listener) {
        return listener.interface.index == interface.index;
      });
      if (at == listeners.end()) {
        HOSTQ_ASSIGN_OR_RETURN(FileDescriptor fd, OpenOn(interface));
        listeners.push_back({interface, std::move(fd), {}});
        at = std::prev(listeners.end());
      }
      at->targets.push_back(target.address);
    }
  }
  return listeners;
}

bool IsOwn(const std::vector<Listener>& listeners, const MacAddress& mac) {
  return std::any_of(listeners.begin(), listeners.end(),
                     [&](const Listener& listener) { return listener.interface.mac == mac; });
}

// Adds the claims in everything that waits on the socket.
void ReadClaims(const Listener& on, const std::vector<Listener>& own,
                std::vector<AddressOwner>& owners) {
  while (true) {
    char buffer[256];
    sockaddr_ll from = {};
    socklen_t length = sizeof(from);
    const ssize_t got = recvfrom(on.fd.get(), buffer, sizeof(buffer), 0,
                                 reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) return;
    if (from.sll_pkttype == PACKET_OUTGOING) continue;
    const absl::string_view packet(buffer, static_cast<size_t>(got));
    for (const IpAddress& target : on.targets) {
      const auto mac = ClaimsAddress(packet, target);
      if (!mac || IsOwn(own, *mac)) continue;
      const bool known = std::any_of(owners.begin(), owners.end(), [&](const AddressOwner& owner) {
        return owner.address == target;
      });
      if (!known) owners.push_back({target, FormatMac(*mac), on.interface.name});
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

std::array<uint8_t, 28> EncodeArpAnnouncement(const MacAddress& sender, const IpAddress& address) {
  std::array<uint8_t, kSize> packet = EncodeArpProbe(sender, address);
  std::copy_n(address.bytes.begin(), 4, packet.begin() + kSenderIp);
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

absl::StatusOr<std::vector<AddressOwner>> ProbeByArp(const std::vector<ProbeTarget>& targets) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Listener> listeners, Listen(targets));
  std::vector<AddressOwner> owners;
  std::vector<pollfd> waiting;
  for (const Listener& listener : listeners) waiting.push_back({listener.fd.get(), POLLIN, 0});
  if (listeners.empty()) return owners;
  for (int round = 0; round < kProbes; ++round) {
    for (const Listener& listener : listeners) {
      for (const IpAddress& target : listener.targets) {
        Send(listener.fd.get(), listener.interface, EncodeArpProbe(listener.interface.mac, target));
      }
    }
    const absl::Time deadline = absl::Now() + kProbeInterval;
    while (true) {
      const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
      if (left <= 0 || poll(waiting.data(), waiting.size(), static_cast<int>(left)) <= 0) break;
      for (const Listener& listener : listeners) ReadClaims(listener, listeners, owners);
      if (owners.size() == targets.size()) return owners;
    }
  }
  return owners;
}

absl::Status AnnounceByArp(const ProbeInterface& interface, const IpAddress& address) {
  HOSTQ_ASSIGN_OR_RETURN(const FileDescriptor fd, OpenOn(interface));
  Send(fd.get(), interface, EncodeArpAnnouncement(interface.mac, address));
  return absl::OkStatus();
}

}  // namespace hostq::agent
