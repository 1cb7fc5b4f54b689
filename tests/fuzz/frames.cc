// The stream between agent and executor: however its bytes arrive, the same messages come out, and
// a length beyond the limit ends it.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/executor/frame.h"
#include "hostq/agent/v1/executor.pb.h"
#include "input.h"

namespace {

using namespace hostq;

// What the frames of a stream are, in one piece.
std::vector<std::string> Expected(absl::string_view bytes, bool& broken) {
  std::vector<std::string> frames;
  while (bytes.size() >= 4) {
    size_t length = 0;
    for (size_t i = 4; i-- > 0;) length = length << 8 | static_cast<uint8_t>(bytes[i]);
    broken = length > agent::kMaxFrameBytes;
    if (broken || bytes.size() - 4 < length) break;
    frames.emplace_back(bytes.substr(4, length));
    bytes.remove_prefix(4 + length);
  }
  return frames;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const size_t wanted = 1 + input.Byte();
  const absl::string_view all = input.Rest();
  // Each piece is a few system calls, which is what an execution costs.
  const size_t piece = std::max(wanted, all.size() / 32);
  int ends[2];
  HOSTQ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  std::vector<std::string> frames;
  absl::Status status;
  {
    agent::FrameSocket socket(ends[1]);
    for (size_t at = 0; at < all.size() && status.ok(); at += piece) {
      const absl::string_view some = all.substr(at, piece);
      HOSTQ_CHECK(write(ends[0], some.data(), some.size()) == static_cast<ssize_t>(some.size()));
      status = socket.Read(frames);
    }
    // A close alone waits for whoever looks at /proc/PID/fd just now.
    shutdown(ends[0], SHUT_RDWR);
    close(ends[0]);
    if (status.ok()) HOSTQ_CHECK(absl::IsUnavailable(socket.Read(frames)));
  }
  bool broken = false;
  HOSTQ_CHECK(frames == Expected(all, broken));
  HOSTQ_CHECK(broken == absl::IsInvalidArgument(status));
  for (const std::string& frame : frames) {
    agent::v1::ExecutorReport report;
    agent::v1::ExecutorRequest request;
    (void)report.ParseFromString(frame);
    (void)request.ParseFromString(frame);
  }
  return 0;
}
