#include "agent/executor/step_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "agent/executor/step_result.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// A result within the limits of step_result.h is about 36 KiB at most.
constexpr size_t kMaxResultBytes = size_t{256} << 10;
// Of what a step's process and its programs print, the end is kept.
constexpr size_t kKeptOutputBytes = 4096;
constexpr int kResultDescriptor = 3;

v1::StepResult RunPlanned(const v1::RunStep& request, const StepPlanner& planner, Host& host) {
  v1::Work work;
  if (!work.ParseFromString(request.work())) {
    return FailedStep(request.step_name(), Reason::kBadParameters, "the work cannot be parsed");
  }
  const auto steps = planner(work, RolesFromNames(request.roles()));
  if (!steps.ok()) {
    const Reason reason = ReasonOf(steps.status());
    return FailedStep(request.step_name(), reason == Reason::kNone ? Reason::kInternal : reason,
                      steps.status().message());
  }
  const auto index = static_cast<size_t>(request.step_index());
  if (request.step_index() < 0 || index >= steps->size() ||
      (*steps)[index].name != request.step_name()) {
    return FailedStep(request.step_name(), Reason::kInternal,
                      "agent and executor plan different steps: are they of one version?");
  }
  const Step& step = (*steps)[index];
  return ToProto(step.run(host), step.name);
}

void EnterChild(pid_t parent, int result_fd, int output_fd) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(022);
  // A step that hangs for ever must not keep a socket of the executor open. High numbers first, so
  // that none of the three overwrites another.
  const int null_fd = open("/dev/null", O_RDONLY);
  const int high_result = fcntl(result_fd, F_DUPFD, 16);
  const int high_output = fcntl(output_fd, F_DUPFD, 16);
  dup2(null_fd, 0);
  dup2(high_output, 1);
  dup2(high_output, 2);
  dup2(high_result, kResultDescriptor);
  fcntl(kResultDescriptor, F_SETFD, FD_CLOEXEC);
  close_range(kResultDescriptor + 1, ~0U, 0);
  if (chdir("/") != 0) _exit(1);
}

// For the programs of the step.
void SetTrace(const std::optional<Span>& span) {
  if (span) {
    setenv("TRACEPARENT", span->traceparent().c_str(), 1);
  } else {
    unsetenv("TRACEPARENT");
  }
}

[[noreturn]] void RunChild(const v1::RunStep& request, const StepPlanner& planner, Host& host) {
  v1::StepResult result;
  CrashPoint("executor.step_before_effect");
  try {
    result = RunPlanned(request, planner, host);
  } catch (const std::exception& error) {
    result = FailedStep(request.step_name(), Reason::kInternal,
                        absl::StrCat("exception: ", error.what()));
  }
  CrashPoint("executor.step_after_effect");
  const std::string bytes = result.SerializeAsString();
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t n = write(kResultDescriptor, bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) _exit(1);
    written += static_cast<size_t>(n);
  }
  fflush(nullptr);
  _exit(0);
}

// Reads until there is nothing more for now; closes the descriptor at the end of the file.
void DrainInto(int& fd, std::string& text, size_t keep_end, size_t limit) {
  std::array<char, 16384> buffer;
  // A flood must not keep the executor from its other work: the rest comes with the next poll.
  for (int round = 0; fd >= 0 && round < 64; ++round) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      close(fd);
      fd = -1;
      return;
    }
    if (text.size() < limit) text.append(buffer.data(), static_cast<size_t>(n));
    if (keep_end > 0 && text.size() > keep_end) text.erase(0, text.size() - keep_end);
  }
}

std::string ReadProc(pid_t pid, const char* name) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/", name));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string StateName(char state) {
  switch (state) {
    case 'D':
      return "D (disk sleep)";
    case 'R':
      return "R (running)";
    case 'S':
      return "S (sleeping)";
    case 'T':
      return "T (stopped)";
    case 'Z':
      return "Z (zombie)";
    default:
      return std::string(1, state);
  }
}

std::string SignalName(int number) {
  const char* name = sigabbrev_np(number);
  return name == nullptr ? absl::StrCat("signal ", number) : absl::StrCat("SIG", name);
}

}  // namespace

v1::Wedged DescribeWedged(pid_t pid, const std::string& resource_key) {
  v1::Wedged wedged_report;
  wedged_report.set_resource_key(resource_key);
  wedged_report.set_pid(pid);
  // "PID (NAME) STATE ...": the name may contain anything, so its end is the last parenthesis.
  const std::string stat = ReadProc(pid, "stat");
  const size_t end = stat.rfind(')');
  if (end != std::string::npos && end + 2 < stat.size()) {
    wedged_report.set_state(StateName(stat[end + 2]));
  }
  wedged_report.set_wchan(CleanText(ReadProc(pid, "wchan"), kMaxEvidenceKeyBytes));
  return wedged_report;
}

absl::StatusOr<std::unique_ptr<StepProcess>> StepProcess::Start(const v1::RunStep& request,
                                                                const StepPlanner& planner,
                                                                Host& host, absl::Duration now) {
  const auto failed = [](const char* what) {
    return MakeError(absl::StatusCode::kResourceExhausted, Reason::kOutOfResources,
                     absl::StrCat("cannot make a process: ", what, ": ", strerror(errno)));
  };
  int result_pipe[2];
  int output_pipe[2];
  if (pipe2(result_pipe, O_CLOEXEC) != 0) return failed("pipe");
  if (pipe2(output_pipe, O_CLOEXEC) != 0) {
    close(result_pipe[0]);
    close(result_pipe[1]);
    return failed("pipe");
  }
  // The same step may be run again in the same attempt.
  const std::optional<Span> span =
      SpanWithin(request.traceparent(),
                 absl::StrCat(request.task_id(), " ", request.attempt(), " ", request.step_index(),
                              " ", absl::ToInt64Nanoseconds(now)));
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    EnterChild(parent, result_pipe[1], output_pipe[1]);
    SetTrace(span);
    RunChild(request, planner, host);
  }
  const absl::Status fork_failure = pid < 0 ? failed("fork") : absl::OkStatus();
  close(result_pipe[1]);
  close(output_pipe[1]);
  if (pid < 0) {
    close(result_pipe[0]);
    close(output_pipe[0]);
    return fork_failure;
  }
  setpgid(pid, pid);  // whichever of the two is first: a kill must find the group
  for (const int fd : {result_pipe[0], output_pipe[0]}) fcntl(fd, F_SETFL, O_NONBLOCK);
  std::unique_ptr<StepProcess> process(new StepProcess);
  process->id_ = request.id();
  process->name_ = request.step_name();
  process->resource_key_ = request.resource_key();
  process->task_id_ = request.task_id();
  process->attempt_ = request.attempt();
  process->span_ = span;
  process->start_ = now;
  process->pid_ = pid;
  process->result_fd_ = result_pipe[0];
  process->output_fd_ = output_pipe[0];
  return process;
}

StepProcess::~StepProcess() {
  if (result_fd_ >= 0) close(result_fd_);
  if (output_fd_ >= 0) close(output_fd_);
}

void StepProcess::Drain() {
  DrainInto(result_fd_, result_, 0, kMaxResultBytes);
  DrainInto(output_fd_, output_, kKeptOutputBytes, ~size_t{0});
}

void StepProcess::Kill(Reason reason, std::string message, absl::Duration now) {
  if (!killed) {
    kill_reason_ = reason;
    kill_message_ = std::move(message);
    kill_state_ = DescribeWedged(pid_, resource_key_);
    killed_at = now;
    killed = true;
  }
  kill(-pid_, SIGKILL);
}

bool StepProcess::Reap() {
  siginfo_t info{};
  // It is left a zombie first: as long as it is, its group's number belongs to nobody else.
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid == 0) {
    return false;
  }
  kill(-pid_, SIGKILL);
  waitpid(pid_, &wait_status_, 0);
  Drain();
  return true;
}

v1::StepResult StepProcess::Result(absl::Duration now) const {
  v1::StepResult result;
  const bool ended_well = WIFEXITED(wait_status_) && WEXITSTATUS(wait_status_) == 0;
  const bool given = ended_well && !result_.empty() && result.ParseFromString(result_);
  if (!given) {
    if (kill_reason_ != Reason::kNone) {
      result = FailedStep(name_, kill_reason_, kill_message_);
      (*result.mutable_evidence())["state"] = kill_state_.state();
      (*result.mutable_evidence())["wchan"] = kill_state_.wchan();
      if (wedged) (*result.mutable_evidence())["wedged"] = FormatAge(now - killed_at);
    } else if (WIFSIGNALED(wait_status_)) {
      result = FailedStep(
          name_, Reason::kStepCrashed,
          absl::StrCat("the step's process was ended by ", SignalName(WTERMSIG(wait_status_))));
      (*result.mutable_evidence())["signal"] = SignalName(WTERMSIG(wait_status_));
    } else {
      result = FailedStep(name_, Reason::kStepCrashed,
                          absl::StrCat("the step's process ended with status ",
                                       WEXITSTATUS(wait_status_), " and no result"));
    }
  }
  const bool failed = result.reason() != hostq::v1::Reason::CODE_UNSPECIFIED;
  if (failed && !output_.empty()) {
    (*result.mutable_evidence())["output"] = CleanTail(output_, kMaxEvidenceValueBytes);
  }
  result.set_duration_us(absl::ToInt64Microseconds(now - start_));
  return result;
}

}  // namespace hostq::agent
