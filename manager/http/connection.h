#pragma once

// Of the server: what Boost has to do with is in connection.* and http_server.cc alone.

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/log/log_budget.h"
#include "manager/http/http_server.h"
#include "manager/http/message.h"

namespace hostq::manager {

// What the connections of a server share.
struct HttpShared {
  HttpHandler handler;
  HttpLimits limits;
  std::atomic<size_t> body_bytes = 0;  // reserved, of all requests that are being read
  LogBudget refusals{10};
};

// One connection. Everything runs on its strand; Start() and Abort() are for any thread. It lives
// as long as something of it is under way, or an exchange is held.
class HttpConnection final : public std::enable_shared_from_this<HttpConnection> {
 public:
  // The socket's executor is the strand. `shared` must outlive it.
  HttpConnection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& context,
                 HttpShared& shared);
  ~HttpConnection();
  void Start();
  void Abort();

 private:
  class Exchange;
  using Error = boost::system::error_code;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  struct Piece {
    std::string data;
    std::function<void()> sent;
  };

  // The connection ends if nothing cancels this before.
  void Deadline(absl::Duration after);
  void NoDeadline();
  void Close();

  void OnHandshake(const Error& error);
  void NextRequest();
  void ReadHeader();
  void OnHeader(const Error& error);
  // The status with which the request is refused; 0: none.
  int CheckHeader();
  void TakeHeaders();
  bool ReserveBody();
  void ReleaseBody();
  void ReadBody();
  void Continue();
  void OnBody(const Error& error);
  void HandOn();
  void Refuse(int status, const char* detail);
  void RefuseUnreadable(const Error& error);

  void Answer(HttpResponse response);
  void OnAnswered(const Error& error, bool close);
  void Drain(size_t left);
  void ShutDown();

  void Begin(HttpStream stream);
  void Send(Piece piece);
  void Finish();
  void WriteNext();
  void OnWritten(const Error& error);
  void AwaitGone();
  void KeepAlive();

  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer keep_alive_;
  HttpShared& shared_;
  const std::string peer_;
  std::string certificate_pem_;
  bool closed_ = false;

  // Of the request that is being read or answered.
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  unsigned version_ = 11;
  bool keep_ = false;    // the client would send another
  bool unread_ = false;  // part of it was not read
  size_t reserved_ = 0;

  // Of an answer that goes on.
  std::optional<HttpStream> streaming_;
  std::deque<Piece> pieces_;
  bool writing_ = false;
  bool finished_ = false;
  char scratch_[512];
};

}  // namespace hostq::manager
