// Who stands at the door with the wrong key, or with none: garbage, plaintext, foreign authorities,
// foreign services, a second manager. The manager goes on serving the others.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/hash.h"
#include "common/crypto/key.h"
#include "common/rpc/credentials.h"
#include "common/rpc/status.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

class DoorTest : public ::testing::Test {
 protected:
  // What comes back for these bytes, until the other side closes or a second has passed.
  static std::string Send(const std::string& address, const std::string& bytes) {
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    const timeval second = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
    (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    std::string answer;
    char buffer[4'096];
    ssize_t size = 0;
    while ((size = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
      answer.append(buffer, static_cast<size_t>(size));
    }
    close(fd);
    return answer;
  }
  absl::Status Connects(std::shared_ptr<grpc::Channel> channel) {
    TestAgent agent(std::move(channel));
    agent::v1::AgentMessage hello;
    *hello.mutable_hello() = TestAgent::DefaultHello();
    agent.Write(hello);
    return agent.End();
  }
  void ExpectAlive() {
    TestAgent agent(manager_, web1_);
    agent.Hello();
    EXPECT_EQ(manager_.GetNode("web1").name(), "web1");
  }

  TestManager manager_;
  const Joined web1_ = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
};

TEST_F(DoorTest, GarbageIsNoTls) {
  for (const std::string& address :
       {manager_.config().listen.agents, manager_.config().listen.enrollment}) {
    for (const std::string& bytes :
         {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
          std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33),
          RandomBytes(100'000), std::string("\x16\x03\x01\xff\xff", 5), std::string()}) {
      const std::string answer = Send(address, bytes);
      EXPECT_LT(answer.size(), 200u);
      EXPECT_EQ(answer.find("HTTP"), std::string::npos);
    }
  }
  ExpectAlive();
}

TEST_F(DoorTest, AgentsServiceIsNotOnTheSocket) {
  {
    const auto channel = grpc::CreateChannel("unix:" + manager_.config().listen.admin_socket,
                                             grpc::InsecureChannelCredentials());
    const auto stub = agent::v1::SessionService::NewStub(channel);
    Call call;
    auto stream = stub->Connect(&call);
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
  ExpectAlive();
}

TEST_F(DoorTest, PlaintextIsRefused) {
  const auto channel =
      grpc::CreateChannel(manager_.config().listen.agents, grpc::InsecureChannelCredentials());
  EXPECT_EQ(Connects(channel).code(), absl::StatusCode::kUnavailable);
  ExpectAlive();
}

TEST_F(DoorTest, AgentWithoutCertificateIsRefused) {
  const auto channel =
      manager_.Channel(manager_.config().listen.agents, nullptr, manager_.ca_pem());
  EXPECT_EQ(Connects(channel).code(), absl::StatusCode::kUnavailable);
  ExpectAlive();
}

// The certificate says the right node but another authority has signed it.
TEST_F(DoorTest, CertificateOfAnotherAuthorityIsRefused) {
  const std::string other = std::filesystem::path(manager_.config().state_dir) / "other";
  std::filesystem::create_directory(other);
  ASSERT_TRUE(CertificateAuthority::Create(other, "test", absl::Now()).ok());
  const auto authority = CertificateAuthority::Open(other, absl::Now());
  ASSERT_TRUE(authority.ok()) << authority.status();
  const PrivateKey key = PrivateKey::Generate();
  const auto issued = (*authority)
                          ->IssueNode(MakeCertificateRequest(key, "web1"), {"web1", 1},
                                      absl::Hours(1), absl::Now());
  ASSERT_TRUE(issued.ok()) << issued.status();
  const TlsIdentity identity = {issued->pem, key.ToPem()};
  EXPECT_EQ(
      Connects(manager_.Channel(manager_.config().listen.agents, &identity, manager_.ca_pem()))
          .code(),
      absl::StatusCode::kUnavailable);
  // And an agent that trusts another authority does not talk to this manager.
  EXPECT_EQ(Connects(manager_.Channel(manager_.config().listen.agents, &web1_.identity,
                                      (*authority)->ca_pem()))
                .code(),
            absl::StatusCode::kUnavailable);
  ExpectAlive();
}

// Signed by the right authority, for a name or an incarnation that is not the current one.
TEST_F(DoorTest, CertificateOfNobodyIsNotAuthorized) {
  const auto authority = CertificateAuthority::Open(manager_.config().state_dir, absl::Now());
  ASSERT_TRUE(authority.ok()) << authority.status();
  for (const NodeIdentity& node : {NodeIdentity{"web9", 1}, NodeIdentity{"web1", 999}}) {
    const PrivateKey key = PrivateKey::Generate();
    const auto issued =
        (*authority)
            ->IssueNode(MakeCertificateRequest(key, node.name), node, absl::Hours(1), absl::Now());
    ASSERT_TRUE(issued.ok()) << issued.status();
    const TlsIdentity identity = {issued->pem, key.ToPem()};
    const absl::Status status =
        Connects(manager_.Channel(manager_.config().listen.agents, &identity, manager_.ca_pem()));
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    EXPECT_EQ(ReasonOf(status), Reason::kNotAuthorized);
  }
  ExpectAlive();
}

// A few KiB would become megabytes before anybody looks at how large they are.
TEST_F(DoorTest, NothingCompressedIsTaken) {
  const auto channel = grpc::CreateChannel("unix:" + manager_.config().listen.admin_socket,
                                           grpc::InsecureChannelCredentials());
  v1::ListCommandsRequest request;
  request.set_page_token(std::string(100'000, 'x'));
  for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    v1::ListCommandsResponse commands;
    Call call;
    call.set_compression_algorithm(algorithm);
    const grpc::Status status =
        v1::CommandService::NewStub(channel)->ListCommands(&call, request, &commands);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  }
  ExpectAlive();
}

// Each listener has its own services and no others.
TEST_F(DoorTest, AgentCannotCallAdministration) {
  for (const std::string& address :
       {manager_.config().listen.agents, manager_.config().listen.enrollment}) {
    const auto channel = manager_.Channel(address, &web1_.identity, web1_.ca_pem);
    v1::ListNodesResponse nodes;
    Call call;
    EXPECT_EQ(v1::NodeService::NewStub(channel)->ListNodes(&call, {}, &nodes).error_code(),
              grpc::StatusCode::UNIMPLEMENTED);
    v1::ListCommandsResponse commands;
    Call other;
    EXPECT_EQ(
        v1::CommandService::NewStub(channel)->ListCommands(&other, {}, &commands).error_code(),
        grpc::StatusCode::UNIMPLEMENTED);
  }
}

TEST_F(DoorTest, SecondManagerIsRefused) {
  const absl::Status same_state = Server::Start(manager_.config()).status();
  EXPECT_EQ(same_state.code(), absl::StatusCode::kFailedPrecondition) << same_state;
  ManagerConfig other = manager_.config();
  other.state_dir += "-2";
  ASSERT_TRUE(InitStateDir(other).ok());
  const absl::Status same_socket = Server::Start(other).status();
  EXPECT_EQ(same_socket.code(), absl::StatusCode::kFailedPrecondition) << same_socket;
  other.listen.admin_socket += "2";
  const absl::Status same_port = Server::Start(other).status();
  EXPECT_EQ(same_port.code(), absl::StatusCode::kUnavailable) << same_port;
  ExpectAlive();
}

TEST_F(DoorTest, ManagerWithoutStateDoesNotStart) {
  ManagerConfig other = manager_.config();
  other.state_dir += "-none";
  EXPECT_FALSE(Server::Start(other).ok());
  manager_.Stop();
  std::filesystem::rename(DatabasePath(manager_.config().state_dir),
                          manager_.config().state_dir + "/saved");
  const absl::Status lost = Server::Start(manager_.config()).status();
  EXPECT_EQ(ReasonOf(lost), Reason::kStoreUnavailable) << lost;
  std::filesystem::rename(manager_.config().state_dir + "/saved",
                          DatabasePath(manager_.config().state_dir));
  manager_.Start();
  ExpectAlive();
}

// The disk takes no more: what was acknowledged is there, the rest is refused, reading goes on.
TEST_F(DoorTest, FullDiskStopsWritesAndNothingElse) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 2 << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::vector<std::string> acknowledged;
  absl::Status refused;
  for (int i = 0; i < 5'000 && refused.ok(); ++i) {
    v1::CreateCommandRequest request;
    request.mutable_spec()->mutable_bind_address()->set_address(
        absl::StrCat("203.0.", 100 + i / 200, ".", 1 + i % 200));
    const auto created = manager_.Create(request);
    refused = created.status();
    if (created.ok()) acknowledged.push_back(created->command().id());
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_EQ(ReasonOf(refused), Reason::kStoreUnavailable) << refused;
  EXPECT_EQ(ReasonOf(manager_.server().failed()), Reason::kStoreUnavailable);
  EXPECT_EQ(agent.End().code(), absl::StatusCode::kUnavailable);
  ASSERT_FALSE(acknowledged.empty());
  EXPECT_EQ(manager_.Get(acknowledged.back()).kind(), "bind_address");
  EXPECT_EQ(manager_.GetNode("web1").name(), "web1");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  v1::CreateCommandRequest request;
  request.mutable_spec()->mutable_bind_address()->set_address("203.0.113.10");
  EXPECT_FALSE(manager_.Create(request).ok());  // until it is started again
  manager_.Stop();
  manager_.Start();
  for (const std::string& id : acknowledged) EXPECT_EQ(manager_.Get(id).id(), id);
  EXPECT_TRUE(manager_.Create(request).ok());
}

TEST_F(DoorTest, StaleSocketOfADeadManagerIsReplaced) {
  manager_.Stop();
  const std::string path = manager_.config().listen.admin_socket;
  std::filesystem::remove(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  ASSERT_TRUE(std::filesystem::exists(path));
  manager_.Start();
  ExpectAlive();
}

}  // namespace
}  // namespace hostq::manager::testing
