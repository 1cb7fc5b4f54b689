#include "agent/host/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/host/file_descriptor.h"
#include "common/base/error.h"
#include "common/base/trace_context.h"

namespace hostq::agent {
namespace {

constexpr size_t kMaxOutput = 4096;

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Reads until end of file or the deadline; false: deadline.
bool ReadUntil(int fd, absl::Time deadline, std::string* output) {
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    pollfd waiting = {fd, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      if (left > 0) continue;
      return false;
    }
    char buffer[1024];
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    const size_t room = kMaxOutput - std::min(kMaxOutput, output->size());
    output->append(buffer, std::min(static_cast<size_t>(got), room));
  }
}

// A child that ran into its deadline: killed, and reaped if that works within 2 s.
ChildOutcome Kill(pid_t pid, int pipe_fd) {
  ChildOutcome outcome;
  outcome.killed = true;
  kill(pid, SIGKILL);
  std::string ignored;
  if (ReadUntil(pipe_fd, absl::Now() + absl::Seconds(2), &ignored)) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  } else {
    outcome.stuck_in = KernelState(pid);
  }
  return outcome;
}

}  // namespace

ChildOutcome RunInChild(absl::Duration timeout, absl::FunctionRef<int()> work) {
  ChildOutcome outcome;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    outcome.error_number = errno;
    return outcome;
  }
  FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) {
    outcome.error_number = errno;
    return outcome;
  }
  if (pid == 0) _exit(work() & 0xff);
  write_end.Close();
  std::string ignored;
  if (!ReadUntil(read_end.get(), absl::Now() + timeout, &ignored)) return Kill(pid, read_end.get());
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.killed = WIFSIGNALED(status);
  if (WIFEXITED(status)) outcome.error_number = WEXITSTATUS(status);
  return outcome;
}

std::string KernelState(pid_t pid) {
  const std::string stat = FirstLine(absl::StrCat("/proc/", pid, "/stat"));
  const size_t parenthesis = stat.rfind(')');
  if (parenthesis == std::string::npos || parenthesis + 2 >= stat.size()) return "gone";
  return absl::StrCat(stat.substr(parenthesis + 2, 1), " in ",
                      FirstLine(absl::StrCat("/proc/", pid, "/wchan")));
}

void ExecProgram(const std::string& path, const std::vector<std::string>& argv, int input,
                 int output, int errors) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  // Set for a step's process by the executor, and by nobody else.
  const char* const given = getenv("TRACEPARENT");
  const std::string trace =
      given != nullptr && IsTraceparent(given) ? absl::StrCat("TRACEPARENT=", given) : "";
  const char* const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                     trace.empty() ? nullptr : trace.c_str(), nullptr};
  dup2(input, 0);
  dup2(output, 1);
  dup2(errors, 2);
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  close_range(3, ~0U, 0);
  execve(path.c_str(), arguments.data(), const_cast<char* const*>(environment));
  dprintf(2, "%s cannot be run: %s\n", path.c_str(), strerror(errno));
  _exit(127);
}

const std::vector<std::string>& ProgramDirectories() {
  static const auto* const directories =
      new std::vector<std::string>{"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
  return *directories;
}

namespace {

std::string FindProgram(const std::string& name) {
  for (const std::string& directory : ProgramDirectories()) {
    const std::string path = absl::StrCat(directory, "/", name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

}  // namespace

absl::StatusOr<ProgramOutcome> RunProgram(const std::vector<std::string>& argv,
                                          absl::Duration timeout) {
  HOSTQ_CHECK(!argv.empty());
  const std::string path = FindProgram(argv[0]);
  if (path.empty()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kToolMissing,
                     absl::StrCat("the program ", argv[0], " is not installed"));
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return ErrnoError(errno, Reason::kOutOfResources, "making a pipe");
  FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) {
    return ErrnoError(errno, Reason::kOutOfResources, absl::StrCat("starting ", argv[0]));
  }
  if (pid == 0) {
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ExecProgram(path, argv, nothing, write_end.get(), write_end.get());
  }
  write_end.Close();
  ProgramOutcome outcome;
  if (!ReadUntil(read_end.get(), absl::Now() + timeout, &outcome.output)) {
    Kill(pid, read_end.get());
    return MakeError(absl::StatusCode::kDeadlineExceeded, Reason::kStepTimedOut,
                     absl::StrCat("killed after ", absl::FormatDuration(timeout), ": ",
                                  absl::StrJoin(argv, " ")));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  absl::StripTrailingAsciiWhitespace(&outcome.output);
  if (!WIFEXITED(status)) {
    return MakeError(
        absl::StatusCode::kInternal, Reason::kStepCrashed,
        absl::StrCat(argv[0], " died by signal ", WTERMSIG(status), ": ", outcome.output));
  }
  outcome.exit_status = WEXITSTATUS(status);
  return outcome;
}

}  // namespace hostq::agent
