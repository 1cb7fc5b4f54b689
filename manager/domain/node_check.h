#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/base/reason.h"

namespace hostq::manager {

// What a look at a node (its preflight), or a share that was mounted there, has shown of reasons
// for which tasks are parked.
struct NodeCheck {
  std::string node;
  // When it began (Now::monotonic): it says nothing about what failed later.
  absl::Duration begin;
  // What the checks that failed or warned found.
  std::vector<Reason> reasons;
  // What would have been found: CoveredBy the checks that ran. A check that was skipped says
  // nothing.
  std::vector<Reason> covered;
};

// The reasons that a check of the preflight, by its name ("share-export"), finds if they are there;
// "mount_share" stands for a share that was mounted. None for a name that is not known.
absl::Span<const Reason> CoveredBy(absl::string_view check);

// Whether anything covers the reason. If not, only trying again tells whether it is mended.
bool IsCovered(Reason reason);

}  // namespace hostq::manager
