#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "agent/link/session_logic.h"
#include "executor.h"
#include "model.h"
#include "network.h"
#include "simulator.h"
#include "tests/testing/memory_journal.h"

namespace hostq::simulation {

// A journal on a disk that may fail, and knows what is durable: what the agent tells others is held
// against that.
class SimulatedJournal final : public agent::Journal {
 public:
  enum class Fault { kNone, kError, kCrashBefore, kCrashAfter };
  enum class State { kWaiting, kStarted, kFinished, kAcknowledged };
  struct Entry {
    agent::Lease lease;
    std::string work;
    State state = State::kWaiting;
  };

  // Over the real journal in shared memory, or over the faster one that the contract tests hold to
  // the same rules.
  SimulatedJournal(Model& model, bool sqlite);
  ~SimulatedJournal() override;

  absl::StatusOr<std::vector<agent::AcceptAnswer>> Commit(const agent::JournalBatch& batch,
                                                          absl::Time now) override;
  absl::StatusOr<agent::JournalState> Load() override { return journal_->Load(); }
  absl::StatusOr<int64_t> Prune(absl::Time before) override { return journal_->Prune(before); }

  // The next commit that has something to write.
  void SetFault(Fault fault) { fault_ = fault; }
  void SetFull(bool full) { full_ = full; }
  // The process died in a commit.
  bool crashed() const { return crashed_; }
  void Restart() { crashed_ = false; }
  const Entry* Find(const std::string& task_id) const;
  // The task of this work that has started and not finished.
  const Entry* FindStarted(const std::string& work) const;
  // How many tasks the manager must be told of: in flight, or finished and not among these epochs.
  int Open(const std::set<uint64_t>& acknowledged) const;

 private:
  void Record(const agent::JournalBatch& batch, const std::vector<agent::AcceptAnswer>& answers);

  agent::MemoryJournalDisk disk_;
  std::string directory_;
  std::unique_ptr<agent::Journal> journal_;
  Model& model_;
  Fault fault_ = Fault::kNone;
  bool full_ = false;
  bool crashed_ = false;
  std::map<std::string, Entry> entries_;
  std::map<std::string, uint64_t> epochs_;  // by key
};

// A machine with an agent: the real SessionLogic on simulated disk, network, clock and executor.
class SimulatedNode final : public AgentSide {
 public:
  SimulatedNode(Simulator& simulator, Network& network, Model& model, Trace& trace, Dice dice,
                int number, int credits, bool sqlite);

  void StartAgent();
  void CrashAgent();
  void CrashExecutor();
  void Reboot();
  // With a new, empty disk.
  void LoseDisk();
  bool running() const { return logic_ != nullptr; }
  // Nothing in flight, nothing unacknowledged.
  bool Idle() const;

  const std::string& name() const { return name_; }
  MachineClock& clock() { return clock_; }
  SimulatedJournal& journal() { return *journal_; }
  SimulatedExecutor& executor() { return executor_; }

  // AgentSide.
  void OnMessage(uint64_t stream, const agent::v1::ManagerMessage& message) override;
  void OnClosed(uint64_t stream, const absl::Status& status) override;

 private:
  // Lets the logic do what is due, and carries it out.
  void Flush();
  void Send(agent::v1::AgentMessage message);
  void Run(const agent::v1::RunStep& run);
  void ConnectExecutor(absl::Duration delay);
  void ScheduleWake();
  void Stop();

  Simulator& simulator_;
  Network& network_;
  Model& model_;
  Trace& trace_;
  Dice dice_;
  const int number_;
  const int credits_;
  const bool sqlite_;
  const std::string name_;
  MachineClock clock_;
  std::unique_ptr<SimulatedJournal> journal_;
  SimulatedExecutor executor_;
  // The agent's process; counts with `process_`.
  uint64_t process_ = 0;
  std::unique_ptr<Random> random_;
  std::unique_ptr<agent::SessionLogic> logic_;
  uint64_t connection_ = 0;
  uint64_t stream_ = 0;
  absl::Duration wake_ = absl::InfiniteDuration();
  std::set<std::string> begun_;      // tasks, in this process
  std::set<uint64_t> acknowledged_;  // epochs, in this process: perhaps not yet on the disk
};

// "TOKEN:STEPS", as a command's work says it.
agent::v1::Work MakeWork(const Request& request);

}  // namespace hostq::simulation
