#include "manager/api/health_service.h"

#include "common/rpc/peer.h"
#include "common/rpc/status.h"

namespace hostq::manager {

::grpc::ServerUnaryReactor* HealthService::Check(
    ::grpc::CallbackServerContext* context, const ::grpc::health::v1::HealthCheckRequest* request,
    ::grpc::health::v1::HealthCheckResponse* response) {
  auto* reactor = context->DefaultReactor();
  const std::string source = RateLimitSource(PeerAddress(context->peer()));
  if (const absl::Status status = limiter_.Check(source, clock_.Monotonic()); !status.ok()) {
    reactor->Finish(ToGrpc(status));
  } else if (!request->service().empty()) {
    // Which services there are is nobody's business.
    reactor->Finish(ToGrpc(absl::NotFoundError("no such service")));
  } else {
    response->set_status(::grpc::health::v1::HealthCheckResponse::SERVING);
    reactor->Finish(::grpc::Status::OK);
  }
  return reactor;
}

}  // namespace hostq::manager
