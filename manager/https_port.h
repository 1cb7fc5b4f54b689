#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/rpc/credentials.h"
#include "grpcpp/server.h"
#include "manager/access/gateway_calls.h"
#include "manager/api/admission.h"
#include "manager/http/front.h"
#include "manager/http/gateway.h"
#include "manager/http/http_server.h"
#include "manager/http/rest.h"
#include "manager/listener_limits.h"
#include "manager/metrics/manager_metrics.h"
#include "manager/tcp_acceptor.h"

namespace hostq::manager {

// The HTTPS port: its acceptor, its server, and the gateway to the services behind it, which are
// served a second time, to this process alone. Thread-safe.
class HttpsPort {
 public:
  struct Parts {
    std::string host;
    uint16_t port = 0;
    WatchedFiles files;
    ListenerLimits limits;
    std::vector<std::pair<const char*, grpc::Service*>> services;  // by full name
    GatewayCalls& calls;
    CallAdmission& admission;
    Clock& clock;
    // As in WebFront.
    std::function<absl::Status()> ready;
    std::function<void(const Caller& caller)> signed_in_or_out;
    std::vector<WebFront::Page> pages;
    ManagerMetrics& metrics;
  };
  // Listens; connections wait until Start(). All it is made of must outlive it. Blocks on the disk.
  // Errors: those of HttpServer::Start and TcpAcceptor::Listen.
  static absl::StatusOr<std::unique_ptr<HttpsPort>> Open(Parts parts);
  ~HttpsPort();

  void Start();
  // The peer ("ADDRESS:PORT") has shown who it is.
  void Know(const std::string& peer) { acceptor_->Know(peer); }
  // See HttpServer; what does not fit is logged.
  void FollowFiles();
  // Takes no more connections.
  void StopAccepting() { acceptor_->Stop(); }
  // Ends calls at `until` by force, then connections. May be called twice.
  void Stop(std::chrono::system_clock::time_point until);

 private:
  HttpsPort() = default;
  absl::Status StartGateway(const Parts& parts);

  std::unique_ptr<grpc::Server> services_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<Rest> rest_;
  std::unique_ptr<WebFront> front_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<TcpAcceptor> acceptor_;
};

}  // namespace hostq::manager
