// Goal: "is the account right everywhere?" has one answer, from what nodes tell and what was done;
// lists are filtered. Method: a real manager and agents that say what the test tells them to.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "google/protobuf/util/time_util.h"
#include "test_agent.h"

namespace hostq::manager::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Verdict = v1::AccountVerdict;

class AccountStatusTest : public ::testing::Test {
 protected:
  // storage1 and web1 with the share, and example.com on both.
  void SetUp() override {
    storage_ = std::make_unique<TestAgent>(
        manager_, manager_.Join("storage1", v1::Node::STORAGE, "192.0.2.12"));
    storage_->Ready(manager_);
    web_ =
        std::make_unique<TestAgent>(manager_, manager_.Join("web1", v1::Node::APP, "192.0.2.11"));
    web_->Ready(manager_);
    const v1::Command mount = manager_.MountHome();
    web_->Work();
    manager_.WaitUntilFinished(mount.id());
    create_ = Create(AccountRequest("example.com", "exampleco", "203.0.113.10"));
  }

  v1::Command Create(const v1::CreateCommandRequest& request) {
    const auto created = manager_.Create(request);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->command() : v1::Command();
  }
  std::string Submit(const v1::CommandSpec& spec) {
    v1::CreateCommandRequest request;
    *request.mutable_spec() = spec;
    return Create(request).id();
  }
  void FinishCreate() {
    storage_->Work();
    web_->Work();
    EXPECT_EQ(manager_.WaitUntilFinished(create_.id()).state(), v1::Command::SUCCEEDED);
  }

  // The node's next task succeeds; its one step is as told.
  static void Answer(TestAgent& agent, const std::string& name, v1::Reason::Code reason,
                     const std::string& message) {
    const agent::v1::Assign assign = agent.ReadAssign();
    EXPECT_TRUE(agent.Accept(assign.lease()));
    agent::v1::AgentMessage out;
    agent::v1::Result& result = *out.mutable_result();
    *result.mutable_lease() = assign.lease();
    *result.mutable_start_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
    *result.mutable_finish_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
    agent::v1::StepResult& step = *result.add_steps();
    step.set_name(name);
    step.set_reason(reason);
    step.set_warning(reason != v1::Reason::CODE_UNSPECIFIED);
    step.set_message(message);
    EXPECT_TRUE(agent.Write(out));
    EXPECT_FALSE(agent.ReadAck().empty());
  }
  // What the node tells of what it keeps; an empty key: all is well.
  static void Drift(TestAgent& agent, const std::string& open, v1::Reason::Code reason = {},
                    const std::string& repaired = "") {
    agent::v1::AgentMessage out;
    agent::v1::Drift& drift = *out.mutable_drift();
    if (!open.empty()) {
      agent::v1::Deviation& deviation = *drift.add_open();
      deviation.set_resource_key(open);
      deviation.set_reason(reason);
      deviation.set_message("it is not so");
      drift.set_open_count(1);
    }
    if (!repaired.empty()) {
      agent::v1::Deviation& deviation = *drift.add_repaired();
      deviation.set_resource_key(repaired);
      deviation.set_reason(v1::Reason::QUOTA_MISMATCH);
      deviation.set_message("it was not so");
    }
    EXPECT_TRUE(agent.Write(out));
  }

  absl::StatusOr<v1::DescribeAccountResponse> TryDescribe(const std::string& domain,
                                                          const std::string& key = "") {
    v1::DescribeAccountRequest request;
    request.set_domain(domain);
    v1::DescribeAccountResponse response;
    grpc::Status status;
    if (key.empty()) {
      Call call;
      status = manager_.accounts().DescribeAccount(&call, request, &response);
    } else {
      KeyCall call(key);
      status = ApiClient(manager_, key).accounts->DescribeAccount(&call, request, &response);
    }
    if (!status.ok()) return FromGrpc(status);
    return response;
  }
  v1::DescribeAccountResponse Describe() {
    const auto response = TryDescribe("example.com");
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::DescribeAccountResponse();
  }
  // Until the verdict is this one, or for 20 s.
  v1::DescribeAccountResponse WaitFor(Verdict::State state) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    v1::DescribeAccountResponse response = Describe();
    while (response.verdict().state() != state && absl::Now() < end) {
      absl::SleepFor(absl::Milliseconds(20));
      response = Describe();
    }
    EXPECT_EQ(Verdict::State_Name(response.verdict().state()), Verdict::State_Name(state))
        << response.DebugString();
    return response;
  }
  static const v1::AccountOnNode& On(const v1::DescribeAccountResponse& response,
                                     const std::string& node) {
    static const v1::AccountOnNode none;
    for (const v1::AccountOnNode& each : response.nodes()) {
      if (each.node() == node) return each;
    }
    ADD_FAILURE() << "nothing of " << node << ": " << response.DebugString();
    return none;
  }

  TestManager manager_;
  std::unique_ptr<TestAgent> storage_, web_;
  v1::Command create_;
};

TEST_F(AccountStatusTest, IsChangingUntilItIsRight) {
  const v1::DescribeAccountResponse first = WaitFor(Verdict::CHANGING);
  EXPECT_EQ(first.findings_size(), 2) << "why its tasks are where they are";
  FinishCreate();
  const v1::DescribeAccountResponse response = WaitFor(Verdict::RIGHT);
  EXPECT_THAT(response.verdict().summary(),
              HasSubstr("example.com is right on all 2 nodes (looked at "));
  EXPECT_THAT(response.verdict().remedy(), IsEmpty());
  EXPECT_EQ(response.account().state(), v1::Account::ACTIVE);
  ASSERT_EQ(response.nodes_size(), 2);
  const v1::AccountOnNode& storage = On(response, "storage1");
  EXPECT_THAT(storage.wanted().addresses(), IsEmpty()) << "no business of a file server";
  EXPECT_EQ(storage.wanted().quota_bytes(), 1 << 30);
  EXPECT_FALSE(storage.wanted().home().empty());
  const v1::AccountOnNode& web = On(response, "web1");
  EXPECT_THAT(web.wanted().addresses(), ElementsAre("203.0.113.10"));
  EXPECT_THAT(web.roles(), ElementsAre(v1::Node::APP));
  EXPECT_EQ(web.node_state(), v1::Node::READY);
  EXPECT_EQ(web.look_command_id(), create_.id());
  EXPECT_EQ(web.last_task_kind(), "create_account");
  EXPECT_EQ(web.last_task().outcome(), v1::Task::SUCCEEDED);
  EXPECT_EQ(web.last_task().id(), create_.id() + "/web1");
  ASSERT_EQ(response.commands_size(), 1);
  EXPECT_EQ(response.commands(0).id(), create_.id());
  EXPECT_THAT(response.findings(), IsEmpty());
  EXPECT_GT(response.time().seconds(), 0);
}

TEST_F(AccountStatusTest, WhatANodeTellsIsInTheAnswerAsLongAsItLasts) {
  FinishCreate();
  Drift(*web_, "address/203.0.113.10", v1::Reason::ADDRESS_MISSING);
  const v1::DescribeAccountResponse response = WaitFor(Verdict::WRONG);
  EXPECT_THAT(response.verdict().summary(), HasSubstr("is not right on web1: it is not so"));
  EXPECT_FALSE(response.verdict().remedy().empty());
  ASSERT_EQ(On(response, "web1").findings_size(), 1);
  EXPECT_EQ(On(response, "web1").findings(0).reason(), v1::Reason::ADDRESS_MISSING);
  EXPECT_EQ(On(response, "storage1").verdict().state(), Verdict::RIGHT);
  Drift(*web_, "address/203.0.113.99", v1::Reason::ADDRESS_MISSING);
  WaitFor(Verdict::RIGHT);  // that one is not the account's
  Drift(*web_, "share/home", v1::Reason::SHARE_NOT_MOUNTED);
  WaitFor(Verdict::WRONG);
  Drift(*web_, "");
  WaitFor(Verdict::RIGHT);
}

TEST_F(AccountStatusTest, WhatALookFoundIsRememberedUntilItIsPutRight) {
  FinishCreate();
  v1::CommandSpec look;
  look.mutable_resync_account()->set_domain("example.com");
  const std::string id = Submit(look);
  Answer(*storage_, "quota", v1::Reason::DIFFERS, "to be done: set the quota to 1GiB");
  Answer(*web_, "user", v1::Reason::CODE_UNSPECIFIED, "");
  manager_.WaitUntilFinished(id);
  v1::DescribeAccountResponse response = WaitFor(Verdict::WRONG);
  EXPECT_THAT(response.verdict().summary(), HasSubstr("storage1"));
  EXPECT_THAT(response.verdict().summary(), HasSubstr("set the quota to 1GiB"));
  EXPECT_THAT(response.verdict().remedy(), HasSubstr("hostq account resync example.com --apply"));
  ASSERT_EQ(On(response, "storage1").differences_size(), 1);
  EXPECT_EQ(On(response, "storage1").look_command_id(), id);
  EXPECT_EQ(On(response, "web1").look_command_id(), id);
  // The node itself puts it right, and tells.
  Drift(*storage_, "", {}, "account/example.com");
  response = WaitFor(Verdict::RIGHT);
  EXPECT_EQ(On(response, "storage1").look_command_id(), id);
  EXPECT_THAT(On(response, "storage1").differences(), IsEmpty());
}

TEST_F(AccountStatusTest, ARestartForgetsNothing) {
  FinishCreate();
  v1::CommandSpec look;
  look.mutable_resync_account()->set_domain("example.com");
  const std::string id = Submit(look);
  Answer(*storage_, "quota", v1::Reason::CODE_UNSPECIFIED, "");
  Answer(*web_, "user", v1::Reason::DIFFERS, "to be done: add the user");
  manager_.WaitUntilFinished(id);
  WaitFor(Verdict::WRONG);
  storage_->Drop();
  web_->Drop();
  manager_.Stop();
  manager_.Start();
  const v1::DescribeAccountResponse response = WaitFor(Verdict::WRONG);
  EXPECT_THAT(response.verdict().summary(), HasSubstr("add the user"));
  EXPECT_EQ(On(response, "storage1").verdict().state(), Verdict::UNKNOWN) << "it is away";
}

TEST_F(AccountStatusTest, ANodeThatIsAwayIsNotKnownToBeRight) {
  FinishCreate();
  WaitFor(Verdict::RIGHT);
  web_->Drop();
  const v1::DescribeAccountResponse response = WaitFor(Verdict::UNKNOWN);
  EXPECT_THAT(response.verdict().summary(), HasSubstr("web1: it is not connected"));
  EXPECT_EQ(On(response, "web1").node_state(), v1::Node::OFFLINE);
  EXPECT_EQ(On(response, "storage1").verdict().state(), Verdict::RIGHT);
}

TEST_F(AccountStatusTest, ANodeThatNeverHadItIsNotRight) {
  FinishCreate();
  manager_.AddNode("web2", v1::Node::APP, "192.0.2.13");
  const v1::DescribeAccountResponse response = WaitFor(Verdict::UNKNOWN);
  EXPECT_THAT(On(response, "web2").verdict().summary(), HasSubstr("has not joined"));
}

TEST_F(AccountStatusTest, AChangeThatIsStuckIsWrongAndOneThatWasGivenUpStaysSo) {
  FinishCreate();
  v1::CommandSpec spec;
  spec.mutable_set_account_quota()->set_domain("example.com");
  spec.mutable_set_account_quota()->set_quota_bytes(2 << 20);
  const std::string id = Submit(spec);
  storage_->Work(v1::Reason::NOT_ALLOWED_BY_POLICY);
  v1::DescribeAccountResponse response = WaitFor(Verdict::WRONG);
  EXPECT_THAT(On(response, "storage1").verdict().summary(), HasSubstr("does not move"));
  EXPECT_EQ(response.findings_size(), 2);
  v1::SkipCommandRequest skip;
  skip.set_id(id);
  skip.set_node("storage1");
  skip.set_note("later");
  v1::Command skipped;
  Call call;
  ASSERT_TRUE(manager_.commands().SkipCommand(&call, skip, &skipped).ok());
  web_->Work();
  manager_.WaitUntilFinished(id);
  response = WaitFor(Verdict::WRONG);
  EXPECT_THAT(On(response, "storage1").verdict().summary(),
              HasSubstr("set_account_quota " + id + " ended"));
  Submit(spec);
  storage_->Work();
  web_->Work();
  WaitFor(Verdict::RIGHT);
}

TEST_F(AccountStatusTest, KeysSeeTheirPartOfIt) {
  FinishCreate();
  Drift(*web_, "address/203.0.113.10", v1::Reason::ADDRESS_MISSING);
  WaitFor(Verdict::WRONG);
  const std::string own = MakeKey(manager_, "own", {"read", "submit:*_account"}, true);
  EXPECT_EQ(ReasonOf(TryDescribe("example.com", own).status()), Reason::kUnknownAccount);
  EXPECT_EQ(ReasonOf(TryDescribe("none.example", own).status()), Reason::kUnknownAccount);
  const std::string some = MakeKey(manager_, "some", {"read::storage1:*.com"});
  const auto response = TryDescribe("example.com", some);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->nodes_size(), 1);
  EXPECT_EQ(response->nodes(0).node(), "storage1");
  EXPECT_EQ(response->verdict().state(), Verdict::RIGHT) << "where it may look, it is";
  for (const v1::Command& command : response->commands()) {
    for (const v1::Task& task : command.tasks()) EXPECT_EQ(task.node(), "storage1");
  }
  const std::string writer = MakeKey(manager_, "writer", {"submit"});
  EXPECT_EQ(TryDescribe("example.com", writer).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(TryDescribe("no domain").status()), Reason::kInvalidDomain);
}

// --- lists ---

TEST_F(AccountStatusTest, AccountsAreFiltered) {
  FinishCreate();
  Create(AccountRequest("shop.example.com", "shop", "203.0.113.11"));
  Create(AccountRequest("other.test", "other", "2001:db8::1"));
  const auto list = [&](v1::ListAccountsRequest request) {
    std::vector<std::string> domains;
    do {
      v1::ListAccountsResponse page;
      Call call;
      const absl::Status status = FromGrpc(manager_.accounts().ListAccounts(&call, request, &page));
      EXPECT_TRUE(status.ok()) << status;
      for (const v1::Account& account : page.accounts()) domains.push_back(account.domain());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return domains;
  };
  v1::ListAccountsRequest request;
  request.set_page_size(1);
  EXPECT_EQ(list(request).size(), 3u);
  request.set_state(v1::Account::CREATING);
  EXPECT_THAT(list(request), ElementsAre("other.test", "shop.example.com"));
  request.set_domain("*.EXAMPLE.com");
  EXPECT_THAT(list(request), ElementsAre("shop.example.com"));
  request.Clear();
  request.set_user("exampleco");
  EXPECT_THAT(list(request), ElementsAre("example.com"));
  request.Clear();
  request.set_address("2001:0db8::0001");
  EXPECT_THAT(list(request), ElementsAre("other.test"));
  request.set_user("shop");
  EXPECT_THAT(list(request), IsEmpty());
  const auto refused = [&](const v1::ListAccountsRequest& asked) {
    v1::ListAccountsResponse page;
    Call call;
    return ReasonOf(FromGrpc(manager_.accounts().ListAccounts(&call, asked, &page)));
  };
  request.set_address("no address");
  EXPECT_EQ(refused(request), Reason::kInvalidAddress);
  request.Clear();
  request.set_state(static_cast<v1::Account::State>(99));
  EXPECT_EQ(refused(request), Reason::kInvalidArgument);
  request.Clear();
  request.set_page_size(1);
  v1::ListAccountsResponse page;
  Call call;
  ASSERT_TRUE(manager_.accounts().ListAccounts(&call, request, &page).ok());
  request.set_page_token(page.next_page_token());
  request.set_user("shop");
  EXPECT_EQ(refused(request), Reason::kPageTokenInvalid) << "a token is of its filters";
}

TEST_F(AccountStatusTest, CommandsAreFiltered) {
  FinishCreate();
  manager_.Bind("203.0.113.20");
  const auto list = [&](v1::ListCommandsRequest request) {
    std::vector<std::string> kinds;
    do {
      v1::ListCommandsResponse page;
      Call call;
      const absl::Status status = FromGrpc(manager_.commands().ListCommands(&call, request, &page));
      EXPECT_TRUE(status.ok()) << status;
      for (const v1::Command& command : page.commands()) kinds.push_back(command.kind());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return kinds;
  };
  v1::ListCommandsRequest request;
  request.set_page_size(1);
  request.set_kind("create_account");
  EXPECT_THAT(list(request), ElementsAre("create_account"));
  request.set_node("storage1");
  EXPECT_THAT(list(request), ElementsAre("create_account"));
  request.set_node("web9");
  EXPECT_THAT(list(request), IsEmpty());
  request.Clear();
  request.set_state(v1::Command::ACTIVE);
  EXPECT_THAT(list(request), ElementsAre("bind_address"));
  request.set_active_only(true);
  request.set_state(v1::Command::SUCCEEDED);
  EXPECT_THAT(list(request), IsEmpty()) << "both must hold";
  request.set_active_only(false);
  request.set_node("web1");
  EXPECT_THAT(list(request), ElementsAre("create_account", "mount_share", "preflight"));
  request.set_actor("manager");
  EXPECT_THAT(list(request), ElementsAre("preflight"));
  request.Clear();
  request.set_resource_key("account/example.com");
  request.set_kind("delete_account");
  EXPECT_THAT(list(request), IsEmpty());
  request.Clear();
  *request.mutable_since_time() = create_.create_time();
  EXPECT_THAT(list(request), ElementsAre("bind_address", "create_account"));
  request.Clear();
  *request.mutable_until_time() = create_.create_time();
  EXPECT_THAT(list(request), ElementsAre("mount_share", "preflight", "preflight"));
  request.Clear();
  request.set_kind("no_kind");
  v1::ListCommandsResponse page;
  Call call;
  const absl::Status refused = FromGrpc(manager_.commands().ListCommands(&call, request, &page));
  EXPECT_EQ(ReasonOf(refused), Reason::kInvalidArgument) << refused;
}

}  // namespace
}  // namespace hostq::manager::testing
