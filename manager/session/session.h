#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/rpc/peer.h"
#include "grpcpp/grpcpp.h"
#include "hostq/agent/v1/session.pb.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// Whether the peer may have a session: OK, or PERMISSION_DENIED (NOT_AUTHORIZED) for a node that
// was removed or an incarnation that is not the current one. Called on the engine's thread.
using Admission = std::function<absl::Status(const PeerNode& peer)>;

struct SessionOptions {
  std::string cluster;
  // An agent that is silent for three of these has lost its session.
  absl::Duration heartbeat_interval = absl::Seconds(5);
  // What waits for an agent that does not read; then its session ends.
  size_t max_outgoing_bytes = 16 << 20;
  // How long the end of a stream may wait for an agent that does not read.
  absl::Duration close_grace = absl::Seconds(2);
  // What a node is told of the authorities, in Welcome and whenever that changes. Null: nothing.
  std::function<agent::v1::Trust(const PeerNode& peer)> trust;
  // It said which authorities it trusts. On any thread. Null: nobody listens.
  std::function<void(const PeerNode& peer, std::vector<std::string> pins)> trusts;
  // It said what it has counted. On any thread. Null: nobody listens.
  std::function<void(const PeerNode& peer, const agent::v1::AgentMetrics& metrics)> counted;
};

// One agent's stream. Made by the service when the call comes in; whoever holds a pointer (the
// engine) may call it at any time, also when the stream is long gone.
//
// gRPC wants three things: one read, one write and one Finish at a time, and nothing after Finish.
// So whatever calls gRPC does so between Enter() and Leave(), without the lock, and the last one
// out ends the stream.
class Session final
    : public grpc::ServerBidiReactor<agent::v1::AgentMessage, agent::v1::ManagerMessage>,
      public AgentSession,
      public std::enable_shared_from_this<Session> {
 public:
  using DoneCallback = std::function<void(const Session*)>;

  // `engine`, `clock`, and what the callbacks refer to, must outlive the stream (not the object).
  // `context` is gRPC's and lives as long as the stream. `done` is called once, last.
  Session(Engine& engine, Clock& clock, const SessionOptions& options, const Admission& admission,
          PeerNode peer, grpc::CallbackServerContext* context, DoneCallback done);

  // Waits for the first message. Once, after construction.
  void Start();

  // What is due: a heartbeat, the end of a silent session, of an expired certificate, or of a
  // stream that does not end by itself. `heartbeat`: whether the manager's own work loop moves.
  void Tick(bool heartbeat);
  // Any thread but the engine's. Tells the engine at once.
  void End(const absl::Status& status);
  // The authorities have changed. Any thread.
  void TellTrust();
  const PeerNode& peer() const { return peer_; }

  // AgentSession.
  void Assign(const SendAssign& assign) override;
  void Acknowledge(const Lease& lease) override;
  void Cancel(const Lease& lease) override;
  void Close(const absl::Status& status) override;
  void Flush() override;

  // gRPC.
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  enum class State { kHello, kConnecting, kOpen };

  bool Enter();
  void Leave();
  void Read();
  void Queue(agent::v1::ManagerMessage message);
  void Push(agent::v1::ManagerMessage message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Into writing_: the next message, or all that wait if the agent takes that.
  void TakeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginClose(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellEngine();
  // Not where it happens: the engine's thread does not wait for the log.
  void LogConnected();
  void LogEnd(bool open, const absl::Status& status) const;

  // What a message asks for; an error ends the stream.
  absl::Status Handle(const agent::v1::AgentMessage& message);
  void HandleTrusts(const google::protobuf::RepeatedPtrField<std::string>& pins);
  absl::Status HandleHello(const agent::v1::Hello& hello);
  void Connected(const absl::StatusOr<Welcomed>& welcomed);

  // Constant after construction.
  Engine& engine_;
  Clock& clock_;
  const SessionOptions options_;
  const Admission admission_;
  const PeerNode peer_;
  grpc::CallbackServerContext* const context_;
  const std::string address_;
  const DoneCallback done_;

  // gRPC's, while a read or a write is under way.
  agent::v1::AgentMessage incoming_;
  agent::v1::ManagerMessage writing_;
  // Set by the reader before the engine hears of the session; not changed afterwards.
  std::string agent_version_;
  bool batches_ = false;
  // The reader's only.
  int unfenced_messages_ = 0;
  size_t unfenced_bytes_ = 0;

  Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kHello;
  uint64_t session_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<agent::v1::ManagerMessage> outgoing_ ABSL_GUARDED_BY(mutex_);
  size_t outgoing_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool write_under_way_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  int inside_ ABSL_GUARDED_BY(mutex_) = 0;
  // Set: the stream is to end with it.
  std::optional<absl::Status> close_ ABSL_GUARDED_BY(mutex_);
  absl::Duration close_since_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool connect_logged_ ABSL_GUARDED_BY(mutex_) = false;
  bool engine_told_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration heard_ ABSL_GUARDED_BY(mutex_);
  absl::Duration next_heartbeat_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
