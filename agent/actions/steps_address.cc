#include "absl/strings/str_cat.h"
#include "agent/actions/balancing_note.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr char kLoopback[] = "lo";

// An address that is to be on lo, and who may have it all the same.
struct Wanted {
  IpAddress address;
  std::vector<std::string> balancers;
  // This node is one of them.
  bool balancer = false;
};

// Whether the address is on lo as it should be. ADDRESS_ON_OTHER_INTERFACE, ADDRESS_WRONG_PREFIX.
absl::StatusOr<bool> IsBound(Host& host, const Wanted& wanted) {
  const IpAddress& address = wanted.address;
  HOSTQ_ASSIGN_OR_RETURN(const auto all, host.addresses().List());
  bool bound = false;
  for (const InterfaceAddress& one : all) {
    if (one.address != address) continue;
    if (one.interface != kLoopback) {
      if (wanted.balancer) return true;
      return WithEvidence(
          WithEvidence(Precondition(Reason::kAddressOnOtherInterface,
                                    absl::StrCat(address.ToString(), " is on ", one.interface,
                                                 " instead of lo: this node would answer for it")),
                       "interface", one.interface),
          "address", address.ToString());
    }
    if (one.prefix != address.bits()) {
      return WithEvidence(
          WithEvidence(Precondition(Reason::kAddressWrongPrefix,
                                    absl::StrCat(address.ToString(), "/", one.prefix,
                                                 " is on lo: the whole subnet leads nowhere")),
                       "prefix", absl::StrCat(one.prefix)),
          "address", address.ToString());
    }
    bound = true;
  }
  return bound;
}

// With direct routing the balancer, and nobody else, answers for the address: who answers is one if
// the same network card answers for a balancer's own address.
absl::StatusOr<bool> MayAnswer(Host& host, const AddressOwner& owner,
                               std::vector<std::string> balancers) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> noted, ReadBalancers(host));
  balancers.insert(balancers.end(), noted.begin(), noted.end());
  for (const std::string& text : balancers) {
    const auto balancer = IpAddress::Parse(text);
    if (!balancer) continue;
    HOSTQ_ASSIGN_OR_RETURN(const auto there, host.addresses().FindOwner(*balancer));
    if (there && there->mac == owner.mac) return true;
  }
  return false;
}

absl::Status CheckNobodyAnswers(Host& host, const Wanted& wanted) {
  const IpAddress& address = wanted.address;
  HOSTQ_ASSIGN_OR_RETURN(const auto owner, host.addresses().FindOwner(address));
  if (!owner) return absl::OkStatus();
  HOSTQ_ASSIGN_OR_RETURN(const bool may, MayAnswer(host, *owner, wanted.balancers));
  if (may) return absl::OkStatus();
  return WithEvidence(
      WithEvidence(WithEvidence(Precondition(Reason::kAddressOwnedByOtherHost,
                                             absl::StrCat("the host with MAC address ", owner->mac,
                                                          " answers for ", address.ToString(),
                                                          " on ", owner->interface)),
                                "mac", owner->mac),
                   "interface", owner->interface),
      "address", address.ToString());
}

absl::StatusOr<StepResult> Bind(Host& host, const Wanted& wanted) {
  const IpAddress& address = wanted.address;
  const std::string so = absl::StrCat(address.ToString(), "/", address.bits(), " is on lo");
  HOSTQ_ASSIGN_OR_RETURN(const bool bound, IsBound(host, wanted));
  // IPv6 needs no such setting: nodes answer for an address only where it is assigned.
  if (!address.v6) HOSTQ_RETURN_IF_ERROR(CheckArpSilenced(host));
  if (bound && wanted.balancer) {
    return Unchanged(absl::StrCat("this balancer has ", address.ToString()));
  }
  if (bound) return Unchanged(so);
  HOSTQ_RETURN_IF_ERROR(CheckNobodyAnswers(host, wanted));
  HOSTQ_RETURN_IF_ERROR(host.addresses().AddToLoopback(address));
  HOSTQ_ASSIGN_OR_RETURN(const bool now, IsBound(host, wanted));
  if (!now) {
    return Precondition(Reason::kAddressMissing,
                        absl::StrCat(address.ToString(), " was added to lo, but is not there"));
  }
  return Changed(so);
}

absl::StatusOr<StepResult> Unbind(Host& host, const IpAddress& address) {
  const std::string so = absl::StrCat(address.ToString(), " is not on lo");
  HOSTQ_ASSIGN_OR_RETURN(const auto all, host.addresses().List());
  const auto on_lo = [&](const std::vector<InterfaceAddress>& list) {
    for (const InterfaceAddress& one : list) {
      if (one.address == address && one.interface == kLoopback && one.prefix == address.bits()) {
        return true;
      }
    }
    return false;
  };
  // With another prefix, or on another interface, it is not ours to take off.
  if (!on_lo(all)) return Unchanged(so);
  HOSTQ_RETURN_IF_ERROR(host.addresses().RemoveFromLoopback(address));
  HOSTQ_ASSIGN_OR_RETURN(const auto now, host.addresses().List());
  if (on_lo(now)) {
    return Precondition(
        Reason::kInternal,
        absl::StrCat(address.ToString(), " was removed from lo, but is still there"));
  }
  return Changed(so);
}

IpAddress Checked(const std::string& text) {
  const auto address = IpAddress::Parse(text);
  HOSTQ_CHECK(address.has_value());
  return *address;
}

}  // namespace

// Measured: the larger of "all" and the receiving interface counts; lo's own setting has no effect.
absl::Status CheckArpSilenced(Host& host) {
  HOSTQ_ASSIGN_OR_RETURN(const auto settings, host.addresses().ArpSettings());
  for (const ArpSetting& setting : settings) {
    if (setting.ignore >= 1 && setting.announce >= 2) continue;
    return WithEvidence(
        WithEvidence(WithEvidence(Precondition(Reason::kArpNotSilenced,
                                               absl::StrCat("on ", setting.interface,
                                                            " arp_ignore is ", setting.ignore,
                                                            " (needed: 1) and arp_announce is ",
                                                            setting.announce, " (needed: 2)")),
                                  "interface", setting.interface),
                     "arp_ignore", absl::StrCat(setting.ignore)),
        "arp_announce", absl::StrCat(setting.announce));
  }
  return absl::OkStatus();
}

Step BindAddressStep(const std::string& address, const Balancers& balancers, const Roles& roles) {
  const Wanted wanted = {Checked(address), {balancers.begin(), balancers.end()}, roles.balancer};
  return MakeStep(absl::StrCat("address ", wanted.address.ToString()),
                  [wanted](Host& host) { return Bind(host, wanted); });
}

Step UnbindAddressStep(const std::string& text) {
  const IpAddress address = Checked(text);
  return MakeStep(absl::StrCat("address ", address.ToString()),
                  [address](Host& host) { return Unbind(host, address); });
}

}  // namespace hostq::agent
