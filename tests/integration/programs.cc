#include "programs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "agent/executor/frame.h"
#include "common/base/error.h"

namespace hostq::manager::testing {
namespace {

int Listen(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  HOSTQ_CHECK(path.size() < sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  HOSTQ_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  HOSTQ_CHECK(chmod(path.c_str(), 0666) == 0 && listen(fd, 4) == 0);
  return fd;
}

}  // namespace

bool Eventually(const std::function<bool()>& condition, std::chrono::seconds within) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return condition();
}

std::string ReadText(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

Folder::Folder() {
  char name[] = "/tmp/hostq-programs-XXXXXX";
  path_ = mkdtemp(name);
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

Folder::~Folder() { std::filesystem::remove_all(path_); }

std::string Folder::Write(const std::string& name, const std::string& text, int mode) const {
  const std::string path = path_ + "/" + name;
  std::ofstream(path) << text;
  std::filesystem::permissions(path, std::filesystem::perms(mode));
  return path;
}

// --- Program ---

Program::~Program() {
  if (running()) End(SIGKILL);
}

void Program::Start(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& environment) {
  HOSTQ_CHECK(!running());
  std::vector<char*> argv;
  for (const std::string& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  // Before anybody looks for what the new process says.
  const int out = open((log_ + ".out").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  const int err = open((log_ + ".err").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  pid_ = fork();
  if (pid_ > 0) {
    close(out);
    close(err);
  }
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  dup2(out, 1);
  dup2(err, 2);
  execv(argv[0], argv.data());
  _exit(127);
}

bool Program::running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return true;
  pid_ = -1;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1'000 + WTERMSIG(status);
  return false;
}

int Program::Wait() {
  return Eventually([this] { return !running(); }) ? code_ : -1;
}

int Program::Run(const std::vector<std::string>& arguments,
                 const std::map<std::string, std::string>& environment) {
  Start(arguments, environment);
  return Wait();
}

int Program::End(int signal_number) {
  if (running()) kill(pid_, signal_number);
  return Wait();
}

void Program::Signal(int signal_number) {
  HOSTQ_CHECK(running());
  kill(pid_, signal_number);
}

bool Program::stopped() const {
  if (pid_ < 0) return false;
  const std::string stat = ReadText("/proc/" + std::to_string(pid_) + "/stat");
  const size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.substr(name_end, 3) == ") T";
}

// --- ScriptedExecutor ---

ScriptedExecutor::ScriptedExecutor(const std::string& socket) : listener_(Listen(socket)) {
  thread_ = std::thread([this] { Serve(); });
}

ScriptedExecutor::~ScriptedExecutor() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  thread_.join();
  close(listener_);
}

void ScriptedExecutor::Hold(const std::string& resource_key) {
  const MutexLock lock(mutex_);
  held_key_ = resource_key;
}

void ScriptedExecutor::Release() {
  const MutexLock lock(mutex_);
  held_key_.clear();
  done_.insert(done_.end(), held_.begin(), held_.end());
  held_.clear();
}

int ScriptedExecutor::Asked(const std::string& resource_key) {
  const MutexLock lock(mutex_);
  return asked_[resource_key];
}

void ScriptedExecutor::Take(const agent::v1::RunStep& step) {
  const MutexLock lock(mutex_);
  ++asked_[step.resource_key()];
  (step.resource_key() == held_key_ ? held_ : done_).push_back(step);
}

void ScriptedExecutor::Serve() {
  std::unique_ptr<agent::FrameSocket> agent;
  for (;;) {
    pollfd fds[] = {{listener_, POLLIN, 0}, {agent == nullptr ? -1 : agent->fd(), POLLIN, 0}};
    (void)poll(fds, 2, 10);
    if (fds[0].revents != 0) {  // an agent that was started again
      agent = std::make_unique<agent::FrameSocket>(accept(listener_, nullptr, nullptr));
      const MutexLock lock(mutex_);
      held_.clear();
      done_.clear();
    }
    if (agent != nullptr) {
      std::vector<std::string> frames;
      const absl::Status status = agent->Read(frames);
      for (const std::string& frame : frames) {
        agent::v1::ExecutorRequest request;
        if (request.ParseFromString(frame)) Take(request.run_step());
      }
      if (!status.ok()) agent.reset();
    }
    const MutexLock lock(mutex_);
    if (stopping_) return;
    for (const agent::v1::RunStep& step : done_) {
      agent::v1::ExecutorReport report;
      report.mutable_step_done()->set_id(step.id());
      report.mutable_step_done()->mutable_result()->set_name(step.step_name());
      if (agent != nullptr) (void)agent->Send(report);
    }
    done_.clear();
  }
}

}  // namespace hostq::manager::testing
