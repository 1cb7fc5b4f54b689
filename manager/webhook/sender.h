#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "manager/cluster/cluster.h"
#include "manager/engine/engine.h"
#include "manager/webhook/http_client.h"

namespace hostq::manager {

// Sends what Webhooks has to send, and writes down what came of it. A delivery is noted as taken
// after the receiver has taken it: who crashes in between sends it again, under the same id.
// Thread-safe.
class Sender {
 public:
  // Of one webhook at the same time.
  static constexpr size_t kParallel = 4;

  // All must outlive it; the engine may go on after Stop().
  Sender(Engine& engine, Cluster& cluster, Clock& clock, std::unique_ptr<HttpClient> client);
  ~Sender();

  // There may be something new to send. Any thread; does not block.
  void Wake();
  // Runs `job` after `delay`, on a thread on which it must not block; not at all after Stop().
  void After(absl::Duration delay, std::function<void()> job);
  // `taken` is called whenever a delivery has left the queue of its webhook. Once, before others
  // use the sender.
  void OnTaken(std::function<void()> taken);
  // Breaks off what is under way. May be called twice.
  void Stop();

 private:
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace hostq::manager
