#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/engine/engine.h"
#include "manager_process.h"

namespace hostq::simulation {

// One agent's stream, as manager/session/session.cc has it, without gRPC: the same conversions, the
// same order of messages, the same ends.
class SimulatedSession final : public manager::AgentSession,
                               public std::enable_shared_from_this<SimulatedSession> {
 public:
  SimulatedSession(SimulatedManager& manager, uint64_t stream, std::string node);

  void OnMessage(const agent::v1::AgentMessage& message);
  // Heartbeat, silence.
  void Tick();
  void End(const absl::Status& status);
  // Sends what waits. True: the stream has ended.
  bool Write();

  // AgentSession.
  void Assign(const manager::SendAssign& assign) override;
  void Acknowledge(const manager::Lease& lease) override;
  void Cancel(const manager::Lease& lease) override;
  void Close(const absl::Status& status) override;
  void Flush() override {}

 private:
  void Connect(const agent::v1::Hello& hello);
  void Connected(const absl::StatusOr<manager::Welcomed>& welcomed);
  absl::Status Handle(const agent::v1::AgentMessage& message);
  absl::Duration now() const;

  SimulatedManager& manager_;
  const std::function<bool()> alive_;
  const uint64_t stream_;
  const std::string node_;
  uint64_t session_ = 0;
  bool hello_ = false;
  bool engine_told_ = false;
  std::optional<absl::Status> close_;
  absl::Duration heard_;
  absl::Duration next_heartbeat_;
  std::vector<agent::v1::ManagerMessage> outgoing_;
};

// The task's finding exists and agrees with what the model knows.
void CheckFinding(const manager::Queue& queue, const manager::Command& command,
                  const manager::Task& task, const manager::Now& now, Model& model);

}  // namespace hostq::simulation
