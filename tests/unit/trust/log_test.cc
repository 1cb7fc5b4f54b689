// Goal: one event is one line, whatever is in the values.
#include "common/log/log.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/log/log_span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hostq {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

std::string Line(absl::string_view value) {
  return FormatLogLine(LogLevel::kInfo, "text", {{"k", value}});
}

TEST(LogTest, FormatsEveryKindOfValue) {
  const absl::Status status =
      MakeError(absl::StatusCode::kNotFound, Reason::kUnknownNode, "no node web9");
  EXPECT_EQ(FormatLogLine(LogLevel::kWarning, "session closed",
                          {{"node", "web1"},
                           {"tasks", 3},
                           {"big", uint64_t{18446744073709551615u}},
                           {"ok", true},
                           {"ratio", 0.5},
                           {"after", absl::Milliseconds(1500)},
                           {"at", absl::FromUnixSeconds(0)},
                           {"error", status},
                           {"text", std::string("a")}}),
            "warning session closed node=web1 tasks=3 big=18446744073709551615 ok=true ratio=0.5 "
            "after=1.5s at=1970-01-01T00:00:00+00:00 "
            "error=\"NOT_FOUND: no node web9 [UNKNOWN_NODE]\" text=a");
}

TEST(LogTest, NoValueForgesALineOrAField) {
  EXPECT_EQ(Line("plain"), "info text k=plain");
  EXPECT_EQ(Line(""), "info text k=\"\"");
  EXPECT_EQ(Line("a b"), "info text k=\"a b\"");
  EXPECT_EQ(Line("a=b"), "info text k=\"a=b\"");
  EXPECT_EQ(Line("a\"b\\c"), "info text k=\"a\\\"b\\\\c\"");
  EXPECT_EQ(Line("a\nerror forged"), "info text k=\"a\\nerror forged\"");
  EXPECT_EQ(Line("\x1b[2J\r\t\x7f"), "info text k=\"\\x1b[2J\\x0d\\t\\x7f\"");
  EXPECT_EQ(Line(absl::string_view("a\0b", 3)), "info text k=\"a\\x00b\"");
  EXPECT_EQ(Line("a\x7f"), "info text k=\"a\\x7f\"");
  EXPECT_EQ(Line("m\xc3\xbcller"), "info text k=\"m\xc3\xbcller\"");
  EXPECT_EQ(Line("\xff\xc3"), "info text k=\"\\xff\\xc3\"");
  EXPECT_EQ(Line("\xc2\x9b"), "info text k=\"\\xc2\\x9b\"");  // a control character of terminals
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "a\nb", {}), "info a\\nb");
}

TEST(LogTest, CutsLongValues) {
  EXPECT_EQ(Line(std::string(2000, 'a')), "info text k=" + std::string(2000, 'a'));
  EXPECT_EQ(Line(std::string(2001, 'a')), "info text k=\"" + std::string(2000, 'a') + "...\"");
}

TEST(LogTest, LevelsHaveNames) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    EXPECT_EQ(ParseLogLevel(LogLevelName(level)), level);
  }
  EXPECT_EQ(ParseLogLevel("INFO"), std::nullopt);
  EXPECT_EQ(ParseLogLevel(""), std::nullopt);
}

TEST(LogTest, TimeStampsUnlessTheJournalListens) {
  ::unsetenv("JOURNAL_STREAM");
  testing::internal::CaptureStderr();
  InitLog("hostq-test", LogLevel::kWarning);
  LogInfo("not shown");
  LogWarning("shown", {{"k", "%v {}"}});
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      MatchesRegex("20[0-9-]+T[0-9:.]+Z hostq-test\\[[0-9]+\\] warning shown k=\"%v \\{\\}\"\n"));
  // As a shell in a unit hands it on: what is redirected is not the journal.
  ::setenv("JOURNAL_STREAM", "8:1", 1);
  testing::internal::CaptureStderr();
  InitLog("hostq-test", LogLevel::kWarning);
  LogWarning("to a file");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), StartsWith("20"));
  testing::internal::CaptureStderr();
  struct stat info {};
  ASSERT_EQ(fstat(STDERR_FILENO, &info), 0);
  ::setenv("JOURNAL_STREAM", absl::StrCat(info.st_dev, ":", info.st_ino).c_str(), 1);
  InitLog("hostq-test", LogLevel::kDebug);
  LogDebug("fine");
  LogError("broken");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<7>debug fine\n<3>error broken\n");
  ::unsetenv("JOURNAL_STREAM");
}

TEST(LogTest, SpansSayWhereTheyBelong) {
  ::unsetenv("JOURNAL_STREAM");
  testing::internal::CaptureStderr();
  InitLog("hostq-test", LogLevel::kInfo);
  const std::string given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto span = SpanWithin(given, "task");
  LogSpan(LogLevel::kInfo, "ended", span, absl::FromUnixMicros(1'500'000), absl::Microseconds(2500),
          {{"task", "a/web1"}});
  LogSpan(LogLevel::kInfo, "ended", std::nullopt, absl::UnixEpoch(), absl::Seconds(61), {});
  LogSpan(LogLevel::kDebug, "not shown", span, absl::UnixEpoch(), absl::Seconds(1), {});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              MatchesRegex(".* info ended task=a/web1 start=1970-01-01T00:00:01.500000Z "
                           "duration=0.002500 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 "
                           "span_id=[0-9a-f]{16} parent_id=00f067aa0ba902b7\n"
                           ".* info ended start=1970-01-01T00:00:00.000000Z "
                           "duration=61.000000\n"));
}

}  // namespace
}  // namespace hostq
