#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "common/base/histogram.h"
#include "common/base/reason.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// What the queue has seen pass since the manager started. Plain data.
struct QueueStats {
  // Of each attempt: from when the task was ready to wait (submitted, or to be tried again) until a
  // node had it in its journal, with all that it waited for; from then until its first step; from
  // then until it ended, well or not.
  Histogram schedule_to_accept{kWorkBounds};
  Histogram accept_to_start{kWorkBounds};
  Histogram start_to_finish{kWorkBounds};
  // Tasks that have finished, by Outcome.
  std::array<uint64_t, 6> finished{};
  uint64_t commands = 0;  // submitted, with parts and the manager's own
  uint64_t leases = 0;    // sent to nodes
  std::map<Reason, uint64_t> failed_attempts;
  std::map<Reason, uint64_t> refused_by_node;
};

}  // namespace hostq::manager
