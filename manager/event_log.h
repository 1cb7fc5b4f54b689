#pragma once

#include "hostq/v1/event_service.pb.h"

namespace hostq::manager {

// One log line for an event that an administrator wants to find in the log: commands accepted and
// ended, tasks that failed, nodes that came and went. Blocks as the log does.
void LogEvent(const v1::Event& event);

}  // namespace hostq::manager
