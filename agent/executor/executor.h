#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/executor/frame.h"
#include "agent/executor/running_steps.h"
#include "agent/executor/step_process.h"
#include "agent/host/host.h"
#include "common/base/clock.h"

namespace hostq::agent {

struct ExecutorOptions {
  // The agent's, mode 0600. An old socket is replaced.
  std::string socket_path;
  // For RunningSteps.
  std::string running_directory;
  // Beside root, who may connect.
  uid_t agent_uid = 0;
  // How long a killed process may take to end before its resource is quarantined. Ending takes
  // microseconds unless the kernel waits for something that does not come.
  absl::Duration kill_grace = absl::Seconds(2);
  // Beyond any agent's credits (at most 64): only wedged processes can add up to it.
  size_t max_processes = 128;
  // Steps that wait for a process on their key to end, and bytes that the agent does not take. An
  // agent that is beyond one of them is not ours: its connection is closed.
  size_t max_waiting = 256;
  size_t max_unread_bytes = size_t{16} << 20;
};

// Changes the system: runs one process per step, with deadlines, and quarantines the resource of a
// process that cannot be ended. Serves one agent at a time; a newer connection replaces an older
// one, whose running steps are ended, because nobody waits for their results any more. Must live in
// a single-threaded process: it forks without exec.
class Executor {
 public:
  // `planner`, `host` and `clock` must outlive it. Errors: what the system says about the socket.
  static absl::StatusOr<std::unique_ptr<Executor>> Create(const ExecutorOptions& options,
                                                          StepPlanner planner, Host& host,
                                                          Clock& clock);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Serves until SIGTERM or SIGINT; then ends what is running. Blocks both and SIGCHLD.
  absl::Status Run();

 private:
  Executor(const ExecutorOptions& options, StepPlanner planner, Host& host, Clock& clock)
      : options_(options), planner_(std::move(planner)), host_(host), clock_(clock) {}
  absl::Status Listen();
  void PollOnce(int signal_fd);
  void AcceptConnection();
  void ReadConnection();
  void DropConnection();
  void RunStep(const v1::RunStep& request);
  // Those whose key has become free, or quarantined.
  void RunWaiting();
  void CheckDeadlines();
  void ReapEnded();
  // What a killed step's programs left, wherever they had gone.
  void EndOrphans();
  void Report(const v1::ExecutorReport& report);
  void ReportDone(uint64_t id, v1::StepResult result);
  bool Busy(const std::string& resource_key) const;
  void ReportWedged(pid_t pid, const std::string& resource_key, uint64_t id);
  // What an executor before this one left and the kernel has let go since.
  void ForgetLeft();
  // The process that holds the key and cannot be ended; 0 if there is none.
  pid_t HolderOf(const std::string& resource_key) const;
  int PollTimeout() const;

  const ExecutorOptions options_;
  const StepPlanner planner_;
  Host& host_;
  Clock& clock_;
  int listen_fd_ = -1;
  std::unique_ptr<FrameSocket> connection_;
  std::vector<std::unique_ptr<StepProcess>> processes_;
  const RunningSteps running_{options_.running_directory};
  std::vector<RunningSteps::Process> left_ = running_.Left();
  std::map<std::string, const StepProcess*> quarantine_;  // by resource key
  // For a key whose last process, of an agent before this one, has not ended yet.
  std::vector<v1::RunStep> waiting_;
  // A step was killed: there may be orphans of it.
  bool orphans_ = false;
  bool stopping_ = false;
};

}  // namespace hostq::agent
