#include "manager/metrics/manager_metrics.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "manager/metrics/page.h"
#include "manager/metrics/process.h"

namespace hostq::manager {
namespace {

// Two Prometheus servers, or somebody with a browser beside one, cost the engine no more than one.
constexpr absl::Duration kFresh = absl::Seconds(2);
// Prometheus waits 10 s by default.
constexpr absl::Duration kPatience = absl::Seconds(3);

double Number(uint64_t count) { return static_cast<double>(count); }

double UnixSeconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

double AgeOf(const Census::Waiting& waiting, const Now& now) {
  if (waiting.tasks == 0) return 0;
  return std::max(absl::ToDoubleSeconds(now.wall - waiting.oldest), 0.0);
}

void ShowReasons(absl::string_view name, const std::map<Reason, uint64_t>& counts, Page& page) {
  for (const auto& [reason, count] : counts) page.Add(name, {NameOf(reason)}, Number(count));
}

void ShowQueue(const EngineSnapshot& seen, Page& page) {
  const Census& census = seen.census;
  page.Add("hostq_commands", {}, Number(census.commands));
  page.Add("hostq_commands_submitted_total", {}, Number(seen.queue.commands));
  for (int i = static_cast<int>(Phase::kQueued); i <= static_cast<int>(Phase::kParked); ++i) {
    const Census::Waiting& waiting = census.phases[static_cast<size_t>(i)];
    const absl::string_view phase = NameOf(static_cast<Phase>(i));
    page.Add("hostq_tasks", {phase}, Number(waiting.tasks));
    page.Add("hostq_tasks_oldest_age_seconds", {phase}, AgeOf(waiting, seen.now));
  }
  page.Add("hostq_tasks_delayed", {}, Number(census.delayed));
  page.Add("hostq_tasks_ready", {}, Number(census.ready.tasks));
  page.Add("hostq_tasks_ready_oldest_age_seconds", {}, AgeOf(census.ready, seen.now));
  page.Add("hostq_tasks_behind", {}, Number(census.behind));
  ShowReasons("hostq_tasks_stuck", census.stuck, page);
  for (size_t i = 1; i < seen.queue.finished.size(); ++i) {
    page.Add("hostq_tasks_finished_total", {NameOf(static_cast<Outcome>(i))},
             Number(seen.queue.finished[i]));
  }
  page.Add("hostq_leases_total", {}, Number(seen.queue.leases));
  ShowReasons("hostq_attempts_failed_total", seen.queue.failed_attempts, page);
  ShowReasons("hostq_attempts_refused_total", seen.queue.refused_by_node, page);
  page.Add("hostq_schedule_to_accept_seconds", {}, seen.queue.schedule_to_accept);
  page.Add("hostq_accept_to_start_seconds", {}, seen.queue.accept_to_start);
  page.Add("hostq_start_to_finish_seconds", {}, seen.queue.start_to_finish);
  page.Add("hostq_pauses", {}, Number(seen.pauses));
  page.Add("hostq_accounts", {}, Number(seen.accounts));
}

void ShowEngine(const EngineSnapshot& seen, Page& page) {
  page.Add("hostq_sweep_lag_seconds", {}, absl::ToDoubleSeconds(seen.sweep_lag));
  page.Add("hostq_commit_seconds", {}, seen.engine.commit_seconds);
  page.Add("hostq_commit_inputs", {}, seen.engine.commit_inputs);
  page.Add("hostq_commit_rows", {}, seen.engine.commit_rows);
  page.Add("hostq_commit_failures_total", {}, Number(seen.engine.failed_commits));
  ShowReasons("hostq_manager_findings", seen.manager_findings, page);
  ShowReasons("hostq_alarms", seen.alarms, page);
}

void ShowNodes(const EngineSnapshot& seen, Page& page) {
  for (const auto& [state, count] : seen.node_states) {
    page.Add("hostq_nodes", {state}, Number(count));
  }
  page.Add("hostq_sessions", {}, Number(seen.sessions));
  for (const EngineSnapshot::Node& node : seen.nodes) {
    page.Add("hostq_node_connected", {node.name}, node.connected ? 1 : 0);
    for (const auto& [reason, count] : node.findings) {
      page.Add("hostq_node_findings", {node.name, NameOf(reason)}, Number(count));
    }
    page.Add("hostq_node_credits", {node.name}, node.credits);
    page.Add("hostq_node_in_flight", {node.name}, node.in_flight);
    page.Add("hostq_node_outbox", {node.name}, node.outbox);
    page.Add("hostq_node_deviations", {node.name}, node.deviations);
    page.Add("hostq_node_clock_skew_seconds", {node.name}, absl::ToDoubleSeconds(node.clock_skew));
    if (node.certificate_expire_time != absl::InfiniteFuture()) {
      page.Add("hostq_node_certificate_expire_timestamp_seconds", {node.name},
               UnixSeconds(node.certificate_expire_time));
    }
    if (!node.agent_version.empty()) {
      page.Add("hostq_agent_info", {node.name, node.agent_version}, 1);
    }
  }
}

}  // namespace

ManagerMetrics::ManagerMetrics(Sources sources)
    : sources_(std::move(sources)),
      calls_(sources_.methods),
      requests_(sources_.routes),
      view_(sources_.engine, sources_.cluster, sources_.clock) {}

std::string ManagerMetrics::Text() {
  Page page;
  {
    const MutexLock lock(mutex_);
    const std::shared_ptr<const EngineSnapshot> seen = view_.Get(kFresh, kPatience);
    page.Add("hostq_queue_seen_age_seconds", {}, absl::ToDoubleSeconds(view_.age()));
    if (seen != nullptr) {
      ShowQueue(*seen, page);
      ShowEngine(*seen, page);
      ShowNodes(*seen, page);
      agents_.Show(
          [&](absl::string_view name) {
            const auto at = std::lower_bound(seen->nodes.begin(), seen->nodes.end(), name,
                                             [](const EngineSnapshot::Node& node,
                                                absl::string_view n) { return node.name < n; });
            return at != seen->nodes.end() && at->name == name;
          },
          page);
    }
  }
  page.Add("hostq_build_info", {HOSTQ_VERSION}, 1);
  page.Add("hostq_store_failed", {}, sources_.engine.failed().ok() ? 0 : 1);
  page.Add("hostq_mailbox", {}, Number(sources_.engine.waiting()));
  ShowState(page);
  calls_.Show("hostq_api_calls_total", "hostq_api_call_seconds", "hostq_api_streams", page);
  refusals_.Show("hostq_api_refusals_total", page);
  requests_.Show("hostq_http_requests_total", "hostq_http_request_seconds", "hostq_http_streams",
                 page);
  ShowWebhooks(sources_.clock.Now(), page);
  ShowProcess(page);
  return page.Text();
}

void ManagerMetrics::ShowState(Page& page) const {
  if (const absl::StatusOr<AuditChain> audit = sources_.store.GetAuditChain(); audit.ok()) {
    page.Add("hostq_audit_entries_total", {}, static_cast<double>(audit->head.sequence));
  }
  if (sources_.certificates) {
    for (const auto& [name, time] : sources_.certificates()) {
      page.Add("hostq_certificate_expire_timestamp_seconds", {name}, UnixSeconds(time));
    }
  }
  for (const char* const file : {"hostq.db", "hostq.db-wal", "archive.db"}) {
    std::error_code error;
    const auto size =
        std::filesystem::file_size(absl::StrCat(sources_.state_dir, "/", file), error);
    page.Add("hostq_database_bytes", {file}, error ? 0 : Number(size));
  }
  struct statvfs disk {};
  if (statvfs(sources_.state_dir.c_str(), &disk) == 0) {
    page.Add("hostq_state_disk_bytes", {}, Number(disk.f_blocks) * Number(disk.f_frsize));
    page.Add("hostq_state_disk_free_bytes", {}, Number(disk.f_bavail) * Number(disk.f_frsize));
  }
}

void ManagerMetrics::ShowWebhooks(absl::Time now, Page& page) const {
  const WebhookCounts counts = sources_.webhooks ? sources_.webhooks() : WebhookCounts();
  page.Add("hostq_webhook_deliveries_total", {"delivered"}, Number(counts.delivered));
  page.Add("hostq_webhook_deliveries_total", {"failed"}, Number(counts.failed));
  page.Add("hostq_webhook_deliveries_total", {"given_up"}, Number(counts.given_up));
  page.Add("hostq_webhook_pending", {}, Number(counts.pending));
  page.Add("hostq_webhook_oldest_age_seconds", {},
           counts.pending == 0 ? 0 : std::max(absl::ToDoubleSeconds(now - counts.oldest), 0.0));
  page.Add("hostq_webhook_failing", {}, Number(counts.failing));
}

}  // namespace hostq::manager
