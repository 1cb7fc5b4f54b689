#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/link/mailbox.h"
#include "agent/link/session_logic.h"
#include "agent/link/transport.h"
#include "agent/runner/executor_client.h"
#include "common/base/clock.h"

namespace hostq::agent {

// The one thread on which an agent decides: waits for the manager, the executor and time, and
// carries out what SessionLogic wants.
class AgentLoop {
 public:
  // The references must outlive it. `transport` posts to `mailbox`.
  // What is there to do about identity and trust; either may be null.
  struct IdentityHooks {
    std::function<void(const v1::Trust& trust)> trust;
    std::function<void()> refused;
  };
  AgentLoop(SessionLogic& logic, Transport& transport, Mailbox& mailbox,
            const std::string& executor_socket, Clock& clock, IdentityHooks hooks = {});
  AgentLoop(const AgentLoop&) = delete;
  AgentLoop& operator=(const AgentLoop&) = delete;

  // Until `stop_fd` is readable; then takes no more work, gives running steps up to `patience`, and
  // returns. SessionLogic has been started.
  void Run(int stop_fd, absl::Duration patience);

 private:
  void Wait(int stop_fd, absl::Duration until);
  void Step();

  SessionLogic& logic_;
  Transport& transport_;
  Mailbox& mailbox_;
  Clock& clock_;
  const IdentityHooks hooks_;
  ExecutorClient executor_;
};

}  // namespace hostq::agent
