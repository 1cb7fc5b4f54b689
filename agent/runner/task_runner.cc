#include "agent/runner/task_runner.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/executor/step_result.h"
#include "agent/runner/convert.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// A task whose process is wedged is ended after this, so that it does not keep one of the node's
// credits; its resource stays quarantined, and the next attempt is refused until it is free again.
constexpr absl::Duration kWedgedPatience = absl::Seconds(30);
// An executor that dies with every attempt at the same task is not to die for ever.
constexpr int kMaxExecutorsLost = 3;
// Starting the executor again, or both programs one after the other, takes less.
constexpr absl::Duration kExecutorPatience = absl::Seconds(5);
// The protocol's limit is 1 MiB with everything.
constexpr size_t kMaxResultBytes = 1'000'000;

constexpr auto kOk = hostq::v1::Reason::CODE_UNSPECIFIED;

void Shrink(v1::Result& result) {
  for (const bool failed_too : {false, true}) {
    for (v1::StepResult& step : *result.mutable_steps()) {
      if (result.ByteSizeLong() <= kMaxResultBytes) return;
      if (step.reason() == kOk || failed_too) step.clear_evidence();
    }
  }
  while (result.ByteSizeLong() > kMaxResultBytes && result.steps_size() > 0) {
    result.mutable_steps()->RemoveLast();
  }
}

}  // namespace

void TaskRunner::Add(const Assignment& assignment, std::vector<StepPlan> steps, bool started) {
  HOSTQ_CHECK(!Knows(assignment.lease.task_id));
  Task task;
  task.assignment = assignment;
  task.steps = std::move(steps);
  task.started = started;
  task.start_deadline = StartDeadline(assignment);
  tasks_.push_back(std::move(task));
}

void TaskRunner::AddOwn(const Assignment& assignment, std::vector<StepPlan> steps) {
  HOSTQ_CHECK(!Knows(assignment.lease.task_id) && !IsTaskName(assignment.lease.task_id));
  Task task;
  task.assignment = assignment;
  task.steps = std::move(steps);
  task.started = true;  // nothing to write down
  task.own = true;
  const auto waiting = std::find_if(tasks_.begin(), tasks_.end(),
                                    [](const Task& other) { return !other.begun && !other.own; });
  tasks_.insert(waiting, std::move(task));
}

void TaskRunner::Renew(const Assignment& assignment, std::vector<StepPlan> steps) {
  for (Task& task : tasks_) {
    if (task.assignment.lease.task_id != assignment.lease.task_id) continue;
    if (task.begun) {
      task.assignment.lease = assignment.lease;
    } else {
      task.assignment = assignment;
      task.steps = std::move(steps);
      task.start_deadline = StartDeadline(assignment);
    }
    return;
  }
}

bool TaskRunner::Remove(absl::string_view task_id) {
  const auto it = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& task) {
    return task.assignment.lease.task_id == task_id;
  });
  if (it == tasks_.end() || it->begun) return false;
  tasks_.erase(it);
  return true;
}

void TaskRunner::Cancel(absl::string_view task_id) {
  for (Task& task : tasks_) {
    if (task.assignment.lease.task_id == task_id) task.cancelled = true;
  }
}

const TaskRunner::Task* TaskRunner::Find(absl::string_view task_id) const {
  for (const Task& task : tasks_) {
    if (task.assignment.lease.task_id == task_id) return &task;
  }
  return nullptr;
}

TaskRunner::Task* TaskRunner::FindRun(uint64_t run_id) {
  if (run_id == 0) return nullptr;
  for (Task& task : tasks_) {
    if (task.run_id == run_id) return &task;
  }
  return nullptr;
}

bool TaskRunner::Started(absl::string_view task_id) const {
  const Task* task = Find(task_id);
  return task != nullptr && task->started;
}

bool TaskRunner::Begun(absl::string_view task_id) const {
  const Task* task = Find(task_id);
  return task != nullptr && task->begun;
}

bool TaskRunner::Quarantined(absl::string_view resource_key) const {
  return quarantine_.find(resource_key) != quarantine_.end();
}

int TaskRunner::Occupied() const {
  return static_cast<int>(std::count_if(
      tasks_.begin(), tasks_.end(), [](const Task& task) { return task.begun && !task.wedged; }));
}

int TaskRunner::running_steps() const {
  return static_cast<int>(std::count_if(tasks_.begin(), tasks_.end(), [](const Task& task) {
    return task.run_id != 0 && !task.wedged;
  }));
}

bool TaskRunner::WouldStart(absl::string_view resource_key, int others) const {
  if (hold_ || stopping_ || !executor_ready_ || Quarantined(resource_key)) return false;
  if (Occupied() + others >= concurrency_) return false;
  return std::none_of(tasks_.begin(), tasks_.end(), [&](const Task& task) {
    return !task.begun || task.assignment.resource_key == resource_key;
  });
}

v1::Progress TaskRunner::ProgressOf(const Task& task) const {
  v1::Progress progress;
  *progress.mutable_lease() = ToProto(task.assignment.lease);
  if (task.step < task.steps.size()) progress.set_step(task.steps[task.step].name);
  progress.set_step_index(static_cast<int32_t>(task.step));
  progress.set_step_count(static_cast<int32_t>(task.steps.size()));
  const auto quarantined = quarantine_.find(task.assignment.resource_key);
  if (quarantined != quarantine_.end()) {
    progress.set_wedged(true);
    auto& evidence = *progress.mutable_evidence();
    evidence["pid"] = absl::StrCat(quarantined->second.pid());
    evidence["state"] = quarantined->second.state();
    evidence["wchan"] = quarantined->second.wchan();
  }
  return progress;
}

void TaskRunner::Tell(const Task& task, std::vector<v1::Progress>& out) const {
  if (!task.own) out.push_back(ProgressOf(task));
}

std::vector<v1::Progress> TaskRunner::Snapshot() const {
  std::vector<v1::Progress> all;
  for (const Task& task : tasks_) {
    if (task.begun) Tell(task, all);
  }
  return all;
}

void TaskRunner::OnStepDone(const v1::StepDone& done) {
  Task* task = FindRun(done.id());
  if (task == nullptr) return;
  task->run_id = 0;
  task->wedged = false;
  const v1::StepResult& step = done.result();
  if (step.reason() == hostq::v1::Reason::WEDGED) {
    // Not run: an earlier process holds the key. The step is tried again when it is released.
    quarantine_.try_emplace(task->assignment.resource_key);
    Tell(*task, news_);
    return;
  }
  *task->result.add_steps() = step;
  const bool failed = step.reason() != kOk && !step.warning() && !step.skipped();
  if (failed) {
    // Independent steps are checks: the task's failure is that checks failed; the steps say which.
    const bool check = task->steps[task->step].independent;
    Fail(*task, check ? Reason::kPreflightFailed : static_cast<Reason>(step.reason()),
         absl::StrCat(step.name(), ": ", step.message()));
    if (!check) task->step = task->steps.size();
  }
  if (task->step < task->steps.size()) ++task->step;
}

void TaskRunner::OnWedged(const v1::Wedged& wedged) {
  quarantine_[wedged.resource_key()] = wedged;
  Task* task = FindRun(wedged.id());
  if (task == nullptr) return;
  task->wedged = true;
  task->wedged_since = clock_.Monotonic();
  Tell(*task, news_);
}

std::vector<v1::Wedged> TaskRunner::WedgedUntold() const {
  std::vector<v1::Wedged> untold;
  for (const auto& [key, wedged] : quarantine_) {
    const auto told = [&key = key](const Task& task) {
      return task.begun && !task.own && task.assignment.resource_key == key;
    };
    if (wedged.pid() != 0 && std::none_of(tasks_.begin(), tasks_.end(), told)) {
      untold.push_back(wedged);
    }
  }
  return untold;
}

void TaskRunner::OnReleased(const v1::Released& released) {
  quarantine_.erase(released.resource_key());
  for (const Task& task : tasks_) {
    if (task.begun && task.assignment.resource_key == released.resource_key()) {
      Tell(task, news_);
    }
  }
}

void TaskRunner::OnExecutorLost() {
  executor_ready_ = false;
  executor_lost_at_ = clock_.Monotonic();
  quarantine_.clear();  // the next executor tells its own
  for (Task& task : tasks_) {
    if (task.run_id == 0) continue;
    task.run_id = 0;
    task.wedged = false;
    task.step = 0;
    task.result.Clear();
    if (++task.executors_lost >= kMaxExecutorsLost) {
      Fail(task, Reason::kStepCrashed,
           absl::StrCat("the executor died ", kMaxExecutorsLost, " times while this task ran"));
      task.step = task.steps.size();
    }
  }
}

bool TaskRunner::ExecutorMissing() const {
  return !executor_ready_ && clock_.Monotonic() >= executor_lost_at_ + kExecutorPatience;
}

void TaskRunner::Fail(Task& task, Reason reason, absl::string_view message) {
  if (task.result.reason() != kOk) return;  // the first one tells
  task.result.set_reason(static_cast<hostq::v1::Reason::Code>(reason));
  task.result.set_message(CleanText(message, kMaxMessageBytesOfStep));
}

// Once read from the clock, it follows the time that passes: a clock that is set changes nothing.
absl::Duration TaskRunner::StartDeadline(const Assignment& assignment) const {
  return clock_.Monotonic() + (assignment.start_before - clock_.Now());
}

bool TaskRunner::TooLate(const Task& task) const {
  return !task.begun && !task.started && clock_.Monotonic() >= task.start_deadline;
}

bool TaskRunner::Overdue(const Task& task) const {
  const absl::Duration now = clock_.Monotonic();
  if (task.run_id != 0) return task.wedged && now >= task.wedged_since + kWedgedPatience;
  return now >= task.deadline;
}

void TaskRunner::Advance(Output& out) {
  // A task that is over makes room, also for one that was accepted before it.
  while (AdvanceOnce(out)) {
  }
  for (v1::Progress& progress : news_) out.progress.push_back(std::move(progress));
  news_.clear();
}

bool TaskRunner::AdvanceOnce(Output& out) {
  std::set<absl::string_view> keys;
  int occupied = Occupied();
  for (auto it = tasks_.begin(); it != tasks_.end(); ++it) {
    Task& task = *it;
    const std::string& key = task.assignment.resource_key;
    if (TooLate(task)) {
      Fail(task, Reason::kInterrupted, "it was not started in time");
      Finish(task, out);
      tasks_.erase(it);
      return true;
    }
    if (ExecutorMissing() && !stopping_ && (task.begun || task.own || !hold_)) {
      Fail(task, Reason::kExecutorUnavailable, "hostq-executor does not run");
      Finish(task, out);
      tasks_.erase(it);
      return true;
    }
    if (!keys.insert(key).second) continue;
    if (!task.begun) {
      const bool may = (!hold_ || task.own) && !stopping_ && executor_ready_ && !Quarantined(key);
      if (!may || occupied >= concurrency_) continue;
      ++occupied;
      Begin(task, out);
    }
    if (Continue(task, out)) {
      Finish(task, out);
      tasks_.erase(it);
      return true;
    }
  }
  return false;
}

void TaskRunner::Begin(Task& task, Output& out) {
  if (!task.started) out.started.push_back(task.assignment.lease);
  task.started = true;
  task.begun = true;
  task.start_time = clock_.Now();
  task.deadline = clock_.Monotonic() + task.assignment.timeout;
}

bool TaskRunner::Continue(Task& task, Output& out) {
  if (task.run_id == 0 && task.step >= task.steps.size()) return true;
  if (Overdue(task)) {
    Fail(
        task, Reason::kStepTimedOut,
        task.run_id != 0
            ? absl::StrCat("the process of step ", task.steps[task.step].name, " cannot be ended; ",
                           task.assignment.resource_key, " is left alone until it has")
            : absl::StrCat("not finished within ", FormatAge(task.assignment.timeout)));
    if (task.run_id != 0) {
      v1::StepResult step = FailedStep(task.steps[task.step].name, Reason::kStepTimedOut,
                                       "its process cannot be ended");
      *step.mutable_evidence() = ProgressOf(task).evidence();
      *task.result.add_steps() = std::move(step);
    }
    return true;
  }
  if (task.cancelled && task.run_id == 0) {
    Fail(task, Reason::kInterrupted,
         absl::StrCat("before step ", task.step + 1, " of ", task.steps.size(), " (",
                      task.steps[task.step].name, "); what the steps before it did stays"));
    return true;
  }
  const bool may = !stopping_ && executor_ready_ && !Quarantined(task.assignment.resource_key);
  if (task.run_id != 0 || !may) return false;
  const StepPlan& step = task.steps[task.step];
  task.run_id = ++last_run_id_;
  v1::RunStep run;
  run.set_id(task.run_id);
  run.set_resource_key(task.assignment.resource_key);
  run.set_work(task.assignment.work);
  for (const std::string& role : task.assignment.roles) run.add_roles(role);
  run.set_step_index(step.index);
  run.set_step_name(step.name);
  if (!task.own) {
    run.set_task_id(task.assignment.lease.task_id);
    run.set_attempt(task.assignment.lease.attempt);
  }
  if (const auto span = AttemptSpan(task.assignment)) run.set_traceparent(span->traceparent());
  *run.mutable_timeout() = ToProto(std::min(step.timeout, task.deadline - clock_.Monotonic()));
  out.steps.push_back(std::move(run));
  Tell(task, out.progress);
  return false;
}

void TaskRunner::Finish(Task& task, Output& out) {
  v1::Result& result = task.result;
  if (result.reason() == kOk && result.message().empty()) {
    const auto changed = std::count_if(result.steps().begin(), result.steps().end(),
                                       [](const v1::StepResult& step) { return step.changed(); });
    result.set_message(task.steps.empty() ? "nothing to do on this node"
                                          : absl::StrCat(task.steps.size(), " steps, ", changed,
                                                         " changed something"));
  }
  if (task.begun) *result.mutable_start_time() = ToProto(task.start_time);
  *result.mutable_finish_time() = ToProto(clock_.Now());
  Shrink(result);
  *result.mutable_lease() = ToProto(task.assignment.lease);
  out.finished.push_back({task.assignment, std::move(result)});
}

absl::Duration TaskRunner::NextWake() const {
  absl::Duration next = absl::InfiniteDuration();
  if (!executor_ready_ && !tasks_.empty() && !ExecutorMissing()) {
    next = executor_lost_at_ + kExecutorPatience;
  }
  for (const Task& task : tasks_) {
    if (!task.begun) {
      if (!task.started) next = std::min(next, task.start_deadline);
    } else if (task.run_id == 0) {
      next = std::min(next, task.deadline);
    } else if (task.wedged) {
      next = std::min(next, task.wedged_since + kWedgedPatience);
    }
  }
  return next;
}

}  // namespace hostq::agent
