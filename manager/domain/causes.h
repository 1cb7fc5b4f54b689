#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "manager/domain/findings.h"

namespace hostq::manager {

// One thing that somebody has to mend, and all that waits for it. See hostq.v1.Cause.
struct Cause {
  Reason reason = Reason::kNone;
  Owner owner = Owner::kNobody;
  // What is to be mended; empty: the manager itself.
  std::string subject;
  std::vector<std::string> nodes;  // in order, each once
  int64_t tasks = 0;               // that have this cause themselves
  int64_t waiting = 0;             // that wait for one of them
  absl::Time since = absl::InfiniteFuture();
  // Of the oldest of its findings, as is the reason.
  std::string summary;
  std::string remedy;
  std::string example_task;  // empty: none

  // "REASON/SUBJECT", or "FILE_SERVER/ADDRESS" whatever that does wrong: the same for the same
  // cause, whenever it is computed.
  std::string Id() const;
  bool operator==(const Cause&) const = default;
};

// The findings in which somebody has to act, gathered by what has to be mended: a broken file
// server is one cause, however many tasks and nodes wait for it. That with the most tasks comes
// first. Pure.
std::vector<Cause> GatherCauses(absl::Span<const Finding> findings);

}  // namespace hostq::manager
