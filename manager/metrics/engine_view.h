#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "manager/cluster/cluster.h"
#include "manager/domain/census.h"
#include "manager/domain/queue_stats.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// What the engine's thread alone may look at, as it was at one moment. Plain data.
struct EngineSnapshot {
  Now now;
  Census census;
  QueueStats queue;
  EngineStats engine;
  absl::Duration sweep_lag;
  size_t pauses = 0;
  size_t accounts = 0;
  std::map<Reason, uint64_t> manager_findings;
  std::map<Reason, uint64_t> alarms;
  std::map<std::string, uint64_t> node_states;  // by name of hostq.v1.Node.State, all of them
  uint64_t sessions = 0;
  struct Node {
    std::string name;
    bool connected = false;
    std::string agent_version;
    int credits = 0, in_flight = 0, outbox = 0, deviations = 0;
    absl::Duration clock_skew;
    absl::Time certificate_expire_time = absl::InfiniteFuture();
    std::map<Reason, uint64_t> findings;
  };
  // In order of their names; of more than kMaxNodes the first.
  std::vector<Node> nodes;
  static constexpr size_t kMaxNodes = 1'000;
};

// Takes snapshots of the engine in pieces of a few milliseconds, between which it goes on with its
// work. Nobody who counts is ever waited for: the engine's thread alone writes what is read here.
// Belongs to one thread.
class EngineView {
 public:
  // All must outlive it.
  EngineView(Engine& engine, const Cluster& cluster, Clock& clock)
      : engine_(engine), cluster_(cluster), clock_(clock), begin_(clock.Monotonic()) {}

  // Takes another one unless there is one younger than `fresh`. Waits at most `patience` for the
  // engine, which may be waiting for a disk; then the last one stands. Null: there is none yet.
  std::shared_ptr<const EngineSnapshot> Get(absl::Duration fresh, absl::Duration patience);
  // Of what Get has returned last.
  absl::Duration age() const;

 private:
  Engine& engine_;
  const Cluster& cluster_;
  Clock& clock_;
  const absl::Duration begin_;
  std::shared_ptr<const EngineSnapshot> last_;
};

}  // namespace hostq::manager
