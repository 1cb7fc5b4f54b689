// Certificates from their first day to the last: renewal, recovery, bans, copies, a new authority,
// a company's, and none at all. Real gRPC, TLS and SQLite; the agents are scripted.
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "common/crypto/secret_file.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "hostq/v1/alarm_service.grpc.pb.h"
#include "hostq/v1/audit_service.grpc.pb.h"
#include "hostq/v1/authority_service.grpc.pb.h"
#include "manager/access/certificate_authority.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TrustTest : public ::testing::Test {
 protected:
  static std::shared_ptr<grpc::Channel> Socket(TestManager& manager) {
    grpc::ChannelArguments arguments;
    ConfigureChannel(arguments);
    return grpc::CreateCustomChannel("unix:" + manager.config().listen.admin_socket,
                                     grpc::InsecureChannelCredentials(), arguments);
  }
  // With the key of `node`, for another one.
  static absl::StatusOr<Joined> Renew(TestManager& manager, const Joined& node,
                                      const PrivateKey& next) {
    const auto stub = agent::v1::EnrollmentService::NewStub(
        manager.Channel(manager.config().listen.enrollment, nullptr, node.ca_pem));
    agent::v1::RenewRequest request;
    request.set_certificate_pem(node.identity.certificate_chain_pem);
    request.set_csr_pem(MakeCertificateRequest(next, "whatever"));
    request.set_authority_pin(PinsOf(node.ca_pem).front());
    const auto key = PrivateKey::FromPem(node.identity.private_key_pem);
    request.set_signature(key->Sign(RenewalText(request.authority_pin(), request.csr_pem())));
    for (;;) {
      agent::v1::RenewResponse response;
      Call call;
      const absl::Status status = FromGrpc(stub->Renew(&call, request, &response));
      // One address may ask once a second: the tests' nodes share one.
      if (absl::IsResourceExhausted(status)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        continue;
      }
      if (!status.ok()) return status;
      return Joined{node.name, {response.certificate_pem(), next.ToPem()}, response.ca_pem()};
    }
  }
  static absl::StatusOr<Joined> Renew(TestManager& manager, const Joined& node) {
    return Renew(manager, node, PrivateKey::Generate());
  }
  static std::vector<std::string> Alarms(TestManager& manager) {
    const auto stub = v1::AlarmService::NewStub(Socket(manager));
    v1::ListAlarmsResponse response;
    Call call;
    EXPECT_TRUE(stub->ListAlarms(&call, {}, &response).ok());
    std::vector<std::string> out;
    for (const v1::Alarm& alarm : response.alarms()) {
      EXPECT_FALSE(alarm.remedy().empty());
      EXPECT_EQ(alarm.remedy().find("SUBJECT"), std::string::npos) << alarm.remedy();
      out.push_back(absl::StrCat(alarm.subject(), " ", v1::Reason::Code_Name(alarm.reason())));
    }
    return out;
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return condition();
  }
  static std::string SerialOf(const Joined& node) {
    return ParseCertificate(node.identity.certificate_chain_pem)->serial;
  }
  // The session that an agent with this identity gets ends so.
  static absl::Status Refusal(TestManager& manager, const Joined& node) {
    TestAgent agent(manager, node);
    agent::v1::AgentMessage message;
    *message.mutable_hello() = TestAgent::DefaultHello();
    (void)agent.Write(message);
    return agent.End();
  }
  // A certificate of the manager's own authority, as if it had been issued then.
  static Joined Forge(TestManager& manager, const Joined& node, absl::Time not_before,
                      absl::Time not_after) {
    const std::string dir = manager.config().state_dir + "/ca/";
    const auto key = PrivateKey::FromPem(*ReadSecretFile(dir + "ca.key"));
    CertificateSpec spec;
    spec.common_name = node.name;
    spec.uris = ParseCertificate(node.identity.certificate_chain_pem)->uris;
    spec.not_before = not_before;
    spec.not_after = not_after;
    const PrivateKey own = PrivateKey::Generate();
    const auto pem = IssueCertificate(*ReadFile(dir + "ca.pem"), *key, own.public_key(), spec);
    EXPECT_TRUE(pem.ok()) << pem.status();
    return {node.name, {*pem, own.ToPem()}, node.ca_pem};
  }
};

TEST_F(TrustTest, TheNewCertificateCountsFromItsFirstUse) {
  TestManager manager;
  const Joined first = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  {
    TestAgent agent(manager, first);
    agent.Ready(manager);
  }
  EXPECT_EQ(manager.GetNode("web1").certificate_serial(), SerialOf(first));
  const PrivateKey key = PrivateKey::Generate();
  const auto lost = Renew(manager, first, key);
  ASSERT_TRUE(lost.ok()) << lost.status();
  const auto second = Renew(manager, first, key);
  ASSERT_TRUE(second.ok()) << "the answer was lost: " << second.status();
  EXPECT_EQ(manager.GetNode("web1").next_certificate_serial(), SerialOf(*second));
  // Both stand in the audit as soon as they were answered.
  v1::ListAuditEntriesRequest renewals;
  renewals.set_act("node.renew");
  v1::ListAuditEntriesResponse audit;
  {
    Call call;
    const auto stub = v1::AuditService::NewStub(Socket(manager));
    ASSERT_TRUE(stub->ListAuditEntries(&call, renewals, &audit).ok());
  }
  ASSERT_EQ(audit.entries_size(), 2);
  EXPECT_EQ(audit.entries(1).actor(), "node/web1");
  EXPECT_EQ(audit.entries(1).source(), "127.0.0.1");
  EXPECT_EQ(audit.entries(1).target(), "node/web1");
  EXPECT_THAT(audit.entries(1).before(), HasSubstr(SerialOf(first)));
  EXPECT_THAT(audit.entries(1).after(), HasSubstr(SerialOf(*second)));
  {
    TestAgent agent(manager, first);
    agent.Hello();
  }
  {
    TestAgent agent(manager, *second);
    agent.Hello();
    EXPECT_TRUE(Eventually(
        [&] { return manager.GetNode("web1").certificate_serial() == SerialOf(*second); }));
  }
  EXPECT_THAT(Alarms(manager), IsEmpty());
  // Somebody has a copy from before.
  EXPECT_EQ(ReasonOf(Refusal(manager, first)), Reason::kCertificateSuperseded);
  EXPECT_EQ(ReasonOf(Renew(manager, first).status()), Reason::kCertificateSuperseded);
  EXPECT_TRUE(Eventually([&] { return Alarms(manager).size() == 1; }));
  EXPECT_THAT(Alarms(manager), ElementsAre("node/web1 CERTIFICATE_SUPERSEDED"));
  TestAgent agent(manager, *second);
  agent.Hello();
}

TEST_F(TrustTest, WhoHasNotTheKeyGetsNothing) {
  TestManager manager;
  const Joined node = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  Joined thief = node;
  thief.identity.private_key_pem = PrivateKey::Generate().ToPem();
  EXPECT_TRUE(absl::IsUnauthenticated(Renew(manager, thief).status()));
  Joined stranger = node;
  stranger.identity.certificate_chain_pem = "junk";
  EXPECT_TRUE(absl::IsInvalidArgument(Renew(manager, stranger).status()));
}

TEST_F(TrustTest, ExpiredWithinGraceItRecoversByItself) {
  TestManager manager;
  const Joined node = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  const absl::Time now = absl::Now();
  // Nothing was used yet: whichever is newer than what is known counts.
  const Joined expired = Forge(manager, node, now - absl::Minutes(50), now - absl::Minutes(40));
  EXPECT_FALSE(Refusal(manager, expired).ok());
  const auto recovered = Renew(manager, expired);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_THAT(Alarms(manager), ElementsAre("certificate/web1 CERTIFICATE_SUPERSEDED"))
      << "the manager did not issue it";
  TestAgent agent(manager, *recovered);
  agent.Hello();
}

TEST_F(TrustTest, BeyondGraceAnAdministratorApproves) {
  TestManager manager;
  const Joined node = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  const absl::Time now = absl::Now();
  // As long ago as the authority allows, and no grace at all.
  const Joined old = Forge(manager, node, now - absl::Minutes(50), now - absl::Minutes(40));
  manager.Stop();
  manager.change_config().trust.renewal_grace = absl::ZeroDuration();
  manager.Start();
  EXPECT_EQ(ReasonOf(Renew(manager, old).status()), Reason::kRenewalNeedsApproval);
  EXPECT_TRUE(Eventually([&] { return Alarms(manager).size() == 1; }));
  EXPECT_THAT(Alarms(manager), ElementsAre("renewal/web1 RENEWAL_NEEDS_APPROVAL"));
  EXPECT_TRUE(manager.GetNode("web1").has_approval_wanted_time());
  v1::ApproveNodeRequest request;
  request.set_name("web1");
  v1::Node answer;
  Call call;
  ASSERT_TRUE(manager.nodes().ApproveNode(&call, request, &answer).ok());
  EXPECT_TRUE(answer.has_approved_until_time());
  const auto renewed = Renew(manager, old);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_THAT(Alarms(manager), IsEmpty());
  TestAgent agent(manager, *renewed);
  agent.Hello();
  EXPECT_TRUE(Eventually([&] { return !manager.GetNode("web1").has_approved_until_time(); }));
}

TEST_F(TrustTest, ABanEndsTheSessionAndSurvives) {
  TestManager manager;
  const Joined node = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent agent(manager, node);
  agent.Ready(manager);
  v1::BanNodeRequest request;
  request.set_name("web1");
  request.set_note("stolen");
  v1::Node answer;
  {
    Call call;
    ASSERT_TRUE(manager.nodes().BanNode(&call, request, &answer).ok());
  }
  const absl::Time banned = absl::Now();
  EXPECT_EQ(ReasonOf(agent.End()), Reason::kNodeBanned);
  EXPECT_LT(absl::Now() - banned, absl::Seconds(1));
  EXPECT_EQ(answer.state(), v1::Node::BANNED);
  EXPECT_EQ(answer.ban_note(), "stolen");
  EXPECT_EQ(ReasonOf(Refusal(manager, node)), Reason::kNodeBanned);
  EXPECT_EQ(ReasonOf(Renew(manager, node).status()), Reason::kNodeBanned);
  manager.Stop();
  manager.Start();
  EXPECT_EQ(ReasonOf(Refusal(manager, node)), Reason::kNodeBanned);
  const v1::Command command = manager.Bind("192.0.2.100", "web1");
  v1::ListFindingsResponse findings;
  {
    Call call;
    ASSERT_TRUE(manager.commands().ListFindings(&call, {}, &findings).ok());
  }
  int seen = 0;
  for (const v1::Finding& finding : findings.findings()) {
    seen += finding.reason() == v1::Reason::NODE_BANNED ? 1 : 0;
  }
  EXPECT_EQ(seen, 2) << findings.DebugString();
  v1::UnbanNodeRequest unban;
  unban.set_name("web1");
  {
    Call call;
    ASSERT_TRUE(manager.nodes().UnbanNode(&call, unban, &answer).ok());
  }
  TestAgent back(manager, node);
  back.Hello();
}

TEST_F(TrustTest, ABannedMachineIsMadeAnewWithoutLettingTheOldOneBack) {
  TestManager manager;
  const Joined stolen = manager.Join("web1", v1::Node::APP, "192.0.2.11");
  {
    TestAgent agent(manager, stolen);
    agent.Ready(manager);
  }
  v1::BanNodeRequest ban;
  ban.set_name("web1");
  ban.set_note("stolen");
  v1::Node answer;
  {
    Call call;
    ASSERT_TRUE(manager.nodes().BanNode(&call, ban, &answer).ok());
  }
  v1::RejoinNodeRequest rejoin;
  rejoin.set_name("web1");
  v1::CreateNodeResponse line;
  {
    Call call;
    const absl::Status status = FromGrpc(manager.nodes().RejoinNode(&call, rejoin, &line));
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(line.node().state(), v1::Node::BANNED);
  EXPECT_EQ(ReasonOf(Refusal(manager, stolen)), Reason::kNodeBanned);
  EXPECT_EQ(ReasonOf(Renew(manager, stolen).status()), Reason::kNodeBanned);
  const auto anew = manager.Enroll(TestManager::TokenIn(line));
  ASSERT_TRUE(anew.ok()) << anew.status();
  EXPECT_NE(manager.GetNode("web1").state(), v1::Node::BANNED);
  EXPECT_EQ(ReasonOf(Refusal(manager, stolen)), Reason::kNotAuthorized);
  EXPECT_EQ(ReasonOf(Renew(manager, stolen).status()), Reason::kNotAuthorized);
  TestAgent back(manager, *anew);
  back.Hello();
}

TEST_F(TrustTest, ATokenUsedWithAnotherKeyIsAnAlarm) {
  TestManager manager;
  const std::string token = manager.AddNode("web1", v1::Node::APP, "192.0.2.11");
  ASSERT_TRUE(manager.Enroll(token).ok());
  EXPECT_EQ(ReasonOf(manager.Enroll(token).status()), Reason::kTokenUsed);
  EXPECT_TRUE(Eventually([&] { return !Alarms(manager).empty(); }));
  EXPECT_THAT(Alarms(manager), ElementsAre("token/web1 TOKEN_MISUSED"));
  const auto stub = v1::AlarmService::NewStub(Socket(manager));
  v1::ClearAlarmRequest request;
  request.set_subject("token/web1");
  v1::ClearAlarmResponse response;
  {
    Call call;
    EXPECT_TRUE(stub->ClearAlarm(&call, request, &response).ok());
  }
  Call call;
  EXPECT_EQ(ReasonOf(FromGrpc(stub->ClearAlarm(&call, request, &response))), Reason::kUnknownAlarm);
  EXPECT_THAT(Alarms(manager), IsEmpty());
}

TEST_F(TrustTest, ATokenMayBeBoundToASource) {
  TestManager manager;
  v1::CreateNodeRequest request;
  request.set_name("web1");
  request.add_roles(v1::Node::APP);
  request.set_address("192.0.2.11");
  request.add_sources("10.0.0.0/8");
  v1::CreateNodeResponse response;
  {
    Call call;
    ASSERT_TRUE(manager.nodes().CreateNode(&call, request, &response).ok());
  }
  EXPECT_EQ(ReasonOf(manager.Enroll(TestManager::TokenIn(response)).status()),
            Reason::kSourceNotAllowed);
  request.set_sources(0, "127.0.0.0/8");
  {
    Call call;
    ASSERT_TRUE(manager.nodes().CreateNode(&call, request, &response).ok());
  }
  EXPECT_TRUE(manager.Enroll(TestManager::TokenIn(response)).ok());
  request.set_name("web2");
  request.set_sources(0, "10.0.0.1/8");
  Call call;
  EXPECT_TRUE(
      absl::IsInvalidArgument(FromGrpc(manager.nodes().CreateNode(&call, request, &response))));
}

class RotationTest : public TrustTest {
 protected:
  v1::AuthorityService::Stub& Stub() {
    if (stub_ == nullptr) stub_ = v1::AuthorityService::NewStub(Socket(manager_));
    return *stub_;
  }
  absl::StatusOr<v1::Authority> Show() {
    v1::Authority out;
    Call call;
    const absl::Status status = FromGrpc(Stub().GetAuthority(&call, {}, &out));
    if (!status.ok()) return status;
    return out;
  }
  absl::Status Prepare() {
    v1::Authority out;
    Call call;
    return FromGrpc(Stub().PrepareAuthority(&call, {}, &out));
  }
  absl::Status Activate(bool force = false) {
    v1::ActivateAuthorityRequest request;
    request.set_force(force);
    v1::Authority out;
    Call call;
    return FromGrpc(Stub().ActivateAuthority(&call, request, &out));
  }
  absl::Status Retire(bool force = false) {
    v1::RetireAuthorityRequest request;
    request.set_force(force);
    v1::Authority out;
    Call call;
    return FromGrpc(Stub().RetireAuthority(&call, request, &out));
  }
  absl::Status Undo() {
    v1::Authority out;
    Call call;
    return FromGrpc(Stub().UndoAuthority(&call, {}, &out));
  }
  // Reads until the manager has told of `count` authorities, and says that it trusts them.
  static agent::v1::Trust Confirm(TestAgent& agent, size_t count) {
    for (;;) {
      const auto message = agent.Read();
      if (!message) return {};
      if (!message->has_trust()) continue;
      const std::vector<std::string> pins = PinsOf(message->trust().ca_pem());
      agent::v1::AgentMessage answer;
      for (const std::string& pin : pins) answer.mutable_trusts()->add_pins(pin);
      EXPECT_TRUE(agent.Write(answer));
      if (pins.size() == count) return message->trust();
    }
  }
  TestManager manager_;
  std::unique_ptr<v1::AuthorityService::Stub> stub_;
};

TEST_F(RotationTest, WholeRotationWithLiveAgentsAndEveryUndo) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  const Joined web2 = manager_.Join("web2", v1::Node::APP, "192.0.2.12");
  auto one = std::make_unique<TestAgent>(manager_, web1);
  auto two = std::make_unique<TestAgent>(manager_, web2);
  const agent::v1::Welcome welcome = one->Hello();
  EXPECT_EQ(PinsOf(welcome.trust().ca_pem()).size(), 1u);
  EXPECT_EQ(welcome.trust().enrollment_address(), manager_.config().listen.enrollment);
  EXPECT_FALSE(welcome.trust().renew());
  two->Hello();
  EXPECT_EQ(ReasonOf(Activate()), Reason::kWrongRotationStep);
  EXPECT_EQ(ReasonOf(Undo()), Reason::kWrongRotationStep);

  ASSERT_TRUE(Prepare().ok());
  EXPECT_THAT(std::string(Activate().message()), HasSubstr("2 nodes"));
  EXPECT_FALSE(Confirm(*one, 2).renew());
  ASSERT_TRUE(Eventually([&] { return Show()->nodes_not_trusting_size() == 1; }));
  EXPECT_EQ(Show()->nodes_not_trusting(0), "web2");
  EXPECT_EQ(ReasonOf(Activate()), Reason::kAuthorityInUse);
  ASSERT_TRUE(Undo().ok());
  Confirm(*one, 1);
  ASSERT_TRUE(Prepare().ok());
  Confirm(*one, 2);
  // It was told of the one that was dropped, too.
  Confirm(*two, 2);
  Confirm(*two, 1);
  const std::string both = Confirm(*two, 2).ca_pem();
  ASSERT_TRUE(Eventually([&] { return Show()->nodes_not_trusting_size() == 0; }));

  ASSERT_TRUE(Activate().ok());
  EXPECT_TRUE(Confirm(*one, 2).renew());
  EXPECT_EQ(Show()->nodes_using_old_size(), 2);
  EXPECT_EQ(ReasonOf(Retire()), Reason::kAuthorityInUse);
  ASSERT_TRUE(Undo().ok());
  ASSERT_TRUE(Activate().ok());

  // They renew, with the connection that they trust by now.
  std::vector<Joined> renewed;
  for (const Joined* node : {&web1, &web2}) {
    Joined knows = *node;
    knows.ca_pem = both;
    absl::StatusOr<Joined> next = absl::UnavailableError("");
    ASSERT_TRUE(Eventually([&] { return (next = Renew(manager_, knows)).ok(); })) << next.status();
    renewed.push_back(*std::move(next));
  }
  // The agents' listener follows the authorities within a second or two.
  ASSERT_TRUE(Eventually([&] {
    TestAgent probe(manager_, renewed[0]);
    agent::v1::AgentMessage hello;
    *hello.mutable_hello() = TestAgent::DefaultHello();
    return probe.Write(hello) && probe.ReadAny().has_value();
  }));
  one = std::make_unique<TestAgent>(manager_, renewed[0]);
  two = std::make_unique<TestAgent>(manager_, renewed[1]);
  EXPECT_FALSE(one->Hello().trust().renew());
  two->Hello();
  ASSERT_TRUE(Eventually([&] { return Show()->nodes_using_old_size() == 0; }));

  ASSERT_TRUE(Retire().ok());
  EXPECT_EQ(PinsOf(Confirm(*one, 1).ca_pem()).size(), 1u);
  ASSERT_TRUE(Eventually([&] { return !Refusal(manager_, {"web1", web1.identity, both}).ok(); }));
  ASSERT_TRUE(Undo().ok());
  ASSERT_TRUE(Retire().ok());
  // Who joins now knows the new one alone.
  const Joined web3 = manager_.Join("web3", v1::Node::APP, "192.0.2.13");
  EXPECT_EQ(PinsOf(web3.ca_pem), std::vector<std::string>{manager_.server().ca_pin()});
  manager_.Stop();
  manager_.Start();
  TestAgent again(manager_, {"web1", renewed[0].identity, web3.ca_pem});
  again.Hello();
}

TEST_F(RotationTest, ForcedWithoutTheNodes) {
  manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  // An administrator who has a stream and a connection that are open.
  const TlsIdentity alice = MakeAdministrator(manager_, "alice");
  ApiClient client(manager_, "", &alice);
  Call watch;
  v1::WatchEventsRequest from_now;
  from_now.set_from_now(true);
  const auto stream = client.events->WatchEvents(&watch, from_now);
  stream->WaitForInitialMetadata();
  ASSERT_TRUE(client.ListNodes().ok());
  ASSERT_TRUE(Prepare().ok());
  EXPECT_EQ(ReasonOf(Activate()), Reason::kAuthorityInUse);
  EXPECT_TRUE(Activate(true).ok());
  EXPECT_EQ(ReasonOf(Retire()), Reason::kAuthorityInUse);
  EXPECT_TRUE(client.ListNodes().ok()) << "trusted still";
  EXPECT_TRUE(Retire(true).ok());
  v1::Event event;
  while (stream->Read(&event)) {
  }
  EXPECT_EQ(ReasonOf(FromGrpc(stream->Finish())), Reason::kUnauthenticated);
  EXPECT_FALSE(client.ListNodes().ok());
}

}  // namespace
}  // namespace hostq::manager::testing
