// Goal: an agent keeps its certificate alive by itself, whatever dies on the way, and disturbs
// nothing by it. Method: the real hostq-agent at a manager whose certificates live for seconds.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/secret_file.h"
#include "trust_client.h"

namespace hostq::manager::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class AgentRenewalTest : public ::testing::Test {
 protected:
  void Begin(absl::Duration life, absl::Duration grace = absl::Hours(1)) {
    Restart(manager_, life, grace);
    node_.Join(manager_, "web1", "192.0.2.11");
  }
  std::string Used() { return manager_.GetNode("web1").certificate_serial(); }
  static CertificateInfo InfoOf(const Joined& node) {
    return *ParseCertificate(node.identity.certificate_chain_pem);
  }
  // Until it has expired: nothing but time makes it so.
  static void AwaitExpiry(const Joined& node) {
    const absl::Time end = InfoOf(node).not_after;
    ASSERT_TRUE(Eventually([&] { return absl::Now() > end; }));
  }
  std::string PendingKeyHash() const {
    const auto pem = ReadSecretFile(node_.path("identity.next/node.key"));
    if (!pem.ok()) return "";
    const auto key = PrivateKey::FromPem(*pem);
    return key.ok() ? key->public_key().Hash() : "";
  }

  TestManager manager_;
  RealNode node_;
};

TEST_F(AgentRenewalTest, RenewsAtHalfOfLifeAndTheOldCertificateIsAnAlarm) {
  Begin(absl::Seconds(30));
  const Joined first = node_.Identity();
  const absl::Time issued = InfoOf(first).not_after - absl::Seconds(30);
  node_.Start();
  ASSERT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  EXPECT_EQ(Used(), InfoOf(first).serial);
  ASSERT_TRUE(Eventually([&] { return Used() != InfoOf(first).serial; }, std::chrono::seconds(60)))
      << node_.agent().err();
  EXPECT_GE(absl::Now(), issued + absl::Seconds(11));
  EXPECT_TRUE(node_.agent().running());
  const Joined second = node_.Identity();
  EXPECT_EQ(Used(), InfoOf(second).serial);
  EXPECT_NE(InfoOf(first).key_hash, InfoOf(second).key_hash);
  EXPECT_THAT(node_.agent().err(), HasSubstr("certificate renewed"));
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
  // Somebody has a copy of the node's disk from before.
  EXPECT_EQ(ReasonOf(RefusalOf(manager_, first)), Reason::kCertificateSuperseded);
  EXPECT_TRUE(Eventually([&] { return !AlarmsOf(manager_).empty(); }));
  EXPECT_THAT(AlarmsOf(manager_), ElementsAre("node/web1 CERTIFICATE_SUPERSEDED"));
  EXPECT_TRUE(Connected(manager_, "web1")) << "the node itself is not disturbed";
  EXPECT_EQ(node_.agent().End(SIGTERM), 0) << node_.agent().err();
  EXPECT_FALSE(std::filesystem::exists(node_.path("identity.next")));
}

TEST_F(AgentRenewalTest, AfterALostAnswerTheSameKeyAsksAgain) {
  Begin(absl::Seconds(6));
  const std::string before = node_.Serial();
  node_.Start("agent.renewal_received:1");
  EXPECT_EQ(node_.agent().Wait(), 1'000 + SIGKILL) << node_.agent().err();
  EXPECT_EQ(node_.Serial(), before);
  EXPECT_NE(manager_.GetNode("web1").next_certificate_serial(), "") << "it was issued";
  const std::string key = PendingKeyHash();
  ASSERT_NE(key, "");
  node_.Start();
  ASSERT_TRUE(Eventually([&] { return Used() != before && Used() != ""; })) << node_.agent().err();
  EXPECT_EQ(InfoOf(node_.Identity()).key_hash, key);
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
}

TEST_F(AgentRenewalTest, AManagerThatIsAwayIsAskedAgainWithTheSameKey) {
  Begin(absl::Seconds(12));
  node_.Start();
  ASSERT_TRUE(Connected(manager_, "web1"));
  manager_.Stop();
  ASSERT_TRUE(Eventually([&] {
    return node_.agent().err().find("the certificate was not renewed") != std::string::npos;
  })) << node_.agent().err();
  const std::string key = PendingKeyHash();
  ASSERT_NE(key, "");
  manager_.Start();
  EXPECT_TRUE(Eventually([&] { return InfoOf(node_.Identity()).key_hash == key; }))
      << node_.agent().err();
  EXPECT_TRUE(Connected(manager_, "web1"));
}

TEST_F(AgentRenewalTest, AnExpiredCertificateIsRecoveredAtTheStart) {
  Begin(absl::Seconds(2));
  const Joined old = node_.Identity();
  AwaitExpiry(old);
  node_.Start();
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  EXPECT_NE(Used(), InfoOf(old).serial);
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
}

TEST_F(AgentRenewalTest, WhatExpiredWhileTheManagerWasAwayIsRecovered) {
  Begin(absl::Seconds(4));
  const Joined old = node_.Identity();
  node_.Start();
  ASSERT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  manager_.Stop();
  AwaitExpiry(node_.Identity());
  manager_.Start();
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  EXPECT_NE(Used(), InfoOf(old).serial);
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
}

TEST_F(AgentRenewalTest, BeyondTheGraceItWaitsForAnAdministrator) {
  Begin(absl::Seconds(2), absl::ZeroDuration());
  const Joined old = node_.Identity();
  AwaitExpiry(old);
  node_.Start();
  ASSERT_TRUE(Eventually([&] {
    return node_.agent().err().find("RENEWAL_NEEDS_APPROVAL") != std::string::npos;
  })) << node_.agent().err();
  EXPECT_THAT(node_.agent().err(), HasSubstr("hostq node approve"));
  EXPECT_THAT(AlarmsOf(manager_), ElementsAre("renewal/web1 RENEWAL_NEEDS_APPROVAL"));
  EXPECT_TRUE(node_.agent().running());
  v1::ApproveNodeRequest request;
  request.set_name("web1");
  v1::Node answer;
  {
    Call call;
    ASSERT_TRUE(manager_.nodes().ApproveNode(&call, request, &answer).ok());
  }
  EXPECT_TRUE(Connected(manager_, "web1")) << node_.agent().err();
  EXPECT_NE(Used(), InfoOf(old).serial);
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
}

TEST_F(AgentRenewalTest, TasksThatRunAreNotDisturbed) {
  Begin(absl::Seconds(6));
  node_.Start();
  manager_.WaitForNode("web1", v1::Node::READY);
  node_.executor().Hold("address/203.0.113.10");
  const v1::Command command = manager_.Bind("203.0.113.10");
  manager_.WaitFor(command.id(),
                   [](const auto& c) { return c.tasks(0).phase() == v1::Task::RUNNING; });
  // Two certificates later, each on a connection of its own.
  for (int i = 0; i < 2; ++i) {
    const std::string used = Used();
    ASSERT_TRUE(Eventually([&] { return Used() != used; })) << node_.agent().err();
  }
  const v1::Command meanwhile = manager_.Get(command.id());
  EXPECT_EQ(meanwhile.tasks(0).phase(), v1::Task::RUNNING) << meanwhile.DebugString();
  node_.executor().Release();
  const v1::Command done = manager_.WaitUntilFinished(command.id());
  EXPECT_EQ(done.state(), v1::Command::SUCCEEDED);
  EXPECT_EQ(done.tasks(0).attempts_size(), 1);
  EXPECT_EQ(node_.executor().Asked("address/203.0.113.10"), done.tasks(0).attempts(0).steps_size());
  EXPECT_THAT(AlarmsOf(manager_), IsEmpty());
}

}  // namespace
}  // namespace hostq::manager::testing
