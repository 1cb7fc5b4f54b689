// What administrators call, over the real socket: commands, nodes, accounts, findings, pages.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "common/base/error.h"
#include "common/rpc/status.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

class ApiTest : public ::testing::Test {
 protected:
  v1::CreateCommandRequest BindRequest(const std::string& address, const std::string& id = "") {
    v1::CreateCommandRequest request;
    request.set_request_id(id);
    request.mutable_spec()->mutable_bind_address()->set_address(address);
    return request;
  }
  v1::ListCommandsResponse List(const v1::ListCommandsRequest& request) {
    v1::ListCommandsResponse response;
    Call call;
    const absl::Status status =
        FromGrpc(manager_.commands().ListCommands(&call, request, &response));
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }

  TestManager manager_;
};

TEST_F(ApiTest, SocketIsForItsOwnerOnly) {
  struct stat info {};
  ASSERT_EQ(stat(manager_.config().listen.admin_socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ApiTest, SameRequestIdIsTheSameCommand) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  const auto first = manager_.Create(BindRequest("203.0.113.10", "one"));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->repeated());
  EXPECT_EQ(first->command().request_id(), "one");
  const auto second = manager_.Create(BindRequest("203.0.113.10", "one"));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(second->repeated());
  EXPECT_EQ(second->command().id(), first->command().id());
  const auto other = manager_.Create(BindRequest("203.0.113.11", "one"));
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(other.status()), Reason::kRequestIdReused);
  EXPECT_EQ(List({}).commands_size(), 1);
  manager_.Stop();
  manager_.Start();
  const auto third = manager_.Create(BindRequest("203.0.113.10", "one"));
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_TRUE(third->repeated());
}

TEST_F(ApiTest, ActorIsKeptAndCleaned) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  v1::CreateCommandResponse response;
  {
    Call call;
    call.AddMetadata("hostq-actor", "alice");
    ASSERT_TRUE(
        manager_.commands().CreateCommand(&call, BindRequest("203.0.113.10"), &response).ok());
  }
  EXPECT_EQ(response.command().actor(), LocalActorHere("alice"));
  {
    Call call;
    call.AddMetadata("hostq-actor", std::string(300, 'a'));
    ASSERT_TRUE(
        manager_.commands().CreateCommand(&call, BindRequest("203.0.113.11"), &response).ok());
  }
  EXPECT_LT(response.command().actor().size(), 80u);
  EXPECT_EQ(manager_.Bind("203.0.113.12").actor(), LocalActorHere(""));
}

TEST_F(ApiTest, PagesCoverEverythingOnceNewestFirst) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) {
    ids.push_back(manager_.Bind("203.0.113.1" + std::to_string(i)).id());
  }
  std::reverse(ids.begin(), ids.end());
  std::vector<std::string> seen;
  v1::ListCommandsRequest request;
  request.set_page_size(3);
  int pages = 0;
  do {
    const v1::ListCommandsResponse page = List(request);
    EXPECT_LE(page.commands_size(), 3);
    for (const v1::Command& command : page.commands()) seen.push_back(command.id());
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(seen, ids);
}

TEST_F(ApiTest, PageTokenOfAnotherRequestIsRefused) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  for (int i = 0; i < 3; ++i) manager_.Bind("203.0.113.1" + std::to_string(i));
  v1::ListCommandsRequest request;
  request.set_page_size(1);
  request.set_page_token(List(request).next_page_token());
  request.set_active_only(true);
  v1::ListCommandsResponse response;
  for (const std::string& token : {request.page_token(), std::string("garbage")}) {
    request.set_page_token(token);
    Call call;
    const absl::Status status =
        FromGrpc(manager_.commands().ListCommands(&call, request, &response));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(status), Reason::kPageTokenInvalid);
  }
}

TEST_F(ApiTest, ListsAreFiltered) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  manager_.Bind("203.0.113.10");
  const v1::Command cancelled = manager_.Bind("203.0.113.11");
  v1::CancelCommandRequest cancel;
  cancel.set_id(cancelled.id());
  v1::Command after;
  Call call;
  ASSERT_TRUE(manager_.commands().CancelCommand(&call, cancel, &after).ok());
  EXPECT_EQ(after.state(), v1::Command::CANCELLED);
  v1::ListCommandsRequest request;
  request.set_active_only(true);
  EXPECT_EQ(List(request).commands_size(), 1);
  request.set_active_only(false);
  request.set_resource_key("address/203.0.113.11");
  ASSERT_EQ(List(request).commands_size(), 1);
  EXPECT_EQ(List(request).commands(0).id(), cancelled.id());
}

TEST_F(ApiTest, WaitingCommandSaysWhatItWaitsFor) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  const v1::Command command = manager_.Bind("203.0.113.10");
  v1::ListFindingsRequest request;
  v1::ListFindingsResponse response;
  Call call;
  ASSERT_TRUE(manager_.commands().ListFindings(&call, request, &response).ok());
  ASSERT_EQ(response.findings_size(), 1) << response.DebugString();
  EXPECT_EQ(response.findings(0).reason(), v1::Reason::NODE_NOT_JOINED);
  EXPECT_EQ(response.findings(0).task_id(), command.id() + "/web1");
  EXPECT_FALSE(response.findings(0).remedy().empty());
  request.set_node("web9");
  response.Clear();
  Call other;
  const absl::Status unknown =
      FromGrpc(manager_.commands().ListFindings(&other, request, &response));
  EXPECT_EQ(ReasonOf(unknown), Reason::kUnknownNode) << "nothing stuck would be a false answer";
}

TEST_F(ApiTest, NodeIsPausedResumedAndRemoved) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent agent(manager_, web1);
  agent.Ready(manager_);
  {
    v1::PauseNodeRequest request;
    request.set_name("web1");
    request.set_note("disk is being replaced");
    v1::Node node;
    Call call;
    call.AddMetadata("hostq-actor", "alice");
    ASSERT_TRUE(manager_.nodes().PauseNode(&call, request, &node).ok());
    EXPECT_EQ(node.state(), v1::Node::PAUSED);
    EXPECT_EQ(node.paused_by(), LocalActorHere("alice"));
    EXPECT_EQ(node.pause_note(), "disk is being replaced");
  }
  const v1::Command command = manager_.Bind("203.0.113.10");
  EXPECT_EQ(manager_.Get(command.id()).tasks(0).phase(), v1::Task::QUEUED);
  {
    v1::RemoveNodeRequest request;
    request.set_name("web1");
    v1::RemoveNodeResponse response;
    Call call;
    const absl::Status status = FromGrpc(manager_.nodes().RemoveNode(&call, request, &response));
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(status), Reason::kNodeHasTasks);
  }
  {
    v1::ResumeNodeRequest request;
    request.set_name("web1");
    v1::Node node;
    Call call;
    ASSERT_TRUE(manager_.nodes().ResumeNode(&call, request, &node).ok());
    EXPECT_EQ(node.state(), v1::Node::READY);
  }
  EXPECT_EQ(agent.ReadAssign().lease().task_id(), command.id() + "/web1");
  v1::RemoveNodeRequest request;
  request.set_name("web1");
  request.set_force(true);
  v1::RemoveNodeResponse response;
  Call call;
  ASSERT_TRUE(manager_.nodes().RemoveNode(&call, request, &response).ok());
  EXPECT_EQ(manager_.WaitUntilFinished(command.id()).state(), v1::Command::CANCELLED);
  v1::ListNodesResponse nodes;
  Call list;
  ASSERT_TRUE(manager_.nodes().ListNodes(&list, {}, &nodes).ok());
  EXPECT_EQ(nodes.nodes_size(), 0);
}

TEST_F(ApiTest, NodesAndChecksSurviveARestart) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  {
    TestAgent agent(manager_, web1);
    agent.Ready(manager_);
  }
  manager_.Stop();
  manager_.Start();
  const v1::Node node = manager_.GetNode("web1");
  EXPECT_EQ(node.state(), v1::Node::OFFLINE);
  EXPECT_EQ(node.checks_size(), 1);
  EXPECT_TRUE(node.has_certificate_expire_time());
  TestAgent agent(manager_, web1);
  agent.Hello();
  manager_.WaitForNode("web1", v1::Node::READY);
}

TEST_F(ApiTest, AccountIsThereAsSoonAsItsCommand) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  manager_.AddNode("storage1", v1::Node::STORAGE, "192.0.2.12");
  manager_.MountHome();
  v1::CreateCommandRequest request;
  auto* account = request.mutable_spec()->mutable_create_account();
  account->set_domain("example.com");
  account->set_user("exampleco");
  account->set_address("203.0.113.10");
  account->set_quota_bytes(10LL << 30);
  const auto created = manager_.Create(request);
  ASSERT_TRUE(created.ok()) << created.status();
  v1::GetAccountRequest get;
  get.set_domain("Example.COM");
  v1::Account shown;
  Call call;
  const absl::Status status = FromGrpc(manager_.accounts().GetAccount(&call, get, &shown));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(shown.user(), "exampleco");
  EXPECT_EQ(shown.state(), v1::Account::CREATING);
  v1::ListAccountsResponse all;
  Call list;
  ASSERT_TRUE(manager_.accounts().ListAccounts(&list, {}, &all).ok());
  EXPECT_EQ(all.accounts_size(), 1);
  v1::ListSharesResponse shares;
  Call list_shares;
  ASSERT_TRUE(manager_.accounts().ListShares(&list_shares, {}, &shares).ok());
  ASSERT_EQ(shares.shares_size(), 1);
  EXPECT_EQ(shares.shares(0).name(), "home");
}

TEST_F(ApiTest, ParkedTaskIsRetriedAndSkipped) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent agent(manager_, web1);
  agent.Ready(manager_);
  const v1::Command command = manager_.Bind("203.0.113.10");
  const auto parked = [](const v1::Command& c) { return c.tasks(0).phase() == v1::Task::PARKED; };
  agent.Work(v1::Reason::NOT_ALLOWED_BY_POLICY);
  manager_.WaitFor(command.id(), parked);
  v1::RetryCommandRequest retry;
  retry.set_id(command.id());
  v1::Command after;
  Call call;
  ASSERT_TRUE(manager_.commands().RetryCommand(&call, retry, &after).ok());
  agent.Work(v1::Reason::NOT_ALLOWED_BY_POLICY);
  manager_.WaitFor(command.id(), parked);
  v1::SkipCommandRequest skip;
  skip.set_id(command.id());
  {
    Call refused;
    EXPECT_EQ(manager_.commands().SkipCommand(&refused, skip, &after).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  skip.set_note("done by hand");
  Call skipping;
  ASSERT_TRUE(manager_.commands().SkipCommand(&skipping, skip, &after).ok());
  const v1::Command done = manager_.WaitUntilFinished(command.id());
  EXPECT_EQ(done.state(), v1::Command::FAILED);
  EXPECT_EQ(done.tasks(0).attempts_size(), 2);
}

}  // namespace
}  // namespace hostq::manager::testing
