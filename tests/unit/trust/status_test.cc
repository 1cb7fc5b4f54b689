// Goal: a reason survives the way over gRPC, in the form that any client reads.
#include "common/rpc/status.h"

#include "common/base/error.h"
#include "common/rpc/peer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hostq {
namespace {

TEST(StatusTest, EveryCodeAndReasonRoundTrips) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status plain(static_cast<absl::StatusCode>(code), "no reason");
    EXPECT_EQ(FromGrpc(ToGrpc(plain)), plain);
    for (const ReasonInfo& info : AllReasons()) {
      const absl::Status status =
          MakeError(static_cast<absl::StatusCode>(code), info.reason, "what happened");
      const absl::Status again = FromGrpc(ToGrpc(status));
      EXPECT_EQ(again.code(), status.code());
      EXPECT_EQ(again.message(), status.message());
      EXPECT_EQ(ReasonOf(again), info.reason) << info.name;
    }
  }
}

TEST(StatusTest, OwnRemedyRoundTrips) {
  const absl::Status plain =
      MakeError(absl::StatusCode::kFailedPrecondition, Reason::kShareInUse, "taken");
  EXPECT_EQ(RemedyOf(FromGrpc(ToGrpc(plain))), "");
  const absl::Status again = FromGrpc(ToGrpc(WithRemedy(plain, "choose another")));
  EXPECT_EQ(RemedyOf(again), "choose another");
  EXPECT_EQ(ReasonOf(again), Reason::kShareInUse);
  // Both at their longest still fit into the headers.
  const grpc::Status longest = ToGrpc(
      WithRemedy(MakeError(absl::StatusCode::kAborted, Reason::kInternal, std::string(9000, 'x')),
                 std::string(9000, 'y')));
  EXPECT_EQ(RemedyOf(FromGrpc(longest)), std::string(500, 'y') + "...");
  EXPECT_LT(longest.error_details().size() * 4 / 3 + longest.error_message().size(), 8000u);
}

// Written by hand from google/rpc/status.proto and error_details.proto.
TEST(StatusTest, DetailsAreGoogleRpcStatusOnTheWire) {
  const grpc::Status status =
      ToGrpc(MakeError(absl::StatusCode::kNotFound, Reason::kUnknownNode, "none"));
  const std::string info = std::string("\x0a\x0cUNKNOWN_NODE\x12\x05") + "hostq";
  const std::string type = "type.googleapis.com/google.rpc.ErrorInfo";
  const std::string any = std::string("\x0a") + static_cast<char>(type.size()) + type + "\x12" +
                          static_cast<char>(info.size()) + info;
  EXPECT_EQ(status.error_details(),
            std::string("\x08\x05\x12\x04none\x1a") + static_cast<char>(any.size()) + any);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "none");
}

TEST(StatusTest, MessagesFitAHeaderAndAreText) {
  const auto message = [](const std::string& text) {
    return ToGrpc(absl::InternalError(text)).error_message();
  };
  EXPECT_EQ(message(std::string(100'000, 'x')), std::string(1500, 'x') + "...");
  EXPECT_EQ(message("a\xff\xc3 b"), "a?? b");
  EXPECT_EQ(message("\xed\xa0\x80\xf5\xc0\x80"), "??????");
  EXPECT_EQ(message("m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80"),
            "m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80");
  std::string euros;
  while (euros.size() < 2000) euros += "\xe2\x82\xac";
  EXPECT_EQ(message(euros), euros.substr(0, 1500) + "...");
}

TEST(StatusTest, ForeignAndBrokenDetailsLeaveCodeAndMessage) {
  for (const std::string& details :
       {std::string("junk"), std::string("\x1a\xff"), std::string(100, '\xff')}) {
    const absl::Status status =
        FromGrpc(grpc::Status(grpc::StatusCode::ABORTED, "message", details));
    EXPECT_EQ(status, absl::AbortedError("message"));
  }
  std::string other = ToGrpc(MakeError(absl::StatusCode::kAborted, Reason::kUnknownNode, "message"))
                          .error_details();
  other.replace(other.rfind("hostq"), 5, "other");
  EXPECT_EQ(FromGrpc(grpc::Status(grpc::StatusCode::ABORTED, "message", other)),
            absl::AbortedError("message"));
}

TEST(PeerTest, AddressWithoutPort) {
  EXPECT_EQ(PeerAddress("ipv4:192.0.2.1:4711"), "192.0.2.1");
  EXPECT_EQ(PeerAddress("ipv6:%5B2001:db8::1%5D:4711"), "2001:db8::1");
  EXPECT_EQ(PeerAddress("ipv6:[2001:db8::1]:4711"), "2001:db8::1");
  EXPECT_EQ(PeerAddress("ipv6:%5Bfe80::1%252%5D:4711"), "fe80::1");
  EXPECT_EQ(PeerAddress("ipv6:[fe80::1%eth0]:4711"), "fe80::1");
  EXPECT_EQ(PeerAddress("unix:/run/hostq/manager.sock"), "unix:/run/hostq/manager.sock");
  EXPECT_EQ(PeerAddress(""), "");
}

}  // namespace
}  // namespace hostq
