// What is stored is what is read back; what cannot be read is refused, not skipped.
#include "cluster_harness.h"

namespace hostq::manager {
namespace {

using testing::HasSubstr;

class ClusterLoadTest : public ClusterHarness {
 protected:
  static std::string LoadCode(const std::vector<ResourceChange>& rows,
                              Cluster::Options options = {"test", "10.0.0.1", 7443, 1, 2}) {
    return CodeOf(Cluster::Load(std::move(options), rows).status());
  }
};

TEST_F(ClusterLoadTest, EverythingComesBack) {
  ThreeNodes();
  HomeShare();
  Do(Create("a.example", "a"));
  Do(Create("b.example", "b", "203.0.113.11", "uid: 20007"));
  Do("bind_address { address: '203.0.113.99' }");
  Do("suspend_account { domain: 'a.example' note: 'x' }");
  Do("delete_account { domain: 'b.example' }");
  Do("add_account_address { domain: 'a.example' address: '203.0.113.12' }");
  Submitted("remove_account_address { domain: 'a.example' address: '203.0.113.12' }");
  Stored(*cluster_->PauseNode("web1", "x", "root", now_));
  const std::vector<NodeState> before = cluster_->NodeStates();
  Reload();
  const std::vector<NodeState> after = cluster_->NodeStates();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].name, before[i].name);
    EXPECT_EQ(after[i].roles, before[i].roles);
    EXPECT_EQ(after[i].joined, before[i].joined);
    EXPECT_EQ(after[i].paused, before[i].paused);
    EXPECT_EQ(after[i].pause_time, before[i].pause_time);
  }
  // The indexes, too.
  EXPECT_EQ(Refusal(Create("c.example", "a")), "ALREADY_EXISTS USER_IN_USE");
  EXPECT_EQ(Refusal(Create("c.example", "c", "203.0.113.10", "uid: 20000")),
            "ALREADY_EXISTS UID_IN_USE");
  EXPECT_EQ(Refusal(Create("c.example", "c", "203.0.113.12")),
            "FAILED_PRECONDITION ADDRESS_IN_USE");
  EXPECT_EQ(Refusal("unmount_share { share: 'home' }"), "FAILED_PRECONDITION SHARE_IN_USE");
  EXPECT_EQ(Work(Create("c.example", "c")).create_account().account().uid(), 20001u);
}

TEST_F(ClusterLoadTest, PausesComeBack) {
  ThreeNodes();
  const PauseKey kind{PauseScope::kKind, "set_quota"};
  const PauseKey key{PauseScope::kResourceKey, "share/home"};
  const auto paused = cluster_->PauseCommands(kind, "upgrade", "alice", now_);
  ASSERT_TRUE(paused.ok()) << paused.status();
  ASSERT_EQ(paused->pauses.size(), 1u);
  EXPECT_EQ(paused->events.at(0).type, EventType::kPaused);
  EXPECT_EQ(paused->events.at(0).message, "kind set_quota: upgrade");
  Stored(*paused);
  Stored(*cluster_->PauseCommands(key, "moving it", "bob", now_));
  Reload();
  const auto pauses = cluster_->Pauses();
  ASSERT_EQ(pauses.size(), 2u);
  EXPECT_EQ(pauses.at(kind).actor, "alice");
  EXPECT_EQ(pauses.at(key).note, "moving it");
  EXPECT_EQ(pauses.at(key).time, now_.wall);
  Stored(*cluster_->ResumeCommands(kind, "alice"));
  EXPECT_TRUE(cluster_->ResumeCommands(kind, "alice")->events.empty());
  Reload();
  EXPECT_EQ(cluster_->Pauses().size(), 1u);
  const absl::Status unknown =
      cluster_->PauseCommands({PauseScope::kKind, "set_quotas"}, "x", "alice", now_).status();
  EXPECT_THAT(unknown.message(), HasSubstr("unsuspend_account"));
  for (const char* bad : {"", "share", "share/", "set_quota", "shares/home"}) {
    EXPECT_EQ(
        CodeOf(cluster_->PauseCommands({PauseScope::kResourceKey, bad}, "x", "a", now_).status()),
        "INVALID_ARGUMENT INVALID_ARGUMENT")
        << bad;
  }
  EXPECT_FALSE(cluster_->PauseCommands(kind, "", "alice", now_).ok());
}

TEST_F(ClusterLoadTest, AccountsArePaged) {
  ThreeNodes();
  HomeShare();
  for (const char* name : {"c", "a", "b"}) Do(Create(absl::StrCat(name, ".example"), name));
  const auto first = cluster_->AccountsAfter("", 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0]->account().domain(), "a.example");
  const auto second = cluster_->AccountsAfter(first[1]->account().domain(), 2);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0]->account().domain(), "c.example");
  EXPECT_TRUE(cluster_->AccountsAfter("c.example", 2).empty());
}

TEST_F(ClusterLoadTest, WrongOptions) {
  EXPECT_EQ(LoadCode({}), "OK");
  EXPECT_EQ(LoadCode({}, {"test", "manager.example", 1, 1, 2}), "INVALID_ARGUMENT INVALID_ADDRESS");
  EXPECT_EQ(LoadCode({}, {"test", "", 1, 1, 2}), "INVALID_ARGUMENT INVALID_ADDRESS");
  EXPECT_EQ(LoadCode({}, {"test", "127.0.0.1", 1, 3, 2}), "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(LoadCode({}, {"test", "127.0.0.1", 1, 0, 2}), "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ((*Cluster::Load({"test", "2001:DB8::0:1", 1, 1, 2}, {}))->options().quorum_address,
            "2001:db8::1");
}

TEST_F(ClusterLoadTest, WhatCannotBeReadIsRefused) {
  const std::string lost = "DATA_LOSS STORE_UNAVAILABLE";
  EXPECT_EQ(LoadCode({{"balancer", "x", ""}}), lost) << "of a newer version";
  EXPECT_EQ(LoadCode({{"cluster", "other", ""}}), lost);
  for (const char* kind : {"node", "account", "share", "address", "token"}) {
    EXPECT_EQ(LoadCode({{kind, "x", "\xff\xff\xff"}}), lost) << kind;
    EXPECT_EQ(LoadCode({{kind, "x", std::nullopt}}), lost) << kind;
    EXPECT_EQ(LoadCode({{kind, "x", ""}}), lost) << kind << ": under another key";
  }
  EXPECT_EQ(LoadCode({{"cluster", "counters", "\xff\xff\xff"}}), lost);
}

TEST_F(ClusterLoadTest, SameInputsGiveTheSameBytes) {
  ThreeNodes();
  HomeShare();
  auto other = *Cluster::Load(options_, cluster_->Rows());
  for (const std::string& spec : {Create("a.example", "a"), std::string("preflight {}"),
                                  std::string("delete_account { domain: 'a.example' }")}) {
    const auto mine = Plan(spec);
    if (spec[0] == 'd') break;
    const auto theirs = other->Plan(FromText<v1::CommandSpec>(spec), {}, now_);
    ASSERT_TRUE(mine.ok() && theirs.ok());
    EXPECT_EQ(mine->work, theirs->work);
    EXPECT_EQ(mine->spec, theirs->spec);
  }
}

}  // namespace
}  // namespace hostq::manager
