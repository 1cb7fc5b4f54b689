#pragma once

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace hostq {

// The domain of our reasons in google.rpc.ErrorInfo.
inline constexpr char kErrorDomain[] = "hostq";

// The reason travels as google.rpc.ErrorInfo{reason: its name, domain: "hostq"} in the details
// (grpc-status-details-bin), where any client finds it. The message is cut to 2000 bytes, because
// it travels in a header, and made valid UTF-8.
grpc::Status ToGrpc(const absl::Status& status);

// The other way. A reason of another domain, or one that this version does not know, is kNone.
// Details that cannot be read are ignored: the code and the message stand.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace hostq
