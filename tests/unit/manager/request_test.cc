// What of a request is checked before the engine sees it.
#include "manager/api/request.h"

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/id.h"

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
