// The agent's program: its exit codes and what it says. Runs the real binary, joined to a manager
// that is gone by then, so that nothing is done to this machine.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/sqlite/database.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

using ::testing::HasSubstr;

class AgentProgramTest : public ::testing::Test {
 protected:
  AgentProgramTest() {
    char name[] = "/tmp/hostq-agent-program-XXXXXX";
    dir_ = mkdtemp(name);
    config_ = dir_ + "/agent.toml";
    std::ofstream(config_) << "state_dir = \"" << dir_ << "/state\"\n";
    TestManager manager;
    const std::string token = manager.AddNode("web1", v1::Node::APP, "203.0.113.1");
    EXPECT_EQ(
        Wait(Start({"join", "--config", config_, "--manager", manager.server().enrollment_address(),
                    "--token", token, "--ca-pin", manager.server().ca_pin()})),
        0)
        << Said();
  }
  ~AgentProgramTest() override { std::filesystem::remove_all(dir_); }

  std::string journal() const { return dir_ + "/state/journal.db"; }
  pid_t Start(const std::vector<std::string>& words) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    const int log = open((dir_ + "/log").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    dup2(log, 1);
    dup2(log, 2);
    std::vector<char*> argv = {const_cast<char*>(HOSTQ_AGENT)};
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execv(HOSTQ_AGENT, argv.data());
    _exit(127);
  }
  pid_t Run() { return Start({"run", "--config", config_}); }
  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1'000 + WTERMSIG(status);
  }
  std::string Said() {
    std::ostringstream text;
    text << std::ifstream(dir_ + "/log").rdbuf();
    return text.str();
  }
  // Whether it is there within 20 s.
  static bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 400; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }
  // The first child of that process; 0 if there is none.
  static pid_t ChildOf(pid_t pid) {
    pid_t child = 0;
    std::ifstream(absl::StrCat("/proc/", pid, "/task/", pid, "/children")) >> child;
    return child;
  }

  std::string dir_;
  std::string config_;
};

TEST_F(AgentProgramTest, DamagedAndNewerJournalsAreClearErrors) {
  std::ofstream(journal()) << std::string(8192, 'x');
  EXPECT_EQ(Wait(Run()), 1);
  EXPECT_THAT(Said(), HasSubstr("journal.db"));
  EXPECT_THAT(Said(), HasSubstr("not a database [JOURNAL_UNAVAILABLE]"));
  std::filesystem::remove(journal());
  {
    auto database = sqlite::Database::Open(journal());
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version=99").ok());
  }
  EXPECT_EQ(Wait(Run()), 1);
  EXPECT_THAT(Said(), HasSubstr("written by a newer program"));
}

// Without the keeper nothing would start the executor again: the agent would accept tasks and never
// run them. Whoever starts the agent starts all of it.
TEST_F(AgentProgramTest, AgentEndsWithItsKeeper) {
  const pid_t agent = Run();
  ASSERT_TRUE(Eventually([&] { return ChildOf(agent) != 0 && ChildOf(ChildOf(agent)) != 0; }));
  kill(ChildOf(agent), SIGKILL);
  int status = 0;
  const bool ended = Eventually([&] { return waitpid(agent, &status, WNOHANG) == agent; });
  EXPECT_TRUE(ended) << Said();
  if (!ended) {
    kill(agent, SIGKILL);
    waitpid(agent, &status, 0);
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << status;
}

}  // namespace
}  // namespace hostq::manager::testing
