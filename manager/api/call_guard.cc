#include "manager/api/call_guard.h"

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/log/log.h"
#include "grpcpp/server_context.h"

namespace hostq::manager {

std::string PeerAddressAndPort(absl::string_view grpc_peer) {
  if (absl::StartsWith(grpc_peer, "fd:")) return std::string(grpc_peer);
  if (!absl::ConsumePrefix(&grpc_peer, "ipv4:") && !absl::ConsumePrefix(&grpc_peer, "ipv6:")) {
    return "";
  }
  std::string text = absl::StrReplaceAll(grpc_peer, {{"%5B", "["}, {"%5D", "]"}});
  // Of a link-local address gRPC says on which link; who accepts does not.
  if (const size_t link = text.find('%'); link != std::string::npos) {
    text.erase(link, text.find(']', link) - link);
  }
  return text;
}

grpc::experimental::Interceptor* CallGuard::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  const std::string peer = PeerAddressAndPort(info->server_context()->peer());
  const absl::Duration now = clock_.Monotonic();
  if (peer.empty() || limiter_.WaitOf(peer, now) == absl::ZeroDuration()) return nullptr;
  end_(peer);
  if (const auto left_out = log_.Take(now)) {
    LogWarning("connection ended: calls begin too fast on it",
               {{"peer", peer},
                {"method", info->method()},
                {"reason", NameOf(Reason::kRateLimited)},
                {"more_not_shown", *left_out}});
  }
  return nullptr;
}

}  // namespace hostq::manager
