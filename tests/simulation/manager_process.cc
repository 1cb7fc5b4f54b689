#include "manager_process.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager_session.h"
#include "node.h"

namespace hostq::simulation {
namespace {

using manager::ChangeSet;
using manager::Command;
using manager::NodeState;
using manager::Now;
using manager::PlannedCommand;

NodeState MakeNode(const std::string& name, bool paused) {
  NodeState node;
  node.name = name;
  node.roles = {"app"};
  node.joined = node.admitted = true;
  node.paused = paused;
  return node;
}

}  // namespace

class SimulatedManager::FaultyStore final : public manager::Store {
 public:
  explicit FaultyStore(SimulatedManager& manager) : manager_(manager), disk_(manager.disk_) {}
  absl::StatusOr<manager::Snapshot> Load() override { return disk_.Load(); }
  absl::Status Commit(absl::Span<const manager::Mutation> mutations) override {
    return manager_.Commit(mutations);
  }
  absl::StatusOr<Command> GetCommand(CommandId id) override { return disk_.GetCommand(id); }
  absl::StatusOr<std::vector<Command>> ListCommands(const manager::CommandQuery& query) override {
    return disk_.ListCommands(query);
  }
  absl::StatusOr<CommandId> CommandBelow(CommandId before, int count) override {
    return disk_.CommandBelow(before, count);
  }
  absl::StatusOr<std::vector<manager::Event>> ListRepairs(absl::string_view node, absl::Time since,
                                                          int limit) override {
    return disk_.ListRepairs(node, since, limit);
  }
  absl::StatusOr<std::optional<Command>> FindRequest(absl::string_view id) override {
    return disk_.FindRequest(id);
  }
  absl::StatusOr<std::vector<TaskAttempt>> ListAttempts(CommandId id) override {
    return disk_.ListAttempts(id);
  }
  absl::StatusOr<std::vector<manager::Event>> ListEvents(int64_t sequence, int limit) override {
    return disk_.ListEvents(sequence, limit);
  }
  absl::StatusOr<Archived> MoveToArchive(absl::Time time, int limit) override {
    return disk_.MoveToArchive(time, limit);
  }
  absl::StatusOr<int> DeleteLooks(absl::Time time, int limit) override {
    return disk_.DeleteLooks(time, limit);
  }
  absl::StatusOr<std::vector<Orphan>> ListOrphans(int limit) override {
    return disk_.ListOrphans(limit);
  }
  absl::StatusOr<std::vector<manager::AuditEntry>> ListAudit(
      const manager::AuditQuery& query) override {
    return disk_.ListAudit(query);
  }
  absl::StatusOr<manager::AuditChain> GetAuditChain() override { return disk_.GetAuditChain(); }
  absl::StatusOr<int> DeleteAudit(absl::Time time, int limit, absl::Time now) override {
    return disk_.DeleteAudit(time, limit, now);
  }

 private:
  SimulatedManager& manager_;
  manager::Store& disk_;
};

// A row lives as long as its command.
class SimulatedManager::Resources final : public manager::Resources {
 public:
  explicit Resources(std::function<void(const std::string& node)> check)
      : check_(std::move(check)) {}
  ChangeSet AttemptEnded(const Command&, const manager::Task&, const manager::Attempt&) override {
    return {};
  }
  ChangeSet CommandFinished(const Command& command) override {
    ChangeSet changes;
    changes.resources.push_back({"live", command.spec, std::nullopt});
    return changes;
  }
  std::optional<PlannedCommand> NodeConnected(const NodeState&) override { return std::nullopt; }
  std::optional<PlannedCommand> CheckNode(const NodeState& node) override {
    check_(node.name);
    return std::nullopt;
  }

 private:
  const std::function<void(const std::string& node)> check_;
};

SimulatedManager::SimulatedManager(Simulator& simulator, Network& network, Model& model,
                                   Trace& trace, Dice dice)
    : simulator_(simulator),
      network_(network),
      model_(model),
      trace_(trace),
      dice_(dice),
      clock_(simulator),
      disk_(database_) {}

SimulatedManager::~SimulatedManager() {
  dying_ = true;
  engine_.reset();
}

// --- the process ---

void SimulatedManager::Start() {
  if (engine_ != nullptr) return;
  trace_.Add(simulator_.now(), "manager starts", -1);
  ++process_;
  dying_ = awake_ = false;
  clock_.Reboot();
  cluster_.clear();
  manager::Snapshot snapshot = *disk_.Load();
  model_.OnRestart(snapshot);
  std::vector<NodeState> nodes;
  for (const manager::ResourceChange& row : snapshot.resources) {
    if (row.kind != "node") continue;
    cluster_[row.key] = *row.data == "paused";
    nodes.push_back(MakeNode(row.key, *row.data == "paused"));
  }
  store_ = std::make_unique<FaultyStore>(*this);
  resources_ = std::make_unique<Resources>([this](const std::string& node) { Check(node); });
  random_ = std::make_unique<SeededRandom>(dice_.Next());
  engine_ = std::make_unique<manager::Engine>(*store_, *resources_, clock_, *random_,
                                              manager::Engine::Options{});
  if (!engine_->Start(std::move(snapshot), std::move(nodes)).ok()) return Crash();
  model_.CheckStore(disk_);
  Beat();
}

// Stands for the preflight: a look at the node that shows after a while that it is well, or not.
void SimulatedManager::Check(const std::string& node) {
  manager::NodeCheck check;
  check.node = node;
  check.begin = clock_.Monotonic();
  check.covered = {Reason::kShareServerUnreachable};
  if (dice_.Chance(0.3)) check.reasons = {Reason::kShareServerUnreachable};
  simulator_.After(dice_.Between(absl::Milliseconds(100), absl::Seconds(3)),
                   [this, check, alive = Alive()] {
                     if (!alive()) return;
                     engine_->Change(
                         [check](const Now&) {
                           ChangeSet changes;
                           changes.checks.push_back(check);
                           return changes;
                         },
                         "manager", [](const absl::Status&) {});
                     Wake();
                   });
}

void SimulatedManager::Crash() {
  if (engine_ == nullptr) return;
  trace_.Add(simulator_.now(), "manager dies", -1);
  ++process_;
  dying_ = true;
  engine_.reset();
  sessions_.clear();
  network_.LoseManager();
}

void SimulatedManager::BackUp() {
  trace_.Add(simulator_.now(), "backup", -1);
  backup_ = database_;
  model_backup_ = std::make_unique<Model>(model_);
}

std::vector<int> SimulatedManager::Restore() {
  if (model_backup_ == nullptr) return {};
  Crash();
  trace_.Add(simulator_.now(), "restored from backup", -1);
  database_ = backup_;
  return model_.Restore(*model_backup_);
}

absl::Status SimulatedManager::Commit(absl::Span<const manager::Mutation> mutations) {
  if (dying_) return absl::UnavailableError("the process is dead");
  const CommitFault fault = std::exchange(fault_, CommitFault::kNone);
  if (fault != CommitFault::kNone) {
    trace_.Add(simulator_.now(), "commit goes wrong", -1, static_cast<uint64_t>(fault));
  }
  dying_ = fault == CommitFault::kCrashBefore || fault == CommitFault::kCrashAfter;
  if (fault == CommitFault::kError || fault == CommitFault::kCrashBefore) {
    return absl::ResourceExhaustedError("simulated: disk full");
  }
  if (const absl::Status status = disk_.Commit(mutations); !status.ok()) {
    model_.Violate("the store refused a commit: ", status.message());
    return status;
  }
  model_.OnCommit(mutations);
  trace_.Add(simulator_.now(), "commit", -1, mutations.size());
  return fault == CommitFault::kNone ? absl::OkStatus() : absl::UnavailableError("simulated: I/O");
}

std::function<bool()> SimulatedManager::Alive() const {
  return [this, process = process_] { return process == process_ && !dying_; };
}

void SimulatedManager::Wake() {
  if (std::exchange(awake_, true)) return;
  const absl::Duration delay = std::max(dice_.Between(absl::ZeroDuration(), absl::Milliseconds(4)),
                                        stalled_until_ - simulator_.now());
  simulator_.After(delay, [this, alive = Alive()] {
    if (alive()) Round();
  });
}

void SimulatedManager::Round() {
  awake_ = false;
  model_.OnClock(clock_.Now());
  engine_->RunOnce();
  if (dying_) {
    Crash();
    return simulator_.After(dice_.LongTail(absl::Seconds(1)), [this] { Start(); });
  }
  // What the engine has handed over leaves here, in an order that depends on nothing but the seed.
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const bool ended = at->second->Write();
    at = ended ? sessions_.erase(at) : std::next(at);
  }
}

// The engine's tick, and the sessions'.
void SimulatedManager::Beat() {
  if (simulator_.now() >= stalled_until_) {
    for (const auto& [stream, session] : sessions_) session->Tick();
    Wake();
  }
  simulator_.After(absl::Milliseconds(900), [this, alive = Alive()] {
    if (alive()) Beat();
  });
}

// --- requests ---

absl::StatusOr<PlannedCommand> SimulatedManager::Plan(const Request& request) const {
  for (const manager::PlannedTask& task : request.tasks) {
    if (!cluster_.contains(task.node)) return absl::NotFoundError("no such node");
  }
  PlannedCommand plan;
  plan.kind = request.kind;
  plan.resource_key = request.key;
  plan.spec = absl::StrCat(request.token);
  plan.work = MakeWork(request).SerializeAsString();
  plan.tasks = request.tasks;
  plan.supersedes = request.supersedes;
  plan.timeout = absl::Minutes(1);
  plan.changes.resources.push_back({"live", plan.spec, "row"});
  plan.part_stage = request.part_stage;
  for (const int token : request.parts) {
    absl::StatusOr<PlannedCommand> part = Plan(model_.requests()[token]);
    if (!part.ok()) return part;
    plan.parts.push_back(*std::move(part));
  }
  return plan;
}

void SimulatedManager::Submit(const Request& request, absl::Duration not_after, Done done) {
  manager::Submission submission;
  submission.origin = "client";
  submission.request_id = request.id;
  submission.request = absl::StrCat(request.token);
  submission.not_after = clock_.Now() + not_after;
  if (request.delay > absl::ZeroDuration()) submission.not_before = clock_.Now() + request.delay;
  submission.priority = request.priority;
  submission.max_parallel = request.max_parallel;
  submission.max_failures = request.max_failures;
  submission.plan = [this, request](const Now&) { return Plan(request); };
  engine_->Submit(std::move(submission), [this, token = request.token, alive = Alive(),
                                          done](absl::StatusOr<manager::Submitted> submitted) {
    if (!alive()) return;
    if (submitted.ok()) {
      trace_.Add(simulator_.now(), "submitted", -1, token, submitted->command.id);
      model_.OnAcknowledged(token, submitted->command.id);
    }
    done(submitted.status());
  });
  Wake();
}

void SimulatedManager::Act(Action action, CommandId id, Done done) {
  const auto answer = [this, action, id, alive = Alive(), done](absl::StatusOr<Command> command) {
    if (!alive()) return;
    if (command.ok() && action == Action::kCancel) model_.OnCancelled(id);
    done(command.status());
  };
  trace_.Add(simulator_.now(), "action", -1, static_cast<uint64_t>(action), id);
  switch (action) {
    case Action::kRetry:
      engine_->Retry(id, "", "operator", answer);
      break;
    case Action::kSkip:
      engine_->Skip(id, "", "operator", "not needed", answer);
      break;
    case Action::kCancel:
      engine_->Cancel(id, "operator", answer);
      break;
  }
  Wake();
}

void SimulatedManager::SetNode(const std::string& node, bool paused, Done done) {
  engine_->Change(
      [this, node, paused](const Now&) {
        cluster_[node] = paused;
        ChangeSet changes;
        changes.resources.push_back({"node", node, paused ? "paused" : "on"});
        changes.nodes.push_back(MakeNode(node, paused));
        return changes;
      },
      "operator",
      [alive = Alive(), done](const absl::Status& status) {
        if (alive()) done(status);
      });
  Wake();
}

void SimulatedManager::RemoveNode(const std::string& node, Done done) {
  engine_->Change(
      [this, node](const Now&) {
        cluster_.erase(node);
        ChangeSet changes;
        changes.resources.push_back({"node", node, std::nullopt});
        changes.removed_nodes.push_back(node);
        return changes;
      },
      "operator",
      [this, node, alive = Alive(), done](const absl::Status& status) {
        if (!alive()) return;
        if (status.ok()) model_.OnNodeRemoved(node);
        trace_.Add(simulator_.now(), "node removed", -1);
        done(status);
      });
  Wake();
}

void SimulatedManager::CheckFindings() {
  engine_->Read([this, alive = Alive()](const manager::Queue& queue, const Now& now) {
    if (!alive() || !engine_->failed().ok()) return;
    if (queue.live_tasks() != model_.live_tasks() ||
        queue.commands().size() != model_.active_commands()) {
      model_.Violate("the queue and the store do not have the same tasks");
    }
    whys_.clear();
    for (const auto& [id, command] : queue.commands()) {
      for (const manager::Task& task : command.tasks) {
        if (task.live()) CheckFinding(queue, command, task, now, model_);
        const auto finding = Explain(queue, command, task, now);
        if (!finding) continue;
        whys_[manager::TaskIdOf(id, task.node)] =
            absl::StrCat(NameOf(finding->reason), ": ", finding->summary);
      }
    }
  });
  Wake();
}

std::string SimulatedManager::WhyOf(const std::string& task_id) const {
  const auto found = whys_.find(task_id);
  return found == whys_.end() ? "" : found->second;
}

// --- streams ---

bool SimulatedManager::OnOpened(uint64_t stream, int node) {
  if (!running()) return false;
  sessions_[stream] = std::make_shared<SimulatedSession>(*this, stream, absl::StrCat("n", node));
  return true;
}

void SimulatedManager::OnMessage(uint64_t stream, const agent::v1::AgentMessage& message) {
  const auto session = sessions_.find(stream);
  if (session == sessions_.end()) return;
  session->second->OnMessage(message);
  Wake();
}

void SimulatedManager::OnClosed(uint64_t stream) {
  const auto session = sessions_.find(stream);
  if (session == sessions_.end()) return;
  session->second->End(absl::CancelledError("stream cancelled"));
  Wake();
}

}  // namespace hostq::simulation
