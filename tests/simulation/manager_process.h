#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "manager/engine/engine.h"
#include "model.h"
#include "network.h"
#include "simulator.h"
#include "tests/testing/memory_store.h"

namespace hostq::simulation {

class SimulatedSession;

// The manager's machine: the real engine over a simulated disk, run round by round, and for each
// stream what manager/session does, with its conversions. A crash loses everything but the disk.
class SimulatedManager final : public ManagerSide {
 public:
  enum class CommitFault {
    kNone,
    kError,         // nothing is durable, and the engine is told so
    kErrorDurable,  // the disk reports an error and has written it all the same
    kCrashBefore,   // the process dies before the commit
    kCrashAfter,    // ... or after it, before anything follows from it
  };

  SimulatedManager(Simulator& simulator, Network& network, Model& model, Trace& trace, Dice dice);
  ~SimulatedManager() override;

  void Start();
  void Crash();
  bool running() const { return engine_ != nullptr && !dying_; }
  // It can no longer write: somebody has to start it again.
  bool stuck() const { return running() && !engine_->failed().ok(); }
  // Of one of the next commits.
  void SetCommitFault(CommitFault fault) { fault_ = fault; }
  // The engine's thread gets no time for so long.
  void Stall(absl::Duration span) { stalled_until_ = simulator_.now() + span; }

  // A copy of the disk; and a new process on it, later. Returns the requests that clients repeat.
  void BackUp();
  std::vector<int> Restore();

  // Requests, as from clients. Callbacks are not called if the process dies.
  using Done = std::function<void(const absl::Status&)>;
  void Submit(const Request& request, absl::Duration not_after, Done done);
  enum class Action { kRetry, kSkip, kCancel };
  void Act(Action action, CommandId id, Done done);
  void SetNode(const std::string& node, bool paused, Done done);
  void RemoveNode(const std::string& node, Done done);
  // Every task that lives has a finding, and what it says is so.
  void CheckFindings();
  // What the last check found of a task.
  std::string WhyOf(const std::string& task_id) const;

  MachineClock& clock() { return clock_; }
  manager::Store& store() { return disk_; }

  // ManagerSide.
  bool OnOpened(uint64_t stream, int node) override;
  void OnMessage(uint64_t stream, const agent::v1::AgentMessage& message) override;
  void OnClosed(uint64_t stream) override;

 private:
  friend class SimulatedSession;
  // The disk under the engine.
  class FaultyStore;
  class Resources;

  absl::Status Commit(absl::Span<const manager::Mutation> mutations);
  // A round of the engine follows soon.
  void Wake();
  void Round();
  void Beat();
  void Check(const std::string& node);
  absl::StatusOr<manager::PlannedCommand> Plan(const Request& request) const;
  std::function<bool()> Alive() const;

  Simulator& simulator_;
  Network& network_;
  Model& model_;
  std::map<std::string, std::string> whys_;  // by task id
  Trace& trace_;
  Dice dice_;
  MachineClock clock_;
  manager::MemoryDatabase database_;
  manager::MemoryStore disk_;
  manager::MemoryDatabase backup_;
  std::unique_ptr<Model> model_backup_;
  CommitFault fault_ = CommitFault::kNone;
  absl::Duration stalled_until_;

  // The process; counts with `process_`.
  uint64_t process_ = 0;
  bool dying_ = false;
  bool awake_ = false;
  std::map<std::string, bool> cluster_;  // nodes, and whether they are paused
  std::unique_ptr<FaultyStore> store_;
  std::unique_ptr<Resources> resources_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<manager::Engine> engine_;
  std::map<uint64_t, std::shared_ptr<SimulatedSession>> sessions_;
};

}  // namespace hostq::simulation
