// The state directory, its lock and the administrators' socket, on the real file system.
#include "manager/state_dir.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "manager/admin_socket.h"

namespace hostq::manager {
namespace {

class StateDirTest : public testing::Test {
 protected:
  StateDirTest() {
    char name[] = "/tmp/hostq-state-XXXXXX";
    dir_ = mkdtemp(name);
    config_.state_dir = dir_ + "/a/manager";
    config_.cluster.name = "test";
    config_.cluster.quorum_address = "127.0.0.1";
  }
  ~StateDirTest() override { std::filesystem::remove_all(dir_); }

  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  // A socket somebody listens on until the returned descriptor is closed.
  static int ListenOn(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd, 5), 0);
    return fd;
  }

  std::string dir_;
  ManagerConfig config_;
};

TEST_F(StateDirTest, InitMakesWhatIsNeededForOneUserOnly) {
  const auto made = InitStateDir(config_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_NE(made->find("sha256:"), std::string::npos) << *made;
  EXPECT_EQ(ModeOf(config_.state_dir), 0700u);
  EXPECT_EQ(ModeOf(config_.state_dir + "/ca/ca.key"), 0600u);
  EXPECT_TRUE(DatabaseExists(config_.state_dir));
}

TEST_F(StateDirTest, InitOverwritesNothing) {
  ASSERT_TRUE(InitStateDir(config_).ok());
  EXPECT_EQ(InitStateDir(config_).status().code(), absl::StatusCode::kAlreadyExists);
  std::filesystem::remove_all(config_.state_dir + "/ca");
  const absl::Status status = InitStateDir(config_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(status.message().find("backup"), absl::string_view::npos) << status;
}

TEST_F(StateDirTest, DirectoryThatCannotBeMadeIsAnError) {
  std::ofstream(dir_ + "/a") << "a file";
  EXPECT_FALSE(InitStateDir(config_).ok());
}

TEST_F(StateDirTest, LockIsForOne) {
  auto first = StateLock::Take(dir_);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(StateLock::Take(dir_).status().code(), absl::StatusCode::kFailedPrecondition);
  first->reset();
  EXPECT_TRUE(StateLock::Take(dir_).ok());
}

TEST_F(StateDirTest, StaleSocketGoesAndLiveOneStays) {
  const std::string path = dir_ + "/manager.sock";
  EXPECT_TRUE(PrepareAdminSocket(path, "").ok());
  const int fd = ListenOn(path);
  EXPECT_EQ(PrepareAdminSocket(path, "").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(path));
  close(fd);
  EXPECT_TRUE(PrepareAdminSocket(path, "").ok());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(StateDirTest, OtherFilesAreNotRemoved) {
  const std::string path = dir_ + "/manager.sock";
  std::ofstream(path) << "precious";
  EXPECT_FALSE(PrepareAdminSocket(path, "").ok());
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(StateDirTest, BadSocketConfigurationIsNamed) {
  EXPECT_EQ(PrepareAdminSocket("relative.sock", "").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PrepareAdminSocket("/" + std::string(200, 'x'), "").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PrepareAdminSocket(dir_ + "/s", "no-such-group").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PrepareAdminSocket(dir_ + "/missing/s", "").code(), absl::StatusCode::kNotFound);
}

TEST_F(StateDirTest, SocketIsNeverOpenToTheWorld) {
  const std::string path = dir_ + "/manager.sock";
  int fd = -1;
  {
    const RestrictedUmask umask;
    fd = ListenOn(path);
  }
  EXPECT_EQ(ModeOf(path) & 0077, 0u);
  EXPECT_TRUE(OpenAdminSocket(path, "").ok());
  EXPECT_EQ(ModeOf(path), 0600u);
  if (geteuid() == 0) {
    EXPECT_TRUE(OpenAdminSocket(path, "adm").ok());
    EXPECT_EQ(ModeOf(path), 0660u);
  }
  close(fd);
}

}  // namespace
}  // namespace hostq::manager
