// Goal: a scope grants what it says and nothing else. Method: tables.
#include "manager/access/scope.h"

#include <gtest/gtest.h>

#include "common/base/error.h"

namespace hostq::manager {
namespace {

Scope Parsed(const std::string& text) {
  const auto scope = ParseScope(text);
  EXPECT_TRUE(scope.ok()) << text << ": " << scope.status();
  return scope.ok() ? *scope : Scope();
}

Rights Of(const std::vector<std::string>& scopes, bool own = false) {
  Rights rights;
  for (const std::string& text : scopes) rights.scopes.push_back(Parsed(text));
  rights.own_accounts = own;
  rights.key_id = "abc";
  rights.actor = "key/billing";
  rights.create_time = absl::FromUnixSeconds(1000);
  return rights;
}

Subject Command(const std::string& kind, const std::vector<std::string>& nodes,
                const std::string& account = "", const std::string& account_key = "") {
  Subject subject;
  subject.kind = kind;
  subject.nodes = nodes;
  subject.account = account;
  subject.account_key = account_key;
  return subject;
}

TEST(ScopeTest, TextsAreParsedAndWrittenBack) {
  for (const auto& [text, normal] : std::vector<std::pair<std::string, std::string>>{
           {"read", "read"},
           {"read:", "read"},
           {"read:*:*:*", "read"},
           {"submit:create_account", "submit:create_account"},
           {"submit:b,a,b", "submit:a,b"},
           {"act::web*", "act::web*"},
           {"submit:*:*:*.example.com", "submit:::*.example.com"},
           {"operate:create_account,*", "operate"},
           {"admin", "admin"},
           {"admin:*", "admin"}}) {
    EXPECT_EQ(Parsed(text).text(), normal);
    EXPECT_EQ(Parsed(normal), Parsed(text));
  }
}

TEST(ScopeTest, WrongTextsAreRefusedWithTheReason) {
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"", "no verb"},
           {"write", "no verb"},
           {"READ", "no verb"},
           {"read:a:b:c:d", "too many parts"},
           {"read:a,,b", "empty name"},
           {"read:A", "no name"},
           {"read:a b", "no name"},
           {"read:::exa/mple", "no name"},
           {"admin:create_account", "cannot be limited"},
           {"read:" + std::string(3000, 'a'), "too long"}}) {
    const auto scope = ParseScope(text);
    EXPECT_EQ(ReasonOf(scope.status()), Reason::kInvalidArgument) << text;
    EXPECT_NE(scope.status().message().find(part), absl::string_view::npos) << scope.status();
  }
  std::string many = "read:a0";
  for (int i = 1; i < 102; ++i) many += ",a" + std::to_string(i);
  EXPECT_FALSE(ParseScope(many).ok());
}

TEST(ScopeTest, StarsStandForAnything) {
  for (const auto& [pattern, name, matches] :
       std::vector<std::tuple<std::string, std::string, bool>>{
           {"*", "", true},
           {"*", "a", true},
           {"web*", "web1", true},
           {"web*", "web", true},
           {"web*", "xweb", false},
           {"*.example.com", "a.example.com", true},
           {"*.example.com", "example.com", false},
           {"*.example.com", "a.example.com.evil.net", false},
           {"a*b*c", "aXbYbZc", true},
           {"a*b*c", "aXbYbZ", false},
           {"", "", true},
           {"", "a", false},
           {"a.c", "abc", false},
           {std::string(50, '*') + "b", std::string(5000, 'a'), false}}) {
    EXPECT_EQ(MatchesName(pattern, name), matches) << pattern << " " << name;
  }
}

TEST(ScopeTest, WhatWasBeforeAnAccountWasMadeIsAnothers) {
  const Rights own = Of({"read"}, true);
  Subject subject = Command("suspend_account", {"web1"}, "a.example", "abc");
  subject.account_create_time = absl::FromUnixSeconds(2000);
  EXPECT_TRUE(Allows(own, Verb::kRead, subject)) << "no command yet";
  subject.actor = "key/other";
  subject.create_time = absl::FromUnixSeconds(2000);
  EXPECT_TRUE(Allows(own, Verb::kRead, subject));
  subject.create_time -= absl::Microseconds(1);
  EXPECT_FALSE(Allows(own, Verb::kRead, subject));
  subject.actor = own.actor;
  EXPECT_TRUE(Allows(own, Verb::kRead, subject)) << "its own command all the same";
}

TEST(ScopeTest, NothingIsGrantedByDefault) {
  const Rights none = Of({});
  for (const Verb verb :
       {Verb::kNone, Verb::kRead, Verb::kSubmit, Verb::kAct, Verb::kOperate, Verb::kAdmin}) {
    EXPECT_FALSE(HasVerb(none, verb));
    EXPECT_FALSE(AllowsEverything(none, verb));
    EXPECT_FALSE(Allows(none, verb, {}));
  }
  EXPECT_FALSE(HasVerb(Of({"admin"}), Verb::kNone));
}

TEST(ScopeTest, VerbsAreApartAndAdminIsAll) {
  EXPECT_TRUE(HasVerb(Of({"read"}), Verb::kRead));
  EXPECT_FALSE(HasVerb(Of({"read"}), Verb::kSubmit));
  EXPECT_FALSE(HasVerb(Of({"submit", "act", "operate"}), Verb::kRead));
  for (const Verb verb : {Verb::kRead, Verb::kSubmit, Verb::kAct, Verb::kOperate, Verb::kAdmin}) {
    EXPECT_TRUE(AllowsEverything(Of({"admin"}), verb));
    EXPECT_FALSE(AllowsEverything(Of({"read:a", "submit::web1", "act:::a.b"}), verb));
  }
}

TEST(ScopeTest, KindsNodesAndAccountsLimit) {
  const Rights kinds = Of({"submit:create_account,set_*"});
  EXPECT_TRUE(Allows(kinds, Verb::kSubmit, Command("create_account", {"web1"})));
  EXPECT_TRUE(Allows(kinds, Verb::kSubmit, Command("set_quota", {"web1"})));
  EXPECT_FALSE(Allows(kinds, Verb::kSubmit, Command("delete_account", {"web1"})));
  EXPECT_FALSE(Allows(kinds, Verb::kSubmit, Command("", {"web1"})));

  const Rights nodes = Of({"submit::web*"});
  EXPECT_TRUE(Allows(nodes, Verb::kSubmit, Command("bind_address", {"web1", "web2"})));
  EXPECT_FALSE(Allows(nodes, Verb::kSubmit, Command("bind_address", {"web1", "storage1"})));
  EXPECT_TRUE(AllowsSome(nodes, Verb::kSubmit, Command("bind_address", {"web1", "storage1"})));
  EXPECT_FALSE(Allows(nodes, Verb::kSubmit, Command("bind_address", {})));
  EXPECT_TRUE(AllowsNode(nodes, Verb::kSubmit, {}, "web9"));
  EXPECT_FALSE(AllowsNode(nodes, Verb::kSubmit, {}, "storage1"));

  const Rights accounts = Of({"submit:::*.a.example"});
  EXPECT_TRUE(Allows(accounts, Verb::kSubmit, Command("create_account", {}, "x.a.example")));
  EXPECT_FALSE(Allows(accounts, Verb::kSubmit, Command("create_account", {}, "x.b.example")));
  EXPECT_FALSE(Allows(accounts, Verb::kSubmit, Command("bind_address", {"web1"})));
  EXPECT_FALSE(AllowsBeyondAccounts(accounts, Verb::kSubmit));
}

// Two scopes do not add up to one that neither is.
TEST(ScopeTest, OneScopeMustGrantAllOfIt) {
  const Rights rights = Of({"submit:a:web1", "submit:b:web2"});
  EXPECT_TRUE(Allows(rights, Verb::kSubmit, Command("a", {"web1"})));
  EXPECT_FALSE(Allows(rights, Verb::kSubmit, Command("a", {"web2"})));
  EXPECT_FALSE(Allows(rights, Verb::kSubmit, Command("a", {"web1", "web2"})));
}

TEST(ScopeTest, OwnAccountsAreThoseItCreated) {
  const Rights own = Of({"read", "submit"}, true);
  EXPECT_TRUE(Allows(own, Verb::kSubmit, Command("create_account", {}, "a.example", "abc")));
  EXPECT_FALSE(Allows(own, Verb::kSubmit, Command("create_account", {}, "a.example", "other")));
  EXPECT_FALSE(Allows(own, Verb::kSubmit, Command("create_account", {}, "a.example", "")));
  EXPECT_FALSE(AllowsEverything(own, Verb::kRead));
  EXPECT_TRUE(AllowsAccount(own, Verb::kRead, "a.example", "abc"));
  EXPECT_FALSE(AllowsAccount(own, Verb::kRead, "a.example", ""));
  // What it submitted itself stays its own when the account is gone; what another key of the same
  // name did before does not become it.
  Subject gone = Command("delete_account", {}, "a.example");
  gone.actor = "key/billing";
  gone.create_time = absl::FromUnixSeconds(2000);
  EXPECT_TRUE(Allows(own, Verb::kRead, gone));
  gone.create_time = absl::FromUnixSeconds(500);
  EXPECT_FALSE(Allows(own, Verb::kRead, gone));
}

TEST(ScopeTest, WhatIsThereOfAnAccountIsSeenOnTheNodesOfItsScope) {
  const auto on = [](const Rights& rights, const char* domain, const char* node) {
    return AllowsAccountOn(rights, Verb::kRead, domain, "abc", node);
  };
  const Rights some = Of({"read::web1:*.example", "read:create_account:web2:b.example"});
  EXPECT_TRUE(on(some, "a.example", "web1"));
  EXPECT_FALSE(on(some, "a.example", "web2"));
  EXPECT_TRUE(on(some, "b.example", "web2")) << "kinds are not looked at";
  EXPECT_FALSE(on(some, "a.test", "web1"));
  EXPECT_TRUE(on(Of({"read"}, true), "a.example", "web1"));
  EXPECT_FALSE(AllowsAccountOn(Of({"read"}, true), Verb::kRead, "a.example", "other", "web1"));
  EXPECT_FALSE(on(Of({"submit"}), "a.example", "web1"));
}

TEST(ScopeTest, AdministratorsAreNotLimited) {
  Rights all;
  all.unlimited = true;
  EXPECT_TRUE(AllowsEverything(all, Verb::kAdmin));
  EXPECT_TRUE(Allows(all, Verb::kSubmit, {}));
  EXPECT_TRUE(AllowsAccount(all, Verb::kRead, "a.example", "abc"));
  EXPECT_TRUE(AllowsAccountOn(all, Verb::kRead, "a.example", "abc", "web1"));
}

}  // namespace
}  // namespace hostq::manager
