#include "agent/host/contained_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/host/child.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/processes.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

// For processes to end once they are killed.
constexpr absl::Duration kKillPatience = absl::Seconds(2);

absl::Duration Now() { return SystemClock().Monotonic(); }

// A file, not a pipe: the program need not read it, and can read it twice.
FileDescriptor InputOf(const std::string& text) {
  FileDescriptor file(memfd_create("input", MFD_CLOEXEC));
  if (file.valid() && (write(file.get(), text.data(), text.size()) != ssize_t(text.size()) ||
                       lseek(file.get(), 0, SEEK_SET) != 0)) {
    file.Close();
  }
  return file;
}

// Readable once the process has ended. glibc 2.36 declares the function without extern "C".
FileDescriptor OpenProcess(pid_t pid) {
  return FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

// What a program writes to, and where it is read.
struct Pipe {
  FileDescriptor read_end, write_end;

  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end = FileDescriptor(ends[0]);
    write_end = FileDescriptor(ends[1]);
    return fcntl(read_end.get(), F_SETFL, O_NONBLOCK) == 0;
  }
};

// Keeps the end of what is there to read now.
void Drain(int fd, std::string& output) {
  char buffer[16384];
  // A flood must not keep anybody from looking at the time.
  for (int round = 0; round < 64; ++round) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    output.append(buffer, static_cast<size_t>(got));
    if (output.size() > kMaxContainedOutput) output.erase(0, output.size() - kMaxContainedOutput);
  }
}

// False: it still runs at the deadline. Descriptors that are -1 are left out.
bool WaitForExit(int process, int output_fd, int errors_fd, absl::Duration deadline,
                 ContainedOutcome& outcome) {
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - Now());
    if (left <= 0) return false;
    pollfd fds[] = {{process, POLLIN, 0}, {output_fd, POLLIN, 0}, {errors_fd, POLLIN, 0}};
    if (poll(fds, 3, static_cast<int>(std::min<int64_t>(left, 60'000))) < 0) continue;
    Drain(output_fd, outcome.output);
    Drain(errors_fd, outcome.errors);
    if (fds[0].revents != 0) return true;
    // Its output is closed and it goes on: only its end is left to wait for.
    if (fds[1].revents == POLLHUP) output_fd = -1;
    if (fds[2].revents == POLLHUP) errors_fd = -1;
  }
}

// Of the program and all that descends from it.
void End(pid_t pid, ContainedOutcome& outcome) {
  outcome.left_behind =
      static_cast<int>(DescendantsOf(getpid()).size()) - (outcome.timed_out ? 1 : 0);
  // It is a zombie at least: its group's number is nobody else's.
  kill(-pid, SIGKILL);
  const absl::Duration end = Now() + kKillPatience;
  int status = 0;
  pid_t ended = 0;
  while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && Now() < end) {
    absl::SleepFor(absl::Milliseconds(2));
  }
  if (ended != pid) {
    outcome.stuck_in = KernelState(pid);
    return;
  }
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  if (WIFEXITED(status)) outcome.exit_status = WEXITSTATUS(status);
  EndDescendants(end - Now());
}

[[noreturn]] void Become(const std::vector<std::string>& argv, pid_t parent, int input, int output,
                         int errors) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent || chdir("/") != 0) _exit(127);
  ExecProgram(argv[0], argv, input, output, errors);
}

}  // namespace

absl::StatusOr<ContainedOutcome> RunContained(const std::vector<std::string>& argv,
                                              const std::string& input, absl::Duration timeout,
                                              Errors errors) {
  const auto failed = [&] {
    return ErrnoError(errno, Reason::kOutOfResources, absl::StrCat("starting ", argv[0]));
  };
  const FileDescriptor given = InputOf(input);
  Pipe said, complained;
  const bool apart = errors == Errors::kApart;
  if (!given.valid() || !said.Open() || (apart && !complained.Open())) return failed();
  AdoptOrphans();
  const absl::Duration deadline = Now() + timeout;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return failed();
  if (pid == 0) {
    Become(argv, parent, given.get(), said.write_end.get(),
           (apart ? complained : said).write_end.get());
  }
  setpgid(pid, pid);
  said.write_end.Close();
  complained.write_end.Close();
  ContainedOutcome outcome;
  const FileDescriptor process = OpenProcess(pid);
  if (!process.valid()) {
    const absl::Status failure = failed();
    End(pid, outcome);
    return failure;
  }
  outcome.timed_out = !WaitForExit(process.get(), said.read_end.get(), complained.read_end.get(),
                                   deadline, outcome);
  End(pid, outcome);
  Drain(said.read_end.get(), outcome.output);
  Drain(complained.read_end.get(), outcome.errors);
  absl::StripTrailingAsciiWhitespace(&outcome.output);
  absl::StripTrailingAsciiWhitespace(&outcome.errors);
  return outcome;
}

}  // namespace hostq::agent
