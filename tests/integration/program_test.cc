// The program itself: its words, exit codes and signals. Runs the real binary.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "hostq/v1/node_service.grpc.pb.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

using ::testing::HasSubstr;

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest() {
    char name[] = "/tmp/hostq-program-XXXXXX";
    dir_ = mkdtemp(name);
    config_ = dir_ + "/manager.toml";
    std::ofstream(config_) << "state_dir = \"" << dir_ << "/state\"\n"
                           << "[cluster]\nname = \"test\"\nquorum_address = \"127.0.0.1\"\n"
                           << "[listen]\nagents = \"127.0.0.1:" << FreePort() << "\"\n"
                           << "enrollment = \"127.0.0.1:" << FreePort() << "\"\n"
                           << "api = \"127.0.0.1:" << FreePort() << "\"\n"
                           << "https = \"127.0.0.1:" << FreePort() << "\"\n"
                           << "admin_socket = \"" << socket() << "\"\n";
  }
  ~ProgramTest() override { std::filesystem::remove_all(dir_); }

  std::string socket() const { return dir_ + "/manager.sock"; }
  pid_t Start(const std::vector<std::string>& words) {
    const pid_t pid = fork();
    if (pid == 0) {
      const int out = open((dir_ + "/out").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
      const int err = open((dir_ + "/err").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
      dup2(out, 1);
      dup2(err, 2);
      std::vector<char*> argv = {const_cast<char*>(HOSTQ_MANAGER)};
      for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      execv(HOSTQ_MANAGER, argv.data());
      _exit(127);
    }
    return pid;
  }
  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1'000 + WTERMSIG(status);
  }
  int Run(const std::vector<std::string>& words) { return Wait(Start(words)); }
  std::string Read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(dir_ + "/" + name).rdbuf();
    return text.str();
  }
  // Whether it answers within 20 s.
  bool Serves() {
    for (int i = 0; i < 200; ++i) {
      const auto stub = v1::NodeService::NewStub(
          grpc::CreateChannel("unix:" + socket(), grpc::InsecureChannelCredentials()));
      v1::ListNodesResponse nodes;
      Call call(absl::Seconds(1));
      if (stub->ListNodes(&call, {}, &nodes).ok()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }

  std::unique_ptr<v1::NodeService::Stub> Stub() {
    return v1::NodeService::NewStub(
        grpc::CreateChannel("unix:" + socket(), grpc::InsecureChannelCredentials()));
  }
  grpc::Status AddNode(const std::string& name) {
    v1::CreateNodeRequest request;
    request.set_name(name);
    request.add_roles(v1::Node::APP);
    request.set_address(absl::StrCat("203.0.113.", name.back() - '0'));
    v1::CreateNodeResponse response;
    Call call;
    return Stub()->CreateNode(&call, request, &response);
  }
  std::vector<std::string> Nodes() {
    v1::ListNodesResponse response;
    Call call;
    EXPECT_TRUE(Stub()->ListNodes(&call, {}, &response).ok());
    std::vector<std::string> names;
    for (const v1::Node& node : response.nodes()) names.push_back(node.name());
    return names;
  }

  std::string dir_;
  std::string config_;
};

TEST_F(ProgramTest, HelpTeachesAndVersionSays) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(Read("out"), HasSubstr("exit codes"));
  EXPECT_THAT(Read("out"), HasSubstr("init"));
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_THAT(Read("out"), HasSubstr("hostq-manager " HOSTQ_VERSION));
}

TEST_F(ProgramTest, WrongWordsAreUsageErrors) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"start"}, {"run", "--config"}, {"run", "--verbose"}, {"run", "init"}}) {
    EXPECT_EQ(Run(words), 2);
    EXPECT_THAT(Read("err"), HasSubstr("--help"));
    EXPECT_EQ(Read("out"), "");
  }
}

TEST_F(ProgramTest, WrongConfigurationIsAUsageError) {
  EXPECT_EQ(Run({"run", "--config", dir_ + "/none.toml"}), 2);
  EXPECT_THAT(Read("err"), HasSubstr("none.toml"));
  std::ofstream(config_, std::ios::app) << "no_such_key = 1\n";
  EXPECT_EQ(Run({"run", "--config", config_}), 2);
  EXPECT_THAT(Read("err"), HasSubstr("no_such_key"));
  EXPECT_THAT(Read("err"), HasSubstr("[INVALID_ARGUMENT]"));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/state"));
}

TEST_F(ProgramTest, RunWithoutInitFailsAndSaysWhatToDo) {
  EXPECT_EQ(Run({"run", "--config", config_}), 1);
  EXPECT_THAT(Read("err"), HasSubstr("hostq-manager init"));
}

TEST_F(ProgramTest, InitOnceThenRunUntilASignal) {
  ASSERT_EQ(Run({"init", "--config", config_}), 0) << Read("err");
  EXPECT_THAT(Read("out"), HasSubstr("sha256:"));
  EXPECT_EQ(Run({"init", "--config", config_}), 1);
  EXPECT_THAT(Read("err"), HasSubstr("exists"));
  for (const int signal_number : {SIGTERM, SIGINT}) {
    const pid_t pid = Start({"run", "--config=" + config_});
    EXPECT_TRUE(Serves()) << Read("err");
    struct stat info {};
    EXPECT_EQ(stat(socket().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    kill(pid, SIGHUP);
    EXPECT_TRUE(Serves());
    EXPECT_EQ(Wait(Start({"run", "--config", config_})), 1);  // a second one
    EXPECT_TRUE(Serves());
    kill(pid, signal_number);
    EXPECT_EQ(Wait(pid), 0);
    EXPECT_THAT(Read("err"), HasSubstr("uses"));  // the second one's last line
  }
}

TEST_F(ProgramTest, KilledManagerStartsAgain) {
  ASSERT_EQ(Run({"init", "--config", config_}), 0) << Read("err");
  for (int i = 0; i < 3; ++i) {
    const pid_t pid = Start({"run", "--config", config_});
    EXPECT_TRUE(Serves()) << Read("err");
    kill(pid, SIGKILL);
    EXPECT_EQ(Wait(pid), 1'000 + SIGKILL);
    EXPECT_TRUE(std::filesystem::exists(socket()));
  }
}

// What it cannot read it leaves alone, says so, and ends.
TEST_F(ProgramTest, NewerAndDamagedDatabasesAreClearErrors) {
  ASSERT_EQ(Run({"init", "--config", config_}), 0) << Read("err");
  const std::string database = dir_ + "/state/hostq.db";
  const auto overwrite = [&](std::streamoff offset, const std::string& bytes) {
    std::fstream file(database, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset) << bytes;
  };
  // PRAGMA user_version: four bytes at offset 60 of the file.
  overwrite(60, std::string("\0\0\1\0", 4));
  std::string before = Read("state/hostq.db");
  EXPECT_EQ(Run({"run", "--config", config_}), 1);
  EXPECT_THAT(Read("err"), HasSubstr("hostq.db: was written by a newer program (schema 256"));
  EXPECT_EQ(Read("state/hostq.db"), before);
  overwrite(0, std::string(4096, 'x'));
  before = Read("state/hostq.db");
  EXPECT_EQ(Run({"run", "--config", config_}), 1);
  EXPECT_THAT(Read("err"), HasSubstr("hostq.db"));
  EXPECT_THAT(Read("err"), HasSubstr("not a database"));
  EXPECT_EQ(Read("state/hostq.db"), before);
}

// Any write fails as long as no file of the manager may grow. The process stays, reading goes on,
// and when the disk takes writes again, so does the manager.
TEST_F(ProgramTest, WorksAgainWhenTheDiskDoes) {
  ASSERT_EQ(Run({"init", "--config", config_}), 0) << Read("err");
  const pid_t pid = Start({"run", "--config", config_});
  ASSERT_TRUE(Serves()) << Read("err");
  ASSERT_TRUE(AddNode("web1").ok());
  const rlimit tight = {4096, RLIM_INFINITY};
  ASSERT_EQ(prlimit(pid, RLIMIT_FSIZE, &tight, nullptr), 0);
  for (int i = 0; i < 2; ++i) {
    const grpc::Status refused = AddNode("web2");
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(refused.error_message(), HasSubstr("cannot write its database"));
    EXPECT_THAT(Nodes(), ::testing::Contains("web1")) << "reading goes on";
  }
  const rlimit wide = {RLIM_INFINITY, RLIM_INFINITY};
  ASSERT_EQ(prlimit(pid, RLIMIT_FSIZE, &wide, nullptr), 0);
  bool added = false;
  for (int i = 0; i < 300 && !added; ++i) {
    added = AddNode("web2").ok();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_TRUE(added) << Read("err");
  EXPECT_THAT(Nodes(), ::testing::ElementsAre("web1", "web2"));
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), 0) << "the process is the same";
  kill(pid, SIGTERM);
  EXPECT_EQ(Wait(pid), 0);
}

}  // namespace
}  // namespace hostq::manager::testing
