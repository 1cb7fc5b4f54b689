#pragma once

#include <functional>
#include <string>

#include "common/base/clock.h"
#include "common/log/log_budget.h"
#include "grpcpp/support/server_interceptor.h"
#include "manager/access/rate_limiter.h"

namespace hostq::manager {

// Ends connections on which calls begin faster than anybody with good intentions would begin them
// (HTTP/2 rapid reset: a call that is begun and reset at once counts for no limit of gRPC's 1.51,
// and costs as much as another). Looks at every call of a listener, changes none.
class CallGuard final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  // `end` is called with what PeerAddressAndPort calls a peer that is over `rate`; on any thread.
  // `clock` must outlive it.
  using End = std::function<void(const std::string& peer)>;
  CallGuard(const RateLimiter::Options& rate, Clock& clock, End end)
      : limiter_(rate), clock_(clock), end_(std::move(end)) {}

  // Makes none.
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  RateLimiter limiter_;
  Clock& clock_;
  const End end_;
  LogBudget log_{1};
};

// "ADDRESS:PORT" of "ipv4:192.0.2.1:4711", "[ADDRESS]:PORT" of "ipv6:%5B2001:db8::1%5D:4711" and
// "ipv6:%5Bfe80::1%252%5D:4711"; "fd:17", a connection of the local socket, as it is; empty if
// it is none of these.
std::string PeerAddressAndPort(absl::string_view grpc_peer);

}  // namespace hostq::manager
