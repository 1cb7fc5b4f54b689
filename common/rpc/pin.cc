#include "common/rpc/pin.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/openssl.h"

namespace hostq {
namespace {

using openssl::SslContextPtr;
using openssl::SslPtr;

absl::Status Unavailable(absl::string_view what) {
  return absl::UnavailableError(std::string(what));
}

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

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

absl::StatusOr<Socket> ConnectTo(const addrinfo& to, absl::Duration deadline) {
  Socket socket(::socket(to.ai_family, to.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return Unavailable(strerror(errno));
  if (::connect(socket.get(), to.ai_addr, to.ai_addrlen) == 0) return socket;
  if (errno != EINPROGRESS) return Unavailable(strerror(errno));
  HOSTQ_RETURN_IF_ERROR(Wait(socket.get(), POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return Unavailable(strerror(error));
  return socket;
}

absl::StatusOr<Socket> Connect(const Address& address, absl::Duration deadline) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (failed != 0) return Unavailable(::gai_strerror(failed));
  const std::unique_ptr<addrinfo, openssl::Deleter<freeaddrinfo>> owner(found);
  absl::Status last = Unavailable("no address");
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    absl::StatusOr<Socket> socket = ConnectTo(*one, deadline);
    if (socket.ok()) return socket;
    last = socket.status();
  }
  return last;
}

absl::StatusOr<SslPtr> Handshake(int descriptor, absl::Duration deadline) {
  const WithoutSigpipe guard;
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  HOSTQ_CHECK(context != nullptr);
  HOSTQ_CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1);
  // The certificates are judged afterwards, by the pin.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SslPtr ssl(SSL_new(context.get()));
  constexpr unsigned char kAlpn[] = {2, 'h', '2'};
  HOSTQ_CHECK(ssl != nullptr && SSL_set_alpn_protos(ssl.get(), kAlpn, sizeof(kAlpn)) == 0);
  HOSTQ_CHECK(SSL_set_fd(ssl.get(), descriptor) == 1);
  HOSTQ_CHECK(SSL_set_tlsext_host_name(ssl.get(), std::string(kManagerName).c_str()) == 1);
  for (;;) {
    const int done = SSL_connect(ssl.get());
    if (done == 1) return ssl;
    const int error = SSL_get_error(ssl.get(), done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return openssl::Error(absl::StatusCode::kUnavailable, Reason::kNone, "no TLS 1.3 connection");
    }
    HOSTQ_RETURN_IF_ERROR(
        Wait(descriptor, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline));
  }
}

// The authority among the certificates shown, if the server's own is what it must be.
absl::StatusOr<std::string> Judge(const SSL* ssl, absl::string_view pin) {
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  X509* leaf = SSL_get0_peer_certificate(ssl);
  X509* authority = nullptr;
  std::vector<std::string> shown;
  for (int i = 0; leaf != nullptr && i < sk_X509_num(chain); ++i) {
    X509* certificate = sk_X509_value(chain, i);
    if (X509_check_ca(certificate) != 1) continue;
    shown.push_back(openssl::KeyHash(certificate));
    if (shown.back() == pin) authority = certificate;
  }
  const auto refuse = [](absl::string_view why) {
    return MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated, why);
  };
  if (authority == nullptr) {
    return refuse(absl::StrCat("not the pinned authority: expected ", pin, ", shown ",
                               shown.empty() ? "none" : absl::StrJoin(shown, ", ")));
  }
  HOSTQ_RETURN_IF_ERROR(openssl::VerifyIssuedBy(leaf, authority, X509_PURPOSE_SSL_SERVER,
                                                absl::ToUnixSeconds(SystemClock().Now())));
  if (X509_check_host(leaf, kManagerName.data(), kManagerName.size(),
                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) != 1) {
    return refuse("the server's certificate is not a manager's");
  }
  return openssl::CertificateToPem(authority);
}

absl::StatusOr<std::string> Fetch(const Address& address, absl::string_view pin,
                                  absl::Duration deadline) {
  HOSTQ_ASSIGN_OR_RETURN(const Socket socket, Connect(address, deadline));
  HOSTQ_ASSIGN_OR_RETURN(const SslPtr ssl, Handshake(socket.get(), deadline));
  return Judge(ssl.get(), pin);
}

}  // namespace

absl::StatusOr<std::string> FetchCaByPin(absl::string_view host_port, absl::string_view pin,
                                         absl::Duration timeout) {
  if (!IsPin(pin)) {
    return InvalidField(Reason::kInvalidArgument, "pin", "not sha256: and 64 lower-case digits");
  }
  HOSTQ_ASSIGN_OR_RETURN(const Address address, SplitAddress(host_port));
  absl::StatusOr<std::string> ca = Fetch(address, pin, SystemClock().Monotonic() + timeout);
  if (ca.ok()) return ca;
  return MakeError(ca.status().code(), ReasonOf(ca.status()),
                   absl::StrCat("manager at ", host_port, ": ", ca.status().message()));
}

}  // namespace hostq
