#include "manager/webhook/http_client.h"

#include <netdb.h>
#include <pthread.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Endpoint = asio::ip::tcp::endpoint;

constexpr size_t kMaxBody = 4 << 10;
constexpr uint32_t kMaxHeader = 16 << 10;
constexpr int kResolvers = 4;
// Of those that a name has, so that one with a thousand costs no more than others.
constexpr size_t kMaxEndpoints = 8;

absl::Status Unavailable(absl::string_view what) {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kWebhookFailing, what);
}

// Blocks. The endpoints of a name, or of an address.
absl::StatusOr<std::vector<Endpoint>> Resolve(const Url& url) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  if (url.is_address()) hints.ai_flags = AI_NUMERICHOST;
  addrinfo* first = nullptr;
  const int failed = getaddrinfo(url.host.c_str(), absl::StrCat(url.port).c_str(), &hints, &first);
  if (failed != 0) {
    return Unavailable(absl::StrCat("cannot look up ", url.host, ": ", gai_strerror(failed)));
  }
  std::vector<Endpoint> endpoints;
  for (const addrinfo* at = first; at != nullptr && endpoints.size() < kMaxEndpoints;
       at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    Endpoint endpoint;
    endpoint.resize(at->ai_addrlen);
    std::memcpy(endpoint.data(), at->ai_addr, at->ai_addrlen);
    endpoints.push_back(endpoint);
  }
  freeaddrinfo(first);
  if (endpoints.empty()) return Unavailable(absl::StrCat(url.host, " has no address"));
  return endpoints;
}

}  // namespace

struct HttpClient::Core {
  Core(AddressRules the_rules, const Options& the_options)
      : rules(std::move(the_rules)), options(the_options) {}

  const AddressRules rules;
  const Options options;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::thread_pool resolvers{kResolvers};
  std::thread thread;
};

// One request and its answer. Kept alive by what it waits for; all but the lookup on the client's
// thread.
class HttpClient::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Core& core, Request request, Done done)
      : core_(core),
        request_(std::move(request)),
        done_(std::move(done)),
        timer_(core.io),
        stream_(core.io, core.tls) {}

  void Start() {
    timer_.expires_after(absl::ToChronoNanoseconds(core_.options.timeout));
    timer_.async_wait([self = shared_from_this()](error_code failed) {
      if (failed || !self->done_) return;
      const absl::Duration timeout = self->core_.options.timeout;
      self->End(MakeError(
          absl::StatusCode::kDeadlineExceeded, Reason::kWebhookFailing,
          absl::StrCat("no answer within ", absl::FormatDuration(timeout), ": ", self->doing_)));
    });
    doing_ = absl::StrCat("looking up ", request_.url.host);
    asio::post(core_.resolvers, [self = shared_from_this()] {
      auto endpoints = Resolve(self->request_.url);
      asio::post(self->core_.io, [self, endpoints = std::move(endpoints)] {
        if (self->done_) self->Connect(endpoints);
      });
    });
  }

 private:
  void Connect(const absl::StatusOr<std::vector<Endpoint>>& resolved) {
    if (!resolved.ok()) return End(resolved.status());
    std::vector<Endpoint> endpoints;
    absl::Status refused;
    for (const Endpoint& endpoint : *resolved) {
      // What is checked here is what is connected to below: no second lookup comes between.
      absl::Status status = core_.rules.Check(endpoint.address().to_string());
      status.ok() ? endpoints.push_back(endpoint) : refused.Update(status);
    }
    if (endpoints.empty()) return End(refused);
    doing_ = absl::StrCat("connecting to ", endpoints[0].address().to_string());
    beast::get_lowest_layer(stream_).async_connect(
        endpoints, [self = shared_from_this()](error_code failed, const Endpoint&) {
          if (!self->done_) return;
          if (failed) return self->Fail(failed);
          self->request_.url.tls ? self->Handshake() : self->Write();
        });
  }

  void Handshake() {
    doing_ = "TLS handshake";
    const Url& url = request_.url;
    // Of names only (RFC 6066).
    if (!url.is_address() &&
        SSL_set_tlsext_host_name(stream_.native_handle(), url.host.c_str()) != 1) {
      return End(Unavailable("TLS: the name cannot be told"));
    }
    stream_.set_verify_mode(asio::ssl::verify_peer);
    stream_.set_verify_callback(asio::ssl::host_name_verification(url.host));
    stream_.async_handshake(asio::ssl::stream_base::client,
                            [self = shared_from_this()](error_code failed) {
                              if (!self->done_) return;
                              failed ? self->FailHandshake(failed) : self->Write();
                            });
  }

  void FailHandshake(error_code failed) {
    const long verified = SSL_get_verify_result(stream_.native_handle());
    if (verified == X509_V_OK) return Fail(failed);
    End(Unavailable(absl::StrCat("TLS: the receiver's certificate is not accepted: ",
                                 X509_verify_cert_error_string(verified))));
  }

  void Write() {
    doing_ = "sending";
    message_.method(http::verb::post);
    message_.version(11);
    message_.target(request_.url.target);
    message_.set(http::field::host, request_.url.authority());
    message_.set(http::field::connection, "close");
    for (const auto& [name, value] : request_.headers) message_.set(name, value);
    message_.body() = std::move(request_.body);
    message_.prepare_payload();
    const auto written = [self = shared_from_this()](error_code failed, size_t) {
      if (!self->done_) return;
      // Who answers without reading the whole says why in the answer.
      if (failed && failed != asio::error::broken_pipe) return self->Fail(failed);
      self->Read();
    };
    request_.url.tls ? http::async_write(stream_, message_, written)
                     : http::async_write(stream_.next_layer(), message_, written);
  }

  void Read() {
    doing_ = "waiting for the answer";
    parser_.header_limit(kMaxHeader);
    // Counted below: too much is no error. (Without a limit, Boost 1.74 takes every length for too
    // much.)
    parser_.body_limit(std::numeric_limits<uint64_t>::max());
    const auto read = [self = shared_from_this()](error_code failed, size_t) {
      if (!self->done_) return;
      failed ? self->Fail(failed) : self->ReadBody();
    };
    request_.url.tls ? http::async_read_header(stream_, buffer_, parser_, read)
                     : http::async_read_header(stream_.next_layer(), buffer_, parser_, read);
  }

  // As much of it as somebody wants to know. Who breaks off behind the status has answered.
  void ReadBody() {
    const std::string& body = parser_.get().body();
    if (parser_.is_done() || body.size() >= kMaxBody) return Answered();
    const auto read = [self = shared_from_this()](error_code failed, size_t) {
      if (!self->done_) return;
      failed ? self->Answered() : self->ReadBody();
    };
    request_.url.tls ? http::async_read_some(stream_, buffer_, parser_, read)
                     : http::async_read_some(stream_.next_layer(), buffer_, parser_, read);
  }

  void Answered() {
    const auto& answer = parser_.get();
    End(Answer{static_cast<int>(answer.result_int()), answer.body().substr(0, kMaxBody)});
  }

  void Fail(error_code failed) { End(Unavailable(absl::StrCat(doing_, ": ", failed.message()))); }

  void End(absl::StatusOr<Answer> answer) {
    const Done done = std::exchange(done_, nullptr);
    timer_.cancel();
    // What still waits for the connection ends with an error and finds that it is over.
    error_code ignored;
    beast::get_lowest_layer(stream_).socket().close(ignored);
    done(std::move(answer));
  }

  Core& core_;
  Request request_;
  Done done_;  // null: it is over
  std::string doing_;
  asio::steady_timer timer_;
  beast::ssl_stream<beast::tcp_stream> stream_;
  http::request<http::string_body> message_;
  beast::flat_buffer buffer_{kMaxHeader + kMaxBody};
  http::response_parser<http::string_body> parser_;
};

HttpClient::HttpClient(std::unique_ptr<Core> core) : core_(std::move(core)) {}

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Start(AddressRules rules,
                                                              const Options& options) {
  auto core = std::make_unique<Core>(std::move(rules), options);
  error_code failed;
  core->tls.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, failed);
  if (!failed && options.ca_cert.empty()) {
    core->tls.set_default_verify_paths(failed);
  } else if (!failed) {
    core->tls.load_verify_file(options.ca_cert, failed);
  }
  if (failed) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                     absl::StrCat("webhooks.ca_cert: ", options.ca_cert, ": ", failed.message()));
  }
  std::unique_ptr<HttpClient> client(new HttpClient(std::move(core)));
  client->core_->thread = std::thread([core = client->core_.get()] {
    pthread_setname_np(pthread_self(), "webhook");
    core->io.run();
  });
  return client;
}

HttpClient::~HttpClient() { Stop(); }

void HttpClient::Stop() {
  core_->io.stop();
  if (core_->thread.joinable()) core_->thread.join();
  core_->resolvers.stop();
  core_->resolvers.join();
}

void HttpClient::Post(Request request, Done done) {
  asio::post(core_->io, [this, request = std::move(request), done = std::move(done)]() mutable {
    std::make_shared<Exchange>(*core_, std::move(request), std::move(done))->Start();
  });
}

void HttpClient::After(absl::Duration delay, std::function<void()> job) {
  asio::post(core_->io, [this, delay, job = std::move(job)]() mutable {
    auto timer = std::make_shared<asio::steady_timer>(core_->io);
    timer->expires_after(absl::ToChronoNanoseconds(delay));
    timer->async_wait([timer, job = std::move(job)](error_code failed) {
      if (!failed) job();
    });
  });
}

}  // namespace hostq::manager
