#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/actions/policy.h"
#include "agent/host/host.h"
#include "common/base/reason.h"
#include "hostq/agent/v1/work.pb.h"

namespace hostq::agent {

// What one step saw and did.
struct StepResult {
  // Something was different and was put right.
  bool changed = false;
  // kNone: it succeeded.
  Reason reason = Reason::kNone;
  // One sentence: what is so now, or what failed.
  std::string message;
  // What was seen, by name. At most 32 entries of at most 1 KiB; excess is cut by the executor.
  std::map<std::string, std::string> evidence;
  // A failure that does not stop the task (a preflight check that only warns).
  bool warning = false;
  // Does not apply here; the message says why.
  bool skipped = false;
};

// One observable change: observes, compares, applies what differs, and verifies by reading back, so
// that running it twice changes nothing the second time.
struct Step {
  // Shown to people: "quota", "address 203.0.113.10".
  std::string name;
  // Then its process is killed.
  absl::Duration timeout = absl::Seconds(30);
  // Runs in a process of its own, with nothing else in it; may block, may touch a share.
  std::function<StepResult(Host&)> run;
  // The following steps run although this one failed (preflight checks).
  bool independent = false;
};

// The node's roles, as the manager means them.
struct Roles {
  bool app = false;
  bool storage = false;
  bool balancer = false;
};

// The steps that do `work` on a node with these roles, in order. Deterministic: the same arguments
// give the same steps, so that a step can be named by its index in another process. Empty: there is
// nothing to do for such a node. Pure; touches nothing.
// Errors: INVALID_ARGUMENT with BAD_PARAMETERS, UNSUPPORTED_KIND; PERMISSION_DENIED with
// NOT_ALLOWED_BY_POLICY (the message names the rule).
absl::StatusOr<std::vector<Step>> PlanSteps(const v1::Work& work, const Roles& roles,
                                            const Policy& policy);

// Names of the kinds PlanSteps knows (field names of v1::Work), sorted.
const std::vector<std::string>& SupportedKinds();

}  // namespace hostq::agent
