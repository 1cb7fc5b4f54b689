#include "trust_client.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "hostq/v1/alarm_service.grpc.pb.h"
#include "test_agent.h"

namespace hostq::manager::testing {

std::shared_ptr<grpc::Channel> SocketOf(const TestManager& manager) {
  grpc::ChannelArguments arguments;
  ConfigureChannel(arguments);
  return grpc::CreateCustomChannel("unix:" + manager.config().listen.admin_socket,
                                   grpc::InsecureChannelCredentials(), arguments);
}

std::vector<std::string> AlarmsOf(const TestManager& manager) {
  const auto stub = v1::AlarmService::NewStub(SocketOf(manager));
  v1::ListAlarmsResponse response;
  Call call;
  EXPECT_TRUE(stub->ListAlarms(&call, {}, &response).ok());
  std::vector<std::string> out;
  for (const v1::Alarm& alarm : response.alarms()) {
    out.push_back(absl::StrCat(alarm.subject(), " ", v1::Reason::Code_Name(alarm.reason())));
  }
  return out;
}

v1::Authority ShowAuthority(const TestManager& manager) {
  const auto stub = v1::AuthorityService::NewStub(SocketOf(manager));
  v1::Authority out;
  Call call;
  const absl::Status status = FromGrpc(stub->GetAuthority(&call, {}, &out));
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

absl::Status PrepareAuthority(const TestManager& manager) {
  v1::Authority out;
  Call call;
  return FromGrpc(
      v1::AuthorityService::NewStub(SocketOf(manager))->PrepareAuthority(&call, {}, &out));
}

absl::Status ActivateAuthority(const TestManager& manager) {
  v1::Authority out;
  Call call;
  return FromGrpc(
      v1::AuthorityService::NewStub(SocketOf(manager))->ActivateAuthority(&call, {}, &out));
}

absl::Status RetireAuthority(const TestManager& manager) {
  v1::Authority out;
  Call call;
  return FromGrpc(
      v1::AuthorityService::NewStub(SocketOf(manager))->RetireAuthority(&call, {}, &out));
}

absl::Status UndoAuthority(const TestManager& manager) {
  v1::Authority out;
  Call call;
  return FromGrpc(v1::AuthorityService::NewStub(SocketOf(manager))->UndoAuthority(&call, {}, &out));
}

absl::Status RefusalOf(TestManager& manager, const Joined& node) {
  TestAgent agent(manager, node);
  agent::v1::AgentMessage message;
  *message.mutable_hello() = TestAgent::DefaultHello();
  (void)agent.Write(message);
  return agent.End();
}

bool Connected(TestManager& manager, const std::string& node) {
  return Eventually([&] {
    const v1::Node::State state = manager.GetNode(node).state();
    return state == v1::Node::READY || state == v1::Node::PREFLIGHT;
  });
}

void Restart(TestManager& manager, absl::Duration certificate_life, absl::Duration grace) {
  manager.Stop();
  manager.change_config().trust.node_certificate_life = certificate_life;
  manager.change_config().trust.renewal_grace = grace;
  manager.Start();
}

}  // namespace hostq::manager::testing
