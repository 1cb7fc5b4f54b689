// Goal: an agent follows what is decided about it: a ban and its end, another authority. Method:
// the real hostq-agent at a manager in this process.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/secret_file.h"
#include "trust_client.h"

namespace hostq::manager::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AgentRotationTest : public ::testing::Test {
 protected:
  AgentRotationTest() {
    // They are told to renew within a tenth of it.
    Restart(manager_, absl::Minutes(1));
    node_.Join(manager_, "web1", "192.0.2.11");
    node_.Start();
    EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  }
  v1::Node Ban() {
    v1::BanNodeRequest request;
    request.set_name("web1");
    request.set_note("stolen");
    v1::Node answer;
    Call call;
    EXPECT_TRUE(manager_.nodes().BanNode(&call, request, &answer).ok());
    return answer;
  }
  v1::Node Unban() {
    v1::UnbanNodeRequest request;
    request.set_name("web1");
    v1::Node answer;
    Call call;
    EXPECT_TRUE(manager_.nodes().UnbanNode(&call, request, &answer).ok());
    return answer;
  }
  std::vector<std::string> TrustedPins() const {
    return PinsOf(*ReadFile(node_.path("identity/ca.crt")));
  }

  TestManager manager_;
  RealNode node_;
};

TEST_F(AgentRotationTest, ABannedAgentWaitsAndComesBack) {
  EXPECT_EQ(Ban().state(), v1::Node::BANNED);
  ASSERT_TRUE(Eventually([&] {
    return node_.agent().err().find("NODE_BANNED") != std::string::npos;
  })) << node_.agent().err();
  EXPECT_THAT(node_.agent().err(), HasSubstr("hostq node unban"));
  EXPECT_TRUE(node_.agent().running());
  // Not even a new process gets in.
  EXPECT_EQ(node_.agent().End(SIGTERM), 0) << node_.agent().err();
  node_.Start();
  ASSERT_TRUE(Eventually([&] {
    return node_.agent().err().find("NODE_BANNED") != std::string::npos;
  })) << node_.agent().err();
  EXPECT_EQ(manager_.GetNode("web1").state(), v1::Node::BANNED);
  EXPECT_EQ(ReasonOf(RefusalOf(manager_, node_.Identity())), Reason::kNodeBanned);
  EXPECT_EQ(Unban().state(), v1::Node::OFFLINE);
  EXPECT_EQ(node_.agent().End(SIGTERM), 0) << node_.agent().err();
  node_.Start();
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
}

// It is told to renew while the administrator has it join elsewhere: that is not undone by it.
TEST_F(AgentRotationTest, AnIdentityOfAnotherClusterIsNotOverwritten) {
  TestManager other;
  Program join(node_.folder().path() + "/join");
  const std::string token = other.AddNode("web7", v1::Node::APP, "192.0.2.17");
  ASSERT_EQ(join.Run({HOSTQ_AGENT, "join", "--config", node_.folder().path() + "/agent.toml",
                      "--manager", other.server().enrollment_address(), "--token", token,
                      "--ca-pin", other.server().ca_pin(), "--replace"}),
            0)
      << join.err();
  const std::string serial = node_.Serial();
  ASSERT_TRUE(PrepareAuthority(manager_).ok());
  v1::ActivateAuthorityRequest forced;
  forced.set_force(true);
  v1::Authority out;
  {
    Call call;
    ASSERT_TRUE(v1::AuthorityService::NewStub(SocketOf(manager_))
                    ->ActivateAuthority(&call, forced, &out)
                    .ok());
  }
  // As long as an agent that is told to renew may take.
  std::this_thread::sleep_for(std::chrono::seconds(7));
  EXPECT_EQ(node_.Serial(), serial);
  EXPECT_THAT(TrustedPins(), ElementsAre(other.server().ca_pin()));
  EXPECT_THAT(node_.agent().err(), HasSubstr("has joined another cluster"));
  EXPECT_EQ(node_.agent().End(SIGTERM), 0) << node_.agent().err();
  node_.Start();
  EXPECT_TRUE(Connected(other, "web7")) << node_.agent().err();
}

TEST_F(AgentRotationTest, FollowsARotationByItself) {
  const std::string first_pin = manager_.server().ca_pin();
  const Joined first = node_.Identity();
  ASSERT_TRUE(PrepareAuthority(manager_).ok());
  ASSERT_TRUE(Eventually([&] { return ShowAuthority(manager_).nodes_not_trusting().empty(); }))
      << node_.agent().err();
  EXPECT_EQ(TrustedPins().size(), 2u);
  absl::Status status = ActivateAuthority(manager_);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(Eventually([&] { return ShowAuthority(manager_).nodes_using_old().empty(); }))
      << node_.agent().err();
  EXPECT_NE(node_.Serial(), ParseCertificate(first.identity.certificate_chain_pem)->serial);
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  status = RetireAuthority(manager_);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(Eventually([&] { return TrustedPins().size() == 1; })) << node_.agent().err();
  EXPECT_NE(TrustedPins()[0], first_pin);
  EXPECT_THAT(TrustedPins(), ElementsAre(manager_.server().ca_pin()));
  // Everybody begins anew, with what is on the disks.
  EXPECT_TRUE(node_.agent().running());
  EXPECT_EQ(node_.agent().End(SIGTERM), 0) << node_.agent().err();
  manager_.Stop();
  manager_.Start();
  node_.Start();
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  EXPECT_FALSE(RefusalOf(manager_, first).ok());
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
}

TEST_F(AgentRotationTest, FollowsEveryStepBack) {
  const std::vector<std::string> before = TrustedPins();
  ASSERT_TRUE(PrepareAuthority(manager_).ok());
  ASSERT_TRUE(Eventually([&] { return ShowAuthority(manager_).nodes_not_trusting().empty(); }));
  ASSERT_TRUE(ActivateAuthority(manager_).ok());
  ASSERT_TRUE(Eventually([&] { return ShowAuthority(manager_).nodes_using_old().empty(); }))
      << node_.agent().err();
  // The former issues again: the node renews, back to it.
  ASSERT_TRUE(UndoAuthority(manager_).ok());
  ASSERT_TRUE(Eventually([&] {
    return manager_.GetNode("web1").certificate_authority() == before[0];
  })) << node_.agent().err();
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  ASSERT_TRUE(UndoAuthority(manager_).ok());
  ASSERT_TRUE(Eventually([&] { return TrustedPins() == before; })) << node_.agent().err();
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
}

}  // namespace
}  // namespace hostq::manager::testing
