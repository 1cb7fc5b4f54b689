#pragma once

#include "common/base/clock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "manager/access/rate_limiter.h"

namespace hostq::manager {

// grpc.health.v1.Health, for everybody who reaches the API listener: that it serves, and nothing
// else.
class HealthService final : public ::grpc::health::v1::Health::CallbackService {
 public:
  explicit HealthService(Clock& clock) : clock_(clock), limiter_({/*per_second=*/20, 40}) {}

  ::grpc::ServerUnaryReactor* Check(::grpc::CallbackServerContext* context,
                                    const ::grpc::health::v1::HealthCheckRequest* request,
                                    ::grpc::health::v1::HealthCheckResponse* response) override;

 private:
  Clock& clock_;
  RateLimiter limiter_;  // by source
};

}  // namespace hostq::manager
