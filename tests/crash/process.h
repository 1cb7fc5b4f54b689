#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace hostq::crash {

// A program that is killed and started again; its output goes on in one log. Killed by the kernel
// when this process ends. Belongs to one thread.
class Process {
 public:
  // `netns`: file of the network namespace to run in; empty: this one.
  Process(std::string name, std::vector<std::string> words, std::string log, std::string netns);
  ~Process();
  Process(Process&&) = default;

  const std::string& name() const { return name_; }
  // `crash_point`: HOSTQ_CRASH_POINT, unless empty.
  void Start(const std::string& crash_point);
  // SIGKILL, and waits until it is gone.
  void Kill();
  // SIGTERM, and its exit status.
  int Stop();
  // Whether it has ended by itself since it was started. Ended in any other way than by SIGKILL, it
  // is said in `surprises`.
  bool Ended(std::vector<std::string>& surprises);

 private:
  const std::string name_;
  const std::vector<std::string> words_;
  const std::string log_;
  const std::string netns_;
  pid_t pid_ = 0;
};

}  // namespace hostq::crash
