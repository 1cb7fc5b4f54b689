#include "agent/executor/supervisor.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "common/base/clock.h"
#include "common/log/log.h"

namespace hostq::agent {
namespace {

constexpr absl::Duration kQuietTime = absl::Minutes(1);

struct Child {
  const SupervisedProcess* process = nullptr;
  pid_t pid = 0;  // 0: not running
  absl::Duration started;
  absl::Duration start_at;
  absl::Duration delay;
};

class Supervisor {
 public:
  Supervisor(const std::vector<SupervisedProcess>& processes, const SupervisorOptions& options)
      : options_(options) {
    for (const SupervisedProcess& process : processes) {
      children_.push_back({&process, 0, {}, absl::ZeroDuration(), options.first_delay});
    }
    sigemptyset(&signals_);
    for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals_, number);
    sigprocmask(SIG_BLOCK, &signals_, &old_signals_);
  }
  ~Supervisor() { sigprocmask(SIG_SETMASK, &old_signals_, nullptr); }

  int Run() {
    while (!stop_) {
      StartDue();
      WaitForSignal(NextStart());
      ReapEnded();
    }
    for (auto child = children_.rbegin(); child != children_.rend(); ++child) End(*child);
    return status_;
  }

 private:
  absl::Duration Now() { return SystemClock().Monotonic(); }

  void StartDue() {
    for (Child& child : children_) {
      if (child.pid == 0 && Now() >= child.start_at) Start(child);
    }
  }

  void Start(Child& child) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      prctl(PR_SET_NAME, child.process->name.c_str());
      if (getppid() != parent) _exit(1);
      sigprocmask(SIG_SETMASK, &old_signals_, nullptr);
      const int status = child.process->run();
      fflush(nullptr);
      _exit(status);
    }
    if (pid < 0) {
      LogError("cannot fork", {{"process", child.process->name}, {"errno", errno}});
      child.start_at = Now() + options_.longest_delay;
      return;
    }
    child.pid = pid;
    child.started = Now();
  }

  absl::Duration NextStart() {
    absl::Duration next = absl::Hours(1);
    for (const Child& child : children_) {
      if (child.pid == 0) next = std::min(next, child.start_at - Now());
    }
    return std::max(next, absl::ZeroDuration());
  }

  void WaitForSignal(absl::Duration timeout) {
    const timespec limit = absl::ToTimespec(timeout + absl::Milliseconds(1));
    const int number = sigtimedwait(&signals_, nullptr, &limit);
    if (number == SIGTERM || number == SIGINT) stop_ = true;
  }

  void ReapEnded() {
    for (Child& child : children_) {
      int status = 0;
      if (child.pid == 0 || waitpid(child.pid, &status, WNOHANG) != child.pid) continue;
      child.pid = 0;
      if (stop_) continue;
      if (WIFEXITED(status) && WEXITSTATUS(status) == child.process->hopeless_status) {
        status_ = WEXITSTATUS(status);
        stop_ = true;
        continue;
      }
      if (Now() - child.started >= kQuietTime) child.delay = options_.first_delay;
      child.start_at = Now() + child.delay;
      LogError("a process ended and is started again",
               {{"process", child.process->name},
                {"status", WIFEXITED(status) ? WEXITSTATUS(status) : -1},
                {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0},
                {"in", child.delay}});
      child.delay = std::min(child.delay * 2, options_.longest_delay);
    }
  }

  void End(Child& child) {
    if (child.pid == 0) return;
    kill(child.pid, SIGTERM);
    const absl::Duration end = Now() + options_.stop_patience;
    int number = 0;
    while (waitpid(child.pid, nullptr, WNOHANG) == 0) {
      if (Now() >= end) kill(child.pid, SIGKILL);
      const timespec limit = absl::ToTimespec(absl::Milliseconds(50));
      number = sigtimedwait(&signals_, nullptr, &limit);
      // Asked again: it is urgent.
      if (number == SIGTERM || number == SIGINT) kill(child.pid, SIGKILL);
    }
    child.pid = 0;
  }

  const SupervisorOptions options_;
  std::vector<Child> children_;
  sigset_t signals_;
  sigset_t old_signals_;
  bool stop_ = false;
  int status_ = 0;
};

}  // namespace

int Supervise(const std::vector<SupervisedProcess>& processes, const SupervisorOptions& options) {
  return Supervisor(processes, options).Run();
}

}  // namespace hostq::agent
