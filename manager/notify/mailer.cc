#include "manager/notify/mailer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxLine = 900;
constexpr size_t kMaxSubject = 200;
constexpr size_t kMaxOutput = 500;

absl::Status Failing(absl::StatusCode code, absl::string_view what) {
  return MakeError(code, Reason::kMailFailing, what);
}

absl::Status Failing(absl::string_view what, int error_number) {
  return Failing(absl::StatusCode::kUnavailable,
                 absl::StrCat(what, ": ", std::strerror(error_number)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// The end of what the program printed, in one line.
std::string OutputIn(int fd) {
  std::string text(kMaxOutput, '\0');
  const off_t size = lseek(fd, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(kMaxOutput));
  const ssize_t got = pread(fd, text.data(), text.size(), from);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  absl::StripAsciiWhitespace(&text);
  return Printable(text, kMaxOutput);
}

bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return lseek(fd, 0, SEEK_SET) == 0;
}

// Starts it as the leader of a group of its own, with default signals and an environment of its
// own. 0, or an errno.
int Spawn(const std::vector<std::string>& words, int in, int out, pid_t& pid) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  std::string locale = "LC_ALL=C.UTF-8";
  char* environment[] = {path.data(), locale.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int failed =
      posix_spawn(&pid, words[0].c_str(), &actions, &attributes, argv.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

}  // namespace

std::string Mailer::Compose(absl::string_view subject, absl::string_view body,
                            absl::Time now) const {
  std::string text = absl::StrCat(
      "From: ", options_.from, "\nTo: ", absl::StrJoin(options_.to, ", "),
      "\nSubject: ", Printable(subject, kMaxSubject),
      "\nDate: ", absl::FormatTime("%a, %d %b %Y %H:%M:%S %z", now, absl::UTCTimeZone()),
      "\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
      "Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\n");
  for (const absl::string_view line : absl::StrSplit(body, '\n')) {
    absl::StrAppend(&text, Printable(line, kMaxLine), "\n");
  }
  return text;
}

absl::Status Mailer::Send(absl::string_view subject, absl::string_view body, absl::Time now) const {
  const Descriptor in(memfd_create("mail", MFD_CLOEXEC));
  const Descriptor out(memfd_create("output", MFD_CLOEXEC));
  if (in.get() < 0 || out.get() < 0 || !WriteAll(in.get(), Compose(subject, body, now))) {
    return Failing("a mail cannot be made", errno);
  }
  std::vector<std::string> words = {options_.sendmail, "-i", "-f", options_.from, "--"};
  words.insert(words.end(), options_.to.begin(), options_.to.end());
  pid_t pid = 0;
  if (const int failed = Spawn(words, in.get(), out.get(), pid); failed != 0) {
    return Failing(absl::StrCat("cannot run ", options_.sendmail), failed);
  }
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd waited = {process.get(), POLLIN, 0};
  const int millis = static_cast<int>(absl::ToInt64Milliseconds(options_.timeout));
  int ended = 0;
  do {
    ended = poll(&waited, 1, millis);
  } while (ended < 0 && errno == EINTR);
  if (ended <= 0) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string printed = OutputIn(out.get());
  const std::string said = printed.empty() ? "" : absl::StrCat(": ", printed);
  if (ended <= 0) {
    return Failing(absl::StatusCode::kDeadlineExceeded,
                   absl::StrCat(options_.sendmail, " did not end within ",
                                absl::FormatDuration(options_.timeout), said));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return Failing(absl::StatusCode::kUnavailable,
                 absl::StrCat(options_.sendmail,
                              WIFEXITED(status) ? " ended with code " : " was ended by signal ",
                              WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), said));
}

}  // namespace hostq::manager
