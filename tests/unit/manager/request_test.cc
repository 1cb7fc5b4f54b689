// What of a request is checked before the engine sees it.
#include "manager/api/request.h"

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/id.h"
#include "google/protobuf/text_format.h"
#include "manager/api/submission.h"

namespace hostq::manager {
namespace {

v1::CreateCommandRequest Request() {
  v1::CreateCommandRequest request;
  request.mutable_spec()->mutable_bind_address()->set_address("203.0.113.10");
  return request;
}

TEST(RequestTest, OrdinaryRequestPasses) {
  v1::CreateCommandRequest request = Request();
  request.set_request_id("order-4711/retry:1");
  request.mutable_not_after()->set_seconds(2'000'000'000);
  EXPECT_TRUE(CheckRequest(request).ok()) << CheckRequest(request);
}

TEST(RequestTest, KindIsNeeded) {
  EXPECT_EQ(ReasonOf(CheckRequest(v1::CreateCommandRequest())), Reason::kInvalidArgument);
}

TEST(RequestTest, RequestIdIsShortAndPrintable) {
  v1::CreateCommandRequest request = Request();
  request.set_request_id(std::string(64, 'a'));
  EXPECT_TRUE(CheckRequest(request).ok());
  for (const std::string& id : {std::string(65, 'a'), std::string("a b"), std::string("a\n"),
                                std::string("\0", 1), std::string("é")}) {
    request.set_request_id(id);
    EXPECT_EQ(ReasonOf(CheckRequest(request)), Reason::kInvalidArgument) << id;
  }
}

TEST(RequestTest, LargeRequestIsRefused) {
  v1::CreateCommandRequest request = Request();
  request.mutable_spec()->mutable_bind_address()->set_address(std::string(300 << 10, '1'));
  const absl::Status status = CheckRequest(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), Reason::kRequestTooLarge);
}

TEST(RequestTest, NotAfterIsATime) {
  v1::CreateCommandRequest request = Request();
  request.mutable_not_after()->set_nanos(-1);
  EXPECT_EQ(ReasonOf(CheckRequest(request)), Reason::kInvalidArgument);
  request.mutable_not_after()->set_nanos(0);
  request.mutable_not_after()->set_seconds(INT64_MAX);
  EXPECT_EQ(ReasonOf(CheckRequest(request)), Reason::kInvalidArgument);
}

// A field of a newer client, at any depth, means something that would be lost.
TEST(RequestTest, RulesOfDeliveryAreChecked) {
  const struct {
    const char* field;
    const char* rules;
    bool good;
  } kRows[] = {
      {"not_before", "not_before { seconds: 10 } not_after { seconds: 11 }", true},
      {"not_before", "not_before { seconds: 11 } not_after { seconds: 11 }", false},
      {"not_before", "not_before { seconds: 10 nanos: -1 }", false},
      {"priority", "priority: -100", true},
      {"priority", "priority: 101", false},
      {"priority", "priority: -2147483648", false},
      {"max_parallel", "max_parallel: -1", false},
      {"max_failures", "max_failures: 0", true},
      {"max_failures", "max_failures: -1", false},
      {"retry.initial", "retry { initial { seconds: 0 } }", false},
      {"retry.initial", "retry { initial { nanos: 1000000 } }", true},
      {"retry.cap", "retry { cap { seconds: -1 } }", false},
      {"retry.cap", "retry { initial { seconds: 9 } cap { seconds: 8 } }", false},
      {"retry.max_elapsed", "retry { max_elapsed { seconds: 9223372036854775807 } }", false},
      {"retry.factor", "retry { factor: 0.99 }", false},
      {"retry.factor", "retry { factor: nan }", false},
      {"retry.factor", "retry { factor: 1 }", true},
      {"retry.max_attempts", "retry { max_attempts: 0 }", false},
      {"retry.max_attempts", "retry { max_attempts: 1000 }", true},
      {"retry.max_attempts", "retry { max_attempts: 1001 }", false},
      {"retry.never", "retry { never: STEP_TIMED_OUT }", true},
      {"retry.never", "retry { never: CODE_UNSPECIFIED }", false},
  };
  for (const auto& row : kRows) {
    v1::CreateCommandRequest request = Request();
    ASSERT_TRUE(google::protobuf::TextFormat::MergeFromString(row.rules, &request)) << row.rules;
    const absl::Status status = CheckRequest(request);
    EXPECT_EQ(status.ok(), row.good) << row.rules << ": " << status;
    if (row.good) continue;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << row.rules;
    EXPECT_EQ(status.message().substr(0, status.message().find(": ")), row.field) << status;
  }
}

TEST(RequestTest, WhatIsNotGivenIsTheKinds) {
  v1::CreateCommandRequest request = Request();
  Submission submission;
  SetRules(request, submission);
  EXPECT_EQ(submission.max_failures, -1);
  EXPECT_FALSE(submission.retry);
  request.mutable_retry()->set_full_jitter(true);
  request.mutable_retry()->mutable_initial()->set_seconds(600);
  request.mutable_retry()->add_never(v1::Reason::STEP_TIMED_OUT);
  SetRules(request, submission);
  RetryRules rules;
  rules.max_attempts = 7;
  submission.retry(rules);
  EXPECT_EQ(rules.backoff.floor, 0);
  EXPECT_EQ(rules.backoff.initial, absl::Minutes(10));
  EXPECT_EQ(rules.backoff.cap, absl::Minutes(10)) << "the kind's cap gives way";
  EXPECT_EQ(rules.max_attempts, 7);
  EXPECT_EQ(rules.never, std::vector<Reason>{Reason::kStepTimedOut});
  const v1::RetryPolicy shown = ToProto(rules);
  EXPECT_TRUE(shown.full_jitter());
  EXPECT_FALSE(shown.has_max_elapsed());
  EXPECT_EQ(shown.initial().seconds(), 600);
}

TEST(RequestTest, UnknownFieldIsRefused) {
  v1::CreateCommandRequest request = Request();
  auto* address = request.mutable_spec()->mutable_bind_address();
  address->GetReflection()->MutableUnknownFields(address)->AddVarint(77, 1);
  const absl::Status status = CheckRequest(request);
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
  EXPECT_NE(status.message().find("field 77"), absl::string_view::npos) << status;
}

TEST(RequestTest, ContentIsTheSameForTheSameRequestOnly) {
  v1::CreateCommandRequest a = Request();
  v1::CreateCommandRequest b = Request();
  a.set_request_id("one");
  b.set_request_id("two");
  EXPECT_EQ(ContentOf(a), ContentOf(b));
  b.add_nodes("web1");
  EXPECT_NE(ContentOf(a), ContentOf(b));
  a.add_nodes("web1");
  EXPECT_EQ(ContentOf(a), ContentOf(b));
  b.mutable_not_after()->set_seconds(5);
  EXPECT_NE(ContentOf(a), ContentOf(b));
}

TEST(RequestTest, CommandIdIsParsedOrRefused) {
  EXPECT_EQ(*ParseCommandId("id", FormatId(4711)), 4711);
  for (const std::string& text : {std::string(), std::string("x"), std::string(13, '~'),
                                  std::string(13, 'z'), std::string(100, '0')}) {
    EXPECT_EQ(ReasonOf(ParseCommandId("id", text).status()), Reason::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace hostq::manager
