// Goal: whoever looks into a database while a program of ours writes it does it no harm. Method:
// Python's sqlite3 is the other program. POSIX locks go with the first descriptor of the file that
// a process closes, whoever opened it; without them the other program takes itself for the last
// one, and removes the log that is still being written.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/sqlite/database.h"

namespace hostq {
namespace {

TEST(OtherProcessTest, WhoReadsTakesNothingAway) {
  char folder[] = "/tmp/hostq-other-process-test.XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/hostq.db";
  const auto first = sqlite::Database::Open(path);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE((*first)->Execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)").ok());
  // A second connection of the same process, as the archive's is.
  ASSERT_TRUE(sqlite::Database::Open(path).ok());
  struct stat before {};
  ASSERT_EQ(stat((path + "-wal").c_str(), &before), 0);
  const std::string look = absl::StrCat("python3 -c \"import sqlite3; c = sqlite3.connect('", path,
                                        "'); assert c.execute('select count(*) from t').fetchone() "
                                        "== (1,); c.close()\"");
  ASSERT_EQ(std::system(look.c_str()), 0);
  struct stat after {};
  ASSERT_EQ(stat((path + "-wal").c_str(), &after), 0) << "the log is gone";
  EXPECT_EQ(before.st_ino, after.st_ino);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hostq
