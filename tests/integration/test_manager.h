#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/manager_config.h"
#include "common/crypto/identity.h"
#include "grpcpp/grpcpp.h"
#include "hostq/agent/v1/enrollment.grpc.pb.h"
#include "hostq/v1/account_service.grpc.pb.h"
#include "hostq/v1/administrator_service.grpc.pb.h"
#include "hostq/v1/command_service.grpc.pb.h"
#include "hostq/v1/event_service.grpc.pb.h"
#include "hostq/v1/key_service.grpc.pb.h"
#include "hostq/v1/node_service.grpc.pb.h"
#include "manager/server.h"

namespace hostq::manager::testing {

// What a node has after it has joined.
struct Joined {
  std::string name;
  TlsIdentity identity;
  std::string ca_pem;
};

// A call's context: with a deadline, so that a test fails instead of hanging.
struct Call : public grpc::ClientContext {
  explicit Call(absl::Duration limit = absl::Seconds(20));
};

// A manager in this process, on loopback, in a directory of its own.
class TestManager {
 public:
  explicit TestManager(absl::Duration heartbeat_interval = absl::Seconds(5),
                       const SessionOptions& sessions = {});
  ~TestManager();

  const ManagerConfig& config() const { return config_; }
  // For the next Start().
  ManagerConfig& change_config() { return config_; }
  Server& server() { return *server_; }
  void Stop();
  void Start();

  v1::CommandService::Stub& commands() { return *commands_; }
  v1::NodeService::Stub& nodes() { return *nodes_; }
  v1::AccountService::Stub& accounts() { return *accounts_; }
  v1::EventService::Stub& events() { return *events_; }
  v1::KeyService::Stub& keys() { return *keys_; }
  v1::AdministratorService::Stub& administrators() { return *administrators_; }

  // A TLS channel as agents have it; without a certificate if `identity` is null.
  std::shared_ptr<grpc::Channel> Channel(const std::string& address, const TlsIdentity* identity,
                                         const std::string& ca_pem);
  std::shared_ptr<grpc::Channel> AgentChannel(const Joined& node);
  std::string ca_pem() const;

  // Adds a node and returns its join token. Fails the test if it cannot.
  std::string AddNode(const std::string& name, v1::Node::Role role, const std::string& address);
  // The token in a join line.
  static std::string TokenIn(const v1::CreateNodeResponse& response);
  // Enrols with a token and a new key.
  absl::StatusOr<Joined> Enroll(const std::string& token);
  absl::StatusOr<Joined> Enroll(const std::string& token, const PrivateKey& key);
  // Both.
  Joined Join(const std::string& name, v1::Node::Role role, const std::string& address);

  absl::StatusOr<v1::CreateCommandResponse> Create(const v1::CreateCommandRequest& request);
  // An address bound on the app nodes, or on one of them.
  v1::Command Bind(const std::string& address, const std::string& node = "");
  // What accounts of several nodes need: the share "home" on the app nodes.
  v1::Command MountHome();
  v1::Command Get(const std::string& id);
  // Until `done` or for 20 s; the command as it was seen last.
  v1::Command WaitFor(const std::string& id, const std::function<bool(const v1::Command&)>& done);
  v1::Command WaitUntilFinished(const std::string& id);
  v1::Node GetNode(const std::string& name);
  v1::Node WaitForNode(const std::string& name, v1::Node::State state);

 private:
  v1::Command MustCreate(const v1::CreateCommandRequest& request);

  std::string dir_;
  ManagerConfig config_;
  const SessionOptions sessions_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::CommandService::Stub> commands_;
  std::unique_ptr<v1::NodeService::Stub> nodes_;
  std::unique_ptr<v1::AccountService::Stub> accounts_;
  std::unique_ptr<v1::EventService::Stub> events_;
  std::unique_ptr<v1::KeyService::Stub> keys_;
  std::unique_ptr<v1::AdministratorService::Stub> administrators_;
};

// Who this process is on the local socket when it says `said`: only root is believed.
std::string LocalActorHere(const std::string& said);

// A port that was free a moment ago.
int FreePort();

}  // namespace hostq::manager::testing
