// Goal: whoever connects to the local socket is named, and a directory that does not answer keeps
// nobody from administering.
#include "manager/user_names.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace hostq::manager {
namespace {

// Answers at once for some, and for the others when it is let go.
class Directory {
 public:
  std::string Name(uid_t uid) {
    const MutexLock lock(mutex_);
    ++asked_[uid];
    while (uid >= 1000 && !open_) changed_.Wait(mutex_);
    return uid == 7 ? "" : "user" + std::to_string(uid);
  }
  void Open() {
    const MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  int asked(uid_t uid) {
    const MutexLock lock(mutex_);
    return asked_[uid];
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uid_t, int> asked_ ABSL_GUARDED_BY(mutex_);
};

TEST(UserNamesTest, TheSystemKnowsRoot) {
  UserNames names;
  EXPECT_EQ(names.Of(0), "root");
  EXPECT_EQ(UserNames::FromSystem(0), "root");
}

TEST(UserNamesTest, ADirectoryThatHangsKeepsNobodyWaiting) {
  const auto directory = std::make_shared<Directory>();
  {
    UserNames names([directory](uid_t uid) { return directory->Name(uid); });
    EXPECT_EQ(names.Of(0), "user0");
    EXPECT_EQ(names.Of(0), "user0");
    EXPECT_EQ(directory->asked(0), 1) << "it is known";
    EXPECT_EQ(names.Of(7), "uid 7") << "there is none";
    // It hangs: the first one waits a second, and then nobody.
    EXPECT_EQ(names.Of(1000), "uid 1000");
    EXPECT_EQ(names.Of(1000), "uid 1000");
    EXPECT_EQ(names.Of(1001), "uid 1001");
    EXPECT_EQ(names.Of(0), "user0");
    EXPECT_EQ(directory->asked(1000), 1);
    EXPECT_EQ(directory->asked(1001), 0);
    // It answers again.
    directory->Open();
    const absl::Duration until = SystemClock().Monotonic() + absl::Seconds(20);
    while (names.Of(1001) != "user1001" && SystemClock().Monotonic() < until) ::usleep(1'000);
    EXPECT_EQ(names.Of(1000), "user1000");
    EXPECT_EQ(names.Of(1001), "user1001");
  }
}

TEST(UserNamesTest, ItGoesAlthoughALookupHangs) {
  const auto directory = std::make_shared<Directory>();
  {
    UserNames names([directory](uid_t uid) { return directory->Name(uid); });
    EXPECT_EQ(names.Of(1000), "uid 1000");
  }
  directory->Open();
}

}  // namespace
}  // namespace hostq::manager
