#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "manager_process.h"
#include "model.h"
#include "network.h"
#include "node.h"
#include "simulator.h"

namespace hostq::simulation {

// One cluster, made, driven, hurt and healed as a seed says: first faults and requests side by
// side, then none of either until everything has ended.
class World {
 public:
  explicit World(uint64_t seed);
  ~World();

  struct Result {
    std::string violation;  // empty: none
    std::string trace;
    double node_hours = 0;
    uint64_t digest = 0;
    std::map<std::string_view, uint64_t> counts;
  };
  Result Run(size_t trace_length);

 private:
  // --- the plan, from the seed ---
  void PlanFaults();
  void PlanRequests();
  // Again and again while there are faults, in the mean so far apart. Not at all in many a world.
  void Often(double probability, absl::Duration mean, std::function<void()> fault);
  void Repeat(absl::Duration mean, std::function<void()> fault);
  SimulatedNode& AnyNode() { return *nodes_[dice_.Roll(static_cast<int>(nodes_.size()))]; }

  // --- clients and operators ---
  void Submit(int token);
  void Operate();
  void ChangeNode();
  void SetNode(const std::string& node, bool paused);

  // --- machines ---
  void RestartManager();
  void CrashAgent(SimulatedNode& node, absl::Duration pause);
  void PartitionNode();
  void FillDisk();

  // --- the end ---
  void EndFaults();
  void Drain();
  bool Ended();
  std::string Describe();

  Dice dice_;
  Simulator simulator_;
  Trace trace_;
  Model model_;
  Network network_;
  std::unique_ptr<SimulatedManager> manager_;
  std::vector<std::unique_ptr<SimulatedNode>> nodes_;
  absl::Duration faults_end_;
  bool faults_ = true;
  bool restores_ = false;
  bool ended_ = false;
};

}  // namespace hostq::simulation
