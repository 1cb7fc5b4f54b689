#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "measure.h"
#include "pki.h"

namespace hostq::bench {

// Nodes of the cluster: the agent's own session, journal and connection (mutual TLS, one each), in
// one process. Only the executor is left out: each step has succeeded as soon as it is asked for.
class Agents {
 public:
  struct Options {
    std::vector<std::string> nodes;
    std::string manager;   // listen.agents
    std::string journals;  // directory; on tmpfs it stands for other machines' disks
    int credits = 16;
    int threads = 2;
    // Connections under way at once.
    int connecting = 32;
  };
  Agents(const Pki& pki, Options options);
  ~Agents();

  // Connects all. Returns when the last is welcome.
  void Start();
  void Stop();

  size_t welcome() const { return welcome_; }
  // Results that the manager has acknowledged: they are durable there.
  uint64_t done() const { return done_; }
  // From the stamp in a ping's payload to the start of its step, since `recording` was switched on.
  std::atomic<bool> recording = false;
  Latencies TakeStartLatencies();

 private:
  struct Node;
  class Worker;

  const Options options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<size_t> welcome_ = 0;
  std::atomic<uint64_t> done_ = 0;
  std::atomic<int> connecting_ = 0;
};

}  // namespace hostq::bench
