#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/log/log_budget.h"
#include "hostq/agent/v1/session.grpc.pb.h"
#include "manager/access/rate_limiter.h"
#include "manager/engine/engine.h"
#include "manager/session/session.h"

namespace hostq::manager {

// hostq.agent.v1.SessionService: keeps the agents' streams, and one thread that watches them.
class SessionService final : public agent::v1::SessionService::CallbackService {
 public:
  // `engine`, `clock` and what `admission` refers to must outlive it; it must outlive the gRPC
  // server that it is registered with.
  SessionService(Engine& engine, Clock& clock, Admission admission, SessionOptions options);
  ~SessionService() override;

  // Ends all streams with UNAVAILABLE (SHUTTING_DOWN), and new ones at once; waits until they are
  // gone, at most `deadline`. May be called twice. False: some are left; shutting the gRPC server
  // down cancels them.
  bool Stop(absl::Duration deadline);
  // Ends the node's streams that `keep` does not want: it was removed, or has joined anew.
  void EndSessions(absl::string_view node, const absl::Status& status,
                   const std::function<bool(const PeerNode&)>& keep = nullptr);
  // Ends those of peers of which `which` is true.
  void EndSessionsWhere(const std::function<bool(const PeerNode&)>& which,
                        const absl::Status& status);
  // The authorities have changed: tells every node.
  void TellTrust();
  size_t session_count() const;

  grpc::ServerBidiReactor<agent::v1::AgentMessage, agent::v1::ManagerMessage>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  void Watch();
  std::vector<std::shared_ptr<Session>> Sessions() const;

  Engine& engine_;
  Clock& clock_;
  const Admission admission_;
  const SessionOptions options_;
  // When the engine's thread was last seen at work, and whether it has been asked since.
  struct Pulse {
    std::atomic<bool> asked = false;
    std::atomic<int64_t> seen_ns = 0;
  };
  const std::shared_ptr<Pulse> pulse_ = std::make_shared<Pulse>();

  mutable Mutex mutex_;
  CondVar changed_;
  absl::flat_hash_map<const Session*, std::shared_ptr<Session>> sessions_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  LogBudget refusals_{10};
  // Streams begun on one connection, which needs one.
  RateLimiter connects_{{.per_second = 1, .burst = 16}};
  std::thread watcher_;
};

}  // namespace hostq::manager
