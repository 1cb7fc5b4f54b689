#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq::manager {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// One request, complete. Plain data.
struct HttpRequest {
  std::string method;   // "GET"
  std::string target;   // as it was sent: "/v1/commands?pageSize=10"
  HttpHeaders headers;  // names in lower case, as often as they were sent
  std::string body;
  // Who sent it, as gRPC has it: "ipv4:192.0.2.1:4711".
  std::string peer;
  // The verified client certificate of the connection, PEM. Empty: none was shown.
  std::string certificate_pem;

  // The header's value; empty if there is none, or more than one.
  absl::string_view Header(absl::string_view name) const;
  bool Has(absl::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;  // without content-length
  std::string body;
  // The connection ends with it.
  bool close = false;
};

// An answer that goes on for as long as both sides like (server-sent events).
struct HttpStream {
  HttpHeaders headers;
  // Sent when nothing was for `interval`.
  std::string keep_alive;
  absl::Duration interval;
  // Asked at the same times; false ends the connection. On the server's threads.
  std::function<bool()> wanted;
  // The connection has ended, by whichever side. Called once, on one of the server's threads.
  std::function<void()> gone;
};

// One request that waits for its answer. Thread-safe; nothing of it blocks. Whoever lets it go
// without an answer ends the connection.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  virtual const HttpRequest& request() const = 0;
  // The whole answer; once.
  virtual void Answer(HttpResponse response) = 0;
  // Or: one that goes on. Then any number of Send(), each after the one before was `sent` (called
  // on one of the server's threads, and never if the connection has ended), and Finish().
  virtual void Begin(HttpStream stream) = 0;
  virtual void Send(std::string piece, std::function<void()> sent) = 0;
  virtual void Finish() = 0;
};

// Must not block; may answer later, on any thread.
using HttpHandler = std::function<void(std::shared_ptr<HttpExchange> exchange)>;

}  // namespace hostq::manager
