#pragma once

#include "absl/status/status.h"

namespace hostq::manager {

// Of this folder: the mailbox is full. RESOURCE_EXHAUSTED (QUEUE_FULL), with the delay.
absl::Status TooManyRequests();

}  // namespace hostq::manager
