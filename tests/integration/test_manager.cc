#include "test_manager.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/crypto/key.h"
#include "common/crypto/secret_file.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"

namespace hostq::manager::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

void Pause() { std::this_thread::sleep_for(std::chrono::milliseconds(10)); }

}  // namespace

// Below those that the kernel gives to outgoing connections (32768 and up): one of another test
// would hold the port of a manager that is started again.
int FreePort() {
  constexpr int kLowest = 10'000, kPorts = 22'000;
  static std::atomic<int> next{getpid() * 41};
  for (int tried = 0; tried < kPorts; ++tried) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(kLowest + next++ % kPorts));
    const bool free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    close(fd);
    if (free) return ntohs(address.sin_port);
  }
  ADD_FAILURE() << "no port is free";
  return 0;
}

std::string LocalActorHere(const std::string& said) {
  const passwd* entry = getpwuid(geteuid());
  const std::string name =
      entry == nullptr ? absl::StrCat("uid ", geteuid()) : std::string(entry->pw_name);
  return geteuid() != 0 || said.empty() ? name : absl::StrCat(said, " (", name, ")");
}

Call::Call(absl::Duration limit) {
  set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(limit));
}

TestManager::TestManager(absl::Duration heartbeat_interval, const SessionOptions& sessions)
    : sessions_(sessions) {
  RequireTls13();
  char name[] = "/tmp/hostq-test-XXXXXX";
  dir_ = mkdtemp(name);
  config_.state_dir = dir_ + "/state";
  config_.cluster.name = "test";
  config_.cluster.quorum_address = "127.0.0.1";
  config_.listen.agents = absl::StrCat("127.0.0.1:", FreePort());
  config_.listen.enrollment = absl::StrCat("127.0.0.1:", FreePort());
  config_.listen.api = absl::StrCat("127.0.0.1:", FreePort());
  config_.listen.https = absl::StrCat("127.0.0.1:", FreePort());
  config_.listen.admin_socket = dir_ + "/manager.sock";
  config_.limits.heartbeat_interval = heartbeat_interval;
  const auto made = InitStateDir(config_);
  EXPECT_TRUE(made.ok()) << made.status();
  Start();
}

TestManager::~TestManager() {
  Stop();
  std::filesystem::remove_all(dir_);
}

void TestManager::Start() {
  auto server = Server::Start(config_, sessions_);
  if (!server.ok()) {
    ADD_FAILURE() << server.status();
    std::abort();  // nothing below would say more
  }
  server_ = *std::move(server);
  grpc::ChannelArguments arguments;
  ConfigureChannel(arguments);
  const auto channel = grpc::CreateCustomChannel("unix:" + config_.listen.admin_socket,
                                                 grpc::InsecureChannelCredentials(), arguments);
  commands_ = v1::CommandService::NewStub(channel);
  nodes_ = v1::NodeService::NewStub(channel);
  accounts_ = v1::AccountService::NewStub(channel);
  events_ = v1::EventService::NewStub(channel);
  keys_ = v1::KeyService::NewStub(channel);
  administrators_ = v1::AdministratorService::NewStub(channel);
}

void TestManager::Stop() {
  if (server_ != nullptr) server_->Stop(absl::Seconds(5));
  server_.reset();
}

std::string TestManager::ca_pem() const { return *ReadFile(config_.state_dir + "/ca/trusted.pem"); }

std::shared_ptr<grpc::Channel> TestManager::Channel(const std::string& address,
                                                    const TlsIdentity* identity,
                                                    const std::string& ca_pem) {
  grpc::ChannelArguments arguments;
  ConfigureChannel(arguments);
  ApplyManagerName(arguments);
  return grpc::CreateCustomChannel(address,
                                   identity == nullptr
                                       ? TlsChannelCredentials(ca_pem)
                                       : MutualTlsChannelCredentials(*identity, ca_pem),
                                   arguments);
}

std::shared_ptr<grpc::Channel> TestManager::AgentChannel(const Joined& node) {
  return Channel(config_.listen.agents, &node.identity, node.ca_pem);
}

std::string TestManager::AddNode(const std::string& name, v1::Node::Role role,
                                 const std::string& address) {
  v1::CreateNodeRequest request;
  request.set_name(name);
  request.add_roles(role);
  request.set_address(address);
  v1::CreateNodeResponse response;
  Call call;
  const absl::Status status = FromGrpc(nodes_->CreateNode(&call, request, &response));
  EXPECT_TRUE(status.ok()) << status;
  return TokenIn(response);
}

std::string TestManager::TokenIn(const v1::CreateNodeResponse& response) {
  const std::vector<std::string> words = absl::StrSplit(response.join_command(), ' ');
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "--token") return words[i + 1];
  }
  ADD_FAILURE() << "no token";
  return "";
}

absl::StatusOr<Joined> TestManager::Enroll(const std::string& token) {
  return Enroll(token, PrivateKey::Generate());
}

absl::StatusOr<Joined> TestManager::Enroll(const std::string& token, const PrivateKey& key) {
  const auto stub =
      agent::v1::EnrollmentService::NewStub(Channel(config_.listen.enrollment, nullptr, ca_pem()));
  agent::v1::EnrollRequest request;
  request.set_token(token);
  request.set_csr_pem(MakeCertificateRequest(key, "whatever"));
  agent::v1::EnrollResponse response;
  Call call;
  const absl::Status status = FromGrpc(stub->Enroll(&call, request, &response));
  if (!status.ok()) return status;
  return Joined{response.node(), {response.certificate_pem(), key.ToPem()}, response.ca_pem()};
}

Joined TestManager::Join(const std::string& name, v1::Node::Role role, const std::string& address) {
  auto joined = Enroll(AddNode(name, role, address));
  // One address may enrol once a second: the tests' nodes share one.
  while (absl::IsResourceExhausted(joined.status())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    joined = Enroll(AddNode(name, role, address));
  }
  EXPECT_TRUE(joined.ok()) << joined.status();
  return joined.ok() ? *joined : Joined{};
}

absl::StatusOr<v1::CreateCommandResponse> TestManager::Create(
    const v1::CreateCommandRequest& request) {
  v1::CreateCommandResponse response;
  Call call;
  const absl::Status status = FromGrpc(commands_->CreateCommand(&call, request, &response));
  if (!status.ok()) return status;
  return response;
}

v1::Command TestManager::Bind(const std::string& address, const std::string& node) {
  v1::CreateCommandRequest request;
  request.mutable_spec()->mutable_bind_address()->set_address(address);
  if (!node.empty()) request.add_nodes(node);
  return MustCreate(request);
}

v1::Command TestManager::MountHome() {
  v1::CreateCommandRequest request;
  auto* share = request.mutable_spec()->mutable_mount_share();
  share->set_share("home");
  share->set_source("192.0.2.12:/chroot/home");
  share->set_mount_point("/home");
  return MustCreate(request);
}

v1::Command TestManager::MustCreate(const v1::CreateCommandRequest& request) {
  const auto created = Create(request);
  EXPECT_TRUE(created.ok()) << created.status();
  return created.ok() ? created->command() : v1::Command();
}

v1::Command TestManager::Get(const std::string& id) {
  v1::GetCommandRequest request;
  request.set_id(id);
  v1::Command command;
  Call call;
  const absl::Status status = FromGrpc(commands_->GetCommand(&call, request, &command));
  EXPECT_TRUE(status.ok()) << status;
  return command;
}

v1::Command TestManager::WaitFor(const std::string& id,
                                 const std::function<bool(const v1::Command&)>& done) {
  const absl::Time until = absl::Now() + kPatience;
  v1::Command command = Get(id);
  while (!done(command) && absl::Now() < until) {
    Pause();
    command = Get(id);
  }
  EXPECT_TRUE(done(command)) << command.DebugString();
  return command;
}

v1::Command TestManager::WaitUntilFinished(const std::string& id) {
  return WaitFor(id,
                 [](const v1::Command& command) { return command.state() != v1::Command::ACTIVE; });
}

v1::Node TestManager::GetNode(const std::string& name) {
  v1::GetNodeRequest request;
  request.set_name(name);
  v1::Node node;
  Call call;
  const absl::Status status = FromGrpc(nodes_->GetNode(&call, request, &node));
  EXPECT_TRUE(status.ok()) << status;
  return node;
}

v1::Node TestManager::WaitForNode(const std::string& name, v1::Node::State state) {
  const absl::Time until = absl::Now() + kPatience;
  v1::Node node = GetNode(name);
  while (node.state() != state && absl::Now() < until) {
    Pause();
    node = GetNode(name);
  }
  EXPECT_EQ(node.state(), state) << node.DebugString();
  return node;
}

}  // namespace hostq::manager::testing
