#include "agent/runner/executor_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"

namespace hostq::agent {
namespace {
// On the same machine: cheap to ask, and the supervisor starts the executor again within a second.
constexpr absl::Duration kRetry = absl::Milliseconds(100);
}  // namespace

void ExecutorClient::Connect() {
  next_connect_ = clock_.Monotonic() + kRetry;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.size() >= sizeof(address.sun_path)) return;
  socket_path_.copy(address.sun_path, socket_path_.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return;
  }
  socket_ = std::make_unique<FrameSocket>(fd);
  events_.ready();
}

void ExecutorClient::Lose(const absl::Status& status) {
  socket_.reset();
  next_connect_ = clock_.Monotonic() + kRetry;
  events_.lost(status);
}

void ExecutorClient::Poll() {
  if (socket_ == nullptr && clock_.Monotonic() >= next_connect_) Connect();
  if (socket_ == nullptr) return;
  std::vector<std::string> frames;
  absl::Status status = socket_->Read(frames);
  for (const std::string& frame : frames) {
    v1::ExecutorReport report;
    if (report.ParseFromString(frame)) {
      events_.report(report);
    } else {
      status = absl::InvalidArgumentError("a message of the executor cannot be parsed");
    }
  }
  if (status.ok()) status = socket_->Flush();
  if (!status.ok()) Lose(status);
}

void ExecutorClient::Send(const v1::RunStep& step) {
  if (socket_ == nullptr) return;
  v1::ExecutorRequest request;
  *request.mutable_run_step() = step;
  // A failure shows in the next Poll, as a lost connection.
  (void)socket_->Send(request);
}

}  // namespace hostq::agent
