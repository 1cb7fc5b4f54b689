#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "manager/api/event_hub.h"
#include "manager/api/request.h"

namespace hostq::manager {

// Makes deliveries of the events that webhooks ask for, in the order in which they happened. Each
// webhook has its own position in the history, which is stored with its deliveries: a manager that
// dies at any moment goes on where it was, and what it makes twice has the same id. Thread-safe.
class WebhookFeed {
 public:
  struct Parts {
    Engine& engine;
    Cluster& cluster;  // on the engine's thread only
    Store& store;
    Workers& workers;
    EventHub& hub;
    // The cluster's name, for receivers.
    std::string name;
    // There is something new to send.
    std::function<void()> added;
    // Runs a job later.
    std::function<void(absl::Duration, std::function<void()>)> later;
  };
  // All of it must outlive it; begins at once.
  explicit WebhookFeed(const Parts& parts);
  // Ends when the hub stops.
  ~WebhookFeed();

  // A webhook may take on more than before: it is new, was resumed, or has room. Does not block.
  void Poke();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

// What a webhook calls an event: "node.connected"; empty: none is told of it.
std::string WebhookEventOf(const v1::Event& event);

}  // namespace hostq::manager
