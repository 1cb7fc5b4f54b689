// Goal: an agent that is killed at any moment of a renewal or a join has a usable identity, and the
// manager takes nobody for a thief. Method: the real hostq-agent, killed or stopped at named
// points, and killed at any.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "trust_client.h"

namespace hostq::manager::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AgentInstallTest : public ::testing::Test {
 protected:
  AgentInstallTest() {
    // Due at each start: what is killed goes on with it.
    Restart(manager_, absl::Seconds(3));
    node_.Join(manager_, "web1", "192.0.2.11");
  }
  void ExpectWorks() {
    const std::string serial = node_.Serial();
    node_.Start();
    EXPECT_TRUE(Eventually([&] {
      const v1::Node node = manager_.GetNode("web1");
      return node.certificate_serial() != serial && node.certificate_serial() == node_.Serial();
    })) << node_.agent().err();
    EXPECT_TRUE(Connected(manager_, "web1"));
    EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
  }

  // The words that have it join anew.
  std::vector<std::string> Rejoin() {
    v1::RejoinNodeRequest request;
    request.set_name("web1");
    v1::CreateNodeResponse response;
    Call call;
    EXPECT_TRUE(manager_.nodes().RejoinNode(&call, request, &response).ok());
    return {"--manager", manager_.server().enrollment_address(),
            "--token",   TestManager::TokenIn(response),
            "--ca-pin",  manager_.server().ca_pin()};
  }
  // One address may join once a second.
  int JoinSoon(Program& process, const std::vector<std::string>& words) {
    int code = 0;
    EXPECT_TRUE(Eventually([&] {
      code = node_.Join(process, words);
      return process.err().find("RATE_LIMITED") == std::string::npos;
    }));
    return code;
  }
  std::string KeyHash() const {
    return ParseCertificate(node_.Identity().identity.certificate_chain_pem)->key_hash;
  }

  TestManager manager_;
  RealNode node_;
};

TEST_F(AgentInstallTest, KilledBetweenAnyTwoStepsOfIt) {
  std::vector<std::string> points = {"agent.renewal_received:1", "agent.identity_installed:1"};
  for (int i = 1; i <= 5; ++i) {
    points.push_back(absl::StrCat("agent.identity_file_written:", i));
    points.push_back(absl::StrCat("agent.identity_file_removed:", i));
  }
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    node_.Start(point);
    EXPECT_EQ(node_.agent().Wait(), 1'000 + SIGKILL) << node_.agent().err();
    EXPECT_EQ(node_.Identity().name, "web1");
    EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
  }
  ExpectWorks();
}

// Right after the exchange: what was replaced lies where the next join puts its own together.
TEST_F(AgentInstallTest, AJoinNeverTakesTheKeyOfWhatWasReplaced) {
  const std::string first = KeyHash();
  for (const char* point : {"agent.identity_installed:1", "agent.identity_file_removed:1"}) {
    SCOPED_TRACE(point);
    const std::string replaced = KeyHash();
    EXPECT_EQ(node_.Join(Rejoin(), point), 1'000 + SIGKILL) << node_.agent().err();
    EXPECT_NE(KeyHash(), replaced);
    ASSERT_EQ(JoinSoon(node_.agent(), Rejoin()), 0) << node_.agent().err();
    EXPECT_NE(KeyHash(), replaced);
    EXPECT_NE(KeyHash(), first);
  }
  ExpectWorks();
}

// Just before the exchange: the token is for the key that lies there.
TEST_F(AgentInstallTest, AJoinThatWasKilledGoesOnWithItsKey) {
  const std::vector<std::string> words = Rejoin();
  EXPECT_EQ(node_.Join(words, "agent.identity_file_written:5"), 1'000 + SIGKILL)
      << node_.agent().err();
  EXPECT_EQ(JoinSoon(node_.agent(), words), 0) << node_.agent().err();
  ExpectWorks();
}

// The administrator has it join anew while the agent has the answer to a renewal in its hands.
TEST_F(AgentInstallTest, ARenewalUnderWayDoesNotUndoAJoin) {
  node_.Start("", "agent.renewal_received:1");
  ASSERT_TRUE(Eventually([&] { return node_.agent().stopped(); })) << node_.agent().err();
  Restart(manager_, absl::Hours(1));
  Program join(node_.folder().path() + "/join");
  ASSERT_EQ(JoinSoon(join, Rejoin()), 0) << join.err();
  const std::string joined = node_.Serial();
  node_.agent().Signal(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return manager_.GetNode("web1").certificate_serial() == joined; }))
      << node_.agent().err();
  EXPECT_EQ(node_.Serial(), joined);
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
}

// A line for another node, on the wrong machine.
TEST_F(AgentInstallTest, AJoinForAnotherNodeLeavesThisOneAlone) {
  const std::string key = KeyHash();
  const std::string token = manager_.AddNode("web2", v1::Node::APP, "192.0.2.12");
  std::vector<std::string> words = {"--manager", manager_.server().enrollment_address(),
                                    "--token",   token,
                                    "--ca-pin",  manager_.server().ca_pin()};
  std::vector<std::string> named = words;
  named.insert(named.end(), {"--node", "web2"});
  EXPECT_EQ(JoinSoon(node_.agent(), named), 1);
  EXPECT_THAT(node_.agent().err(),
              HasSubstr("this machine is node web1, and the line is for web2"));
  EXPECT_EQ(manager_.GetNode("web2").state(), v1::Node::PENDING) << "the token is not used up";
  // Typed by hand, without the name: the answer has it.
  EXPECT_EQ(JoinSoon(node_.agent(), words), 1);
  EXPECT_THAT(node_.agent().err(),
              HasSubstr("this machine is node web1, and the line is for web2"));
  EXPECT_EQ(KeyHash(), key);
  ExpectWorks();
  EXPECT_EQ(node_.agent().End(SIGTERM), 0) << node_.agent().err();
  named.emplace_back("--replace");
  EXPECT_EQ(JoinSoon(node_.agent(), named), 0) << node_.agent().err();
  EXPECT_EQ(node_.Identity().name, "web2");
}

TEST_F(AgentInstallTest, KilledAtAnyMoment) {
  std::mt19937 random(4711);  // NOLINT(bugprone-random-generator-seed): the same each time
  for (int i = 0; i < 20; ++i) {
    node_.Start();
    // Then it renews: its certificate is past half of its life, or the next one will be.
    ASSERT_TRUE(Eventually([&] {
      return node_.agent().err().find("started") != std::string::npos;
    })) << node_.agent().err();
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 200));
    EXPECT_EQ(node_.agent().End(SIGKILL), 1'000 + SIGKILL);
    EXPECT_EQ(node_.Identity().name, "web1");
  }
  ExpectWorks();
}

}  // namespace
}  // namespace hostq::manager::testing
