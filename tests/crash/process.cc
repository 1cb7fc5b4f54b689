#include "tests/crash/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::crash {
Process::Process(std::string name, std::vector<std::string> words, std::string log,
                 std::string netns)
    : name_(std::move(name)),
      words_(std::move(words)),
      log_(std::move(log)),
      netns_(std::move(netns)) {}

Process::~Process() {
  if (pid_ != 0) Kill();
}

void Process::Start(const std::string& crash_point) {
  // Everything that takes memory is done before the fork: this process has threads.
  const std::string variable = absl::StrCat("HOSTQ_CRASH_POINT=", crash_point);
  std::vector<char*> arguments;
  for (const std::string& word : words_) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> environment = {const_cast<char*>("PATH=/usr/sbin:/usr/bin:/sbin:/bin")};
  if (!crash_point.empty()) environment.push_back(const_cast<char*>(variable.c_str()));
  environment.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  HOSTQ_CHECK(pid_ >= 0);
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(log, 1);
  dup2(log, 2);
  if (!netns_.empty() && setns(open(netns_.c_str(), O_RDONLY | O_CLOEXEC), CLONE_NEWNET) != 0) {
    _exit(126);
  }
  close_range(3, ~0U, 0);
  execve(arguments[0], arguments.data(), environment.data());
  _exit(127);
}

void Process::Kill() {
  HOSTQ_CHECK(pid_ > 0);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

int Process::Stop() {
  HOSTQ_CHECK(pid_ > 0);
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1'000 + WTERMSIG(status);
}

bool Process::Ended(std::vector<std::string>& surprises) {
  int status = 0;
  if (pid_ == 0 || waitpid(pid_, &status, WNOHANG) != pid_) return false;
  pid_ = 0;
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    surprises.push_back(absl::StrCat(name_, " ended with wait status ", status, ": ", log_));
  }
  return true;
}

}  // namespace hostq::crash
