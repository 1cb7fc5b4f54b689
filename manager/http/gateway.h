#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/server.h"
#include "manager/access/gateway_calls.h"

namespace hostq::manager {

// Calls the gRPC API in this process, for the HTTPS port: so that who may what, limits and the
// audit are decided once, in the services. Thread-safe; nothing blocks but Stop().
class Gateway {
 public:
  using Message = google::protobuf::Message;
  // On one of gRPC's threads. The response lives until it returns.
  using Done = std::function<void(const absl::Status& status, const Message& response)>;

  // What a stream of the server's says, on gRPC's threads, one call at a time.
  class Reader {
   public:
    virtual ~Reader() = default;
    // It was let in; `position` as EventService has it.
    virtual void Started(const std::string& position) = 0;
    virtual void Read(const Message& message) = 0;
    // The last.
    virtual void Ended(const absl::Status& status) = 0;
  };
  // Both may be called from any thread, also after the end.
  class Stream {
   public:
    virtual ~Stream() = default;
    // Wants one more message: once after Started(), and after each Read().
    virtual void Next() = 0;
    virtual void Cancel() = 0;
  };

  // `server` has no port, and serves the API; both must outlive the gateway.
  Gateway(grpc::Server& server, GatewayCalls& calls);
  ~Gateway() { Stop(); }

  void Call(const google::protobuf::MethodDescriptor& method, std::unique_ptr<Message> request,
            GatewayCall who, Done done);
  std::shared_ptr<Stream> Watch(const google::protobuf::MethodDescriptor& method,
                                std::unique_ptr<Message> request, GatewayCall who,
                                std::shared_ptr<Reader> reader);
  // Ends every stream, also of those who do not read what they are sent.
  void EndStreams();
  // Waits until nothing is under way any more: after the server was shut down and streams were
  // ended.
  void Stop();

 private:
  class Unary;
  class Watching;
  void Began();
  void Ended();
  void Forget(const std::shared_ptr<Watching>& stream);

  GatewayCalls& calls_;
  grpc::TemplatedGenericStub<Message, Message> stub_;
  Mutex mutex_;
  CondVar idle_;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_set<std::shared_ptr<Watching>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
