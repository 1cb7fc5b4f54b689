#include "manager/http/gateway.h"

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "manager/api/event_service.h"

namespace hostq::manager {
namespace {

using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;

// Longer than anything that answers; so that nothing is held for ever.
constexpr std::chrono::seconds kDeadline(60);

std::string PathOf(const MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

// gRPC ends the program over a header with what does not belong into one.
bool IsTraceParent(const std::string& text) {
  return text.size() == 55 && text.find_first_not_of("0123456789abcdef-") == std::string::npos;
}

// Who makes the call, for admission; and what follows it through the programs.
void AddHeaders(const std::string& name, const std::string& trace_parent,
                grpc::ClientContext& context) {
  context.AddMetadata(GatewayCalls::kMetadata, name);
  if (IsTraceParent(trace_parent)) context.AddMetadata("traceparent", trace_parent);
}

std::unique_ptr<google::protobuf::Message> NewResponse(const MethodDescriptor& method) {
  const auto* prototype = MessageFactory::generated_factory()->GetPrototype(method.output_type());
  return std::unique_ptr<google::protobuf::Message>(prototype->New());
}

std::shared_ptr<grpc::Channel> ChannelOf(grpc::Server& server) {
  grpc::ChannelArguments arguments;
  ConfigureChannel(arguments);
  return server.InProcessChannel(arguments);
}

}  // namespace

Gateway::Gateway(grpc::Server& server, GatewayCalls& calls)
    : calls_(calls), stub_(ChannelOf(server)) {}

void Gateway::Began() {
  const MutexLock lock(mutex_);
  ++under_way_;
}

void Gateway::Ended() {
  const MutexLock lock(mutex_);
  if (--under_way_ == 0) idle_.NotifyAll();
}

void Gateway::Stop() {
  const MutexLock lock(mutex_);
  while (under_way_ > 0) idle_.Wait(mutex_);
}

void Gateway::Call(const MethodDescriptor& method, std::unique_ptr<Message> request,
                   GatewayCall who, Done done) {
  struct State {
    grpc::ClientContext context;
    std::string name;
    std::unique_ptr<Message> request;
    std::unique_ptr<Message> response;
    Done done;
  };
  Began();
  const auto state = std::make_shared<State>();
  const std::string trace_parent = who.trace_parent;
  state->name = calls_.Begin(std::move(who));
  AddHeaders(state->name, trace_parent, state->context);
  state->context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  state->request = std::move(request);
  state->response = NewResponse(method);
  state->done = std::move(done);
  stub_.UnaryCall(&state->context, PathOf(method), {}, state->request.get(), state->response.get(),
                  [this, state](const grpc::Status& status) mutable {
                    calls_.End(state->name);
                    std::exchange(state->done, nullptr)(FromGrpc(status), *state->response);
                    Ended();
                  });
}

class Gateway::Watching final : public grpc::ClientBidiReactor<Message, Message>,
                                public Gateway::Stream,
                                public std::enable_shared_from_this<Watching> {
 public:
  Watching(Gateway& gateway, std::unique_ptr<Message> request, std::unique_ptr<Message> response,
           std::string name, std::shared_ptr<Reader> reader)
      : gateway_(gateway),
        request_(std::move(request)),
        response_(std::move(response)),
        name_(std::move(name)),
        reader_(std::move(reader)) {}

  void Start(const std::string& path, const std::string& trace_parent) {
    AddHeaders(name_, trace_parent, context_);
    gateway_.stub_.PrepareBidiStreamingCall(&context_, path, {}, this);
    StartWriteLast(request_.get(), {});
    AddHold();  // for reads that begin elsewhere
    StartCall();
  }

  void Next() override {
    {
      const MutexLock lock(mutex_);
      if (over_) return;
      reading_ = true;
    }
    StartRead(response_.get());
  }
  void Cancel() override {
    bool last = false;
    {
      const MutexLock lock(mutex_);
      if (over_) return;
      // What is being read ends with an error, and that with the stream.
      last = over_ = !reading_;
    }
    context_.TryCancel();
    if (last) RemoveHold();
  }

  void OnReadInitialMetadataDone(bool ok) override {
    const auto& metadata = context_.GetServerInitialMetadata();
    const auto position = metadata.find(EventService::kPositionMetadata);
    if (ok && position != metadata.end()) {
      return reader_->Started(std::string(position->second.data(), position->second.size()));
    }
    LetGo();  // it was refused; why comes with the end
  }
  void OnReadDone(bool ok) override {
    if (!ok) return LetGo();
    {
      const MutexLock lock(mutex_);
      reading_ = false;
    }
    reader_->Read(*response_);
  }
  void OnDone(const grpc::Status& status) override {
    gateway_.calls_.End(name_);
    std::exchange(reader_, nullptr)->Ended(FromGrpc(status));
    gateway_.Forget(shared_from_this());
  }

 private:
  // No more reads begin; the end can come. gRPC may call back at once, so that nothing of it is
  // called under the lock.
  void LetGo() {
    {
      const MutexLock lock(mutex_);
      if (std::exchange(over_, true)) return;
    }
    RemoveHold();
  }

  Gateway& gateway_;
  grpc::ClientContext context_;
  const std::unique_ptr<Message> request_;
  const std::unique_ptr<Message> response_;
  const std::string name_;
  std::shared_ptr<Reader> reader_;
  Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

std::shared_ptr<Gateway::Stream> Gateway::Watch(const MethodDescriptor& method,
                                                std::unique_ptr<Message> request, GatewayCall who,
                                                std::shared_ptr<Reader> reader) {
  Began();
  const std::string trace_parent = who.trace_parent;
  const auto watching = std::make_shared<Watching>(*this, std::move(request), NewResponse(method),
                                                   calls_.Begin(std::move(who)), std::move(reader));
  {
    const MutexLock lock(mutex_);
    streams_.insert(watching);
  }
  watching->Start(PathOf(method), trace_parent);
  return watching;
}

void Gateway::Forget(const std::shared_ptr<Watching>& stream) {
  {
    const MutexLock lock(mutex_);
    streams_.erase(stream);
  }
  Ended();
}

void Gateway::EndStreams() {
  std::vector<std::shared_ptr<Watching>> streams;
  {
    const MutexLock lock(mutex_);
    streams.assign(streams_.begin(), streams_.end());
  }
  for (const auto& stream : streams) stream->Cancel();
}

}  // namespace hostq::manager
