#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/base/mutex.h"
#include "common/crypto/secret.h"

namespace hostq::manager {

// What the HTTPS port knows of who makes a request: gRPC's word for its peer cannot say it of a
// call that the port's gateway makes in this process.
struct GatewayCall {
  // As gRPC would have it: "ipv4:192.0.2.1:4711".
  std::string peer;
  // The verified client certificate of the connection, PEM. Empty: none was shown.
  std::string certificate_pem;
  // Of the header authorization, what follows "Bearer " (empty if it is of another sort); or the
  // key that the session was opened with. Nothing: no key was shown.
  std::optional<SecretString> key;
  std::string request_id;
  // The header traceparent (W3C trace context), if there was one; whatever was in it.
  std::string trace_parent;
};

// The calls that the gateway is making, each under a name that nobody can guess; the call has the
// name in its metadata (kMetadata). So the metadata by itself proves nothing, and whoever sends it
// from elsewhere gains nothing. Thread-safe; does not block.
class GatewayCalls {
 public:
  static constexpr char kMetadata[] = "hostq-gateway-call";

  // The call's name. It is forgotten with End().
  std::string Begin(GatewayCall call);
  void End(const std::string& name);
  // Null: there is no such call.
  std::shared_ptr<const GatewayCall> Find(absl::string_view name) const;

 private:
  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<const GatewayCall>> calls_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
