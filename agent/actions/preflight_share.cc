#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/actions/preflight.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr int kNfsPort = 2049;
constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
// A trial mount, its looking inside, and as much again for a slow machine.
constexpr absl::Duration kTrialTimeout = absl::Seconds(60);
constexpr char kDefaultHomes[] = "/home";

using ShareFunction = absl::Status (*)(Host& host, const v1::Share& share);

NfsMount Trial(const v1::Share& share) {
  return {share.server(), share.export_path(), share.nfs_version(), ""};
}

// The mount as it is, or as it would be: quotas need no mount to be asked for.
absl::StatusOr<Mount> MountOf(Host& host, const v1::Share& share) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string address, host.mounts().ResolveServer(share.server()));
  Mount mount;
  mount.mount_point = share.mount_point();
  mount.fs_type = share.nfs_version() == "3" ? "nfs" : "nfs4";
  mount.source = NfsSource(share.server(), share.export_path());
  mount.super_options = absl::StrCat("addr=", address);
  return mount;
}

absl::Status CheckReachable(Host& host, const v1::Share& share) {
  const absl::Status connected = host.system().Connect(share.server(), kNfsPort, kConnectTimeout);
  return WithEvidence(WithReason(connected, Reason::kShareServerUnreachable), "server",
                      share.server());
}

absl::Status CheckExport(Host& host, const v1::Share& share) {
  const auto mounted = FindShare(host, share);
  if (mounted.ok()) return host.mounts().Probe(mounted->mount_point);
  if (ReasonOf(mounted.status()) == Reason::kShareWrongSource) return mounted.status();
  return host.mounts().TryNfs(Trial(share), /*write=*/false);
}

absl::Status CheckWrite(Host& host, const v1::Share& share) {
  const auto mounted = FindShare(host, share);
  if (!mounted.ok()) return host.mounts().TryNfs(Trial(share), /*write=*/true);
  HOSTQ_RETURN_IF_ERROR(host.mounts().Probe(mounted->mount_point));
  return host.files().ProbeWrite(mounted->mount_point);
}

absl::Status CheckQuotaGet(Host& host, const v1::Share& share) {
  HOSTQ_ASSIGN_OR_RETURN(const Mount mount, MountOf(host, share));
  return host.quotas().Get(mount, 0).status();
}

absl::Status CheckQuotaSet(Host& host, const v1::Share& share) {
  HOSTQ_ASSIGN_OR_RETURN(const Mount mount, MountOf(host, share));
  return host.quotas().CheckSettable(mount);
}

absl::StatusOr<StepResult> CheckKernel(Host& host) {
  HOSTQ_RETURN_IF_ERROR(host.system().CheckNfs());
  return Unchanged("the kernel can mount NFS");
}

// One check over all shares: the first that fails, named; else one that is to be told.
Step ShareCheck(std::string id, const v1::Preflight& work, const Policy& policy, bool only_warns,
                absl::string_view fine, ShareFunction check) {
  return MakeCheck(
      std::move(id),
      [shares = work.shares(), policy, only_warns, fine,
       check](Host& host) -> absl::StatusOr<StepResult> {
        if (shares.empty()) return Skipped("the cluster has no share yet");
        StepResult result = Unchanged(std::string(fine));
        for (const v1::Share& share : shares) {
          absl::Status status = CheckShare(policy, share);
          if (status.ok()) status = check(host, share);
          status = WithEvidence(std::move(status), "share", share.name());
          if (status.ok()) continue;
          // The administrator's choice, which stays in sight; another share may have failed.
          const bool chosen = ReasonOf(status) == Reason::kQuotaSwitchedOff;
          if (!chosen && !only_warns) return status;
          result = Warned(status);
          if (!chosen) break;
        }
        return result;
      },
      kTrialTimeout);
}

absl::StatusOr<StepResult> CheckServer(Host& host) {
  HOSTQ_RETURN_IF_ERROR(WithReason(host.system().Connect("127.0.0.1", kNfsPort, kConnectTimeout),
                                   Reason::kShareServerUnreachable));
  return Unchanged("the NFS server listens on port 2049");
}

// The mounts with what this node may serve: every share's, or that of /home before there is one.
absl::StatusOr<std::vector<Mount>> ServedMounts(Host& host, const std::vector<std::string>& roots) {
  HOSTQ_ASSIGN_OR_RETURN(const auto mounts, host.mounts().List());
  std::vector<Mount> served;
  for (const std::string& root : roots) {
    HOSTQ_ASSIGN_OR_RETURN(const std::string resolved, ResolveLink(host, root));
    const Mount* const mount = MountContaining(mounts, resolved);
    if (mount != nullptr) served.push_back(*mount);
  }
  return served;
}

absl::StatusOr<StepResult> CheckQuotaService(Host& host, const std::vector<std::string>& roots) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Mount> served, ServedMounts(host, roots));
  const bool needed = std::any_of(served.begin(), served.end(), [&](const Mount& mount) {
    const QuotaBackend backend = host.quotas().BackendOf(mount);
    return backend != QuotaBackend::kProgram && backend != QuotaBackend::kSwitchedOff;
  });
  if (!needed && !served.empty()) {
    return Skipped("rquotad has no part in it: quotas are as this node's configuration says");
  }
  const absl::Status registered = host.quotas().CheckService("127.0.0.1");
  if (!registered.ok()) return Warned(registered);  // quotas are set on this node itself
  return Unchanged("rquotad is registered");
}

absl::StatusOr<StepResult> CheckEnforced(Host& host, const std::vector<std::string>& roots) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Mount> served, ServedMounts(host, roots));
  StepResult result = Unchanged("");
  for (const Mount& mount : served) {
    const absl::Status enforced = host.quotas().CheckEnforced(mount);
    if (ReasonOf(enforced) == Reason::kQuotaSwitchedOff) {
      result = Warned(enforced);
      continue;
    }
    HOSTQ_RETURN_IF_ERROR(enforced);
    if (result.warning) continue;
    const bool program = host.quotas().BackendOf(mount) == QuotaBackend::kProgram;
    result.message = absl::StrCat("user quotas ", program ? "can be read" : "are enforced", " on ",
                                  mount.mount_point);
  }
  return result;
}

}  // namespace

std::vector<Step> ShareClientChecks(const v1::Preflight& work, const Policy& policy) {
  const auto check = [&](const char* id, bool only_warns, absl::string_view fine,
                         ShareFunction function) {
    return ShareCheck(id, work, policy, only_warns, fine, function);
  };
  return {
      MakeCheck("kernel-nfs", CheckKernel),
      check("nfs-reachable", false, "the file server accepts connections", CheckReachable),
      check("share-export", false, "the share can be mounted and read", CheckExport),
      check("share-write", false, "root can write on the share", CheckWrite),
      check("quota-get", false, "quotas can be read", CheckQuotaGet),
      // hostq sets quotas on the storage node; from here it is only a second way.
      check("quota-set", true, "nothing is seen that keeps quotas from being set", CheckQuotaSet),
  };
}

std::vector<Step> ShareServerChecks(const v1::Preflight& work) {
  std::vector<std::string> roots;
  for (const v1::Share& share : work.shares()) roots.push_back(share.export_path());
  if (roots.empty()) roots.push_back(kDefaultHomes);
  return {
      MakeCheck("nfs-server", CheckServer),
      MakeCheck("quota-service", [roots](Host& host) { return CheckQuotaService(host, roots); }),
      MakeCheck(
          "quota-enabled", [roots](Host& host) { return CheckEnforced(host, roots); },
          kTrialTimeout)};
}

}  // namespace hostq::agent
