#include "manager/metrics/agent_board.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "common/base/histogram.h"
#include "hostq/v1/command.pb.h"

namespace hostq::manager {
namespace {

// Those that a manager of this version can have sent.
bool IsKind(const std::string& name) {
  const auto* const field = v1::CommandSpec::descriptor()->FindFieldByName(name);
  return field != nullptr && field->real_containing_oneof() != nullptr;
}

double Seconds(double value) { return std::isfinite(value) ? std::max(value, 0.0) : 0; }

double CountOf(int64_t value) { return static_cast<double>(std::max<int64_t>(value, 0)); }

void ShowOne(const std::string& node, const agent::v1::AgentMetrics& metrics, Page& page) {
  page.Add("hostq_agent_start_time_seconds", {node},
           CountOf(metrics.start_time().seconds()) + metrics.start_time().nanos() * 1e-9);
  page.Add("hostq_agent_attempts_total", {node}, CountOf(metrics.attempts()));
  page.Add("hostq_agent_attempts_failed_total", {node}, CountOf(metrics.attempts_failed()));
  page.Add("hostq_agent_own_tasks_total", {node}, CountOf(metrics.own_tasks()));
  for (const agent::v1::StepTimes& steps : metrics.steps()) {
    page.Add("hostq_agent_steps_total", {node, steps.kind()}, CountOf(steps.steps()));
    page.Add("hostq_agent_step_seconds_total", {node, steps.kind()}, Seconds(steps.seconds()));
  }
  Histogram commits(kCallBounds);
  const auto& counts = metrics.journal_commits().counts();
  commits.Add(std::vector<uint64_t>(counts.begin(), counts.end()),
              Seconds(metrics.journal_commits().sum()));
  page.Add("hostq_agent_journal_commit_seconds", {node}, commits);
  page.Add("hostq_agent_outbox_age_seconds", {node}, CountOf(metrics.outbox_age_ms()) / 1000);
  page.Add("hostq_agent_wedged", {node}, CountOf(metrics.wedged()));
  page.Add("hostq_agent_executor_connected", {node}, metrics.executor_connected() ? 1 : 0);
  page.Add("hostq_agent_executor_losses_total", {node}, CountOf(metrics.executor_losses()));
}

}  // namespace

void AgentBoard::Put(const std::string& node, const agent::v1::AgentMetrics& metrics) {
  agent::v1::AgentMetrics kept = metrics;
  kept.clear_steps();
  std::set<std::string> seen;
  for (const agent::v1::StepTimes& steps : metrics.steps()) {
    if (IsKind(steps.kind()) && seen.insert(steps.kind()).second) *kept.add_steps() = steps;
  }
  if (kept.journal_commits().counts_size() != static_cast<int>(std::size(kCallBounds)) + 1) {
    kept.clear_journal_commits();
  }
  const MutexLock lock(mutex_);
  nodes_[node] = std::move(kept);
}

void AgentBoard::Show(const std::function<bool(absl::string_view)>& is_node, Page& page) {
  const MutexLock lock(mutex_);
  std::erase_if(nodes_, [&](const auto& entry) { return !is_node(entry.first); });
  for (const auto& [node, metrics] : nodes_) ShowOne(node, metrics, page);
}

}  // namespace hostq::manager
