#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/error.h"
#include "common/crypto/identity.h"
#include "common/crypto/openssl.h"
#include "openssl/pem.h"

namespace hostq {

// A connection to a port of this machine, closed at the end; -1 if there is none.
class LoopbackSocket {
 public:
  explicit LoopbackSocket(int port)
      : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit = {5, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    HOSTQ_CHECK(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
                0);
  }
  ~LoopbackSocket() { ::close(descriptor_); }
  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

// Takes connections on a port of its own, one after the other, and treats each with `serve`.
class LoopbackServer {
 public:
  explicit LoopbackServer(std::function<void(int)> serve)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), serve_(std::move(serve)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    HOSTQ_CHECK(::bind(listener_, generic, size) == 0 && ::listen(listener_, 16) == 0 &&
                ::getsockname(listener_, generic, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const int client = ::accept(listener_, nullptr, nullptr);
        if (client < 0) return;
        const timeval limit = {5, 0};
        ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        serve_(client);
        ::close(client);
      }
    });
  }
  ~LoopbackServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  const int listener_;
  int port_ = 0;
  const std::function<void(int)> serve_;
  std::thread thread_;
};

// Shows `identity` on connections of `context`; the chain as it stands, whoever signed it.
inline void UseIdentity(SSL_CTX* context, const TlsIdentity& identity) {
  const absl::string_view chain = identity.certificate_chain_pem;
  const openssl::BioPtr bio(BIO_new_mem_buf(chain.data(), static_cast<int>(chain.size())));
  const openssl::X509Ptr leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  SSL_CTX_use_certificate(context, leaf.get());
  while (X509* more = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add_extra_chain_cert(context, more);
  }
  const absl::string_view pem = identity.private_key_pem.Reveal();
  const openssl::BioPtr key_bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const openssl::KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  SSL_CTX_use_PrivateKey(context, key.get());
}

// A TLS server's handshake with `identity`, at most up to `max_version`. True if the client went
// through with it.
inline bool ServeTls(int client, const TlsIdentity& identity, int max_version) {
  const openssl::SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_max_proto_version(context.get(), max_version);
  UseIdentity(context.get(), identity);
  const openssl::SslPtr ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), client);
  return SSL_accept(ssl.get()) == 1;
}

// The version that a client gets which shows `identity`, offers `min` to `max` and trusts anybody;
// 0 if the server refuses.
inline int NegotiatedVersion(int port, const TlsIdentity& identity, int min, int max) {
  const LoopbackSocket socket(port);
  const openssl::SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  // As lenient as OpenSSL gets: what is refused then is refused by the server.
  SSL_CTX_set_security_level(context.get(), 0);
  UseIdentity(context.get(), identity);
  SSL_CTX_set_cipher_list(context.get(), "ALL:COMPLEMENTOFALL");
  SSL_CTX_set_min_proto_version(context.get(), min);
  SSL_CTX_set_max_proto_version(context.get(), max);
  const openssl::SslPtr ssl(SSL_new(context.get()));
  constexpr unsigned char kAlpn[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kAlpn, sizeof(kAlpn));
  SSL_set_fd(ssl.get(), socket.get());
  return SSL_connect(ssl.get()) == 1 ? SSL_version(ssl.get()) : 0;
}

}  // namespace hostq
