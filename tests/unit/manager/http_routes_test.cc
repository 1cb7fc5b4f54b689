// Every method of the API has a route or a reason for having none; requests of HTTP find theirs and
// become the messages that they mean, or an error that says what is wrong with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "google/protobuf/descriptor.h"
#include "hostq/v1/audit_service.pb.h"
#include "hostq/v1/command_service.pb.h"
#include "hostq/v1/event_service.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "manager/api/authorization.h"
#include "manager/http/binding.h"
#include "manager/http/routes.h"
#include "manager/http/target.h"

namespace hostq::manager {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using ::testing::HasSubstr;

const MethodDescriptor* MethodOf(absl::string_view rpc) {
  return DescriptorPool::generated_pool()->FindMethodByName(std::string(rpc));
}

TEST(RoutesTest, EveryMethodHasARouteOrAReasonForNone) {
  std::multiset<std::string> wanted, found;
  // A test of authorization_test.cc shows that this table has all methods.
  for (const MethodRule& rule : MethodRules()) {
    if (rule.method.find("hostq.v1.") == 0) wanted.insert(std::string(rule.method));
  }
  for (const Route& route : Routes()) found.insert(std::string(route.rpc));
  for (const NotInRest& method : MethodsNotInRest()) {
    EXPECT_FALSE(method.why.empty());
    found.insert(std::string(method.rpc));
  }
  EXPECT_EQ(found, wanted);
}

TEST(RoutesTest, WhatIsForTheSocketOnlyHasNone) {
  for (const Route& route : Routes()) EXPECT_FALSE(FindRule(route.rpc)->local_only) << route.rpc;
}

TEST(RoutesTest, PathsAreUnambiguousAndTheirFieldsAreTexts) {
  std::set<std::string> seen;
  for (const Route& route : Routes()) {
    EXPECT_TRUE(seen.insert(absl::StrCat(route.method, " ", route.path)).second) << route.path;
    const MethodDescriptor* method = MethodOf(route.rpc);
    ASSERT_NE(method, nullptr) << route.rpc;
    for (absl::string_view rest = route.path; rest.find('{') != absl::string_view::npos;) {
      rest.remove_prefix(rest.find('{') + 1);
      const std::string name(rest.substr(0, rest.find('}')));
      const FieldDescriptor* field = method->input_type()->FindFieldByName(name);
      ASSERT_NE(field, nullptr) << route.path;
      EXPECT_EQ(field->cpp_type(), FieldDescriptor::CPPTYPE_STRING) << route.path;
      EXPECT_EQ(field->json_name(), name) << route.path;
    }
    if (!route.made.empty()) {
      const auto response = std::unique_ptr<google::protobuf::Message>(
          google::protobuf::MessageFactory::generated_factory()
              ->GetPrototype(method->output_type())
              ->New());
      EXPECT_EQ(FillIn(route.made, *response), "") << route.path;
    }
  }
}

TEST(RoutesTest, FindsByMethodAndPath) {
  auto match = FindRoute("GET", "/v1/commands/05a40e6j01y6a");
  ASSERT_TRUE(match.ok());
  EXPECT_EQ(match->route->rpc, "hostq.v1.CommandService.GetCommand");
  EXPECT_EQ(match->fields[0].second, "05a40e6j01y6a");
  EXPECT_EQ(FindRoute("HEAD", "/v1/nodes")->route->rpc, "hostq.v1.NodeService.ListNodes");
  EXPECT_EQ(FindRoute("POST", "/v1/nodes")->route->rpc, "hostq.v1.NodeService.CreateNode");
  EXPECT_EQ(FindRoute("POST", "/v1/nodes/web1:pause")->fields[0].second, "web1");
  EXPECT_EQ(FindRoute("GET", "/v1/audit/head")->route->rpc, "hostq.v1.AuditService.GetAuditHead");
  EXPECT_EQ(FindRoute("GET", "/v1/accounts/a%2Fb%3Ac")->fields[0].second, "a/b:c");
}

TEST(RoutesTest, SaysWhyThereIsNone) {
  for (const char* path :
       {"/v1/", "/v1/nothing", "/v1/commands/", "/v1/commands/a/b/c", "/v1/commands/a:fly",
        "/v1//commands", "/v1/commands/../nodes", "/v1/nodes/:pause"}) {
    EXPECT_EQ(ReasonOf(FindRoute("GET", path).status()), Reason::kUnknownRoute) << path;
    EXPECT_EQ(AllowedMethods(path), "") << path;
  }
  // A name may be "..": it is a name, and no way through folders.
  EXPECT_EQ(FindRoute("GET", "/v1/commands/..")->fields[0].second, "..");
  EXPECT_EQ(ReasonOf(FindRoute("DELETE", "/v1/commands").status()), Reason::kMethodNotAllowed);
  EXPECT_EQ(ReasonOf(FindRoute("GET", "/v1/nodes/web1:pause").status()), Reason::kMethodNotAllowed);
  EXPECT_EQ(AllowedMethods("/v1/commands"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(AllowedMethods("/v1/nodes/web1"), "GET, HEAD, DELETE, OPTIONS");
  EXPECT_EQ(ReasonOf(FindRoute("GET", "/v1/nodes/%zz").status()), Reason::kInvalidArgument);
}

TEST(TargetTest, Parses) {
  const auto target = ParseTarget("/v1/audit?act=a%20b+c&actor=%C3%A9&empty&x=1&x=2");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->path, "/v1/audit");
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"act", "a b c"}, {"actor", "\xc3\xa9"}, {"empty", ""}, {"x", "1"}, {"x", "2"}};
  EXPECT_EQ(target->query, expected);
}

TEST(TargetTest, RefusesWhatIsNone) {
  for (const char* text :
       {"", "v1", "*", "https://other/v1/nodes", "/a b", "/a\x01", "/a#b", "/a\\b", "/\xc3\xa9",
        "/v1/audit?act=%", "/v1/audit?act=%1", "/v1/audit?act=%gg", "/v1/audit?act=%00",
        "/v1/audit?act=%0d%0a", "/v1/audit?act=%ff", "/v1/audit?%c0%80=1"}) {
    const auto target = ParseTarget(text);
    EXPECT_EQ(ReasonOf(target.status()), Reason::kInvalidArgument) << text;
  }
}

absl::StatusOr<std::string> Bound(const std::string& method, const std::string& target,
                                  const std::string& body = "", HttpHeaders headers = {}) {
  const HttpTarget parsed = *ParseTarget(target);
  const RouteMatch match = *FindRoute(method, parsed.path);
  HttpRequest request;
  request.body = body;
  request.headers = std::move(headers);
  if (!body.empty() && !request.Has("content-type")) {
    request.headers.emplace_back("content-type", "application/json; charset=utf-8");
  }
  auto message = BindRequest(*MethodOf(match.route->rpc)->input_type(), match, parsed, request);
  if (!message.ok()) return message.status();
  return (*message)->ShortDebugString();
}

TEST(BindingTest, TakesBodyPathQueryAndKey) {
  EXPECT_EQ(*Bound("GET", "/v1/commands?pageSize=10&activeOnly=true&resourceKey=account/a.b"),
            "page_size: 10 active_only: true resource_key: \"account/a.b\"");
  EXPECT_EQ(*Bound("GET", "/v1/findings?reason=NODE_OFFLINE"), "reason: NODE_OFFLINE");
  EXPECT_EQ(*Bound("GET", "/v1/events?sinceSequence=9007199254740993"),
            "since_sequence: 9007199254740993");
  EXPECT_EQ(*Bound("GET", "/v1/audit?startTime=2026-01-02T03:04:05Z"),
            "start_time { seconds: 1767323045 }");
  EXPECT_EQ(*Bound("DELETE", "/v1/nodes/web1?force=true"), "name: \"web1\" force: true");
  EXPECT_EQ(*Bound("POST", "/v1/nodes/web1:pause", R"({"note": "x", "drain": true})"),
            "name: \"web1\" note: \"x\" drain: true");
  EXPECT_EQ(*Bound("POST", "/v1/nodes/web1:pause", R"({"name": "web1"})"), "name: \"web1\"");
  EXPECT_EQ(*Bound("POST", "/v1/nodes/web1:resume"), "name: \"web1\"");
  EXPECT_EQ(*Bound("POST", "/v1/commands", "{}", {{"idempotency-key", "k"}}), "request_id: \"k\"");
  EXPECT_EQ(*Bound("POST", "/v1/commands", R"({"requestId": "k"})", {{"idempotency-key", "k"}}),
            "request_id: \"k\"");
}

TEST(BindingTest, SaysWhatIsWrongWhere) {
  struct Case {
    const char* method;
    const char* target;
    const char* body;
    HttpHeaders headers;
    const char* message;
  };
  const Case cases[] = {
      {"GET", "/v1/commands?page_size=1", "", {}, "no parameter page_size here; there is pageSize"},
      {"GET", "/v1/commands?pageSize=x", "", {}, "query: "},
      {"GET", "/v1/commands?pageSize=99999999999", "", {}, "query: "},
      {"GET", "/v1/commands?pageSize=1&pageSize=2", "", {}, "pageSize: is there twice"},
      {"GET", "/v1/commands?activeOnly=yes", "", {}, "activeOnly: is neither true nor false"},
      {"GET", "/v1/findings?reason=NOPE", "", {}, "reason"},
      {"GET", "/v1/nodes/web1?name=web2", "", {}, "name: is not the same in the path"},
      {"GET", "/v1/commands", "{}", {}, "body: GET takes none"},
      {"POST", "/v1/commands?validateOnly=true", "{}", {}, "parameters of POST are in the body"},
      {"POST", "/v1/commands", "[]", {}, "is not an object"},
      {"POST", "/v1/commands", "{", {}, "is not JSON"},
      {"POST", "/v1/commands", "{'a': 1}", {}, "is not JSON"},
      {"POST", "/v1/commands", "{\"requestId\": \"\xff\"}", {}, "is not JSON"},
      {"POST", "/v1/commands", R"({"spec": {"bindAddres": {}}})", {}, "bindAddres"},
      {"POST", "/v1/commands", R"({"priority": "high"})", {}, "priority"},
      {"POST",
       "/v1/commands",
       R"({"requestId": "a"})",
       {{"idempotency-key", "b"}},
       "requestId: is"},
      {"POST", "/v1/commands", "{}", {{"idempotency-key", ""}}, "idempotency-key: must"},
      {"POST", "/v1/nodes/web1:pause", R"({"name": "web2"})", {}, "name: is not the same"},
  };
  for (const Case& each : cases) {
    const auto bound = Bound(each.method, each.target, each.body, each.headers);
    EXPECT_EQ(ReasonOf(bound.status()), Reason::kInvalidArgument) << each.target << each.body;
    EXPECT_THAT(std::string(bound.status().message()), HasSubstr(each.message)) << each.target;
  }
  for (const HttpHeaders& headers :
       {HttpHeaders{{"content-type", "text/plain"}}, HttpHeaders{{"content-type", ""}},
        HttpHeaders{{"content-type", "application/json"}, {"content-encoding", "gzip"}}}) {
    EXPECT_EQ(ReasonOf(Bound("POST", "/v1/commands", "{}", headers).status()),
              Reason::kUnsupportedMediaType);
  }
}

// Recursion is what a parser dies of.
TEST(BindingTest, DeepBodiesAreRefused) {
  const std::string deep =
      absl::StrCat("{\"spec\":", std::string(100'000, '['), std::string(100'000, ']'), "}");
  EXPECT_FALSE(Bound("POST", "/v1/commands", deep).ok());
  std::string objects;
  for (int i = 0; i < 50'000; ++i) objects += "{\"spec\":";
  EXPECT_FALSE(Bound("POST", "/v1/commands", objects + "1" + std::string(50'000, '}')).ok());
}

TEST(BindingTest, JsonHasDefaultsAndBigNumbersAsTexts) {
  v1::Event event;
  event.set_sequence(9007199254740993);
  const std::string json = *ToJson(event);
  EXPECT_THAT(json, HasSubstr(R"("sequence":"9007199254740993")"));
  EXPECT_THAT(json, HasSubstr(R"("type":"TYPE_UNSPECIFIED")"));
  EXPECT_THAT(json, HasSubstr(R"("commandId":"")"));
  event.mutable_time()->set_seconds(int64_t{1} << 60);
  EXPECT_EQ(ReasonOf(ToJson(event).status()), Reason::kInternal);
}

TEST(BindingTest, EntityTags) {
  const std::string tag = EntityTag("body");
  EXPECT_EQ(tag, EntityTag("body"));
  EXPECT_NE(tag, EntityTag("other"));
  EXPECT_TRUE(NamesTag(tag, tag));
  EXPECT_TRUE(NamesTag("*", tag));
  EXPECT_TRUE(NamesTag(absl::StrCat("\"a\", W/", tag), tag));
  EXPECT_FALSE(NamesTag("", tag));
  EXPECT_FALSE(NamesTag("\"a\"", tag));
}

}  // namespace
}  // namespace hostq::manager
