// Goal: a key sees and does what its scopes say; what it may not see does not exist for it. Method:
// two resellers and an operator, at a real manager.
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "common/sqlite/database.h"
#include "hostq/storage/v1/resource.pb.h"
#include "manager/state_dir.h"
#include "test_agent.h"

namespace hostq::manager::testing {
namespace {

class KeyScopeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
    manager_.AddNode("web2", v1::Node::APP, "192.0.2.12");
    manager_.MountHome();
  }
  static std::vector<std::string> Domains(const v1::ListAccountsResponse& response) {
    std::vector<std::string> domains;
    for (const v1::Account& account : response.accounts()) domains.push_back(account.domain());
    return domains;
  }

  TestManager manager_;
};

TEST_F(KeyScopeTest, ResellersSeeTheirOwnAccountsOnly) {
  const std::vector<std::string> scopes = {"read", "submit:*_account", "act"};
  ApiClient a(manager_, MakeKey(manager_, "reseller-a", scopes, true));
  ApiClient b(manager_, MakeKey(manager_, "reseller-b", scopes, true));
  const auto made = a.Create(AccountRequest("one.example", "one", "203.0.113.10"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->command().actor(), "key/reseller-a");
  const std::string id = made->command().id();
  const auto other = b.Create(AccountRequest("two.example", "two", "203.0.113.11"));
  ASSERT_TRUE(other.ok()) << other.status();

  EXPECT_THAT(Domains(*a.ListAccounts()), ::testing::ElementsAre("one.example"));
  EXPECT_THAT(Domains(*b.ListAccounts()), ::testing::ElementsAre("two.example"));
  ASSERT_EQ(a.List()->commands_size(), 1);
  EXPECT_EQ(a.List()->commands(0).id(), id);
  EXPECT_TRUE(a.Get(id).ok());
  // As what does not exist, to the letter but for the id.
  const absl::Status hidden = b.Get(id).status();
  const absl::Status missing = b.Get("01jd4n7zq8w3a").status();
  EXPECT_EQ(hidden.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(hidden), ReasonOf(missing));
  EXPECT_EQ(hidden.message().size(), missing.message().size());

  v1::CreateCommandRequest suspend;
  suspend.mutable_spec()->mutable_suspend_account()->set_domain("one.example");
  suspend.mutable_spec()->mutable_suspend_account()->set_note("unpaid");
  const absl::Status of_other = b.Create(suspend).status();
  EXPECT_EQ(ReasonOf(of_other), Reason::kUnknownAccount) << of_other;
  suspend.mutable_spec()->mutable_suspend_account()->set_domain("none.example");
  EXPECT_EQ(ReasonOf(b.Create(suspend).status()), Reason::kUnknownAccount);
  {
    KeyCall call(b.key);
    v1::GetAccountRequest request;
    request.set_domain("one.example");
    v1::Account account;
    EXPECT_EQ(ReasonOf(FromGrpc(b.accounts->GetAccount(&call, request, &account))),
              Reason::kUnknownAccount);
  }
  {
    KeyCall call(b.key);
    v1::CancelCommandRequest request;
    request.set_id(id);
    v1::Command command;
    EXPECT_EQ(ReasonOf(FromGrpc(b.commands->CancelCommand(&call, request, &command))),
              Reason::kUnknownCommand);
  }
  // Whose the user name is, is nobody's business.
  const absl::Status taken =
      b.Create(AccountRequest("three.example", "one", "203.0.113.12")).status();
  EXPECT_EQ(ReasonOf(taken), Reason::kUserInUse);
  EXPECT_FALSE(absl::StrContains(taken.message(), "one.example")) << taken;
  // Nor is the rest of the cluster.
  EXPECT_EQ(ReasonOf(b.ListNodes().status()), Reason::kOutOfScope);
  v1::CreateCommandRequest bind;
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.50");
  EXPECT_EQ(ReasonOf(b.Create(bind).status()), Reason::kOutOfScope);
  // Administrators see everything, and where it comes from outlives a restart.
  manager_.Stop();
  manager_.Start();
  EXPECT_THAT(Domains(*ApiClient(manager_, a.key).ListAccounts()),
              ::testing::ElementsAre("one.example"));
}

TEST_F(KeyScopeTest, AnAccountMadeAgainHasNoHistoryOfAnother) {
  const std::vector<std::string> scopes = {"read", "submit:*_account", "act"};
  ApiClient a(manager_, MakeKey(manager_, "reseller-a", scopes, true));
  ApiClient b(manager_, MakeKey(manager_, "reseller-b", scopes, true));
  const auto first = a.Create(AccountRequest("one.example", "one", "203.0.113.10"));
  ASSERT_TRUE(first.ok()) << first.status();
  {
    // No node has heard of it: it is gone.
    KeyCall call(a.key);
    v1::CancelCommandRequest request;
    request.set_id(first->command().id());
    v1::Command command;
    ASSERT_TRUE(a.commands->CancelCommand(&call, request, &command).ok());
  }
  ASSERT_THAT(Domains(*a.ListAccounts()), ::testing::IsEmpty());
  const auto second = b.Create(AccountRequest("one.example", "uno", "203.0.113.11"));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(b.Get(second->command().id()).ok());
  EXPECT_EQ(ReasonOf(b.Get(first->command().id()).status()), Reason::kUnknownCommand);
  ASSERT_EQ(b.List()->commands_size(), 1);
  EXPECT_EQ(b.List()->commands(0).id(), second->command().id());
  // What it did itself it may see.
  EXPECT_TRUE(a.Get(first->command().id()).ok());
  EXPECT_EQ(ReasonOf(a.Get(second->command().id()).status()), Reason::kUnknownCommand);
  // What an administrator does to the account is the new owner's business.
  v1::CreateCommandRequest removal;
  removal.mutable_spec()->mutable_delete_account()->set_domain("one.example");
  const auto later = manager_.Create(removal);
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_TRUE(b.Get(later->command().id()).ok());
}

TEST_F(KeyScopeTest, FindingsOfOthersAreNotShown) {
  ApiClient a(manager_, MakeKey(manager_, "reseller-a", {"read", "submit"}, true));
  ApiClient b(manager_, MakeKey(manager_, "reseller-b", {"read", "submit"}, true));
  ASSERT_TRUE(a.Create(AccountRequest("one.example", "one", "203.0.113.10")).ok());
  v1::ListFindingsRequest request;
  request.set_include_all(true);
  v1::ListFindingsResponse response;
  {
    KeyCall call(a.key);
    ASSERT_TRUE(a.commands->ListFindings(&call, request, &response).ok());
    ASSERT_GT(response.findings_size(), 0);
    for (const v1::Finding& finding : response.findings()) {
      EXPECT_EQ(finding.resource_key(), "account/one.example");
    }
  }
  KeyCall call(b.key);
  ASSERT_TRUE(b.commands->ListFindings(&call, request, &response).ok());
  EXPECT_EQ(response.findings_size(), 0) << response.DebugString();
}

TEST_F(KeyScopeTest, PatternsOfAccounts) {
  ApiClient shop(manager_,
                 MakeKey(manager_, "shop", {"read:::*.shop.example", "submit:::*.shop.example"}));
  EXPECT_TRUE(shop.Create(AccountRequest("a.shop.example", "a", "203.0.113.10")).ok());
  // Upper case is the same domain.
  EXPECT_TRUE(shop.Create(AccountRequest("B.Shop.Example", "b", "203.0.113.10")).ok());
  for (const char* domain : {"shop.example", "a.shop.example.net", "other.example"}) {
    const absl::Status status = shop.Create(AccountRequest(domain, "c", "203.0.113.10")).status();
    EXPECT_EQ(ReasonOf(status), Reason::kOutOfScope) << domain << status;
  }
}

TEST_F(KeyScopeTest, NodesLimitWhatIsSentAndShown) {
  ApiClient web1(manager_, MakeKey(manager_, "web1", {"read::web1", "submit::web1"}));
  v1::CreateCommandRequest bind;
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.50");
  // Without nodes it would go to web2 too.
  EXPECT_EQ(ReasonOf(web1.Create(bind).status()), Reason::kOutOfScope);
  bind.add_nodes("web2");
  EXPECT_EQ(ReasonOf(web1.Create(bind).status()), Reason::kOutOfScope);
  bind.set_nodes(0, "web1");
  EXPECT_TRUE(web1.Create(bind).ok());
  const v1::Command both = manager_.Bind("203.0.113.51");
  ASSERT_EQ(both.tasks_size(), 2);
  const auto seen = web1.Get(both.id());
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->tasks_size(), 1);
  EXPECT_EQ(seen->tasks(0).node(), "web1");
  EXPECT_EQ(web1.Get(manager_.Bind("203.0.113.52", "web2").id()).status().code(),
            absl::StatusCode::kNotFound);
  const auto nodes = web1.ListNodes();
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  ASSERT_EQ(nodes->nodes_size(), 1);
  EXPECT_EQ(nodes->nodes(0).name(), "web1");
  v1::GetNodeRequest request;
  request.set_name("web2");
  v1::Node node;
  KeyCall call(web1.key);
  EXPECT_EQ(ReasonOf(FromGrpc(web1.nodes->GetNode(&call, request, &node))), Reason::kUnknownNode);
}

// Each of many at once is looked at, and counted, as one of its own.
TEST_F(KeyScopeTest, ManyAtOnceAreNoWayAroundLimits) {
  v1::CreateKeyRequest wanted;
  wanted.set_name("web1");
  wanted.add_scopes("submit::web1");
  wanted.set_requests_per_second(2);
  ApiClient web1(manager_, MakeKey(manager_, wanted));
  v1::CreateCommandsRequest request;
  for (const char* node : {"web2", "web1", "web1", "web1", "web1", "web1"}) {
    v1::CreateCommandRequest& one = *request.add_requests();
    one.mutable_spec()->mutable_bind_address()->set_address("203.0.113.50");
    one.add_nodes(node);
  }
  v1::CreateCommandsResponse response;
  KeyCall call(web1.key);
  ASSERT_TRUE(web1.commands->CreateCommands(&call, request, &response).ok());
  ASSERT_EQ(response.outcomes_size(), 6);
  EXPECT_EQ(response.outcomes(0).reason(), v1::Reason::OUT_OF_SCOPE);
  EXPECT_FALSE(response.outcomes(1).id().empty());
  // Twice the rate at once.
  EXPECT_EQ(response.outcomes(5).reason(), v1::Reason::RATE_LIMITED);
}

TEST_F(KeyScopeTest, ActingOnANodeShowsNoOther) {
  TestAgent one(manager_, manager_.Join("web3", v1::Node::APP, "192.0.2.13"));
  TestAgent two(manager_, manager_.Join("web4", v1::Node::APP, "192.0.2.14"));
  one.Ready(manager_);
  two.Ready(manager_);
  v1::CreateCommandRequest bind;
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.50");
  bind.add_nodes("web3");
  bind.add_nodes("web4");
  const auto made = manager_.Create(bind);
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string id = made->command().id();
  const auto parked = [](const v1::Command& command) {
    return command.tasks(0).phase() == v1::Task::PARKED &&
           command.tasks(1).phase() == v1::Task::PARKED;
  };
  one.Work(v1::Reason::NOT_ALLOWED_BY_POLICY);
  two.Work(v1::Reason::NOT_ALLOWED_BY_POLICY);
  manager_.WaitFor(id, parked);

  ApiClient actor(manager_, MakeKey(manager_, "actor", {"act::web3"}));
  {
    KeyCall call(actor.key);
    v1::RetryCommandRequest request;
    request.set_id(id);
    request.set_node("web3");
    v1::Command command;
    const absl::Status status = FromGrpc(actor.commands->RetryCommand(&call, request, &command));
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(command.tasks_size(), 0) << "it may act, and read nothing";
  }
  one.Work(v1::Reason::NOT_ALLOWED_BY_POLICY);
  manager_.WaitFor(id, parked);
  ApiClient reader(manager_, MakeKey(manager_, "reader", {"act::web3", "read::web3"}));
  KeyCall call(reader.key);
  v1::SkipCommandRequest request;
  request.set_id(id);
  request.set_node("web3");
  request.set_note("done by hand");
  v1::Command command;
  const absl::Status status = FromGrpc(reader.commands->SkipCommand(&call, request, &command));
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(command.tasks_size(), 1);
  EXPECT_EQ(command.tasks(0).node(), "web3");
}

TEST_F(KeyScopeTest, VerbsAreApart) {
  ApiClient reader(manager_, MakeKey(manager_, "reader", {"read"}));
  ApiClient operating(manager_, MakeKey(manager_, "operator", {"operate"}));
  v1::CreateCommandRequest bind;
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.50");
  EXPECT_EQ(ReasonOf(reader.Create(bind).status()), Reason::kOutOfScope);
  EXPECT_EQ(ReasonOf(operating.Create(bind).status()), Reason::kOutOfScope);
  v1::CreateCommandRequest preflight;
  preflight.mutable_spec()->mutable_preflight();
  preflight.add_nodes("web1");
  EXPECT_TRUE(operating.Create(preflight).ok()) << operating.Create(preflight).status();
  v1::PauseNodeRequest pause;
  pause.set_name("web1");
  pause.set_note("test");
  v1::Node node;
  KeyCall call(operating.key);
  EXPECT_TRUE(operating.nodes->PauseNode(&call, pause, &node).ok());
  EXPECT_EQ(node.paused_by(), "key/operator");
  EXPECT_EQ(ReasonOf(operating.ListNodes().status()), Reason::kOutOfScope);
}

TEST_F(KeyScopeTest, RequestIdsAreOfEachKey) {
  ApiClient a(manager_, MakeKey(manager_, "a", {"read", "submit"}));
  ApiClient b(manager_, MakeKey(manager_, "b", {"read", "submit"}));
  v1::CreateCommandRequest bind;
  bind.set_request_id("one");
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.50");
  const auto first = a.Create(bind);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->command().request_id(), "one");
  const auto again = a.Create(bind);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated());
  EXPECT_EQ(again->command().id(), first->command().id());
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.51");
  const auto of_b = b.Create(bind);
  ASSERT_TRUE(of_b.ok()) << of_b.status();
  EXPECT_FALSE(of_b->repeated());
  const absl::Status reused = a.Create(bind).status();
  EXPECT_EQ(ReasonOf(reused), Reason::kRequestIdReused);
  EXPECT_TRUE(absl::StrContains(reused.message(), "request_id one was")) << reused;
  bind.set_request_id("with blank");
  EXPECT_EQ(ReasonOf(a.Create(bind).status()), Reason::kInvalidArgument);
}

TEST_F(KeyScopeTest, UnfinishedCommandsAreLimited) {
  v1::CreateKeyRequest request;
  request.set_name("few");
  request.add_scopes("submit");
  request.add_scopes("act");
  request.set_max_unfinished(2);
  ApiClient few(manager_, MakeKey(manager_, request));
  v1::CreateCommandRequest bind;
  std::string id;
  for (int i = 0; i < 2; ++i) {
    bind.mutable_spec()->mutable_bind_address()->set_address(absl::StrCat("203.0.113.5", i));
    const auto made = few.Create(bind);
    ASSERT_TRUE(made.ok()) << made.status();
    id = made->command().id();
  }
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.59");
  const absl::Status full = few.Create(bind).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full), Reason::kKeyLimitReached);
  EXPECT_GT(RetryDelayOf(full), absl::ZeroDuration());
  // Also after a restart; and it is over when one of them is.
  manager_.Stop();
  manager_.Start();
  ApiClient again(manager_, few.key);
  EXPECT_EQ(ReasonOf(again.Create(bind).status()), Reason::kKeyLimitReached);
  v1::CancelCommandRequest cancel;
  cancel.set_id(id);
  v1::Command command;
  KeyCall call(few.key);
  const absl::Status cancelled = FromGrpc(again.commands->CancelCommand(&call, cancel, &command));
  ASSERT_TRUE(cancelled.ok()) << cancelled;
  EXPECT_TRUE(again.Create(bind).ok());
  // A key of the same name that is made later begins with none.
  {
    v1::RevokeKeyRequest revoke;
    revoke.set_name("few");
    v1::Key revoked;
    Call revoking;
    ASSERT_TRUE(manager_.keys().RevokeKey(&revoking, revoke, &revoked).ok());
  }
  ApiClient later(manager_, MakeKey(manager_, request));
  for (int i = 0; i < 2; ++i) {
    bind.mutable_spec()->mutable_bind_address()->set_address(absl::StrCat("203.0.113.6", i));
    const auto made = later.Create(bind);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.69");
  EXPECT_EQ(ReasonOf(later.Create(bind).status()), Reason::kKeyLimitReached);
}

// Of revoked keys the manager keeps a thousand: a new key takes the oldest one's place, which
// somebody may revoke again at the same moment.
TEST_F(KeyScopeTest, ARevokedKeyMayGoWhileItIsLookedAt) {
  manager_.Stop();
  {
    const auto database = *sqlite::Database::Open(DatabasePath(manager_.config().state_dir));
    auto insert = *database->Prepare("INSERT INTO resource VALUES('key',?,?)");
    for (int i = 0; i < 1'000; ++i) {
      storage::v1::ApiKey key;
      key.set_id(absl::StrFormat("id%08d", i));
      key.set_name(absl::StrCat("old", i));
      for (int j = 0; j < 100; ++j) key.add_scopes("read:" + std::string(40, 'a'));
      key.add_secrets()->set_hash("hash");
      key.mutable_create_time()->set_seconds(1'700'000'000);
      key.mutable_expire_time()->set_seconds(2'000'000'000);
      key.mutable_revoke_time()->set_seconds(1'700'000'000 + i);
      ASSERT_TRUE(insert.Run(key.id(), sqlite::Blob{key.SerializeAsString()}).ok());
    }
  }
  manager_.change_config().limits.requests_per_second = 1'000'000;
  manager_.Start();
  // A long list comes in pages.
  {
    v1::ListKeysRequest request;
    request.set_include_revoked(true);
    std::set<std::string> seen;
    int pages = 0;
    do {
      Call call;
      v1::ListKeysResponse response;
      const absl::Status status = FromGrpc(manager_.keys().ListKeys(&call, request, &response));
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_LT(response.ByteSizeLong(), 4u << 20);
      for (const v1::Key& key : response.keys()) EXPECT_TRUE(seen.insert(key.id()).second);
      request.set_page_token(response.next_page_token());
      ++pages;
    } while (!request.page_token().empty());
    EXPECT_EQ(seen.size(), 1'000u);
    EXPECT_GT(pages, 1);
    Call call;
    request.set_page_token("garbage");
    v1::ListKeysResponse response;
    EXPECT_EQ(ReasonOf(FromGrpc(manager_.keys().ListKeys(&call, request, &response))),
              Reason::kPageTokenInvalid);
  }
  for (int i = 0; i < 200; ++i) {
    // On connections of their own, so that they come together.
    std::thread revoker([&] {
      Call call;
      v1::RevokeKeyRequest request;
      request.set_name(absl::StrCat("old", i));
      v1::Key key;
      (void)manager_.keys().RevokeKey(&call, request, &key);
    });
    const std::string name = absl::StrCat("new", i);
    MakeKey(manager_, name, {"read"});
    revoker.join();
    Call call;
    v1::RevokeKeyRequest request;
    request.set_name(name);
    v1::Key key;
    ASSERT_TRUE(manager_.keys().RevokeKey(&call, request, &key).ok());
  }
}

TEST_F(KeyScopeTest, WrongRequestsForKeysAreRefused) {
  const auto refused = [&](const v1::CreateKeyRequest& request, const std::string& field) {
    Call call;
    v1::CreateKeyResponse response;
    const absl::Status status = FromGrpc(manager_.keys().CreateKey(&call, request, &response));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << request.DebugString();
    EXPECT_TRUE(absl::StartsWith(status.message(), field)) << status;
    EXPECT_EQ(response.text(), "");
  };
  v1::CreateKeyRequest good;
  good.set_name("good");
  good.add_scopes("read");
  v1::CreateKeyRequest bad = good;
  bad.set_name("Bad Name");
  refused(bad, "name");
  (bad = good).clear_scopes();
  refused(bad, "scopes");
  (bad = good).add_scopes("write");
  refused(bad, "scopes");
  (bad = good).add_sources("10.0.0.1/24");
  refused(bad, "sources");
  (bad = good).mutable_expires_in()->set_seconds(0);
  refused(bad, "expires_in");
  (bad = good).mutable_expires_in()->set_seconds(3651LL * 24 * 3600);
  refused(bad, "expires_in");
  (bad = good).set_requests_per_second(2'000'000);
  refused(bad, "requests_per_second");
  (bad = good).set_max_unfinished(20'000'000);
  refused(bad, "max_unfinished");
  (bad = good).add_scopes("admin");
  bad.set_own_accounts(true);
  refused(bad, "own_accounts");
  MakeKey(manager_, good);
  Call call;
  v1::CreateKeyResponse response;
  EXPECT_EQ(ReasonOf(FromGrpc(manager_.keys().CreateKey(&call, good, &response))),
            Reason::kKeyExists);
}

}  // namespace
}  // namespace hostq::manager::testing
