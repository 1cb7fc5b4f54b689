#include "absl/strings/str_cat.h"
#include "agent/actions/plans.h"
#include "agent/actions/steps.h"

namespace hostq::agent {

Plan PlanPing(const v1::Ping& work, const Roles& /*roles*/, const Policy& /*policy*/) {
  return std::vector<Step>{MakeStep("ping", [size = work.payload().size()](Host&) {
    return Unchanged(absl::StrCat("here, with ", size, " bytes"));
  })};
}

}  // namespace hostq::agent
