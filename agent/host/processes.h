#pragma once

#include <sys/types.h>

#include <vector>

#include "absl/time/time.h"

namespace hostq::agent {

// Orphans among the processes that descend from this one become its children, instead of process
// 1's.
void AdoptOrphans();

// Every process that `parent` has not reaped yet; zombies too.
std::vector<pid_t> ChildrenOf(pid_t parent);

// Every process that lives and descends from `ancestor`, as /proc shows them now.
std::vector<pid_t> DescendantsOf(pid_t ancestor);

// Kills and reaps what descends from this process, again until nothing is left: what is made
// meanwhile as well. Needs AdoptOrphans before the first of them was made. False if something is
// still there after `patience`.
bool EndDescendants(absl::Duration patience);

}  // namespace hostq::agent
