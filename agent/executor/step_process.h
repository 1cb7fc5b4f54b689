#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/actions/action.h"
#include "hostq/agent/v1/executor.pb.h"

namespace hostq::agent {

// PlanSteps with the node's policy, or steps of a test.
using StepPlanner =
    std::function<absl::StatusOr<std::vector<Step>>(const v1::Work& work, const Roles& roles)>;

// "app", "storage"; others mean nothing to an agent.
template <typename Strings>
Roles RolesFromNames(const Strings& names) {
  Roles roles;
  for (const auto& name : names) {
    if (name == "app") roles.app = true;
    if (name == "storage") roles.storage = true;
  }
  return roles;
}

// The process of one step: a fork of this one without its descriptors, in a process group of its
// own, ended by the kernel if its parent dies. Only for single-threaded parents.
class StepProcess {
 public:
  // Plans again in the new process, so that nothing a manager sent is looked at in this one.
  // RESOURCE_EXHAUSTED (OUT_OF_RESOURCES) if no process can be made.
  static absl::StatusOr<std::unique_ptr<StepProcess>> Start(const v1::RunStep& request,
                                                            const StepPlanner& planner, Host& host,
                                                            absl::Duration now);
  // The process must have ended.
  ~StepProcess();
  StepProcess(const StepProcess&) = delete;
  StepProcess& operator=(const StepProcess&) = delete;

  uint64_t id() const { return id_; }
  const std::string& resource_key() const { return resource_key_; }
  pid_t pid() const { return pid_; }
  // To be polled for reading while >= 0.
  int result_fd() const { return result_fd_; }
  int output_fd() const { return output_fd_; }
  // Takes what the two descriptors have; never blocks.
  void Drain();
  // SIGKILL to the whole group. `reason` and `message` are the result from then on, unless the step
  // has already given one.
  void Kill(Reason reason, std::string message);
  // True once the process has ended; what it left behind in its group is killed.
  bool Reap();
  // After Reap.
  v1::StepResult Result(absl::Duration now) const;
  // "D (disk sleep)" and the kernel function, as /proc has them.
  v1::Wedged DescribeWedged() const;

  // For whoever watches over it.
  absl::Duration deadline = absl::InfiniteDuration();
  absl::Duration killed_at;
  bool killed = false;
  bool wedged = false;

 private:
  StepProcess() = default;
  uint64_t id_ = 0;
  std::string name_;
  std::string resource_key_;
  absl::Duration start_;
  pid_t pid_ = -1;
  int result_fd_ = -1;
  int output_fd_ = -1;
  std::string result_;
  std::string output_;  // its end
  Reason kill_reason_ = Reason::kNone;
  std::string kill_message_;
  int wait_status_ = 0;
};

}  // namespace hostq::agent
