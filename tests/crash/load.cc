#include "tests/crash/load.h"

#include <chrono>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hostq::crash {
namespace {

void Pause(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

// Whether the manager was not there, or too busy dying to answer.
bool MayRepeat(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
         status.error_code() == grpc::StatusCode::CANCELLED;
}

// Each once. Most are IPv6: before an IPv4 address is bound, the network is asked for a second
// whether anybody has it.
std::string Address(int client, int number) {
  if (number % 8 == 0) {
    return absl::StrFormat("198.%d.%d.%d", 18 + client % 2, client / 2 * 16 + number / 8 / 250,
                           1 + number / 8 % 250);
  }
  return absl::StrFormat("2001:db8:%x::%x", client + 1, number);
}

}  // namespace

std::shared_ptr<grpc::Channel> AdminChannel(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
}

Call::Call(int seconds) {
  set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
  // Without a call that waits, gRPC looks after a connection that is being made every 5 s only.
  set_wait_for_ready(true);
}

Load::Load(const std::string& socket, std::vector<std::string> nodes, int clients, uint64_t seed)
    : nodes_(std::move(nodes)), stub_(v1::CommandService::NewStub(AdminChannel(socket))) {
  for (int client = 0; client < clients; ++client) {
    ++running_;
    threads_.emplace_back([this, client, seed] {
      Run(client, seed);
      --running_;
    });
  }
}

Load::~Load() { Join(); }

void Load::Join() {
  stopping_ = giving_up_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Load::Run(int client, uint64_t seed) {
  std::mt19937_64 random(seed * 1'000 + static_cast<uint64_t>(client));
  for (int number = 1; !stopping_; ++number) {
    v1::CreateCommandRequest request;
    const std::string address = Address(client, number);
    // On all nodes, mostly.
    if (const uint64_t node = random() % (3 * nodes_.size()); node < nodes_.size()) {
      request.add_nodes(nodes_[node]);
    }
    request.set_request_id(absl::StrCat("bind-", address));
    request.mutable_spec()->mutable_bind_address()->set_address(address);
    if (!Submit(request)) return;
    // Some stay, so that there is something to be seen afterwards.
    if (random() % 8 == 0) continue;
    request.set_request_id(absl::StrCat("unbind-", address));
    request.mutable_spec()->mutable_unbind_address()->set_address(address);
    if (!Submit(request)) return;
  }
}

bool Load::Submit(const v1::CreateCommandRequest& request) {
  Submission submission;
  submission.request = request;
  // Every tenth is asked once more than needed, as by a client that lost the answer.
  const int answers = std::hash<std::string>()(request.request_id()) % 10 == 0 ? 2 : 1;
  int answered = 0;
  while (answered < answers) {
    if (giving_up_) return false;
    v1::CreateCommandResponse response;
    Call call;
    const grpc::Status status = stub_->CreateCommand(&call, request, &response);
    if (MayRepeat(status)) {
      Pause(20);
      continue;
    }
    const std::string& id = response.command().id();
    const MutexLock lock(mutex_);
    if (!status.ok()) {
      errors_.push_back(
          absl::StrCat(request.request_id(), " was refused: ", status.error_message()));
      return false;
    }
    if (answered > 0 && (id != submission.id || !response.repeated())) {
      errors_.push_back(
          absl::StrCat(request.request_id(), " is ", submission.id, " and, repeated, ", id));
    }
    if (answered == 0) submission.lost_answer = response.repeated();
    submission.id = id;
    ++answered;
  }
  {
    const MutexLock lock(mutex_);
    submissions_.push_back(submission);
  }
  return Finish(submission.id);
}

bool Load::Finish(const std::string& id) {
  while (!giving_up_) {
    v1::GetCommandRequest request;
    request.set_id(id);
    v1::Command command;
    Call call;
    const grpc::Status status = stub_->GetCommand(&call, request, &command);
    if (status.ok() && command.state() != v1::Command::ACTIVE) return true;
    if (!status.ok() && !MayRepeat(status)) {
      const MutexLock lock(mutex_);
      errors_.push_back(absl::StrCat(id, " was acknowledged, now: ", status.error_message()));
      return false;
    }
    Pause(50);
  }
  return false;
}

}  // namespace hostq::crash
