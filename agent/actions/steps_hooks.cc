#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/actions/hook_event.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// What exit statuses mean, besides 0. 75 is EX_TEMPFAIL of sysexits(3); 100 is nobody's: neither a
// shell's nor in sysexits(3), so that no failure is taken for it.
constexpr int kTryLater = 75;
constexpr int kNothingToDo = 100;

// For all hooks of an event together; a task has 5 minutes in all.
constexpr absl::Duration kAllHooks = absl::Minutes(4);
// From the last hook's deadline to that of the step: for killing and reporting.
constexpr absl::Duration kMargin = absl::Seconds(10);

absl::Status HookError(Reason reason, const std::string& path, const HookOutcome& outcome,
                       absl::string_view what) {
  absl::Status status =
      MakeError(absl::StatusCode::kFailedPrecondition, reason, absl::StrCat(path, " ", what));
  const std::pair<const char*, std::string> seen[] = {
      {"hook", path},
      {"output", outcome.output},
      {"state", outcome.stuck_in},
      {"left_behind", outcome.left_behind > 0 ? absl::StrCat(outcome.left_behind) : ""}};
  for (const auto& [name, value] : seen) {
    if (!value.empty()) status = WithEvidence(std::move(status), name, value);
  }
  return status;
}

// Programs of one event, in one step.
class HookRun {
 public:
  HookRun(Host& host, const HookPolicy& policy, const std::string& document)
      : host_(host), policy_(policy), document_(document) {}

  // True if it changed something. `failure` is the reason of whatever else it says.
  absl::StatusOr<bool> Run(const std::string& name, Reason failure) {
    const std::string path = absl::StrCat(policy_.directory, "/", name);
    const absl::Duration timeout = std::min(policy_.timeout, Left());
    HOSTQ_ASSIGN_OR_RETURN(const HookOutcome outcome, host_.hooks().Run(path, document_, timeout));
    if (outcome.timed_out) {
      return HookError(Reason::kHookTimedOut, path, outcome,
                       absl::StrCat("was ended at its deadline, after ", FormatAge(timeout)));
    }
    if (outcome.signal != 0) {
      return HookError(failure, path, outcome,
                       absl::StrCat("was ended by signal ", outcome.signal));
    }
    switch (outcome.exit_status) {
      case 0:
        return true;
      case kNothingToDo:
        return false;
      case kTryLater:
        return HookError(Reason::kHookDeferred, path, outcome, "asks to be run again later");
      default:
        return HookError(failure, path, outcome,
                         absl::StrCat("ended with status ", outcome.exit_status));
    }
  }

  absl::Duration Left() const {
    return std::max(end_ - SystemClock().Monotonic(), absl::ZeroDuration());
  }

 private:
  Host& host_;
  const HookPolicy& policy_;
  const std::string& document_;
  const absl::Duration end_ = SystemClock().Monotonic() + kAllHooks;
};

std::string NamesOf(const std::vector<HookDirectory::Ignored>& ignored) {
  return absl::StrJoin(ignored, "; ", [](std::string* out, const HookDirectory::Ignored& one) {
    absl::StrAppend(out, one.name, ": ", one.why);
  });
}

// The result so far: what ran, in order, and what came of it.
struct Record {
  std::vector<std::string> said;
  bool changed = false;

  void Add(absl::string_view name, absl::string_view what, bool change) {
    said.push_back(absl::StrCat(name, " ", what));
    changed |= change;
  }
};

absl::Status RunAll(Host& host, const HookPolicy& policy, const HookDirectory& directory,
                    const std::string& domain, const std::string& document, Record& record) {
  HookRun run(host, policy, document);
  std::vector<std::string> reloads;
  for (const std::string& name : directory.hooks) {
    const bool reload = directory.reloads.contains(name);
    bool waited = false;
    if (reload) {
      HOSTQ_ASSIGN_OR_RETURN(waited, host.reloads().Announce(name, domain));
    }
    HOSTQ_ASSIGN_OR_RETURN(const bool changed, run.Run(name, Reason::kHookFailed));
    record.Add(name, changed ? "changed something" : "had nothing to do", changed);
    if (!reload) continue;
    if (!changed && !waited) {
      HOSTQ_RETURN_IF_ERROR(host.reloads().Withdraw(name, domain));
      continue;
    }
    HOSTQ_RETURN_IF_ERROR(host.reloads().Ask(name, domain));
    reloads.push_back(name);
  }
  for (const std::string& name : reloads) {
    const std::string program = absl::StrCat(name, ".reload");
    // One that runs now may not be for us; the one after it is.
    const absl::Duration patience = 2 * (policy.timeout + policy.reload_interval);
    HOSTQ_ASSIGN_OR_RETURN(
        const ReloadOutcome outcome,
        host.reloads().Await(name, domain, policy.reload_interval, std::min(patience, run.Left()),
                             [&] { return run.Run(program, Reason::kHookReloadFailed).status(); }));
    record.Add(program,
               outcome.by_another ? "was done together with another account's"
               : outcome.others > 0
                   ? absl::StrCat("done, for ", outcome.others, " other accounts too")
                   : "done",
               true);
  }
  return absl::OkStatus();
}

absl::StatusOr<StepResult> RunHooks(Host& host, const HookPolicy& policy, const std::string& domain,
                                    const std::string& document) {
  const auto directory = host.hooks().List(policy.directory);
  if (absl::IsNotFound(directory.status())) {
    return Skipped(absl::StrCat("there is no ", policy.directory));
  }
  HOSTQ_RETURN_IF_ERROR(directory.status());
  Record record;
  const absl::Status status = RunAll(host, policy, *directory, domain, document, record);
  StepResult result;
  if (!status.ok()) {
    result = Failed(status);
  } else if (directory->hooks.empty()) {
    result = Skipped(absl::StrCat("there are no hooks in ", policy.directory));
  } else {
    result.message = absl::StrJoin(record.said, ", ");
  }
  result.changed = record.changed;
  if (!record.said.empty()) result.evidence["ran"] = absl::StrJoin(record.said, ", ");
  if (!directory->ignored.empty()) result.evidence["ignored"] = NamesOf(directory->ignored);
  return result;
}

}  // namespace

absl::Status AppendHooks(absl::string_view event, const v1::Account& account, const Roles& roles,
                         const Policy& policy, std::vector<Step>& steps,
                         absl::string_view address) {
  if (policy.hooks.directory.empty()) return absl::OkStatus();
  HOSTQ_ASSIGN_OR_RETURN(std::string document,
                         HookDocument({event, account, std::string(address)}, roles, policy));
  const auto run = [hooks = policy.hooks, domain = account.domain(),
                    document = std::move(document)](Host& host) {
    return RunHooks(host, hooks, domain, document);
  };
  steps.push_back(event == kHookDeleted ? RemovalStep("hooks", account, run, kAllHooks + kMargin)
                                        : MakeStep("hooks", run, kAllHooks + kMargin));
  return absl::OkStatus();
}

}  // namespace hostq::agent
