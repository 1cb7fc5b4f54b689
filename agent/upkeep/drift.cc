#include "agent/upkeep/drift.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/actions/balancing_note.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"
#include "hostq/agent/v1/work.pb.h"

namespace hostq::agent {
namespace {

constexpr char kLoopback[] = "lo";

std::optional<Deviation> LookAtShare(Host& host, const std::vector<Mount>& mounts,
                                     const std::string& key, const v1::Share& share) {
  const std::string wanted = NfsSource(share.server(), share.export_path());
  const auto target = ResolveLink(host, share.mount_point());
  const std::string point = target.ok() ? *target : share.mount_point();
  const Mount* const mount = MountAt(mounts, point);
  if (mount == nullptr) {
    return Deviation{key, Reason::kShareNotMounted,
                     absl::StrCat("the share ", wanted, " is not mounted on ", point)};
  }
  // The server may be named otherwise in the list than in the share.
  if (mount->nfs() && absl::EndsWith(mount->source, absl::StrCat(":", share.export_path()))) {
    return std::nullopt;
  }
  return Deviation{key, Reason::kShareWrongSource,
                   absl::StrCat(mount->source, " (", mount->fs_type, ") is mounted on ", point,
                                " instead of ", wanted)};
}

bool IsBalancer(const KeptItem& item) {
  return std::find(item.roles.begin(), item.roles.end(), "balancer") != item.roles.end();
}

// Whether the service is there as it should be, as far as can be seen.
bool IsThere(const std::vector<VirtualService>& seen, VirtualService wanted) {
  wanted.persistence = wanted.persistence == 0 ? 0 : 1;
  return std::find(seen.begin(), seen.end(), wanted) != seen.end();
}

std::optional<Deviation> LookAtBalancing(Host& host, const std::vector<InterfaceAddress>& addresses,
                                         const std::string& key, const v1::BalancingTable& table) {
  const auto uplink = FindUplink(addresses, table.balancers());
  if (!uplink.ok()) {
    return Deviation{key, Reason::kBalancerUplinkMissing, std::string(uplink.status().message())};
  }
  const auto incomplete = [&](std::string message) {
    return Deviation{key, Reason::kBalancingIncomplete, std::move(message)};
  };
  std::set<std::string> there;
  for (const InterfaceAddress& one : addresses) {
    if (one.interface == *uplink) there.insert(one.address.ToString());
  }
  for (const std::string& address : table.addresses()) {
    if (!there.contains(address)) {
      return incomplete(absl::StrCat(address, " is not on ", *uplink));
    }
  }
  const auto seen = host.virtual_services().Glimpse();
  if (!seen.ok()) return incomplete(std::string(seen.status().message()));
  for (const VirtualService& service : ServicesOf(table)) {
    if (IsThere(*seen, service)) continue;
    return incomplete(absl::StrCat("port ", service.port, " of ", service.address.ToString(),
                                   " is not spread as it should be"));
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::vector<Deviation>> FindDrift(Host& host, const Kept& kept) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Mount> mounts, host.mounts().List());
  HOSTQ_ASSIGN_OR_RETURN(const auto addresses, host.addresses().List());
  std::set<std::string> on_lo, anywhere;
  for (const InterfaceAddress& one : addresses) {
    anywhere.insert(one.address.ToString());
    if (one.interface == kLoopback && one.prefix == one.address.bits()) {
      on_lo.insert(one.address.ToString());
    }
  }
  std::vector<Deviation> found;
  for (const auto& [key, item] : kept) {
    v1::Work work;
    if (!work.ParseFromString(item.work)) continue;  // the repair would say no more
    if (work.has_mount_share()) {
      auto deviation = LookAtShare(host, mounts, key, work.mount_share().share());
      if (deviation) found.push_back(*std::move(deviation));
    } else if (work.has_bind_address()) {
      const std::string& address = work.bind_address().address();
      // A balancer may have it on its interface to the network.
      if (on_lo.contains(address) || (IsBalancer(item) && anywhere.contains(address))) continue;
      found.push_back({key, Reason::kAddressMissing, absl::StrCat(address, " is not on lo")});
    } else if (work.has_set_balancing()) {
      auto deviation = LookAtBalancing(host, addresses, key, work.balancing());
      if (deviation) found.push_back(*std::move(deviation));
    }
  }
  return found;
}

}  // namespace hostq::agent
