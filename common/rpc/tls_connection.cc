#include "common/rpc/tls_connection.h"

#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/crypto/identity.h"

namespace hostq {
namespace {

using openssl::SslContextPtr;

absl::Status Unavailable(absl::string_view what) {
  return absl::UnavailableError(std::string(what));
}

// OpenSSL writes to sockets with write(): a peer that hangs up must not end the program.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~WithoutSigpipe() {
    const timespec now = {0, 0};
    while (!was_pending_ && sigtimedwait(&set_, nullptr, &now) >= 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t set_;
  sigset_t before_;
  bool was_pending_ = false;
};

// Waits until `events`. Errors: DEADLINE_EXCEEDED.
absl::Status Wait(int descriptor, short events, absl::Duration deadline) {
  for (;;) {
    const absl::Duration left = deadline - SystemClock().Monotonic();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("no answer in time");
    pollfd entry = {descriptor, events, 0};
    const int64_t millis = std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 60'000);
    const int ready = ::poll(&entry, 1, static_cast<int>(millis));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return ErrnoError(errno, Reason::kInternal, "poll");
  }
}

struct Address {
  std::string host;
  std::string port;
};

absl::StatusOr<Address> SplitAddress(absl::string_view host_port) {
  const size_t colon = host_port.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(host_port.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return InvalidField(Reason::kInvalidArgument, "address", "not HOST:PORT");
  }
  absl::string_view host = host_port.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[") ? !absl::ConsumeSuffix(&host, "]")
                                      : absl::StrContains(host, ":")) {
    return InvalidField(Reason::kInvalidArgument, "address", "an IPv6 address needs brackets");
  }
  return Address{std::string(host), absl::StrCat(port)};
}

// Of a socket that is being connected.
absl::Status AwaitConnected(int socket, absl::Duration deadline) {
  HOSTQ_RETURN_IF_ERROR(Wait(socket, POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? absl::OkStatus() : Unavailable(strerror(error));
}

}  // namespace

SslContextPtr TlsConnection::NewContext() {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  constexpr unsigned char kOffered[] = {2, 'h', '2'};
  HOSTQ_CHECK(context != nullptr);
  HOSTQ_CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1);
  HOSTQ_CHECK(SSL_CTX_set_alpn_protos(context.get(), kOffered, sizeof(kOffered)) == 0);
  return context;
}

absl::StatusOr<TlsConnection> TlsConnection::Connect(absl::string_view host_port,
                                                     absl::Duration deadline) {
  HOSTQ_ASSIGN_OR_RETURN(const Address address, SplitAddress(host_port));
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (failed != 0) return Unavailable(::gai_strerror(failed));
  const std::unique_ptr<addrinfo, openssl::Deleter<freeaddrinfo>> owner(found);
  absl::Status last = Unavailable("no address");
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    TlsConnection connection(
        ::socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), deadline);
    const int socket = connection.socket_;
    if (socket >= 0 && ::connect(socket, one->ai_addr, one->ai_addrlen) == 0) return connection;
    last = socket >= 0 && errno == EINPROGRESS ? AwaitConnected(socket, deadline)
                                               : Unavailable(strerror(errno));
    if (last.ok()) return connection;
  }
  return last;
}

TlsConnection::TlsConnection(TlsConnection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      deadline_(other.deadline_),
      ssl_(std::move(other.ssl_)) {}

TlsConnection::~TlsConnection() {
  if (socket_ >= 0) ::close(socket_);
}

template <typename Operation>
absl::Status TlsConnection::Complete(absl::string_view what, Operation operation) {
  const WithoutSigpipe guard;
  for (;;) {
    ERR_clear_error();
    const int done = operation();
    if (done > 0) return absl::OkStatus();
    const int error = SSL_get_error(ssl_.get(), done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return openssl::Error(absl::StatusCode::kUnavailable, Reason::kNone, what);
    }
    HOSTQ_RETURN_IF_ERROR(
        Wait(socket_, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_));
  }
}

absl::Status TlsConnection::Handshake(SSL_CTX* context) {
  ssl_.reset(SSL_new(context));
  HOSTQ_CHECK(ssl_ != nullptr && SSL_set_fd(ssl_.get(), socket_) == 1);
  HOSTQ_CHECK(SSL_set_tlsext_host_name(ssl_.get(), std::string(kManagerName).c_str()) == 1);
  return Complete("no TLS 1.3 connection", [this] { return SSL_connect(ssl_.get()); });
}

absl::Status TlsConnection::SendAndAwait(absl::string_view bytes) {
  const auto size = static_cast<int>(bytes.size());
  HOSTQ_RETURN_IF_ERROR(
      Complete("hung up", [&] { return SSL_write(ssl_.get(), bytes.data(), size); }));
  char byte = 0;
  return Complete("hung up", [&] { return SSL_read(ssl_.get(), &byte, 1); });
}

}  // namespace hostq
