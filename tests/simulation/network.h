#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "hostq/agent/v1/session.pb.h"
#include "simulator.h"

namespace hostq::simulation {

// Who the network delivers to. A stream is known to both sides by its number.
class ManagerSide {
 public:
  virtual ~ManagerSide() = default;
  // False: nobody listens.
  virtual bool OnOpened(uint64_t stream, int node) = 0;
  virtual void OnMessage(uint64_t stream, const agent::v1::AgentMessage& message) = 0;
  virtual void OnClosed(uint64_t stream) = 0;
};
class AgentSide {
 public:
  virtual ~AgentSide() = default;
  virtual void OnMessage(uint64_t stream, const agent::v1::ManagerMessage& message) = 0;
  virtual void OnClosed(uint64_t stream, const absl::Status& status) = 0;
};

// Ordered streams between nodes and manager. What is sent arrives in order, late, or not at all: a
// stream breaks (each side learns of it at its own time, or never), a partition holds everything
// back until it heals. Streams have nothing to do with each other: an old one may deliver after a
// newer one has been opened.
class Network {
 public:
  Network(Simulator& simulator, Dice dice) : simulator_(simulator), dice_(dice) {}
  void Attach(ManagerSide& manager) { manager_ = &manager; }
  // Nodes are numbered in order.
  void Attach(AgentSide& agent) { nodes_.push_back({&agent}); }

  uint64_t Open(int node);
  void SendUp(uint64_t stream, agent::v1::AgentMessage message);
  void SendDown(uint64_t stream, agent::v1::ManagerMessage message);
  // The other side hears of it, after what was sent before.
  void CloseByAgent(uint64_t stream);
  void CloseByManager(uint64_t stream, const absl::Status& status);
  // The machine at that end is gone: nothing is closed properly.
  void LoseAgent(int node);
  void LoseManager();

  // Faults.
  void Break(int node);
  void Partition(int node, bool cut);
  // Everything works from now on; what is broken and not yet noticed stays so.
  void Heal();
  size_t streams() const { return streams_.size(); }

 private:
  using Delivery = std::function<void()>;
  struct Direction {
    bool dead = false;  // nothing arrives any more
    absl::Duration last;
    std::deque<Delivery> held;  // by a partition
  };
  struct Stream {
    int node = 0;
    Dice dice{0};
    bool agent_open = true;
    bool manager_open = false;
    Direction up, down;
  };
  struct Node {
    AgentSide* agent = nullptr;
    bool cut = false;
  };

  void Send(uint64_t id, bool up, Delivery delivery);
  void Deliver(uint64_t id, bool up, const Delivery& delivery);
  void Release(uint64_t id, bool up);
  void EndForAgent(uint64_t id, const absl::Status& status);
  void EndForManager(uint64_t id);
  void Forget(uint64_t id);
  void BreakStream(uint64_t id);

  Simulator& simulator_;
  Dice dice_;
  ManagerSide* manager_ = nullptr;
  std::vector<Node> nodes_;
  uint64_t last_stream_ = 0;
  std::map<uint64_t, Stream> streams_;
};

}  // namespace hostq::simulation
