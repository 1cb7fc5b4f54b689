#include "world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hostq::simulation {
namespace {

// Long after the last backoff (5 min), wedge and refusal have passed.
constexpr absl::Duration kLongestDelay = absl::Minutes(10);
constexpr absl::Duration kDrainTime = absl::Hours(2);
// A world takes some ten thousand.
constexpr uint64_t kMaxSteps = 3'000'000;

}  // namespace

World::World(uint64_t seed) : dice_(seed), network_(simulator_, dice_.Split()) {
  manager_ =
      std::make_unique<SimulatedManager>(simulator_, network_, model_, trace_, dice_.Split());
  network_.Attach(*manager_);
  const int nodes = 1 + dice_.Roll(6);
  const bool sqlite = dice_.Chance(0.3);
  for (int i = 0; i < nodes; ++i) {
    const int credits = 1 + dice_.Roll(6);
    nodes_.push_back(std::make_unique<SimulatedNode>(simulator_, network_, model_, trace_,
                                                     dice_.Split(), i, credits, sqlite));
    network_.Attach(*nodes_.back());
    model_.SetCredits(nodes_.back()->name(), credits);
  }
  faults_end_ = dice_.Between(absl::Minutes(5), absl::Minutes(40));
  PlanRequests();
  PlanFaults();
}

World::~World() {
  // Processes first: what they still say goes nowhere.
  manager_.reset();
  nodes_.clear();
}

// --- the plan ---

void World::PlanRequests() {
  const int keys = 1 + dice_.Roll(4);
  const int requests = 10 + dice_.Roll(40);
  const bool staged = dice_.Chance(0.5);
  const bool superseding = dice_.Chance(0.5);
  const bool parted = dice_.Chance(0.4);
  const auto add = [&] {
    Request& request = model_.AddRequest();
    request.kind = dice_.Chance(0.7) ? "bind_address" : "unbind_address";
    request.key = absl::StrCat("address/", dice_.Roll(keys));
    request.steps = 1 + dice_.Roll(3);
    if (superseding && dice_.Chance(0.3)) {
      request.supersedes = {dice_.Chance(0.5) ? "*" : "bind_address"};
    }
    if (dice_.Chance(0.2)) request.priority = dice_.Roll(3) - 1;
    if (dice_.Chance(0.2)) request.max_parallel = 1 + dice_.Roll(2);
    if (dice_.Chance(0.15)) request.max_failures = dice_.Roll(2);
    if (dice_.Chance(0.1)) request.delay = dice_.Between(absl::Seconds(1), kLongestDelay);
    for (const auto& node : nodes_) {
      if (!dice_.Chance(0.6)) continue;
      request.tasks.push_back({node->name(), staged ? dice_.Roll(2) : 0});
    }
    if (request.tasks.empty()) request.tasks.push_back({AnyNode().name(), 0});
    return request.token;
  };
  for (int i = 0; i < requests; ++i) {
    const int token = add();
    if (!dice_.Chance(0.1)) model_.requests()[token].id = absl::StrCat("request-", token);
  }
  for (int whole = 0; parted && whole < requests; ++whole) {
    for (int i = dice_.Chance(0.3) ? 1 + dice_.Roll(3) : 0; i > 0; --i) {
      const int token = add();
      Request& part = model_.requests()[token];
      part.whole = whole;
      part.part_stage = dice_.Roll(3);
      part.answered = true;  // with its whole
      model_.requests()[whole].parts.push_back(token);
    }
  }
  // Evenly, or many at once, so that they meet.
  const int bursts = 1 + dice_.Roll(10);
  const bool even = dice_.Chance(0.4);
  for (int token = 0; token < requests; ++token) {
    const absl::Duration burst = faults_end_ * dice_.Roll(bursts) / bursts;
    const absl::Duration time = even ? dice_.Between(absl::ZeroDuration(), faults_end_)
                                     : burst + dice_.LongTail(absl::Seconds(1));
    simulator_.After(absl::Seconds(1) + time, [this, token] { Submit(token); });
  }
}

void World::Often(double probability, absl::Duration mean, std::function<void()> fault) {
  if (!dice_.Chance(probability)) return;
  Repeat(dice_.Between(0.3 * mean, 3 * mean), std::move(fault));
}

void World::Repeat(absl::Duration mean, std::function<void()> fault) {
  simulator_.After(dice_.Between(absl::ZeroDuration(), 2 * mean),
                   [this, mean, fault = std::move(fault)] {
                     if (!faults_) return;
                     fault();
                     Repeat(mean, fault);
                   });
}

void World::PlanFaults() {
  using Journal = SimulatedJournal::Fault;
  using Disk = SimulatedManager::CommitFault;
  StepFaults steps;
  if (dice_.Chance(0.7)) steps.fail = 0.3 * dice_.Roll(3) / 2;
  if (dice_.Chance(0.5)) steps.hang = 0.1;
  if (dice_.Chance(0.5)) steps.wedge = 0.4;
  steps.span = absl::Milliseconds(20) * (1 << (2 * dice_.Roll(4)));
  for (const auto& node : nodes_) node->executor().SetFaults(steps);

  Often(0.7, absl::Minutes(2), [this] {
    trace_.Add(simulator_.now(), "connection breaks", -1);
    network_.Break(dice_.Roll(static_cast<int>(nodes_.size())));
  });
  Often(0.5, absl::Minutes(4), [this] { PartitionNode(); });
  Often(0.6, absl::Minutes(4), [this] { CrashAgent(AnyNode(), absl::Milliseconds(300)); });
  Often(0.5, absl::Minutes(4), [this] {
    AnyNode().journal().SetFault(dice_.Chance(0.5) ? Journal::kCrashBefore : Journal::kCrashAfter);
  });
  Often(0.4, absl::Minutes(5), [this] { AnyNode().journal().SetFault(Journal::kError); });
  Often(0.3, absl::Minutes(6), [this] { FillDisk(); });
  Often(0.4, absl::Minutes(4), [this] { AnyNode().CrashExecutor(); });
  Often(0.4, absl::Minutes(8), [this] {
    SimulatedNode& node = AnyNode();
    // An agent that has lost its journal cannot know the epochs of a manager that has lost its own.
    dice_.Chance(0.3) && !restores_ ? node.LoseDisk() : node.Reboot();
    simulator_.After(dice_.LongTail(absl::Seconds(5)), [&node] { node.StartAgent(); });
  });
  Often(0.6, absl::Minutes(5), [this] {
    manager_->Crash();
    RestartManager();
  });
  Often(0.5, absl::Minutes(4), [this] {
    manager_->SetCommitFault(dice_.Chance(0.5) ? Disk::kCrashBefore : Disk::kCrashAfter);
  });
  restores_ = dice_.Chance(0.2);
  if (restores_) {
    const absl::Duration backup = dice_.Between(absl::ZeroDuration(), faults_end_);
    simulator_.After(backup, [this] { manager_->BackUp(); });
    simulator_.After(dice_.Between(backup, faults_end_), [this] {
      // Whatever took the manager's disk may have taken agents along.
      for (const auto& node : nodes_) {
        if (dice_.Chance(0.5)) CrashAgent(*node, absl::Seconds(1));
      }
      for (const int token : manager_->Restore()) {
        simulator_.After(dice_.LongTail(absl::Seconds(3)), [this, token] { Submit(token); });
      }
      RestartManager();
    });
  }
  Often(0.4, absl::Minutes(8), [this] {
    manager_->SetCommitFault(dice_.Chance(0.5) ? Disk::kError : Disk::kErrorDurable);
  });
  Often(0.3, absl::Minutes(5), [this] { manager_->Stall(dice_.LongTail(absl::Milliseconds(50))); });
  Often(0.3, absl::Minutes(10), [this] {
    MachineClock& clock = dice_.Chance(0.5) ? manager_->clock() : AnyNode().clock();
    clock.StepWall(dice_.Between(absl::Hours(-1), absl::Hours(1)));
  });
  Often(0.7, absl::Minutes(1), [this] { Operate(); });
  Often(0.5, absl::Minutes(2), [this] { ChangeNode(); });
}

// --- clients and operators ---

void World::Submit(int token) {
  const Request& request = model_.requests()[token];
  const auto again = [this, token] {
    simulator_.After(dice_.Between(absl::Seconds(1), absl::Seconds(20)),
                     [this, token] { Submit(token); });
  };
  if (!manager_->running()) return again();
  const absl::Duration not_after =
      dice_.Chance(0.1) ? absl::Seconds(dice_.Roll(200)) : absl::InfiniteDuration();
  auto told = std::make_shared<bool>(false);
  manager_->Submit(request, not_after, [this, token, told, again](const absl::Status& status) {
    Request& mine = model_.requests()[token];
    if (dice_.Chance(0.05)) return;  // the answer is lost on its way
    *told = true;
    if (status.ok() && !mine.id.empty() && dice_.Chance(0.1) && faults_) return again();
    if (status.ok() || absl::IsNotFound(status)) {
      mine.answered = true;
    } else if (!mine.id.empty() || absl::IsResourceExhausted(status)) {
      again();
    } else {
      mine.answered = true;  // nobody knows what became of it
    }
  });
  simulator_.After(absl::Seconds(15), [this, token, told, again] {
    Request& mine = model_.requests()[token];
    if (*told || mine.answered) return;
    if (mine.id.empty()) {
      mine.answered = true;
    } else {
      again();
    }
  });
}

void World::Operate() {
  if (!manager_->running()) return;
  const std::vector<CommandId> live = model_.Live();
  const std::vector<CommandId> parked = model_.Parked();
  const auto any = [&](const std::vector<CommandId>& ids) {
    return ids[dice_.Roll(static_cast<int>(ids.size()))];
  };
  const auto done = [](const absl::Status&) {};
  const int what = dice_.Roll(6);
  if (what < 3 && !parked.empty()) {
    manager_->Act(SimulatedManager::Action::kRetry, any(parked), done);
  } else if (what == 3 && !parked.empty()) {
    manager_->Act(SimulatedManager::Action::kSkip, any(parked), done);
  } else if (what == 4 && !live.empty()) {
    manager_->Act(SimulatedManager::Action::kCancel, any(live), done);
  } else {
    manager_->CheckFindings();
  }
}

void World::SetNode(const std::string& node, bool paused) {
  manager_->SetNode(node, paused, [](const absl::Status&) {});
}

void World::ChangeNode() {
  if (!manager_->running()) return;
  SimulatedNode& changed = AnyNode();
  const std::string node = changed.name();
  switch (dice_.Roll(4)) {
    case 0:
      return SetNode(node, true);
    case 1:
      if (dice_.Chance(0.5)) CrashAgent(changed, absl::Seconds(1));
      simulator_.After(dice_.LongTail(absl::Seconds(5)), [this, node] {
        if (manager_->running()) SetNode(node, false);
      });
      return manager_->RemoveNode(node, [](const absl::Status&) {});
    default:
      return SetNode(node, false);
  }
}

// --- machines ---

void World::RestartManager() {
  simulator_.After(dice_.LongTail(absl::Seconds(1)), [this] { manager_->Start(); });
}

void World::CrashAgent(SimulatedNode& node, absl::Duration pause) {
  node.CrashAgent();
  simulator_.After(dice_.LongTail(pause), [&node] { node.StartAgent(); });
}

void World::PartitionNode() {
  const int node = dice_.Roll(static_cast<int>(nodes_.size()));
  trace_.Add(simulator_.now(), "partition", node);
  network_.Partition(node, true);
  simulator_.After(dice_.LongTail(absl::Seconds(2)),
                   [this, node] { network_.Partition(node, false); });
}

void World::FillDisk() {
  SimulatedNode& node = AnyNode();
  trace_.Add(simulator_.now(), "journal full", -1);
  node.journal().SetFull(true);
  simulator_.After(dice_.LongTail(absl::Seconds(2)), [&node] { node.journal().SetFull(false); });
}

// --- the end ---

void World::EndFaults() {
  faults_ = false;
  trace_.Add(simulator_.now(), "faults end", -1);
  network_.Heal();
  manager_->SetCommitFault(SimulatedManager::CommitFault::kNone);
  manager_->Stall(absl::ZeroDuration());
  manager_->Start();
  for (const auto& node : nodes_) {
    node->executor().SetFaults({});
    node->journal().SetFull(false);
    node->journal().SetFault(SimulatedJournal::Fault::kNone);
    node->StartAgent();
  }
  Drain();
}

bool World::Ended() {
  return model_.Drained() &&
         std::all_of(model_.requests().begin(), model_.requests().end(),
                     [](const Request& request) { return request.answered; }) &&
         std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->Idle(); });
}

void World::Drain() {
  if (Ended()) {
    ended_ = true;
    return;
  }
  if (simulator_.now() > faults_end_ + kDrainTime) {
    return model_.Violate("faults have stopped, and not everything ends: ", Describe());
  }
  if (manager_->stuck()) manager_->Crash();
  manager_->Start();
  for (const auto& node : nodes_) {
    node->StartAgent();
    SetNode(node->name(), false);
  }
  for (const CommandId id : model_.Parked()) {
    manager_->Act(SimulatedManager::Action::kRetry, id, [](const absl::Status&) {});
  }
  // Accepted while the manager's clock was far ahead: to start after longer than anybody asked for.
  const auto commands = manager_->store().ListCommands({.active_only = true});
  for (const manager::Command& command : *commands) {
    if (command.not_before <= manager_->clock().Now() + kLongestDelay) continue;
    manager_->Act(SimulatedManager::Action::kCancel, command.id, [](const absl::Status&) {});
  }
  manager_->CheckFindings();
  simulator_.After(absl::Seconds(20), [this] { Drain(); });
}

std::string World::Describe() {
  std::string text = absl::StrCat(model_.live_tasks(), " tasks live");
  for (const Request& request : model_.requests()) {
    if (!request.answered) absl::StrAppend(&text, "; request ", request.token, " unanswered");
  }
  for (const auto& node : nodes_) {
    if (!node->Idle()) absl::StrAppend(&text, "; ", node->name(), " is not idle");
  }
  const auto commands = manager_->store().ListCommands({.active_only = true});
  for (const manager::Command& command : *commands) {
    for (const manager::Task& task : command.tasks) {
      if (!task.live()) continue;
      const std::string id = manager::TaskIdOf(command.id, task.node);
      absl::StrAppend(&text, "; ", id, " is ", NameOf(task.phase), " (", manager_->WhyOf(id), ")");
    }
  }
  return text;
}

World::Result World::Run(size_t trace_length) {
  trace_.SetLimit(trace_length);
  for (const auto& node : nodes_) node->StartAgent();
  manager_->Start();
  for (const auto& node : nodes_) SetNode(node->name(), false);
  simulator_.After(faults_end_, [this] { EndFaults(); });
  Repeat(absl::Seconds(20), [this] {
    if (manager_->running()) manager_->CheckFindings();
  });
  // Somebody notices a manager that cannot write, some time later.
  Repeat(absl::Seconds(20), [this] {
    if (!manager_->stuck()) return;
    manager_->Crash();
    RestartManager();
  });
  while (!ended_ && !model_.violated() && simulator_.Step()) {
    if (simulator_.steps() > kMaxSteps) model_.Violate("too many events");
  }
  if (!model_.violated()) model_.CheckDrained();
  if (!model_.violated()) model_.CheckStore(manager_->store());
  Result result;
  result.violation = model_.violation();
  if (model_.violated()) result.trace = trace_.Text();
  result.node_hours = absl::ToDoubleHours(simulator_.now()) * static_cast<double>(nodes_.size());
  result.digest = trace_.digest();
  result.counts = trace_.counts();
  return result;
}

}  // namespace hostq::simulation
