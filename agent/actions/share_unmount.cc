#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/actions/plans.h"
#include "agent/actions/share_note.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

absl::StatusOr<StepResult> UnmountIt(Host& host, const v1::Share& share) {
  absl::StatusOr<std::string> resolved = ResolveLink(host, share.mount_point());
  // Nothing is there, so nothing is mounted there.
  if (ReasonOf(resolved.status()) == Reason::kMountPointMissing) resolved = share.mount_point();
  HOSTQ_ASSIGN_OR_RETURN(const std::string target, std::move(resolved));
  const std::string so = absl::StrCat("nothing is mounted on ", target);
  HOSTQ_ASSIGN_OR_RETURN(const auto mounts, host.mounts().List());
  const Mount* const mount = MountAt(mounts, target);
  if (mount == nullptr) {
    HOSTQ_RETURN_IF_ERROR(ForgetMount(host, share));
    return Unchanged(so);
  }
  HOSTQ_ASSIGN_OR_RETURN(const bool ours, IsOurs(host, share, *mount));
  if (!ours) {
    return WithEvidence(
        MakeError(absl::StatusCode::kFailedPrecondition, Reason::kShareNotOurs,
                  absl::StrCat(mount->source, " on ", target, " was not mounted by hostq")),
        "source", mount->source);
  }
  HOSTQ_RETURN_IF_ERROR(host.mounts().Unmount(target));
  HOSTQ_ASSIGN_OR_RETURN(const auto now, host.mounts().List());
  if (const Mount* const left = MountAt(now, target)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kShareBusy,
                     absl::StrCat(left->source, " is still mounted on ", target));
  }
  HOSTQ_RETURN_IF_ERROR(ForgetMount(host, share));
  return Changed(so);
}

}  // namespace

Plan PlanUnmountShare(const v1::UnmountShare& work, const Roles& roles, const Policy& policy) {
  const v1::Share& share = work.share();
  HOSTQ_RETURN_IF_ERROR(CheckShare(policy, share));
  if (roles.storage) {
    return std::vector<Step>{MakeStep("unmount", [](Host&) -> absl::StatusOr<StepResult> {
      return Skipped("this node serves the share itself");
    })};
  }
  return std::vector<Step>{MakeStep(
      "unmount", [share](Host& host) { return UnmountIt(host, share); }, kMountTimeout)};
}

}  // namespace hostq::agent
