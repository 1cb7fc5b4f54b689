// The agents' stream over real TLS against the whole manager: what a session does in order, out of
// order, twice at once, after a cut, and for somebody else's tasks.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "hostq/agent/v1/work.pb.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

class SessionTest : public ::testing::Test {
 protected:
  explicit SessionTest(absl::Duration heartbeat = absl::Seconds(5)) : manager_(heartbeat) {}

  TestManager manager_;
  const Joined web1_ = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
};

v1::Task::Phase PhaseOf(const v1::Command& command) { return command.tasks(0).phase(); }

TEST_F(SessionTest, CommandGoesTheWholeWay) {
  TestAgent agent(manager_, web1_);
  const agent::v1::Welcome welcome = agent.Hello();
  EXPECT_EQ(welcome.cluster(), "test");
  EXPECT_EQ(welcome.term(), 1u);
  EXPECT_EQ(welcome.heartbeat_interval().seconds(), 5);
  EXPECT_EQ(manager_.GetNode("web1").state(), v1::Node::PREFLIGHT);
  EXPECT_EQ(agent.Work().kind(), "preflight");
  const v1::Node node = manager_.WaitForNode("web1", v1::Node::READY);
  EXPECT_EQ(node.agent_version(), "0.1.0-test");
  EXPECT_EQ(node.credits(), 8);

  const v1::Command command = manager_.Bind("203.0.113.10");
  const agent::v1::Assign assign = agent.ReadAssign();
  EXPECT_EQ(assign.lease().task_id(), command.id() + "/web1");
  EXPECT_EQ(assign.lease().attempt(), 1);
  EXPECT_EQ(assign.kind(), "bind_address");
  EXPECT_EQ(assign.resource_key(), "address/203.0.113.10");
  EXPECT_THAT(assign.roles(), ::testing::ElementsAre("app"));
  agent::v1::Work work;
  ASSERT_TRUE(work.ParseFromString(assign.work()));
  EXPECT_EQ(work.bind_address().address(), "203.0.113.10");

  agent.Accept(assign.lease());
  manager_.WaitFor(command.id(), [](const auto& c) { return PhaseOf(c) == v1::Task::ACCEPTED; });
  agent.Progress(assign.lease(), "address");
  const v1::Command running =
      manager_.WaitFor(command.id(), [](const auto& c) { return PhaseOf(c) == v1::Task::RUNNING; });
  EXPECT_EQ(running.tasks(0).current_step(), "address");
  agent.Result(assign.lease());
  const auto acked = agent.ReadAck();
  ASSERT_EQ(acked.size(), 1u);
  EXPECT_EQ(acked[0].epoch(), assign.lease().epoch());

  const v1::Command done = manager_.WaitUntilFinished(command.id());
  EXPECT_EQ(done.state(), v1::Command::SUCCEEDED);
  ASSERT_EQ(done.tasks(0).attempts_size(), 1);
  const v1::Attempt& attempt = done.tasks(0).attempts(0);
  ASSERT_EQ(attempt.steps_size(), 1);
  EXPECT_EQ(attempt.steps(0).name(), "the step");
  EXPECT_EQ(attempt.steps(0).evidence().at("seen"), "here");
}

TEST_F(SessionTest, FailureIsTriedAgainAndExplained) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10");
  agent.Work(v1::Reason::STEP_CRASHED);
  const v1::Command failed = manager_.WaitFor(
      command.id(), [](const auto& c) { return PhaseOf(c) == v1::Task::BACKING_OFF; });
  EXPECT_EQ(failed.tasks(0).reason(), v1::Reason::STEP_CRASHED);
  EXPECT_TRUE(failed.tasks(0).has_next_attempt_time());
  v1::ExplainCommandRequest request;
  request.set_id(command.id());
  v1::ExplainCommandResponse response;
  Call call;
  ASSERT_TRUE(manager_.commands().ExplainCommand(&call, request, &response).ok());
  ASSERT_EQ(response.findings_size(), 1);
  EXPECT_EQ(response.findings(0).reason(), v1::Reason::BACKING_OFF);
  EXPECT_EQ(response.findings(0).cause(), v1::Reason::STEP_CRASHED);
  EXPECT_EQ(agent.Work().lease().attempt(), 2);
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
}

TEST_F(SessionTest, RefusalIsNoFailedAttempt) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10");
  agent.Refuse(agent.ReadAssign().lease(), v1::Reason::BUFFER_FULL);
  agent.Work();
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
}

TEST_F(SessionTest, ReconnectBringsInFlightAndOutbox) {
  std::vector<agent::v1::Assign> assigns;
  std::vector<std::string> ids;
  {
    TestAgent agent(manager_, web1_);
    agent.Ready(manager_);
    for (const char* address : {"203.0.113.10", "203.0.113.11", "203.0.113.12"}) {
      ids.push_back(manager_.Bind(address).id());
      assigns.push_back(agent.ReadAssign());
      agent.Accept(assigns.back().lease());
    }
    agent.Drop();
  }
  manager_.WaitForNode("web1", v1::Node::OFFLINE);
  // The agent kept the first as running, finished the second, and has lost the third.
  TestAgent agent(manager_, web1_);
  agent::v1::Hello hello = TestAgent::DefaultHello();
  auto* task = hello.add_in_flight();
  *task->mutable_lease() = assigns[0].lease();
  task->set_started(true);
  *hello.add_outbox() = assigns[1].lease();
  EXPECT_EQ(agent.Hello(hello).forget_size(), 0);
  agent.Result(assigns[1].lease());
  EXPECT_EQ(agent.ReadAck()[0].epoch(), assigns[1].lease().epoch());
  EXPECT_EQ(manager_.WaitUntilFinished(ids[1]).state(), v1::Command::SUCCEEDED);
  const agent::v1::Assign again = agent.ReadAssign();
  EXPECT_EQ(again.lease().task_id(), ids[2] + "/web1");
  EXPECT_GT(again.lease().epoch(), assigns[2].lease().epoch());
  agent.Result(assigns[0].lease());
  EXPECT_EQ(manager_.WaitUntilFinished(ids[0]).state(), v1::Command::SUCCEEDED);
  agent.Result(again.lease());
  EXPECT_EQ(manager_.WaitUntilFinished(ids[2]).state(), v1::Command::SUCCEEDED);
}

TEST_F(SessionTest, RestartOfTheManagerLosesNothing) {
  agent::v1::Assign assign;
  std::string id;
  {
    TestAgent agent(manager_, web1_);
    agent.Ready(manager_);
    id = manager_.Bind("203.0.113.10").id();
    assign = agent.ReadAssign();
    agent.Accept(assign.lease());
    manager_.Stop();
    EXPECT_EQ(agent.End().code(), absl::StatusCode::kUnavailable);
  }
  manager_.Start();
  TestAgent agent(manager_, web1_);
  agent::v1::Hello hello = TestAgent::DefaultHello();
  *hello.add_outbox() = assign.lease();
  EXPECT_EQ(agent.Hello(hello).term(), 2u);
  agent.Result(assign.lease());
  EXPECT_FALSE(agent.ReadAck().empty());
  const v1::Command done = manager_.WaitUntilFinished(id);
  EXPECT_EQ(done.state(), v1::Command::SUCCEEDED);
  EXPECT_EQ(done.tasks(0).attempt(), 1);
}

TEST_F(SessionTest, ResultIsAcknowledgedEveryTimeItComes) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10");
  const agent::v1::Assign assign = agent.Work();
  agent.Result(assign.lease(), v1::Reason::INTERNAL, "the same lease, another story");
  EXPECT_EQ(agent.ReadAck()[0].task_id(), assign.lease().task_id());
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
}

TEST_F(SessionTest, NewestSessionOfANodeWins) {
  TestAgent old_one(manager_, web1_);
  old_one.Ready(manager_);
  TestAgent new_one(manager_, web1_);
  new_one.Hello();
  EXPECT_EQ(old_one.End().code(), absl::StatusCode::kAborted);
  const v1::Command command = manager_.Bind("203.0.113.10");
  new_one.Work();
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
}

TEST_F(SessionTest, OtherMessageBeforeHelloIsOutOfOrder) {
  TestAgent agent(manager_, web1_);
  agent.Heartbeat();
  EXPECT_EQ(agent.End().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, ABatchIsTheMessagesInIt) {
  manager_.Bind("203.0.113.9");
  TestAgent agent(manager_, web1_);
  agent::v1::Hello hello = TestAgent::DefaultHello();
  hello.set_batches(true);
  EXPECT_TRUE(agent.Hello(hello).batches());
  agent.Work();
  agent.Work();
  manager_.WaitForNode("web1", v1::Node::READY);
  std::vector<std::string> ids;
  agent::v1::AgentMessage batch;
  for (int i = 10; i < 15; ++i) {
    ids.push_back(manager_.Bind(absl::StrCat("203.0.113.", i)).id());
    const agent::v1::Lease lease = agent.ReadAssign().lease();
    *batch.mutable_batch()->add_messages()->mutable_accepted()->mutable_lease() = lease;
    agent::v1::Result& result = *batch.mutable_batch()->add_messages()->mutable_result();
    *result.mutable_lease() = lease;
    result.add_steps()->set_name("the step");
  }
  agent.Write(batch);
  size_t acknowledged = 0;
  while (acknowledged < ids.size()) acknowledged += agent.ReadAck().size();
  for (const std::string& id : ids) {
    EXPECT_EQ(manager_.WaitUntilFinished(id).state(), v1::Command::SUCCEEDED);
  }
}

TEST_F(SessionTest, NoBatchIsForAnAgentThatDoesNotTakeIt) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  std::vector<std::thread> clients;
  clients.reserve(8);
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] { manager_.Bind(absl::StrCat("203.0.113.", i)); });
  }
  for (std::thread& client : clients) client.join();
  for (int i = 0; i < 8; ++i) agent.ReadAssign();
  EXPECT_EQ(agent.batches(), 0);
}

TEST_F(SessionTest, BatchesAreNotNestedAndBringNoHello) {
  agent::v1::AgentMessage nested;
  *nested.mutable_batch()->add_messages()->mutable_batch()->add_messages()->mutable_heartbeat() =
      agent::v1::Heartbeat();
  agent::v1::AgentMessage hello;
  *hello.mutable_batch()->add_messages()->mutable_hello() = TestAgent::DefaultHello();
  for (const agent::v1::AgentMessage& message : {nested, hello}) {
    TestAgent agent(manager_, web1_);
    agent.Hello();
    agent.Write(message);
    EXPECT_EQ(agent.End().code(), absl::StatusCode::kInvalidArgument);
  }
  TestAgent first(manager_, web1_);
  first.Write(hello);
  EXPECT_EQ(first.End().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, EmptyMessageIsOutOfOrder) {
  TestAgent agent(manager_, web1_);
  agent.Hello();
  agent.Write(agent::v1::AgentMessage());
  EXPECT_EQ(agent.End().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, SecondHelloIsOutOfOrder) {
  TestAgent agent(manager_, web1_);
  agent.Hello();
  agent::v1::AgentMessage message;
  *message.mutable_hello() = TestAgent::DefaultHello();
  agent.Write(message);
  EXPECT_EQ(agent.End().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, OtherProtocolIsRefused) {
  TestAgent agent(manager_, web1_);
  agent::v1::AgentMessage message;
  *message.mutable_hello() = TestAgent::DefaultHello();
  message.mutable_hello()->set_protocol_version(2);
  agent.Write(message);
  EXPECT_EQ(agent.End().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SessionTest, NobodySpeaksOfAnotherNodesTasks) {
  const Joined web2 = manager_.Join("web2", v1::Node::APP, "192.0.2.12");
  TestAgent agent2(manager_, web2);
  agent2.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10", "web2");
  const agent::v1::Assign assign = agent2.ReadAssign();

  const auto expect_refused = [&](const std::function<void(TestAgent&)>& speak) {
    TestAgent agent1(manager_, web1_);
    agent1.Hello();
    speak(agent1);
    const absl::Status end = agent1.End();
    EXPECT_EQ(end.code(), absl::StatusCode::kInvalidArgument) << end;
    EXPECT_EQ(ReasonOf(end), Reason::kNotAuthorized) << end;
  };
  expect_refused([&](TestAgent& agent) { agent.Accept(assign.lease()); });
  expect_refused(
      [&](TestAgent& agent) { agent.Refuse(assign.lease(), v1::Reason::NOT_ALLOWED_BY_POLICY); });
  expect_refused([&](TestAgent& agent) { agent.Progress(assign.lease(), "x"); });
  expect_refused([&](TestAgent& agent) { agent.Result(assign.lease()); });
  TestAgent agent1(manager_, web1_);
  agent::v1::AgentMessage hello;
  *hello.mutable_hello() = TestAgent::DefaultHello();
  *hello.mutable_hello()->add_in_flight()->mutable_lease() = assign.lease();
  agent1.Write(hello);
  EXPECT_EQ(ReasonOf(agent1.End()), Reason::kNotAuthorized);

  EXPECT_EQ(PhaseOf(manager_.Get(command.id())), v1::Task::LEASED);
  agent2.Result(assign.lease());
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
}

// A result of a lease that never was changes no task, and is kept.
TEST_F(SessionTest, InventedLeaseOfItsOwnNodeChangesNothing) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10");
  const agent::v1::Assign assign = agent.ReadAssign();
  agent::v1::Lease invented = assign.lease();
  invented.set_epoch(assign.lease().epoch() + 1'000);
  agent.Result(invented, v1::Reason::HOME_MISSING);
  agent.ReadAck();
  EXPECT_EQ(PhaseOf(manager_.Get(command.id())), v1::Task::LEASED);
  agent.Result(assign.lease());
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
}

TEST_F(SessionTest, RemovedNodeIsCutOffAndStaysOut) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  v1::RemoveNodeRequest request;
  request.set_name("web1");
  v1::RemoveNodeResponse response;
  Call call;
  ASSERT_TRUE(manager_.nodes().RemoveNode(&call, request, &response).ok());
  EXPECT_EQ(agent.End().code(), absl::StatusCode::kPermissionDenied) << agent.End();
  TestAgent again(manager_, web1_);
  agent::v1::AgentMessage hello;
  *hello.mutable_hello() = TestAgent::DefaultHello();
  again.Write(hello);
  const absl::Status end = again.End();
  EXPECT_EQ(end.code(), absl::StatusCode::kPermissionDenied) << end;
  EXPECT_EQ(ReasonOf(end), Reason::kNotAuthorized);
}

TEST_F(SessionTest, CancelReachesTheAgent) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10");
  const agent::v1::Assign assign = agent.ReadAssign();
  v1::CancelCommandRequest request;
  request.set_id(command.id());
  v1::Command after;
  Call call;
  ASSERT_TRUE(manager_.commands().CancelCommand(&call, request, &after).ok());
  const auto message = agent.Read();
  ASSERT_TRUE(message && message->has_cancel());
  EXPECT_EQ(message->cancel().lease().epoch(), assign.lease().epoch());
}

TEST_F(SessionTest, CreditsBoundWhatIsOut) {
  TestAgent agent(manager_, web1_);
  agent::v1::Hello hello = TestAgent::DefaultHello();
  hello.set_credits(2);
  agent.Hello(hello);
  agent.Work();
  manager_.WaitForNode("web1", v1::Node::READY);
  for (int i = 0; i < 5; ++i) manager_.Bind("203.0.113.1" + std::to_string(i));
  const agent::v1::Assign first = agent.ReadAssign();
  agent.ReadAssign();
  const v1::Node node = manager_.GetNode("web1");
  EXPECT_EQ(node.tasks_in_flight(), 2);
  EXPECT_EQ(node.tasks_queued(), 3);
  agent.Result(first.lease());
  agent.ReadAssign();
}

TEST_F(SessionTest, ThousandsOfMessagesAreTakenInOrder) {
  TestAgent agent(manager_, web1_);
  agent.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10");
  const agent::v1::Assign assign = agent.ReadAssign();
  for (int i = 0; i < 3'000; ++i) agent.Progress(assign.lease(), "step " + std::to_string(i));
  manager_.WaitFor(command.id(),
                   [](const auto& c) { return c.tasks(0).current_step() == "step 2999"; });
  agent.Result(assign.lease());
  EXPECT_FALSE(agent.ReadAck().empty());
}

class HeartbeatTest : public SessionTest {
 protected:
  HeartbeatTest() : SessionTest(absl::Milliseconds(200)) {}
};

TEST_F(HeartbeatTest, ManagerSendsThemAtItsInterval) {
  TestAgent agent(manager_, web1_);
  agent.Hello();
  const absl::Time start = absl::Now();
  int heartbeats = 0;
  while (heartbeats < 5) {
    agent.Heartbeat();
    const auto message = agent.ReadAny();
    ASSERT_TRUE(message.has_value());
    heartbeats += message->has_heartbeat() ? 1 : 0;
  }
  EXPECT_GT(absl::Now() - start, absl::Milliseconds(700));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

TEST_F(HeartbeatTest, SilentAgentLosesItsSession) {
  TestAgent agent(manager_, web1_);
  agent.Hello();
  const absl::Time start = absl::Now();
  EXPECT_EQ(agent.End().code(), absl::StatusCode::kUnavailable);
  EXPECT_GT(absl::Now() - start, absl::Milliseconds(500));
  manager_.WaitForNode("web1", v1::Node::OFFLINE);
}

TEST_F(HeartbeatTest, WhoNeverSaysHelloIsCutOff) {
  TestAgent agent(manager_, web1_);
  EXPECT_EQ(agent.End().code(), absl::StatusCode::kUnavailable);
}

// An agent that sends heartbeats and does not read: its receive window fills up.
class DeafAgentTest : public ::testing::Test {
 protected:
  explicit DeafAgentTest(size_t max_outgoing_bytes = 16 << 20)
      : manager_(absl::Milliseconds(500), {.max_outgoing_bytes = max_outgoing_bytes,
                                           .close_grace = absl::Milliseconds(500)}) {
    agent::v1::Hello hello = TestAgent::DefaultHello();
    hello.set_credits(10'000);
    deaf_.Hello(hello);
    deaf_.Work();
    manager_.WaitForNode("web1", v1::Node::READY);
    heart_ = std::thread([this] {
      while (!stop_) {
        deaf_.Heartbeat();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    });
  }
  ~DeafAgentTest() override { StopHeart(); }
  void StopHeart() {
    stop_ = true;
    if (heart_.joinable()) heart_.join();
  }
  // With a small receive window that does not grow.
  std::shared_ptr<grpc::Channel> Narrow() {
    grpc::ChannelArguments arguments;
    ConfigureChannel(arguments);
    ApplyManagerName(arguments);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16'384);
    return grpc::CreateCustomChannel(manager_.config().listen.agents,
                                     MutualTlsChannelCredentials(web1_.identity, web1_.ca_pem),
                                     arguments);
  }
  void Fill(int count) {
    for (int i = 0; i < count; ++i) {
      manager_.Bind(absl::StrCat("203.0.", 100 + i / 200, ".", 1 + i % 200), "web1");
    }
  }

  TestManager manager_;
  const Joined web1_ = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent deaf_{Narrow()};
  std::atomic<bool> stop_ = false;
  std::thread heart_;
};

TEST_F(DeafAgentTest, DelaysNeitherOthersNorTheEnd) {
  const Joined web2 = manager_.Join("web2", v1::Node::APP, "192.0.2.12");
  Fill(400);
  TestAgent agent(manager_, web2);
  agent.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10", "web2");
  agent.Work();
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
  EXPECT_EQ(manager_.GetNode("web1").tasks_in_flight(), 400);
  const absl::Time start = absl::Now();
  manager_.Stop();
  EXPECT_LT(absl::Now() - start, absl::Seconds(4));
}

class DeafAgentBoundTest : public DeafAgentTest {
 protected:
  DeafAgentBoundTest() : DeafAgentTest(20'000) {}
};

TEST_F(DeafAgentBoundTest, IsCutOffWhenTooMuchWaits) {
  Fill(400);
  manager_.WaitForNode("web1", v1::Node::OFFLINE);
  StopHeart();
  deaf_.Drop();
  // It comes back, hears what it missed, and nothing is lost.
  TestAgent again(manager_, web1_);
  again.Hello();
  EXPECT_EQ(again.ReadAssign().kind(), "bind_address");
}

}  // namespace
}  // namespace hostq::manager::testing
