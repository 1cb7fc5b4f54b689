#include "round_trip.h"

#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/crypto/secret_file.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "hostq/agent/v1/session.grpc.pb.h"
#include "pki.h"

namespace hostq::bench {
namespace {

using agent::v1::AgentMessage;
using agent::v1::ManagerMessage;

class Echo final : public grpc::ServerBidiReactor<AgentMessage, ManagerMessage> {
 public:
  Echo() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartWrite(&answer_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) StartRead(&message_);
  }
  void OnDone() override { delete this; }

 private:
  AgentMessage message_;
  ManagerMessage answer_;
};

class EchoService final : public agent::v1::SessionService::CallbackService {
  grpc::ServerBidiReactor<AgentMessage, ManagerMessage>* Connect(
      grpc::CallbackServerContext*) override {
    return new Echo;
  }
};

class Server {
 public:
  explicit Server(const std::string& directory) : pki_(directory) {
    grpc::ServerBuilder builder;
    ConfigureServer(builder);
    const TlsIdentity identity{*ReadFile(directory + "/server.pem"),
                               *ReadSecretFile(directory + "/server.key")};
    builder.AddListeningPort("127.0.0.1:0", MutualTlsServerCredentials(identity, pki_.ca_pem()),
                             &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    HOSTQ_CHECK(server_ != nullptr);
  }

  // A connection of its own.
  std::unique_ptr<agent::v1::SessionService::Stub> Connect() const {
    const agent::Identity node = pki_.NodeIdentity("n00000", "");
    grpc::ChannelArguments arguments;
    ConfigureChannel(arguments);
    ApplyManagerName(arguments);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return agent::v1::SessionService::NewStub(grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", port_),
        MutualTlsChannelCredentials({node.certificate_pem, node.key_pem}, pki_.ca_pem()),
        arguments));
  }

 private:
  const Pki pki_;
  EchoService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Latencies MeasureRoundTrips(const std::string& directory, double rate, absl::Duration span) {
  const Server server(directory);
  const auto stub = server.Connect();
  grpc::ClientContext context;
  const auto stream = stub->Connect(&context);
  AgentMessage message;
  message.mutable_heartbeat();
  ManagerMessage answer;
  Latencies all;
  const absl::Time begin = absl::Now();
  for (int i = 0; absl::Now() - begin < span; ++i) {
    absl::SleepFor(begin + absl::Seconds(i / rate) - absl::Now());
    const int64_t start = Nanos();
    HOSTQ_CHECK(stream->Write(message) && stream->Read(&answer));
    if (i > 0) all.Add(Nanos() - start);
  }
  context.TryCancel();
  stream->Finish();
  return all;
}

double MeasureBareConnections(const std::string& directory, int count, int at_once) {
  const Server server(directory);
  std::atomic<int> next = 0;
  const int64_t start = Nanos();
  struct Open {
    grpc::ClientContext context;
    std::unique_ptr<agent::v1::SessionService::Stub> stub;
    std::unique_ptr<grpc::ClientReaderWriter<AgentMessage, ManagerMessage>> stream;
  };
  std::vector<std::unique_ptr<Open>> open(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int t = 0; t < at_once; ++t) {
    threads.emplace_back([&] {
      for (int i = next++; i < count; i = next++) {
        auto one = std::make_unique<Open>();
        one->stub = server.Connect();
        one->stream = one->stub->Connect(&one->context);
        AgentMessage message;
        ManagerMessage answer;
        HOSTQ_CHECK(one->stream->Write(message) && one->stream->Read(&answer));
        open[static_cast<size_t>(i)] = std::move(one);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = static_cast<double>(Nanos() - start) / 1e9;
  for (const auto& one : open) {
    one->context.TryCancel();
    one->stream->Finish();
  }
  return seconds;
}

}  // namespace hostq::bench
