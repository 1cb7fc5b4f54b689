// The HTTPS port tells the services who calls by a name in the metadata of its own calls. That name
// is worth something from this process only: not over the network, not on the socket, not even to
// somebody who knows the name of a call that is under way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api_client.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

class GatewayTest : public ::testing::Test {
 protected:
  absl::Status List(const std::shared_ptr<grpc::Channel>& channel, const std::string& name) {
    Call call;
    call.AddMetadata(GatewayCalls::kMetadata, name);
    v1::ListKeysResponse response;
    return FromGrpc(v1::KeyService::NewStub(channel)->ListKeys(&call, {}, &response));
  }
  std::shared_ptr<grpc::Channel> Remote() {
    return manager_.Channel(manager_.config().listen.api, nullptr, manager_.ca_pem());
  }

  TestManager manager_;
};

TEST_F(GatewayTest, TheNameOfACallIsWorthNothingElsewhere) {
  const std::string key = MakeKey(manager_, "good", {"admin"});
  // As it is while the gateway makes a call for somebody with a good key.
  const std::string name = manager_.server().gateway_calls().Begin(
      {"ipv4:127.0.0.1:1", "", SecretString(key), "id", ""});
  for (const std::string& each : {name, std::string("x"), std::string()}) {
    EXPECT_EQ(ReasonOf(List(Remote(), each)), Reason::kUnauthenticated);
  }
  manager_.server().gateway_calls().End(name);
  EXPECT_EQ(manager_.server().gateway_calls().Find(name), nullptr);
}

TEST_F(GatewayTest, OnTheSocketACallerIsWhoTheKernelSays) {
  const std::string key = MakeKey(manager_, "narrow", {"read"});
  const std::string name = manager_.server().gateway_calls().Begin(
      {"ipv4:127.0.0.1:1", "", SecretString(key), "id", ""});
  const auto channel = grpc::CreateChannel("unix:" + manager_.config().listen.admin_socket,
                                           grpc::InsecureChannelCredentials());
  // An administrator, who may: not the key, which may not.
  EXPECT_TRUE(List(channel, name).ok());
}

TEST_F(GatewayTest, NamesAreNotGuessed) {
  GatewayCalls& calls = manager_.server().gateway_calls();
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(calls.Begin({}));
  EXPECT_EQ(names.size(), 100u);
  for (const std::string& name : names) {
    EXPECT_GE(name.size(), 32u);
    calls.End(name);
  }
}

using Reflection = grpc::reflection::v1alpha::ServerReflection;
using ReflectionRequest = grpc::reflection::v1alpha::ServerReflectionRequest;
using ReflectionResponse = grpc::reflection::v1alpha::ServerReflectionResponse;

struct Reflected {
  absl::Status status;
  ReflectionResponse response;
};
Reflected Reflect(const std::shared_ptr<grpc::Channel>& channel, const std::string& key,
                  const ReflectionRequest& request) {
  KeyCall call(key);
  auto stream = Reflection::NewStub(channel)->ServerReflectionInfo(&call);
  Reflected out;
  stream->Write(request);
  stream->Read(&out.response);
  stream->WritesDone();
  out.status = FromGrpc(stream->Finish());
  return out;
}

TEST_F(GatewayTest, ReflectionIsForThoseWhoAreLetIn) {
  ReflectionRequest list;
  list.set_list_services("");
  EXPECT_EQ(ReasonOf(Reflect(Remote(), "", list).status), Reason::kUnauthenticated);
  const std::string submits = MakeKey(manager_, "submits", {"submit"});
  EXPECT_EQ(ReasonOf(Reflect(Remote(), submits, list).status), Reason::kOutOfScope);
  const std::string reads = MakeKey(manager_, "reads", {"read"});
  const Reflected services = Reflect(Remote(), reads, list);
  ASSERT_TRUE(services.status.ok()) << services.status;
  std::set<std::string> names;
  for (const auto& service : services.response.list_services_response().service()) {
    names.insert(service.name());
  }
  EXPECT_TRUE(names.contains("hostq.v1.CommandService"));
  EXPECT_FALSE(names.contains("hostq.agent.v1.SessionService"));
  ReflectionRequest symbol;
  symbol.set_file_containing_symbol("hostq.v1.CommandService.CreateCommand");
  const Reflected file = Reflect(Remote(), reads, symbol);
  google::protobuf::FileDescriptorProto proto;
  ASSERT_GT(file.response.file_descriptor_response().file_descriptor_proto_size(), 3);
  ASSERT_TRUE(
      proto.ParseFromString(file.response.file_descriptor_response().file_descriptor_proto(0)));
  EXPECT_EQ(proto.name(), "hostq/v1/command_service.proto");
  // What is in the program and not in the API.
  for (const char* hidden : {"hostq.storage.v1.ApiKey", "hostq.agent.v1.Hello", "nothing"}) {
    symbol.set_file_containing_symbol(hidden);
    EXPECT_EQ(Reflect(Remote(), reads, symbol).response.error_response().error_code(),
              grpc::StatusCode::NOT_FOUND)
        << hidden;
  }
  const auto agents =
      manager_.Channel(manager_.config().listen.enrollment, nullptr, manager_.ca_pem());
  EXPECT_EQ(Reflect(agents, "", list).status.code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace hostq::manager::testing
