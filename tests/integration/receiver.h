#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"

namespace hostq::manager::testing {

// Somebody who is sent webhooks: an HTTP server on loopback that says what the test tells it to
// say.
class Receiver {
 public:
  struct Request {
    std::string target;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
  };
  // The whole answer, as it goes over the wire; empty: none, until the receiver goes.
  using Reply = std::function<std::string(const Request&)>;

  // `identity`: PEM file with certificate and key: TLS. Answers 204 until told otherwise.
  explicit Receiver(const std::string& identity = "");
  ~Receiver();

  std::string url(const std::string& path = "/in", const std::string& host = "127.0.0.1") const;
  void SetReply(Reply reply);
  // "HTTP/1.1 503 ..." with this body.
  static std::string Answer(int status, const std::string& body = "");

  std::vector<Request> requests() const;
  size_t count() const { return requests().size(); }
  // Connections that were made, whether or not anything was said.
  int connections() const;

 private:
  struct Listener;
  template <typename Stream>
  void Serve(Stream& stream);
  void Accept();

  std::unique_ptr<Listener> listener_;
  const bool tls_;
  uint16_t port_ = 0;
  mutable Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int connections_ ABSL_GUARDED_BY(mutex_) = 0;
  Reply reply_ ABSL_GUARDED_BY(mutex_);
  std::vector<Request> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> serving_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hostq::manager::testing
