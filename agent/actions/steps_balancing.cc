#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "agent/actions/balancing_note.h"
#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// A thousand new services with their servers are some ten thousand calls of the kernel.
constexpr absl::Duration kBalancingTimeout = absl::Minutes(2);
constexpr absl::string_view kSchedulers[] = {"rr", "wrr", "lc", "wlc", "lblc"};
constexpr uint32_t kMaxPersistence = 24 * 60 * 60;
constexpr uint32_t kMaxWeight = 65535;
constexpr int kMaxPorts = 64;

absl::Status Bad(absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters,
                   absl::StrCat("balancing: ", message));
}

absl::Status CheckSettings(const hostq::v1::BalancingSettings& settings) {
  if (settings.ports().empty() || settings.ports_size() > kMaxPorts) {
    return Bad(absl::StrCat(settings.ports_size(), " services"));
  }
  for (const uint32_t port : settings.ports()) {
    if (port == 0 || port > 65535) return Bad(absl::StrCat("port ", port));
  }
  if (!absl::c_linear_search(kSchedulers, settings.scheduler())) {
    return Bad(absl::StrCat("scheduler ", Printable(settings.scheduler(), 40)));
  }
  if (settings.persistence_seconds() > kMaxPersistence) {
    return Bad(absl::StrCat("persistence of ", settings.persistence_seconds(), " s"));
  }
  if (settings.forwarding() != hostq::v1::DIRECT && settings.forwarding() != hostq::v1::TUNNEL) {
    return Bad("no such forwarding");
  }
  return absl::OkStatus();
}

std::set<IpAddress, bool (*)(const IpAddress&, const IpAddress&)> Parsed(
    const std::set<std::string>& texts) {
  std::set<IpAddress, bool (*)(const IpAddress&, const IpAddress&)> addresses(
      [](const IpAddress& a, const IpAddress& b) {
        return std::tie(a.v6, a.bytes) < std::tie(b.v6, b.bytes);
      });
  for (const std::string& text : texts) {
    if (const auto address = IpAddress::Parse(text)) addresses.insert(*address);
  }
  return addresses;
}

bool SameService(const VirtualService& a, const VirtualService& b) {
  return a.address == b.address && a.port == b.port;
}

template <typename Services>
auto Find(Services& services, const VirtualService& wanted) {
  return std::find_if(services.begin(), services.end(),
                      [&](const VirtualService& service) { return SameService(service, wanted); });
}

// What is there, put right as `wanted` says.
absl::Status PutServers(Host& host, const VirtualService& wanted,
                        const std::vector<RealServer>& there) {
  for (const RealServer& server : wanted.servers) {
    if (absl::c_linear_search(there, server)) continue;
    HOSTQ_RETURN_IF_ERROR(host.virtual_services().PutServer(wanted, server));
  }
  for (const RealServer& server : there) {
    const bool stays = absl::c_any_of(wanted.servers, [&](const RealServer& other) {
      return other.address == server.address && other.port == server.port;
    });
    if (!stays) HOSTQ_RETURN_IF_ERROR(host.virtual_services().RemoveServer(wanted, server));
  }
  return absl::OkStatus();
}

// Of all services those of hostq's addresses.
absl::StatusOr<std::vector<VirtualService>> ListOurs(Host& host,
                                                     const std::set<std::string>& ours) {
  HOSTQ_ASSIGN_OR_RETURN(std::vector<VirtualService> services, host.virtual_services().List());
  const auto addresses = Parsed(ours);
  std::erase_if(services, [&](const VirtualService& service) {
    return addresses.find(service.address) == addresses.end();
  });
  return services;
}

// Returns whether anything was different. `ours`: the table's addresses and those that leave.
absl::StatusOr<bool> PutServices(Host& host, const std::vector<VirtualService>& wanted,
                                 const std::set<std::string>& ours) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<VirtualService> there, ListOurs(host, ours));
  if (there == wanted) return false;
  for (const VirtualService& service : there) {
    if (Find(wanted, service) != wanted.end()) continue;
    HOSTQ_RETURN_IF_ERROR(host.virtual_services().Remove(service));
  }
  for (const VirtualService& service : wanted) {
    const auto old = Find(there, service);
    const bool same = old != there.end() && old->scheduler == service.scheduler &&
                      old->persistence == service.persistence;
    if (!same) HOSTQ_RETURN_IF_ERROR(host.virtual_services().Put(service));
    HOSTQ_RETURN_IF_ERROR(
        PutServers(host, service, old == there.end() ? std::vector<RealServer>() : old->servers));
  }
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<VirtualService> now, ListOurs(host, ours));
  if (now == wanted) return true;
  return Precondition(Reason::kBalancingIncomplete,
                      "the virtual services were changed, and are not as they should be");
}

bool IsOn(const std::vector<InterfaceAddress>& all, const std::string& interface,
          const IpAddress& address) {
  return absl::c_any_of(all, [&](const InterfaceAddress& one) {
    return one.interface == interface && one.address == address;
  });
}

// Those of the table that the uplink lacks, and nobody else on the network answers for.
absl::StatusOr<std::vector<IpAddress>> FindMissing(Host& host, const v1::BalancingTable& table,
                                                   const std::vector<InterfaceAddress>& all,
                                                   const std::string& uplink) {
  std::vector<IpAddress> missing;
  for (const std::string& text : table.addresses()) {
    const IpAddress address = *IpAddress::Parse(text);
    if (IsOn(all, uplink, address)) continue;
    for (const InterfaceAddress& one : all) {
      if (one.address != address || one.interface == "lo") continue;
      return WithEvidence(
          Precondition(Reason::kAddressOnOtherInterface,
                       absl::StrCat(text, " is on ", one.interface, " instead of ", uplink)),
          "interface", one.interface);
    }
    missing.push_back(address);
  }
  if (missing.empty()) return missing;
  HOSTQ_ASSIGN_OR_RETURN(const auto owners, host.addresses().FindOwners(missing));
  if (owners.empty()) return missing;
  const AddressOwner& owner = owners.front();
  return WithEvidence(
      WithEvidence(
          Precondition(Reason::kAddressOwnedByOtherHost,
                       absl::StrCat("the host with MAC address ", owner.mac, " answers for ",
                                    owner.address.ToString(), " on ", owner.interface)),
          "mac", owner.mac),
      "address", owner.address.ToString());
}

// Returns whether anything was different.
absl::StatusOr<bool> PutAddresses(Host& host, const v1::BalancingTable& table,
                                  const std::set<std::string>& leaving) {
  HOSTQ_ASSIGN_OR_RETURN(const auto all, host.addresses().List());
  HOSTQ_ASSIGN_OR_RETURN(const std::string uplink, FindUplink(all, table.balancers()));
  HOSTQ_ASSIGN_OR_RETURN(const auto missing, FindMissing(host, table, all, uplink));
  bool changed = false;
  for (const IpAddress& address : missing) {
    HOSTQ_RETURN_IF_ERROR(host.addresses().AddToInterface(uplink, address));
    changed = true;
  }
  for (const IpAddress& address : Parsed(leaving)) {
    if (!IsOn(all, uplink, address)) continue;
    HOSTQ_RETURN_IF_ERROR(host.addresses().RemoveFromInterface(uplink, address));
    changed = true;
  }
  HOSTQ_ASSIGN_OR_RETURN(const auto now, host.addresses().List());
  for (const std::string& text : table.addresses()) {
    if (IsOn(now, uplink, *IpAddress::Parse(text))) continue;
    return Precondition(Reason::kBalancingIncomplete,
                        absl::StrCat(text, " was added to ", uplink, ", but is not there"));
  }
  return changed;
}

absl::StatusOr<StepResult> Balance(Host& host, const v1::BalancingTable& given,
                                   const Policy& policy) {
  HOSTQ_ASSIGN_OR_RETURN(const auto lock, LockBalancing(host));
  HOSTQ_ASSIGN_OR_RETURN(const v1::BalancingTable table, NoteTable(host, given));
  // It may have been noted under another policy.
  HOSTQ_RETURN_IF_ERROR(CheckTable(policy, table));
  HOSTQ_ASSIGN_OR_RETURN(std::set<std::string> leaving, ReadLeaving(host));
  for (const std::string& address : table.addresses()) leaving.erase(address);
  std::set<std::string> ours = leaving;
  ours.insert(table.addresses().begin(), table.addresses().end());
  // Services before addresses, so that nobody is told that nothing listens there.
  HOSTQ_ASSIGN_OR_RETURN(const bool services, PutServices(host, ServicesOf(table), ours));
  HOSTQ_ASSIGN_OR_RETURN(const bool addresses, PutAddresses(host, table, leaving));
  HOSTQ_RETURN_IF_ERROR(ForgetLeaving(host));
  StepResult result = Unchanged(absl::StrCat(
      table.settings().ports_size(), " services on ", table.addresses_size(),
      " addresses, spread over ", table.servers_size(), " app nodes; revision ", table.revision()));
  if (table.revision() != given.revision()) {
    absl::StrAppend(&result.message, ", which is newer than ", given.revision());
  }
  result.changed = services || addresses;
  result.evidence["revision"] = absl::StrCat(table.revision());
  return result;
}

absl::StatusOr<StepResult> Note(Host& host, const std::vector<std::string>& balancers) {
  const std::string so = absl::StrCat(balancers.size(), " addresses of balancers are noted");
  HOSTQ_ASSIGN_OR_RETURN(const auto noted, ReadBalancers(host));
  if (noted == balancers) return Unchanged(so);
  HOSTQ_RETURN_IF_ERROR(NoteBalancers(host, balancers));
  return Changed(so);
}

}  // namespace

absl::Status CheckTable(const Policy& policy, const v1::BalancingTable& table) {
  HOSTQ_RETURN_IF_ERROR(CheckSettings(table.settings()));
  for (const std::string& address : table.addresses()) {
    HOSTQ_RETURN_IF_ERROR(CheckAddress(policy, address));
  }
  for (const auto& server : table.servers()) {
    if (server.weight() > kMaxWeight) return Bad(absl::StrCat("weight ", server.weight()));
    for (const std::string& text : server.addresses()) {
      if (!IpAddress::Parse(text)) {
        return Bad(absl::StrCat("real server ", Printable(text), " is not an IP address"));
      }
    }
  }
  return absl::OkStatus();
}

std::vector<VirtualService> ServicesOf(const v1::BalancingTable& table) {
  const auto forwarding = table.settings().forwarding() == hostq::v1::TUNNEL
                              ? RealServer::Forwarding::kTunnel
                              : RealServer::Forwarding::kDirect;
  std::vector<VirtualService> services;
  for (const std::string& text : table.addresses()) {
    const auto address = IpAddress::Parse(text);
    if (!address) continue;
    for (const uint32_t port : table.settings().ports()) {
      VirtualService& service = services.emplace_back();
      service.address = *address;
      service.port = static_cast<uint16_t>(port);
      service.scheduler = table.settings().scheduler();
      service.persistence = table.settings().persistence_seconds();
      for (const auto& server : table.servers()) {
        for (const std::string& own : server.addresses()) {
          const auto real = IpAddress::Parse(own);
          if (!real || real->v6 != address->v6) continue;
          service.servers.push_back(
              {*real, service.port, static_cast<int>(server.weight()), forwarding});
        }
      }
    }
  }
  Sort(services);
  return services;
}

absl::StatusOr<std::string> FindUplink(const std::vector<InterfaceAddress>& all,
                                       const Balancers& balancers) {
  for (const InterfaceAddress& one : all) {
    if (one.interface == "lo") continue;
    if (absl::c_linear_search(balancers, one.address.ToString())) return one.interface;
  }
  return WithEvidence(
      Precondition(Reason::kBalancerUplinkMissing,
                   absl::StrCat("no interface has the node's cluster address, ",
                                balancers.empty() ? "which was not told" : balancers.Get(0))),
      "address", balancers.empty() ? "" : balancers.Get(0));
}

Step BalanceStep(const v1::BalancingTable& table, const Policy& policy) {
  return MakeStep(
      "balancing", [table, policy](Host& host) { return Balance(host, table, policy); },
      kBalancingTimeout);
}

// What a balancer does with any kind that brings a table, PlanSteps adds.
Plan PlanSetBalancing(const v1::SetBalancing& work, const Roles& roles, const Policy&) {
  if (!roles.app) return std::vector<Step>();
  const std::vector<std::string> balancers(work.balancers().begin(), work.balancers().end());
  for (const std::string& balancer : balancers) {
    if (!IpAddress::Parse(balancer)) {
      return Bad(absl::StrCat("balancer ", Printable(balancer), " is not an IP address"));
    }
  }
  return std::vector<Step>{
      MakeStep("balancers", [balancers](Host& host) { return Note(host, balancers); })};
}

}  // namespace hostq::agent
