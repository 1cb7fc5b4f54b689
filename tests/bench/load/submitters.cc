#include "submitters.h"

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/mutex.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "grpcpp/create_channel.h"
#include "hostq/v1/command_service.grpc.pb.h"

namespace hostq::bench {

struct Submitters::Client {
  std::unique_ptr<v1::CommandService::Stub> stub;
  std::atomic<int> waiting = 0;  // calls that may be made, and wait for room
  Mutex mutex;
  Latencies latencies ABSL_GUARDED_BY(mutex);
  std::string error ABSL_GUARDED_BY(mutex);
};

Submitters::Submitters(Options options, std::function<uint64_t()> finished)
    : options_(std::move(options)), finished_(std::move(finished)) {
  for (int i = 0; i < options_.clients; ++i) {
    grpc::ChannelArguments arguments;
    ConfigureChannel(arguments);
    ApplyManagerName(arguments);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    auto client = std::make_unique<Client>();
    client->stub = v1::CommandService::NewStub(
        grpc::CreateCustomChannel(options_.api, TlsChannelCredentials(options_.ca_pem), arguments));
    clients_.push_back(std::move(client));
  }
}

Submitters::~Submitters() = default;

bool Submitters::MaySubmit() const {
  if (options_.max_unfinished == 0) return true;
  const uint64_t each = options_.fan_out ? options_.nodes.size() : 1;
  return (submitted_ + 1) * each <= finished_() + options_.max_unfinished;
}

void Submitters::Start() {
  pace_ = std::thread([this] { Pace(); });
}

// Makes the calls that do not follow from an answer: the first ones, those that have waited for
// room, and all of them if there is a rate.
void Submitters::Pace() {
  if (options_.rate == 0) {
    for (const auto& client : clients_) client->waiting = options_.window;
  }
  const absl::Time start = absl::Now();
  for (uint64_t i = 0; !stopping_;) {
    if (options_.rate > 0) {
      const absl::Time due = start + absl::Seconds(static_cast<double>(i) / options_.rate);
      absl::SleepFor(std::min(due - absl::Now(), absl::Milliseconds(100)));
      if (absl::Now() >= due) Submit(*clients_[i++ % clients_.size()]);
      continue;
    }
    for (const auto& client : clients_) {
      while (client->waiting > 0 && MaySubmit()) {
        --client->waiting;
        Submit(*client);
      }
    }
    absl::SleepFor(absl::Microseconds(200));
  }
}

void Submitters::Submit(Client& client) {
  struct Call {
    grpc::ClientContext context;
    v1::CreateCommandRequest request;
    v1::CreateCommandResponse response;
  };
  auto call = std::make_shared<Call>();
  call->context.AddMetadata("authorization", absl::StrCat("Bearer ", options_.key));
  call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  if (!options_.fan_out) {
    call->request.add_nodes(options_.nodes[next_node_++ % options_.nodes.size()]);
  }
  call->request.mutable_spec()->mutable_ping()->set_payload(StampedPayload(options_.payload));
  ++submitted_;
  ++under_way_;
  const int64_t start = Nanos();
  client.stub->async()->CreateCommand(
      &call->context, &call->request, &call->response,
      [this, &client, call, start](const grpc::Status& status) {
        if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
          ++refused_;
          --submitted_;
        } else if (!status.ok()) {
          const MutexLock lock(client.mutex);
          client.error = status.error_message();
        }
        Answered(client, start, status.ok());
      });
}

void Submitters::Answered(Client& client, int64_t start, bool accepted) {
  if (accepted) {
    accepted_ += options_.fan_out ? options_.nodes.size() : 1;
    if (recording) {
      const MutexLock lock(client.mutex);
      client.latencies.Add(Nanos() - start);
    }
  }
  if (!stopping_ && options_.rate == 0) {
    if (accepted && MaySubmit()) {
      Submit(client);
    } else {
      ++client.waiting;
    }
  }
  --under_way_;
}

void Submitters::Stop() {
  stopping_ = true;
  pace_.join();
  while (under_way_ > 0) absl::SleepFor(absl::Milliseconds(1));
}

std::string Submitters::error() const {
  for (const auto& client : clients_) {
    const MutexLock lock(client->mutex);
    if (!client->error.empty()) return client->error;
  }
  return "";
}

Latencies Submitters::TakeCallLatencies() {
  Latencies all;
  for (const auto& client : clients_) {
    const MutexLock lock(client->mutex);
    all.Merge(client->latencies);
  }
  return all;
}

}  // namespace hostq::bench
