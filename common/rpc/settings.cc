#include "common/rpc/settings.h"

#include <atomic>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/clock.h"
#include "common/base/reason.h"
#include "common/log/log.h"
#include "grpc/impl/codegen/grpc_types.h"
#include "grpc/support/log.h"

namespace hostq {
namespace {

constexpr int kKeepaliveMillis = 20'000;
constexpr int kKeepaliveTimeoutMillis = 10'000;
// Half of what a peer with these settings sends at most, so that jitter is no offence; more often
// is abuse, and the connection is closed.
constexpr int kMinPingIntervalMillis = kKeepaliveMillis / 2;
// An agent has one stream; an integration may watch several commands at once.
constexpr int kMaxStreamsPerConnection = 100;

constexpr int kWarningsPerSecond = 10;

// Counts this second's warnings; exact enough without a lock.
bool MayWarn() {
  static std::atomic<int64_t> second{0};
  static std::atomic<int> count{0};
  const int64_t now = absl::ToInt64Seconds(SystemClock().Monotonic());
  if (second.exchange(now) != now) count = 0;
  return ++count <= kWarningsPerSecond;
}

void LogForGrpc(gpr_log_func_args* arguments) {
  absl::string_view file = arguments->file;
  if (const size_t slash = file.rfind('/'); slash != file.npos) file.remove_prefix(slash + 1);
  const std::string place = absl::StrCat(file, ":", arguments->line);
  if (arguments->severity != GPR_LOG_SEVERITY_ERROR) {
    LogDebug("grpc", {{"message", arguments->message}, {"at", place}});
  } else if (MayWarn()) {
    const absl::string_view message = arguments->message;
    if (absl::StartsWith(message, "Handshake failed")) {
      LogWarning(
          "grpc",
          {{"message", message}, {"reason", NameOf(Reason::kUnauthenticated)}, {"at", place}});
    } else {
      LogWarning("grpc", {{"message", message}, {"at", place}});
    }
  }
}

}  // namespace

void ConfigureServer(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMillis);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  // Otherwise a second manager starts on the same port and takes half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

void ConfigureChannel(grpc::ChannelArguments& arguments) {
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // A new channel is a new connection, with the credentials it was made with.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
}

void RouteGrpcLog() { gpr_set_log_function(LogForGrpc); }

}  // namespace hostq
