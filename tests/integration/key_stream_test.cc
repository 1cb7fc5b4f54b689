// Goal: what ends a key's right ends it at once: for the next request, and for streams that are
// open.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "google/protobuf/util/time_util.h"

namespace hostq::manager::testing {
namespace {

class KeyStreamTest : public ::testing::Test {
 protected:
  // How a stream of all events ends that is open when `act` is done.
  absl::Status EndOfStream(ApiClient& client, const std::function<void()>& act) {
    KeyCall call(client.key);
    v1::WatchEventsRequest request;
    request.set_from_now(true);
    const auto stream = client.events->WatchEvents(&call, request);
    stream->WaitForInitialMetadata();  // it is open
    act();
    v1::Event event;
    while (stream->Read(&event)) {
    }
    return FromGrpc(stream->Finish());
  }
  v1::Key Revoke(const std::string& name) {
    Call call;
    v1::RevokeKeyRequest request;
    request.set_name(name);
    request.set_note("leaked");
    v1::Key key;
    const absl::Status status = FromGrpc(manager_.keys().RevokeKey(&call, request, &key));
    EXPECT_TRUE(status.ok()) << status;
    return key;
  }
  std::string Rotate(const std::string& name, absl::Duration keep) {
    Call call;
    v1::RotateKeyRequest request;
    request.set_name(name);
    *request.mutable_keep() =
        google::protobuf::util::TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(keep));
    v1::CreateKeyResponse response;
    const absl::Status status = FromGrpc(manager_.keys().RotateKey(&call, request, &response));
    EXPECT_TRUE(status.ok()) << status;
    return response.text();
  }

  TestManager manager_;
};

TEST_F(KeyStreamTest, RevocationEndsStreamsAndRequests) {
  ApiClient client(manager_, MakeKey(manager_, "reader", {"read"}));
  const absl::Status end = EndOfStream(client, [&] { Revoke("reader"); });
  EXPECT_EQ(end.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ReasonOf(end), Reason::kKeyRevoked) << end;
  EXPECT_EQ(ReasonOf(client.ListNodes().status()), Reason::kKeyRevoked);
  // Again: as it is. A new key may have the name, and the old one stays what it is.
  const v1::Key revoked = Revoke("reader");
  EXPECT_EQ(revoked.revoke_note(), "leaked");
  EXPECT_EQ(revoked.revoked_by(), LocalActorHere(""));
  ApiClient next(manager_, MakeKey(manager_, "reader", {"read"}));
  EXPECT_TRUE(next.ListNodes().ok());
  EXPECT_EQ(ReasonOf(client.ListNodes().status()), Reason::kKeyRevoked);
  manager_.Stop();
  manager_.Start();
  EXPECT_EQ(ReasonOf(ApiClient(manager_, client.key).ListNodes().status()), Reason::kKeyRevoked);
  EXPECT_TRUE(ApiClient(manager_, next.key).ListNodes().ok());
}

TEST_F(KeyStreamTest, ExpiryEndsStreams) {
  v1::CreateKeyRequest request;
  request.set_name("short");
  request.add_scopes("read");
  request.mutable_expires_in()->set_seconds(2);
  ApiClient client(manager_, MakeKey(manager_, request));
  const absl::Status end = EndOfStream(client, [] {});
  EXPECT_EQ(ReasonOf(end), Reason::kKeyExpired) << end;
  EXPECT_EQ(ReasonOf(client.ListNodes().status()), Reason::kKeyExpired);
}

TEST_F(KeyStreamTest, RotationKeepsTheOldSecretForAWhile) {
  ApiClient first(manager_, MakeKey(manager_, "reader", {"read"}));
  ApiClient second(manager_, Rotate("reader", absl::Hours(1)));
  EXPECT_TRUE(first.ListNodes().ok());
  EXPECT_TRUE(second.ListNodes().ok());
  // A third: the first one ends at once, with its streams.
  std::string third;
  const absl::Status end = EndOfStream(first, [&] { third = Rotate("reader", absl::Hours(1)); });
  EXPECT_EQ(ReasonOf(end), Reason::kKeyExpired) << end;
  EXPECT_NE(first.ListNodes().status().code(), absl::StatusCode::kOk);
  EXPECT_TRUE(second.ListNodes().ok());
  EXPECT_TRUE(ApiClient(manager_, third).ListNodes().ok());
  ApiClient fourth(manager_, Rotate("reader", absl::ZeroDuration()));
  EXPECT_FALSE(second.ListNodes().ok());
  EXPECT_TRUE(fourth.ListNodes().ok());
}

TEST_F(KeyStreamTest, LastUseIsShown) {
  ApiClient client(manager_, MakeKey(manager_, "reader", {"read"}));
  v1::GetKeyRequest request;
  request.set_name("reader");
  v1::Key key;
  {
    Call call;
    ASSERT_TRUE(manager_.keys().GetKey(&call, request, &key).ok());
    EXPECT_FALSE(key.has_last_use_time());
    EXPECT_EQ(key.secrets_size(), 1);
  }
  ASSERT_TRUE(client.ListNodes().ok());
  for (int start = 0; start < 2; ++start) {
    Call call;
    ASSERT_TRUE(manager_.keys().GetKey(&call, request, &key).ok());
    EXPECT_TRUE(key.has_last_use_time());
    EXPECT_EQ(key.last_use_source(), "127.0.0.1");
    manager_.Stop();
    manager_.Start();
  }
}

TEST_F(KeyStreamTest, LimitedKeysWatchTheirCommandsOnly) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  ApiClient a(manager_, MakeKey(manager_, "a", {"read", "submit"}, true));
  ApiClient b(manager_, MakeKey(manager_, "b", {"read"}, true));
  const auto made = a.Create(AccountRequest("one.example", "one", "203.0.113.10"));
  ASSERT_TRUE(made.ok()) << made.status();
  const auto end = [&](ApiClient& client, const std::string& command, int& events) {
    KeyCall call(client.key);
    v1::WatchEventsRequest request;
    request.set_no_follow(true);
    request.set_command_id(command);
    const auto stream = client.events->WatchEvents(&call, request);
    v1::Event event;
    for (events = 0; stream->Read(&event); ++events) {
    }
    return FromGrpc(stream->Finish());
  };
  int events = 0;
  EXPECT_EQ(ReasonOf(end(a, "", events)), Reason::kOutOfScope);
  EXPECT_TRUE(end(a, made->command().id(), events).ok());
  EXPECT_GT(events, 0);
  EXPECT_EQ(ReasonOf(end(b, made->command().id(), events)), Reason::kUnknownCommand);
  EXPECT_EQ(events, 0);
}

}  // namespace
}  // namespace hostq::manager::testing
