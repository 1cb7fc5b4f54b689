#include <linux/if_addr.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/route/link.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/host/arp.h"
#include "agent/host/linux_parts.h"
#include "agent/host/netlink.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr char kLoopback[] = "lo";
constexpr uint32_t kForEver = ~0U;  // a lifetime

absl::StatusOr<Owned<nl_sock>> Connect() {
  Owned<nl_sock> socket(nl_socket_alloc());
  if (socket == nullptr) return NetlinkError(-NLE_NOMEM, "opening a netlink socket");
  if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0) {
    return NetlinkError(error, "opening a netlink socket");
  }
  return socket;
}

// An Ethernet interface that is up: one on which ARP is spoken.
struct Uplink {
  ProbeInterface interface;
  std::vector<IpRange> subnets;
};

int ReadSetting(const std::string& path) {
  int value = 0;
  std::ifstream(path) >> value;
  return value;
}

class LinuxAddresses final : public Addresses {
 public:
  absl::StatusOr<std::vector<InterfaceAddress>> List() override {
    HOSTQ_ASSIGN_OR_RETURN(const auto socket, Connect());
    nl_cache* raw = nullptr;
    if (const int error = rtnl_addr_alloc_cache(socket.get(), &raw); error < 0) {
      return NetlinkError(error, "listing addresses");
    }
    const Owned<nl_cache> cache(raw);
    std::vector<InterfaceAddress> addresses;
    for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
         object = nl_cache_get_next(object)) {
      auto* const entry = reinterpret_cast<rtnl_addr*>(object);
      nl_addr* const local = rtnl_addr_get_local(entry);
      const int family = rtnl_addr_get_family(entry);
      if (local == nullptr || (family != AF_INET && family != AF_INET6)) continue;
      InterfaceAddress found;
      found.address.v6 = family == AF_INET6;
      std::memcpy(found.address.bytes.data(), nl_addr_get_binary_addr(local),
                  std::min<size_t>(nl_addr_get_len(local), found.address.bytes.size()));
      found.prefix = rtnl_addr_get_prefixlen(entry);
      char name[IF_NAMESIZE] = {};
      if_indextoname(static_cast<unsigned>(rtnl_addr_get_ifindex(entry)), name);
      found.interface = name;
      addresses.push_back(std::move(found));
    }
    return addresses;
  }

  absl::Status AddToLoopback(const IpAddress& address) override {
    HOSTQ_ASSIGN_OR_RETURN(const auto socket, Connect());
    HOSTQ_ASSIGN_OR_RETURN(const auto entry, Entry(kLoopback, address));
    // The kernel takes such an address as the source of its own connections only if asked to:
    // otherwise an uplink without an address of its own would use it.
    if (!address.v6) rtnl_addr_set_scope(entry.get(), RT_SCOPE_HOST);
    // Duplicate address detection makes no sense on lo, and would delay the address.
    if (address.v6) rtnl_addr_set_flags(entry.get(), IFA_F_NODAD);
    return Add(socket.get(), entry.get(), kLoopback, address);
  }

  absl::Status RemoveFromLoopback(const IpAddress& address) override {
    return RemoveFromInterface(kLoopback, address);
  }

  absl::Status AddToInterface(const std::string& interface, const IpAddress& address) override {
    HOSTQ_ASSIGN_OR_RETURN(const auto socket, Connect());
    HOSTQ_ASSIGN_OR_RETURN(const auto entry, Entry(interface, address));
    if (address.v6) {
      // It is to work at once; whether another host has it was asked before, where one can ask.
      rtnl_addr_set_flags(entry.get(), IFA_F_NODAD);
      rtnl_addr_set_valid_lifetime(entry.get(), kForEver);
      rtnl_addr_set_preferred_lifetime(entry.get(), 0);
    }
    HOSTQ_RETURN_IF_ERROR(Add(socket.get(), entry.get(), interface, address));
    if (address.v6) return absl::OkStatus();
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<Uplink> uplinks, Uplinks());
    for (const Uplink& uplink : uplinks) {
      if (uplink.interface.name == interface) return AnnounceByArp(uplink.interface, address);
    }
    return absl::OkStatus();
  }

  absl::Status RemoveFromInterface(const std::string& interface,
                                   const IpAddress& address) override {
    HOSTQ_ASSIGN_OR_RETURN(const auto socket, Connect());
    HOSTQ_ASSIGN_OR_RETURN(const auto entry, Entry(interface, address));
    const int error = rtnl_addr_delete(socket.get(), entry.get(), 0);
    if (error == 0 || error == -NLE_NOADDR) return absl::OkStatus();
    return NetlinkError(error, absl::StrCat("removing ", address.ToString(), " from ", interface));
  }

  absl::StatusOr<std::optional<AddressOwner>> FindOwner(const IpAddress& address) override {
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<AddressOwner> owners, FindOwners({address}));
    if (owners.empty()) return std::optional<AddressOwner>();
    return std::optional<AddressOwner>(owners.front());
  }

  absl::StatusOr<std::vector<AddressOwner>> FindOwners(
      const std::vector<IpAddress>& addresses) override {
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<Uplink> uplinks, Uplinks());
    std::vector<ProbeTarget> targets;
    for (const IpAddress& address : addresses) {
      if (!address.v6) targets.push_back({address, InterfacesFor(uplinks, address)});
    }
    return ProbeByArp(targets);
  }

  absl::StatusOr<std::vector<ArpSetting>> ArpSettings() override {
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<Uplink> uplinks, Uplinks());
    const auto effective = [](const std::string& interface, absl::string_view setting) {
      const auto path = [&](absl::string_view which) {
        return absl::StrCat("/proc/sys/net/ipv4/conf/", which, "/", setting);
      };
      return std::max(ReadSetting(path("all")), ReadSetting(path(interface)));
    };
    std::vector<ArpSetting> settings;
    for (const Uplink& uplink : uplinks) {
      const std::string& name = uplink.interface.name;
      settings.push_back({name, effective(name, "arp_ignore"), effective(name, "arp_announce")});
    }
    return settings;
  }

 private:
  // Those whose subnet has the address, or else all.
  static std::vector<ProbeInterface> InterfacesFor(const std::vector<Uplink>& uplinks,
                                                   const IpAddress& address) {
    std::vector<ProbeInterface> within, all;
    for (const Uplink& uplink : uplinks) {
      all.push_back(uplink.interface);
      for (const IpRange& subnet : uplink.subnets) {
        if (subnet.Contains(address)) {
          within.push_back(uplink.interface);
          break;
        }
      }
    }
    return within.empty() ? all : within;
  }

  static absl::Status Add(nl_sock* socket, rtnl_addr* entry, const std::string& interface,
                          const IpAddress& address) {
    const int error = rtnl_addr_add(socket, entry, NLM_F_CREATE | NLM_F_EXCL);
    if (error == 0 || error == -NLE_EXIST) return absl::OkStatus();
    return NetlinkError(error, absl::StrCat("adding ", address.ToString(), " to ", interface));
  }

  // /32 or /128 on an interface.
  static absl::StatusOr<Owned<rtnl_addr>> Entry(const std::string& interface,
                                                const IpAddress& address) {
    const unsigned index = if_nametoindex(interface.c_str());
    if (index == 0) {
      return ErrnoError(errno, Reason::kInternal,
                        absl::StrCat("looking for the interface ", interface));
    }
    Owned<rtnl_addr> entry(rtnl_addr_alloc());
    const Owned<nl_addr> local(nl_addr_build(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(),
                                             static_cast<size_t>(address.bits()) / 8));
    if (entry == nullptr || local == nullptr) return NetlinkError(-NLE_NOMEM, "naming an address");
    nl_addr_set_prefixlen(local.get(), address.bits());
    rtnl_addr_set_ifindex(entry.get(), static_cast<int>(index));
    if (const int error = rtnl_addr_set_local(entry.get(), local.get()); error < 0) {
      return NetlinkError(error, "naming an address");
    }
    return entry;
  }

  absl::StatusOr<std::vector<Uplink>> Uplinks() {
    HOSTQ_ASSIGN_OR_RETURN(const auto addresses, List());
    HOSTQ_ASSIGN_OR_RETURN(const auto socket, Connect());
    nl_cache* raw = nullptr;
    if (const int error = rtnl_link_alloc_cache(socket.get(), AF_UNSPEC, &raw); error < 0) {
      return NetlinkError(error, "listing interfaces");
    }
    const Owned<nl_cache> cache(raw);
    std::vector<Uplink> uplinks;
    for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
         object = nl_cache_get_next(object)) {
      auto* const link = reinterpret_cast<rtnl_link*>(object);
      const unsigned flags = rtnl_link_get_flags(link);
      nl_addr* const mac = rtnl_link_get_addr(link);
      if (rtnl_link_get_arptype(link) != ARPHRD_ETHER || (flags & IFF_UP) == 0 ||
          (flags & (IFF_LOOPBACK | IFF_NOARP)) != 0 || mac == nullptr ||
          nl_addr_get_len(mac) != MacAddress().size()) {
        continue;
      }
      Uplink uplink;
      uplink.interface.name = rtnl_link_get_name(link);
      uplink.interface.index = rtnl_link_get_ifindex(link);
      std::memcpy(uplink.interface.mac.data(), nl_addr_get_binary_addr(mac),
                  uplink.interface.mac.size());
      for (const InterfaceAddress& one : addresses) {
        if (one.interface == uplink.interface.name) {
          uplink.subnets.push_back({one.address, one.prefix});
        }
      }
      uplinks.push_back(std::move(uplink));
    }
    return uplinks;
  }
};

}  // namespace

std::unique_ptr<Addresses> MakeLinuxAddresses() { return std::make_unique<LinuxAddresses>(); }

}  // namespace hostq::agent
