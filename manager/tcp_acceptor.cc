#include "manager/tcp_acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/log/log.h"

namespace hostq::manager {
namespace {

constexpr int kBacklog = 4'096;
constexpr absl::Duration kSweepInterval = absl::Milliseconds(250);
constexpr absl::Duration kLogInterval = absl::Seconds(1);
// A peer that acknowledges nothing for so long is gone: as keepalive has it (common/rpc/settings).
constexpr unsigned kUserTimeoutMillis = 10'000;
// Long enough for a handshake over a bad line.
constexpr absl::Duration kMaySayNothing = absl::Seconds(2);
// What is ended is closed by gRPC a little later; so many times the limit may be open meanwhile.
constexpr size_t kClosing = 2;
// Of the connections: made room for at once, so that it is not done for each.
constexpr size_t kRoomShare = 8;
constexpr absl::Duration kRoomInterval = absl::Milliseconds(20);
// Out of descriptors: accepting at once again would only burn the processor.
constexpr absl::Duration kPauseWithoutDescriptors = absl::Milliseconds(100);

std::optional<uint64_t> CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

uint64_t BytesReceived(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return info.tcpi_bytes_received;
}

// Ends the connection, whatever gRPC does with it at this moment: by a descriptor of our own, so
// that it cannot be another's meanwhile.
void End(int fd, uint64_t cookie) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return;
  // Not shutdown(): that would go on taking what the peer sends until gRPC has read all of it.
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  if (CookieOf(own) == cookie) (void)connect(own, &nowhere, sizeof(nowhere));
  close(own);
}

// With a reset, so that nothing of it is kept here.
void CloseAtOnce(int fd) {
  const linger none = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  close(fd);
}

std::string AddressOf(const sockaddr_storage& peer) {
  char text[INET6_ADDRSTRLEN] = {};
  if (peer.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(peer).sin_addr, text, sizeof(text));
  } else if (peer.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr, text, sizeof(text));
  }
  return text;
}

uint16_t PortOf(const sockaddr_storage& peer) {
  return ntohs(peer.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(peer).sin6_port
                                          : reinterpret_cast<const sockaddr_in&>(peer).sin_port);
}

// As gRPC has it: an IPv4 peer of a socket for both is an IPv4 peer.
std::string PeerText(const std::string& address, uint16_t port) {
  constexpr absl::string_view kMapped = "::ffff:";
  absl::string_view text = address;
  if (absl::StrContains(text, '.')) absl::ConsumePrefix(&text, kMapped);
  return absl::StrContains(text, ':') ? absl::StrCat("[", text, "]:", port)
                                      : absl::StrCat(text, ":", port);
}

// The address to bind, or its size 0 if `host` is none.
socklen_t ToAddress(const std::string& host, uint16_t port, sockaddr_storage& out) {
  auto& v4 = reinterpret_cast<sockaddr_in&>(out);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return sizeof(v4);
  }
  out = {};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return 0;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return sizeof(v6);
}

bool Watch(int events, int fd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.fd = fd;
  return epoll_ctl(events, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TcpAcceptor>> TcpAcceptor::Listen(const std::string& host,
                                                                 uint16_t port,
                                                                 const Limits& limits,
                                                                 Clock& clock) {
  sockaddr_storage address{};
  const socklen_t size = ToAddress(host, port, address);
  const auto cannot = [&](const char* why) {
    return MakeError(absl::StatusCode::kUnavailable, Reason::kInternal,
                     absl::StrCat("cannot listen on ", host, " port ", port, ": ", why,
                                  ": is the address this machine's, and free?"));
  };
  if (size == 0) return cannot("not an address");
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return cannot(std::strerror(errno));
  const bool v6 = address.ss_family == AF_INET6;
  const bool listens =
      SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1) && SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
      (!v6 || SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
      bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 && listen(fd, kBacklog) == 0;
  const int wakeup = listens ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
  const int events = wakeup >= 0 ? epoll_create1(EPOLL_CLOEXEC) : -1;
  if (events < 0 || !Watch(events, wakeup) || !Watch(events, fd)) {
    const int error = errno;
    for (const int each : {fd, wakeup, events}) {
      if (each >= 0) close(each);
    }
    return cannot(std::strerror(error));
  }
  return std::unique_ptr<TcpAcceptor>(new TcpAcceptor(fd, wakeup, events, limits, clock));
}

TcpAcceptor::TcpAcceptor(int listener, int wakeup, int events, const Limits& limits, Clock& clock)
    : listener_(listener),
      wakeup_(wakeup),
      events_(events),
      limits_(limits),
      clock_(clock),
      limiter_(limits.rate) {}

TcpAcceptor::~TcpAcceptor() {
  Stop();
  close(listener_);
  close(wakeup_);
  close(events_);
}

void TcpAcceptor::Start(Deliver deliver) {
  deliver_ = std::move(deliver);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "acceptor");
    Run();
  });
}

void TcpAcceptor::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  (void)!write(wakeup_, &one, sizeof(one));
  thread_.join();
  shutdown(listener_, SHUT_RDWR);
  for (const auto& [fd, cookie] : held_) CloseAtOnce(fd);
  held_.clear();
}

void TcpAcceptor::Run() {
  std::array<epoll_event, 256> ready;
  for (;;) {
    // Without connections there is nothing to look at again.
    const bool idle = connections_.empty() && refused_.count == 0;
    const int count =
        epoll_wait(events_, ready.data(), static_cast<int>(ready.size()),
                   idle ? -1 : static_cast<int>(absl::ToInt64Milliseconds(kSweepInterval)));
    bool accept = false;
    for (int i = 0; i < count; ++i) {
      const int fd = ready[static_cast<size_t>(i)].data.fd;
      if (fd == wakeup_) return;
      if (fd == listener_) {
        accept = true;
      } else {
        Release(fd);
      }
    }
    // After those that are there: their numbers must not become others' before they were looked at.
    if (accept) AcceptAll();
    if (clock_.Monotonic() - swept_ >= kSweepInterval) Sweep();
    LogRefused();
  }
}

bool TcpAcceptor::Hold(int fd) {
  const std::optional<uint64_t> cookie = CookieOf(fd);
  if (limits_.first_byte == absl::ZeroDuration() || !cookie || !Watch(events_, fd)) return false;
  held_[fd] = *cookie;
  return true;
}

// Something has come, or the end.
void TcpAcceptor::Release(int fd) {
  if (held_.erase(fd) == 0) return;
  epoll_ctl(events_, EPOLL_CTL_DEL, fd, nullptr);
  char byte = 0;
  if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return deliver_(fd);
  CloseAtOnce(fd);
}

bool TcpAcceptor::IsHeld(const Connection& connection) const {
  const auto found = held_.find(connection.fd);
  return found != held_.end() && found->second == connection.cookie;
}

void TcpAcceptor::AcceptAll() {
  // Not for ever: what is open has to be looked at too.
  for (int i = 0; i < kBacklog; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    const int fd =
        accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      Take(fd, AddressOf(peer), PortOf(peer));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      Refuse("", "no descriptors or memory are left");
      pollfd stop = {wakeup_, POLLIN, 0};
      poll(&stop, 1, static_cast<int>(absl::ToInt64Milliseconds(kPauseWithoutDescriptors)));
      return;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    }
  }
}

void TcpAcceptor::Take(int fd, const std::string& address, uint16_t port) {
  const std::string source = RateLimitSource(address);
  const absl::Duration now = clock_.Monotonic();
  const auto known = by_source_.find(source);
  const char* why = nullptr;
  if (known != by_source_.end() && known->second >= limits_.connections_per_source) {
    why = "too many connections from one address";
  } else if (limiter_.WaitOf(source, now) != absl::ZeroDuration()) {
    why = "new connections from one address too often";
  } else if (connections_.size() >= kClosing * limits_.connections || !HasRoom(now)) {
    why = "too many connections";
  }
  const std::optional<uint64_t> cookie = CookieOf(fd);
  if (why != nullptr || !cookie) {
    CloseAtOnce(fd);
    return Refuse(address, why != nullptr ? why : "not a socket");
  }
  SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMillis);
  const std::string peer = PeerText(address, port);
  connections_.push_back({fd, *cookie, source, peer, now});
  ++open_;
  ++by_source_[source];
  {
    const MutexLock lock(mutex_);
    by_peer_[peer] = {fd, *cookie};
  }
  if (!Hold(fd)) deliver_(fd);
}

bool TcpAcceptor::IsOpen(const Connection& connection) const {
  return CookieOf(connection.fd) == connection.cookie;
}

bool TcpAcceptor::IsStranger(const Connection& connection) {
  if (limits_.stranger_bytes == 0 && limits_.stranger_time == absl::InfiniteDuration()) {
    return false;  // nobody has to say
  }
  const MutexLock lock(mutex_);
  const auto peer = by_peer_.find(connection.peer);
  return peer == by_peer_.end() || peer->second.cookie != connection.cookie || !peer->second.known;
}

void TcpAcceptor::Look(Connection& connection) {
  if (IsHeld(connection)) {
    if (clock_.Monotonic() - connection.since > limits_.first_byte) {
      EndHere(connection, "a connection has said nothing");
    }
    return;
  }
  const bool stranger = IsStranger(connection);
  if (limits_.bytes == 0 && !stranger) return;
  const uint64_t received = BytesReceived(connection.fd);
  if ((limits_.bytes > 0 && received > limits_.bytes) ||
      (stranger && limits_.stranger_bytes > 0 && received > limits_.stranger_bytes)) {
    EndHere(connection, "a connection has sent too much");
    for (int i = 0; i < limits_.penalty; ++i) {
      (void)limiter_.WaitOf(connection.source, clock_.Monotonic());
    }
  } else if (stranger && clock_.Monotonic() - connection.since > limits_.stranger_time) {
    EndHere(connection, "a connection has not shown who it is");
  }
}

// It counts no more; gRPC closes it.
void TcpAcceptor::EndHere(Connection& connection, const char* why) {
  Refuse(connection.source, why);
  if (IsHeld(connection)) {
    held_.erase(connection.fd);
    CloseAtOnce(connection.fd);
  } else {
    End(connection.fd, connection.cookie);
  }
  Forget(connection);
  connection.ended = true;
}

void TcpAcceptor::Forget(const Connection& connection) {
  if (connection.ended) return;
  --open_;
  const auto source = by_source_.find(connection.source);
  if (--source->second == 0) by_source_.erase(source);
}

void TcpAcceptor::Sweep() {
  swept_ = clock_.Monotonic();
  std::erase_if(connections_, [this](Connection& connection) {
    if (IsOpen(connection)) {
      if (!connection.ended) Look(connection);
      return false;
    }
    Forget(connection);
    const MutexLock lock(mutex_);
    const auto peer = by_peer_.find(connection.peer);
    // Not that of a later connection from the same port.
    if (peer != by_peer_.end() && peer->second.cookie == connection.cookie) by_peer_.erase(peer);
    return true;
  });
  if (open_ > limits_.connections / 4 * 3) {
    MakeRoom(open_ - limits_.connections / 2, swept_ - kMaySayNothing);
  }
}

void TcpAcceptor::EndConnection(const std::string& peer) {
  const MutexLock lock(mutex_);
  const auto found = by_peer_.find(peer);
  if (found != by_peer_.end()) End(found->second.fd, found->second.cookie);
}

void TcpAcceptor::Know(const std::string& peer) {
  const MutexLock lock(mutex_);
  const auto found = by_peer_.find(peer);
  if (found != by_peer_.end()) found->second.known = true;
}

bool TcpAcceptor::HasRoom(absl::Duration now) {
  if (open_ < limits_.connections) return true;
  // It looks at all of them: if that was for nothing, not again for each that comes.
  if (now - no_room_ < kRoomInterval) return false;
  Sweep();
  if (open_ >= limits_.connections) MakeRoom(limits_.connections / kRoomShare + 1, now);
  if (open_ >= limits_.connections) no_room_ = now;
  return open_ < limits_.connections;
}

void TcpAcceptor::MakeRoom(size_t wanted, absl::Duration before) {
  if (limits_.silent_bytes == 0) return;
  struct Silent {
    Connection* connection;
    uint64_t received;
    size_t rank;  // among those of its source: the last that goes has 1
  };
  std::vector<Silent> silent;
  absl::flat_hash_map<absl::string_view, size_t> of_source;
  for (Connection& connection : connections_) {
    if (connection.ended || connection.since > before || !IsOpen(connection)) continue;
    const uint64_t received = BytesReceived(connection.fd);
    if (received >= limits_.silent_bytes && !IsStranger(connection)) continue;
    silent.push_back({&connection, received, 0});
    ++of_source[connection.source];
  }
  std::sort(silent.begin(), silent.end(), [](const Silent& a, const Silent& b) {
    return std::tie(a.received, a.connection->since) < std::tie(b.received, b.connection->since);
  });
  for (Silent& one : silent) one.rank = of_source[one.connection->source]--;
  std::stable_sort(silent.begin(), silent.end(),
                   [](const Silent& a, const Silent& b) { return a.rank > b.rank; });
  silent.resize(std::min(silent.size(), wanted));
  for (const Silent& one : silent) {
    EndHere(*one.connection, "silent, and others want to connect");
  }
}

void TcpAcceptor::Refuse(const std::string& peer, const char* why) {
  ++refused_.count;
  refused_.peer = peer;
  refused_.why = why;
}

void TcpAcceptor::LogRefused() {
  if (refused_.count == 0 || clock_.Monotonic() - logged_ < kLogInterval) return;
  logged_ = clock_.Monotonic();
  LogWarning("connections refused", {{"count", refused_.count},
                                     {"why", refused_.why},
                                     {"peer", refused_.peer},
                                     {"reason", NameOf(Reason::kRateLimited)}});
  refused_ = {};
}

}  // namespace hostq::manager
