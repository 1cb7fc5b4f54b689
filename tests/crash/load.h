#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "grpcpp/grpcpp.h"
#include "hostq/v1/command_service.grpc.pb.h"

namespace hostq::crash {

// A channel to the manager's socket that is back soon after the manager is.
std::shared_ptr<grpc::Channel> AdminChannel(const std::string& socket);

// A call's context with a deadline.
struct Call : public grpc::ClientContext {
  explicit Call(int seconds = 5);
};

// What a client asked for and the manager acknowledged.
struct Submission {
  v1::CreateCommandRequest request;
  std::string id;
  bool lost_answer = false;  // it took more than one call, and an earlier one had done it
};

// Clients that submit commands at once, each its next one when the last has finished: addresses to
// be bound and unbound, on one node or on all. A call that fails is repeated with the same
// request_id until it is answered.
class Load {
 public:
  Load(const std::string& socket, std::vector<std::string> nodes, int clients, uint64_t seed);
  ~Load();

  // No new commands from now on.
  void Stop() { stopping_ = true; }
  // After Stop: those submitted have finished.
  bool idle() const { return running_ == 0; }
  // Gives up what has not.
  void Join();
  // After Join.
  const std::vector<Submission>& submissions() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return submissions_;
  }
  // What must not be: a refusal, a repeated request that became another command.
  const std::vector<std::string>& errors() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return errors_; }

 private:
  void Run(int client, uint64_t seed);
  // False: given up.
  bool Submit(const v1::CreateCommandRequest& request);
  bool Finish(const std::string& id);

  const std::vector<std::string> nodes_;
  const std::unique_ptr<v1::CommandService::Stub> stub_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> giving_up_ = false;
  std::atomic<int> running_ = 0;
  Mutex mutex_;
  std::vector<Submission> submissions_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> errors_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace hostq::crash
