#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "hostq/v1/command_service.pb.h"
#include "manager/access/caller.h"
#include "manager/api/admission.h"
#include "manager/api/open_streams.h"
#include "manager/api/workers.h"
#include "manager/cluster/cluster.h"
#include "manager/engine/engine.h"
#include "manager/store/store.h"

namespace hostq::manager {

// What the services work on. All of it must outlive the gRPC server.
struct Backend {
  Engine& engine;
  Cluster& cluster;  // on the engine's thread only
  Store& store;      // on the workers' threads only
  Clock& clock;
  Workers& workers;
  CallAdmission& admission;
  OpenStreams& streams;
};

// Ends a unary call; to be called once. The request and the response live until then.
using Done = std::function<void(const absl::Status&)>;
Done DoneOf(grpc::ServerUnaryReactor* reactor);
// Runs `job` on a worker, or ends the call with RESOURCE_EXHAUSTED.
void OnWorker(const Backend& backend, const Done& done, std::function<void()> job);

// Who makes this call of `method` ("hostq.v1.NodeService.PauseNode"). Every method begins with it.
// Nothing: the caller may not, or not now, and the call has ended with PERMISSION_DENIED,
// UNAUTHENTICATED or RESOURCE_EXHAUSTED (RATE_LIMITED).
std::optional<Caller> Admit(const Backend& backend, grpc::CallbackServerContext& context,
                            absl::string_view method, const Done& done);

// Ends a call that was admitted and is refused before it reaches the engine, which writes down what
// it refuses itself: what the caller may not do to `target` stands in the audit.
void Refuse(const Backend& backend, const Caller& caller, std::string target,
            const absl::Status& status, const Done& done);

// Errors: INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::StatusOr<CommandId> ParseCommandId(absl::string_view field, absl::string_view text);

// What of the request is checked before the engine sees it: the rest is the cluster's.
// Errors: INVALID_ARGUMENT (REQUEST_TOO_LARGE, INVALID_ARGUMENT).
absl::Status CheckRequest(const v1::CreateCommandRequest& request);
// The request without its id, in bytes that are the same for the same content.
std::string ContentOf(const v1::CreateCommandRequest& request);
// A request of more bytes than this is refused; a command is stored and sent many times.
inline constexpr size_t kMaxRequestBytes = 256 << 10;
inline constexpr size_t kMaxRequestId = 64;
inline constexpr size_t kMaxNote = 500;

}  // namespace hostq::manager
