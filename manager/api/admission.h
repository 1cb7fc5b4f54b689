#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/clock.h"
#include "common/crypto/secret.h"
#include "grpcpp/server_context.h"
#include "manager/access/caller.h"
#include "manager/access/gateway_calls.h"
#include "manager/access/key_ring.h"
#include "manager/access/rate_limiter.h"
#include "manager/access/socket_peers.h"
#include "manager/api/authorization.h"
#include "manager/cluster/cluster.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// What somebody who comes over the network shows of who it is.
struct Shown {
  std::string peer;  // as gRPC has it: "ipv4:192.0.2.1:4711"
  // The verified client certificate of the connection, PEM. Empty: none.
  std::string certificate_pem;
  // Nothing: no key was shown. If both were, the key counts.
  std::optional<SecretString> key;
  // The request comes from a page of another site.
  bool foreign_origin = false;
  // It came to the HTTPS port.
  bool by_gateway = false;
};

// The key in a header authorization; an empty one if there is none in it.
SecretString KeyIn(absl::string_view authorization);
// What the caller calls its request, if that can be a name; otherwise a new one.
std::string RequestIdFrom(absl::string_view said);

// Who a call comes from, and whether it is let in: by the kernel's word on the local socket, by an
// administrator's certificate or an API key on the API listener and the HTTPS port. What a key is
// let in for at all is decided here by the method's rule; which part of the cluster it may see, in
// the method (key_scope.h). Thread-safe; does not block. All it is made of must outlive it.
class CallAdmission {
 public:
  struct Parts {
    Engine& engine;
    Cluster& cluster;  // on the engine's thread only
    Clock& clock;
    KeyRing& keys;
    AdministratorRing& administrators;
    SocketPeers& socket_peers;
    RateLimiter& limiter;  // by caller
    const GatewayCalls& gateway_calls;
    // Somebody at this peer (gRPC's word) has shown on the API listener, or at the HTTPS port
    // (`by_gateway`), who it is. May be empty.
    std::function<void(const std::string& peer, bool by_gateway)> known;
  };
  explicit CallAdmission(const Parts& parts)
      : parts_(parts), failures_({/*per_second=*/1, /*burst=*/10}) {}

  // Also gives the call its request id, which goes back in the initial metadata
  // ("hostq-request-id").
  // Errors: UNAUTHENTICATED (UNAUTHENTICATED, KEY_INVALID, KEY_EXPIRED, KEY_REVOKED),
  // PERMISSION_DENIED (SOURCE_NOT_ALLOWED, NOT_AUTHORIZED, OUT_OF_SCOPE, FOREIGN_ORIGIN),
  // RESOURCE_EXHAUSTED (RATE_LIMITED).
  absl::StatusOr<Caller> Admit(grpc::CallbackServerContext& context, absl::string_view method);

  // That it is let in once more, for what counts as several calls. Errors: RESOURCE_EXHAUSTED
  // (RATE_LIMITED).
  absl::Status Spend(const Caller& caller);

  // Who it is that signs in (`act` is what the audit calls it); what it may do is not looked at.
  // Errors: as Admit, but OUT_OF_SCOPE.
  absl::StatusOr<Caller> Recognize(const Shown& shown, absl::string_view act,
                                   absl::string_view request_id);

  // Whether what it was let in with still holds: for streams. Errors: UNAUTHENTICATED
  // (UNAUTHENTICATED, KEY_EXPIRED, KEY_REVOKED).
  absl::Status Recheck(const Caller& caller) const;

 private:
  std::shared_ptr<const GatewayCall> GatewayCallOf(
      const grpc::CallbackServerContext& context) const;
  void IdentifyLocal(const grpc::CallbackServerContext& context, const SocketPeers::Peer& peer,
                     Caller& caller) const;
  absl::Status Identify(const Shown& shown, Caller& caller);
  absl::Status IdentifyAdministrator(absl::string_view certificate_pem, Caller& caller);
  void Deny(const Caller& caller, const absl::Status& status);
  absl::Status IdentifyKey(const SecretString& text, Caller& caller);
  absl::Status Authorize(const Caller& caller) const;
  // What the caller is told: `status`, or, if too many come from there, to wait.
  absl::Status CountFailure(const Caller& caller, const KeyRing::Failure& failure,
                            const absl::Status& status);
  void RaiseAlarm(std::string subject, std::string message, std::string source);

  const Parts parts_;
  // Of what was shown and was wrong, by source. Whoever shows what is right is let in whatever
  // others at the same address do: what keeps secrets from being guessed is their length.
  RateLimiter failures_;
  // Apart: strangers make up sources, but not keys.
  FailureCounter key_failures_, source_failures_;
};

// A call that was refused for who makes it, or for what the caller may do: it is logged. Never the
// text of a key.
void Refused(const Caller& caller, const absl::Status& status);

}  // namespace hostq::manager
