// What a node is brought that has joined, or lost something: in which parts, and what follows.
#include "cluster_harness.h"

namespace hostq::manager {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ClusterResyncTest : public ClusterHarness {
 protected:
  ClusterResyncTest() {
    ThreeNodes();
    HomeShare();
    Do(Create("a.example", "a"));
    Do(Create("b.example", "b", "203.0.113.11"));
    now_.wall += absl::Minutes(1);
    own_.clear();
  }

  // "1 mount_share share/home: 0:web3; supersedes ...", a line each.
  static std::vector<std::string> Parts(const PlannedCommand& plan) {
    std::vector<std::string> lines;
    for (const PlannedCommand& part : plan.parts) {
      lines.push_back(absl::StrCat(part.part_stage, " ", part.kind, " ", part.resource_key, ": ",
                                   absl::StrJoin(NodesOf(part), " ")));
    }
    return lines;
  }
  static std::vector<std::string> NodesOf(const PlannedCommand& plan) {
    std::vector<std::string> nodes;
    for (const PlannedTask& task : plan.tasks) nodes.push_back(task.node);
    return nodes;
  }
  // The one that the manager made since the last call.
  PlannedCommand Own() {
    std::vector<PlannedCommand> resyncs;
    for (const PlannedCommand& plan : own_) {
      if (plan.kind == "resync_node") resyncs.push_back(plan);
    }
    own_.clear();
    EXPECT_EQ(resyncs.size(), 1u);
    return resyncs.empty() ? PlannedCommand() : resyncs[0];
  }
};

TEST_F(ClusterResyncTest, WhoJoinsIsBroughtWhatWasThereBefore) {
  Do("bind_address { address: '203.0.113.99' }");
  Do("bind_address { address: '203.0.113.98' }", {"web1"});
  AddNode("web3", "[APP]", "10.0.0.13");
  EXPECT_THAT(own_, IsEmpty()) << "it has not joined";
  Join("web3");
  const PlannedCommand plan = Own();
  EXPECT_EQ(Summary(plan), "resync_node node/web3: 0:web3");
  EXPECT_THAT(Parts(plan), ElementsAre("1 mount_share share/home: web3",
                                       "1 bind_address address/203.0.113.99: web3",
                                       "2 resync_account account/a.example: web3",
                                       "2 resync_account account/b.example: web3"));
  agent::v1::Work work;
  ASSERT_TRUE(work.ParseFromString(plan.parts[2].work));
  EXPECT_TRUE(work.resync_account().apply());
  ASSERT_TRUE(work.ParseFromString(plan.work));
  EXPECT_EQ(work.resync_node().preflight().shares_size(), 1);
  Join("web3");
  EXPECT_EQ(Parts(Own()).size(), 4u) << "joined again, it may have lost everything";
}

TEST_F(ClusterResyncTest, AStorageNodeMountsNothingAndABalancerGetsNoAccounts) {
  AddNode("storage2", "[STORAGE]", "10.0.0.3");
  Join("storage2");
  EXPECT_THAT(Parts(Own()), ElementsAre("2 resync_account account/a.example: storage2",
                                        "2 resync_account account/b.example: storage2"));
  AddNode("lb", "[BALANCER]", "10.0.0.2");
  own_.clear();
  Join("lb");
  EXPECT_THAT(own_, IsEmpty());
}

TEST_F(ClusterResyncTest, AccountsThatAreBeingMadeOrDeletedAreLeftToTheirCommands) {
  Submitted(Create("made.example", "made", "203.0.113.12"));
  Submitted("delete_account { domain: 'b.example' }");
  now_.wall += absl::Minutes(1);
  AddNode("web3", "[APP]", "10.0.0.13");
  now_.wall += absl::Minutes(1);
  Submitted(Create("late.example", "late", "203.0.113.13"));
  Join("web3");
  EXPECT_THAT(Parts(Own()), ElementsAre("1 mount_share share/home: web3",
                                        "2 resync_account account/a.example: web3",
                                        "2 resync_account account/made.example: web3"))
      << "the command that makes made.example is older than the node, and does not go there";
}

TEST_F(ClusterResyncTest, ComparingChangesNothing) {
  Do("bind_address { address: '203.0.113.99' }");
  const Rows before = stored_;
  const auto plan = Plan("resync_node { node: 'web1' }");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Parts(*plan), ElementsAre("2 resync_account account/a.example: web1",
                                        "2 resync_account account/b.example: web1"));
  EXPECT_EQ(stored_, before);
  agent::v1::Work work;
  ASSERT_TRUE(work.ParseFromString(plan->parts[0].work));
  EXPECT_FALSE(work.resync_account().apply());
  ASSERT_TRUE(work.ParseFromString(plan->work));
  ASSERT_EQ(work.resync_node().shares_size(), 1);
  EXPECT_EQ(work.resync_node().shares(0).name(), "home");
  EXPECT_THAT(work.resync_node().addresses(), ElementsAre("203.0.113.99"));
  const auto tried = cluster_->TryPlan(
      FromText<v1::CommandSpec>("resync_node { node: 'web1' apply: true }"), {}, now_);
  ASSERT_TRUE(tried.ok());
  EXPECT_EQ(tried->parts.size(), 4u);
  ASSERT_TRUE(work.ParseFromString(tried->work));
  EXPECT_EQ(work.resync_node().shares_size(), 0) << "commands of their own put that right";
  ExpectInStep();
}

TEST_F(ClusterResyncTest, IsForOneNodeThatHasAccounts) {
  EXPECT_EQ(Refusal("resync_node {}"), "NOT_FOUND UNKNOWN_NODE");
  EXPECT_EQ(Refusal("resync_node { node: 'web1' }", {"web2"}), "INVALID_ARGUMENT INVALID_ARGUMENT");
  AddNode("lb", "[BALANCER]", "10.0.0.2");
  EXPECT_EQ(Refusal("resync_node { node: 'lb' }"), "FAILED_PRECONDITION NO_TARGETS");
}

// Until it has the accounts a balancer sends it nobody.
TEST_F(ClusterResyncTest, ANodeIsBalancedOnceItHasTheAccounts) {
  AddNode("lb", "[BALANCER]", "10.0.0.2");
  Join("lb");
  Admit("lb");
  AddNode("web3", "[APP]", "10.0.0.13");
  Join("web3");
  Command resync = Submitted(Own());
  Admit("web3");
  EXPECT_EQ(cluster_->FindNode("web3")->weight(), 0u);
  own_.clear();

  resync.state = CommandState::kFailed;
  Finish(resync, Outcome::kSucceeded);
  EXPECT_EQ(cluster_->FindNode("web3")->weight(), 0u) << "a part of it failed";
  EXPECT_THAT(own_, IsEmpty());
  resync.state = CommandState::kSucceeded;
  Finish(resync, Outcome::kSucceeded);
  EXPECT_EQ(cluster_->FindNode("web3")->weight(), 1u);
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(own_[0].kind, "set_balancing");
  own_.clear();

  // Later it is the administrator's.
  Finish(Submitted("set_balancing { weights { node: 'web3' weight: 0 } }"), Outcome::kSucceeded);
  Finish(resync, Outcome::kSucceeded);
  EXPECT_EQ(cluster_->FindNode("web3")->weight(), 0u);
}

TEST_F(ClusterResyncTest, ItsPreflightIsOne) {
  AddNode("web3", "[APP]", "10.0.0.13");
  Join("web3");
  Command command = Submitted(Own());
  v1::Attempt steps;
  steps.add_steps()->set_name("os");
  Attempt attempt;
  attempt.steps = steps.SerializeAsString();
  Stored(cluster_->AttemptEnded(command, command.tasks[0], attempt));
  EXPECT_EQ(cluster_->FindNode("web3")->node().checks_size(), 1);
}

}  // namespace
}  // namespace hostq::manager
