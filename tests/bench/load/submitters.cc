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
  return (submitted_ + static_cast<uint64_t>(options_.batch)) * each <=
         finished_() + options_.max_unfinished;
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

v1::CreateCommandRequest Submitters::MakeRequest() {
  v1::CreateCommandRequest request;
  if (!options_.fan_out) request.add_nodes(options_.nodes[next_node_++ % options_.nodes.size()]);
  request.mutable_spec()->mutable_ping()->set_payload(StampedPayload(options_.payload));
  return request;
}

// What a call is made of; it lives until it is answered.
template <typename Request, typename Response>
struct Call {
  explicit Call(const std::string& key) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", key));
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }
  grpc::ClientContext context;
  Request request;
  Response response;
  const int64_t start = Nanos();
};

void Submitters::Submit(Client& client) {
  submitted_ += static_cast<uint64_t>(options_.batch);
  ++under_way_;
  if (options_.batch > 1) return SubmitBatch(client);
  auto call =
      std::make_shared<Call<v1::CreateCommandRequest, v1::CreateCommandResponse>>(options_.key);
  call->request = MakeRequest();
  client.stub->async()->CreateCommand(
      &call->context, &call->request, &call->response,
      [this, &client, call](const grpc::Status& status) {
        const bool refused = status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
        if (!status.ok() && !refused) Fail(client, status.error_message());
        Answered(client, call->start, status.ok() ? 1 : 0, refused ? 1 : 0);
      });
}

void Submitters::SubmitBatch(Client& client) {
  auto call =
      std::make_shared<Call<v1::CreateCommandsRequest, v1::CreateCommandsResponse>>(options_.key);
  for (int i = 0; i < options_.batch; ++i) *call->request.add_requests() = MakeRequest();
  client.stub->async()->CreateCommands(
      &call->context, &call->request, &call->response,
      [this, &client, call](const grpc::Status& status) {
        if (!status.ok()) Fail(client, status.error_message());
        uint64_t accepted = 0, refused = 0;
        for (const auto& outcome : call->response.outcomes()) {
          accepted += outcome.id().empty() ? 0 : 1;
          refused += outcome.reason() == v1::Reason::QUEUE_FULL ? 1 : 0;
          if (outcome.id().empty() && outcome.reason() != v1::Reason::QUEUE_FULL) {
            Fail(client, outcome.message());
          }
        }
        Answered(client, call->start, accepted, refused);
      });
}

void Submitters::Fail(Client& client, const std::string& why) {
  const MutexLock lock(client.mutex);
  client.error = why;
}

void Submitters::Answered(Client& client, int64_t start, uint64_t accepted, uint64_t refused) {
  refused_ += refused;
  submitted_ -= static_cast<uint64_t>(options_.batch) - accepted;
  accepted_ += accepted * (options_.fan_out ? options_.nodes.size() : 1);
  if (accepted > 0 && recording) {
    const MutexLock lock(client.mutex);
    client.latencies.Add(Nanos() - start);
  }
  if (!stopping_ && options_.rate == 0) {
    if (accepted > 0 && MaySubmit()) {
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
