#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"
#include "hostq/agent/v1/session.grpc.pb.h"
#include "test_manager.h"

namespace hostq::manager::testing {

// A node whose agent says what the test tells it to say.
class TestAgent {
 public:
  TestAgent(TestManager& manager, const Joined& node);
  // Without a manager around it: any channel.
  explicit TestAgent(std::shared_ptr<grpc::Channel> channel);
  ~TestAgent();

  static agent::v1::Hello DefaultHello();
  // Sends hello and waits for the answer. Fails the test if there is none.
  agent::v1::Welcome Hello(const agent::v1::Hello& hello = DefaultHello());
  // Says hello and does the first preflight, after which the node is in service.
  void Ready(TestManager& manager);

  bool Write(const agent::v1::AgentMessage& message);
  // The next message that is no heartbeat; nothing when the stream has ended.
  std::optional<agent::v1::ManagerMessage> Read();
  std::optional<agent::v1::ManagerMessage> ReadAny();
  // The next assignment, or acknowledgement; what comes before is kept for later. Fail the test if
  // the stream ends.
  agent::v1::Assign ReadAssign();
  std::vector<agent::v1::Lease> ReadAck();

  bool Accept(const agent::v1::Lease& lease);
  bool Refuse(const agent::v1::Lease& lease, v1::Reason::Code reason);
  bool Progress(const agent::v1::Lease& lease, const std::string& step);
  // One step, succeeded if `reason` is none.
  bool Result(const agent::v1::Lease& lease, v1::Reason::Code reason = v1::Reason::CODE_UNSPECIFIED,
              const std::string& message = "");
  bool Heartbeat();
  // Takes an assignment through to its acknowledgement.
  agent::v1::Assign Work(v1::Reason::Code reason = v1::Reason::CODE_UNSPECIFIED);

  // Cuts the connection as a crash does.
  void Drop();
  // Reads until the stream ends; how it ended.
  absl::Status End();

  // Messages that held several.
  int batches() const { return batches_; }

 private:
  // The next message of the stream, or the messages in it, into kept_. False: it has ended.
  bool ReadStream();
  std::optional<agent::v1::ManagerMessage> ReadKind(agent::v1::ManagerMessage::MessageCase kind);

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<agent::v1::SessionService::Stub> stub_;
  Call call_;
  std::unique_ptr<grpc::ClientReaderWriter<agent::v1::AgentMessage, agent::v1::ManagerMessage>>
      stream_;
  std::deque<agent::v1::ManagerMessage> kept_;
  std::optional<absl::Status> end_;
  int batches_ = 0;
  std::string name_;
};

}  // namespace hostq::manager::testing
