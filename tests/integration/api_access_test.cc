// Goal: nobody gets in at the API listener without showing who they are, and nobody further than
// their scopes. Method: every method of every service, called over the real listener.
#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "manager/access/api_key.h"
#include "manager/api/authorization.h"

namespace hostq::manager::testing {
namespace {

class ApiAccessTest : public ::testing::Test {
 protected:
  // The alarm about `subject`, or an empty one.
  v1::Event Alarm(const std::string& subject) {
    v1::WatchEventsRequest request;
    request.set_no_follow(true);
    v1::Event event, found;
    Call call;
    const auto stream = manager_.events().WatchEvents(&call, request);
    while (stream->Read(&event)) {
      if (event.type() == v1::Event::ALARM_RAISED && absl::StrContains(event.message(), subject)) {
        found = event;
      }
    }
    return found;
  }

  TestManager manager_;
};

std::vector<std::string> ApiMethods() {
  std::vector<std::string> methods;
  for (const MethodRule& rule : MethodRules()) {
    if (rule.listener == Listener::kAdministration) methods.emplace_back(rule.method);
  }
  return methods;
}

// A method that forgot to ask who calls fails here.
TEST_F(ApiAccessTest, EveryMethodWantsCredentials) {
  int calls = 0;
  for (const std::string& method : ApiMethods()) {
    const absl::Status status = ApiClient(manager_, "").Empty(method);
    // Ten are told; then the address has to wait.
    if (++calls <= 10) {
      EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << method << status;
      EXPECT_EQ(ReasonOf(status), Reason::kUnauthenticated) << method;
    } else {
      EXPECT_TRUE(ReasonOf(status) == Reason::kRateLimited ||
                  ReasonOf(status) == Reason::kUnauthenticated)
          << method << status;
    }
  }
  EXPECT_GT(calls, 25);
}

// As much as can be granted with nothing in it: no method is reached by it.
TEST_F(ApiAccessTest, EveryMethodWantsAScope) {
  v1::CreateKeyRequest request;
  request.set_requests_per_second(1000);
  request.set_name("reader");
  request.add_scopes("read:none*:none:none.example");
  const std::string reader = MakeKey(manager_, request);
  request.set_name("actor");
  request.set_scopes(0, "act:none*:none:none.example");
  const std::string actor = MakeKey(manager_, request);
  for (const MethodRule& rule : MethodRules()) {
    if (rule.listener != Listener::kAdministration) continue;
    const std::string& key = rule.verb == Verb::kRead ? actor : reader;
    const absl::Status status = ApiClient(manager_, key).Empty(std::string(rule.method));
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << rule.method << status;
    EXPECT_EQ(ReasonOf(status), rule.local_only ? Reason::kNotAuthorized : Reason::kOutOfScope)
        << rule.method << status;
  }
}

TEST_F(ApiAccessTest, OtherServicesAreNotThere) {
  const std::string key = MakeKey(manager_, "all", {"admin"});
  for (const char* method :
       {"hostq.agent.v1.SessionService.Connect", "hostq.agent.v1.EnrollmentService.Enroll",
        "grpc.health.v1.Health.Watch", "hostq.v1.CommandService.Nothing"}) {
    EXPECT_EQ(ApiClient(manager_, key).Empty(method).code(), absl::StatusCode::kUnimplemented)
        << method;
  }
}

TEST_F(ApiAccessTest, HealthIsForEverybodyAndSaysNothingElse) {
  ApiClient client(manager_, "");
  const auto stub = grpc::health::v1::Health::NewStub(client.channel);
  grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse response;
  {
    Call call;
    ASSERT_TRUE(stub->Check(&call, request, &response).ok());
    EXPECT_EQ(response.DebugString(), "status: SERVING\n");
  }
  request.set_service("hostq.v1.CommandService");
  Call call;
  EXPECT_EQ(stub->Check(&call, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ApiAccessTest, PagesOfOtherSitesAreRefused) {
  const std::string key = MakeKey(manager_, "reader", {"read"});
  ApiClient client(manager_, key);
  KeyCall call(key);
  call.AddMetadata("origin", "https://evil.example");
  v1::ListNodesResponse response;
  const absl::Status status = FromGrpc(client.nodes->ListNodes(&call, {}, &response));
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(status), Reason::kForeignOrigin);
}

TEST_F(ApiAccessTest, RequestIdGoesBack) {
  const std::string key = MakeKey(manager_, "reader", {"read"});
  ApiClient client(manager_, key);
  for (const auto& [said, kept] :
       std::vector<std::pair<std::string, bool>>{{"my-request-1", true},
                                                 {std::string(65, 'a'), false},
                                                 {"two words", false},
                                                 {"", false}}) {
    KeyCall call(key);
    if (!said.empty()) call.AddMetadata("hostq-request-id", said);
    v1::ListNodesResponse response;
    ASSERT_TRUE(client.nodes->ListNodes(&call, {}, &response).ok());
    const auto& metadata = call.GetServerInitialMetadata();
    const auto found = metadata.find("hostq-request-id");
    ASSERT_NE(found, metadata.end());
    const std::string answered(found->second.data(), found->second.size());
    EXPECT_EQ(answered == said, kept) << answered;
    EXPECT_FALSE(answered.empty());
  }
}

TEST_F(ApiAccessTest, WrongKeysAreRefusedCountedAndAlarmed) {
  const std::string key = MakeKey(manager_, "billing", {"read"});
  const std::string id = key.substr(6, 10);
  // Right in form, and another secret: what somebody who knows the id can try.
  const std::string guess(MakeApiSecret(id).text.Reveal());
  const std::string unknown(MakeApiSecret("aaaaaaaaaa").text.Reveal());
  const absl::Status wrong = ApiClient(manager_, guess).ListNodes().status();
  EXPECT_EQ(wrong, ApiClient(manager_, unknown).ListNodes().status());
  EXPECT_EQ(ReasonOf(wrong), Reason::kKeyInvalid);
  EXPECT_FALSE(absl::StrContains(wrong.message(), guess.substr(17, 20)));
  EXPECT_EQ(Alarm("key/billing").type(), v1::Event::TYPE_UNSPECIFIED);
  for (int i = 0; i < 2; ++i) (void)ApiClient(manager_, guess).ListNodes();
  const v1::Event alarm = Alarm("key/billing");
  EXPECT_EQ(alarm.reason(), v1::Reason::KEY_GUESSED);
  EXPECT_TRUE(absl::StrContains(alarm.message(), "127.0.0.1")) << alarm.message();
  // Who guesses has to wait in the end.
  absl::Status status;
  for (int i = 0; i < 20 && ReasonOf(status) != Reason::kRateLimited; ++i) {
    status = ApiClient(manager_, guess).ListNodes().status();
  }
  EXPECT_EQ(ReasonOf(status), Reason::kRateLimited);
  EXPECT_GT(RetryDelayOf(status), absl::ZeroDuration());
  // And nobody else at the same address.
  const absl::Status right = ApiClient(manager_, key).ListNodes().status();
  EXPECT_TRUE(right.ok()) << right;
}

TEST_F(ApiAccessTest, HeadersThatAreNoKey) {
  for (const std::string& header :
       {std::string("Basic YTpi"), std::string("Bearer"), std::string("Bearer "),
        std::string("hostq_x"), std::string(5000, 'a')}) {
    ApiClient client(manager_, "");
    Call call;
    call.AddMetadata("authorization", header);
    v1::ListNodesResponse response;
    const absl::Status status = FromGrpc(client.nodes->ListNodes(&call, {}, &response));
    EXPECT_EQ(ReasonOf(status), Reason::kKeyInvalid) << header.substr(0, 20) << status;
  }
}

TEST_F(ApiAccessTest, SourcesAreLimited) {
  v1::CreateKeyRequest request;
  request.set_name("elsewhere");
  request.add_scopes("read");
  request.add_sources("192.0.2.0/24");
  EXPECT_EQ(ReasonOf(ApiClient(manager_, MakeKey(manager_, request)).ListNodes().status()),
            Reason::kSourceNotAllowed);
  request.set_name("here");
  request.add_sources("127.0.0.0/8");
  EXPECT_TRUE(ApiClient(manager_, MakeKey(manager_, request)).ListNodes().ok());
}

TEST_F(ApiAccessTest, ABusyKeyWaitsAndOthersDoNot) {
  v1::CreateKeyRequest request;
  request.set_name("busy");
  request.add_scopes("read");
  request.set_requests_per_second(2);
  ApiClient busy(manager_, MakeKey(manager_, request));
  ApiClient other(manager_, MakeKey(manager_, "other", {"read"}));
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = busy.ListNodes().status();
  EXPECT_EQ(ReasonOf(status), Reason::kRateLimited) << status;
  EXPECT_GT(RetryDelayOf(status), absl::ZeroDuration());
  EXPECT_TRUE(other.ListNodes().ok());
}

TEST_F(ApiAccessTest, AnApiCanBeSwitchedOff) {
  manager_.Stop();
  manager_.change_config().listen.api = "";
  manager_.Start();
  EXPECT_EQ(manager_.AddNode("web1", v1::Node::APP, "192.0.2.11").substr(0, 4), "hqj_");
}

}  // namespace
}  // namespace hostq::manager::testing
