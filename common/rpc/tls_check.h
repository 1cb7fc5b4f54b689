#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/identity.h"

namespace hostq {

// Why no call gets through to the manager at `host_port`. For everything that TLS refuses gRPC has
// "Socket closed" or OpenSSL's words, and it sends no alert; so this connects once more as it
// would: showing `identity` (none, if its certificate is empty), trusting `ca_pem` alone.
//
// OK: the manager answers, so that the cause is another one, or has passed. Blocks at most
// `timeout`, name resolution apart. Errors: UNAUTHENTICATED (UNAUTHENTICATED, with a remedy: the
// server is not a manager of this authority, or it hangs up on this identity), INVALID_ARGUMENT
// (INVALID_ARGUMENT: address or PEM malformed), UNAVAILABLE (nobody there, or no TLS 1.3),
// DEADLINE_EXCEEDED.
absl::Status CheckTls(absl::string_view host_port, const TlsIdentity& identity,
                      absl::string_view ca_pem, absl::Duration timeout);

}  // namespace hostq
