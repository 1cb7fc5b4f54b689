#include "manager/https_port.h"

#include "common/base/error.h"
#include "common/log/log.h"
#include "common/rpc/settings.h"
#include "grpcpp/server_builder.h"
#include "manager/api/call_meter.h"
#include "manager/web_metrics.h"

namespace hostq::manager {

absl::StatusOr<std::unique_ptr<HttpsPort>> HttpsPort::Open(Parts parts) {
  std::unique_ptr<HttpsPort> port(new HttpsPort);
  HOSTQ_RETURN_IF_ERROR(port->StartGateway(parts));
  port->rest_ = std::make_unique<Rest>(*port->gateway_);
  port->front_ = std::make_unique<WebFront>(WebFront::Parts{
      *port->rest_, parts.admission, parts.clock, std::move(parts.ready),
      std::move(parts.signed_in_or_out), parts.limits.calls, std::move(parts.pages)});
  HttpLimits limits;
  limits.idle = absl::Seconds(30);  // as on the other ports
  HOSTQ_ASSIGN_OR_RETURN(
      port->server_, HttpServer::Start(
                         parts.files,
                         [front = port->front_.get(), &metrics = parts.metrics,
                          &clock = parts.clock](std::shared_ptr<HttpExchange> exchange) {
                           front->Handle(Counted(std::move(exchange), metrics.requests(), clock));
                         },
                         limits));
  HOSTQ_ASSIGN_OR_RETURN(port->acceptor_, TcpAcceptor::Listen(parts.host, parts.port,
                                                              parts.limits.acceptor, parts.clock));
  return port;
}

absl::Status HttpsPort::StartGateway(const Parts& parts) {
  grpc::ServerBuilder builder;
  // One connection, within this process, for ever: none of the limits of those from elsewhere.
  ConfigureServer(builder);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> lookers;
  lookers.push_back(
      std::make_unique<CallMeter>(parts.metrics.calls(), parts.metrics.refusals(), parts.clock));
  builder.experimental().SetInterceptorCreators(std::move(lookers));
  for (const auto& [name, service] : parts.services) {
    HOSTQ_CHECK(MayServe(Listener::kAdministration, name));
    builder.RegisterService(service);
  }
  services_ = builder.BuildAndStart();
  if (services_ == nullptr) {
    return MakeError(absl::StatusCode::kInternal, Reason::kInternal,
                     "the gateway of the HTTPS port cannot be started");
  }
  gateway_ = std::make_unique<Gateway>(*services_, parts.calls);
  return absl::OkStatus();
}

HttpsPort::~HttpsPort() { Stop(std::chrono::system_clock::now()); }

void HttpsPort::Start() {
  acceptor_->Start([this](int fd) { server_->Take(fd); });
}

void HttpsPort::FollowFiles() {
  if (const absl::Status status = server_->FollowFiles(); !status.ok()) {
    LogError("the HTTPS port goes on with the certificate that it had", {{"status", status}});
  }
}

void HttpsPort::Stop(std::chrono::system_clock::time_point until) {
  if (acceptor_ != nullptr) acceptor_->Stop();
  // What is under way answers to connections that are there still.
  if (services_ != nullptr) services_->Shutdown(until);
  // A stream whose client reads nothing waits for it, not for the service.
  if (gateway_ != nullptr) gateway_->EndStreams();
  if (server_ != nullptr) server_->Stop();
  if (gateway_ != nullptr) gateway_->Stop();
}

}  // namespace hostq::manager
