#include "agent/actions/action.h"

#include "common/base/error.h"

namespace hostq::agent {

absl::StatusOr<std::vector<Step>> PlanSteps(const v1::Work&, const Roles&, const Policy&) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kUnsupportedKind, "not built yet");
}

const std::vector<std::string>& SupportedKinds() {
  static const auto* const kKinds = new std::vector<std::string>();
  return *kKinds;
}

}  // namespace hostq::agent
