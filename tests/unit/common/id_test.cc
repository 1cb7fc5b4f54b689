#include "common/base/id.h"

#include <gtest/gtest.h>

namespace hostq {
namespace {

TEST(IdTest, GrowsWithTimeAndWhenTheClockGoesBack) {
  SeededRandom random(1);
  IdSource ids(random, 0);
  const absl::Time start = absl::FromUnixSeconds(1'800'000'000);
  const int64_t first = ids.Next(start);
  const int64_t later = ids.Next(start + absl::Milliseconds(5));
  const int64_t back = ids.Next(start - absl::Hours(24 * 7));
  EXPECT_LT(first, later);
  EXPECT_LT(later, back);
}

TEST(IdTest, IsHigherThanTheHighestInUse) {
  SeededRandom random(1);
  IdSource ids(random, INT64_MAX - 10);
  EXPECT_GT(ids.Next(absl::FromUnixSeconds(1'800'000'000)), INT64_MAX - 10);
}

TEST(IdTest, TwoManagersOfOneBackupHandOutDifferentIds) {
  SeededRandom one(1), two(2);
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_NE(IdSource(one, 0).Next(now), IdSource(two, 0).Next(now));
}

TEST(IdTest, TwoManagersOfOneBackupDifferAlsoWhenTheClockHasGoneBack) {
  SeededRandom one(1), two(2);
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const int64_t later = IdSource(one, 0).Next(now + absl::Hours(1));
  EXPECT_NE(IdSource(one, later).Next(now), IdSource(two, later).Next(now));
}

TEST(IdTest, TextKeepsOrderAndReadsBack) {
  SeededRandom random(3);
  int64_t last = 1;
  std::string last_text = FormatId(last);
  for (int i = 0; i < 1000; ++i) {
    const int64_t id = last + 1 + static_cast<int64_t>(random.Next() >> 15);
    const std::string text = FormatId(id);
    EXPECT_EQ(text.size(), 13u);
    EXPECT_LT(last_text, text);
    EXPECT_EQ(ParseId(text), id);
    last = id;
    last_text = text;
  }
}

TEST(IdTest, ReadsLookAlikesAndCapitals) {
  const std::string text = FormatId((int64_t{1} << 45) | 0x21);
  std::string typed = text;
  for (char& c : typed) {
    if (c == '0') c = 'O';
    if (c == '1') c = 'l';
  }
  EXPECT_EQ(ParseId(typed), ParseId(text));
}

TEST(IdTest, TimesDivideIds) {
  const absl::Time time = absl::FromUnixSeconds(1'900'000'000);
  SeededRandom random(1);
  IdSource ids(random, 0);
  const int64_t before = ids.Next(time - absl::Milliseconds(1));
  const int64_t then = ids.Next(time);
  EXPECT_LT(before, FirstIdAt(time));
  EXPECT_GE(then, FirstIdAt(time));
  EXPECT_EQ(FirstIdAt(absl::UnixEpoch()), 0) << "there were none";
  EXPECT_EQ(FirstIdAt(absl::InfinitePast()), 0);
  EXPECT_GT(FirstIdAt(absl::InfiniteFuture()), then);
}

TEST(IdTest, RefusesWhatIsNoId) {
  for (const char* text : {"", "abc", "0000000000000", "zzzzzzzzzzzzz", "00000000000u1",
                           "00000000000001", "../../etc/pas", "0000000000 01"}) {
    EXPECT_FALSE(ParseId(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace hostq
