#include "manager/metrics/metric_list.h"

#include <algorithm>

#include "common/base/error.h"

namespace hostq::manager {
namespace {

constexpr auto kCounter = Metric::Type::kCounter;
constexpr auto kGauge = Metric::Type::kGauge;
constexpr auto kHistogram = Metric::Type::kHistogram;

constexpr Metric kMetrics[] = {
    // The queue.
    {"hostq_commands", kGauge, "", "Commands that have not finished, parts too."},
    {"hostq_commands_submitted_total", kCounter, "", "Commands, parts and the manager's own."},
    {"hostq_tasks", kGauge, "phase", "Tasks that have not finished."},
    {"hostq_tasks_oldest_age_seconds", kGauge, "phase",
     "For how long the task that came first is in the phase; 0: there is none."},
    {"hostq_tasks_delayed", kGauge, "",
     "Tasks of commands that are not to start yet; not among hostq_tasks."},
    {"hostq_tasks_ready", kGauge, "", "Tasks that only wait for their node to have a hand free."},
    {"hostq_tasks_ready_oldest_age_seconds", kGauge, "",
     "For how long the first of them is queued; 0: there is none."},
    {"hostq_tasks_behind", kGauge, "", "Tasks that only wait for another task."},
    {"hostq_tasks_stuck", kGauge, "reason",
     "Tasks that need somebody, by cause; without those that only wait for another task."},
    {"hostq_tasks_finished_total", kCounter, "outcome", "Tasks that have finished."},
    {"hostq_leases_total", kCounter, "", "Attempts that were sent to a node."},
    {"hostq_attempts_failed_total", kCounter, "reason", "Attempts that failed on a node."},
    {"hostq_attempts_refused_total", kCounter, "reason", "Attempts that a node did not take."},
    {"hostq_schedule_to_accept_seconds", kHistogram, "",
     "From when an attempt could begin to wait until a node had it in its journal."},
    {"hostq_accept_to_start_seconds", kHistogram, "", "From then until its first step."},
    {"hostq_start_to_finish_seconds", kHistogram, "", "From then until it ended, well or not."},
    {"hostq_pauses", kGauge, "", "Kinds and resource keys that are paused."},
    {"hostq_accounts", kGauge, "", "Accounts."},
    // The manager.
    {"hostq_build_info", kGauge, "version", "1."},
    {"hostq_store_failed", kGauge, "",
     "1: the database cannot be written, and nothing is accepted."},
    {"hostq_queue_seen_age_seconds", kGauge, "",
     "How old the numbers of queue and nodes are: since when the engine has not answered."},
    {"hostq_sweep_lag_seconds", kGauge, "",
     "The longest that the engine's look at what is due came late in the last minute."},
    {"hostq_mailbox", kGauge, "", "Inputs that wait for the engine."},
    {"hostq_commit_seconds", kHistogram, "", "Until a transaction was durable (fsync)."},
    {"hostq_commit_inputs", kHistogram, "", "Inputs that came in the round of one transaction."},
    {"hostq_commit_rows", kHistogram, "", "Rows that one transaction writes."},
    {"hostq_commit_failures_total", kCounter, "", "Transactions that failed."},
    {"hostq_manager_findings", kGauge, "reason", "What is wrong with the manager itself."},
    {"hostq_alarms", kGauge, "reason", "Alarms that nobody has cleared."},
    {"hostq_audit_entries_total", kCounter, "", "Entries of the audit, deleted ones too."},
    {"hostq_certificate_expire_timestamp_seconds", kGauge, "certificate",
     "When a certificate of the manager ends."},
    {"hostq_database_bytes", kGauge, "file", "Sizes of the files of the database."},
    {"hostq_state_disk_bytes", kGauge, "", "Size of the file system of the state directory."},
    {"hostq_state_disk_free_bytes", kGauge, "", "What is left of it for the manager."},
    // Who calls.
    {"hostq_api_calls_total", kCounter, "method,code", "Calls of the gRPC API that have ended."},
    {"hostq_api_call_seconds", kHistogram, "method", "How long they took; streams are left out."},
    {"hostq_api_refusals_total", kCounter, "reason", "Calls that ended with an error, by reason."},
    {"hostq_api_streams", kGauge, "method", "Streams that are open."},
    {"hostq_http_requests_total", kCounter, "route,code", "HTTP requests that were answered."},
    {"hostq_http_request_seconds", kHistogram, "route",
     "How long they took; event streams are left out."},
    {"hostq_http_streams", kGauge, "route", "Event streams that are open."},
    {"hostq_webhook_deliveries_total", kCounter, "result", "Tries to deliver to a webhook."},
    {"hostq_webhook_pending", kGauge, "", "Deliveries that wait."},
    {"hostq_webhook_oldest_age_seconds", kGauge, "", "How long the first of them waits."},
    {"hostq_webhook_failing", kGauge, "", "Webhooks whose last delivery failed."},
    // Nodes, as the manager sees them.
    {"hostq_nodes", kGauge, "state", "Nodes."},
    {"hostq_sessions", kGauge, "", "Agents that are connected."},
    {"hostq_node_connected", kGauge, "node", "1: its agent is connected."},
    {"hostq_node_findings", kGauge, "node,reason", "What is wrong with a node."},
    {"hostq_node_credits", kGauge, "node", "Tasks that it takes at once."},
    {"hostq_node_in_flight", kGauge, "node", "Tasks that it has."},
    {"hostq_node_outbox", kGauge, "node", "Its results that the manager has not acknowledged."},
    {"hostq_node_deviations", kGauge, "node", "What it keeps and is not so."},
    {"hostq_node_clock_skew_seconds", kGauge, "node", "Its clock is so far ahead of ours."},
    {"hostq_node_certificate_expire_timestamp_seconds", kGauge, "node",
     "When its certificate ends."},
    // Nodes, as their agents tell.
    {"hostq_agent_info", kGauge, "node,version", "1."},
    {"hostq_agent_start_time_seconds", kGauge, "node", "When the agent started."},
    {"hostq_agent_attempts_total", kCounter, "node", "Attempts that ended."},
    {"hostq_agent_attempts_failed_total", kCounter, "node", "Those of them that failed."},
    {"hostq_agent_own_tasks_total", kCounter, "node", "What it looked at or put back by itself."},
    {"hostq_agent_steps_total", kCounter, "node,kind", "Steps of attempts that ended."},
    {"hostq_agent_step_seconds_total", kCounter, "node,kind", "How long they took together."},
    {"hostq_agent_journal_commit_seconds", kHistogram, "node",
     "Until a transaction of the journal was durable (fsync)."},
    {"hostq_agent_outbox_age_seconds", kGauge, "node",
     "How long the first result waits to be acknowledged; 0: none does."},
    {"hostq_agent_wedged", kGauge, "node", "Resources whose step's process cannot be ended."},
    {"hostq_agent_executor_connected", kGauge, "node", "1: the executor runs."},
    {"hostq_agent_executor_losses_total", kCounter, "node", "How often the executor went away."},
    // The process; names as every Prometheus client has them.
    {"process_cpu_seconds_total", kCounter, "", "Time on a processor."},
    {"process_resident_memory_bytes", kGauge, "", "Memory that it has."},
    {"process_virtual_memory_bytes", kGauge, "", "Memory that it has asked for."},
    {"process_open_fds", kGauge, "", "Open file descriptors."},
    {"process_max_fds", kGauge, "", "At most so many."},
    {"process_threads", kGauge, "", "Threads."},
    {"process_start_time_seconds", kGauge, "", "When it started."},
};

}  // namespace

absl::Span<const Metric> AllMetrics() { return kMetrics; }

const Metric& MetricOf(absl::string_view name) {
  const auto found = std::find_if(std::begin(kMetrics), std::end(kMetrics),
                                  [&](const Metric& metric) { return metric.name == name; });
  HOSTQ_CHECK(found != std::end(kMetrics));
  return *found;
}

}  // namespace hostq::manager
