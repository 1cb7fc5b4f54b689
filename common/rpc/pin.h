#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq {

// Gets the cluster's authority from the manager at `host_port` ("192.0.2.1:7444",
// "[2001:db8::1]:7444", "name:7444") and trusts nothing but `pin` ("sha256:HEX", from the join
// line): connects with TLS 1.3, takes the certificates shown, and returns in PEM the one whose
// public key has that hash, provided that it is an authority, that it signed the server's own
// certificate, that this one is for servers, valid now, and says "hostq-manager", and that the
// server has its key. Sends nothing but the handshake. Blocks at most `timeout`, name resolution
// apart. Errors: INVALID_ARGUMENT (INVALID_ARGUMENT: address or pin malformed), UNAVAILABLE (cannot
// connect, or no TLS 1.3 there), DEADLINE_EXCEEDED, UNAUTHENTICATED (UNAUTHENTICATED: not the
// authority that was pinned, or not a manager's certificate; the message says which pins were
// shown).
absl::StatusOr<std::string> FetchCaByPin(absl::string_view host_port, absl::string_view pin,
                                         absl::Duration timeout);

}  // namespace hostq
