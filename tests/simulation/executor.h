#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "hostq/agent/v1/executor.pb.h"
#include "model.h"
#include "simulator.h"

namespace hostq::simulation {

// What may go wrong with a step, as probabilities.
struct StepFaults {
  double fail = 0;
  double hang = 0;   // beyond its timeout: it is killed
  double wedge = 0;  // of those that are killed: the kernel does not let it die
  // A step takes about so long, and sometimes much longer.
  absl::Duration span = absl::Milliseconds(40);
};

// The part of a node that outlives the agent: it runs each step for a while, and the effect happens
// at some moment of that, guarded by nothing. As the real executor it runs one process for a key,
// kills at the deadline, and quarantines the key of a process that does not die.
class SimulatedExecutor {
 public:
  using Report = std::function<void(const agent::v1::ExecutorReport&)>;

  SimulatedExecutor(Simulator& simulator, Model& model, Trace& trace, Dice dice, int node);

  void SetFaults(const StepFaults& faults) { faults_ = faults; }
  // An agent connects: it is told what is quarantined. What an earlier one's steps still do, nobody
  // waits for: they are killed.
  void Connect(Report report);
  void Disconnect();
  void Run(const agent::v1::RunStep& run, const Model::StepFacts& facts);
  // The executor's process dies and takes its children along. Not while one is wedged: nobody would
  // know of it any more (docs/simulation.md).
  bool Crash();
  void Reboot();
  bool Idle() const { return processes_.empty() && waiting_.empty(); }

 private:
  struct Process {
    uint64_t serial = 0;
    agent::v1::RunStep run;
    Model::StepFacts facts;
    bool orphaned = false;
    bool killed = false;
    bool wedged = false;
    bool done_effect = false;
  };
  struct Waiting {
    agent::v1::RunStep run;
    Model::StepFacts facts;
  };

  Process* Find(uint64_t serial);
  Process* OfKey(const std::string& key);
  // Runs later if the process is still there.
  void Later(absl::Duration delay, uint64_t serial, std::function<void(Process&)> what);
  void Start(const agent::v1::RunStep& run, const Model::StepFacts& facts);
  void Kill(Process& process);
  void Effect(Process& process);
  void End(Process& process, Reason reason, const char* message);
  void Done(const agent::v1::RunStep& run, Reason reason, const char* message);
  void TellWedged(const Process& process);
  void Clear();

  Simulator& simulator_;
  Model& model_;
  Trace& trace_;
  Dice dice_;
  const int node_;
  StepFaults faults_;
  Report report_;
  uint64_t last_serial_ = 0;
  std::list<Process> processes_;
  std::vector<Waiting> waiting_;
};

}  // namespace hostq::simulation
