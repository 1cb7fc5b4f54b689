// What follows from the end of a command: the states of accounts, and what is taken back when no
// node ever got a task of it.
#include "cluster_harness.h"

namespace hostq::manager {
namespace {

class ClusterOutcomeTest : public ClusterHarness {
 protected:
  ClusterOutcomeTest() {
    ThreeNodes();
    HomeShare();
    Do(Create("example.com", "exampleco", "203.0.113.10", "quota_bytes: 10240"));
  }
  v1::Account::State State(const std::string& domain = "example.com") {
    return Account(domain).state();
  }
  // Never sent.
  void Cancelled(const Command& command) { Finish(command, Outcome::kCancelled, 0); }
};

TEST_F(ClusterOutcomeTest, CreatedAccountIsActive) {
  EXPECT_EQ(State(), v1::Account::ACTIVE);
  const Command created = Submitted(Create("a.example", "a"));
  EXPECT_EQ(State("a.example"), v1::Account::CREATING);
  Reload();
  Finish(created, Outcome::kSucceeded);
  EXPECT_EQ(State("a.example"), v1::Account::ACTIVE);
}

TEST_F(ClusterOutcomeTest, CreationThatNoNodeSawLeavesNothing) {
  for (const Outcome outcome : {Outcome::kCancelled, Outcome::kExpired, Outcome::kFailed}) {
    Finish(Submitted(Create("a.example", "a")), outcome, 0);
    EXPECT_EQ(cluster_->FindAccount("a.example"), nullptr);
  }
  const agent::v1::Work again = Work(Create("a.example", "a"));
  EXPECT_EQ(again.create_account().account().generation(), 4u) << "never the same again";
}

TEST_F(ClusterOutcomeTest, CreationThatFailedStaysUntilItIsDeleted) {
  for (const Outcome outcome : {Outcome::kCancelled, Outcome::kExpired, Outcome::kFailed}) {
    Finish(Submitted(Create("a.example", "a")), outcome, 1);
    EXPECT_EQ(State("a.example"), v1::Account::CREATING);
    Do("delete_account { domain: 'a.example' }");
    EXPECT_EQ(cluster_->FindAccount("a.example"), nullptr);
  }
}

TEST_F(ClusterOutcomeTest, OneNodeNotReachedIsNotCreated) {
  Command created = Submitted(Create("a.example", "a"));
  for (Task& task : created.tasks) {
    task.outcome = task.node == "web2" ? Outcome::kFailed : Outcome::kSucceeded;
    task.attempt = 1;
  }
  Finish(created);
  EXPECT_EQ(State("a.example"), v1::Account::CREATING);
}

TEST_F(ClusterOutcomeTest, RemovedNodeDoesNotKeepTheOthersFromBeingDone) {
  Command created = Submitted(Create("a.example", "a"));
  Stored(*cluster_->RemoveNode("web2", 1, true, "root"));
  for (Task& task : created.tasks) {
    task.outcome = task.node == "web2" ? Outcome::kCancelled : Outcome::kSucceeded;
    task.attempt = task.node == "web2" ? 0 : 1;
  }
  Finish(created);
  EXPECT_EQ(State("a.example"), v1::Account::ACTIVE);
}

TEST_F(ClusterOutcomeTest, SuspendedAndBack) {
  Do("suspend_account { domain: 'example.com' note: 'unpaid' }");
  EXPECT_EQ(State(), v1::Account::SUSPENDED);
  EXPECT_EQ(Account("example.com").suspend_note(), "unpaid");
  Reload();
  Do("suspend_account { domain: 'example.com' note: 'still' }");
  EXPECT_EQ(State(), v1::Account::SUSPENDED);
  EXPECT_TRUE(Work("set_quota { domain: 'example.com' }").set_quota().account().suspended());
  Do("unsuspend_account { domain: 'example.com' }");
  EXPECT_EQ(State(), v1::Account::ACTIVE);
  EXPECT_EQ(Account("example.com").suspend_note(), "");
  Do("unsuspend_account { domain: 'example.com' }");
  EXPECT_EQ(State(), v1::Account::ACTIVE);
}

TEST_F(ClusterOutcomeTest, CancelledSuspensionIsForgotten) {
  Cancelled(Submitted("suspend_account { domain: 'example.com' note: 'unpaid' }"));
  EXPECT_EQ(State(), v1::Account::ACTIVE);
  EXPECT_EQ(Account("example.com").suspend_note(), "");
  EXPECT_FALSE(Work("set_quota { domain: 'example.com' }").set_quota().account().suspended());
}

TEST_F(ClusterOutcomeTest, TheLatestSuspensionDecides) {
  const Command suspend = Submitted("suspend_account { domain: 'example.com' }");
  const Command unsuspend = Submitted("unsuspend_account { domain: 'example.com' }");
  Finish(suspend, Outcome::kSuperseded, 0);
  EXPECT_EQ(State(), v1::Account::ACTIVE) << "it was never suspended";
  Finish(unsuspend, Outcome::kSucceeded);
  EXPECT_EQ(State(), v1::Account::ACTIVE);
}

TEST_F(ClusterOutcomeTest, SupersededSuspensionDoesNotUndoTheNewerOne) {
  const Command first = Submitted("suspend_account { domain: 'example.com' note: 'one' }");
  const Command second = Submitted("suspend_account { domain: 'example.com' note: 'two' }");
  Finish(first, Outcome::kSuperseded, 0);
  EXPECT_EQ(Account("example.com").suspend_note(), "two");
  EXPECT_TRUE(Work("set_quota { domain: 'example.com' }").set_quota().account().suspended());
  Finish(second, Outcome::kSucceeded);
  EXPECT_EQ(State(), v1::Account::SUSPENDED);
}

TEST_F(ClusterOutcomeTest, HalfSuspendedIsWantedSuspended) {
  Command suspend = Submitted("suspend_account { domain: 'example.com' note: 'unpaid' }");
  for (Task& task : suspend.tasks) {
    task.outcome = task.node == "web2" ? Outcome::kFailed : Outcome::kSucceeded;
    task.attempt = 1;
  }
  Finish(suspend);
  EXPECT_EQ(State(), v1::Account::ACTIVE);
  EXPECT_TRUE(Work("set_quota { domain: 'example.com' }").set_quota().account().suspended());
}

TEST_F(ClusterOutcomeTest, DeletedIsGone) {
  const Command deletion = Submitted("delete_account { domain: 'example.com' }");
  Reload();
  Finish(deletion, Outcome::kSucceeded);
  EXPECT_EQ(cluster_->FindAccount("example.com"), nullptr);
}

TEST_F(ClusterOutcomeTest, DeletionThatNoNodeSawIsForgotten) {
  Do("suspend_account { domain: 'example.com' }");
  Cancelled(Submitted("delete_account { domain: 'example.com' }"));
  EXPECT_EQ(State(), v1::Account::SUSPENDED);
}

TEST_F(ClusterOutcomeTest, FailedDeletionMayBeAskedForAgain) {
  Finish(Submitted("delete_account { domain: 'example.com' }"), Outcome::kFailed);
  EXPECT_EQ(State(), v1::Account::DELETING);
  Reload();
  const Command again = Submitted("delete_account { domain: 'example.com' }");
  EXPECT_EQ(Refusal("delete_account { domain: 'example.com' }"),
            "FAILED_PRECONDITION ACCOUNT_BUSY");
  Finish(again, Outcome::kSucceeded);
  EXPECT_EQ(cluster_->FindAccount("example.com"), nullptr);
}

TEST_F(ClusterOutcomeTest, WhatADeletionSupersedesChangesNothing) {
  const Command created = Submitted(Create("a.example", "a"));
  const Command deletion = Submitted("delete_account { domain: 'a.example' }");
  Finish(created, Outcome::kSuperseded, 0);
  EXPECT_EQ(State("a.example"), v1::Account::DELETING);
  Finish(deletion, Outcome::kSucceeded);
  EXPECT_EQ(cluster_->FindAccount("a.example"), nullptr);
}

TEST_F(ClusterOutcomeTest, WhatEndedDuringADeletionCountsWhenThatIsCancelled) {
  const Command suspend = Submitted("suspend_account { domain: 'example.com' }");
  const Command deletion = Submitted("delete_account { domain: 'example.com' }");
  Finish(suspend, Outcome::kSucceeded);
  EXPECT_EQ(State(), v1::Account::DELETING);
  Cancelled(deletion);
  EXPECT_EQ(State(), v1::Account::SUSPENDED);
}

TEST_F(ClusterOutcomeTest, CancelledQuotaIsTakenBackToTheLastOneThatWentOut) {
  Finish(Submitted("set_account_quota { domain: 'example.com' quota_bytes: 20480 }"),
         Outcome::kFailed);
  EXPECT_EQ(Account("example.com").quota_bytes(), 20480) << "nodes have seen it";
  const Command first = Submitted("set_account_quota { domain: 'example.com' quota_bytes: 30720 }");
  const Command second = Submitted("set_quota { domain: 'example.com' quota_bytes: 40960 }");
  Finish(first, Outcome::kSuperseded, 0);
  EXPECT_EQ(Account("example.com").quota_bytes(), 40960);
  Cancelled(second);
  EXPECT_EQ(Account("example.com").quota_bytes(), 20480);
}

// Or it would take the limit for somebody's mistake, and put back the one it knows.
TEST_F(ClusterOutcomeTest, AQuotaSetFromAnotherNodeIsToldToTheStorageNode) {
  const auto set = [&](const std::string& size, const std::string& node) {
    Command command = Submitted("set_quota { domain: 'example.com' quota_bytes: " + size + " }");
    for (Task& task : command.tasks) task.node = node;
    return command;
  };
  own_.clear();
  Finish(set("20480", "storage1"), Outcome::kSucceeded);
  EXPECT_TRUE(own_.empty()) << "it has set it itself";
  Finish(set("30720", "web1"), Outcome::kFailed);
  EXPECT_TRUE(own_.empty());
  const Command late = set("40960", "web1");
  Finish(set("51200", "web1"), Outcome::kSucceeded);
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(Summary(own_[0]), "set_quota account/example.com: 0:storage1; supersedes set_quota");
  agent::v1::Work work;
  ASSERT_TRUE(work.ParseFromString(own_[0].work));
  EXPECT_EQ(work.set_quota().account().quota_bytes(), 51200);
  Finish(late, Outcome::kSucceeded);
  EXPECT_EQ(own_.size(), 1u) << "another one is meant by now";
}

TEST_F(ClusterOutcomeTest, CancelledAddressesAreTakenBack) {
  Cancelled(Submitted("add_account_address { domain: 'example.com' address: '203.0.113.11' }"));
  EXPECT_EQ(Addresses("example.com"), "203.0.113.10");
  Do("add_account_address { domain: 'example.com' address: '203.0.113.11' }");
  Do("add_account_address { domain: 'example.com' address: '203.0.113.12' }");
  Cancelled(Submitted("remove_account_address { domain: 'example.com' address: '203.0.113.10' }"));
  EXPECT_EQ(Addresses("example.com"), "203.0.113.10 203.0.113.11 203.0.113.12")
      << "the primary one is primary again";
  Cancelled(Submitted("add_account_address { domain: 'example.com' address: '203.0.113.11' }"));
  EXPECT_EQ(Addresses("example.com"), "203.0.113.10 203.0.113.11 203.0.113.12") << "it had it";
}

TEST_F(ClusterOutcomeTest, ChainsOfAddressChangesEndInWhatTheNodesSaw) {
  const std::string add = "add_account_address { domain: 'example.com' address: '203.0.113.11' }";
  const std::string remove =
      "remove_account_address { domain: 'example.com' address: '203.0.113.11' }";
  const auto has = [&] { return Addresses("example.com") == "203.0.113.10 203.0.113.11"; };
  // Each of three commands in a row may have been sent, or cancelled before.
  for (int mask = 0; mask < 8; ++mask) {
    std::vector<Command> chain = {Submitted(add), Submitted(remove), Submitted(add)};
    bool there = false;
    for (int i = 0; i < 3; ++i) {
      const bool sent = (mask >> i & 1) != 0;
      if (sent) there = i != 1;
      Finish(chain[static_cast<size_t>(i)], sent ? Outcome::kSucceeded : Outcome::kCancelled,
             sent ? 1 : 0);
    }
    EXPECT_EQ(has(), there) << mask;
    EXPECT_EQ(cluster_->FindAccount("example.com")->address_changes_size(), 0);
    if (has()) Do(remove);
  }
}

TEST_F(ClusterOutcomeTest, UnmountedShareIsGoneWhenAllNodesHaveDoneIt) {
  Do("delete_account { domain: 'example.com' }");
  Do("unmount_share { share: 'home' }", {"web1"});
  ASSERT_NE(cluster_->FindShare("home"), nullptr) << "only on one node";
  const Command failed = Submitted("unmount_share { share: 'home' }");
  Finish(failed, Outcome::kFailed);
  ASSERT_NE(cluster_->FindShare("home"), nullptr);
  EXPECT_FALSE(cluster_->FindShare("home")->unwanted());
  EXPECT_EQ(cluster_->FindShare("home")->unmounting_size(), 0);
  Do("unmount_share { share: 'home' }");
  EXPECT_EQ(cluster_->FindShare("home"), nullptr);
}

TEST_F(ClusterOutcomeTest, PartialUnmountThatEndsLaterDoesNotEndTheWhole) {
  Do("delete_account { domain: 'example.com' }");
  const Command one = Submitted("unmount_share { share: 'home' }", {"web1"});
  const Command all = Submitted("unmount_share { share: 'home' }");
  Finish(one, Outcome::kSucceeded);
  ASSERT_NE(cluster_->FindShare("home"), nullptr);
  Finish(all, Outcome::kSucceeded);
  EXPECT_EQ(cluster_->FindShare("home"), nullptr);
}

TEST_F(ClusterOutcomeTest, ShareMountedAgainMeanwhileStays) {
  Do("delete_account { domain: 'example.com' }");
  const Command unmount = Submitted("unmount_share { share: 'home' }");
  const Command mount = Submitted(
      "mount_share { share: 'home' source: '10.0.0.1:/chroot/home' mount_point: '/home' }");
  Finish(unmount, Outcome::kSucceeded);
  ASSERT_NE(cluster_->FindShare("home"), nullptr);
  Finish(mount, Outcome::kSucceeded);
  ASSERT_NE(cluster_->FindShare("home"), nullptr);
}

TEST_F(ClusterOutcomeTest, ShareThatNoNodeSawIsForgotten) {
  const std::string mount = "mount_share { share: 'www' source: 'filer:/w' mount_point: '/w' }";
  const Command first = Submitted(mount);
  const Command second = Submitted(mount);
  Finish(first, Outcome::kSuperseded, 0);
  ASSERT_NE(cluster_->FindShare("www"), nullptr);
  Cancelled(second);
  EXPECT_EQ(cluster_->FindShare("www"), nullptr);
  Do(mount);
  Cancelled(Submitted(mount));
  EXPECT_NE(cluster_->FindShare("www"), nullptr) << "mounted earlier";
}

TEST_F(ClusterOutcomeTest, BoundAddressStaysUntilItIsUnboundEverywhere) {
  const std::string bind = "bind_address { address: '203.0.113.99' }";
  const std::string unbind = "unbind_address { address: '203.0.113.99' }";
  Cancelled(Submitted(bind));
  EXPECT_TRUE(cluster_->addresses().empty());
  Do(bind);
  Cancelled(Submitted(unbind));
  EXPECT_EQ(cluster_->addresses().size(), 1u) << "no node has seen it";
  Finish(Submitted(unbind), Outcome::kFailed);
  EXPECT_TRUE(cluster_->addresses().empty()) << "not wanted any more";
  Do(bind);
  Do(unbind, {"web1"});
  ASSERT_EQ(cluster_->addresses().size(), 1u);
  EXPECT_EQ(absl::StrJoin(cluster_->addresses().begin()->second.nodes(), " "), "web2");
  Do(unbind, {"web2"});
  EXPECT_TRUE(cluster_->addresses().empty());
  Do(unbind);
  EXPECT_TRUE(cluster_->addresses().empty()) << "off where it was not known to be";
}

TEST_F(ClusterOutcomeTest, AddressIsNotFreeBeforeEveryUnbindHasEnded) {
  const std::string unbind = "unbind_address { address: '203.0.113.99' }";
  const std::string claim = Create("a.example", "a", "203.0.113.99");
  Do("bind_address { address: '203.0.113.99' }", {"web1", "web2"});
  const Command first = Submitted(unbind, {"web1"});
  const Command second = Submitted(unbind, {"web2"});
  Finish(second, Outcome::kSucceeded);
  EXPECT_EQ(Refusal(claim), "FAILED_PRECONDITION ADDRESS_IN_USE");
  Finish(first, Outcome::kSucceeded);
  EXPECT_EQ(Refusal(claim), "OK");
}

TEST_F(ClusterOutcomeTest, AddressBoundAgainIsNotFreeWhileADeletionTakesItOff) {
  Do("bind_address { address: '203.0.113.10' }");
  const Command unbind = [&] {
    Do("add_account_address { domain: 'example.com' address: '203.0.113.11' }");
    Do("remove_account_address { domain: 'example.com' address: '203.0.113.10' }");
    return Submitted("unbind_address { address: '203.0.113.10' }");
  }();
  Cancelled(unbind);
  ASSERT_EQ(cluster_->addresses().size(), 1u);
  const Command deletion = Submitted("delete_account { domain: 'example.com' }");
  EXPECT_EQ(Refusal("bind_address { address: '203.0.113.11' }"),
            "FAILED_PRECONDITION ADDRESS_IN_USE");
  EXPECT_EQ(Refusal("bind_address { address: '203.0.113.10' }"), "OK");
  Finish(deletion, Outcome::kFailed);
  EXPECT_EQ(Refusal("bind_address { address: '203.0.113.11' }"), "OK")
      << "if the account is deleted again, that leaves the address";
}

TEST_F(ClusterOutcomeTest, BindingOnNamedNodesAddsUp) {
  const std::string bind = "bind_address { address: '203.0.113.99' }";
  const auto where = [&] {
    return absl::StrJoin(cluster_->addresses().begin()->second.nodes(), " ");
  };
  Do(bind, {"web2"});
  EXPECT_EQ(where(), "web2");
  Do(bind, {"web1"});
  EXPECT_EQ(where(), "web2 web1");
  Do(bind);
  EXPECT_EQ(where(), "") << "everywhere";
  Do(bind, {"web1"});
  EXPECT_EQ(where(), "");
}

TEST_F(ClusterOutcomeTest, LateEndOfACommandOfAnEarlierAccountChangesNothing) {
  const Command suspend = Submitted("suspend_account { domain: 'example.com' }");
  Do("delete_account { domain: 'example.com' }");
  Do(Create("example.com", "again"));
  Finish(suspend, Outcome::kSucceeded);
  EXPECT_EQ(State(), v1::Account::ACTIVE);
}

TEST_F(ClusterOutcomeTest, WorkThatCannotBeReadIsIgnored) {
  Command command;
  command.kind = "create_account";
  command.work = "\xff\xff";
  Finish(command);
  command.work.clear();
  Finish(command);
  command.work = FromText<agent::v1::Work>("mount_share {}").SerializeAsString();
  Finish(command);
}

}  // namespace
}  // namespace hostq::manager
