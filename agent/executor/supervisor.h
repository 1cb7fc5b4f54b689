#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace hostq::agent {

// A process to be kept running. `run` returns its exit status; it ends on SIGTERM.
struct SupervisedProcess {
  std::string name;  // at most 15 bytes, as ps shows it
  std::function<int()> run;
  // This exit status means that starting it again would be no use.
  int hopeless_status = -1;
};

struct SupervisorOptions {
  // Between the death of a process and its next start: doubled with each death, and back to the
  // first after a quiet minute.
  absl::Duration first_delay = absl::Milliseconds(200);
  absl::Duration longest_delay = absl::Seconds(10);
  // From SIGTERM to SIGKILL.
  absl::Duration stop_patience = absl::Seconds(10);
};

// Forks each process and starts it again when it dies, until SIGTERM or SIGINT; then ends them, the
// last of the list first. Returns 0 then, or the hopeless status of a process. To be called while
// the program has one thread. If this process dies, the kernel kills the others.
int Supervise(const std::vector<SupervisedProcess>& processes,
              const SupervisorOptions& options = {});

}  // namespace hostq::agent
