#pragma once

#include <memory>
#include <string>

#include "hostq/v1/administrator_service.grpc.pb.h"
#include "hostq/v1/key_service.grpc.pb.h"
#include "test_manager.h"

namespace hostq::manager::testing {

// A call with an API key.
struct KeyCall : public Call {
  explicit KeyCall(const std::string& key, absl::Duration limit = absl::Seconds(20)) : Call(limit) {
    if (!key.empty()) AddMetadata("authorization", "Bearer " + key);
  }
};

// A program that uses the manager's API with a key, or none.
class ApiClient {
 public:
  ApiClient(TestManager& manager, std::string key, const TlsIdentity* identity = nullptr);

  absl::StatusOr<v1::CreateCommandResponse> Create(const v1::CreateCommandRequest& request);
  absl::StatusOr<v1::Command> Get(const std::string& id);
  absl::StatusOr<v1::ListCommandsResponse> List(const v1::ListCommandsRequest& request = {});
  absl::StatusOr<v1::ListNodesResponse> ListNodes();
  absl::StatusOr<v1::ListAccountsResponse> ListAccounts();
  // Any method, by its full name, with an empty request.
  absl::Status Empty(const std::string& method);

  std::shared_ptr<grpc::Channel> channel;
  std::string key;
  std::unique_ptr<v1::CommandService::Stub> commands;
  std::unique_ptr<v1::NodeService::Stub> nodes;
  std::unique_ptr<v1::AccountService::Stub> accounts;
  std::unique_ptr<v1::EventService::Stub> events;
  std::unique_ptr<v1::KeyService::Stub> keys;
  std::unique_ptr<v1::AdministratorService::Stub> administrators;
};

// Made over the local socket. Fails the test if it cannot.
std::string MakeKey(TestManager& manager, const v1::CreateKeyRequest& request);
std::string MakeKey(TestManager& manager, const std::string& name,
                    const std::vector<std::string>& scopes, bool own_accounts = false);
TlsIdentity MakeAdministrator(TestManager& manager, const std::string& name);
// A request to create the account DOMAIN with this user and address.
v1::CreateCommandRequest AccountRequest(const std::string& domain, const std::string& user,
                                        const std::string& address);

}  // namespace hostq::manager::testing
