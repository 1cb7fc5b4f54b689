#include "common/base/text.h"

#include <gtest/gtest.h>

namespace hostq {
namespace {

TEST(SizeTest, ReadsUnitsOf1024) {
  EXPECT_EQ(ParseSize("0"), 0);
  EXPECT_EQ(ParseSize("unlimited"), 0);
  EXPECT_EQ(ParseSize("4096"), 4096);
  EXPECT_EQ(ParseSize("17B"), 17);
  EXPECT_EQ(ParseSize("1536KiB"), 1536 * 1024);
  EXPECT_EQ(ParseSize("10GiB"), int64_t{10} << 30);
  EXPECT_EQ(ParseSize("10G"), int64_t{10} << 30);
  EXPECT_EQ(ParseSize("3TiB"), int64_t{3} << 40);
}

TEST(SizeTest, RefusesWhatIsMalformedAmbiguousOrTooLarge) {
  for (const char* text : {"", "GiB", "-1", "1.5GiB", "10GB", "10gib", "10 GiB", "1PiB", "0x10",
                           "99999999999999999999", "9000000TiB", "10GiBs", "+5"}) {
    EXPECT_FALSE(ParseSize(text).has_value()) << text;
  }
}

TEST(SizeTest, WritesTheLargestUnitThatLosesNothing) {
  EXPECT_EQ(FormatSize(0), "unlimited");
  EXPECT_EQ(FormatSize(5), "5B");
  EXPECT_EQ(FormatSize(1536 * 1024), "1536KiB");
  EXPECT_EQ(FormatSize(int64_t{10} << 30), "10GiB");
  for (const int64_t bytes : {int64_t{1}, int64_t{1} << 40, (int64_t{1} << 40) + 1}) {
    EXPECT_EQ(ParseSize(FormatSize(bytes)), bytes);
  }
}

TEST(AgeTest, IsShort) {
  EXPECT_EQ(FormatAge(absl::Seconds(-5)), "0s");
  EXPECT_EQ(FormatAge(absl::Seconds(59.9)), "59s");
  EXPECT_EQ(FormatAge(absl::Seconds(125)), "2m05s");
  EXPECT_EQ(FormatAge(absl::Minutes(260)), "4h20m");
  EXPECT_EQ(FormatAge(absl::Hours(76)), "3d4h");
}

TEST(PrintableTest, NeutralizesControlCharactersAndCuts) {
  EXPECT_EQ(Printable("a\nb\x1b[31m"), "a?b?[31m");
  EXPECT_EQ(Printable("abcdef", 3), "abc...");
  EXPECT_EQ(Printable("ab\u00e9", 3), "ab...") << "half a character is none";
  EXPECT_EQ(Printable("ab\u00e9", 4), "ab\u00e9");
  EXPECT_EQ(Printable("\U0001f980\U0001f980", 7), "\U0001f980...");
  EXPECT_EQ(Printable("\x80\x80\x80\x80\x80\x80", 5), "??...") << "not text at all";
}

TEST(PrintableTest, MakesUtf8OfAnything) {
  EXPECT_EQ(Printable("a\xff\xc3\xa4"), "a???");
  EXPECT_EQ(Printable("\xc3\xa4"), "\xc3\xa4");
}

TEST(TextTest, EditDistanceCountsLetters) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("--quta", "--quota"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

TEST(TextTest, Utf8) {
  for (const char* value : {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                            "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(value)) << value;
  }
  for (const char* value : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2",
                            "\xc2"
                            "a",
                            "\xe0\x80\x80", "\xe0\xa0", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                            "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xfe"}) {
    EXPECT_FALSE(IsUtf8(value)) << value;
  }
}

}  // namespace
}  // namespace hostq
