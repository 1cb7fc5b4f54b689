#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hostq::agent {

struct ChildOutcome {
  // What `work` returned; an errno value, 0 for success.
  int error_number = 0;
  // Killed at the deadline, or by somebody else.
  bool killed = false;
  // After a kill that did not work: state and wait channel, from /proc.
  std::string stuck_in;
};

// Runs `work` in a forked child, which is killed after `timeout`: for calls that a dead file server
// blocks. Returns within 2 s of the deadline even if the child cannot be killed (it is then left to
// end by itself). For single-threaded processes.
ChildOutcome RunInChild(absl::Duration timeout, absl::FunctionRef<int()> work);

struct ProgramOutcome {
  int exit_status = 0;
  // What it wrote to both outputs, at most 4 KiB, without the last newline.
  std::string output;
};

// Becomes the program at `path`, with these as its input, output and errors, and nothing else of
// this process: the fixed environment, no other descriptors, no signals blocked. If it cannot be
// run, says so among its errors and ends with 127. Only in a forked child.
[[noreturn]] void ExecProgram(const std::string& path, const std::vector<std::string>& argv,
                              int input, int output, int errors);

// "D in rpc_wait_bit_killable": what /proc tells of a process that will not go.
std::string KernelState(pid_t pid);

// Directories in which programs are looked for; nothing else is ever run.
const std::vector<std::string>& ProgramDirectories();

// Runs a program of the system with exactly these arguments, an empty input and a fixed
// environment. argv[0] is its name. Errors: TOOL_MISSING, STEP_TIMED_OUT (killed), STEP_CRASHED
// (died by a signal), OUT_OF_RESOURCES.
absl::StatusOr<ProgramOutcome> RunProgram(const std::vector<std::string>& argv,
                                          absl::Duration timeout);

}  // namespace hostq::agent
