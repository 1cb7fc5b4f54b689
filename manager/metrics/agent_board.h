#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/mutex.h"
#include "hostq/agent/v1/agent_metrics.pb.h"
#include "manager/metrics/page.h"

namespace hostq::manager {

// What agents say of themselves: each node's last word. Thread-safe.
class AgentBoard {
 public:
  // What this manager does not know of it, or makes no sense, is left out: nodes are not believed.
  // `node` is from its certificate.
  void Put(const std::string& node, const agent::v1::AgentMetrics& metrics);
  // Of the nodes that `is_node` knows; the others are forgotten.
  void Show(const std::function<bool(absl::string_view node)>& is_node, Page& page);

 private:
  Mutex mutex_;
  std::map<std::string, agent::v1::AgentMetrics, std::less<>> nodes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
