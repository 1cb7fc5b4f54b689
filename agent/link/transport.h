#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/link/identity.h"
#include "hostq/agent/v1/session.pb.h"

namespace hostq::agent {

// What the node shows or whom it trusts has changed, durably.
struct IdentityChange {
  Identity identity;
  // The pins of the authorities in it.
  std::vector<std::string> trusts;
  // Another certificate, with which it is to connect from now on.
  bool renewed = false;
};

// What a connection tells: a message, or that it has ended (then nothing more). IdentityChange is
// of no connection.
struct TransportEvent {
  uint64_t connection = 0;
  std::variant<v1::ManagerMessage, absl::Status, IdentityChange> what;
};

// Opens streams to the manager, one at a time. All methods are called by one thread and do not
// block; events come from others.
class Transport {
 public:
  using Sink = std::function<void(TransportEvent)>;
  virtual ~Transport() = default;
  // Closes what is open. Whatever happens to the connection comes as events with its number.
  virtual void Open(uint64_t connection) = 0;
  // In order, after Open. Dropped if the connection has ended.
  virtual void Send(v1::AgentMessage message) = 0;
  virtual void Close() = 0;
  // Counts from the next Open.
  virtual void SetIdentity(const Identity&) {}
};

}  // namespace hostq::agent
