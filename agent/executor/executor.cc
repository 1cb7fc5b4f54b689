#include "agent/executor/executor.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/executor/convert.h"
#include "agent/executor/step_result.h"
#include "agent/host/processes.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/log/log.h"
#include "common/log/log_span.h"

namespace hostq::agent {
namespace {

// A step may not ask for more, whatever its plan and the manager say.
constexpr absl::Duration kLongestStep = absl::Hours(1);
// An orphan's own children are found when it is gone; one that the kernel holds may take for ever.
constexpr absl::Duration kOrphanInterval = absl::Milliseconds(200);

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> Executor::Create(const ExecutorOptions& options,
                                                           StepPlanner planner, Host& host,
                                                           Clock& clock) {
  std::unique_ptr<Executor> executor(new Executor(options, std::move(planner), host, clock));
  HOSTQ_RETURN_IF_ERROR(executor->Listen());
  return executor;
}

Executor::~Executor() {
  if (listen_fd_ >= 0) close(listen_fd_);
}

absl::Status Executor::Listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = options_.socket_path;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": too long for a socket's path"));
  }
  path.copy(address.sun_path, path.size());
  unlink(path.c_str());
  listen_fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listen_fd_ < 0) return ErrnoError(errno, Reason::kInternal, "socket");
  const mode_t old = umask(0177);
  const int bound = bind(listen_fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  const int number = errno;
  umask(old);
  if (bound != 0) return ErrnoError(number, Reason::kInternal, absl::StrCat("bind ", path));
  if (options_.agent_uid != geteuid() && lchown(path.c_str(), options_.agent_uid, -1) != 0) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("chown ", path));
  }
  if (listen(listen_fd_, 8) != 0) return ErrnoError(errno, Reason::kInternal, "listen");
  return absl::OkStatus();
}

absl::Status Executor::Run() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals, number);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  AdoptOrphans();
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd < 0) return ErrnoError(errno, Reason::kInternal, "signalfd");
  while (!stopping_) PollOnce(signal_fd);
  close(signal_fd);
  for (const auto& process : processes_) {
    process->Kill(Reason::kInterrupted, "the executor was stopped while the step ran",
                  clock_.Monotonic());
  }
  const absl::Duration end = clock_.Monotonic() + options_.kill_grace;
  while (!processes_.empty() && clock_.Monotonic() < end) {
    usleep(5000);
    ReapEnded();
  }
  unlink(options_.socket_path.c_str());
  return absl::OkStatus();
}

int Executor::PollTimeout() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const auto& process : processes_) {
    if (process->wedged) continue;
    next = std::min(next,
                    process->killed ? process->killed_at + options_.kill_grace : process->deadline);
  }
  if (!left_.empty()) next = std::min(next, clock_.Monotonic() + kOrphanInterval);
  if (orphans_) next = std::min(next, clock_.Monotonic() + kOrphanInterval);
  if (next == absl::InfiniteDuration()) return -1;
  const int64_t left = absl::ToInt64Milliseconds(next - clock_.Monotonic()) + 1;
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

void Executor::PollOnce(int signal_fd) {
  std::vector<pollfd> fds;
  fds.push_back({signal_fd, POLLIN, 0});
  fds.push_back({listen_fd_, POLLIN, 0});
  if (connection_ != nullptr) {
    const short events = connection_->wants_write() ? POLLIN | POLLOUT : POLLIN;
    fds.push_back({connection_->fd(), events, 0});
  }
  for (const auto& process : processes_) {
    fds.push_back({process->result_fd(), POLLIN, 0});  // negative ones are ignored
    fds.push_back({process->output_fd(), POLLIN, 0});
  }
  if (poll(fds.data(), fds.size(), PollTimeout()) < 0 && errno != EINTR) {
    LogError("poll failed", {{"errno", errno}});
    stopping_ = true;
    return;
  }
  for (const auto& process : processes_) process->Drain();
  signalfd_siginfo info;
  while (read(signal_fd, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo != SIGCHLD) stopping_ = true;
  }
  ReapEnded();
  ForgetLeft();
  CheckDeadlines();
  RunWaiting();
  if (connection_ != nullptr && fds[2].fd == connection_->fd()) {
    if ((fds[2].revents & POLLOUT) != 0 && !connection_->Flush().ok()) {
      DropConnection();
    } else if ((fds[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      ReadConnection();
    }
  }
  if ((fds[1].revents & POLLIN) != 0) AcceptConnection();
}

void Executor::AcceptConnection() {
  const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 ||
      (peer.uid != 0 && peer.uid != options_.agent_uid)) {
    LogWarning("connection refused", {{"uid", peer.uid}, {"pid", peer.pid}});
    close(fd);
    return;
  }
  if (connection_ != nullptr) DropConnection();
  connection_ = std::make_unique<FrameSocket>(fd);
  LogDebug("agent connected", {{"pid", peer.pid}});
  for (const auto& [key, process] : quarantine_) ReportWedged(process->pid(), key, 0);
  for (const auto& process : left_) {
    ReportWedged(RunningSteps::HolderOf(process), process.resource_key, 0);
  }
}

void Executor::DropConnection() {
  connection_.reset();
  waiting_.clear();
  for (const auto& process : processes_) {
    process->orphaned = true;
    process->Kill(Reason::kInterrupted, "the agent went away while the step ran",
                  clock_.Monotonic());
  }
}

void Executor::ReadConnection() {
  std::vector<std::string> frames;
  const absl::Status status = connection_->Read(frames);
  for (const std::string& frame : frames) {
    v1::ExecutorRequest request;
    if (!request.ParseFromString(frame)) {
      LogWarning("an agent's message cannot be parsed", {{"bytes", frame.size()}});
      DropConnection();
      return;
    }
    if (request.has_run_step()) RunStep(request.run_step());
    if (connection_ == nullptr) return;
  }
  if (!status.ok()) DropConnection();
}

void Executor::RunStep(const v1::RunStep& request) {
  if (const pid_t holder = HolderOf(request.resource_key()); holder != 0) {
    ReportDone(request.id(), FailedStep(request.step_name(), Reason::kWedged,
                                        absl::StrCat("process ", holder, " of an earlier step on ",
                                                     request.resource_key(), " cannot be ended")));
    return;
  }
  if (Busy(request.resource_key())) {
    if (waiting_.size() >= options_.max_waiting) {
      LogWarning("an agent asks for more than agents do", {{"waiting", waiting_.size()}});
      return DropConnection();
    }
    waiting_.push_back(request);
    return;
  }
  if (processes_.size() >= options_.max_processes) {
    ReportDone(request.id(), FailedStep(request.step_name(), Reason::kOutOfResources,
                                        "too many processes that cannot be ended"));
    return;
  }
  CrashPoint("executor.before_step");
  const absl::Duration now = clock_.Monotonic();
  auto process = StepProcess::Start(request, planner_, host_, now);
  if (!process.ok()) {
    ReportDone(request.id(), FailedStep(request.step_name(), ReasonOf(process.status()),
                                        process.status().message()));
    return;
  }
  running_.Add((*process)->pid(), request.resource_key());
  (*process)->deadline = now + std::min(FromProto(request.timeout()), kLongestStep);
  processes_.push_back(*std::move(process));
}

bool Executor::Busy(const std::string& resource_key) const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [&](const auto& process) { return process->resource_key() == resource_key; });
}

void Executor::RunWaiting() {
  for (const v1::RunStep& request : std::exchange(waiting_, {})) {
    if (connection_ != nullptr) RunStep(request);
  }
}

void Executor::CheckDeadlines() {
  const absl::Duration now = clock_.Monotonic();
  for (const auto& process : processes_) {
    if (!process->killed && now >= process->deadline) {
      process->Kill(Reason::kStepTimedOut,
                    absl::StrCat("ended at its deadline, after ", FormatAge(process->age(now))),
                    now);
    } else if (process->killed && !process->wedged &&
               now >= process->killed_at + options_.kill_grace) {
      process->wedged = true;
      quarantine_.emplace(process->resource_key(), process.get());
      const v1::Wedged state = DescribeWedged(process->pid(), process->resource_key());
      LogError("a step's process cannot be ended", {{"resource_key", process->resource_key()},
                                                    {"pid", process->pid()},
                                                    {"state", state.state()},
                                                    {"wchan", state.wchan()}});
      ReportWedged(process->pid(), process->resource_key(), process->orphaned ? 0 : process->id());
    }
  }
}

void Executor::ReapEnded() {
  const absl::Duration now = clock_.Monotonic();
  for (size_t i = 0; i < processes_.size();) {
    if (!processes_[i]->Reap()) {
      ++i;
      continue;
    }
    const std::unique_ptr<StepProcess> process = std::move(processes_[i]);
    processes_.erase(processes_.begin() + static_cast<ptrdiff_t>(i));
    orphans_ |= process->killed;
    running_.Remove(process->pid());
    CrashPoint("executor.after_step");
    v1::StepResult result = process->Result(now);
    // What the agent looks at by itself it does every few seconds.
    LogSpan(process->task_id().empty() ? LogLevel::kDebug : LogLevel::kInfo, "step ended",
            process->span(), clock_.Now() - process->age(now), process->age(now),
            {{"task", process->task_id()},
             {"attempt", process->attempt()},
             {"step", result.name()},
             {"resource_key", process->resource_key()},
             {"changed", result.changed()},
             {"outcome", result.reason() == hostq::v1::Reason::CODE_UNSPECIFIED
                             ? "SUCCEEDED"
                             : NameOf(static_cast<Reason>(result.reason()))}});
    if (!process->orphaned) ReportDone(process->id(), std::move(result));
    const auto quarantined = quarantine_.find(process->resource_key());
    if (quarantined != quarantine_.end() && quarantined->second == process.get()) {
      quarantine_.erase(quarantined);
      v1::ExecutorReport report;
      report.mutable_released()->set_resource_key(process->resource_key());
      Report(report);
    }
  }
  EndOrphans();
}

void Executor::ForgetLeft() {
  std::vector<std::string> free;
  for (const RunningSteps::Process& process : std::exchange(left_, {})) {
    if (running_.HasEnded(process)) {
      free.push_back(process.resource_key);
    } else {
      left_.push_back(process);
    }
  }
  for (const std::string& key : free) {
    v1::ExecutorReport report;
    report.mutable_released()->set_resource_key(key);
    if (HolderOf(key) == 0) Report(report);
  }
}

pid_t Executor::HolderOf(const std::string& resource_key) const {
  if (const auto it = quarantine_.find(resource_key); it != quarantine_.end()) {
    return it->second->pid();
  }
  const auto it = std::find_if(left_.begin(), left_.end(), [&](const auto& process) {
    return process.resource_key == resource_key;
  });
  return it == left_.end() ? 0 : it->pid;
}

void Executor::EndOrphans() {
  if (!orphans_) return;
  orphans_ = false;  // once none is found
  for (const pid_t pid : ChildrenOf(getpid())) {
    const bool ours = std::any_of(processes_.begin(), processes_.end(),
                                  [&](const auto& process) { return process->pid() == pid; });
    if (ours) continue;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, WNOHANG);
    orphans_ = true;
  }
}

void Executor::ReportDone(uint64_t id, v1::StepResult result) {
  v1::ExecutorReport report;
  report.mutable_step_done()->set_id(id);
  *report.mutable_step_done()->mutable_result() = std::move(result);
  Report(report);
}

void Executor::ReportWedged(pid_t pid, const std::string& resource_key, uint64_t id) {
  v1::ExecutorReport report;
  *report.mutable_wedged() = DescribeWedged(pid, resource_key);
  report.mutable_wedged()->set_id(id);
  Report(report);
}

void Executor::Report(const v1::ExecutorReport& report) {
  if (connection_ == nullptr) return;
  // A connection that fails here is found and dropped by the next poll.
  (void)connection_->Send(report);
  if (connection_->unsent_bytes() > options_.max_unread_bytes) {
    LogWarning("an agent does not read", {{"bytes", connection_->unsent_bytes()}});
    DropConnection();
  }
}

}  // namespace hostq::agent
