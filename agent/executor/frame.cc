#include "agent/executor/frame.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {
constexpr size_t kHeaderBytes = 4;

uint32_t LoadLength(const char* bytes) {
  uint32_t length = 0;
  for (size_t i = kHeaderBytes; i-- > 0;) {
    length = (length << 8) | static_cast<unsigned char>(bytes[i]);
  }
  return length;
}
}  // namespace

FrameSocket::FrameSocket(int fd) : fd_(fd) {
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  fcntl(fd_, F_SETFD, FD_CLOEXEC);
}

FrameSocket::~FrameSocket() { close(fd_); }

absl::Status FrameSocket::Read(std::vector<std::string>& frames) {
  absl::Status end;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
    if (n > 0) {
      input_.append(buffer.data(), static_cast<size_t>(n));
      if (input_.size() > 2 * kMaxFrameBytes) break;  // take the messages out first
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    end = n == 0 ? absl::UnavailableError("closed by the other end")
                 : ErrnoError(errno, Reason::kNone, "recv");
    break;
  }
  size_t at = 0;
  while (input_.size() - at >= kHeaderBytes) {
    const uint32_t length = LoadLength(input_.data() + at);
    if (length > kMaxFrameBytes) {
      return absl::InvalidArgumentError(absl::StrCat("a message of ", length, " bytes"));
    }
    if (input_.size() - at - kHeaderBytes < length) break;
    frames.push_back(input_.substr(at + kHeaderBytes, length));
    at += kHeaderBytes + length;
  }
  input_.erase(0, at);
  return end;
}

absl::Status FrameSocket::Send(const google::protobuf::MessageLite& message) {
  const size_t length = message.ByteSizeLong();
  if (length > kMaxFrameBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a message of ", length, " bytes"));
  }
  for (size_t i = 0; i < kHeaderBytes; ++i) {
    output_.push_back(static_cast<char>((length >> (8 * i)) & 0xff));
  }
  message.AppendToString(&output_);
  return Flush();
}

absl::Status FrameSocket::Flush() {
  while (!output_.empty()) {
    const ssize_t n = send(fd_, output_.data(), output_.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      output_.erase(0, static_cast<size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) break;
    return ErrnoError(errno == EPIPE ? ECONNRESET : errno, Reason::kNone, "send");
  }
  return absl::OkStatus();
}

}  // namespace hostq::agent
