#pragma once

#include <list>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/journal/journal.h"
#include "common/base/clock.h"
#include "common/base/reason.h"
#include "hostq/agent/v1/executor.pb.h"
#include "hostq/agent/v1/session.pb.h"

namespace hostq::agent {

// What the agent knows of a step without running it.
struct StepPlan {
  std::string name;
  absl::Duration timeout;
  bool independent = false;
  // Among all the steps of the work, of which only some may be run.
  int index = 0;
};

// Decides which step runs when: in order of acceptance per resource key, side by side across keys,
// the steps of a task one after the other. Ends a task at its first failure (unless that step is
// independent), at its timeout, when its steps are done, or when it was not begun in time. Pure:
// what it wants done is appended to an Output. Not thread-safe.
class TaskRunner {
 public:
  struct Output {
    std::vector<Lease> started;  // must be durable before `steps` leave
    std::vector<v1::RunStep> steps;
    std::vector<v1::Progress> progress;
    struct Finished {
      Assignment assignment;
      v1::Result result;
    };
    std::vector<Finished> finished;
  };

  // At most `concurrency` tasks run at once; those whose process is wedged are not counted.
  TaskRunner(int concurrency, Clock& clock)
      : concurrency_(concurrency), clock_(clock), executor_lost_at_(clock.Monotonic()) {}
  TaskRunner(const TaskRunner&) = delete;
  TaskRunner& operator=(const TaskRunner&) = delete;

  // `started`: the journal has it as started already. The task must not be known yet.
  void Add(const Assignment& assignment, std::vector<StepPlan> steps, bool started);
  // Work of the agent's own: before what has not begun, also while that is held; without progress.
  // Its task id must not be one that a manager can give (IsTaskName).
  void AddOwn(const Assignment& assignment, std::vector<StepPlan> steps);
  // The lease of a known task was renewed; its result answers the new one. Also its new plan, if it
  // has not begun.
  void Renew(const Assignment& assignment, std::vector<StepPlan> steps);
  // Takes out a task that has not begun in this process. False: it has, or is not known.
  bool Remove(absl::string_view task_id);
  // A task that has begun ends as INTERRUPTED after the step it is in, unless that was the last.
  void Cancel(absl::string_view task_id);

  // Tasks that have not begun do not begin, while true.
  void Hold(bool hold) { hold_ = hold; }
  // No step starts any more.
  void Stop() { stopping_ = true; }

  // Processes that hang, on resources that no command's task works on at the moment: nobody else
  // tells of them.
  std::vector<v1::Wedged> WedgedUntold() const;

  // What the executor says. Unknown ids are ignored.
  void OnStepDone(const v1::StepDone& done);
  void OnWedged(const v1::Wedged& wedged);
  void OnReleased(const v1::Released& released);
  void OnExecutorReady() { executor_ready_ = true; }
  // What ran begins again from its first step when there is an executor again; if there is none
  // for a while, tasks end with EXECUTOR_UNAVAILABLE.
  void OnExecutorLost();
  // There has been none for that while.
  bool ExecutorMissing() const;

  // Starts what may start and ends what is overdue.
  void Advance(Output& out);
  // When Advance has to be called again although nothing was reported.
  absl::Duration NextWake() const;

  // Whether a new task of this key would begin with the next Advance, `others` being about to.
  bool WouldStart(absl::string_view resource_key, int others) const;
  bool Knows(absl::string_view task_id) const { return Find(task_id) != nullptr; }
  // Begun in this process, or in one before it as the journal says.
  bool Started(absl::string_view task_id) const;
  // In this process.
  bool Begun(absl::string_view task_id) const;
  bool Quarantined(absl::string_view resource_key) const;
  size_t quarantined() const { return quarantine_.size(); }
  bool executor_ready() const { return executor_ready_; }
  size_t size() const { return tasks_.size(); }
  // Steps that run now, wedged ones apart.
  int running_steps() const;
  // Where every task is that has begun: for a manager that has just connected.
  std::vector<v1::Progress> Snapshot() const;

 private:
  struct Task {
    Assignment assignment;
    std::vector<StepPlan> steps;
    bool started = false;  // in the journal
    bool begun = false;    // in this process
    bool cancelled = false;
    bool own = false;
    absl::Duration start_deadline;
    absl::Time start_time;
    absl::Duration deadline;
    size_t step = 0;      // next, or running
    uint64_t run_id = 0;  // of the running step
    bool wedged = false;
    absl::Duration wedged_since;
    int executors_lost = 0;
    v1::Result result;
  };

  const Task* Find(absl::string_view task_id) const;
  Task* FindRun(uint64_t run_id);
  int Occupied() const;
  v1::Progress ProgressOf(const Task& task) const;
  // Nobody waits for the agent's own work.
  void Tell(const Task& task, std::vector<v1::Progress>& out) const;
  // True if a task is over; then there may be more to do.
  bool AdvanceOnce(Output& out);
  void Begin(Task& task, Output& out);
  // Starts the next step. True if instead the task is over.
  bool Continue(Task& task, Output& out);
  absl::Duration StartDeadline(const Assignment& assignment) const;
  // Not begun, here or by a process before, and too late to.
  bool TooLate(const Task& task) const;
  bool Overdue(const Task& task) const;
  void Fail(Task& task, Reason reason, absl::string_view message);
  void Finish(Task& task, Output& out);

  const int concurrency_;
  Clock& clock_;
  bool hold_ = false;
  bool stopping_ = false;
  bool executor_ready_ = false;
  absl::Duration executor_lost_at_;
  uint64_t last_run_id_ = 0;
  std::list<Task> tasks_;                                      // in order of acceptance
  std::map<std::string, v1::Wedged, std::less<>> quarantine_;  // by resource key
  std::vector<v1::Progress> news_;                             // for the next Output
};

}  // namespace hostq::agent
