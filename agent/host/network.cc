#include "agent/host/network.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "agent/host/file_descriptor.h"
#include "common/base/error.h"

namespace hostq::agent {

absl::StatusOr<SocketAddress> Resolve(const std::string& host, int port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found);
  if (error != 0) {
    return MakeError(absl::StatusCode::kUnavailable, Reason::kShareServerUnreachable,
                     absl::StrCat("resolving ", host, ": ",
                                  error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error)));
  }
  SocketAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

std::string NumericHost(const SocketAddress& address) {
  char host[NI_MAXHOST] = {};
  if (getnameinfo(address.get(), address.length, host, sizeof(host), nullptr, 0, NI_NUMERICHOST)) {
    return "";
  }
  return host;
}

absl::StatusOr<std::string> LocalAddressTowards(const SocketAddress& to) {
  const FileDescriptor socket_fd(socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) return ErrnoError(errno, Reason::kOutOfResources, "opening a socket");
  SocketAddress local;
  local.length = sizeof(local.storage);
  if (connect(socket_fd.get(), to.get(), to.length) != 0 ||
      getsockname(socket_fd.get(), reinterpret_cast<sockaddr*>(&local.storage), &local.length)) {
    return ErrnoError(errno, Reason::kShareServerUnreachable,
                      absl::StrCat("finding the way to ", NumericHost(to)));
  }
  return NumericHost(local);
}

int ConnectTcp(const SocketAddress& to, absl::Duration timeout) {
  const FileDescriptor socket_fd(
      socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_fd.valid()) return errno;
  if (connect(socket_fd.get(), to.get(), to.length) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting = {socket_fd.get(), POLLOUT, 0};
  if (poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0)
    return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof(error);
  getsockopt(socket_fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

}  // namespace hostq::agent
