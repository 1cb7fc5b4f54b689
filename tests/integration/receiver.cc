#include "receiver.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace hostq::manager::testing {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

std::string Text(boost::beast::string_view view) { return std::string(view.data(), view.size()); }

}  // namespace

struct Receiver::Listener {
  asio::io_context io;
  asio::ssl::context tls{asio::ssl::context::tls_server};
  tcp::acceptor acceptor{io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
};

Receiver::Receiver(const std::string& identity)
    : listener_(std::make_unique<Listener>()), tls_(!identity.empty()) {
  if (tls_) {
    listener_->tls.use_certificate_chain_file(identity);
    listener_->tls.use_private_key_file(identity, asio::ssl::context::pem);
  }
  port_ = listener_->acceptor.local_endpoint().port();
  reply_ = [](const Request&) { return Answer(204); };
  thread_ = std::thread([this] { Accept(); });
}

Receiver::~Receiver() {
  std::vector<std::thread> serving;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  // Wakes accept().
  asio::io_context io;
  tcp::socket last(io);
  error_code ignored;
  last.connect(tcp::endpoint(asio::ip::make_address("127.0.0.1"), port_), ignored);
  thread_.join();
  {
    const MutexLock lock(mutex_);
    serving.swap(serving_);
  }
  for (std::thread& thread : serving) thread.join();
}

std::string Receiver::url(const std::string& path, const std::string& host) const {
  return absl::StrCat(tls_ ? "https://" : "http://", host, ":", port_, path);
}

void Receiver::SetReply(Reply reply) {
  const MutexLock lock(mutex_);
  reply_ = std::move(reply);
}

std::string Receiver::Answer(int status, const std::string& body) {
  return absl::StrCat("HTTP/1.1 ", status, " Said\r\nContent-Length: ", body.size(),
                      "\r\nConnection: close\r\n\r\n", body);
}

std::vector<Receiver::Request> Receiver::requests() const {
  const MutexLock lock(mutex_);
  return requests_;
}

int Receiver::connections() const {
  const MutexLock lock(mutex_);
  return connections_;
}

void Receiver::Accept() {
  for (;;) {
    auto socket = std::make_shared<tcp::socket>(listener_->io);
    error_code failed;
    listener_->acceptor.accept(*socket, failed);
    const MutexLock lock(mutex_);
    if (failed || stopping_) return;
    ++connections_;
    serving_.emplace_back([this, socket] {
      error_code ended;
      if (!tls_) return Serve(*socket);
      asio::ssl::stream<tcp::socket> stream(std::move(*socket), listener_->tls);
      stream.handshake(asio::ssl::stream_base::server, ended);
      if (!ended) Serve(stream);
    });
  }
}

template <typename Stream>
void Receiver::Serve(Stream& stream) {
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> message;
  error_code failed;
  http::read(stream, buffer, message, failed);
  if (failed) return;
  Request request;
  request.target = Text(message.target());
  request.body = message.body();
  for (const auto& field : message) {
    request.headers[absl::AsciiStrToLower(Text(field.name_string()))] = Text(field.value());
  }
  Reply reply;
  {
    const MutexLock lock(mutex_);
    requests_.push_back(request);
    reply = reply_;
  }
  const std::string answer = reply(request);
  if (!answer.empty()) {
    asio::write(stream, asio::buffer(answer), failed);
    return;
  }
  const MutexLock lock(mutex_);
  while (!stopping_) wake_.Wait(mutex_);
}

}  // namespace hostq::manager::testing
