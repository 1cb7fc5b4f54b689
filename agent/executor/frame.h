#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message_lite.h"

namespace hostq::agent {

// The largest message between agent and executor: a task's work (at most 1 MiB) and what goes with
// it.
inline constexpr size_t kMaxFrameBytes = 2 << 20;

// One end of a stream socket that carries messages, each preceded by its length (4 bytes, little
// endian). Never blocks; whoever owns it polls. Belongs to one thread.
class FrameSocket {
 public:
  // Takes over `fd` and makes it non-blocking.
  explicit FrameSocket(int fd);
  ~FrameSocket();
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;

  int fd() const { return fd_; }
  // Reads what is there and appends the whole messages of it. UNAVAILABLE: the other end is gone;
  // INVALID_ARGUMENT: it sent a length beyond the limit. Messages before that are appended still.
  absl::Status Read(std::vector<std::string>& frames);
  // Writes as much as the socket takes and keeps the rest. UNAVAILABLE: the other end is gone.
  absl::Status Send(const google::protobuf::MessageLite& message);
  // Goes on with the rest.
  absl::Status Flush();
  bool wants_write() const { return !output_.empty(); }
  size_t unsent_bytes() const { return output_.size(); }

 private:
  const int fd_;
  std::string input_;
  std::string output_;
};

}  // namespace hostq::agent
