#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "manager/domain/queue.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// What is in the queue, counted.
struct Census {
  struct Waiting {
    uint64_t tasks = 0;
    absl::Time oldest = absl::InfiniteFuture();  // since when the first of them is in the phase
  };
  std::array<Waiting, 8> phases;  // by Phase, up to kParked; without those that are delayed
  // Of commands that are not to start yet.
  uint64_t delayed = 0;
  // Of those in kQueued: nothing holds them up but that their node has its hands full.
  Waiting ready;
  uint64_t commands = 0;
  // Tasks that need somebody, by what is wrong: the cause, if there is one, as in `hostq stuck`.
  // Those that only wait for another task count below, not here.
  std::map<Reason, uint64_t> stuck;
  uint64_t behind = 0;
};

// Adds the commands with ids from `from` on, until about `limit` tasks have been looked at. Returns
// where to go on; nothing: that was all. So a queue of any length is counted without keeping the
// engine from its work; what moves meanwhile may count twice or not at all.
std::optional<CommandId> Count(const Queue& queue, CommandId from, size_t limit, const Now& now,
                               Census& census);

}  // namespace hostq::manager
