#include <utility>

#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

StepResult Fine(std::string message, bool changed, bool skipped) {
  StepResult result;
  result.changed = changed;
  result.skipped = skipped;
  result.message = std::move(message);
  return result;
}

}  // namespace

StepResult Changed(std::string message) { return Fine(std::move(message), true, false); }
StepResult Unchanged(std::string message) { return Fine(std::move(message), false, false); }
StepResult Skipped(std::string message) { return Fine(std::move(message), false, true); }

StepResult Failed(const absl::Status& status) {
  StepResult result;
  result.reason = ReasonOf(status);
  if (result.reason == Reason::kNone) result.reason = Reason::kInternal;
  result.message = std::string(status.message());
  result.evidence = EvidenceOf(status);
  return result;
}

StepResult Warned(const absl::Status& status) {
  StepResult result = Failed(status);
  result.warning = true;
  return result;
}

Step MakeStep(std::string name, StepFunction run, absl::Duration timeout) {
  Step step;
  step.name = std::move(name);
  step.timeout = timeout;
  step.run = [run = std::move(run)](Host& host) {
    auto result = run(host);
    return result.ok() ? *std::move(result) : Failed(result.status());
  };
  return step;
}

}  // namespace hostq::agent
