#include "absl/strings/str_cat.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

absl::StatusOr<StepResult> VerifyShare(Host& host, const v1::Share& share) {
  HOSTQ_ASSIGN_OR_RETURN(const Mount mount, FindShare(host, share));
  HOSTQ_RETURN_IF_ERROR(host.mounts().Probe(mount.mount_point));
  StepResult result =
      Unchanged(absl::StrCat("share ", mount.source, " is mounted on ", mount.mount_point));
  result.evidence["version"] = mount.Option("vers");
  return result;
}

}  // namespace

Step VerifyShareStep(const v1::Share& share) {
  return MakeStep("share", [share](Host& host) { return VerifyShare(host, share); });
}

}  // namespace hostq::agent
