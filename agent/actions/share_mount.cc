#include "absl/strings/str_cat.h"
#include "agent/actions/plans.h"
#include "agent/actions/share_note.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

// /home has to be a link to /chroot/home, as on every node of such a cluster; another mount point
// is taken as it is.
absl::StatusOr<StepResult> CheckLayout(Host& host, const v1::Share& share) {
  const std::string& point = share.mount_point();
  if (point != "/home") {
    HOSTQ_ASSIGN_OR_RETURN(const std::string target, ResolveLink(host, point));
    return Unchanged(absl::StrCat("the mount point is ", target));
  }
  HOSTQ_RETURN_IF_ERROR(CheckHomeLayout(host));
  return Unchanged("/home is a link to /chroot/home");
}

void AddMountEvidence(const Mount& mount, StepResult* result) {
  result->evidence["source"] = mount.source;
  result->evidence["mount_point"] = mount.mount_point;
  result->evidence["version"] = mount.Option("vers");
  result->evidence["options"] = absl::StrCat(mount.options, " ", mount.super_options);
}

absl::StatusOr<StepResult> MountIt(Host& host, const v1::Share& share) {
  const auto present = FindShare(host, share);
  if (present.ok()) {
    HOSTQ_RETURN_IF_ERROR(AdoptMount(host, share, *present));
    StepResult result =
        Unchanged(absl::StrCat("share ", present->source, " is mounted on ", present->mount_point));
    AddMountEvidence(*present, &result);
    return result;
  }
  if (ReasonOf(present.status()) != Reason::kShareNotMounted) return present.status();
  HOSTQ_ASSIGN_OR_RETURN(const std::string target, ResolveLink(host, share.mount_point()));
  HOSTQ_RETURN_IF_ERROR(host.files().CheckEmptyDirectory(target));
  HOSTQ_RETURN_IF_ERROR(NoteIntent(host, share));
  const absl::Status done =
      host.mounts().MountNfs({share.server(), share.export_path(), share.nfs_version(), target});
  if (!done.ok()) {
    // Otherwise a mount that somebody makes by hand later would pass for ours.
    HOSTQ_RETURN_IF_ERROR(ForgetMount(host, share));
    return done;
  }
  HOSTQ_ASSIGN_OR_RETURN(const Mount mounted, FindShare(host, share));
  HOSTQ_RETURN_IF_ERROR(AdoptMount(host, share, mounted));
  StepResult result =
      Changed(absl::StrCat("share ", mounted.source, " is mounted on ", mounted.mount_point));
  AddMountEvidence(mounted, &result);
  return result;
}

absl::StatusOr<StepResult> TryToWrite(Host& host, const v1::Share& share) {
  HOSTQ_ASSIGN_OR_RETURN(const Mount mount, FindShare(host, share));
  HOSTQ_RETURN_IF_ERROR(host.files().ProbeWrite(mount.mount_point));
  return Unchanged(absl::StrCat("root can write on ", mount.mount_point));
}

}  // namespace

Plan PlanMountShare(const v1::MountShare& work, const Roles& roles, const Policy& policy) {
  const v1::Share& share = work.share();
  HOSTQ_RETURN_IF_ERROR(CheckShare(policy, share));
  if (roles.storage) {
    return std::vector<Step>{MakeStep("mount", [](Host&) -> absl::StatusOr<StepResult> {
      return Skipped("this node serves the share itself");
    })};
  }
  std::vector<Step> steps;
  steps.push_back(MakeStep("layout", [share](Host& host) { return CheckLayout(host, share); }));
  steps.push_back(MakeStep(
      "mount", [share](Host& host) { return MountIt(host, share); }, kMountTimeout));
  steps.push_back(VerifyShareStep(share));
  steps.back().name = "probe";
  steps.push_back(MakeStep("write", [share](Host& host) { return TryToWrite(host, share); }));
  return steps;
}

}  // namespace hostq::agent
