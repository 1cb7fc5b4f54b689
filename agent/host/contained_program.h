#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hostq::agent {

// How a program of the node's administrator ended.
struct ContainedOutcome {
  // Killed at its deadline; else ended by `signal`; else, if that is 0, by itself.
  bool timed_out = false;
  int signal = 0;
  int exit_status = 0;
  // The end of what it wrote: at most kMaxContainedOutput bytes of anything.
  std::string output;
  // The same of its errors, if they are kept apart.
  std::string errors;
  // Processes that it had left behind; they were killed.
  int left_behind = 0;
  // Of one that does not end although it was killed: state and wait channel, from /proc.
  std::string stuck_in;
};

inline constexpr size_t kMaxContainedOutput = 1000;

enum class Errors { kWithOutput, kApart };

// Runs a program, argv[0] being its path, with `input` on its standard input, the fixed environment
// of RunProgram, in /, and in a process group of its own. When it has ended, or after `timeout`,
// everything that descends from it is killed, whatever it did to get away; nobody waits for an end
// of its output. Returns within 2 s of that even if a process cannot be killed. Errors:
// OUT_OF_RESOURCES. For single-threaded processes without other children.
absl::StatusOr<ContainedOutcome> RunContained(const std::vector<std::string>& argv,
                                              const std::string& input, absl::Duration timeout,
                                              Errors errors = Errors::kWithOutput);

}  // namespace hostq::agent
