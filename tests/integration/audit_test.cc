// The audit of a real manager: what is in it, that nothing of it can be changed unseen, and what
// hostq says of it.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "common/sqlite/database.h"
#include "hostq/v1/audit_service.grpc.pb.h"
#include "hostq/v1/authority_service.grpc.pb.h"
#include "manager/state_dir.h"
#include "test_agent.h"
#include "test_manager.h"
#include "tests/unit/cli/process.h"

namespace hostq::manager::testing {
namespace {

using hostq::testing::Finished;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class AuditTest : public ::testing::Test {
 protected:
  std::shared_ptr<grpc::Channel> Local() {
    grpc::ChannelArguments arguments;
    ConfigureChannel(arguments);
    return grpc::CreateCustomChannel("unix:" + manager_.config().listen.admin_socket,
                                     grpc::InsecureChannelCredentials(), arguments);
  }
  v1::AuditService::Stub& audit() {
    audit_ = v1::AuditService::NewStub(Local());
    return *audit_;
  }
  absl::StatusOr<v1::ListAuditEntriesResponse> List(const v1::ListAuditEntriesRequest& request) {
    v1::ListAuditEntriesResponse response;
    Call call;
    const absl::Status status = FromGrpc(audit().ListAuditEntries(&call, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  // Those of one act.
  std::vector<v1::AuditEntry> Of(const std::string& act) {
    v1::ListAuditEntriesRequest request;
    request.set_act(act);
    request.set_page_size(1'000);
    const auto list = List(request);
    EXPECT_TRUE(list.ok()) << list.status();
    if (!list.ok()) return {};
    return {list->entries().begin(), list->entries().end()};
  }
  // Refusals are written with the next commit, at most 100 ms later.
  std::vector<v1::AuditEntry> WaitFor(const std::string& act, size_t count) {
    const absl::Time until = absl::Now() + absl::Seconds(20);
    std::vector<v1::AuditEntry> entries = Of(act);
    while (entries.size() < count && absl::Now() < until) {
      absl::SleepFor(absl::Milliseconds(10));
      entries = Of(act);
    }
    EXPECT_EQ(entries.size(), count);
    entries.resize(count);
    return entries;
  }
  absl::Status Pause(const std::string& name, const std::string& note = "why",
                     const std::string& actor = "alice") {
    v1::PauseNodeRequest request;
    request.set_name(name);
    request.set_note(note);
    v1::Node node;
    Call call;
    call.AddMetadata("hostq-actor", actor);
    return FromGrpc(manager_.nodes().PauseNode(&call, request, &node));
  }
  Finished Hostq(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), HOSTQ_BINARY);
    return hostq::testing::RunProcess(
        arguments, {{"HOSTQ_SOCKET", manager_.config().listen.admin_socket}}, "");
  }
  // As whoever can write the database.
  void Execute(const std::string& sql) {
    const auto database = *sqlite::Database::Open(DatabasePath(manager_.config().state_dir));
    const absl::Status status = database->Execute(sql);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Path(const std::string& name) { return manager_.config().state_dir + "/" + name; }
  static void Write(const std::string& path, const std::string& content) {
    std::ofstream(path) << content;
  }
  // Six of them, with the start of the manager.
  void MakeEntries() {
    manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(Pause("web1", absl::StrCat("reason ", i)).ok());
  }

  TestManager manager_;
  std::unique_ptr<v1::AuditService::Stub> audit_;
};

TEST_F(AuditTest, StartAndStopAreInIt) {
  manager_.Stop();
  manager_.Start();
  const std::vector<v1::AuditEntry> starts = Of("manager.start");
  ASSERT_EQ(starts.size(), 2u);
  EXPECT_EQ(starts[0].sequence(), 1);
  EXPECT_EQ(starts[0].actor(), "manager");
  EXPECT_EQ(starts[0].after(), absl::StrCat("{\"version\":\"", HOSTQ_VERSION, "\",\"term\":1}"));
  EXPECT_THAT(starts[1].after(), HasSubstr("\"term\":2"));
  ASSERT_EQ(Of("manager.stop").size(), 1u);
  EXPECT_EQ(Of("manager.stop")[0].sequence(), 2);
}

TEST_F(AuditTest, ActsHaveWhoFromWhereAndWhat) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  ASSERT_TRUE(Pause("web1", "new \"kernel\"").ok());
  const std::vector<v1::AuditEntry> created = Of("CreateNode");
  ASSERT_EQ(created.size(), 1u);
  EXPECT_EQ(created[0].target(), "node/web1");
  EXPECT_EQ(created[0].before(), "");
  EXPECT_THAT(created[0].after(), HasSubstr("192.0.2.11"));
  const std::vector<v1::AuditEntry> paused = Of("hostq.v1.NodeService.PauseNode");
  ASSERT_EQ(paused.size(), 1u);
  EXPECT_EQ(paused[0].actor(), LocalActorHere("alice"));
  EXPECT_EQ(paused[0].source(), "socket");
  EXPECT_EQ(paused[0].outcome(), v1::Reason::CODE_UNSPECIFIED);
  EXPECT_THAT(paused[0].before(), Not(HasSubstr("alice")));
  EXPECT_THAT(paused[0].after(), HasSubstr("\"pausedBy\":\"" + LocalActorHere("alice") + "\""));
  EXPECT_THAT(paused[0].after(), HasSubstr("new \\\"kernel\\\""));
}

TEST_F(AuditTest, NodesAndPausesHaveWhatTheyWere) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  ASSERT_TRUE(Pause("web1", "first").ok());
  {
    v1::ResumeNodeRequest request;
    request.set_name("web1");
    v1::Node node;
    Call call;
    ASSERT_TRUE(manager_.nodes().ResumeNode(&call, request, &node).ok());
  }
  for (const char* note : {"first", "second"}) {
    v1::PauseCommandsRequest request;
    request.set_kind("create_account");
    request.set_note(note);
    v1::Pause pause;
    Call call;
    ASSERT_TRUE(manager_.commands().PauseCommands(&call, request, &pause).ok());
  }
  {
    v1::ResumeCommandsRequest request;
    request.set_kind("create_account");
    v1::ResumeCommandsResponse response;
    Call call;
    ASSERT_TRUE(manager_.commands().ResumeCommands(&call, request, &response).ok());
  }
  {
    v1::RemoveNodeRequest request;
    request.set_name("web1");
    v1::RemoveNodeResponse response;
    Call call;
    ASSERT_TRUE(manager_.nodes().RemoveNode(&call, request, &response).ok());
  }
  EXPECT_THAT(Of("ResumeNode").at(0).before(), HasSubstr("\"pauseNote\":\"first\""));
  EXPECT_THAT(Of("ResumeNode").at(0).after(), Not(HasSubstr("pauseNote")));
  EXPECT_EQ(Of("PauseCommands").at(0).before(), "");
  EXPECT_EQ(Of("PauseCommands").at(0).target(), "kind/create_account");
  EXPECT_THAT(Of("PauseCommands").at(1).before(), HasSubstr("first"));
  EXPECT_THAT(Of("PauseCommands").at(1).after(), HasSubstr("second"));
  EXPECT_THAT(Of("ResumeCommands").at(0).before(), HasSubstr("second"));
  EXPECT_THAT(Of("RemoveNode").at(0).before(), HasSubstr("192.0.2.11"));
  EXPECT_EQ(Of("RemoveNode").at(0).after(), "");
}

TEST_F(AuditTest, SubmissionsAndTheirEndAreInIt) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  const v1::Command command = manager_.Bind("203.0.113.10");
  {
    v1::CancelCommandRequest request;
    request.set_id(command.id());
    v1::Command cancelled;
    Call call;
    ASSERT_TRUE(manager_.commands().CancelCommand(&call, request, &cancelled).ok());
  }
  const std::vector<v1::AuditEntry> created = Of("CreateCommand");
  ASSERT_EQ(created.size(), 1u);
  EXPECT_EQ(created[0].target(), "address/203.0.113.10");
  EXPECT_THAT(created[0].after(), HasSubstr(command.id()));
  EXPECT_EQ(Of("CancelCommand").at(0).target(), "command/" + command.id());
  EXPECT_THAT(Of("CancelCommand").at(0).after(), HasSubstr("CANCELLED"));
}

TEST_F(AuditTest, EnrolmentIsInItDoneAndRefused) {
  const Joined joined = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  const std::vector<v1::AuditEntry> done = Of("node.enroll");
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].actor(), "node/web1");
  EXPECT_EQ(done[0].source(), "127.0.0.1");
  EXPECT_EQ(done[0].target(), "node/web1");
  EXPECT_THAT(done[0].after(), HasSubstr("\"certificate\":\""));
  const std::string wrong = "hqj_aaaaaaaaaa_" + std::string(40, 'b');
  EXPECT_FALSE(manager_.Enroll(wrong).ok());
  const v1::AuditEntry refused = WaitFor("node.enroll", 2)[1];
  EXPECT_EQ(refused.actor(), "unknown");
  EXPECT_EQ(refused.source(), "127.0.0.1");
  EXPECT_EQ(refused.outcome(), v1::Reason::TOKEN_INVALID);
  EXPECT_THAT(refused.DebugString(), Not(HasSubstr(wrong)));
}

TEST_F(AuditTest, ASessionThatIsRefusedIsInIt) {
  const Joined joined = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  {
    v1::RemoveNodeRequest request;
    request.set_name("web1");
    request.set_force(true);
    v1::RemoveNodeResponse response;
    Call call;
    ASSERT_TRUE(manager_.nodes().RemoveNode(&call, request, &response).ok());
  }
  TestAgent agent(manager_, joined);
  agent::v1::AgentMessage hello;
  *hello.mutable_hello() = TestAgent::DefaultHello();
  agent.Write(hello);
  EXPECT_FALSE(agent.End().ok());
  const v1::AuditEntry refused = WaitFor("node.connect", 1)[0];
  EXPECT_EQ(refused.actor(), "node/web1");
  EXPECT_EQ(refused.source(), "127.0.0.1");
  EXPECT_EQ(refused.outcome(), v1::Reason::NOT_AUTHORIZED);
}

TEST_F(AuditTest, WhatAKeyMayNotDoIsInIt) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  manager_.AddNode("web2", v1::Node::APP, "192.0.2.12");
  const std::string both = manager_.Bind("203.0.113.10").id();
  const std::string other = manager_.Bind("203.0.113.11", "web2").id();
  ApiClient client(manager_,
                   MakeKey(manager_, "some", {"read::web1", "act::web1", "operate::web1"}));
  const auto expect = [&](const std::string& act, const std::string& target,
                          v1::Reason::Code outcome) {
    const v1::AuditEntry entry = WaitFor(act, 1)[0];
    EXPECT_EQ(entry.actor(), "key/some") << act;
    EXPECT_EQ(entry.source(), "127.0.0.1") << act;
    EXPECT_EQ(entry.target(), target) << act;
    EXPECT_EQ(entry.outcome(), outcome) << act;
  };
  {
    v1::CancelCommandRequest request;
    request.set_id(both);
    v1::Command command;
    KeyCall call(client.key);
    EXPECT_FALSE(client.commands->CancelCommand(&call, request, &command).ok());
    expect("CancelCommand", "command/" + both, v1::Reason::OUT_OF_SCOPE);
  }
  {
    v1::RetryCommandRequest request;
    request.set_id(other);
    v1::Command command;
    KeyCall call(client.key);
    EXPECT_FALSE(client.commands->RetryCommand(&call, request, &command).ok());
    expect("RetryCommand", "command/" + other, v1::Reason::UNKNOWN_COMMAND);
  }
  {
    v1::SkipCommandRequest request;
    request.set_id("01jd4n7zq8w3a");
    request.set_note("no such command");
    v1::Command command;
    KeyCall call(client.key);
    EXPECT_FALSE(client.commands->SkipCommand(&call, request, &command).ok());
    expect("SkipCommand", "command/01jd4n7zq8w3a", v1::Reason::UNKNOWN_COMMAND);
  }
  {
    v1::RetryTasksRequest request;
    request.set_kind("bind_address");
    v1::RetryTasksResponse response;
    KeyCall call(client.key);
    EXPECT_FALSE(client.commands->RetryTasks(&call, request, &response).ok());
    expect("RetryTasks", "commands", v1::Reason::OUT_OF_SCOPE);
  }
  {
    v1::PauseNodeRequest request;
    request.set_name("web2");
    request.set_note("why");
    v1::Node node;
    KeyCall call(client.key);
    EXPECT_FALSE(client.nodes->PauseNode(&call, request, &node).ok());
    expect("PauseNode", "node/web2", v1::Reason::UNKNOWN_NODE);
  }
  {
    v1::ResumeNodeRequest request;
    request.set_name("web2");
    v1::Node node;
    KeyCall call(client.key);
    EXPECT_FALSE(client.nodes->ResumeNode(&call, request, &node).ok());
    expect("ResumeNode", "node/web2", v1::Reason::UNKNOWN_NODE);
  }
  {
    KeyCall call(client.key);
    v1::Event event;
    const auto stream = client.events->WatchEvents(&call, {});
    EXPECT_FALSE(stream->Read(&event));
    EXPECT_FALSE(stream->Finish().ok());
    expect("WatchEvents", "events", v1::Reason::OUT_OF_SCOPE);
  }
  ApiClient submitter(manager_, MakeKey(manager_, "submitter", {"submit:bind_address:web1"}));
  v1::CreateCommandRequest bind;
  bind.mutable_spec()->mutable_bind_address()->set_address("203.0.113.12");
  bind.set_validate_only(true);
  EXPECT_EQ(ReasonOf(submitter.Create(bind).status()), Reason::kOutOfScope);
  const std::vector<v1::AuditEntry> tried = WaitFor("CreateCommand", 3);
  EXPECT_EQ(tried[2].actor(), "key/submitter");
  EXPECT_EQ(tried[2].outcome(), v1::Reason::OUT_OF_SCOPE);
}

TEST_F(AuditTest, WhoIsKnownIsNamedAlsoWhenNotLetIn) {
  const std::string key = MakeKey(manager_, "leaked", {"read"});
  const TlsIdentity alice = MakeAdministrator(manager_, "alice");
  {
    v1::RevokeKeyRequest request;
    request.set_name("leaked");
    v1::Key revoked;
    Call call;
    ASSERT_TRUE(manager_.keys().RevokeKey(&call, request, &revoked).ok());
  }
  {
    v1::RevokeAdministratorRequest request;
    request.set_name("alice");
    v1::Administrator revoked;
    Call call;
    ASSERT_TRUE(manager_.administrators().RevokeAdministrator(&call, request, &revoked).ok());
  }
  EXPECT_EQ(ReasonOf(ApiClient(manager_, key).ListNodes().status()), Reason::kKeyRevoked);
  EXPECT_FALSE(ApiClient(manager_, "", &alice).ListAccounts().ok());
  EXPECT_FALSE(ApiClient(manager_, "").List().ok());
  EXPECT_EQ(WaitFor("ListNodes", 1)[0].actor(), "key/leaked");
  EXPECT_EQ(WaitFor("ListNodes", 1)[0].outcome(), v1::Reason::KEY_REVOKED);
  EXPECT_EQ(WaitFor("ListAccounts", 1)[0].actor(), "alice");
  EXPECT_EQ(WaitFor("ListCommands", 1)[0].actor(), "unknown");
}

TEST_F(AuditTest, StepsOfAnAuthorityAreAskedForAndMade) {
  const auto stub = v1::AuthorityService::NewStub(Local());
  v1::Authority authority;
  {
    Call call;
    ASSERT_TRUE(stub->PrepareAuthority(&call, {}, &authority).ok());
  }
  ASSERT_EQ(authority.certificates_size(), 2);
  const std::string first = authority.certificates(0).pin();
  const std::string next = authority.certificates(1).pin();
  {
    v1::ActivateAuthorityRequest request;
    request.set_force(true);
    Call call;
    ASSERT_TRUE(stub->ActivateAuthority(&call, request, &authority).ok());
  }
  const v1::AuditEntry asked = Of("ActivateAuthority").at(0);
  EXPECT_THAT(asked.before(),
              AllOf(HasSubstr("\"issuing\":\"" + first), HasSubstr("\"next\":\"" + next)));
  EXPECT_EQ(asked.after(), R"({"step":"activate","force":true})");
  const v1::AuditEntry made = WaitFor("authority.activate", 1)[0];
  EXPECT_EQ(made.actor(), asked.actor());
  EXPECT_EQ(made.request_id(), asked.request_id());
  EXPECT_GT(made.sequence(), asked.sequence());
  EXPECT_THAT(made.after(),
              AllOf(HasSubstr("\"issuing\":\"" + next), HasSubstr("\"old\":\"" + first)));
  {
    Call call;
    EXPECT_FALSE(stub->PrepareAuthority(&call, {}, &authority).ok());
  }
  EXPECT_EQ(WaitFor("PrepareAuthority", 2)[1].outcome(), v1::Reason::WRONG_ROTATION_STEP);
  EXPECT_EQ(Of("authority.prepare").size(), 1u);
}

TEST_F(AuditTest, TwoThousandRefusalsAreAFewEntries) {
  manager_.Stop();
  manager_.change_config().limits.requests_per_second = 1'000'000;
  manager_.Start();
  for (int i = 0; i < 2'000; ++i) ASSERT_FALSE(Pause("nobody").ok());
  v1::ListAuditEntriesRequest request;
  request.set_refused_only(true);
  EXPECT_LE(List(request)->entries_size(), 4);
  manager_.Stop();
  manager_.Start();
  int64_t refused = 0;
  const auto list = List(request);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_LE(list->entries_size(), 6);
  for (const v1::AuditEntry& entry : list->entries()) refused += entry.count();
  EXPECT_EQ(refused, 2'000) << "none is lost";
}

TEST_F(AuditTest, NoEntryHasASecret) {
  const std::string token = manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  ASSERT_TRUE(manager_.Enroll(token).ok());
  const std::string secret = token.substr(token.rfind('_') + 1);
  ASSERT_EQ(secret.size(), 40u);
  EXPECT_FALSE(manager_.Enroll(token).ok()) << "another key";
  EXPECT_FALSE(Pause("nobody").ok());
  WaitFor("PauseNode", 1);
  const Finished exported = Hostq({"audit", "export"});
  EXPECT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_THAT(exported.out, HasSubstr("node.enroll"));
  EXPECT_THAT(exported.out, Not(HasSubstr(secret)));
}

TEST_F(AuditTest, PagesCoverEverythingOnce) {
  MakeEntries();
  for (const bool newest_first : {false, true}) {
    std::vector<int64_t> seen;
    v1::ListAuditEntriesRequest request;
    request.set_page_size(4);
    request.set_newest_first(newest_first);
    do {
      const auto page = List(request);
      ASSERT_TRUE(page.ok()) << page.status();
      for (const v1::AuditEntry& entry : page->entries()) seen.push_back(entry.sequence());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    if (newest_first) std::reverse(seen.begin(), seen.end());
    EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

// One page looks at 20,000 entries, whatever matches.
TEST_F(AuditTest, LongListsAreReadInParts) {
  manager_.Stop();
  Execute(
      "WITH RECURSIVE n(i) AS (VALUES(10) UNION ALL SELECT i+1 FROM n WHERE i<45000) "
      "INSERT INTO audit SELECT i, i, CASE WHEN i IN (12, 44000) THEN 'bob' ELSE 'x' END, '', '', "
      "'', '', 0, '', '', '', 1, zeroblob(32) FROM n; "
      "UPDATE audit_chain SET head_sequence=45000");
  manager_.Start();
  for (const bool newest_first : {false, true}) {
    std::vector<int64_t> seen;
    int pages = 0;
    v1::ListAuditEntriesRequest request;
    request.set_actor("bob");
    request.set_newest_first(newest_first);
    do {
      const auto page = List(request);
      ASSERT_TRUE(page.ok()) << page.status();
      for (const v1::AuditEntry& entry : page->entries()) seen.push_back(entry.sequence());
      request.set_page_token(page->next_page_token());
      ++pages;
    } while (!request.page_token().empty());
    if (newest_first) std::reverse(seen.begin(), seen.end());
    EXPECT_THAT(seen, ElementsAre(12, 44'000));
    EXPECT_EQ(pages, 3);
  }
}

TEST_F(AuditTest, BadRequestsAreRefused) {
  MakeEntries();
  const auto reason = [&](const v1::ListAuditEntriesRequest& request) {
    return ReasonOf(List(request).status());
  };
  v1::ListAuditEntriesRequest request;
  request.set_since_sequence(-1);
  EXPECT_EQ(reason(request), Reason::kInvalidArgument);
  request.Clear();
  request.set_page_size(-1);
  EXPECT_EQ(reason(request), Reason::kInvalidArgument);
  for (const char* field : {"actor", "act", "target"}) {
    request.Clear();
    const auto* descriptor = request.GetDescriptor()->FindFieldByName(field);
    request.GetReflection()->SetString(&request, descriptor, std::string(400, 'x'));
    const absl::Status status = List(request).status();
    EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat(field, ":")));
  }
  request.Clear();
  request.set_page_token("garbage");
  EXPECT_EQ(reason(request), Reason::kPageTokenInvalid);
  request.Clear();
  request.set_page_size(1);
  request.set_page_token(List(request)->next_page_token());
  EXPECT_EQ(reason(request), Reason::kNone);
  request.set_actor("alice");
  EXPECT_EQ(reason(request), Reason::kPageTokenInvalid);
}

TEST_F(AuditTest, VerifySaysThatAllIsWell) {
  MakeEntries();
  const Finished result = Hostq({"audit", "verify"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("entries 1 to 6"));
  const Finished head = Hostq({"audit", "head"});
  EXPECT_THAT(result.out, HasSubstr("head: " + head.out));
  const std::string kept(absl::StripAsciiWhitespace(head.out));
  EXPECT_THAT(kept, StartsWith("6:"));
  ASSERT_TRUE(Pause("web1").ok());
  EXPECT_EQ(Hostq({"audit", "verify", "--expect", kept}).exit_code, 0);
  const Finished json = Hostq({"audit", "verify", "--output", "json"});
  EXPECT_THAT(json.out, StartsWith("{\"intact\":true,\"entries\":\"7\",\"chain\":{"));
  EXPECT_THAT(json.out, HasSubstr("\"problems\":[]"));
}

struct Tampering {
  std::string sql;
  std::vector<std::string> said;
};

class TamperingTest : public AuditTest, public ::testing::WithParamInterface<Tampering> {};

TEST_P(TamperingTest, IsFoundAndNamed) {
  MakeEntries();
  const std::string kept(absl::StripAsciiWhitespace(Hostq({"audit", "head"}).out));
  Execute(GetParam().sql);
  for (const bool restarted : {false, true}) {
    const Finished result = Hostq({"audit", "verify", "--expect", kept});
    EXPECT_EQ(result.exit_code, 1) << result.out;
    for (const std::string& said : GetParam().said) EXPECT_THAT(result.out, HasSubstr(said));
    EXPECT_THAT(result.err, HasSubstr("AUDIT_BROKEN"));
    const Finished json = Hostq({"audit", "verify", "--output", "json"});
    EXPECT_EQ(json.exit_code, 1);
    EXPECT_THAT(json.out, StartsWith("{\"intact\":false"));
    EXPECT_THAT(json.err, HasSubstr("\"reason\":\"AUDIT_BROKEN\""));
    if (restarted) break;
    manager_.Stop();
    manager_.Start();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, TamperingTest,
    ::testing::Values(
        Tampering{"UPDATE audit SET actor='mallory' WHERE sequence=1", {"CHANGED  entry 1 "}},
        Tampering{"UPDATE audit SET after='{}' WHERE sequence=4", {"CHANGED  entry 4 "}},
        Tampering{"UPDATE audit SET message=CAST(x'ff' AS TEXT) WHERE sequence=5",
                  {"CHANGED  entry 5 "}},
        Tampering{"UPDATE audit SET hash=x'00' WHERE sequence=3", {"HASH_CHANGED", "entry 3"}},
        Tampering{"UPDATE audit SET time=time+1 WHERE sequence=6", {"CHANGED  entry 6 "}},
        Tampering{"UPDATE audit SET hash=zeroblob(32) WHERE sequence=3",
                  {"HASH_CHANGED", "entry 3"}},
        Tampering{"DELETE FROM audit WHERE sequence=1", {"REMOVED  entry 1 "}},
        Tampering{"DELETE FROM audit WHERE sequence IN (3, 4)", {"REMOVED  entries 3 to 4 "}},
        Tampering{"DELETE FROM audit WHERE sequence=6", {"REMOVED  entry 6 "}},
        Tampering{"UPDATE audit SET sequence=-1 WHERE sequence=3; "
                  "UPDATE audit SET sequence=3 WHERE sequence=5; "
                  "UPDATE audit SET sequence=5 WHERE sequence=-1",
                  {"MOVED  entry 3 stands at the place of entry 5",
                   "MOVED  entry 5 stands at the place of entry 3"}}));

TEST_F(AuditTest, ExportIsVerifiedWithoutAManager) {
  MakeEntries();
  const Finished exported = Hostq({"audit", "export"});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  const std::vector<std::string> lines = absl::StrSplit(exported.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_THAT(lines[0], HasSubstr("\"sequence\":\"1\""));
  EXPECT_THAT(lines[6], StartsWith("{\"beginning\":"));
  const std::string file = Path("audit.jsonl");
  const auto verify = [&](const std::vector<std::string>& content) {
    Write(file, absl::StrJoin(content, "\n") + "\n");
    return Hostq({"audit", "verify", "--file", file});
  };
  manager_.Stop();
  EXPECT_EQ(verify(lines).exit_code, 0) << verify(lines).err;
  EXPECT_THAT(verify(lines).out, HasSubstr("entries 1 to 6"));

  std::vector<std::string> changed = lines;
  changed[3] = absl::StrReplaceAll(changed[3], {{"alice", "mallory"}});
  EXPECT_EQ(verify(changed).exit_code, 1);
  EXPECT_THAT(verify(changed).out, HasSubstr("CHANGED  entry 4 "));
  changed = lines;
  changed.erase(changed.begin() + 1);
  EXPECT_THAT(verify(changed).out, HasSubstr("REMOVED  entry 2 "));
  changed = lines;
  std::swap(changed[2], changed[3]);
  EXPECT_THAT(verify(changed).out, HasSubstr("MOVED  entry 3 "));
  changed = lines;
  changed.pop_back();
  EXPECT_EQ(verify(changed).exit_code, 1);
  EXPECT_THAT(verify(changed).err, HasSubstr("the last line is not the head"));
  changed = lines;
  changed[1] = "garbage";
  EXPECT_EQ(verify(changed).exit_code, 1);
  EXPECT_THAT(verify(changed).err, HasSubstr("line 2 is no entry"));
  changed = lines;
  changed.push_back(lines[6]);
  changed[6] = lines[0];
  std::swap(changed[6], changed[5]);
  EXPECT_EQ(verify(changed).exit_code, 1);
  EXPECT_EQ(verify({"{}"}).exit_code, 1);
}

TEST_F(AuditTest, ExportGoesOnWhereAnotherEnded) {
  MakeEntries();
  const std::string file = Path("more.jsonl");
  const Finished more = Hostq({"audit", "export", "--since", "4"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  Write(file, more.out);
  const Finished verified = Hostq({"audit", "verify", "--file", file});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("entries 5 to 6"));
  const Finished none = Hostq({"audit", "export", "--since", "6"});
  Write(file, none.out);
  EXPECT_EQ(Hostq({"audit", "verify", "--file", file}).exit_code, 0);
  const Finished beyond = Hostq({"audit", "export", "--since", "7"});
  EXPECT_EQ(beyond.exit_code, 2);
  EXPECT_THAT(beyond.err, HasSubstr("the newest is 6"));
}

TEST_F(AuditTest, AnExpectedHeadFindsWhatWasRewritten) {
  MakeEntries();
  const std::string kept(absl::StripAsciiWhitespace(Hostq({"audit", "head"}).out));
  // Whoever takes away the end and what knows of it; the manager writes on.
  manager_.Stop();
  Execute(
      "DELETE FROM audit WHERE sequence>4; UPDATE audit_chain SET head_sequence=4, "
      "head_hash=(SELECT hash FROM audit WHERE sequence=4)");
  manager_.Start();
  EXPECT_EQ(Hostq({"audit", "verify"}).exit_code, 0);
  const Finished shorter = Hostq({"audit", "verify", "--expect", kept});
  EXPECT_EQ(shorter.exit_code, 1);
  EXPECT_THAT(shorter.out, HasSubstr("REMOVED  entry 6 is missing"));
  ASSERT_TRUE(Pause("web1").ok());
  const Finished longer = Hostq({"audit", "verify", "--expect", kept});
  EXPECT_EQ(longer.exit_code, 1);
  EXPECT_THAT(longer.out, HasSubstr("REWRITTEN  entry 6 "));
}

TEST_F(AuditTest, ListShowsTheLastOnesInOrder) {
  MakeEntries();
  EXPECT_FALSE(Pause("nobody").ok());
  WaitFor("PauseNode", 5);
  Finished list = Hostq({"audit", "list", "--limit", "3"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_LT(list.out.find("     5 "), list.out.find("     6 "));
  EXPECT_THAT(list.out, HasSubstr("UNKNOWN_NODE"));
  EXPECT_THAT(list.out, Not(HasSubstr("     4 ")));
  list = Hostq({"audit", "list", "--refused", "--output", "json"});
  EXPECT_THAT(list.out, HasSubstr("\"outcome\": \"UNKNOWN_NODE\""));
  EXPECT_THAT(list.out, Not(HasSubstr("CreateNode")));
  list = Hostq({"audit", "list", "--since", "1", "--limit", "1"});
  EXPECT_THAT(list.out, HasSubstr("CreateNode"));
  EXPECT_THAT(list.out, Not(HasSubstr("PauseNode")));
  list = Hostq({"audit", "list", "--since", "2h", "--actor", LocalActorHere("alice"), "--act",
                "PauseNode", "--target", "node/web1"});
  EXPECT_THAT(list.out, HasSubstr("reason 3"));
  EXPECT_THAT(list.out, Not(HasSubstr("UNKNOWN_NODE")));
  EXPECT_EQ(Hostq({"audit", "list", "--actor", "nobody"}).out, "No entry matches.\n");
}

TEST_F(AuditTest, WrongUsageIsRefusedBeforeAnythingIsAsked) {
  manager_.Stop();
  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
           {"audit", "list", "--since", "yesterday"},
           {"audit", "list", "--limit", "0"},
           {"audit", "export", "--since", "-1"},
           {"audit", "verify", "--expect", "4711"},
           {"audit", "verify", "--expect", "4711:abc"},
           {"audit", "verify", "--expect", ":" + std::string(64, 'a')},
           {"audit", "verify", "--file", "/nonexistent/audit.jsonl"},
           {"audit"}}) {
    EXPECT_EQ(Hostq(line).exit_code, 2) << absl::StrJoin(line, " ");
  }
  EXPECT_EQ(Hostq({"audit", "verify"}).exit_code, 4);
}

}  // namespace
}  // namespace hostq::manager::testing
