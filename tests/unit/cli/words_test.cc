// Goal: values are read and shown without surprises; every outcome of a call has its exit code.
// Method: examples and tables of them.

#include "manager/cli/words.h"

#include "common/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manager/cli/exit_code.h"
#include "manager/cli/target.h"
#include "manager/cli/tool.h"

namespace hostq::cli {
namespace {

TEST(WordsTest, SpansAreReadInEveryUnit) {
  EXPECT_EQ(ParseSpan("90s"), absl::Seconds(90));
  EXPECT_EQ(ParseSpan("1h30m"), absl::Minutes(90));
  EXPECT_EQ(ParseSpan("2d"), absl::Hours(48));
  EXPECT_EQ(ParseSpan("1.5h"), absl::Minutes(90));
}

TEST(WordsTest, WhatIsNoSpanIsRefused) {
  for (const char* text : {"", "5", "0s", "-5s", "5 minutes", "inf", "1e99h", "d", "99999999d"}) {
    EXPECT_FALSE(ParseSpan(text)) << text;
  }
}

TEST(WordsTest, WhenIsATimeOrASpanFromNow) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(ParseWhen("2h", now), now + absl::Hours(2));
  EXPECT_EQ(ParseWhen("2023-11-14T22:13:20Z", now), now);
  EXPECT_EQ(ParseWhen("2023-11-14T23:13:20+01:00", now), now);
  for (const char* text : {"", "tomorrow", "2023-11-14", "infinite-future", "1969-01-01T00:00:00Z",
                           "20261-02-04T18:00:00Z"}) {
    EXPECT_FALSE(ParseWhen(text, now)) << text;
  }
}

TEST(WordsTest, TimestampsKeepMicroseconds) {
  const absl::Time time = absl::FromUnixMicros(1'700'000'000'123'456);
  EXPECT_EQ(ToTime(FromTime(time)), time);
}

TEST(WordsTest, TextsFromElsewhereCannotSteerTheTerminal) {
  EXPECT_EQ(Clean("a\x1b[2Jb\nc"), "a?[2Jb?c");
}

TEST(WordsTest, UnknownNumbersAreShownAsNumbers) {
  EXPECT_EQ(ReasonText(static_cast<v1::Reason::Code>(9999)), "REASON_9999");
  EXPECT_EQ(Explanation(static_cast<v1::Reason::Code>(9999)), "");
  v1::Task task;
  task.set_phase(static_cast<v1::Task::Phase>(77));
  EXPECT_EQ(StateText(task), "PHASE_77");
}

TEST(WordsTest, ReasonsHaveTheirExplanation) {
  EXPECT_EQ(ReasonText(v1::Reason::NODE_OFFLINE), "NODE_OFFLINE");
  EXPECT_EQ(Explanation(v1::Reason::NODE_OFFLINE),
            "queued; its node has no session with the manager");
  EXPECT_EQ(ReasonText(v1::Reason::CODE_UNSPECIFIED), "");
}

TEST(WordsTest, EveryOwnerHasWords) {
  for (int i = v1::Finding::Owner_MIN + 1; i <= v1::Finding::Owner_MAX; ++i) {
    const auto owner = static_cast<v1::Finding::Owner>(i);
    EXPECT_NE(OwnerShort(owner, "web1"), "") << i;
    EXPECT_NE(OwnerText(owner, "web1"), "") << i;
  }
}

TEST(WordsTest, ParametersAreShownAsTheyAreTyped) {
  v1::CommandSpec spec;
  spec.mutable_create_account()->set_domain("example.com");
  spec.mutable_create_account()->set_quota_bytes(int64_t{10} << 30);
  EXPECT_EQ(SpecText(spec), "domain=example.com quota=10GiB");
  spec.mutable_create_account()->set_uid(2001);
  spec.mutable_create_account()->set_quota_bytes(0);
  EXPECT_EQ(SpecText(spec), "domain=example.com quota=unlimited uid=2001");
  spec.mutable_suspend_account()->set_note("unpaid since May");
  EXPECT_EQ(SpecText(spec), "note=\"unpaid since May\"");
  EXPECT_EQ(SpecText(v1::CommandSpec()), "");
}

TEST(ExitCodeTest, EveryStatusHasItsCode) {
  using absl::StatusCode;
  const struct {
    StatusCode code;
    Reason reason;
    int expected;
  } kRows[] = {
      {StatusCode::kInvalidArgument, Reason::kInvalidDomain, kRefused},
      {StatusCode::kNotFound, Reason::kUnknownNode, kRefused},
      {StatusCode::kAlreadyExists, Reason::kAccountExists, kRefused},
      {StatusCode::kFailedPrecondition, Reason::kNotRetryable, kRefused},
      {StatusCode::kResourceExhausted, Reason::kRequestTooLarge, kRefused},
      {StatusCode::kResourceExhausted, Reason::kQueueFull, kOtherError},
      {StatusCode::kUnavailable, Reason::kNone, kUnreachable},
      {StatusCode::kUnavailable, Reason::kShuttingDown, kUnreachable},
      {StatusCode::kUnavailable, Reason::kStoreUnavailable, kOtherError},
      {StatusCode::kDeadlineExceeded, Reason::kNone, kUnreachable},
      {StatusCode::kCancelled, Reason::kNone, kUnreachable},
      {StatusCode::kUnknown, Reason::kNone, kUnreachable},
      {StatusCode::kAborted, Reason::kNone, kOtherError},
      {StatusCode::kPermissionDenied, Reason::kNotAuthorized, kNotAuthorized},
      {StatusCode::kUnauthenticated, Reason::kUnauthenticated, kNotAuthorized},
      {StatusCode::kInternal, Reason::kInternal, kOtherError},
      {StatusCode::kUnimplemented, Reason::kNone, kOtherError},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(ExitCodeOf(MakeError(row.code, row.reason, "no")), row.expected)
        << absl::StatusCodeToString(row.code) << " " << NameOf(row.reason);
  }
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), kDone);
}

TEST(ErrorTextTest, SaysReasonMessageAndFilledInRemedy) {
  const ErrorText error =
      Describe(MakeError(absl::StatusCode::kAlreadyExists, Reason::kAccountExists,
                         "ACCOUNT_EXISTS: example.com was created before"),
               "/nowhere", {{"DOMAIN", "example.com"}});
  EXPECT_EQ(RenderErrorText(error, 80, false),
            "hostq: ACCOUNT_EXISTS: example.com was created before\n"
            "  see it: hostq account show example.com\n");
  EXPECT_EQ(RenderErrorJson(error),
            "{\"error\":{\"code\":\"ALREADY_EXISTS\",\"reason\":\"ACCOUNT_EXISTS\","
            "\"message\":\"example.com was created before\","
            "\"remedy\":\"see it: hostq account show example.com\"}}\n");
}

TEST(ErrorTextTest, SaysWhenToSendItAgain) {
  const ErrorText error = Describe(WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted,
                                                            Reason::kQueueFull, "too many"),
                                                  absl::Milliseconds(2500)),
                                   "/nowhere", {});
  EXPECT_THAT(RenderErrorText(error, 80, false),
              ::testing::EndsWith("\n  not before: 2.5s from now\n"));
  EXPECT_THAT(RenderErrorJson(error), ::testing::EndsWith(",\"retryDelay\":\"2.5s\"}}\n"));
}

TEST(ErrorTextTest, PlaceholdersAreReplacedAsWholeWords) {
  EXPECT_EQ(FillIn("NODE NODES (NODE)", {{"NODE", "web1"}}), "web1 NODES (web1)");
  EXPECT_EQ(FillIn("", {{"NODE", "web1"}}), "");
}

TEST(TargetTest, ToldApartByForm) {
  EXPECT_EQ(KeyOf("01jd4n7zq8w3a"), "");
  EXPECT_EQ(KeyOf("01JD4N7ZQ8W3A/web1"), "");
  EXPECT_EQ(KeyOf("example.com"), "account/example.com");
  EXPECT_EQ(KeyOf("203.0.113.10"), "address/203.0.113.10");
  EXPECT_EQ(KeyOf("2001:db8::1"), "address/2001:db8::1");
  EXPECT_EQ(KeyOf("share/home"), "share/home");
  EXPECT_EQ(KeyOf("nonsense"), "");
  EXPECT_EQ(SplitTask("01jd4n7zq8w3a/web1").node, "web1");
  EXPECT_EQ(SplitTask("01jd4n7zq8w3a").node, "");
}

}  // namespace
}  // namespace hostq::cli
