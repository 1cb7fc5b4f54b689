#include "api_client.h"

#include <gtest/gtest.h>

#include "common/rpc/status.h"
#include "grpcpp/generic/generic_stub.h"

namespace hostq::manager::testing {
namespace {

template <typename Response>
absl::StatusOr<Response> Result(const grpc::Status& status, Response response) {
  if (!status.ok()) return FromGrpc(status);
  return response;
}

}  // namespace

ApiClient::ApiClient(TestManager& manager, std::string the_key, const TlsIdentity* identity)
    : channel(manager.Channel(manager.config().listen.api, identity, manager.ca_pem())),
      key(std::move(the_key)),
      commands(v1::CommandService::NewStub(channel)),
      nodes(v1::NodeService::NewStub(channel)),
      accounts(v1::AccountService::NewStub(channel)),
      events(v1::EventService::NewStub(channel)),
      keys(v1::KeyService::NewStub(channel)),
      administrators(v1::AdministratorService::NewStub(channel)) {}

absl::StatusOr<v1::CreateCommandResponse> ApiClient::Create(
    const v1::CreateCommandRequest& request) {
  KeyCall call(key);
  v1::CreateCommandResponse response;
  const grpc::Status status = commands->CreateCommand(&call, request, &response);
  return Result(status, response);
}

absl::StatusOr<v1::Command> ApiClient::Get(const std::string& id) {
  KeyCall call(key);
  v1::GetCommandRequest request;
  request.set_id(id);
  v1::Command response;
  const grpc::Status status = commands->GetCommand(&call, request, &response);
  return Result(status, response);
}

absl::StatusOr<v1::ListCommandsResponse> ApiClient::List(const v1::ListCommandsRequest& request) {
  KeyCall call(key);
  v1::ListCommandsResponse response;
  const grpc::Status status = commands->ListCommands(&call, request, &response);
  return Result(status, response);
}

absl::StatusOr<v1::ListNodesResponse> ApiClient::ListNodes() {
  KeyCall call(key);
  v1::ListNodesResponse response;
  const grpc::Status status = nodes->ListNodes(&call, {}, &response);
  return Result(status, response);
}

absl::StatusOr<v1::ListAccountsResponse> ApiClient::ListAccounts() {
  KeyCall call(key);
  v1::ListAccountsResponse response;
  const grpc::Status status = accounts->ListAccounts(&call, {}, &response);
  return Result(status, response);
}

absl::Status ApiClient::Empty(const std::string& method) {
  std::string path = "/" + method;
  path[path.rfind('.')] = '/';
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  KeyCall call(key);
  const grpc::Slice nothing("");
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto rpc = stub.PrepareUnaryCall(&call, path, request, &queue);
  rpc->StartCall();
  rpc->Finish(&response, &status, this);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  return FromGrpc(status);
}

std::string MakeKey(TestManager& manager, const v1::CreateKeyRequest& request) {
  Call call;
  v1::CreateKeyResponse response;
  const absl::Status status = FromGrpc(manager.keys().CreateKey(&call, request, &response));
  EXPECT_TRUE(status.ok()) << status;
  return response.text();
}

std::string MakeKey(TestManager& manager, const std::string& name,
                    const std::vector<std::string>& scopes, bool own_accounts) {
  v1::CreateKeyRequest request;
  request.set_name(name);
  for (const std::string& scope : scopes) request.add_scopes(scope);
  request.set_own_accounts(own_accounts);
  return MakeKey(manager, request);
}

TlsIdentity MakeAdministrator(TestManager& manager, const std::string& name) {
  const PrivateKey key = PrivateKey::Generate();
  v1::CreateAdministratorRequest request;
  request.set_name(name);
  request.set_csr_pem(MakeCertificateRequest(key, name));
  v1::CreateAdministratorResponse response;
  Call call;
  const absl::Status status =
      FromGrpc(manager.administrators().CreateAdministrator(&call, request, &response));
  EXPECT_TRUE(status.ok()) << status;
  return {response.certificate_pem(), key.ToPem()};
}

v1::CreateCommandRequest AccountRequest(const std::string& domain, const std::string& user,
                                        const std::string& address) {
  v1::CreateCommandRequest request;
  v1::CreateAccount& account = *request.mutable_spec()->mutable_create_account();
  account.set_domain(domain);
  account.set_user(user);
  account.set_address(address);
  account.set_quota_bytes(1 << 30);
  return request;
}

}  // namespace hostq::manager::testing
