#include "tests/unit/cli/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::testing {
namespace {

// An open file without a name.
int MakeFile() {
  std::string name = "/tmp/hostq-cli-XXXXXX";
  const int file = mkostemp(name.data(), O_CLOEXEC);
  HOSTQ_CHECK(file >= 0);
  unlink(name.c_str());
  return file;
}

std::string ReadBack(int file) {
  lseek(file, 0, SEEK_SET);
  std::string content;
  char buffer[4096];
  ssize_t size;
  while ((size = read(file, buffer, sizeof(buffer))) > 0) {
    content.append(buffer, static_cast<size_t>(size));
  }
  close(file);
  return content;
}

pid_t Spawn(const std::vector<std::string>& arguments,
            const std::map<std::string, std::string>& environment,
            const posix_spawn_file_actions_t& actions, short flags) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<std::string> variables = {absl::StrCat("PATH=", getenv("PATH")), "TZ=UTC"};
  for (const auto& [name, value] : environment) {
    variables.push_back(absl::StrCat(name, "=", value));
  }
  std::vector<char*> envp;
  for (const std::string& variable : variables) envp.push_back(const_cast<char*>(variable.c_str()));
  envp.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, flags);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), envp.data());
  posix_spawnattr_destroy(&attributes);
  HOSTQ_CHECK(error == 0);
  return pid;
}

int ExitCodeOfChild(pid_t pid) {
  int status = 0;
  HOSTQ_CHECK(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Finished RunProcess(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& environment,
                    const std::string& input) {
  const int in = MakeFile();
  const int out = MakeFile();
  const int err = MakeFile();
  HOSTQ_CHECK(write(in, input.data(), input.size()) == static_cast<ssize_t>(input.size()));
  lseek(in, 0, SEEK_SET);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  const pid_t pid = Spawn(arguments, environment, actions, 0);
  posix_spawn_file_actions_destroy(&actions);
  close(in);
  Finished finished;
  finished.exit_code = ExitCodeOfChild(pid);
  finished.out = ReadBack(out);
  finished.err = ReadBack(err);
  return finished;
}

Finished RunOnTerminal(const std::vector<std::string>& arguments,
                       const std::map<std::string, std::string>& environment,
                       const std::string& input) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  HOSTQ_CHECK(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
  const std::string name = ptsname(terminal);
  // Kept open, so that what was written is not lost before the program opens it.
  const int held = open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  winsize size{};
  size.ws_col = 80;
  size.ws_row = 24;
  HOSTQ_CHECK(ioctl(terminal, TIOCSWINSZ, &size) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, name.c_str(), O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
  const pid_t pid = Spawn(arguments, environment, actions, POSIX_SPAWN_SETSID);
  posix_spawn_file_actions_destroy(&actions);
  HOSTQ_CHECK(write(terminal, input.data(), input.size()) == static_cast<ssize_t>(input.size()));
  close(held);
  Finished finished;
  char buffer[4096];
  ssize_t got;
  // Ends with EIO when the program has closed its side.
  while ((got = read(terminal, buffer, sizeof(buffer))) > 0) {
    finished.out.append(buffer, static_cast<size_t>(got));
  }
  finished.exit_code = ExitCodeOfChild(pid);
  close(terminal);
  return finished;
}

}  // namespace hostq::testing
