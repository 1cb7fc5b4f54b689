#include "node.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/journal/sqlite_journal.h"
#include "common/base/error.h"
#include "common/base/id.h"

namespace hostq::simulation {
namespace {

using agent::AcceptOutcome;
using agent::Lease;

struct WorkFacts {
  int token = 0;
  int steps = 0;
};

absl::string_view LabelOf(const agent::v1::Work& work) {
  return work.has_bind_address() ? work.bind_address().address() : work.unbind_address().address();
}

WorkFacts Read(const agent::v1::Work& work) {
  const std::vector<absl::string_view> parts = absl::StrSplit(LabelOf(work), ':');
  WorkFacts facts;
  HOSTQ_CHECK(parts.size() == 2 && absl::SimpleAtoi(parts[0], &facts.token) &&
              absl::SimpleAtoi(parts[1], &facts.steps));
  return facts;
}

absl::StatusOr<std::vector<agent::Step>> PlanWork(const agent::v1::Work& work,
                                                  const agent::Roles&) {
  std::vector<agent::Step> steps;
  for (int i = 0; i < Read(work).steps; ++i) {
    steps.push_back({absl::StrCat("step", i), absl::Seconds(10), nullptr, false});
  }
  return steps;
}

// "COMMAND/NODE".
manager::Lease ToManagerLease(const Lease& lease, const std::string& node) {
  const auto id = ParseId(absl::string_view(lease.task_id).substr(0, lease.task_id.find('/')));
  return {id.value_or(0), node, lease.attempt, lease.epoch};
}

}  // namespace

agent::v1::Work MakeWork(const Request& request) {
  agent::v1::Work work;
  const std::string label = absl::StrCat(request.token, ":", request.steps);
  if (request.kind == "bind_address") {
    work.mutable_bind_address()->set_address(label);
  } else {
    work.mutable_unbind_address()->set_address(label);
  }
  return work;
}

// --- the journal ---

SimulatedJournal::SimulatedJournal(Model& model, bool sqlite) : model_(model) {
  if (!sqlite) {
    journal_ = std::make_unique<agent::MemoryJournal>(disk_);
    return;
  }
  char pattern[] = "/dev/shm/hostq_simulation_XXXXXX";
  HOSTQ_CHECK(mkdtemp(pattern) != nullptr);
  directory_ = pattern;
  auto journal = agent::SqliteJournal::Open(directory_ + "/journal.db");
  HOSTQ_CHECK(journal.ok());
  journal_ = *std::move(journal);
}

SimulatedJournal::~SimulatedJournal() {
  journal_.reset();
  if (!directory_.empty()) std::filesystem::remove_all(directory_);
}

absl::StatusOr<std::vector<agent::AcceptAnswer>> SimulatedJournal::Commit(
    const agent::JournalBatch& batch, absl::Time now) {
  if (batch.empty()) return journal_->Commit(batch, now);
  const Fault fault = std::exchange(fault_, Fault::kNone);
  if (full_ || crashed_ || fault == Fault::kError || fault == Fault::kCrashBefore) {
    crashed_ |= fault == Fault::kCrashBefore;
    return MakeError(absl::StatusCode::kResourceExhausted, Reason::kJournalUnavailable, "full");
  }
  auto answers = journal_->Commit(batch, now);
  if (!answers.ok()) {
    model_.Violate("a journal's commit failed: ", answers.status().message());
    return answers;
  }
  Record(batch, *answers);
  if (fault == Fault::kCrashAfter) {
    crashed_ = true;
    return MakeError(absl::StatusCode::kAborted, Reason::kJournalUnavailable, "crash");
  }
  return answers;
}

const SimulatedJournal::Entry* SimulatedJournal::Find(const std::string& task_id) const {
  const auto found = entries_.find(task_id);
  return found == entries_.end() ? nullptr : &found->second;
}

const SimulatedJournal::Entry* SimulatedJournal::FindStarted(const std::string& work) const {
  for (const auto& [task_id, entry] : entries_) {
    if (entry.state == State::kStarted && entry.work == work) return &entry;
  }
  return nullptr;
}

int SimulatedJournal::Open(const std::set<uint64_t>& acknowledged) const {
  int open = 0;
  for (const auto& [task_id, entry] : entries_) {
    open += entry.state < State::kFinished ||
            (entry.state == State::kFinished && !acknowledged.contains(entry.lease.epoch));
  }
  return open;
}

void SimulatedJournal::Record(const agent::JournalBatch& batch,
                              const std::vector<agent::AcceptAnswer>& answers) {
  const auto of_lease = [&](const Lease& lease) -> Entry* {
    const auto found = entries_.find(lease.task_id);
    return found == entries_.end() || found->second.lease != lease ? nullptr : &found->second;
  };
  for (const auto& [lease, result] : batch.finished) {
    if (Entry* entry = of_lease(lease)) entry->state = State::kFinished;
  }
  for (const Lease& lease : batch.acknowledged) {
    Entry* entry = of_lease(lease);
    if (entry != nullptr && entry->state == State::kFinished) entry->state = State::kAcknowledged;
  }
  for (const Lease& lease : batch.dropped) {
    if (of_lease(lease) != nullptr) entries_.erase(lease.task_id);
  }
  for (size_t i = 0; i < batch.accept.size(); ++i) {
    const auto& [assignment, start] = batch.accept[i];
    const std::string& task_id = assignment.lease.task_id;
    uint64_t& epoch = epochs_[assignment.resource_key];
    const auto known = entries_.find(task_id);
    switch (answers[i].outcome) {
      case AcceptOutcome::kAccepted:
        if (assignment.lease.epoch < epoch) model_.Violate(task_id, ": a stale epoch passed");
        if (known != entries_.end() && known->second.lease.attempt >= assignment.lease.attempt) {
          model_.Violate(task_id, ": the same attempt was accepted twice");
        }
        entries_[task_id] = {assignment.lease, assignment.work,
                             start ? State::kStarted : State::kWaiting};
        epoch = assignment.lease.epoch;
        break;
      case AcceptOutcome::kInFlight:
        if (known == entries_.end()) {
          model_.Violate(task_id, ": in flight without having been accepted");
          break;
        }
        known->second.lease = assignment.lease;
        epoch = std::max(epoch, assignment.lease.epoch);
        break;
      case AcceptOutcome::kFinished:
        if (known == entries_.end()) break;
        known->second.lease = answers[i].lease;
        known->second.state = State::kFinished;
        break;
      case AcceptOutcome::kStaleEpoch:
        break;
    }
  }
  for (const Lease& lease : batch.started) {
    Entry* entry = of_lease(lease);
    if (entry != nullptr && entry->state == State::kWaiting) entry->state = State::kStarted;
  }
}

// --- the machine ---

SimulatedNode::SimulatedNode(Simulator& simulator, Network& network, Model& model, Trace& trace,
                             Dice dice, int number, int credits, bool sqlite)
    : simulator_(simulator),
      network_(network),
      model_(model),
      trace_(trace),
      dice_(dice),
      number_(number),
      credits_(credits),
      sqlite_(sqlite),
      name_(absl::StrCat("n", number)),
      clock_(simulator),
      journal_(std::make_unique<SimulatedJournal>(model_, sqlite_)),
      executor_(simulator, model, trace, dice_.Split(), number) {}

void SimulatedNode::StartAgent() {
  if (running()) return;
  trace_.Add(simulator_.now(), "agent starts", number_);
  ++process_;
  connection_ = 0;
  begun_.clear();
  acknowledged_.clear();
  journal_->Restart();
  agent::SessionOptions options;
  options.agent_version = "simulated";
  options.kinds = {"bind_address", "unbind_address"};
  options.credits = credits_;
  options.boot_id = "boot";
  options.process_id = absl::StrCat(process_);
  random_ = std::make_unique<SeededRandom>(dice_.Next());
  logic_ = std::make_unique<agent::SessionLogic>(options, PlanWork, *journal_, clock_, *random_);
  if (const absl::Status status = logic_->Start(); !status.ok()) {
    return model_.Violate("an agent does not start: ", status.message());
  }
  ConnectExecutor(dice_.LongTail(absl::Milliseconds(50)));
  Flush();
}

void SimulatedNode::ConnectExecutor(absl::Duration delay) {
  simulator_.After(delay, [this, process = process_] {
    if (process != process_ || !running()) return;
    logic_->OnExecutorReady();
    executor_.Connect([this](const agent::v1::ExecutorReport& report) {
      simulator_.After(absl::Microseconds(100), [this, of = process_, report] {
        if (of != process_ || !running()) return;
        logic_->OnExecutorReport(report);
        Flush();
      });
    });
    Flush();
  });
}

void SimulatedNode::Stop() {
  ++process_;
  logic_.reset();
  wake_ = absl::InfiniteDuration();
  network_.LoseAgent(number_);
  stream_ = 0;
}

void SimulatedNode::CrashAgent() {
  if (!running()) return;
  trace_.Add(simulator_.now(), "agent dies", number_);
  Stop();
  executor_.Disconnect();
}

void SimulatedNode::CrashExecutor() {
  if (!running() || !executor_.Crash()) return;
  trace_.Add(simulator_.now(), "executor dies", number_);
  executor_.Disconnect();
  // Reports that are on the way are of a connection that is gone.
  ++process_;
  wake_ = absl::InfiniteDuration();
  logic_->OnExecutorLost();
  ConnectExecutor(dice_.LongTail(absl::Milliseconds(200)));
  Flush();
}

void SimulatedNode::Reboot() {
  trace_.Add(simulator_.now(), "reboots", number_);
  Stop();
  executor_.Reboot();
  clock_.Reboot();
}

void SimulatedNode::LoseDisk() {
  Reboot();
  trace_.Add(simulator_.now(), "disk lost", number_);
  model_.OnDiskLost(name_);
  journal_ = std::make_unique<SimulatedJournal>(model_, sqlite_);
}

bool SimulatedNode::Idle() const {
  return running() && logic_->welcomed() && logic_->in_flight() == 0 && logic_->outbox() == 0 &&
         executor_.Idle();
}

void SimulatedNode::OnMessage(uint64_t stream, const agent::v1::ManagerMessage& message) {
  if (!running() || stream != stream_) return;
  if (message.has_welcome()) {
    uint64_t commit = 0;
    HOSTQ_CHECK(absl::SimpleAtoi(message.welcome().cluster(), &commit));
    model_.OnWelcome(name_, commit);
  }
  for (const auto& lease : message.result_ack().leases()) acknowledged_.insert(lease.epoch());
  logic_->OnMessage(connection_, message);
  Flush();
}

void SimulatedNode::OnClosed(uint64_t stream, const absl::Status& status) {
  if (!running() || stream != stream_) return;
  logic_->OnClosed(connection_, status);
  Flush();
}

void SimulatedNode::Flush() {
  agent::Effects effects = logic_->Flush();
  if (journal_->crashed()) {
    CrashAgent();
    simulator_.After(dice_.LongTail(absl::Milliseconds(200)), [this] { StartAgent(); });
    return;
  }
  if (effects.close && stream_ != 0) {
    network_.CloseByAgent(stream_);
    stream_ = 0;
  }
  if (effects.connect) {
    if (stream_ != 0) network_.CloseByAgent(stream_);
    connection_ = *effects.connect;
    stream_ = network_.Open(number_);
  }
  for (agent::v1::AgentMessage& message : effects.messages) Send(std::move(message));
  for (const agent::v1::RunStep& run : effects.steps) Run(run);
  if (logic_->in_flight() > static_cast<size_t>(credits_)) {
    model_.Violate(name_, " has more in flight than its credits");
  }
  ScheduleWake();
}

void SimulatedNode::ScheduleWake() {
  const absl::Duration next = std::max(logic_->NextWake(), clock_.Monotonic());
  if (next >= wake_) return;
  wake_ = next;
  simulator_.After(next - clock_.Monotonic() + absl::Microseconds(1),
                   [this, process = process_, next] {
                     if (process != process_ || !running() || wake_ != next) return;
                     wake_ = absl::InfiniteDuration();
                     Flush();
                   });
}

void SimulatedNode::Send(agent::v1::AgentMessage message) {
  if (message.has_accepted()) {
    const auto& lease = message.accepted().lease();
    const auto* entry = journal_->Find(lease.task_id());
    if (entry == nullptr || entry->lease.epoch != lease.epoch()) {
      model_.Violate(lease.task_id(), " was accepted before the journal had it");
    }
  } else if (message.has_result()) {
    const auto& lease = message.result().lease();
    const auto* entry = journal_->Find(lease.task_id());
    if (entry == nullptr || entry->state < SimulatedJournal::State::kFinished) {
      model_.Violate(lease.task_id(), ": its result was sent before the journal had it");
    }
  }
  if (message.has_hello()) {
    // More is no harm: what it has dropped may still be on the disk.
    const auto& hello = message.hello();
    if (hello.in_flight_size() + hello.outbox_size() < journal_->Open(acknowledged_)) {
      model_.Violate(name_, " does not tell everything that is in its journal");
    }
  }
  network_.SendUp(stream_, std::move(message));
}

void SimulatedNode::Run(const agent::v1::RunStep& run) {
  agent::v1::Work work;
  HOSTQ_CHECK(work.ParseFromString(run.work()));
  Model::StepFacts facts;
  facts.node = name_;
  facts.key = run.resource_key();
  facts.token = Read(work).token;
  facts.step = run.step_index();
  const auto* entry = journal_->FindStarted(run.work());
  if (entry == nullptr) {
    return model_.Violate(name_, " runs request ", facts.token, " and its journal does not say so");
  }
  facts.lease = ToManagerLease(entry->lease, name_);
  facts.begun_before = !begun_.insert(entry->lease.task_id).second;
  model_.OnStepStarted(facts);
  executor_.Run(run, facts);
}

}  // namespace hostq::simulation
