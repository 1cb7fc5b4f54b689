#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/host/child.h"
#include "agent/host/evidence.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "agent/host/processes.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

// For processes to end once they are killed.
constexpr absl::Duration kKillPatience = absl::Seconds(2);
constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

absl::Duration Now() { return SystemClock().Monotonic(); }

bool IsHookName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
}

// Why a file is not run; empty if it is.
std::string WhyIgnored(absl::string_view name, const struct stat& info) {
  absl::ConsumeSuffix(&name, ".reload");
  if (!IsHookName(name)) return "its name is not of letters, digits, - and _";
  if (!S_ISREG(info.st_mode)) return "not a regular file";
  if (info.st_uid != 0) return absl::StrCat("owned by uid ", info.st_uid, " instead of root");
  if ((info.st_mode & kOthersMayWrite) != 0) return "others may write to it";
  if ((info.st_mode & S_IXUSR) == 0) return "not executable";
  return "";
}

absl::Status CheckSafe(const std::string& directory, const struct stat& info) {
  if (info.st_uid == 0 && (info.st_mode & kOthersMayWrite) == 0) return absl::OkStatus();
  return WithEvidence(
      MakeError(absl::StatusCode::kFailedPrecondition, Reason::kHookDirectoryUnsafe,
                info.st_uid != 0 ? absl::StrCat(directory, " belongs to uid ", info.st_uid,
                                                " instead of root: no hook is run")
                                 : absl::StrCat("others than root may write to ", directory,
                                                ": no hook is run")),
      "directory", directory);
}

// Every entry but "." and "..", sorted.
absl::StatusOr<std::map<std::string, struct stat>> ReadDirectory(const std::string& path) {
  const auto failed = [&] {
    return ErrnoError(errno, FileReason(errno), absl::StrCat("reading ", path));
  };
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return failed();
  HOSTQ_RETURN_IF_ERROR(CheckSafe(path, info));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(dup(fd.get())), closedir);
  if (directory == nullptr) return failed();
  std::map<std::string, struct stat> entries;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (fstatat(fd.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) entries[name] = info;
  }
  return entries;
}

// A file, not a pipe: a hook need not read it, and can read it twice.
FileDescriptor InputOf(const std::string& text) {
  FileDescriptor file(memfd_create("event", MFD_CLOEXEC));
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

// Keeps the end of what is there to read now.
void Drain(int fd, std::string& output) {
  char buffer[16384];
  // A flood must not keep anybody from looking at the time.
  for (int round = 0; round < 64; ++round) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    output.append(buffer, static_cast<size_t>(got));
    if (output.size() > kMaxHookOutput) output.erase(0, output.size() - kMaxHookOutput);
  }
}

// False: it still runs at the deadline.
bool WaitForExit(int process, int output_fd, absl::Duration deadline, std::string& output) {
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - Now());
    if (left <= 0) return false;
    pollfd fds[] = {{process, POLLIN, 0}, {output_fd, POLLIN, 0}};
    if (poll(fds, 2, static_cast<int>(std::min<int64_t>(left, 60'000))) < 0) continue;
    Drain(output_fd, output);
    if (fds[0].revents != 0) return true;
    // Its output is closed and it goes on: only its end is left to wait for.
    if (fds[1].revents == POLLHUP) output_fd = -1;
  }
}

[[noreturn]] void BecomeHook(const std::string& path, pid_t parent, int input, int output) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent || chdir("/") != 0) _exit(127);
  ExecProgram(path, {path}, input, output);
}

class LinuxHooks final : public Hooks {
 public:
  absl::StatusOr<HookDirectory> List(const std::string& directory) override {
    HOSTQ_ASSIGN_OR_RETURN(const auto entries, ReadDirectory(directory));
    HookDirectory found;
    for (const auto& [name, info] : entries) {
      std::string why = WhyIgnored(name, info);
      absl::string_view hook = name;
      const bool reload = absl::ConsumeSuffix(&hook, ".reload");
      const auto owner = entries.find(std::string(hook));
      if (why.empty() && reload &&
          (owner == entries.end() || !WhyIgnored(hook, owner->second).empty())) {
        why = absl::StrCat("there is no hook ", hook);
      }
      if (!why.empty()) {
        found.ignored.push_back({name, why});
      } else if (reload) {
        found.reloads.insert(std::string(hook));
      } else {
        found.hooks.push_back(name);
      }
    }
    return found;
  }

  absl::StatusOr<HookOutcome> Run(const std::string& path, const std::string& input,
                                  absl::Duration timeout) override {
    const auto failed = [&] {
      return ErrnoError(errno, Reason::kOutOfResources, absl::StrCat("starting ", path));
    };
    const FileDescriptor event = InputOf(input);
    int ends[2];
    if (!event.valid() || pipe2(ends, O_CLOEXEC) != 0) return failed();
    const FileDescriptor read_end(ends[0]);
    FileDescriptor write_end(ends[1]);
    fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
    AdoptOrphans();
    const absl::Duration deadline = Now() + timeout;
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) return failed();
    if (pid == 0) BecomeHook(path, parent, event.get(), write_end.get());
    setpgid(pid, pid);
    write_end.Close();
    HookOutcome outcome;
    const FileDescriptor process = OpenProcess(pid);
    if (!process.valid()) {
      const absl::Status failure = failed();
      End(pid, outcome);
      return failure;
    }
    outcome.timed_out = !WaitForExit(process.get(), read_end.get(), deadline, outcome.output);
    End(pid, outcome);
    Drain(read_end.get(), outcome.output);
    absl::StripTrailingAsciiWhitespace(&outcome.output);
    return outcome;
  }

 private:
  // Of the hook and all that descends from it.
  static void End(pid_t pid, HookOutcome& outcome) {
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
};

}  // namespace

std::unique_ptr<Hooks> MakeLinuxHooks() { return std::make_unique<LinuxHooks>(); }

}  // namespace hostq::agent
