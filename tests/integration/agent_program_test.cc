// The agent's program: its exit codes and what it says. Runs the real binary, joined to a manager
// that is gone by then, so that nothing is done to this machine.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/file.h>
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
    std::filesystem::permissions(dir_, std::filesystem::perms(0755));  // for the agent's user
    Configure("nobody");
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
  void Configure(const std::string& user) const {
    std::ofstream(config_) << "user = \"" << user << "\"\nstate_dir = \"" << dir_
                           << "/state\"\n[executor]\nrun_dir = \"" << dir_
                           << "/run\"\nstate_dir = \"" << dir_ << "/executor\"\n";
  }
  static void GiveToAgent(const std::string& path) {
    ASSERT_TRUE(geteuid() != 0 || chown(path.c_str(), 65534, 65534) == 0);
  }
  pid_t Start(const std::vector<std::string>& words, const char* program = HOSTQ_AGENT) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    const int log = open((dir_ + "/log").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    dup2(log, 1);
    dup2(log, 2);
    std::vector<char*> argv = {const_cast<char*>(program)};
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execv(program, argv.data());
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

  std::string dir_;
  std::string config_;
};

TEST_F(AgentProgramTest, DamagedAndNewerJournalsAreClearErrors) {
  std::ofstream(journal()) << std::string(8192, 'x');
  GiveToAgent(journal());
  EXPECT_EQ(Wait(Run()), 1);
  EXPECT_THAT(Said(), HasSubstr("journal.db"));
  EXPECT_THAT(Said(), HasSubstr("not a database [JOURNAL_UNAVAILABLE]"));
  std::filesystem::remove(journal());
  {
    auto database = sqlite::Database::Open(journal());
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version=99").ok());
  }
  GiveToAgent(journal());
  EXPECT_EQ(Wait(Run()), 1);
  EXPECT_THAT(Said(), HasSubstr("written by a newer program"));
}

// What /proc/PID/status says.
std::string StatusOf(pid_t pid, const std::string& field) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field + ":\t")) return line.substr(field.size() + 2);
  }
  return "";
}

TEST_F(AgentProgramTest, StartedByRootItHasNoPrivileges) {
  if (geteuid() != 0) GTEST_SKIP() << "SKIPPED LOUDLY: starting it as root needs root";
  const pid_t agent = Run();
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(journal()); })) << Said();
  EXPECT_EQ(StatusOf(agent, "Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(StatusOf(agent, "Gid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(StatusOf(agent, "Groups"), " ");
  for (const char* capabilities : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_EQ(StatusOf(agent, capabilities), "0000000000000000") << capabilities;
  }
  EXPECT_EQ(StatusOf(agent, "NoNewPrivs"), "1");
  kill(agent, SIGTERM);
  EXPECT_EQ(Wait(agent), 0) << Said();
}

TEST_F(AgentProgramTest, RootAndUnknownUsersAreClearErrors) {
  if (geteuid() != 0) GTEST_SKIP() << "SKIPPED LOUDLY: becoming a user needs root";
  for (const char* program : {HOSTQ_AGENT, HOSTQ_EXECUTOR}) {
    Configure("root");
    EXPECT_NE(Wait(Start({"run", "--config", config_}, program)), 0);
    EXPECT_THAT(Said(),
                HasSubstr("user root is root: the agent's process must have no privileges"));
    Configure("nobody-of-that-name");
    EXPECT_NE(Wait(Start({"run", "--config", config_}, program)), 0);
    EXPECT_THAT(Said(), HasSubstr("there is no user nobody-of-that-name"));
    EXPECT_THAT(Said(), HasSubstr("useradd --system"));
  }
}

TEST_F(AgentProgramTest, ExecutorTrustsNoPolicyThatOthersCanChange) {
  for (const std::string& path : {config_, dir_}) {
    const auto before = std::filesystem::status(path).permissions();
    std::filesystem::permissions(path, std::filesystem::perms::group_write,
                                 std::filesystem::perm_options::add);
    EXPECT_EQ(Wait(Start({"run", "--config", config_}, HOSTQ_EXECUTOR)), 2);
    EXPECT_THAT(Said(), HasSubstr("others than its owner may write to " + path));
    std::filesystem::permissions(path, before);
  }
}

TEST_F(AgentProgramTest, OneExecutorServesASocket) {
  const pid_t first = Start({"run", "--config", config_}, HOSTQ_EXECUTOR);
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(dir_ + "/run/socket"); })) << Said();
  EXPECT_EQ(Wait(Start({"run", "--config", config_}, HOSTQ_EXECUTOR)), 1);
  EXPECT_THAT(Said(), HasSubstr("another hostq-executor runs on " + dir_ + "/run"));
  kill(first, SIGTERM);
  EXPECT_EQ(Wait(first), 0);
}

// Found by the crash test: an executor was killed while it forked, and the step's process still had
// the lock when the next executor came.
TEST_F(AgentProgramTest, ExecutorWaitsForALockThatIsAboutToGo) {
  std::filesystem::create_directories(dir_ + "/run");
  std::filesystem::permissions(dir_ + "/run", std::filesystem::perms(0755));
  const int held = open((dir_ + "/run/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(held, LOCK_EX), 0);
  const pid_t executor = Start({"run", "--config", config_}, HOSTQ_EXECUTOR);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  close(held);
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(dir_ + "/run/socket"); })) << Said();
  kill(executor, SIGTERM);
  EXPECT_EQ(Wait(executor), 0) << Said();
}

}  // namespace
}  // namespace hostq::manager::testing
