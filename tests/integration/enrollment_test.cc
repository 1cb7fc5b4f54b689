// Joining, end to end: the token, its one key, what it is worth afterwards.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/rpc/pin.h"
#include "common/rpc/status.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

// The rate limit lets a burst through; tests with more attempts wait.
void WaitForTheLimit() { std::this_thread::sleep_for(std::chrono::milliseconds(1'100)); }

TEST(EnrollmentTest, JoinLineSaysEverything) {
  TestManager manager;
  v1::CreateNodeRequest request;
  request.set_name("web1");
  request.add_roles(v1::Node::APP);
  request.set_address("192.0.2.11");
  v1::CreateNodeResponse response;
  Call call;
  ASSERT_TRUE(manager.nodes().CreateNode(&call, request, &response).ok());
  EXPECT_THAT(
      response.join_command(),
      ::testing::MatchesRegex("hostq-agent join --node web1 --manager 127.0.0.1:[0-9]+ --token "
                              "hqj_[a-z0-9]+_[a-z0-9]+ --ca-pin sha256:[0-9a-f]{64}"));
  EXPECT_EQ(response.node().state(), v1::Node::PENDING);
  const auto ca = FetchCaByPin(manager.config().listen.enrollment, manager.server().ca_pin(),
                               absl::Seconds(10));
  ASSERT_TRUE(ca.ok()) << ca.status();
  EXPECT_EQ(*ca, manager.ca_pem());
}

TEST(EnrollmentTest, CertificateNamesTheTokensNodeWhateverWasAsked) {
  TestManager manager;
  const auto joined = manager.Enroll(manager.AddNode("web1", v1::Node::APP, "192.0.2.11"));
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->name, "web1");
  const auto info = ParseCertificate(joined->identity.certificate_chain_pem);
  ASSERT_TRUE(info.ok()) << info.status();
  ASSERT_EQ(info->uris.size(), 1u);
  EXPECT_THAT(info->uris[0], ::testing::StartsWith("hostq://node/web1/"));
  const v1::Node node = manager.GetNode("web1");
  EXPECT_TRUE(node.has_join_time());
  EXPECT_EQ(node.state(), v1::Node::OFFLINE);
  TestAgent agent(manager, *joined);
  agent.Ready(manager);
}

TEST(EnrollmentTest, SameKeyMayAskAgainAnotherMayNot) {
  TestManager manager;
  const std::string token = manager.AddNode("web1", v1::Node::APP, "192.0.2.11");
  const PrivateKey key = PrivateKey::Generate();
  ASSERT_TRUE(manager.Enroll(token, key).ok());
  const auto again = manager.Enroll(token, key);
  ASSERT_TRUE(again.ok()) << again.status();
  const auto thief = manager.Enroll(token, PrivateKey::Generate());
  EXPECT_EQ(thief.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(thief.status()), Reason::kTokenUsed);
  TestAgent agent(manager, *again);
  agent.Ready(manager);
}

TEST(EnrollmentTest, WrongTokensAreRefusedAlike) {
  TestManager manager;
  const std::string token = manager.AddNode("web1", v1::Node::APP, "192.0.2.11");
  std::string wrong = token;
  wrong.back() = wrong.back() == 'a' ? 'b' : 'a';
  for (const std::string& text : {std::string(), std::string("hqj_x_y"), wrong}) {
    const absl::Status status = manager.Enroll(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    EXPECT_EQ(ReasonOf(status), Reason::kTokenInvalid);
    EXPECT_EQ(status.message().find(text.empty() ? "hqj_" : text), absl::string_view::npos);
  }
  EXPECT_TRUE(manager.Enroll(token).ok());
}

TEST(EnrollmentTest, NewTokenVoidsTheOldOne) {
  TestManager manager;
  const std::string old_token = manager.AddNode("web1", v1::Node::APP, "192.0.2.11");
  const std::string new_token = manager.AddNode("web1", v1::Node::APP, "192.0.2.11");
  EXPECT_EQ(ReasonOf(manager.Enroll(old_token).status()), Reason::kTokenInvalid);
  EXPECT_TRUE(manager.Enroll(new_token).ok());
}

TEST(EnrollmentTest, JoinedNodeIsNotAddedAgain) {
  TestManager manager;
  manager.Join("web1", v1::Node::APP, "192.0.2.11");
  v1::CreateNodeRequest request;
  request.set_name("web1");
  request.add_roles(v1::Node::APP);
  request.set_address("192.0.2.11");
  v1::CreateNodeResponse response;
  Call call;
  EXPECT_EQ(ReasonOf(FromGrpc(manager.nodes().CreateNode(&call, request, &response))),
            Reason::kNodeExists);
}

// Its certificate has expired, or its key was copied: its tasks are not lost for that.
TEST(EnrollmentTest, NodeJoinsAgainAndItsOldCertificateIsVoid) {
  TestManager manager;
  const Joined first = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  v1::RejoinNodeRequest request;
  request.set_name("web1");
  v1::CreateNodeResponse response;
  Call call;
  ASSERT_TRUE(manager.nodes().RejoinNode(&call, request, &response).ok());
  const auto second = manager.Enroll(TestManager::TokenIn(response));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->name, "web1");
  TestAgent old_agent(manager, first);
  agent::v1::AgentMessage hello;
  *hello.mutable_hello() = TestAgent::DefaultHello();
  old_agent.Write(hello);
  EXPECT_EQ(ReasonOf(old_agent.End()), Reason::kNotAuthorized);
  TestAgent agent(manager, *second);
  agent.Ready(manager);
}

TEST(EnrollmentTest, TokenAndMembershipSurviveARestart) {
  TestManager manager;
  const std::string token = manager.AddNode("web1", v1::Node::APP, "192.0.2.11");
  manager.Stop();
  manager.Start();
  const auto joined = manager.Enroll(token);
  ASSERT_TRUE(joined.ok()) << joined.status();
  manager.Stop();
  manager.Start();
  TestAgent agent(manager, *joined);
  agent.Ready(manager);
}

// A node that was removed and added again is another one; the old certificate is worth nothing.
TEST(EnrollmentTest, OldIncarnationStaysOut) {
  TestManager manager;
  const Joined first = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  v1::RemoveNodeRequest remove;
  remove.set_name("web1");
  v1::RemoveNodeResponse removed;
  Call call;
  ASSERT_TRUE(manager.nodes().RemoveNode(&call, remove, &removed).ok());
  const Joined second = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent old_agent(manager, first);
  agent::v1::AgentMessage hello;
  *hello.mutable_hello() = TestAgent::DefaultHello();
  old_agent.Write(hello);
  EXPECT_EQ(ReasonOf(old_agent.End()), Reason::kNotAuthorized);
  TestAgent agent(manager, second);
  agent.Ready(manager);
}

TEST(EnrollmentTest, GuessingIsSlow) {
  TestManager manager;
  int refused = 0;
  for (int i = 0; i < 20; ++i) {
    refused += absl::IsResourceExhausted(manager.Enroll("hqj_aaaaaaaaaa_guess").status()) ? 1 : 0;
  }
  EXPECT_GE(refused, 10);
  WaitForTheLimit();
  EXPECT_EQ(ReasonOf(manager.Enroll("hqj_aaaaaaaaaa_guess").status()), Reason::kTokenInvalid);
}

TEST(EnrollmentTest, OversizedOrSenselessRequestIsRefused) {
  TestManager manager;
  const auto stub = agent::v1::EnrollmentService::NewStub(
      manager.Channel(manager.config().listen.enrollment, nullptr, manager.ca_pem()));
  agent::v1::EnrollRequest request;
  agent::v1::EnrollResponse response;
  request.set_token(std::string(10'000, 'x'));
  Call large;
  EXPECT_EQ(ReasonOf(FromGrpc(stub->Enroll(&large, request, &response))), Reason::kRequestTooLarge);
  request.set_token("hqj_aaaaaaaaaa_b");
  request.set_csr_pem("not a request");
  Call senseless;
  EXPECT_EQ(ReasonOf(FromGrpc(stub->Enroll(&senseless, request, &response))),
            Reason::kInvalidArgument);
}

}  // namespace
}  // namespace hostq::manager::testing
