#include "common/base/pattern.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "absl/strings/str_cat.h"

namespace hostq {
namespace {

TEST(PatternTest, MatchesTheWholeText) {
  EXPECT_TRUE(MatchesWhole("[a-z][a-z0-9_-]{0,31}", "web_user-1"));
  EXPECT_FALSE(MatchesWhole("[a-z]+", "abc1"));
  EXPECT_FALSE(MatchesWhole("[a-z]+", "1abc"));
  EXPECT_TRUE(MatchesWhole("a|bc", "bc"));
  EXPECT_FALSE(MatchesWhole("a|bc", "ac")) << "each side is the whole";
  EXPECT_TRUE(MatchesWhole("[[:alpha:]]+", "abc"));
  EXPECT_FALSE(MatchesWhole("abc", absl::string_view("abc\0d", 5)));
  EXPECT_FALSE(MatchesWhole("[a-z", "a"));
}

TEST(PatternTest, SaysWhatIsWrong) {
  EXPECT_EQ(CheckPattern("[a-z]+"), std::nullopt);
  EXPECT_EQ(CheckPattern(""), "matches no name");
  EXPECT_EQ(CheckPattern("[a-z"), "is not a regular expression: missing ]: [a-z");
}

// Found by fuzzing: the C library took 2 GiB to compile 60 characters.
TEST(PatternTest, NoPatternTakesTheMemory) {
  const auto peak_kib = [] {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  const long before = peak_kib();
  for (const std::string& pattern :
       {absl::StrCat("mmm", std::string(60, '+'), "mmm[a-]+"), std::string("((a{900}){900}){900}"),
        std::string(100'000, '(')}) {
    CheckPattern(pattern);
    MatchesWhole(pattern, std::string(1000, 'm'));
  }
  EXPECT_LT(peak_kib() - before, 64 << 10);
}

}  // namespace
}  // namespace hostq
