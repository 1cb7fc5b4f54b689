#pragma once

#include "absl/strings/string_view.h"

namespace hostq {

namespace internal {
extern const bool kCrashPointArmed;
void PassCrashPoint(absl::string_view name);
}  // namespace internal

// A moment at which a process may die, and must not lose or repeat anything by it: named, so that
// tests/crash can end the process exactly there. Names begin with the program: "manager.NAME",
// "agent.NAME".
//
// Armed by the environment alone: HOSTQ_CRASH_POINT=NAME:N:FILE. Every pass through the point of
// that name appends a byte to FILE (an absolute path); the pass that writes the Nth ends the
// process as SIGKILL does. So it strikes once, whichever of a program's processes passes, also
// after a restart, and FILE tells that it did. HOSTQ_PAUSE_POINT is the same, but stops the process
// until SIGCONT. Not armed, it costs one load and a branch.
inline void CrashPoint(absl::string_view name) {
  if (internal::kCrashPointArmed) [[unlikely]]
    internal::PassCrashPoint(name);
}

}  // namespace hostq
