// Goal: text fits the terminal, and nothing that can be copied is broken. Method: examples.

#include "manager/cli/layout.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manager/cli/table.h"

namespace hostq::cli {
namespace {

using ::testing::ElementsAre;

TEST(LayoutTest, WidthCountsCharactersNotBytes) {
  EXPECT_EQ(DisplayWidth("m\xc3\xbcller"), 6u);
  EXPECT_EQ(Cut("m\xc3\xbcllerstra\xc3\x9f"
                "e",
                8),
            "m\xc3\xbclle...");
  EXPECT_EQ(PadRight("\xc3\xbc", 3), "\xc3\xbc  ");
  EXPECT_EQ(PadLeft("7", 3), "  7");
}

TEST(LayoutTest, CutLeavesWhatFits) {
  EXPECT_EQ(Cut("abc", 3), "abc");
  EXPECT_EQ(Cut("abcdef", 5), "ab...");
  EXPECT_EQ(Cut("abcdef", 2), "ab");
}

TEST(LayoutTest, WrapBreaksAtBlanksAndLongWords) {
  EXPECT_THAT(Wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrap("abcdefghij kl", 4), ElementsAre("abcd", "efgh", "ij", "kl"));
  EXPECT_THAT(Wrap("a  b", 10), ElementsAre("a  b"));
  EXPECT_THAT(Wrap("", 10), ElementsAre(""));
  EXPECT_THAT(Wrap("anything at all", 0), ElementsAre("anything at all"));
}

TEST(LayoutTest, WrapKeepsCommandsWhole) {
  EXPECT_THAT(
      Wrap("mend the cause, then: hostq command retry 01jd4n7zq8w3x; that is all", 30),
      ElementsAre("mend the cause, then:", "hostq command retry 01jd4n7zq8w3x;", "that is all"));
  EXPECT_THAT(Wrap("first (hostq node show web1) more", 20),
              ElementsAre("first (hostq node", "show web1) more"));
  EXPECT_THAT(Wrap("try: hostq node show web1, then wait", 24),
              ElementsAre("try:", "hostq node show web1,", "then wait"));
}

TEST(LayoutTest, WrapTakesProseAboutHostqAsProse) {
  EXPECT_THAT(Wrap("run hostq with sudo", 10), ElementsAre("run hostq", "with sudo"));
}

TEST(LayoutTest, ClausesAreSplitOutsideOfParentheses) {
  EXPECT_THAT(Clauses("do this (a; b); then: that"), ElementsAre("do this (a; b)", "then: that"));
  EXPECT_THAT(Clauses(""), ElementsAre());
}

TEST(LayoutTest, PaintsOnlyWhenAsked) {
  EXPECT_EQ(Paint("x", Colour::kRed, false), "x");
  EXPECT_EQ(Paint("x", Colour::kNone, true), "x");
  EXPECT_EQ(Paint("x", Colour::kRed, true), "\x1b[1;31mx\x1b[0m");
}

Table MakeTable() {
  Table table({{"NAME", Table::Fit::kCut},
               {"COUNT", Table::Fit::kKeep, true},
               {"MESSAGE", Table::Fit::kWrap}});
  table.AddRow({"web1", "5", "all is well"});
  table.AddRow({"a-node-with-a-long-name", "12345", "the file server does not answer at all"});
  return table;
}

TEST(TableTest, AlignsColumns) {
  EXPECT_EQ(MakeTable().Render(0, false),
            "NAME                     COUNT  MESSAGE\n"
            "web1                         5  all is well\n"
            "a-node-with-a-long-name  12345  the file server does not answer at all\n");
}

TEST(TableTest, WrapsMessagesBeforeItCutsNames) {
  EXPECT_EQ(MakeTable().Render(60, false),
            "NAME                     COUNT  MESSAGE\n"
            "web1                         5  all is well\n"
            "a-node-with-a-long-name  12345  the file server does not\n"
            "                                answer at all\n");
  EXPECT_EQ(MakeTable().Render(40, false),
            "NAME         COUNT  MESSAGE\n"
            "web1             5  all is well\n"
            "a-node-w...  12345  the file server does\n"
            "                    not answer at all\n");
}

TEST(TableTest, NoLineIsLongerThanTheWidth) {
  for (size_t width = 30; width < 90; ++width) {
    for (const std::string& line : Wrap(MakeTable().Render(width, false), 0)) {
      size_t longest = 0;
      size_t length = 0;
      for (const char c : line) {
        length = c == '\n' ? 0 : length + 1;
        longest = std::max(longest, length);
      }
      EXPECT_LE(longest, width);
    }
  }
}

TEST(TableTest, LeavesOutEmptyColumnsAndTrailingBlanks) {
  Table table({{"A"}, {"NOTHING"}, {"B"}});
  table.AddRow({"1", "", "2"});
  table.AddRow({"1", "", ""});
  EXPECT_EQ(table.Render(80, false), "A  B\n1  2\n1\n");
}

TEST(TableTest, WideHasEveryColumnWhole) {
  Table table({{"A", Table::Fit::kCut}, {"NOTHING"}, {"B", Table::Fit::kWrap}});
  table.AddRow({std::string(50, 'x'), "", std::string(300, 'y')});
  EXPECT_EQ(table.Render(kEveryColumn, false),
            absl::StrCat("A", std::string(51, ' '), "NOTHING  B\n", std::string(50, 'x'),
                         std::string(11, ' '), std::string(300, 'y'), "\n"));
}

// On a phone, or in half a window.
TEST(TableTest, RowsBecomeBlocksWhereColumnsDoNotFit) {
  Table table({{"NODE", Table::Fit::kCut},
               {"STATE"},
               {"ADDRESS"},
               {"QUEUED", Table::Fit::kKeep, true},
               {"PREFLIGHT", Table::Fit::kWrap}});
  table.AddRow({"storage1", "READY", "203.0.113.1", "0", "9 ok"});
  table.AddRow({"web1", "PAUSED", "203.0.113.2", "12", ""});
  table.AddNote("paused by root: a new disk until noon");
  EXPECT_EQ(table.Render(40, false),
            "storage1\n"
            "  STATE      READY\n"
            "  ADDRESS    203.0.113.1\n"
            "  QUEUED     0\n"
            "  PREFLIGHT  9 ok\n"
            "web1\n"
            "  STATE    PAUSED\n"
            "  ADDRESS  203.0.113.2\n"
            "  QUEUED   12\n"
            "  paused by root: a new disk until noon\n");
}

TEST(TableTest, PaintsTextButNotTheBlanks) {
  Table table({{""}, {""}});
  table.AddRow({{"ok", Colour::kGreen}, "x"});
  table.AddRow({"long", "y"});
  EXPECT_EQ(table.Render(80, true), "\x1b[32mok\x1b[0m    x\nlong  y\n");
}

TEST(TableTest, NotesStandBelowTheirRow) {
  Table table({{"A"}});
  table.AddRow({"1"});
  table.AddNote("one two three");
  table.AddRow({"2"});
  EXPECT_EQ(table.Render(10, false), "A\n1\n  one two\n  three\n2\n");
  EXPECT_EQ(table.Render(0, false, 2), "  A\n  1\n    one two three\n  2\n");
}

}  // namespace
}  // namespace hostq::cli
