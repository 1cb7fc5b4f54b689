#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "common/base/histogram.h"
#include "hostq/agent/v1/agent_metrics.pb.h"
#include "hostq/agent/v1/session.pb.h"

namespace hostq::agent {

// What an agent counts, to tell the manager with its heartbeats. Belongs to one thread.
class AgentCounts {
 public:
  explicit AgentCounts(absl::Time start) : start_(start) {}

  void AttemptEnded(const std::string& kind, const v1::Result& result);
  void OwnTaskEnded() { ++own_tasks_; }
  void JournalCommitted(absl::Duration took) { commits_.Add(took); }
  void ExecutorLost() { ++executor_losses_; }

  // Without what is only so at the moment.
  v1::AgentMetrics ToProto() const;

 private:
  struct Steps {
    int64_t count = 0;
    absl::Duration took;
  };
  const absl::Time start_;
  int64_t attempts_ = 0;
  int64_t failed_ = 0;
  int64_t own_tasks_ = 0;
  int64_t executor_losses_ = 0;
  std::map<std::string, Steps> steps_;  // by kind, of those that the agent knows
  Histogram commits_{kCallBounds};
};

}  // namespace hostq::agent
