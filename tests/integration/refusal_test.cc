// Bad input through the whole manager: each is refused with its reason, nothing is written, and the
// manager goes on.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "google/protobuf/util/json_util.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

class RefusalTest : public ::testing::Test {
 protected:
  RefusalTest() {
    manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
    manager_.AddNode("storage1", v1::Node::STORAGE, "192.0.2.12");
  }

  // The last event: it moves with everything that is written.
  int64_t Written() {
    v1::WatchEventsRequest request;
    request.set_no_follow(true);
    Call call;
    const auto stream = manager_.events().WatchEvents(&call, request);
    v1::Event event;
    while (stream->Read(&event)) {
    }
    return event.sequence();
  }
  absl::Status Create(const std::string& spec, std::vector<std::string> nodes = {}) {
    v1::CreateCommandRequest request;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(spec, request.mutable_spec()).ok())
        << spec;
    for (const std::string& node : nodes) request.add_nodes(node);
    return manager_.Create(request).status();
  }
  void ExpectRefused(const std::string& spec, Reason reason, std::vector<std::string> nodes = {}) {
    const int64_t before = Written();
    const absl::Status status = Create(spec, std::move(nodes));
    EXPECT_FALSE(status.ok()) << spec;
    EXPECT_EQ(NameOf(ReasonOf(status)), NameOf(reason)) << spec << "\n" << status;
    EXPECT_FALSE(status.message().empty());
    EXPECT_EQ(Written(), before) << spec;
  }
  // With one field of a good request replaced.
  std::string Account(const std::string& field = "", const std::string& value = "") {
    std::map<std::string, std::string> fields = {{"domain", "\"example.com\""},
                                                 {"user", "\"exampleco\""},
                                                 {"address", "\"203.0.113.10\""},
                                                 {"quotaBytes", "\"1073741824\""}};
    if (!field.empty()) fields[field] = value;
    std::string json;
    for (const auto& [name, text] : fields) {
      absl::StrAppend(&json, json.empty() ? "" : ",", "\"", name, "\":", text);
    }
    return absl::StrCat("{\"createAccount\":{", json, "}}");
  }
  absl::Status AddNode(const std::string& name, const std::string& address,
                       v1::Node::Role role = v1::Node::APP) {
    v1::CreateNodeRequest request;
    request.set_name(name);
    request.set_address(address);
    if (role != 0) request.add_roles(role);
    v1::CreateNodeResponse response;
    Call call;
    return FromGrpc(manager_.nodes().CreateNode(&call, request, &response));
  }

  TestManager manager_;
};

TEST_F(RefusalTest, Domains) {
  for (const std::string domain :
       {"", "localhost", "a..b", "-a.com", "exa mple.com", "example.com/", "über.de",
        "../etc/passwd", ".com", "example.com\\n"}) {
    ExpectRefused(Account("domain", "\"" + domain + "\""), Reason::kInvalidDomain);
  }
  ExpectRefused(Account("domain", "\"" + std::string(300, 'a') + ".com\""), Reason::kInvalidDomain);
}

TEST_F(RefusalTest, UserNames) {
  for (const std::string user : {"", "root", "Upper", "1abc", "a b", "a:b", "-rf", "a/b"}) {
    ExpectRefused(Account("user", "\"" + user + "\""), Reason::kInvalidUserName);
  }
  ExpectRefused(Account("user", "\"" + std::string(33, 'a') + "\""), Reason::kInvalidUserName);
}

TEST_F(RefusalTest, Addresses) {
  for (const std::string address :
       {"", "0.0.0.0", "224.0.0.1", "203.0.113.0/24", "203.0.113.10/32", "127.0.0.2", "::", "::1",
        "ff02::1", "fe80::1", "169.254.1.1", "255.255.255.255", "1.2.3", "1.2.3.4.5", "host",
        "203.0.113.010"}) {
    ExpectRefused(Account("address", "\"" + address + "\""), Reason::kInvalidAddress);
  }
  // A node's own address.
  ExpectRefused(Account("address", "\"192.0.2.11\""), Reason::kAddressReserved);
}

TEST_F(RefusalTest, Sizes) {
  for (const char* size : {"\"-1\"", "\"9223372036854775807\"", "\"4398046511104\""}) {
    ExpectRefused(Account("quotaBytes", size), Reason::kInvalidSize);
  }
}

TEST_F(RefusalTest, Uids) {
  const int64_t before = Written();
  for (const char* uid : {"1", "19999", "60000", "4294967295"}) {
    const absl::Status status = Create(Account("uid", uid));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << uid << status;
    EXPECT_NE(ReasonOf(status), Reason::kNone);
  }
  EXPECT_EQ(Written(), before);
}

TEST_F(RefusalTest, HomesOnEveryNodeByItself) {
  ExpectRefused(Account(), Reason::kUnknownShare);
  manager_.MountHome();
  EXPECT_TRUE(Create(Account()).ok());
}

TEST_F(RefusalTest, SecondOfItsKind) {
  manager_.MountHome();
  ASSERT_TRUE(Create(Account("uid", "20100")).ok());
  ExpectRefused(Account(), Reason::kAccountExists);
  ExpectRefused(Account("domain", "\"EXAMPLE.com\""), Reason::kAccountExists);
  ExpectRefused(Account("domain", "\"other.com\""), Reason::kUserInUse);
  ExpectRefused(R"({"createAccount":{"domain":"other.com","user":"other","uid":20100,)"
                R"("address":"203.0.113.10"}})",
                Reason::kUidInUse);
}

TEST_F(RefusalTest, WhatDoesNotExist) {
  ExpectRefused(R"({"deleteAccount":{"domain":"nobody.com"}})", Reason::kUnknownAccount);
  ExpectRefused(R"({"unmountShare":{"share":"nothing"}})", Reason::kUnknownShare);
  ExpectRefused(R"({"bindAddress":{"address":"203.0.113.10"}})", Reason::kUnknownNode, {"web9"});
  v1::GetCommandRequest request;
  request.set_id("0000000000001");
  v1::Command command;
  Call call;
  const absl::Status status = FromGrpc(manager_.commands().GetCommand(&call, request, &command));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), Reason::kUnknownCommand);
}

TEST_F(RefusalTest, Shares) {
  ExpectRefused(R"({"mountShare":{"share":"Home","source":"s:/x","mountPoint":"/srv"}})",
                Reason::kInvalidName);
  ExpectRefused(R"({"mountShare":{"share":"home","source":"nonsense","mountPoint":"/srv"}})",
                Reason::kInvalidPath);
  for (const std::string path : {"", "srv", "/etc", "/", "/srv/../etc"}) {
    ExpectRefused(absl::StrCat(R"({"mountShare":{"share":"home","source":"s:/x","mountPoint":")",
                               path, R"("}})"),
                  Reason::kInvalidPath);
  }
}

TEST_F(RefusalTest, Nodes) {
  const int64_t before = Written();
  for (const std::string& name :
       {std::string(), std::string("Web"), std::string("a b"), std::string(64, 'a')}) {
    EXPECT_EQ(ReasonOf(AddNode(name, "192.0.2.20")), Reason::kInvalidName) << name;
  }
  EXPECT_EQ(ReasonOf(AddNode("web9", "nowhere")), Reason::kInvalidAddress);
  EXPECT_EQ(ReasonOf(AddNode("web9", "192.0.2.11")), Reason::kNodeExists);
  EXPECT_EQ(ReasonOf(AddNode("web9", "192.0.2.20", v1::Node::ROLE_UNSPECIFIED)),
            Reason::kInvalidArgument);
  v1::CreateNodeRequest request;
  request.set_name("web9");
  request.set_address("192.0.2.20");
  request.add_roles(v1::Node::APP);
  for (const int64_t seconds : {int64_t{0}, int64_t{-5}, int64_t{90'000}, INT64_MAX}) {
    request.mutable_token_ttl()->set_seconds(seconds);
    v1::CreateNodeResponse response;
    Call call;
    EXPECT_EQ(ReasonOf(FromGrpc(manager_.nodes().CreateNode(&call, request, &response))),
              Reason::kInvalidArgument)
        << seconds;
  }
  v1::PauseNodeRequest pause;
  pause.set_name("web1");
  v1::Node node;
  for (const std::string& note : {std::string(), std::string(501, 'x')}) {
    pause.set_note(note);
    Call call;
    EXPECT_EQ(ReasonOf(FromGrpc(manager_.nodes().PauseNode(&call, pause, &node))),
              Reason::kInvalidArgument);
  }
  pause.set_name("web9");
  pause.set_note("why");
  Call call;
  EXPECT_EQ(ReasonOf(FromGrpc(manager_.nodes().PauseNode(&call, pause, &node))),
            Reason::kUnknownNode);
  EXPECT_EQ(Written(), before);
}

TEST_F(RefusalTest, RequestsThatAreTooLarge) {
  const int64_t before = Written();
  v1::CreateCommandRequest request;
  request.mutable_spec()->mutable_bind_address()->set_address(std::string(300 << 10, '1'));
  absl::Status status = manager_.Create(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), Reason::kRequestTooLarge) << status;
  request.mutable_spec()->mutable_bind_address()->set_address(std::string(5 << 20, '1'));
  status = manager_.Create(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(Written(), before);
}

TEST_F(RefusalTest, EmptyRequestsOfEveryMethod) {
  const int64_t before = Written();
  v1::Command command;
  v1::Node node;
  v1::Account account;
  v1::CreateNodeResponse created;
  v1::RemoveNodeResponse removed;
  v1::ExplainCommandResponse explained;
  const auto refused = [](const grpc::Status& status) {
    const absl::Status converted = FromGrpc(status);
    EXPECT_FALSE(converted.ok());
    EXPECT_NE(ReasonOf(converted), Reason::kNone) << converted;
  };
  EXPECT_EQ(ReasonOf(manager_.Create({}).status()), Reason::kInvalidArgument);
  refused(manager_.commands().GetCommand(std::make_unique<Call>().get(), {}, &command));
  refused(manager_.commands().RetryCommand(std::make_unique<Call>().get(), {}, &command));
  refused(manager_.commands().SkipCommand(std::make_unique<Call>().get(), {}, &command));
  refused(manager_.commands().CancelCommand(std::make_unique<Call>().get(), {}, &command));
  refused(manager_.commands().ExplainCommand(std::make_unique<Call>().get(), {}, &explained));
  refused(manager_.nodes().CreateNode(std::make_unique<Call>().get(), {}, &created));
  refused(manager_.nodes().GetNode(std::make_unique<Call>().get(), {}, &node));
  refused(manager_.nodes().PauseNode(std::make_unique<Call>().get(), {}, &node));
  refused(manager_.nodes().ResumeNode(std::make_unique<Call>().get(), {}, &node));
  refused(manager_.nodes().RemoveNode(std::make_unique<Call>().get(), {}, &removed));
  refused(manager_.accounts().GetAccount(std::make_unique<Call>().get(), {}, &account));
  EXPECT_EQ(Written(), before);
}

TEST_F(RefusalTest, WhoAsksTooMuchWaitsAndNobodyElseDoes) {
  ApiClient modest(manager_, MakeKey(manager_, "modest", {"read"}));
  // Whoever it says it is, on the socket it is one user.
  int asked = 0;
  const auto ask = [&] {
    Call call;
    call.AddMetadata("hostq-actor", absl::StrCat("user", ++asked));
    v1::GetNodeRequest request;
    request.set_name("web1");
    v1::Node node;
    return FromGrpc(manager_.nodes().GetNode(&call, request, &node));
  };
  absl::Status status;
  for (int i = 0; i < 1'000'000 && status.ok(); ++i) status = ask();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), Reason::kRateLimited) << status;
  EXPECT_GT(RetryDelayOf(status), absl::ZeroDuration());
  EXPECT_TRUE(modest.ListNodes().ok());
  absl::SleepFor(RetryDelayOf(status));
  EXPECT_TRUE(ask().ok());
}

}  // namespace
}  // namespace hostq::manager::testing
