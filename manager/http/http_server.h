#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/credentials.h"
#include "manager/http/message.h"

namespace hostq::manager {

// What one connection may take, and how long. Whoever is slower than this is cut off.
struct HttpLimits {
  // Of a request: its first line and headers, and its body (the largest request of the API has
  // 256 KiB as a message; as JSON it may be a bit more).
  size_t header_bytes = 16 << 10;
  size_t body_bytes = 320 << 10;
  // Bodies of all requests at once, each as large as it says it will be: more than the connections
  // of one source may have together.
  size_t all_body_bytes = 256 << 20;
  absl::Duration handshake = absl::Seconds(5);
  // From the end of one request to the first byte of the next.
  absl::Duration idle = absl::Seconds(60);
  absl::Duration header = absl::Seconds(10);
  absl::Duration body = absl::Seconds(15);
  // An answer, or a piece of one: this, and a second for so many bytes.
  absl::Duration write = absl::Seconds(10);
  size_t write_bytes_per_second = 16 << 10;
  // What is still read of a request that was refused, so that the answer is not lost.
  absl::Duration drain = absl::Seconds(1);
  size_t drain_bytes = 512 << 10;
};

// HTTP/1.1 over TLS on connections that somebody else accepts: keep-alive, requests answered in
// order, everything with a deadline. Two threads, however many connections there are.
class HttpServer {
 public:
  // `handler` is called for each request, on those threads; see HttpHandler. Blocks on the disk.
  // Errors: those of HttpsServerContext.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const WatchedFiles& files,
                                                           HttpHandler handler,
                                                           const HttpLimits& limits = {});
  ~HttpServer();

  // Takes over a connected socket, which does not block. Thread-safe; does not block.
  void Take(int fd);
  // The files have changed: new connections are made with what is in them now; if that does not
  // fit, with what was there before. Blocks on the disk; one caller at a time.
  absl::Status FollowFiles();
  // Ends all connections. Exchanges that are still held elsewhere may be answered, to nobody, and
  // must be gone before the server is. May be called twice.
  void Stop();

 private:
  struct Inside;
  explicit HttpServer(std::unique_ptr<Inside> inside);
  const std::unique_ptr<Inside> inside_;
};

}  // namespace hostq::manager
