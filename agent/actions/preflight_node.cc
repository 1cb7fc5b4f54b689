#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/actions/preflight.h"
#include "agent/actions/share_note.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
// A journal on a disk this slow makes every command slow: two durable writes each.
constexpr absl::Duration kSlowDisk = absl::Milliseconds(500);
// TEST-NET-1 (RFC 5737): belongs to nobody.
constexpr char kTestAddress[] = "192.0.2.1";

absl::StatusOr<StepResult> CheckOs(Host& host) {
  HOSTQ_ASSIGN_OR_RETURN(const OsInfo os, host.system().Os());
  const std::string container = host.system().Container();
  StepResult result =
      Unchanged(absl::StrCat(os.name, ", kernel ", os.kernel, ", ", os.machine,
                             container.empty() ? "" : absl::StrCat(", container ", container)));
  result.evidence = {{"id", os.id},
                     {"version", os.version},
                     {"kernel", os.kernel},
                     {"machine", os.machine},
                     {"container", container}};
  return result;
}

absl::StatusOr<StepResult> CheckCapabilities(Host& host) {
  static constexpr std::pair<Capability, const char*> kNeeded[] = {
      {Capability::kChown, "CHOWN"},
      {Capability::kDacOverride, "DAC_OVERRIDE"},
      {Capability::kFowner, "FOWNER"},
      {Capability::kKill, "KILL"},
      {Capability::kNetBindService, "NET_BIND_SERVICE"},
      {Capability::kNetAdmin, "NET_ADMIN"},
      {Capability::kNetRaw, "NET_RAW"},
      {Capability::kSysAdmin, "SYS_ADMIN"},
  };
  HOSTQ_ASSIGN_OR_RETURN(const uint64_t bits, host.system().Capabilities());
  std::vector<std::string> missing;
  for (const auto& [capability, name] : kNeeded) {
    if ((bits >> static_cast<int>(capability) & 1) == 0) missing.push_back(name);
  }
  if (missing.empty() && host.system().InUserNamespace()) {
    StepResult result = Unchanged(
        "all capabilities that are needed are there, but only within a user namespace: the kernel "
        "will refuse to mount, and to set quotas; run the node's container privileged");
    result.warning = true;
    return result;
  }
  if (missing.empty()) return Unchanged("all capabilities that are needed are there");
  const std::string list = absl::StrJoin(missing, " ");
  return WithEvidence(
      WithEvidence(MakeError(absl::StatusCode::kPermissionDenied, Reason::kPermissionDenied,
                             absl::StrCat("capabilities are missing: ", list)),
                   "missing", list),
      "container", host.system().Container());
}

absl::StatusOr<StepResult> CheckTools(Host& host, const Roles& roles) {
  std::vector<std::string> needed = {"groupadd", "groupdel", "useradd", "usermod", "userdel"};
  if (roles.storage) needed.push_back("exportfs");
  std::vector<std::string> missing;
  for (const std::string& tool : needed) {
    if (!host.system().FindTool(tool)) missing.push_back(tool);
  }
  if (missing.empty()) return Unchanged("all programs that are needed are installed");
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kToolMissing,
                   absl::StrCat("programs are not installed: ", absl::StrJoin(missing, " ")));
}

// What would keep every account's last step from being done, and what is there and never run.
absl::StatusOr<StepResult> CheckHooks(Host& host, const std::string& directory) {
  if (directory.empty()) return Skipped("this node's configuration has hooks switched off");
  const auto found = host.hooks().List(directory);
  if (absl::IsNotFound(found.status())) return Skipped(absl::StrCat("there is no ", directory));
  HOSTQ_RETURN_IF_ERROR(found.status());
  StepResult result = Unchanged(absl::StrCat(found->hooks.size(), " hooks and ",
                                             found->reloads.size(), " reloads in ", directory));
  result.evidence = {{"hooks", absl::StrJoin(found->hooks, " ")},
                     {"reloads", absl::StrJoin(found->reloads, " ")}};
  std::vector<std::string> useless;
  for (const HookDirectory::Ignored& one : found->ignored) {
    if (one.meant) useless.push_back(absl::StrCat(one.name, ": ", one.why));
  }
  if (!useless.empty()) {
    result.warning = true;
    absl::StrAppend(&result.message, "; never run: ", absl::StrJoin(useless, "; "));
  }
  return result;
}

absl::StatusOr<StepResult> CheckDisk(Host& host) {
  HOSTQ_ASSIGN_OR_RETURN(const absl::Duration taken, host.system().MeasureDisk());
  const std::string so = absl::StrCat("a durable write takes ", absl::FormatDuration(taken));
  StepResult result = Unchanged(so);
  if (taken > kSlowDisk) {
    result = Warned(MakeError(absl::StatusCode::kUnavailable, Reason::kJournalUnavailable,
                              absl::StrCat(so, ", more than ", absl::FormatDuration(kSlowDisk))));
  }
  result.evidence["milliseconds"] = absl::StrCat(absl::ToInt64Milliseconds(taken));
  return result;
}

absl::StatusOr<StepResult> CheckManager(Host& host, const std::string& address, uint32_t port) {
  if (address.empty() || port == 0) return Skipped("no quorum address was given");
  const int number = static_cast<int>(port);
  HOSTQ_RETURN_IF_ERROR(
      WithReason(host.system().Connect(address, number, kConnectTimeout), Reason::kInternal));
  return Unchanged(absl::StrCat("the manager answers on ", address, " port ", port));
}

absl::StatusOr<StepResult> CheckLayout(Host& host, const v1::Preflight& work) {
  bool at_home = work.shares().empty();
  for (const v1::Share& share : work.shares()) {
    if (share.mount_point() == "/home") at_home = true;
    HOSTQ_RETURN_IF_ERROR(ResolveLink(host, share.mount_point()).status());
  }
  if (!at_home) return Skipped("no share is to be mounted on /home");
  const absl::Status layout = CheckHomeLayout(host);
  if (layout.ok()) return Unchanged("/home is a link to /chroot/home");
  // Without a share nothing needs it yet.
  if (work.shares().empty()) return Warned(layout);
  return layout;
}

absl::StatusOr<StepResult> CheckLoopback(Host& host) {
  const IpAddress address = *IpAddress::Parse(kTestAddress);
  HOSTQ_ASSIGN_OR_RETURN(const auto all, host.addresses().List());
  for (const InterfaceAddress& one : all) {
    if (one.address == address) {
      return Skipped(absl::StrCat(kTestAddress, " is in use on ", one.interface));
    }
  }
  HOSTQ_RETURN_IF_ERROR(host.addresses().AddToLoopback(address));
  HOSTQ_RETURN_IF_ERROR(host.addresses().RemoveFromLoopback(address));
  return Unchanged("addresses can be put on lo and taken off");
}

absl::StatusOr<StepResult> CheckArp(Host& host) {
  HOSTQ_RETURN_IF_ERROR(CheckArpSilenced(host));
  return Unchanged("ARP requests for addresses on lo are not answered");
}

absl::StatusOr<StepResult> CheckIpvs(Host& host) {
  HOSTQ_RETURN_IF_ERROR(host.virtual_services().Check());
  return Unchanged("the kernel has virtual services");
}

absl::StatusOr<StepResult> CheckUplink(Host& host, const Balancers& balancers) {
  HOSTQ_ASSIGN_OR_RETURN(const auto all, host.addresses().List());
  HOSTQ_ASSIGN_OR_RETURN(const std::string uplink, FindUplink(all, balancers));
  return Unchanged(absl::StrCat("accounts' addresses belong on ", uplink));
}

absl::StatusOr<StepResult> CheckConflicts(Host& host, const std::vector<std::string>& addresses) {
  HOSTQ_ASSIGN_OR_RETURN(const auto all, host.addresses().List());
  for (const std::string& text : addresses) {
    const auto address = IpAddress::Parse(text);
    for (const InterfaceAddress& one : all) {
      if (!address || one.address != *address || one.interface == "lo") continue;
      return WithEvidence(
          MakeError(absl::StatusCode::kFailedPrecondition, Reason::kAddressOnOtherInterface,
                    absl::StrCat("the account address ", text, " is on ", one.interface,
                                 " instead of lo")),
          "interface", one.interface);
    }
  }
  return Unchanged(absl::StrCat("none of ", addresses.size(),
                                " account addresses is on a network "
                                "interface"));
}

}  // namespace

std::vector<Step> NodeChecks(const v1::Preflight& work, const Roles& roles, const Policy& policy) {
  return {
      MakeCheck("os", CheckOs),
      MakeCheck("capabilities", CheckCapabilities),
      MakeCheck("tools", [roles](Host& host) { return CheckTools(host, roles); }),
      MakeCheck("hooks",
                [hooks = policy.hooks.directory](Host& host) { return CheckHooks(host, hooks); }),
      MakeCheck("journal-disk", CheckDisk),
      MakeCheck("manager-reachable", [address = work.quorum_address(), port = work.quorum_port()](
                                         Host& host) { return CheckManager(host, address, port); }),
      MakeCheck("home-layout", [work](Host& host) { return CheckLayout(host, work); })};
}

std::vector<Step> BalancerChecks(const v1::Preflight& work) {
  return {MakeCheck("kernel-ipvs", CheckIpvs),
          MakeCheck("balancer-uplink", [balancers = work.balancers()](Host& host) {
            return CheckUplink(host, balancers);
          })};
}

std::vector<Step> AddressChecks(const v1::Preflight& work, const Roles& roles) {
  std::vector<std::string> addresses;
  // On a balancer that is where they belong.
  if (!roles.balancer) addresses.assign(work.addresses().begin(), work.addresses().end());
  return {MakeCheck("lo-address", CheckLoopback), MakeCheck("arp", CheckArp),
          MakeCheck("address-conflict", [addresses = std::move(addresses)](Host& host) {
            return CheckConflicts(host, addresses);
          })};
}

}  // namespace hostq::agent
