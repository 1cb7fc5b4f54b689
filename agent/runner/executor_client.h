#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/executor/frame.h"
#include "common/base/clock.h"
#include "hostq/agent/v1/executor.pb.h"

namespace hostq::agent {

// The agent's end of the executor's socket: connects, and again when the connection is lost. Never
// blocks; whoever owns it polls. Belongs to one thread.
class ExecutorClient {
 public:
  struct Events {
    std::function<void()> ready;
    std::function<void(const absl::Status&)> lost;
    std::function<void(const v1::ExecutorReport&)> report;
  };
  ExecutorClient(std::string socket_path, Clock& clock, Events events)
      : socket_path_(std::move(socket_path)), clock_(clock), events_(std::move(events)) {}

  // Connects if it is time to, reads and writes what is possible; calls the events.
  void Poll();
  // Dropped when there is no connection: the runner has been told, or will be.
  void Send(const v1::RunStep& step);
  // -1: not connected; then Poll by next_wake().
  int fd() const { return socket_ == nullptr ? -1 : socket_->fd(); }
  bool wants_write() const { return socket_ != nullptr && socket_->wants_write(); }
  absl::Duration next_wake() const {
    return socket_ == nullptr ? next_connect_ : absl::InfiniteDuration();
  }

 private:
  void Connect();
  void Lose(const absl::Status& status);

  const std::string socket_path_;
  Clock& clock_;
  const Events events_;
  std::unique_ptr<FrameSocket> socket_;
  absl::Duration next_connect_ = absl::ZeroDuration();
};

}  // namespace hostq::agent
