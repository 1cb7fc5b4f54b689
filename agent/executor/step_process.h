#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/executor/planner.h"
#include "common/base/trace_context.h"
#include "hostq/agent/v1/executor.pb.h"

namespace hostq::agent {

// What a process does that should have ended: "D (disk sleep)" and the kernel function, as /proc
// has them.
v1::Wedged DescribeWedged(pid_t pid, const std::string& resource_key);

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
  absl::Duration age(absl::Duration now) const { return now - start_; }
  // Whose step it is, as the agent says; empty: nobody's.
  const std::string& task_id() const { return task_id_; }
  int attempt() const { return attempt_; }
  const std::optional<Span>& span() const { return span_; }
  // To be polled for reading while >= 0.
  int result_fd() const { return result_fd_; }
  int output_fd() const { return output_fd_; }
  // Takes what the two descriptors have; never blocks.
  void Drain();
  // SIGKILL to the whole group. `reason` and `message` are the result from then on, unless the step
  // has already given one.
  void Kill(Reason reason, std::string message, absl::Duration now);
  // True once the process has ended; what it left behind in its group is killed.
  bool Reap();
  // After Reap.
  v1::StepResult Result(absl::Duration now) const;

  // For whoever watches over it.
  absl::Duration deadline = absl::InfiniteDuration();
  absl::Duration killed_at;
  bool killed = false;
  bool wedged = false;
  // Its agent has gone: nobody waits for the result.
  bool orphaned = false;

 private:
  StepProcess() = default;
  uint64_t id_ = 0;
  std::string name_;
  std::string resource_key_;
  std::string task_id_;
  int attempt_ = 0;
  std::optional<Span> span_;
  absl::Duration start_;
  pid_t pid_ = -1;
  int result_fd_ = -1;
  int output_fd_ = -1;
  std::string result_;
  std::string output_;  // its end
  Reason kill_reason_ = Reason::kNone;
  std::string kill_message_;
  v1::Wedged kill_state_;  // what it was doing then
  int wait_status_ = 0;
};

}  // namespace hostq::agent
