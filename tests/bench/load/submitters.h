#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hostq/v1/command_service.pb.h"
#include "measure.h"

namespace hostq::bench {

// Clients of the API, each with a connection of its own (TLS, an API key), that submit pings.
class Submitters {
 public:
  struct Options {
    std::string api;  // listen.api
    std::string ca_pem;
    std::string key;  // an API key that may submit pings
    std::vector<std::string> nodes;
    int clients = 64;
    int window = 1;  // calls under way of each
    int batch = 1;   // commands of one call: of CreateCommand, or CreateCommands
    size_t payload = 500;
    // Commands a second of all together; 0: each call follows the answer to the one before.
    double rate = 0;
    // Each command to all nodes, and not to one after the other.
    bool fan_out = false;
    // No more than so many tasks that have not ended, as `unfinished` says; 0: no limit.
    uint64_t max_unfinished = 0;
  };
  // `finished`: tasks that have ended so far.
  Submitters(Options options, std::function<uint64_t()> finished);
  ~Submitters();

  void Start();
  // No new calls; returns when those under way are answered.
  void Stop();

  uint64_t accepted() const { return accepted_; }  // tasks
  uint64_t refused() const { return refused_; }    // calls: RESOURCE_EXHAUSTED
  // One of them, if there were errors of another sort.
  std::string error() const;
  // How long calls took that were accepted, while `recording`.
  std::atomic<bool> recording = false;
  Latencies TakeCallLatencies();

 private:
  struct Client;
  v1::CreateCommandRequest MakeRequest();
  void Submit(Client& client);
  void SubmitBatch(Client& client);
  void Answered(Client& client, int64_t start, uint64_t accepted, uint64_t refused);
  static void Fail(Client& client, const std::string& why);
  bool MaySubmit() const;
  void Pace();

  const Options options_;
  const std::function<uint64_t()> finished_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::atomic<uint64_t> next_node_ = 0;
  std::atomic<uint64_t> accepted_ = 0, refused_ = 0, submitted_ = 0;
  std::atomic<int> under_way_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread pace_;
};

}  // namespace hostq::bench
