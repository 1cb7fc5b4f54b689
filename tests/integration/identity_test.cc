// Goal: who somebody is comes from the kernel, a certificate or a key, and not from what they say.
// An agent can say nothing about another node's tasks.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/openssl.h"
#include "common/crypto/secret_file.h"
#include "common/rpc/status.h"
#include "google/protobuf/descriptor.h"
#include "openssl/pem.h"
#include "test_agent.h"

namespace hostq::manager::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

openssl::KeyPtr KeyOf(absl::string_view pem) {
  const openssl::BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return openssl::KeyPtr(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

// The same certificate in all but the key, by the same authority.
std::string WithKey(const std::string& pem, const SecretString& authority_key,
                    const PrivateKey& key) {
  const auto certificate = *openssl::CertificateFromPem(pem);
  X509_set_pubkey(certificate.get(), KeyOf(key.ToPem().Reveal()).get());
  X509_sign(certificate.get(), KeyOf(authority_key.Reveal()).get(), EVP_sha256());
  return *openssl::CertificateToPem(certificate.get());
}

class IdentityTest : public ::testing::Test {
 protected:
  TestManager manager_;
};

TEST_F(IdentityTest, AdministratorsCertificateIsAName) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  const TlsIdentity alice = MakeAdministrator(manager_, "alice");
  ApiClient client(manager_, "", &alice);
  v1::CreateCommandRequest bind;
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.50");
  const auto made = client.Create(bind);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->command().actor(), "alice");
  // No administrator makes another from elsewhere.
  EXPECT_EQ(ReasonOf(client.Empty("hostq.v1.AdministratorService.CreateAdministrator")),
            Reason::kNotAuthorized);
  // One valid certificate a name.
  Call call;
  v1::CreateAdministratorRequest request;
  request.set_name("alice");
  request.set_csr_pem(MakeCertificateRequest(PrivateKey::Generate(), "alice"));
  v1::CreateAdministratorResponse response;
  EXPECT_EQ(
      ReasonOf(FromGrpc(manager_.administrators().CreateAdministrator(&call, request, &response))),
      Reason::kAdministratorExists);
}

TEST_F(IdentityTest, RevokedAdministratorIsOutAtOnce) {
  const TlsIdentity alice = MakeAdministrator(manager_, "alice");
  ApiClient client(manager_, "", &alice);
  Call watch;
  v1::WatchEventsRequest from_now;
  from_now.set_from_now(true);
  const auto stream = client.events->WatchEvents(&watch, from_now);
  stream->WaitForInitialMetadata();
  {
    Call call;
    v1::RevokeAdministratorRequest request;
    request.set_name("alice");
    v1::Administrator revoked;
    ASSERT_TRUE(manager_.administrators().RevokeAdministrator(&call, request, &revoked).ok());
    EXPECT_TRUE(revoked.has_revoke_time());
  }
  v1::Event event;
  while (stream->Read(&event)) {
  }
  EXPECT_EQ(ReasonOf(FromGrpc(stream->Finish())), Reason::kUnauthenticated);
  EXPECT_EQ(ReasonOf(client.ListNodes().status()), Reason::kUnauthenticated);
  // A new certificate of the same name does not revive the old one.
  const TlsIdentity again = MakeAdministrator(manager_, "alice");
  EXPECT_TRUE(ApiClient(manager_, "", &again).ListNodes().ok());
  EXPECT_EQ(ReasonOf(client.ListNodes().status()), Reason::kUnauthenticated);
  manager_.Stop();
  manager_.Start();
  EXPECT_TRUE(ApiClient(manager_, "", &again).ListNodes().ok());
  EXPECT_FALSE(ApiClient(manager_, "", &alice).ListNodes().ok());
}

// Who has the authority's key can copy all that stands in an administrator's certificate, the
// serial number too, which `hostq administrator list` shows; but for another key it is another
// certificate.
TEST_F(IdentityTest, ACertificateWithTheSameSerialIsNotTheSame) {
  const TlsIdentity alice = MakeAdministrator(manager_, "alice");
  const std::string dir = manager_.config().state_dir + "/ca/";
  const PrivateKey key = PrivateKey::Generate();
  const std::string forged =
      WithKey(alice.certificate_chain_pem, *ReadSecretFile(dir + "ca.key"), key);
  ASSERT_EQ(ParseCertificate(forged)->serial,
            ParseCertificate(alice.certificate_chain_pem)->serial);
  const TlsIdentity thief{forged, key.ToPem()};
  EXPECT_EQ(ReasonOf(ApiClient(manager_, "", &thief).ListNodes().status()),
            Reason::kUnauthenticated);
  EXPECT_TRUE(ApiClient(manager_, "", &alice).ListNodes().ok());
}

TEST_F(IdentityTest, WrongRequestsForAdministratorsAreRefused) {
  const auto status = [&](const std::string& name, const std::string& csr, int64_t seconds) {
    Call call;
    v1::CreateAdministratorRequest request;
    request.set_name(name);
    request.set_csr_pem(csr);
    request.mutable_life()->set_seconds(seconds);
    v1::CreateAdministratorResponse response;
    return FromGrpc(manager_.administrators().CreateAdministrator(&call, request, &response));
  };
  const std::string csr = MakeCertificateRequest(PrivateKey::Generate(), "x");
  EXPECT_EQ(status("Alice B", csr, 3600).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status("", csr, 3600).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status("alice", "nonsense", 3600).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status("alice", csr, 0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status("alice", csr, 366LL * 24 * 3600).code(), absl::StatusCode::kInvalidArgument);
  Call call;
  v1::RevokeAdministratorRequest request;
  request.set_name("nobody");
  v1::Administrator revoked;
  EXPECT_EQ(
      ReasonOf(FromGrpc(manager_.administrators().RevokeAdministrator(&call, request, &revoked))),
      Reason::kUnknownAdministrator);
}

// The same authority signs both.
TEST_F(IdentityTest, NodesCertificateIsNoAdministrators) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  ApiClient client(manager_, "", &web1.identity);
  EXPECT_EQ(ReasonOf(client.ListNodes().status()), Reason::kUnauthenticated);
  const TlsIdentity alice = MakeAdministrator(manager_, "alice");
  TestAgent agent(manager_.Channel(manager_.config().listen.agents, &alice, manager_.ca_pem()));
  agent::v1::AgentMessage hello;
  *hello.mutable_hello() = TestAgent::DefaultHello();
  agent.Write(hello);
  EXPECT_EQ(ReasonOf(agent.End()), Reason::kUnauthenticated);
}

TEST_F(IdentityTest, CertificateOfAnotherAuthorityIsRefusedByTls) {
  const std::string other = manager_.config().state_dir + "/other";
  std::filesystem::create_directory(other);
  ASSERT_TRUE(CertificateAuthority::Create(other, "test", absl::Now()).ok());
  const auto authority = CertificateAuthority::Open(other, absl::Now());
  ASSERT_TRUE(authority.ok()) << authority.status();
  const PrivateKey key = PrivateKey::Generate();
  const auto issued = (*authority)
                          ->IssueAdministrator(MakeCertificateRequest(key, "alice"), "alice",
                                               absl::Hours(1), absl::Now());
  ASSERT_TRUE(issued.ok()) << issued.status();
  const TlsIdentity identity{issued->pem, key.ToPem()};
  EXPECT_EQ(ApiClient(manager_, "", &identity).ListNodes().status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(IdentityTest, ManyConnectionsAndRestartsOfTheSocket) {
  const std::string path = manager_.config().listen.admin_socket;
  for (int i = 0; i < 300; ++i) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    if (i % 2 == 0) (void)!write(fd, "garbage", 7);
    close(fd);
  }
  EXPECT_EQ(manager_.AddNode("web1", v1::Node::APP, "192.0.2.11").substr(0, 4), "hqj_");
  manager_.Stop();
  EXPECT_FALSE(std::filesystem::exists(path));
  manager_.Start();
  EXPECT_EQ(manager_.GetNode("web1").name(), "web1");
}

// Sets every lease below `message` to this one, adding one where a list of them is empty. Returns
// how many there are.
int SetLeases(Message& message, const agent::v1::Lease& lease) {
  if (message.GetDescriptor() == agent::v1::Lease::descriptor()) {
    message.CopyFrom(lease);
    return 1;
  }
  int set = 0;
  if (message.GetDescriptor() == agent::v1::AgentBatch::descriptor()) {
    // One of each that may be in it.
    auto& batch = static_cast<agent::v1::AgentBatch&>(message);
    const auto* messages = agent::v1::AgentMessage::descriptor()->FindOneofByName("message");
    for (int i = 0; i < messages->field_count(); ++i) {
      const FieldDescriptor* field = messages->field(i);
      if (field->name() == "batch" || field->name() == "hello") continue;
      agent::v1::AgentMessage& one = *batch.add_messages();
      set += SetLeases(*one.GetReflection()->MutableMessage(&one, field), lease);
    }
    return set;
  }
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (field->message_type()->full_name().rfind("hostq.agent.v1.", 0) != 0) continue;
    set += field->is_repeated() ? SetLeases(*reflection.AddMessage(&message, field), lease)
                                : SetLeases(*reflection.MutableMessage(&message, field), lease);
  }
  return set;
}

// Each message that an agent can send, about a task of another node.
TEST_F(IdentityTest, AgentsChangeNothingOfOtherNodes) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  const Joined web2 = manager_.Join("web2", v1::Node::APP, "192.0.2.12");
  TestAgent victim(manager_, web1);
  victim.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10", "web1");
  const agent::v1::Lease lease = victim.ReadAssign().lease();
  victim.Accept(lease);
  manager_.WaitFor(command.id(), [](const v1::Command& seen) {
    return seen.tasks(0).phase() == v1::Task::ACCEPTED;
  });
  const std::string before = manager_.Get(command.id()).SerializeAsString();
  const auto* messages = agent::v1::AgentMessage::descriptor()->FindOneofByName("message");
  ASSERT_NE(messages, nullptr);
  int with_leases = 0;
  for (int i = 0; i < messages->field_count(); ++i) {
    const FieldDescriptor* field = messages->field(i);
    agent::v1::AgentMessage message;
    Message& inner = *message.GetReflection()->MutableMessage(&message, field);
    const bool hello = field->message_type() == agent::v1::Hello::descriptor();
    if (hello) inner.CopyFrom(TestAgent::DefaultHello());
    with_leases += SetLeases(inner, lease) > 0 ? 1 : 0;
    TestAgent attacker(manager_, web2);
    if (!hello) attacker.Hello();
    attacker.Write(message);
    // What comes after it has been handled when this has.
    if (!hello) attacker.Heartbeat();
    (void)manager_.GetNode("web2");
    attacker.Drop();
    EXPECT_EQ(manager_.Get(command.id()).SerializeAsString(), before) << field->name();
  }
  EXPECT_GE(with_leases, 4);
  // And its own node still works on it.
  victim.Result(lease);
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
}

}  // namespace
}  // namespace hostq::manager::testing
