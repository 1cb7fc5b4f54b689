#include "test_agent.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/rpc/status.h"
#include "google/protobuf/util/time_util.h"

namespace hostq::manager::testing {

using agent::v1::AgentMessage;
using agent::v1::ManagerMessage;
using google::protobuf::util::TimeUtil;

TestAgent::TestAgent(TestManager& manager, const Joined& node)
    : TestAgent(manager.AgentChannel(node)) {
  name_ = node.name;
}

TestAgent::TestAgent(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)),
      stub_(agent::v1::SessionService::NewStub(channel_)),
      call_(absl::Seconds(100)),
      stream_(stub_->Connect(&call_)) {}

TestAgent::~TestAgent() { Drop(); }

agent::v1::Hello TestAgent::DefaultHello() {
  agent::v1::Hello hello;
  hello.set_protocol_version(1);
  hello.set_agent_version("0.1.0-test");
  for (const char* kind :
       {"create_account", "delete_account", "mount_share", "bind_address", "unbind_address",
        "preflight", "set_quota", "set_account_quota", "resync_account"}) {
    hello.add_kinds(kind);
  }
  hello.set_credits(8);
  *hello.mutable_clock() = TimeUtil::GetCurrentTime();
  return hello;
}

agent::v1::Welcome TestAgent::Hello(const agent::v1::Hello& hello) {
  AgentMessage message;
  *message.mutable_hello() = hello;
  EXPECT_TRUE(Write(message));
  const auto answer = ReadAny();
  EXPECT_TRUE(answer && answer->has_welcome())
      << (answer ? answer->DebugString() : std::string(End().message()));
  return answer ? answer->welcome() : agent::v1::Welcome();
}

void TestAgent::Ready(TestManager& manager) {
  Hello();
  EXPECT_EQ(Work().kind(), "preflight");
  manager.WaitForNode(name_, v1::Node::READY);
}

bool TestAgent::Write(const AgentMessage& message) { return stream_->Write(message); }

std::optional<ManagerMessage> TestAgent::ReadAny() {
  if (!kept_.empty()) {
    ManagerMessage message = std::move(kept_.front());
    kept_.pop_front();
    return message;
  }
  if (end_ || !ReadStream()) return std::nullopt;
  return ReadAny();
}

bool TestAgent::ReadStream() {
  ManagerMessage message;
  if (!stream_->Read(&message)) return false;
  if (!message.has_batch()) {
    kept_.push_back(std::move(message));
    return true;
  }
  ++batches_;
  EXPECT_FALSE(message.batch().messages().empty());
  for (const ManagerMessage& one : message.batch().messages()) kept_.push_back(one);
  return true;
}

std::optional<ManagerMessage> TestAgent::Read() {
  for (;;) {
    auto message = ReadAny();
    if (!message || !message->has_heartbeat()) return message;
  }
}

std::optional<ManagerMessage> TestAgent::ReadKind(ManagerMessage::MessageCase kind) {
  do {
    const auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const ManagerMessage& message) {
      return message.message_case() == kind;
    });
    if (kept != kept_.end()) {
      ManagerMessage message = *kept;
      kept_.erase(kept);
      return message;
    }
  } while (ReadStream());
  ADD_FAILURE() << "the stream has ended: " << End();
  return std::nullopt;
}

agent::v1::Assign TestAgent::ReadAssign() {
  const auto message = ReadKind(ManagerMessage::kAssign);
  return message ? message->assign() : agent::v1::Assign();
}

std::vector<agent::v1::Lease> TestAgent::ReadAck() {
  const auto message = ReadKind(ManagerMessage::kResultAck);
  if (!message) return {};
  return {message->result_ack().leases().begin(), message->result_ack().leases().end()};
}

bool TestAgent::Accept(const agent::v1::Lease& lease) {
  AgentMessage message;
  *message.mutable_accepted()->mutable_lease() = lease;
  return Write(message);
}

bool TestAgent::Refuse(const agent::v1::Lease& lease, v1::Reason::Code reason) {
  AgentMessage message;
  *message.mutable_refused()->mutable_lease() = lease;
  message.mutable_refused()->set_reason(reason);
  return Write(message);
}

bool TestAgent::Progress(const agent::v1::Lease& lease, const std::string& step) {
  AgentMessage message;
  *message.mutable_progress()->mutable_lease() = lease;
  message.mutable_progress()->set_step(step);
  message.mutable_progress()->set_step_index(0);
  message.mutable_progress()->set_step_count(1);
  return Write(message);
}

bool TestAgent::Result(const agent::v1::Lease& lease, v1::Reason::Code reason,
                       const std::string& text) {
  AgentMessage message;
  agent::v1::Result& result = *message.mutable_result();
  *result.mutable_lease() = lease;
  result.set_reason(reason);
  result.set_message(text);
  *result.mutable_start_time() = TimeUtil::GetCurrentTime();
  *result.mutable_finish_time() = TimeUtil::GetCurrentTime();
  agent::v1::StepResult& step = *result.add_steps();
  step.set_name("the step");
  step.set_changed(true);
  step.set_reason(reason);
  step.set_message(text);
  (*step.mutable_evidence())["seen"] = "here";
  return Write(message);
}

bool TestAgent::Heartbeat() {
  AgentMessage message;
  *message.mutable_heartbeat()->mutable_clock() = TimeUtil::GetCurrentTime();
  return Write(message);
}

agent::v1::Assign TestAgent::Work(v1::Reason::Code reason) {
  const agent::v1::Assign assign = ReadAssign();
  EXPECT_TRUE(Accept(assign.lease()));
  EXPECT_TRUE(Progress(assign.lease(), "the step"));
  EXPECT_TRUE(Result(assign.lease(), reason));
  EXPECT_FALSE(ReadAck().empty());
  return assign;
}

void TestAgent::Drop() {
  if (end_) return;
  call_.TryCancel();
  (void)End();
}

absl::Status TestAgent::End() {
  if (end_) return *end_;
  ManagerMessage message;
  while (stream_->Read(&message)) {
  }
  end_ = FromGrpc(stream_->Finish());
  return *end_;
}

}  // namespace hostq::manager::testing
