#include "manager/session/session_service.h"

#include <pthread.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/log/log.h"
#include "common/rpc/status.h"

namespace hostq::manager {
namespace {

using Reactor = grpc::ServerBidiReactor<agent::v1::AgentMessage, agent::v1::ManagerMessage>;

// A stream that is not to be.
class RefusedStream final : public Reactor {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

SessionService::SessionService(Engine& engine, Clock& clock, Admission admission,
                               SessionOptions options)
    : engine_(engine),
      clock_(clock),
      admission_(std::move(admission)),
      options_(std::move(options)) {
  pulse_->seen_ns = absl::ToInt64Nanoseconds(clock_.Monotonic());
  watcher_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sessions");
    Watch();
  });
}

SessionService::~SessionService() {
  Stop(absl::ZeroDuration());
  MutexLock lock(mutex_);
  HOSTQ_CHECK(sessions_.empty());
}

Reactor* SessionService::Connect(grpc::CallbackServerContext* context) {
  // To read a certificate takes most of a millisecond: that is not to be had by the thousand.
  const absl::Status rate = connects_.Check(context->peer(), clock_.Monotonic());
  if (!rate.ok()) return new RefusedStream(rate);
  absl::StatusOr<PeerNode> peer = PeerNodeOf(*context, clock_.Now());
  if (!peer.ok()) {
    Origin origin("unknown");
    origin.source = PeerAddress(context->peer());
    origin.act = "node.connect";
    engine_.Audit(origin, peer.status());
    if (const auto left_out = refusals_.Take(clock_.Monotonic())) {
      LogWarning(
          "session refused",
          {{"peer", origin.source}, {"status", peer.status()}, {"more_not_shown", *left_out}});
    }
    return new RefusedStream(peer.status());
  }
  auto session = std::make_shared<Session>(engine_, clock_, options_, admission_, *std::move(peer),
                                           context, [this](const Session* done) {
                                             std::shared_ptr<Session> last;  // goes after the lock
                                             MutexLock lock(mutex_);
                                             const auto found = sessions_.find(done);
                                             last = std::move(found->second);
                                             sessions_.erase(found);
                                             changed_.NotifyAll();
                                           });
  {
    MutexLock lock(mutex_);
    if (!stopping_) sessions_.emplace(session.get(), session);
    if (stopping_) session = nullptr;
  }
  if (session == nullptr) {
    return new RefusedStream(MakeError(absl::StatusCode::kUnavailable, Reason::kShuttingDown,
                                       "the manager is stopping"));
  }
  session->Start();
  return session.get();
}

std::vector<std::shared_ptr<Session>> SessionService::Sessions() const {
  std::vector<std::shared_ptr<Session>> sessions;
  MutexLock lock(mutex_);
  sessions.reserve(sessions_.size());
  for (const auto& [key, session] : sessions_) sessions.push_back(session);
  return sessions;
}

size_t SessionService::session_count() const {
  MutexLock lock(mutex_);
  return sessions_.size();
}

void SessionService::EndSessions(absl::string_view node, const absl::Status& status,
                                 const std::function<bool(const PeerNode&)>& keep) {
  for (const auto& session : Sessions()) {
    if (session->peer().name != node || (keep && keep(session->peer()))) continue;
    session->End(status);
  }
}

void SessionService::EndSessionsWhere(const std::function<bool(const PeerNode&)>& which,
                                      const absl::Status& status) {
  for (const auto& session : Sessions()) {
    if (which(session->peer())) session->End(status);
  }
}

void SessionService::TellTrust() {
  for (const auto& session : Sessions()) session->TellTrust();
}

void SessionService::Watch() {
  // Often enough that heartbeats are at most a tenth late.
  const absl::Duration step =
      std::clamp(options_.heartbeat_interval / 10, absl::Milliseconds(5), absl::Seconds(1));
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (stopping_ && sessions_.empty()) return;
      changed_.WaitFor(mutex_, absl::ToChronoMilliseconds(step));
      if (stopping_ && sessions_.empty()) return;
    }
    if (!pulse_->asked.exchange(true)) {
      engine_.Read([pulse = pulse_](const auto&, const Now& now) {
        pulse->seen_ns = absl::ToInt64Nanoseconds(now.monotonic);
        pulse->asked = false;
      });
    }
    const absl::Duration age = clock_.Monotonic() - absl::Nanoseconds(pulse_->seen_ns.load());
    const bool engine_moves = age < options_.heartbeat_interval;
    for (const auto& session : Sessions()) session->Tick(engine_moves);
  }
}

bool SessionService::Stop(absl::Duration deadline) {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  const absl::Status status =
      MakeError(absl::StatusCode::kUnavailable, Reason::kShuttingDown, "the manager is stopping");
  for (const auto& session : Sessions()) session->End(status);
  const absl::Duration until = SystemClock().Monotonic() + deadline;
  bool gone = false;
  {
    MutexLock lock(mutex_);
    while (!sessions_.empty() && SystemClock().Monotonic() < until) {
      changed_.WaitFor(mutex_, absl::ToChronoMilliseconds(until - SystemClock().Monotonic()));
    }
    gone = sessions_.empty();
    changed_.NotifyAll();
  }
  if (gone && watcher_.joinable()) watcher_.join();
  return gone;
}

}  // namespace hostq::manager
