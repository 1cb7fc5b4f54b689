#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "manager/cluster/cluster.h"
#include "manager/engine/engine.h"
#include "manager/metrics/agent_board.h"
#include "manager/metrics/call_counts.h"
#include "manager/metrics/engine_view.h"
#include "manager/store/store.h"

namespace hostq::manager {

// Of the webhooks, since the manager started and now.
struct WebhookCounts {
  uint64_t delivered = 0;
  uint64_t failed = 0;    // tries that are made again
  uint64_t given_up = 0;  // deliveries that are not tried any more
  uint64_t pending = 0;
  absl::Time oldest = absl::InfiniteFuture();  // since when the first of them waits
  uint64_t failing = 0;                        // webhooks whose last delivery failed
};

// What the manager tells Prometheus (docs/reference/metrics.md). Everything is pulled: what is
// counted on the way is counted by who owns it, and put together here when somebody asks.
// Thread-safe.
class ManagerMetrics {
 public:
  struct Sources {
    Engine& engine;
    const Cluster& cluster;  // on the engine's thread only
    Store& store;
    Clock& clock;
    std::string state_dir;
    // The methods of the gRPC API that are told apart.
    std::vector<std::string> methods;
    // The HTTP server's routes, as in its table ("/v1/commands/{id}").
    std::vector<std::string> routes;
    // The manager's certificates ("server", "authority"), and when they end. May be null.
    std::function<std::map<std::string, absl::Time>()> certificates;
    // May be null: there are none.
    std::function<WebhookCounts()> webhooks;
  };
  // All that `sources` refers to must outlive it.
  explicit ManagerMetrics(Sources sources);

  // To be told of calls, by whoever serves them. Names are those given in Sources.
  CallCounts& calls() { return calls_; }
  RefusalCounts& refusals() { return refusals_; }
  CallCounts& requests() { return requests_; }
  // To be told what agents say.
  AgentBoard& agents() { return agents_; }

  // The page, of type kPageContentType. Blocks on the disk and on the engine, of which it has
  // enough after 3 s and shows what it knew before: hostq_queue_seen_age_seconds says so.
  std::string Text();

 private:
  void ShowState(Page& page) const;
  void ShowWebhooks(absl::Time now, Page& page) const;

  const Sources sources_;
  CallCounts calls_;
  RefusalCounts refusals_;
  CallCounts requests_;
  AgentBoard agents_;
  Mutex mutex_;
  EngineView view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
