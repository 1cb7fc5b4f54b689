#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace hostq::agent {

// Which processes run steps, written down for the executor after this one: a process that the
// kernel holds (a server that is gone, a file system that is frozen) outlives the executor that
// made it, and nobody may touch its resource meanwhile. A file for each process, in a directory
// that the next boot empties; a file that cannot be written is a warning in the log.
class RunningSteps {
 public:
  struct Process {
    pid_t pid = 0;
    // Of the kernel, since the boot: with it a process id names one process only.
    std::string start_time;
    std::string resource_key;
  };

  // Made when it is needed; empty: nothing is written down.
  explicit RunningSteps(std::string directory) : directory_(std::move(directory)) {}

  void Add(pid_t pid, const std::string& resource_key) const;
  void Remove(pid_t pid) const;
  // What an executor before this one has left running. What has ended is forgotten.
  std::vector<Process> Left() const;
  // The process itself, or one that it started and that the kernel holds: each step has a process
  // group of its own. 0: all have ended.
  static pid_t HolderOf(const Process& process);
  // Forgets it as soon as it, and all that it started, have ended.
  bool HasEnded(const Process& process) const;

 private:
  std::string FileOf(pid_t pid) const;

  const std::string directory_;
};

}  // namespace hostq::agent
