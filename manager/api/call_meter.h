#pragma once

#include "common/base/clock.h"
#include "grpcpp/support/server_interceptor.h"
#include "manager/metrics/call_counts.h"

namespace hostq::manager {

// Counts the calls of a listener as they end, whoever refused them. Changes none.
class CallMeter final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  // All must outlive the server. Calls are named "hostq.v1.NodeService.PauseNode".
  CallMeter(CallCounts& calls, RefusalCounts& refusals, Clock& clock)
      : calls_(calls), refusals_(refusals), clock_(clock) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  CallCounts& calls_;
  RefusalCounts& refusals_;
  Clock& clock_;
};

// "/hostq.v1.NodeService/PauseNode" as "hostq.v1.NodeService.PauseNode".
std::string MethodName(absl::string_view path);

}  // namespace hostq::manager
