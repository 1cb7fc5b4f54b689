#pragma once

#include <memory>

#include "agent/actions/action.h"
#include "agent/host/host.h"

namespace hostq::agent {

// Messages of DIFFERS begin with it.
inline constexpr char kToBeDone[] = "to be done: ";

// `host` as it is, for steps that are to tell what they would change: what looks is passed on, what
// would change the system fails with DIFFERS and says what would have been done. Notes are neither
// written nor removed, and that is no failure: nobody but hostq sees them. `host` must outlive it.
std::unique_ptr<Host> MakeComparingHost(Host& host);

// The step as a look: it changes nothing, what it finds stops nobody, and the next one looks too.
Step Compared(Step step);

}  // namespace hostq::agent
