#include "agent/link/grpc_transport.h"

#include <deque>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "common/rpc/tls_check.h"
#include "grpcpp/create_channel.h"
#include "hostq/agent/v1/session.grpc.pb.h"

namespace hostq::agent {
namespace {

// The check for why there is no connection holds up one of gRPC's threads, and the next try.
constexpr absl::Duration kCheckTimeout = absl::Seconds(3);
// Of messages written as one: the largest that either side takes is four times that.
constexpr size_t kMaxBatchBytes = 1 << 20;

}  // namespace

// The streams that gRPC still has, and those that it is done with and that wait for their end.
struct LiveStreams {
  Mutex mutex;
  CondVar changed;
  int count ABSL_GUARDED_BY(mutex) = 0;
  std::vector<std::shared_ptr<SessionStream>> done ABSL_GUARDED_BY(mutex);
};

// One stream. Lives until gRPC is done with it, whoever else has let go; and is destroyed by the
// transport's thread, never by gRPC's: with the last channel, gRPC 1.51 joins the thread that runs
// the callbacks, which must not be the one that lets the channel go.
class SessionStream final : public grpc::ClientBidiReactor<v1::AgentMessage, v1::ManagerMessage> {
 public:
  SessionStream(uint64_t connection, std::shared_ptr<const Identity> identity,
                std::shared_ptr<grpc::Channel> channel, Transport::Sink sink,
                std::shared_ptr<LiveStreams> live)
      : connection_(connection),
        identity_(std::move(identity)),
        stub_(v1::SessionService::NewStub(std::move(channel))),
        sink_(std::move(sink)),
        live_(std::move(live)) {
    MutexLock lock(live_->mutex);
    ++live_->count;
  }

  void Start(std::shared_ptr<SessionStream> self) {
    self_ = std::move(self);
    stub_->async()->Connect(&context_, this);
    AddHold();  // for writes that do not come from a reaction
    StartRead(&incoming_);
    StartCall();
  }

  void Send(v1::AgentMessage message) {
    {
      MutexLock lock(mutex_);
      if (closed_) return;
      outgoing_.push_back(std::move(message));
      if (writing_) return;
      TakeNext();
    }
    StartWrite(&written_);
  }

  void Close() {
    context_.TryCancel();
    Finish();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish();
    heard_ = true;
    if (incoming_.has_batch()) {
      for (v1::ManagerMessage& message : *incoming_.mutable_batch()->mutable_messages()) {
        if (!message.has_batch()) sink_({connection_, std::move(message)});
      }
      incoming_.Clear();
    } else {
      if (incoming_.has_welcome()) {
        const MutexLock lock(mutex_);
        batches_ = incoming_.welcome().batches();
      }
      sink_({connection_, std::exchange(incoming_, {})});
    }
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    bool more = false;
    bool release = false;
    {
      MutexLock lock(mutex_);
      closed_ = closed_ || !ok;
      writing_ = false;
      more = !closed_ && !outgoing_.empty();
      if (more) TakeNext();
      if (closed_) release = !std::exchange(released_, true);
    }
    if (more) StartWrite(&written_);
    if (release) RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    sink_({connection_, heard_ ? FromGrpc(status) : Explained(FromGrpc(status))});
    const std::shared_ptr<LiveStreams> live = live_;
    MutexLock lock(live->mutex);
    live->done.push_back(std::move(self_));
    --live->count;
    live->changed.NotifyAll();
  }

 private:
  // What gRPC says of a connection that never was, or what TLS has against it.
  absl::Status Explained(absl::Status status) const {
    if (!absl::IsUnavailable(status)) return status;
    absl::Status found =
        CheckTls(identity_->manager_address, {identity_->certificate_pem, identity_->key_pem},
                 identity_->ca_pem, kCheckTimeout);
    return absl::IsUnauthenticated(found) ? found : status;
  }

  // The next message to be written, or all that wait if the manager takes that.
  void TakeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    written_ = std::move(outgoing_.front());
    outgoing_.pop_front();
    if (!batches_ || outgoing_.empty()) return;
    v1::AgentMessage batch;
    size_t bytes = written_.ByteSizeLong();
    *batch.mutable_batch()->add_messages() = std::move(written_);
    while (!outgoing_.empty()) {
      bytes += outgoing_.front().ByteSizeLong();
      if (bytes > kMaxBatchBytes) break;
      *batch.mutable_batch()->add_messages() = std::move(outgoing_.front());
      outgoing_.pop_front();
    }
    written_ = std::move(batch);
  }

  // No more writes. The hold goes when none is under way.
  void Finish() {
    {
      MutexLock lock(mutex_);
      closed_ = true;
      if (writing_ || std::exchange(released_, true)) return;
    }
    RemoveHold();
  }

  const uint64_t connection_;
  const std::shared_ptr<const Identity> identity_;
  const std::unique_ptr<v1::SessionService::Stub> stub_;
  const Transport::Sink sink_;
  const std::shared_ptr<LiveStreams> live_;
  grpc::ClientContext context_;
  v1::ManagerMessage incoming_;
  std::shared_ptr<SessionStream> self_;
  bool heard_ = false;  // in gRPC's reactions only, one at a time
  Mutex mutex_;
  std::deque<v1::AgentMessage> outgoing_ ABSL_GUARDED_BY(mutex_);
  v1::AgentMessage written_;  // belongs to gRPC while `writing_`
  bool batches_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
};

GrpcTransport::GrpcTransport(Identity identity, Sink sink)
    : identity_(std::make_shared<const Identity>(std::move(identity))),
      sink_(std::move(sink)),
      live_(std::make_shared<LiveStreams>()) {}

GrpcTransport::~GrpcTransport() {
  Close();
  std::vector<std::shared_ptr<SessionStream>> done;
  MutexLock lock(live_->mutex);
  while (live_->count > 0) live_->changed.Wait(live_->mutex);
  done.swap(live_->done);  // destroyed after the lock
}

void GrpcTransport::Open(uint64_t connection) {
  Close();
  // Destroyed at the end, when there is a newer channel: gRPC's threads stay.
  std::vector<std::shared_ptr<SessionStream>> done;
  {
    MutexLock lock(live_->mutex);
    done.swap(live_->done);
  }
  grpc::ChannelArguments arguments;
  ConfigureChannel(arguments);
  ApplyManagerName(arguments);
  const auto credentials = MutualTlsChannelCredentials(
      {identity_->certificate_pem, identity_->key_pem}, identity_->ca_pem);
  stream_ = std::make_shared<SessionStream>(
      connection, identity_,
      grpc::CreateCustomChannel(identity_->manager_address, credentials, arguments), sink_, live_);
  stream_->Start(stream_);
}

void GrpcTransport::Send(v1::AgentMessage message) {
  if (stream_ != nullptr) stream_->Send(std::move(message));
}

void GrpcTransport::SetIdentity(const Identity& identity) {
  identity_ = std::make_shared<const Identity>(identity);
}

void GrpcTransport::Close() {
  if (stream_ != nullptr) stream_->Close();
  stream_.reset();
}

}  // namespace hostq::agent
