#include "agent/link/agent_counts.h"

#include "agent/executor/convert.h"

namespace hostq::agent {

void AgentCounts::AttemptEnded(const std::string& kind, const v1::Result& result) {
  ++attempts_;
  if (result.reason() != hostq::v1::Reason::CODE_UNSPECIFIED) ++failed_;
  Steps& steps = steps_[kind];
  steps.count += result.steps_size();
  for (const v1::StepResult& step : result.steps()) {
    steps.took += absl::Microseconds(step.duration_us());
  }
}

v1::AgentMetrics AgentCounts::ToProto() const {
  v1::AgentMetrics out;
  *out.mutable_start_time() = agent::ToProto(start_);
  out.set_attempts(attempts_);
  out.set_attempts_failed(failed_);
  out.set_own_tasks(own_tasks_);
  out.set_executor_losses(executor_losses_);
  for (const auto& [kind, steps] : steps_) {
    v1::StepTimes& added = *out.add_steps();
    added.set_kind(kind);
    added.set_steps(steps.count);
    added.set_seconds(absl::ToDoubleSeconds(steps.took));
  }
  out.mutable_journal_commits()->mutable_counts()->Add(commits_.counts().begin(),
                                                       commits_.counts().end());
  out.mutable_journal_commits()->set_sum(commits_.sum());
  return out;
}

}  // namespace hostq::agent
