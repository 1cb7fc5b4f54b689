#include "manager/api/manager_service.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "common/base/error.h"
#include "common/base/id.h"
#include "common/crypto/certificate.h"
#include "common/crypto/secret_file.h"
#include "google/protobuf/util/time_util.h"
#include "manager/api/all_findings.h"
#include "manager/api/convert.h"
#include "manager/audit/chain.h"
#include "manager/domain/causes.h"

namespace hostq::manager {
namespace {

constexpr int kMaxNames = 10;
constexpr int kMaxCauses = 100;
constexpr size_t kMaxInFlight = 50;
// Calls that wait for their turn: each takes some hundred milliseconds.
constexpr size_t kMaxDiagnoses = 10;
constexpr int kWrites = 8;
constexpr absl::Duration kWritesLimit = absl::Seconds(3);
constexpr absl::Duration kEngineLimit = absl::Seconds(5);
// Some milliseconds' work, and more than anybody does within an hour or two.
constexpr int64_t kAuditEntries = 500;

using google::protobuf::util::TimeUtil;

void CountNodes(const Cluster& cluster, const Queue& queue, v1::Overview& out) {
  std::map<v1::Node::State, v1::NodeCount> counts;
  for (const auto& [name, node] : cluster.nodes()) {
    const v1::Node::State state = StateOf(node, queue.FindNode(name));
    v1::NodeCount& count = counts[state];
    count.set_state(state);
    count.set_count(count.count() + 1);
    if (count.names_size() < kMaxNames) count.add_names(name);
  }
  for (auto& [state, count] : counts) *out.add_nodes() = std::move(count);
}

struct Oldest {
  int64_t count = 0;
  absl::Time time = absl::InfiniteFuture();
  CommandId command = 0;
  const std::string* node = nullptr;
};

void CountTasks(const Queue& queue, v1::Overview& out) {
  std::map<Phase, Oldest> phases;
  int64_t active = 0;
  for (const auto& [id, command] : queue.commands()) {
    if (command.part_of == 0) ++active;
    for (const Task& task : command.tasks) {
      if (!task.live()) continue;
      Oldest& oldest = phases[task.phase];
      ++oldest.count;
      if (task.phase_time >= oldest.time) continue;
      oldest.time = task.phase_time;
      oldest.command = id;
      oldest.node = &task.node;
    }
  }
  out.set_active_commands(active);
  for (const auto& [phase, oldest] : phases) {
    v1::PhaseCount& count = *out.add_phases();
    count.set_phase(static_cast<v1::Task::Phase>(phase));
    count.set_count(oldest.count);
    if (oldest.node == nullptr) continue;
    *count.mutable_oldest_time() = ToProto(oldest.time);
    count.set_oldest_task_id(TaskIdOf(oldest.command, *oldest.node));
  }
}

struct InFlight {
  const Command* command;
  const Task* task;
};

void AddInFlight(const Queue& queue, v1::Overview& out) {
  std::vector<InFlight> all;
  for (const auto& [id, command] : queue.commands()) {
    for (const Task& task : command.tasks) {
      if (task.in_flight()) all.push_back({&command, &task});
    }
  }
  const size_t shown = std::min(all.size(), kMaxInFlight);
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(shown);
  std::partial_sort(all.begin(), end, all.end(), [](const InFlight& a, const InFlight& b) {
    return std::tie(a.task->phase_time, a.command->id, a.task->node) <
           std::tie(b.task->phase_time, b.command->id, b.task->node);
  });
  for (auto one = all.begin(); one != end; ++one) {
    v1::TaskInFlight& task = *out.add_in_flight();
    task.set_task_id(TaskIdOf(one->command->id, one->task->node));
    task.set_command_id(FormatId(one->command->id));
    task.set_node(one->task->node);
    task.set_kind(one->command->kind);
    task.set_resource_key(one->command->resource_key);
    task.set_phase(static_cast<v1::Task::Phase>(one->task->phase));
    *task.mutable_phase_time() = ToProto(one->task->phase_time);
    task.set_current_step(one->task->step);
  }
}

v1::Cause CauseToProto(const Cause& cause) {
  v1::Cause out;
  out.set_id(cause.Id());
  out.set_reason(static_cast<v1::Reason::Code>(cause.reason));
  out.set_owner(static_cast<v1::Finding::Owner>(cause.owner));
  out.set_subject(cause.subject);
  for (const std::string& node : cause.nodes) {
    if (out.nodes_size() == kMaxNames) break;
    out.add_nodes(node);
  }
  out.set_node_count(static_cast<int>(cause.nodes.size()));
  out.set_task_count(cause.tasks);
  out.set_waiting_count(cause.waiting);
  *out.mutable_since_time() = ToProto(cause.since);
  out.set_summary(cause.summary);
  out.set_remedy(cause.remedy);
  out.set_example_task_id(cause.example_task);
  return out;
}

void AddCauses(const std::vector<Finding>& findings, v1::Overview& out) {
  out.set_stuck_findings(std::count_if(findings.begin(), findings.end(),
                                       [](const Finding& finding) { return finding.stuck; }));
  const std::vector<Cause> causes = GatherCauses(findings);
  for (const Cause& cause : causes) {
    if (out.causes_size() == kMaxCauses) break;
    *out.add_causes() = CauseToProto(cause);
  }
  out.set_causes_left_out(static_cast<int>(causes.size()) - out.causes_size());
}

v1::Throughput ThroughputToProto(const Throughput::Counts& counts) {
  v1::Throughput out;
  *out.mutable_span() = TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(counts.span));
  out.set_commands_accepted(counts.commands_accepted);
  out.set_tasks_finished(counts.tasks_finished);
  out.set_tasks_failed(counts.tasks_failed);
  return out;
}

v1::ManagerCheck CheckToProto(const HealthCheck& check) {
  v1::ManagerCheck out;
  out.set_id(check.id);
  out.set_status(static_cast<v1::PreflightCheck::Status>(check.status));
  out.set_message(check.message);
  out.mutable_evidence()->insert(check.evidence.begin(), check.evidence.end());
  out.set_reason(static_cast<v1::Reason::Code>(check.reason));
  out.set_remedy(check.remedy);
  return out;
}

// What the engine knows, brought to another thread that does not wait for ever.
class EngineAnswer {
 public:
  struct Facts {
    EngineLag lag;
    std::vector<Validity> nodes;
    std::map<std::string, std::string> agents;
  };

  void Give(Facts facts) {
    const MutexLock lock(mutex_);
    facts_ = std::move(facts);
    given_.NotifyAll();
  }
  std::optional<Facts> WaitFor(absl::Duration limit) {
    const auto end = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(limit);
    const MutexLock lock(mutex_);
    while (!facts_) {
      const auto left = end - std::chrono::steady_clock::now();
      if (left <= left.zero()) break;
      given_.WaitFor(mutex_, left);
    }
    return facts_;
  }

 private:
  Mutex mutex_;
  CondVar given_;
  std::optional<Facts> facts_ ABSL_GUARDED_BY(mutex_);
};

EngineAnswer::Facts LookAtNodes(const Cluster& cluster, const Queue& queue) {
  EngineAnswer::Facts facts;
  for (const auto& [name, row] : cluster.nodes()) {
    const NodeState* state = queue.FindNode(name);
    const v1::Node node = ToProto(row, state, 0);
    if (node.has_join_time() && node.has_certificate_expire_time() &&
        node.state() != v1::Node::BANNED) {
      Validity& validity = facts.nodes.emplace_back();
      validity.name = name;
      validity.not_after = TimeFromProto(node.certificate_expire_time());
      const bool known = state != nullptr && state->certificate_start_time != absl::InfinitePast();
      validity.not_before = known ? state->certificate_start_time : TimeFromProto(node.join_time());
    }
    if (state != nullptr && state->connected()) facts.agents[name] = state->agent_version;
  }
  return facts;
}

}  // namespace

ManagerService::ManagerService(const Backend& backend, AuthoritySet& authorities, Machine& machine,
                               Options options)
    : backend_(backend),
      authorities_(authorities),
      machine_(machine),
      options_(std::move(options)),
      start_time_(backend.clock.Now()),
      worker_("diagnose", 1, kMaxDiagnoses) {}

grpc::ServerUnaryReactor* ManagerService::GetOverview(grpc::CallbackServerContext* context,
                                                      const v1::GetOverviewRequest*,
                                                      v1::Overview* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.ManagerService.GetOverview", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, response, done](const Queue& queue, const Now& now) {
    if (now.monotonic >= overview_until_) {
      const absl::Duration begin = backend_.clock.Monotonic();
      overview_ = MakeOverview(queue, now);
      const absl::Duration end = backend_.clock.Monotonic();
      overview_until_ = end + 9 * (end - begin);
    }
    *response = overview_;
    done(absl::OkStatus());
  });
  return reactor;
}

v1::Overview ManagerService::MakeOverview(const Queue& queue, const Now& now) const {
  v1::Overview out;
  *out.mutable_time() = ToProto(now.wall);
  v1::ManagerState& manager = *out.mutable_manager();
  manager.set_version(HOSTQ_VERSION);
  manager.set_cluster(options_.cluster);
  *manager.mutable_start_time() = ToProto(start_time_);
  manager.set_term(queue.term());
  const absl::Status failed = backend_.engine.failed();
  manager.set_store_ok(failed.ok());
  if (!failed.ok()) {
    *manager.mutable_store_failed_time() = ToProto(backend_.engine.failed_since());
    manager.set_store_message(std::string(failed.message()));
  }
  CountNodes(backend_.cluster, queue, out);
  CountTasks(queue, out);
  AddInFlight(queue, out);
  AddCauses(AllFindings(backend_.engine, backend_.cluster, queue, now, /*all=*/false), out);
  const Throughput& throughput = backend_.engine.throughput();
  *out.mutable_last_minute() = ThroughputToProto(throughput.LastMinute(now.monotonic));
  *out.mutable_last_hour() = ThroughputToProto(throughput.LastHour(now.monotonic));
  out.set_alarms(static_cast<int64_t>(backend_.cluster.alarms().size()));
  out.set_pauses(static_cast<int64_t>(queue.pauses().size()));
  out.set_accounts(static_cast<int64_t>(backend_.cluster.accounts().size()));
  out.set_shares(static_cast<int64_t>(backend_.cluster.shares().size()));
  out.set_last_sequence(backend_.engine.last_sequence());
  return out;
}

grpc::ServerUnaryReactor* ManagerService::Diagnose(grpc::CallbackServerContext* context,
                                                   const v1::DiagnoseRequest*,
                                                   v1::Diagnosis* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.ManagerService.Diagnose", done);
  if (!caller) return reactor;
  const bool taken = worker_.Try([this, response, done] {
    *response = MakeDiagnosis();
    done(absl::OkStatus());
  });
  if (!taken) {
    done(WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, Reason::kQueueFull,
                                  "too many diagnoses are under way"),
                        absl::Seconds(1)));
  }
  return reactor;
}

v1::Diagnosis ManagerService::MakeDiagnosis() {
  const absl::Time now = backend_.clock.Now();
  const std::string& dir = options_.state_dir;
  const auto answer = std::make_shared<EngineAnswer>();
  const absl::Duration asked = backend_.clock.Monotonic();
  backend_.engine.Read([this, answer, asked](const Queue& queue, const Now& at) {
    EngineAnswer::Facts facts = LookAtNodes(backend_.cluster, queue);
    facts.lag = {backend_.clock.Monotonic() - asked, queue.lateness(at)};
    answer->Give(std::move(facts));
  });
  // While the disk is measured, the engine answers.
  const auto writes = machine_.TimeWrites(dir, kWrites, kWritesLimit);
  const std::optional<EngineAnswer::Facts> facts = answer->WaitFor(kEngineLimit);
  const EngineAnswer::Facts known = facts.value_or(EngineAnswer::Facts());
  const std::optional<EngineLag> lag = facts ? std::optional<EngineLag>(facts->lag) : std::nullopt;
  const HealthCheck checks[] = {
      CheckStore(backend_.engine.failed()),
      CheckDiskFree(dir, machine_.SpaceAt(dir)),
      CheckDiskWrite(dir, writes),
      CheckDatabaseSize(LookAtDatabase()),
      CheckQueueLag(lag, kEngineLimit),
      CheckClock(machine_.LookAtClock()),
      CheckAuthorityCertificate(LookAtAuthorities(), now),
      CheckManagerCertificate(LookAtCertificate(), now),
      CheckNodeCertificates(known.nodes, now),
      CheckAgentVersions(HOSTQ_VERSION, known.agents),
      CheckAuditChain(LookAtAudit()),
      CheckBackup(dir),
  };
  v1::Diagnosis out;
  *out.mutable_time() = ToProto(now);
  for (const HealthCheck& check : checks) *out.add_checks() = CheckToProto(check);
  return out;
}

absl::StatusOr<DatabaseSize> ManagerService::LookAtDatabase() {
  DatabaseSize size;
  HOSTQ_ASSIGN_OR_RETURN(size.database, machine_.SizeOf(options_.database));
  HOSTQ_ASSIGN_OR_RETURN(size.log, machine_.SizeOf(options_.database + "-wal"));
  HOSTQ_ASSIGN_OR_RETURN(size.archive, machine_.SizeOf(options_.state_dir + "/archive.db"));
  return size;
}

absl::StatusOr<std::vector<Validity>> ManagerService::LookAtAuthorities() const {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> all,
                         SplitCertificates(authorities_.trusted_pem()));
  std::vector<Validity> out;
  for (const std::string& pem : all) {
    HOSTQ_ASSIGN_OR_RETURN(const CertificateInfo info, ParseCertificate(pem));
    out.push_back({info.key_hash.substr(0, 15), info.not_before, info.not_after});
  }
  return out;
}

absl::StatusOr<Validity> ManagerService::LookAtCertificate() const {
  HOSTQ_ASSIGN_OR_RETURN(const SecretString pem, ReadSecretFile(authorities_.server_path()));
  HOSTQ_ASSIGN_OR_RETURN(const CertificateInfo info, ParseCertificate(pem.Reveal()));
  return Validity{"this manager", info.not_before, info.not_after};
}

absl::StatusOr<AuditLook> ManagerService::LookAtAudit() {
  HOSTQ_ASSIGN_OR_RETURN(const AuditChain chain, backend_.store.GetAuditChain());
  AuditQuery query;
  query.after = std::max(chain.beginning.sequence, chain.head.sequence - kAuditEntries - 1);
  query.before = chain.head.sequence + 1;
  query.limit = static_cast<int>(kAuditEntries) + 1;
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<AuditEntry> entries, backend_.store.ListAudit(query));
  // The first one is believed, unless the whole chain is short.
  const bool whole = query.after == chain.beginning.sequence;
  const size_t first = whole || entries.empty() ? 0 : 1;
  ChainVerifier verifier(first == 0 ? chain.beginning
                                    : ChainPoint{entries[0].sequence, entries[0].hash});
  for (size_t i = first; i < entries.size(); ++i) verifier.Add(entries[i]);
  verifier.Finish(chain.head);
  AuditLook look;
  look.entries = verifier.entries();
  if (!verifier.problems().empty()) look.problem = verifier.problems()[0].message;
  return look;
}

}  // namespace hostq::manager
