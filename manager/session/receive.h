#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hostq/agent/v1/session.pb.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// Hands the engine what an agent says in an open session: everything but its hello. `node` is the
// peer's name from its certificate, `now` when the message arrived. Does not block. Errors end the
// stream: INVALID_ARGUMENT (a message out of order or of no known kind; a lease as in FromProto).
absl::Status Receive(const agent::v1::AgentMessage& message, absl::string_view node,
                     uint64_t session, absl::Time now, Engine& engine);

}  // namespace hostq::manager
