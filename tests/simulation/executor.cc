#include "executor.h"

#include <iterator>
#include <utility>

#include "agent/runner/convert.h"
#include "common/base/reason.h"

namespace hostq::simulation {
namespace {

constexpr absl::Duration kKillGrace = absl::Seconds(2);
constexpr Reason kFailures[] = {
    Reason::kAccountDatabaseLocked, Reason::kStepCrashed,   Reason::kShareServerUnreachable,
    Reason::kQuotaSetNotPermitted,  Reason::kUidTaken,      Reason::kQuotaTooLarge,
    Reason::kPreflightFailed,       Reason::kOutOfResources};

}  // namespace

SimulatedExecutor::SimulatedExecutor(Simulator& simulator, Model& model, Trace& trace, Dice dice,
                                     int node)
    : simulator_(simulator), model_(model), trace_(trace), dice_(dice), node_(node) {}

SimulatedExecutor::Process* SimulatedExecutor::Find(uint64_t serial) {
  for (Process& process : processes_) {
    if (process.serial == serial) return &process;
  }
  return nullptr;
}

SimulatedExecutor::Process* SimulatedExecutor::OfKey(const std::string& key) {
  for (Process& process : processes_) {
    if (process.run.resource_key() == key) return &process;
  }
  return nullptr;
}

void SimulatedExecutor::Later(absl::Duration delay, uint64_t serial,
                              std::function<void(Process&)> what) {
  simulator_.After(delay, [this, serial, what = std::move(what)] {
    if (Process* process = Find(serial)) what(*process);
  });
}

void SimulatedExecutor::Connect(Report report) {
  report_ = std::move(report);
  for (const Process& process : processes_) {
    if (process.wedged) TellWedged(process);
  }
}

void SimulatedExecutor::Disconnect() {
  report_ = nullptr;
  waiting_.clear();
  for (Process& process : processes_) {
    process.orphaned = true;
    Kill(process);
  }
}

void SimulatedExecutor::Run(const agent::v1::RunStep& run, const Model::StepFacts& facts) {
  for (const Waiting& other : waiting_) {
    if (other.facts.key == facts.key) model_.Violate("two steps at once on ", facts.key);
  }
  const Process* process = OfKey(run.resource_key());
  if (process == nullptr) return Start(run, facts);
  if (process->wedged) return Done(run, Reason::kWedged, "quarantined");
  if (!process->orphaned) model_.Violate("two steps at once on ", facts.key);
  waiting_.push_back({run, facts});
}

void SimulatedExecutor::Start(const agent::v1::RunStep& run, const Model::StepFacts& facts) {
  trace_.Add(simulator_.now(), "step", node_, facts.token, facts.lease.epoch, facts.step);
  processes_.push_back({++last_serial_, run, facts});
  const uint64_t serial = last_serial_;
  const absl::Duration timeout = agent::FromProto(run.timeout());
  const bool hang = dice_.Chance(faults_.hang);
  const absl::Duration span = hang ? timeout * 100 : dice_.LongTail(faults_.span);
  const bool fail = dice_.Chance(faults_.fail);
  if (!fail || dice_.Chance(0.5)) {
    const absl::Duration moment =
        dice_.Between(absl::ZeroDuration(), hang ? timeout + kKillGrace : span);
    Later(moment, serial, [this](Process& process) { Effect(process); });
  }
  const Reason reason =
      fail ? kFailures[dice_.Roll(static_cast<int>(std::size(kFailures)))] : Reason::kNone;
  Later(span, serial, [this, reason](Process& process) {
    if (process.killed) return;
    if (reason == Reason::kNone) Effect(process);
    End(process, reason, "");
  });
  Later(timeout, serial, [this](Process& process) { Kill(process); });
}

void SimulatedExecutor::Kill(Process& process) {
  if (process.killed) return;
  process.killed = true;
  if (!dice_.Chance(faults_.wedge)) {
    return Later(dice_.LongTail(absl::Milliseconds(1)), process.serial,
                 [this](Process& killed) { End(killed, Reason::kStepTimedOut, "killed"); });
  }
  Later(kKillGrace, process.serial, [this](Process& stuck) {
    stuck.wedged = true;
    trace_.Add(simulator_.now(), "wedged", node_, stuck.facts.token);
    TellWedged(stuck);
    Later(dice_.LongTail(absl::Seconds(5)), stuck.serial, [this](Process& freed) {
      // What it waited for in the kernel may be done now.
      if (dice_.Chance(0.5)) Effect(freed);
      End(freed, Reason::kStepTimedOut, "killed");
    });
  });
}

void SimulatedExecutor::Effect(Process& process) {
  if (std::exchange(process.done_effect, true)) return;
  trace_.Add(simulator_.now(), "effect", node_, process.facts.token, process.facts.lease.epoch,
             process.facts.step);
  model_.OnEffect(process.facts);
}

void SimulatedExecutor::End(Process& ended, Reason reason, const char* message) {
  const Process process = ended;
  processes_.remove_if([&](const Process& other) { return other.serial == process.serial; });
  if (!process.orphaned) Done(process.run, reason, message);
  if (process.wedged && report_) {
    agent::v1::ExecutorReport report;
    report.mutable_released()->set_resource_key(process.run.resource_key());
    report_(report);
  }
  for (const Waiting& next : std::exchange(waiting_, {})) Run(next.run, next.facts);
}

void SimulatedExecutor::Done(const agent::v1::RunStep& run, Reason reason, const char* message) {
  if (!report_) return;
  agent::v1::ExecutorReport report;
  report.mutable_step_done()->set_id(run.id());
  agent::v1::StepResult& result = *report.mutable_step_done()->mutable_result();
  result.set_name(run.step_name());
  result.set_changed(true);
  result.set_reason(static_cast<hostq::v1::Reason::Code>(reason));
  result.set_message(message);
  report_(report);
}

void SimulatedExecutor::TellWedged(const Process& process) {
  if (!report_) return;
  agent::v1::ExecutorReport report;
  report.mutable_wedged()->set_id(process.orphaned ? 0 : process.run.id());
  report.mutable_wedged()->set_resource_key(process.run.resource_key());
  report.mutable_wedged()->set_pid(42);
  report_(report);
}

void SimulatedExecutor::Clear() {
  processes_.clear();
  waiting_.clear();
}

bool SimulatedExecutor::Crash() {
  for (const Process& process : processes_) {
    if (process.wedged || process.killed) return false;
  }
  Clear();
  return true;
}

void SimulatedExecutor::Reboot() {
  report_ = nullptr;
  Clear();
}

}  // namespace hostq::simulation
