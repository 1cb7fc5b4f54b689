// How administrators steer the queue, over the real socket: rules of delivery, retries of many,
// pauses, dry runs, orphans.
#include <gmock/gmock.h>

#include "common/base/error.h"
#include "common/base/id.h"
#include "common/rpc/status.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

class QueueApiTest : public ::testing::Test {
 protected:
  static v1::CreateCommandRequest BindRequest(const std::string& address) {
    v1::CreateCommandRequest request;
    request.mutable_spec()->mutable_bind_address()->set_address(address);
    return request;
  }
  v1::ListFindingsResponse Findings() {
    v1::ListFindingsResponse response;
    Call call;
    EXPECT_TRUE(manager_.commands().ListFindings(&call, {}, &response).ok());
    return response;
  }
  absl::Status Pause(const v1::PauseCommandsRequest& request) {
    v1::Pause pause;
    Call call;
    call.AddMetadata("hostq-actor", "alice");
    return FromGrpc(manager_.commands().PauseCommands(&call, request, &pause));
  }
  v1::ListPausesResponse Pauses() {
    v1::ListPausesResponse response;
    Call call;
    EXPECT_TRUE(manager_.commands().ListPauses(&call, {}, &response).ok());
    return response;
  }

  TestManager manager_;
};

TEST_F(QueueApiTest, RulesOfDeliveryAreKept) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  v1::CreateCommandRequest request = BindRequest("203.0.113.10");
  request.mutable_not_before()->set_seconds(4'000'000'000);
  request.mutable_not_after()->set_seconds(4'000'000'001);
  request.set_priority(-7);
  request.set_max_parallel(2);
  request.set_max_failures(0);
  request.mutable_retry()->set_max_attempts(3);
  request.mutable_retry()->mutable_cap()->set_seconds(20);
  request.mutable_retry()->set_full_jitter(true);
  request.mutable_retry()->add_never(v1::Reason::STEP_TIMED_OUT);
  const auto created = manager_.Create(request);
  ASSERT_TRUE(created.ok()) << created.status();
  manager_.Stop();
  manager_.Start();
  const v1::Command command = manager_.Get(created->command().id());
  EXPECT_EQ(command.not_before().seconds(), 4'000'000'000);
  EXPECT_EQ(command.not_after().seconds(), 4'000'000'001);
  EXPECT_EQ(command.priority(), -7);
  EXPECT_EQ(command.max_parallel(), 2);
  EXPECT_TRUE(command.has_max_failures());
  EXPECT_EQ(command.max_failures(), 0);
  EXPECT_EQ(command.retry().max_attempts(), 3);
  EXPECT_EQ(command.retry().cap().seconds(), 20);
  EXPECT_EQ(command.retry().initial().seconds(), 1) << "the kind's";
  EXPECT_TRUE(command.retry().full_jitter());
  ASSERT_EQ(command.retry().never_size(), 1);
  EXPECT_EQ(command.retry().never(0), v1::Reason::STEP_TIMED_OUT);
  const v1::Command plain = manager_.Bind("203.0.113.11");
  EXPECT_FALSE(plain.has_not_before());
  EXPECT_FALSE(plain.has_max_failures());
  request.set_priority(101);
  EXPECT_EQ(manager_.Create(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(QueueApiTest, ManyAreMadeByOneCallAndEachIsJudgedAlone) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  v1::CreateCommandsRequest request;
  *request.add_requests() = BindRequest("203.0.113.10");
  request.mutable_requests(0)->set_request_id("r1");
  request.add_requests();  // no kind
  *request.add_requests() = BindRequest("203.0.113.10");
  request.mutable_requests(2)->set_request_id("r1");
  *request.add_requests() = BindRequest("203.0.113.11");
  request.mutable_requests(3)->set_request_id("r1");
  *request.add_requests() = BindRequest("203.0.113.12");
  request.mutable_requests(4)->set_validate_only(true);
  *request.add_requests() = BindRequest("203.0.113.13");
  v1::CreateCommandsResponse response;
  {
    Call call;
    ASSERT_TRUE(manager_.commands().CreateCommands(&call, request, &response).ok());
  }
  ASSERT_EQ(response.outcomes_size(), 6);
  const std::string id = response.outcomes(0).id();
  EXPECT_FALSE(id.empty() || response.outcomes(0).repeated());
  EXPECT_EQ(response.outcomes(1).reason(), v1::Reason::INVALID_ARGUMENT);
  EXPECT_EQ(response.outcomes(2).id(), id);
  EXPECT_TRUE(response.outcomes(2).repeated());
  EXPECT_EQ(response.outcomes(3).reason(), v1::Reason::REQUEST_ID_REUSED);
  EXPECT_EQ(response.outcomes(4).reason(), v1::Reason::INVALID_ARGUMENT);
  manager_.Stop();
  manager_.Start();
  EXPECT_EQ(manager_.Get(id).resource_key(), "address/203.0.113.10");
  EXPECT_EQ(manager_.Get(response.outcomes(5).id()).resource_key(), "address/203.0.113.13");
  for (const int count : {0, 1001}) {
    v1::CreateCommandsRequest wrong;
    for (int i = 0; i < count; ++i) wrong.add_requests();
    Call call;
    EXPECT_EQ(FromGrpc(manager_.commands().CreateCommands(&call, wrong, &response)).code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(QueueApiTest, ManyTasksAreRetriedSomeFirst) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent agent(manager_, web1);
  agent.Ready(manager_);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(manager_.Bind("203.0.113.1" + std::to_string(i)).id());
    agent.Work(v1::Reason::NOT_ALLOWED_BY_POLICY);
    manager_.WaitFor(ids.back(), [](const v1::Command& command) {
      return command.tasks(0).phase() == v1::Task::PARKED;
    });
  }
  const auto retry = [&](const v1::RetryTasksRequest& request, v1::RetryTasksResponse& response) {
    Call call;
    return FromGrpc(manager_.commands().RetryTasks(&call, request, &response));
  };
  v1::RetryTasksRequest request;
  v1::RetryTasksResponse response;
  EXPECT_EQ(retry(request, response).code(), absl::StatusCode::kInvalidArgument);
  request.set_kind("no_kind");
  EXPECT_EQ(retry(request, response).code(), absl::StatusCode::kInvalidArgument);
  request.clear_kind();
  request.set_node("web9");
  EXPECT_EQ(ReasonOf(retry(request, response)), Reason::kUnknownNode);
  request.clear_node();
  request.set_kind("set_quota");
  ASSERT_TRUE(retry(request, response).ok());
  EXPECT_EQ(response.task_ids_size() + response.remaining(), 0);
  request.clear_kind();
  request.set_reason(v1::Reason::NOT_ALLOWED_BY_POLICY);
  request.set_limit(1);
  ASSERT_TRUE(retry(request, response).ok());
  ASSERT_EQ(response.task_ids_size(), 1);
  EXPECT_EQ(response.task_ids(0), ids[0] + "/web1");
  EXPECT_EQ(response.remaining(), 2);
  agent.Work();
  EXPECT_EQ(manager_.WaitUntilFinished(ids[0]).state(), v1::Command::SUCCEEDED);
  request.set_limit(0);
  response.Clear();
  ASSERT_TRUE(retry(request, response).ok());
  EXPECT_EQ(response.task_ids_size(), 2);
  EXPECT_EQ(response.remaining(), 0);
}

TEST_F(QueueApiTest, FanOutThatHasFailedTooOftenSaysSo) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  const Joined web2 = manager_.Join("web2", v1::Node::APP, "192.0.2.12");
  TestAgent first(manager_, web1);
  first.Ready(manager_);
  TestAgent second(manager_, web2);
  second.Ready(manager_);
  const Joined web3 = manager_.Join("web3", v1::Node::APP, "192.0.2.13");
  TestAgent third(manager_, web3);
  third.Ready(manager_);
  v1::CreateCommandRequest request = BindRequest("203.0.113.10");
  request.set_max_parallel(2);
  request.set_max_failures(0);
  const auto created = manager_.Create(request);
  ASSERT_TRUE(created.ok()) << created.status();
  const std::string id = created->command().id();
  first.Work(v1::Reason::NOT_ALLOWED_BY_POLICY);
  second.Work();
  manager_.WaitFor(id, [](const v1::Command& command) {
    return command.tasks(0).phase() == v1::Task::PARKED &&
           command.tasks(1).outcome() == v1::Task::SUCCEEDED;
  });
  const v1::ListFindingsResponse found = Findings();
  const auto of = [&](const std::string& node) {
    for (const v1::Finding& finding : found.findings()) {
      if (finding.node() == node) return finding;
    }
    return v1::Finding();
  };
  EXPECT_EQ(of("web1").cause(), v1::Reason::NOT_ALLOWED_BY_POLICY);
  EXPECT_EQ(of("web3").reason(), v1::Reason::FAILURE_LIMIT) << found.DebugString();
  EXPECT_TRUE(of("web3").stuck());
  EXPECT_EQ(of("web3").owner(), v1::Finding::ADMINISTRATOR);
  EXPECT_FALSE(of("web3").remedy().empty());
}

TEST_F(QueueApiTest, PauseOutlastsARestart) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  v1::PauseCommandsRequest request;
  EXPECT_EQ(Pause(request).code(), absl::StatusCode::kInvalidArgument);
  request.set_kind("bind_addresses");
  request.set_note("the balancer is being moved");
  EXPECT_THAT(std::string(Pause(request).message()), ::testing::HasSubstr("unbind_address"));
  request.set_kind("bind_address");
  ASSERT_TRUE(Pause(request).ok());
  {
    TestAgent agent(manager_, web1);
    agent.Ready(manager_);
  }
  manager_.Stop();
  manager_.Start();
  ASSERT_EQ(Pauses().pauses_size(), 1);
  EXPECT_EQ(Pauses().pauses(0).kind(), "bind_address");
  EXPECT_EQ(Pauses().pauses(0).actor(), LocalActorHere("alice"));
  TestAgent agent(manager_, web1);
  agent.Hello();
  const v1::Command command = manager_.Bind("203.0.113.10");
  EXPECT_EQ(manager_.Get(command.id()).tasks(0).phase(), v1::Task::QUEUED);
  const v1::ListFindingsResponse findings = Findings();
  ASSERT_EQ(findings.findings_size(), 1) << findings.DebugString();
  EXPECT_EQ(findings.findings(0).reason(), v1::Reason::KIND_PAUSED);
  v1::ResumeCommandsRequest resume;
  resume.set_kind("bind_address");
  v1::ResumeCommandsResponse resumed;
  Call call;
  ASSERT_TRUE(manager_.commands().ResumeCommands(&call, resume, &resumed).ok());
  EXPECT_TRUE(resumed.resumed());
  agent.Work();
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::SUCCEEDED);
  EXPECT_EQ(Pauses().pauses_size(), 0);
}

TEST_F(QueueApiTest, DryRunChangesNothing) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  manager_.AddNode("storage1", v1::Node::STORAGE, "192.0.2.12");
  manager_.MountHome();
  v1::CreateCommandRequest request;
  auto* account = request.mutable_spec()->mutable_create_account();
  account->set_domain("example.com");
  account->set_user("exampleco");
  account->set_address("203.0.113.10");
  request.set_request_id("one");
  request.set_validate_only(true);
  for (int i = 0; i < 2; ++i) {
    const auto tried = manager_.Create(request);
    ASSERT_TRUE(tried.ok()) << tried.status();
    EXPECT_EQ(tried->command().id(), "");
    EXPECT_EQ(tried->command().kind(), "create_account");
    ASSERT_EQ(tried->command().tasks_size(), 2);
    EXPECT_EQ(tried->command().tasks(0).node(), "storage1");
    EXPECT_EQ(tried->command().tasks(1).stage(), 1);
    ASSERT_EQ(tried->findings_size(), 2);
    EXPECT_EQ(tried->findings(0).reason(), v1::Reason::NODE_NOT_JOINED);
    EXPECT_EQ(tried->findings(0).task_id(), "");
    EXPECT_EQ(tried->findings(1).reason(), v1::Reason::EARLIER_STAGE);
  }
  v1::ListAccountsResponse accounts;
  Call list;
  ASSERT_TRUE(manager_.accounts().ListAccounts(&list, {}, &accounts).ok());
  EXPECT_EQ(accounts.accounts_size(), 0);
  request.set_validate_only(false);
  const auto created = manager_.Create(request);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_FALSE(created->repeated());
  request.set_validate_only(true);
  EXPECT_EQ(manager_.Create(request).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(QueueApiTest, DryRunSeesWhatIsInFront) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  const v1::Command first = manager_.Bind("203.0.113.20");
  v1::CreateCommandRequest request = BindRequest("203.0.113.20");
  request.set_validate_only(true);
  const auto tried = manager_.Create(request);
  ASSERT_TRUE(tried.ok()) << tried.status();
  ASSERT_EQ(tried->findings_size(), 1);
  EXPECT_EQ(tried->findings(0).reason(), v1::Reason::BEHIND);
  EXPECT_EQ(tried->findings(0).root_task_id(), first.id() + "/web1");
}

TEST_F(QueueApiTest, ResultNobodyWaitedForIsListed) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent agent(manager_, web1);
  agent.Ready(manager_);
  agent::v1::Lease lease;
  lease.set_task_id(FormatId(4711) + "/web1");
  lease.set_attempt(2);
  lease.set_epoch(1);
  ASSERT_TRUE(agent.Result(lease, v1::Reason::UID_TAKEN, "taken"));
  agent.ReadAck();
  v1::ListOrphansResponse response;
  Call call;
  ASSERT_TRUE(manager_.commands().ListOrphans(&call, {}, &response).ok());
  ASSERT_EQ(response.orphans_size(), 1);
  EXPECT_EQ(response.orphans(0).task_id(), lease.task_id());
  EXPECT_EQ(response.orphans(0).attempt().number(), 2);
  EXPECT_EQ(response.orphans(0).attempt().reason(), v1::Reason::UID_TAKEN);
  EXPECT_EQ(response.orphans(0).attempt().steps_size(), 1);
}

}  // namespace
}  // namespace hostq::manager::testing
