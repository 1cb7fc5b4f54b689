#include "manager/socket_acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/log/log.h"

namespace hostq::manager {
namespace {

// A client of gRPC that finds the backlog full takes that for a connection.
constexpr int kBacklog = SOMAXCONN;
// Numbers go round among so many at most.
constexpr rlim_t kMostNumbers = 1 << 20;
// Out of descriptors: somebody else has to close some first.
constexpr int kOutOfDescriptorsMillis = 100;

absl::Status Failed(absl::string_view what, const std::string& path) {
  return ErrnoError(errno, Reason::kInternal, absl::StrCat(what, " ", path));
}

// Half of the numbers that this process may use.
std::pair<int, int> Numbers() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = 1024;
  const auto most = static_cast<int>(std::min(limit.rlim_cur, kMostNumbers));
  return {most / 2, most};
}

}  // namespace

absl::StatusOr<std::unique_ptr<SocketAcceptor>> SocketAcceptor::Listen(
    const std::string& path, SocketPeers& peers, std::function<void(int)> accepted) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  HOSTQ_CHECK(path.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.data(), path.size());
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return Failed("make a socket for", path);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener, kBacklog) != 0) {
    const absl::Status status = Failed("listen on", path);
    close(listener);
    return status;
  }
  const int stop = eventfd(0, EFD_CLOEXEC);
  if (stop < 0) {
    const absl::Status status = Failed("make an eventfd for", path);
    close(listener);
    return status;
  }
  return std::unique_ptr<SocketAcceptor>(
      new SocketAcceptor(path, listener, stop, peers, std::move(accepted)));
}

SocketAcceptor::SocketAcceptor(std::string path, int listener, int stop, SocketPeers& peers,
                               std::function<void(int)> accepted)
    : path_(std::move(path)),
      listener_(listener),
      stop_(stop),
      peers_(peers),
      accepted_(std::move(accepted)) {
  lowest_ = next_ = Numbers().first;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "socket");
    Loop();
  });
}

SocketAcceptor::~SocketAcceptor() {
  const uint64_t one = 1;
  (void)!write(stop_, &one, sizeof(one));
  thread_.join();
  // Another manager may have taken the path since.
  struct stat there {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  shutdown(listener_, SHUT_RDWR);
  close(listener_);
  close(stop_);
  const bool answered = probe >= 0 && connect(probe, reinterpret_cast<const sockaddr*>(&address),
                                              sizeof(address)) == 0;
  if (probe >= 0) close(probe);
  if (!answered && lstat(path_.c_str(), &there) == 0 && S_ISSOCK(there.st_mode)) {
    unlink(path_.c_str());
  }
}

void SocketAcceptor::EndConnection(const std::string& grpc_peer) {
  int connection = -1;
  absl::string_view number = grpc_peer;
  if (!absl::ConsumePrefix(&number, "fd:") || !absl::SimpleAtoi(number, &connection)) return;
  // It may have been closed since; its number is another connection's only after long (Renumber).
  int domain = 0;
  socklen_t size = sizeof(domain);
  const bool there = getsockopt(connection, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0;
  if (there && domain == AF_UNIX) shutdown(connection, SHUT_RDWR);
}

void SocketAcceptor::Loop() {
  pollfd entries[] = {{listener_, POLLIN, 0}, {stop_, POLLIN, 0}};
  for (;;) {
    if (poll(entries, 2, -1) < 0 && errno != EINTR) {
      LogError("the local socket cannot be waited for", {{"error", strerror(errno)}});
      return;
    }
    if ((entries[1].revents & POLLIN) != 0) return;
    if (entries[0].revents != 0) Accept();
  }
}

void SocketAcceptor::Accept() {
  const int accepted = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      LogWarning("a connection on the local socket cannot be accepted",
                 {{"error", strerror(errno)}});
      pollfd stop = {stop_, POLLIN, 0};
      (void)poll(&stop, 1, kOutOfDescriptorsMillis);
    }
    return;
  }
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    close(accepted);
    return;
  }
  const int connection = Renumber(accepted);
  peers_.Put(connection, {peer.uid, names_.Of(peer.uid)});
  accepted_(connection);
}

int SocketAcceptor::Renumber(int connection) {
  for (int i = 0; i < 2; ++i) {
    const int number = fcntl(connection, F_DUPFD_CLOEXEC, next_);
    if (number >= 0) {
      close(connection);
      next_ = number + 1 >= Numbers().second ? lowest_ : number + 1;
      return number;
    }
    next_ = lowest_;  // none is left above
  }
  return connection;
}

}  // namespace hostq::manager
