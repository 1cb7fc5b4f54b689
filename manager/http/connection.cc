#include "manager/http/connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/log/log.h"
#include "common/rpc/https_context.h"
#include "manager/api/admission.h"
#include "manager/http/problem.h"
#include "manager/http/web_request.h"

namespace hostq::manager {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Error = boost::system::error_code;

constexpr unsigned kHttp11 = 11;

absl::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::string PeerOf(const asio::ip::tcp::socket& socket) {
  Error error;
  const auto end = socket.remote_endpoint(error);
  if (error) return "unknown";
  asio::ip::address address = end.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  const std::string text = address.to_string();
  return address.is_v4() ? absl::StrCat("ipv4:", text, ":", end.port())
                         : absl::StrCat("ipv6:%5B", text, "%5D:", end.port());
}

std::string HttpDate(absl::Time time) {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", time, absl::UTCTimeZone());
}

std::string Chunk(absl::string_view data) {
  return absl::StrCat(absl::Hex(data.size()), "\r\n", data, "\r\n");
}

http::response_header<> HeadOf(int status, unsigned version, const HttpHeaders& headers,
                               bool close) {
  http::response_header<> head;
  head.result(static_cast<unsigned>(status));
  head.version(version);
  head.set(http::field::date, HttpDate(absl::Now()));
  for (const auto& [name, value] : headers) head.insert(name, value);
  if (close) {
    head.set(http::field::connection, "close");
  } else if (version < kHttp11) {
    head.set(http::field::connection, "keep-alive");
  }
  return head;
}

}  // namespace

// Posts to the strand; what comes after the connection has ended is lost.
class HttpConnection::Exchange final : public HttpExchange {
 public:
  Exchange(std::shared_ptr<HttpConnection> connection, HttpRequest request)
      : connection_(std::move(connection)), request_(std::move(request)) {}
  ~Exchange() override {
    if (!begun_) connection_->Abort();
  }
  const HttpRequest& request() const override { return request_; }
  void Answer(HttpResponse response) override {
    if (begun_.exchange(true)) return;
    Post([response = std::move(response)](HttpConnection& connection) mutable {
      connection.Answer(std::move(response));
    });
  }
  void Begin(HttpStream stream) override {
    if (begun_.exchange(true)) return;
    Post([stream = std::move(stream)](HttpConnection& connection) mutable {
      connection.Begin(std::move(stream));
    });
  }
  void Send(std::string piece, std::function<void()> sent) override {
    Post([piece = Piece{std::move(piece), std::move(sent)}](HttpConnection& connection) mutable {
      connection.Send(std::move(piece));
    });
  }
  void Finish() override {
    Post([](HttpConnection& connection) { connection.Finish(); });
  }

 private:
  template <typename Work>
  void Post(Work work) {
    asio::post(connection_->stream_.get_executor(),
               [connection = connection_, work = std::move(work)]() mutable { work(*connection); });
  }

  const std::shared_ptr<HttpConnection> connection_;
  const HttpRequest request_;
  std::atomic<bool> begun_ = false;
};

HttpConnection::HttpConnection(asio::ip::tcp::socket socket, asio::ssl::context& context,
                               HttpShared& shared)
    : stream_(std::move(socket), context),
      deadline_(stream_.get_executor()),
      keep_alive_(stream_.get_executor()),
      shared_(shared),
      peer_(PeerOf(stream_.next_layer())),
      buffer_(shared.limits.header_bytes + shared.limits.body_bytes) {}

HttpConnection::~HttpConnection() { ReleaseBody(); }

void HttpConnection::Start() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    self->Deadline(self->shared_.limits.handshake);
    self->stream_.async_handshake(asio::ssl::stream_base::server,
                                  [self](const Error& error) { self->OnHandshake(error); });
  });
}

void HttpConnection::Abort() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] { self->Close(); });
}

void HttpConnection::Deadline(absl::Duration after) {
  deadline_.expires_after(absl::ToChronoMilliseconds(after));
  deadline_.async_wait([weak = weak_from_this()](const Error& error) {
    // If it was moved just as it ended, its time lies ahead.
    const auto self = weak.lock();
    if (error || self == nullptr) return;
    if (self->deadline_.expiry() <= std::chrono::steady_clock::now()) self->Close();
  });
}

void HttpConnection::NoDeadline() {
  deadline_.expires_at(std::chrono::steady_clock::time_point::max());
}

void HttpConnection::Close() {
  if (std::exchange(closed_, true)) return;
  Error ignored;
  stream_.next_layer().close(ignored);
  deadline_.cancel(ignored);
  keep_alive_.cancel(ignored);
  pieces_.clear();
  ReleaseBody();
  if (streaming_) std::exchange(streaming_->gone, nullptr)();
}

void HttpConnection::OnHandshake(const Error& error) {
  if (error && !closed_) {
    if (const auto left_out = shared_.refusals.Take(SystemClock().Monotonic()); left_out) {
      LogInfo(
          "handshake failed",
          {{"peer", peer_}, {"error", Printable(error.message())}, {"more_not_shown", *left_out}});
    }
  }
  if (error || closed_) return Close();
  certificate_pem_ = ClientCertificateOf(stream_.native_handle());
  NextRequest();
  // Who has come to say something says it soon.
  if (buffer_.size() == 0) Deadline(shared_.limits.header);
}

// --- reading ---

void HttpConnection::NextRequest() {
  request_ = {};
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(shared_.limits.header_bytes));
  parser_->body_limit(shared_.limits.body_bytes);
  if (buffer_.size() > 0) return ReadHeader();
  buffer_.shrink_to_fit();  // it may be idle for long
  Deadline(shared_.limits.idle);
  stream_.async_read_some(asio::buffer(scratch_),
                          [self = shared_from_this()](const Error& error, size_t size) {
                            if (error || self->closed_) return self->Close();
                            const auto to = self->buffer_.prepare(size);
                            std::copy_n(self->scratch_, size, static_cast<char*>(to.data()));
                            self->buffer_.commit(size);
                            self->ReadHeader();
                          });
}

void HttpConnection::ReadHeader() {
  Deadline(shared_.limits.header);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const Error& error, size_t) { self->OnHeader(error); });
}

void HttpConnection::OnHeader(const Error& error) {
  if (closed_) return;
  if (error) return RefuseUnreadable(error);
  version_ = std::min(parser_->get().version(), kHttp11);
  keep_ = parser_->get().keep_alive();
  unread_ = !parser_->is_done();
  TakeHeaders();
  if (const int status = CheckHeader(); status != 0) {
    return Refuse(status, status == 417   ? "the only expectation that is met is 100-continue"
                          : status == 501 ? "the only transfer encoding that is taken is chunked"
                          : status == 505 ? "HTTP/1.1 is spoken here"
                                          : "host, content-length and transfer-encoding must be "
                                            "there once and fit together");
  }
  if (!ReserveBody()) return Refuse(503, "too much is being sent to the manager; try again later");
  if (parser_->is_done()) return HandOn();
  Deadline(shared_.limits.body);
  absl::EqualsIgnoreCase(request_.Header("expect"), "100-continue") ? Continue() : ReadBody();
}

void HttpConnection::TakeHeaders() {
  const auto& head = parser_->get();
  request_.method = std::string(View(head.method_string()));
  request_.target = std::string(View(head.target()));
  for (const auto& field : head) {
    request_.headers.emplace_back(absl::AsciiStrToLower(View(field.name_string())),
                                  std::string(View(field.value())));
  }
}

// What two readers of the same bytes could understand in two ways is refused.
int HttpConnection::CheckHeader() {
  const auto& head = parser_->get();
  if (head.version() != 10 && head.version() != kHttp11) return 505;
  if (head.count(http::field::host) > 1 || head.count(http::field::content_length) > 1 ||
      (head.version() == kHttp11 && request_.Header("host").empty())) {
    return 400;
  }
  if (const size_t count = head.count(http::field::transfer_encoding); count > 0) {
    if (head.version() != kHttp11 || count > 1 || request_.Has("content-length")) return 400;
    if (!absl::EqualsIgnoreCase(request_.Header("transfer-encoding"), "chunked")) return 501;
  }
  if (request_.Has("expect") &&
      !absl::EqualsIgnoreCase(request_.Header("expect"), "100-continue")) {
    return 417;
  }
  return 0;
}

bool HttpConnection::ReserveBody() {
  if (parser_->is_done()) return true;
  const auto length = parser_->content_length();
  reserved_ = length ? static_cast<size_t>(*length) : shared_.limits.body_bytes;
  return shared_.body_bytes.fetch_add(reserved_) + reserved_ <= shared_.limits.all_body_bytes;
}

void HttpConnection::ReleaseBody() { shared_.body_bytes -= std::exchange(reserved_, 0); }

void HttpConnection::Continue() {
  static constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](const Error& error, size_t) {
                      error || self->closed_ ? self->Close() : self->ReadBody();
                    });
}

void HttpConnection::ReadBody() {
  http::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const Error& error, size_t) { self->OnBody(error); });
}

void HttpConnection::OnBody(const Error& error) {
  if (closed_) return;
  if (error) return RefuseUnreadable(error);
  unread_ = false;
  request_.body = std::move(parser_->get().body());
  HandOn();
}

void HttpConnection::HandOn() {
  NoDeadline();  // who answers has deadlines of its own
  parser_.reset();
  request_.peer = peer_;
  request_.certificate_pem = certificate_pem_;
  const std::string method = request_.method;
  auto exchange = std::make_shared<Exchange>(shared_from_this(), std::move(request_));
  request_ = {};
  request_.method = method;
  shared_.handler(std::move(exchange));
}

void HttpConnection::RefuseUnreadable(const Error& error) {
  unread_ = true;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return Refuse(431, "the headers are larger than 16 KiB");
  }
  if (error == http::error::body_limit) return Refuse(413, "the body is larger than 320 KiB");
  // Whatever else Beast says of what it read; not of the connection.
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return Refuse(400, "this is not HTTP/1.1");
  }
  Close();
}

void HttpConnection::Refuse(int status, const char* detail) {
  const std::string request_id = RequestIdFrom(request_.Header("hostq-request-id"));
  HttpResponse response = ProblemOf(status, detail, request_id);
  HttpHeaders common = WebRequest::CommonHeaders(request_id);
  response.headers.insert(response.headers.begin(), common.begin(), common.end());
  response.close = true;
  Answer(std::move(response));
}

// --- answering ---

void HttpConnection::Answer(HttpResponse answer) {
  ReleaseBody();
  if (closed_) return;
  const bool close = answer.close || !keep_ || unread_;
  const auto response = std::make_shared<http::response<http::string_body>>(
      HeadOf(answer.status, version_, answer.headers, close));
  if (answer.status != 204 && answer.status != 304) response->content_length(answer.body.size());
  if (request_.method != "HEAD") response->body() = std::move(answer.body);
  Deadline(shared_.limits.write +
           absl::Seconds(static_cast<double>(response->body().size()) /
                         static_cast<double>(shared_.limits.write_bytes_per_second)));
  http::async_write(stream_, *response,
                    [self = shared_from_this(), response, close](const Error& error, size_t) {
                      self->OnAnswered(error, close);
                    });
}

void HttpConnection::OnAnswered(const Error& error, bool close) {
  if (closed_) return;
  // Beast says end_of_stream of an answer that ends the connection.
  if (error && error != http::error::end_of_stream) return Close();
  if (!close) return NextRequest();
  if (!unread_) return ShutDown();
  Deadline(shared_.limits.drain);
  Drain(shared_.limits.drain_bytes);
}

// Closed with something unread, TCP would take back the answer too.
void HttpConnection::Drain(size_t left) {
  if (left == 0) return Close();
  stream_.async_read_some(
      asio::buffer(scratch_), [self = shared_from_this(), left](const Error& error, size_t size) {
        error || self->closed_ ? self->Close() : self->Drain(left - std::min(left, size));
      });
}

void HttpConnection::ShutDown() {
  Deadline(shared_.limits.drain);
  stream_.async_shutdown([self = shared_from_this()](const Error&) { self->Close(); });
}

// --- an answer that goes on ---

void HttpConnection::Begin(HttpStream stream) {
  ReleaseBody();
  streaming_ = std::move(stream);
  if (closed_) return std::exchange(streaming_->gone, nullptr)();
  buffer_.clear();  // what was pipelined behind it is never answered
  buffer_.shrink_to_fit();
  http::response_header<> head = HeadOf(200, version_, streaming_->headers, true);
  if (version_ == kHttp11) head.set(http::field::transfer_encoding, "chunked");
  std::ostringstream text;
  text << head;
  pieces_.push_back({text.str(), nullptr});
  WriteNext();
  AwaitGone();
}

void HttpConnection::Send(Piece piece) {
  if (closed_ || finished_) return;
  if (version_ == kHttp11) piece.data = Chunk(piece.data);
  pieces_.push_back(std::move(piece));
  WriteNext();
}

void HttpConnection::Finish() {
  if (closed_ || std::exchange(finished_, true)) return;
  pieces_.push_back({version_ == kHttp11 ? "0\r\n\r\n" : "", nullptr});
  WriteNext();
}

void HttpConnection::WriteNext() {
  if (writing_ || pieces_.empty()) return;
  if (!streaming_->wanted()) return Close();
  writing_ = true;
  const std::string& data = pieces_.front().data;
  Deadline(shared_.limits.write +
           absl::Seconds(static_cast<double>(data.size()) /
                         static_cast<double>(shared_.limits.write_bytes_per_second)));
  asio::async_write(
      stream_, asio::buffer(data),
      [self = shared_from_this()](const Error& error, size_t) { self->OnWritten(error); });
}

void HttpConnection::OnWritten(const Error& error) {
  writing_ = false;
  if (closed_) return;
  if (error) return Close();
  NoDeadline();
  const std::function<void()> sent = std::move(pieces_.front().sent);
  pieces_.pop_front();
  if (finished_ && pieces_.empty()) {
    // The client ends it, which AwaitGone sees; or it has had its time.
    Error ignored;
    stream_.next_layer().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    return Deadline(shared_.limits.drain);
  }
  KeepAlive();
  if (sent) sent();
  WriteNext();
}

// Nothing is to come from a client that listens: anything, and the end above all, is the end.
void HttpConnection::AwaitGone() {
  stream_.async_read_some(asio::buffer(scratch_),
                          [self = shared_from_this()](const Error&, size_t) { self->Close(); });
}

void HttpConnection::KeepAlive() {
  keep_alive_.expires_after(absl::ToChronoMilliseconds(streaming_->interval));
  keep_alive_.async_wait([weak = weak_from_this()](const Error& error) {
    const auto self = weak.lock();
    if (error || self == nullptr || self->closed_ || self->writing_ || !self->pieces_.empty()) {
      return;
    }
    self->Send({self->streaming_->keep_alive, nullptr});
  });
}

}  // namespace hostq::manager
