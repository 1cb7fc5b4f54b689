// What balancers are told, when, and by which command: with what changes the accounts' addresses,
// and by a command of the manager's own when a node comes, goes, is drained, or a command that was
// to tell them is withdrawn.
#include "cluster_harness.h"

namespace hostq::manager {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ClusterBalancingTest : public ClusterHarness {
 protected:
  ClusterBalancingTest() {
    ThreeNodes();
    HomeShare();
    for (const char* name : {"web1", "web2"}) Admit(name);
    AddNode("lb", "[BALANCER]", "10.0.0.2");
    Join("lb");
    Admit("lb");
    Finish(Submitted(own_.back()), Outcome::kSucceeded);
    own_.clear();
  }

  static agent::v1::BalancingTable TableOf(const std::string& bytes) {
    agent::v1::Work work;
    EXPECT_TRUE(work.ParseFromString(bytes));
    return work.balancing();
  }
  static std::string Servers(const agent::v1::BalancingTable& table) {
    return absl::StrJoin(table.servers(), " ", [](std::string* out, const v1::RealServer& server) {
      absl::StrAppend(out, server.node(), ":", server.weight());
    });
  }
  // The summaries of the manager's own commands since the last call.
  std::vector<std::string> Own() {
    std::vector<std::string> summaries;
    for (const PlannedCommand& plan : own_) {
      if (plan.kind == "set_balancing") summaries.push_back(Summary(plan));
    }
    own_.clear();
    return summaries;
  }

  const std::string own_one = "set_balancing balancer/services: 0:lb; supersedes set_balancing";
};

TEST_F(ClusterBalancingTest, ComesLastWithWhatAddsAnAddressAndFirstWithWhatTakesIt) {
  const auto create = Plan(Create("a.example", "a", "203.0.113.10"));
  EXPECT_EQ(Summary(*create), "create_account account/a.example: 0:storage1 1:web1 1:web2 2:lb");
  const agent::v1::BalancingTable table = TableOf(create->work);
  EXPECT_THAT(table.addresses(), ElementsAre("203.0.113.10"));
  EXPECT_THAT(table.balancers(), ElementsAre("10.0.0.2"));
  EXPECT_EQ(Servers(table), "web1:1 web2:1");
  EXPECT_EQ(table.settings().scheduler(), "wlc");
  EXPECT_THAT(table.settings().ports(), ElementsAre(25, 80, 110, 143, 443, 587, 993, 995));
  Finish(Submitted(*create), Outcome::kSucceeded);

  const auto add = Plan("add_account_address { domain: 'a.example' address: '203.0.113.11' }");
  EXPECT_EQ(Summary(*add), "add_account_address account/a.example: 0:web1 0:web2 1:lb");
  EXPECT_GT(TableOf(add->work).revision(), table.revision());
  Finish(Submitted(*add), Outcome::kSucceeded);
  EXPECT_EQ(SummaryOf("remove_account_address { domain: 'a.example' address: '203.0.113.11' }"),
            "remove_account_address account/a.example: 0:lb 1:web1 1:web2");
  EXPECT_EQ(SummaryOf("delete_account { domain: 'a.example' }"),
            "delete_account account/a.example: 0:lb 1:web1 1:web2 2:storage1; supersedes *");
}

TEST_F(ClusterBalancingTest, IsNotAskedForAnAddressThatItHas) {
  Do(Create("a.example", "a", "203.0.113.10"));
  EXPECT_EQ(SummaryOf(Create("b.example", "b", "203.0.113.10")),
            "create_account account/b.example: 0:storage1 1:web1 1:web2");
  EXPECT_EQ(SummaryOf("delete_account { domain: 'b.example' }"),
            "delete_account account/b.example: 0:web1 0:web2 1:storage1; supersedes *");
}

TEST_F(ClusterBalancingTest, IsAskedAgainWhileAnEarlierTableIsNotDone) {
  const Command first = Submitted(Create("a.example", "a", "203.0.113.10"));
  const auto second = Plan(Create("b.example", "b", "203.0.113.10"));
  EXPECT_EQ(second->tasks.back().node, "lb");
  EXPECT_EQ(TableOf(second->work).revision(), TableOf(first.work).revision());
  Finish(Submitted(*second), Outcome::kSucceeded);
  EXPECT_EQ(Plan(Create("c.example", "c", "203.0.113.10"))->tasks.back().node, "web2");
}

TEST_F(ClusterBalancingTest, NodeOfSeveralRolesHasOneTask) {
  Stored(*cluster_->RemoveNode("lb", 0, false, "root"));
  AddNode("all", "[APP, STORAGE, BALANCER]", "10.0.0.20");
  const auto create = Plan(Create("a.example", "a", "203.0.113.10"));
  EXPECT_EQ(Summary(*create), "create_account account/a.example: 0:all 0:storage1 1:web1 1:web2");
  EXPECT_THAT(TableOf(create->work).addresses(), ElementsAre("203.0.113.10"));
}

TEST_F(ClusterBalancingTest, OnlyOneBalancer) {
  storage::v1::Token token;
  token.set_id("t");
  token.set_secret_hash("hash");
  token.mutable_expire_time()->set_seconds(2'000'000'000);
  const auto request =
      FromText<v1::CreateNodeRequest>("name: 'lb2' address: '10.0.0.3' roles: [BALANCER]");
  EXPECT_EQ(CodeOf(cluster_->AddNode(request, token, "root", now_).status()),
            "FAILED_PRECONDITION BALANCER_EXISTS");
  Stored(*cluster_->RemoveNode("lb", 0, false, "root"));
  EXPECT_TRUE(cluster_->AddNode(request, token, "root", now_).ok());
}

TEST_F(ClusterBalancingTest, SecondAddressIsOfTheOtherFamilyAndNobodyElses) {
  const auto add = [&](const std::string& name, const std::string& address,
                       const std::string& second) {
    storage::v1::Token token;
    token.set_id(absl::StrCat("t", name));
    token.set_secret_hash("hash");
    token.mutable_expire_time()->set_seconds(2'000'000'000);
    const auto changes = cluster_->AddNode(FromText<v1::CreateNodeRequest>(absl::StrCat(
                                               "name: '", name, "' address: '", address,
                                               "' second_address: '", second, "' roles: [APP]")),
                                           token, "root", now_);
    if (changes.ok()) Stored(*changes);
    return CodeOf(changes.status());
  };
  EXPECT_EQ(add("web3", "10.0.0.13", "10.0.0.14"), "INVALID_ARGUMENT INVALID_ADDRESS");
  EXPECT_EQ(add("web3", "10.0.0.13", "fe80::1"), "INVALID_ARGUMENT INVALID_ADDRESS");
  EXPECT_EQ(add("web3", "10.0.0.13", "2001:db8::13"), "OK");
  EXPECT_EQ(add("web4", "2001:db8::13", ""), "ALREADY_EXISTS NODE_EXISTS");
  EXPECT_EQ(Refusal(Create("a.example", "a", "2001:db8::13")),
            "FAILED_PRECONDITION ADDRESS_RESERVED");
  Join("web3");
  Admit("web3");
  const auto table = TableOf(own_.back().work);
  EXPECT_THAT(table.servers(2).addresses(), ElementsAre("10.0.0.13", "2001:db8::13"));
}

TEST_F(ClusterBalancingTest, TellsTheAppNodesWhoBalances) {
  EXPECT_THAT(Work(Create("a.example", "a")).create_account().account().balancers(),
              ElementsAre("10.0.0.2"));
  EXPECT_THAT(Work("bind_address { address: '203.0.113.99' }").bind_address().balancers(),
              ElementsAre("10.0.0.2"));
  EXPECT_THAT(Work("preflight {}").preflight().balancers(), ElementsAre("10.0.0.2"));
  own_.clear();
  Stored(*cluster_->RemoveNode("lb", 0, false, "root"));
  EXPECT_THAT(Own(), IsEmpty()) << "nobody to be told";
  AddNode("lb2", "[BALANCER]", "10.0.0.3");
  Join("lb2");
  Admit("lb2");
  EXPECT_THAT(Own(), ElementsAre("set_balancing balancer/services: 0:lb2 0:web1 0:web2; "
                                 "supersedes set_balancing"));
}

TEST_F(ClusterBalancingTest, NodesComeAndGo) {
  now_.wall += absl::Hours(1);
  AddNode("web3", "[APP]", "10.0.0.13");
  Join("web3");
  EXPECT_THAT(Own(), IsEmpty()) << "not before its preflight";
  Admit("web3");
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(Servers(TableOf(own_[0].work)), "web1:1 web2:1 web3:1");
  EXPECT_THAT(Own(), ElementsAre(own_one));
  Join("web3");  // again, with another certificate
  own_.clear();
  EXPECT_EQ(Servers(TableOf(Plan(Create("a.example", "a"))->work)), "web1:1 web2:1 web3:1")
      << "it serves meanwhile";
  Stored(*cluster_->RemoveNode("web3", 0, false, "root"));
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(Servers(TableOf(own_[0].work)), "web1:1 web2:1");
}

TEST_F(ClusterBalancingTest, NodeThatMissesAccountsBeginsWithWeightZero) {
  Do(Create("a.example", "a"));
  now_.wall += absl::Hours(1);
  AddNode("web3", "[APP]", "10.0.0.13");
  Join("web3");
  Admit("web3");
  EXPECT_EQ(Servers(TableOf(own_.back().work)), "web1:1 web2:1 web3:0");
  const auto plan = Plan("set_balancing { weights { node: 'web3' weight: 2 } }");
  EXPECT_EQ(Summary(*plan), own_one);
  EXPECT_EQ(Servers(TableOf(plan->work)), "web1:1 web2:1 web3:2");
}

TEST_F(ClusterBalancingTest, DrainIsWeightZeroUntilItIsResumed) {
  Stored(*cluster_->PauseNode("web1", "x", "root", now_));
  EXPECT_THAT(Own(), IsEmpty()) << "only paused";
  Stored(*cluster_->PauseNode("web1", "x", "root", now_, true));
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(Servers(TableOf(own_[0].work)), "web1:0 web2:1");
  own_.clear();
  Stored(*cluster_->ResumeNode("web1", "root"));
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(Servers(TableOf(own_[0].work)), "web1:1 web2:1");
}

TEST_F(ClusterBalancingTest, WhatWasWithdrawnIsToldWithoutIt) {
  const Command create = Submitted(Create("a.example", "a"));
  Finish(create, Outcome::kCancelled, 0);
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(TableOf(own_[0].work).addresses_size(), 0);
  EXPECT_GT(TableOf(own_[0].work).revision(), TableOf(create.work).revision());
  const Command set = Submitted(own_[0]);
  own_.clear();
  Finish(set, Outcome::kCancelled, 0);
  EXPECT_THAT(Own(), IsEmpty()) << "who cancels that one means it";
}

TEST_F(ClusterBalancingTest, SettingsStayUntilTheyAreChanged) {
  Do("set_balancing { ports: [443, 80, 80] scheduler: 'rr' persistence_seconds: 300 }");
  Reload();
  const auto table = TableOf(Plan("set_balancing { forwarding: TUNNEL }")->work);
  EXPECT_EQ(table.settings().ShortDebugString(),
            "ports: 80 ports: 443 scheduler: \"rr\" persistence_seconds: 300 forwarding: TUNNEL");
  const v1::Balancing shown = cluster_->ShowBalancing();
  EXPECT_THAT(shown.balancers(), ElementsAre("lb"));
  EXPECT_EQ(shown.revision(), table.revision());
  EXPECT_EQ(shown.confirmed_revision(), table.revision() - 1);
  EXPECT_EQ(TableOf(Plan("set_balancing { persistence_seconds: 0 }")->work)
                .settings()
                .persistence_seconds(),
            0u);
}

TEST_F(ClusterBalancingTest, BadSettingsAreRefused) {
  for (const char* spec : {
           "set_balancing { ports: [80, 0] }",
           "set_balancing { ports: 65536 }",
           "set_balancing { scheduler: 'best' }",
           "set_balancing { persistence_seconds: 86401 }",
           "set_balancing { weights { node: 'web1' weight: 65536 } }",
           "set_balancing { weights { node: 'storage1' weight: 1 } }",
       }) {
    EXPECT_EQ(Refusal(spec), "INVALID_ARGUMENT INVALID_ARGUMENT") << spec;
  }
  std::string many = "set_balancing {";
  for (int port = 1; port <= 65; ++port) absl::StrAppend(&many, " ports: ", port);
  EXPECT_EQ(Refusal(many + " }"), "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(Refusal("set_balancing { weights { node: 'web9' weight: 1 } }"),
            "NOT_FOUND UNKNOWN_NODE");
  EXPECT_EQ(Refusal("set_balancing {}", {"lb"}), "INVALID_ARGUMENT INVALID_ARGUMENT");
  Stored(*cluster_->RemoveNode("lb", 0, false, "root"));
  EXPECT_EQ(Refusal("set_balancing {}"), "FAILED_PRECONDITION NO_TARGETS");
}

// A store restored from a backup does not know what has been given since; but time has passed.
TEST_F(ClusterBalancingTest, RevisionsBeginAtTheFloor) {
  const uint64_t before = TableOf(Plan("set_balancing {}")->work).revision();
  Cluster::Options options = options_;
  options.revision_floor = before + 1000;
  auto loaded = *Cluster::Load(options, cluster_->Rows());
  agent::v1::Work work;
  work.ParseFromString(loaded->Plan(FromText<v1::CommandSpec>("set_balancing {}"), {}, now_)->work);
  EXPECT_EQ(work.balancing().revision(), before + 1000);
}

}  // namespace
}  // namespace hostq::manager
