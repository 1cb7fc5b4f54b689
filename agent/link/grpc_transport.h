#pragma once

#include <memory>

#include "agent/link/identity.h"
#include "agent/link/transport.h"

namespace hostq::agent {

class SessionStream;
struct LiveStreams;

// Streams over mutual TLS. Every Open makes a connection of its own: no backoff but the session's.
class GrpcTransport final : public Transport {
 public:
  // Events go to `sink`, from gRPC's threads; not after the destructor has returned.
  GrpcTransport(Identity identity, Sink sink);
  // Closes, and waits until gRPC is done with it (well below a second).
  ~GrpcTransport() override;

  void Open(uint64_t connection) override;
  void Send(v1::AgentMessage message) override;
  void Close() override;
  void SetIdentity(const Identity& identity) override;

 private:
  // Streams keep theirs.
  std::shared_ptr<const Identity> identity_;
  const Sink sink_;
  const std::shared_ptr<LiveStreams> live_;
  std::shared_ptr<SessionStream> stream_;
};

}  // namespace hostq::agent
