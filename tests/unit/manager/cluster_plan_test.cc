// Each kind of command: where it goes, in which stages, on which key, what it makes pointless, and
// what the nodes are told. The cluster has one storage node and two app nodes unless said
// otherwise.
#include "cluster_harness.h"
#include "google/protobuf/util/message_differencer.h"

namespace hostq::manager {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ClusterPlanTest : public ClusterHarness {
 protected:
  ClusterPlanTest() { ThreeNodes(); }
  // An active account on the share "home".
  void Example() {
    HomeShare();
    Do(Create("example.com", "exampleco", "203.0.113.10", "quota_bytes: 10240"));
  }
};

TEST_F(ClusterPlanTest, CreateAccountGoesToTheStorageNodesFirst) {
  HomeShare();
  EXPECT_EQ(SummaryOf(Create("example.com", "exampleco")),
            "create_account account/example.com: 0:storage1 1:web1 1:web2");
}

TEST_F(ClusterPlanTest, KindsHaveTheirOwnRulesOfRetry) {
  HomeShare();
  EXPECT_EQ(Plan(Create("example.com", "exampleco"))->retry, RetryRules());
  RetryRules of_shares, of_preflights;
  of_shares.backoff.initial = absl::Seconds(5);
  of_preflights.backoff.cap = absl::Seconds(30);
  of_preflights.max_attempts = 3;
  EXPECT_EQ(Plan("mount_share { share: 'more' source: 'filer:/m' mount_point: '/m' }")->retry,
            of_shares);
  EXPECT_EQ(Plan("preflight {}")->retry, of_preflights);
}

TEST_F(ClusterPlanTest, CreateAccountResolvesWhatOnlyTheManagerKnows) {
  HomeShare();
  const auto plan = Plan(Create("EXAMPLE.com", "exampleco", "2001:DB8::0:10", "quota_bytes: 1025"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  v1::CommandSpec spec;
  ASSERT_TRUE(spec.ParseFromString(plan->spec));
  EXPECT_EQ(spec.ShortDebugString(),
            "create_account { domain: \"example.com\" user: \"exampleco\" address: "
            "\"2001:db8::10\" quota_bytes: 2048 uid: 20000 }");
  agent::v1::Work work;
  ASSERT_TRUE(work.ParseFromString(plan->work));
  const auto wanted = FromText<agent::v1::Work>(R"(create_account { account {
      domain: "example.com" user: "exampleco" uid: 20000 gid: 20000 home: "/home/exampleco"
      shell: "/bin/bash" addresses: "2001:db8::10" quota_bytes: 2048 generation: 1
      share { name: "home" server: "10.0.0.1" export_path: "/chroot/home" mount_point: "/home"
              nfs_version: "4.2" } } })");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(work, wanted))
      << work.DebugString();
  const v1::Account& account = Account("example.com");
  EXPECT_EQ(account.state(), v1::Account::CREATING);
  EXPECT_EQ(account.create_time().seconds(), 1'700'000'000);
}

TEST_F(ClusterPlanTest, HomesLieOnTheShareHomeOrTheFirstOne) {
  Do("mount_share { share: 'zeta' source: 'filer:/z' mount_point: '/z' }");
  EXPECT_EQ(Work(Create("c.example", "c")).create_account().account().home(), "/z/c");
  Do("mount_share { share: 'alpha' source: 'filer:/a' mount_point: '/a' }");
  EXPECT_EQ(Work(Create("d.example", "d")).create_account().account().home(), "/a/d");
  Do("mount_share { share: 'home' source: 'filer:/h' mount_point: '/h' }");
  EXPECT_EQ(Work(Create("e.example", "e")).create_account().account().home(), "/h/e");
}

TEST_F(ClusterPlanTest, AccountsGoToWhateverNodesThereAre) {
  HomeShare();
  AddNode("both", "[APP, STORAGE]", "10.0.0.20");
  EXPECT_EQ(SummaryOf(Create("a.example", "a")),
            "create_account account/a.example: 0:both 0:storage1 1:web1 1:web2")
      << "a node of both roles is one of storage, and not yet joined is no hindrance";
  for (const char* name : {"both", "storage1"}) {
    Stored(*cluster_->RemoveNode(name, 0, true, "root"));
  }
  EXPECT_EQ(SummaryOf(Create("b.example", "b")), "create_account account/b.example: 0:web1 0:web2");
  Stored(*cluster_->DrainNode("web1"));
  EXPECT_EQ(SummaryOf(Create("c.example", "c")), "create_account account/c.example: 0:web2");
  Stored(*cluster_->DrainNode("web2"));
  EXPECT_EQ(SummaryOf(Create("d.example", "d")), "FAILED_PRECONDITION NO_TARGETS");
}

TEST_F(ClusterPlanTest, PausedNodesAreTargetsAllTheSame) {
  HomeShare();
  Stored(*cluster_->PauseNode("web1", "disk", "root", now_));
  EXPECT_EQ(SummaryOf(Create("a.example", "a")),
            "create_account account/a.example: 0:storage1 1:web1 1:web2");
}

TEST_F(ClusterPlanTest, SuspensionGoesEverywhereAtOnce) {
  Example();
  EXPECT_EQ(SummaryOf("suspend_account { domain: 'example.com' note: 'unpaid' }"),
            "suspend_account account/example.com: 0:storage1 0:web1 0:web2; supersedes "
            "suspend_account, unsuspend_account");
  EXPECT_EQ(Account("example.com").suspend_note(), "unpaid");
  EXPECT_EQ(SummaryOf("unsuspend_account { domain: 'Example.COM' }"),
            "unsuspend_account account/example.com: 0:storage1 0:web1 0:web2; supersedes "
            "suspend_account, unsuspend_account");
  EXPECT_TRUE(
      Work("suspend_account { domain: 'example.com' }").suspend_account().account().suspended());
  EXPECT_FALSE(Work("unsuspend_account { domain: 'example.com' }")
                   .unsuspend_account()
                   .account()
                   .suspended());
}

TEST_F(ClusterPlanTest, ResyncTakesNodesAndChangesNoRow) {
  Example();
  const uint64_t generation = Account("example.com").generation();
  EXPECT_EQ(SummaryOf("resync_account { domain: 'Example.COM' }"),
            "resync_account account/example.com: 0:storage1 0:web1 0:web2");
  EXPECT_TRUE(
      Work("resync_account { domain: 'example.com' apply: true }").resync_account().apply());
  EXPECT_EQ(Account("example.com").generation(), generation);
  const auto named = Plan("resync_account { domain: 'example.com' }", {"web2"});
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->tasks.size(), 1u);
}

TEST_F(ClusterPlanTest, PingsAreNotKeptInOrderAndWaitForNoPreflight) {
  const auto first = Plan("ping { payload: 'abc' }", {"web1", "web2"});
  const auto second = Plan("ping {}", {"web1"});
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_NE(first->resource_key, second->resource_key);
  EXPECT_EQ(first->tasks.size(), 2u);
  EXPECT_FALSE(first->needs_ready);
  EXPECT_EQ(Work("ping { payload: 'abc' }").ping().payload(), "abc");
  v1::CommandSpec large;
  large.mutable_ping()->set_payload(std::string((128 << 10) + 1, 'x'));
  EXPECT_EQ(CodeOf(Plan(large).status()), "INVALID_ARGUMENT INVALID_ARGUMENT");
}

TEST_F(ClusterPlanTest, DeletionEndsAtTheStorageNodes) {
  Example();
  EXPECT_EQ(SummaryOf("delete_account { domain: 'example.com' }"),
            "delete_account account/example.com: 0:web1 0:web2 1:storage1; supersedes *");
  EXPECT_EQ(Account("example.com").state(), v1::Account::DELETING);
}

TEST_F(ClusterPlanTest, DeletionUnbindsOnlyWhatNobodyElseWants) {
  Example();
  Do(Create("b.example", "b", "203.0.113.11"));
  for (const char* address : {"203.0.113.11", "203.0.113.12", "203.0.113.13"}) {
    Do(absl::StrCat("add_account_address { domain: 'example.com' address: '", address, "' }"));
  }
  Do("bind_address { address: '203.0.113.12' }");
  const agent::v1::Work work = Work("delete_account { domain: 'example.com' }");
  EXPECT_THAT(work.delete_account().addresses_to_unbind(),
              ElementsAre("203.0.113.10", "203.0.113.13"));
}

TEST_F(ClusterPlanTest, DeletionAlsoUnbindsWhatAWaitingRemovalWouldHave) {
  Example();
  Do("add_account_address { domain: 'example.com' address: '203.0.113.11' }");
  Submitted("remove_account_address { domain: 'example.com' address: '203.0.113.11' }");
  EXPECT_THAT(
      Work("delete_account { domain: 'example.com' }").delete_account().addresses_to_unbind(),
      ElementsAre("203.0.113.10", "203.0.113.11"));
}

TEST_F(ClusterPlanTest, TheLastOfTwoDeletedAccountsUnbindsTheirAddress) {
  Example();
  Do(Create("b.example", "b"));
  EXPECT_THAT(
      Work("delete_account { domain: 'example.com' }").delete_account().addresses_to_unbind(),
      IsEmpty());
  EXPECT_THAT(Work("delete_account { domain: 'b.example' }").delete_account().addresses_to_unbind(),
              ElementsAre("203.0.113.10"));
}

TEST_F(ClusterPlanTest, AccountQuotaIsSetOnStorageThenVerifiedOnTheOthers) {
  Example();
  EXPECT_EQ(SummaryOf("set_account_quota { domain: 'example.com' quota_bytes: 20480 }"),
            "set_account_quota account/example.com: 0:storage1 1:web1 1:web2; supersedes "
            "set_account_quota, set_quota");
  EXPECT_EQ(Account("example.com").quota_bytes(), 20480);
}

TEST_F(ClusterPlanTest, SetQuotaGoesWhereItIsTold) {
  Example();
  EXPECT_EQ(SummaryOf("set_quota { domain: 'example.com' quota_bytes: 20480 }"),
            "set_quota account/example.com: 0:storage1; supersedes set_quota");
  EXPECT_EQ(
      SummaryOf("set_quota { domain: 'example.com' quota_bytes: 30720 }", {"web2", "web1", "web2"}),
      "set_quota account/example.com: 0:web1 0:web2; supersedes set_quota");
  EXPECT_EQ(Account("example.com").quota_bytes(), 30720);
}

TEST_F(ClusterPlanTest, AddressesOfAccountsGoToTheAppNodes) {
  Example();
  EXPECT_EQ(SummaryOf("add_account_address { domain: 'example.com' address: '203.0.113.11' }"),
            "add_account_address account/example.com: 0:web1 0:web2");
  EXPECT_EQ(Addresses("example.com"), "203.0.113.10 203.0.113.11");
  EXPECT_EQ(SummaryOf("remove_account_address { domain: 'example.com' address: '203.0.113.10' }"),
            "remove_account_address account/example.com: 0:web1 0:web2");
  EXPECT_EQ(Addresses("example.com"), "203.0.113.11");
}

TEST_F(ClusterPlanTest, RemovedAddressStaysBoundWhereSomebodyWantsIt) {
  Example();
  Do(Create("b.example", "b", "203.0.113.10"));
  Do("add_account_address { domain: 'example.com' address: '203.0.113.11' }");
  Do("add_account_address { domain: 'example.com' address: '203.0.113.12' }");
  Do("bind_address { address: '203.0.113.11' }");
  const auto unbinds = [&](const std::string& address) {
    return Work(absl::StrCat("remove_account_address { domain: 'example.com' address: '", address,
                             "' }"))
        .remove_account_address()
        .unbind();
  };
  EXPECT_FALSE(unbinds("203.0.113.10")) << "another account";
  EXPECT_FALSE(unbinds("203.0.113.11")) << "a command of its own";
  Do("add_account_address { domain: 'example.com' address: '203.0.113.13' }");
  EXPECT_TRUE(unbinds("203.0.113.12"));
}

TEST_F(ClusterPlanTest, EveryCommandRaisesTheGeneration) {
  Example();
  uint64_t last = Account("example.com").generation();
  for (const char* spec :
       {"suspend_account { domain: 'example.com' }", "unsuspend_account { domain: 'example.com' }",
        "set_quota { domain: 'example.com' }", "set_account_quota { domain: 'example.com' }",
        "add_account_address { domain: 'example.com' address: '203.0.113.11' }",
        "remove_account_address { domain: 'example.com' address: '203.0.113.11' }",
        "delete_account { domain: 'example.com' }"}) {
    Do(std::string(spec));
    if (absl::string_view(spec).substr(0, 6) == "delete") break;
    EXPECT_EQ(Account("example.com").generation(), ++last) << spec;
  }
  EXPECT_EQ(Work(Create("example.com", "exampleco")).create_account().account().generation(),
            last + 2)
      << "above everything the nodes may still know of the deleted account";
}

TEST_F(ClusterPlanTest, SharesAreMountedOnNodesThatDoNotHaveTheFiles) {
  AddNode("both", "[APP, STORAGE]", "10.0.0.20");
  const std::string mount =
      "mount_share { share: 'home' source: '10.0.0.1:/chroot/home' mount_point: '/home' }";
  EXPECT_EQ(SummaryOf(mount),
            "mount_share share/home: 0:web1 0:web2; supersedes mount_share, unmount_share");
  EXPECT_EQ(SummaryOf(mount, {"both", "web1"}),
            "mount_share share/home: 0:both 0:web1; supersedes mount_share, unmount_share");
  EXPECT_EQ(SummaryOf("unmount_share { share: 'home' }", {"web1"}),
            "unmount_share share/home: 0:web1; supersedes mount_share")
      << "not an unmount of everything, which would count as done before it is";
  EXPECT_EQ(SummaryOf("unmount_share { share: 'home' }"),
            "unmount_share share/home: 0:both 0:web1 0:web2; supersedes mount_share, "
            "unmount_share")
      << "with the node that was named once";
}

TEST_F(ClusterPlanTest, MountWorkNamesServerAndPathApart) {
  const agent::v1::Work work = Work(
      "mount_share { share: 'home' source: '[2001:DB8::1]:/home' mount_point: '/home' "
      "nfs_version: '3' }");
  EXPECT_EQ(work.mount_share().share().ShortDebugString(),
            "name: \"home\" server: \"2001:db8::1\" export_path: \"/home\" mount_point: \"/home\" "
            "nfs_version: \"3\"");
  EXPECT_EQ(cluster_->FindShare("home")->share().source(), "[2001:db8::1]:/home");
}

TEST_F(ClusterPlanTest, AddressesAreBoundOnAppNodes) {
  EXPECT_EQ(SummaryOf("bind_address { address: '2001:db8:0::1' }"),
            "bind_address address/2001:db8::1: 0:web1 0:web2; supersedes bind_address, "
            "unbind_address");
  EXPECT_EQ(SummaryOf("bind_address { address: '203.0.113.11' }", {"web2"}),
            "bind_address address/203.0.113.11: 0:web2; supersedes bind_address, unbind_address");
  EXPECT_EQ(SummaryOf("unbind_address { address: '203.0.113.11' }"),
            "unbind_address address/203.0.113.11: 0:web1 0:web2; supersedes bind_address, "
            "unbind_address");
}

TEST_F(ClusterPlanTest, PreflightGoesToAllThatHaveJoinedAndTellsThemEverything) {
  Example();
  AddNode("web3", "[APP]", "10.0.0.13");
  Do("bind_address { address: '203.0.113.99' }");
  Do("bind_address { address: '203.0.113.10' }");
  const auto plan = Plan("preflight {}");
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(Summary(*plan),
            "preflight node/preflight: 0:storage1 0:web1 0:web2; supersedes preflight; also before "
            "the preflight");
  EXPECT_EQ(plan->timeout, absl::Minutes(10));
  agent::v1::Work work;
  ASSERT_TRUE(work.ParseFromString(plan->work));
  EXPECT_EQ(work.preflight().shares_size(), 1);
  EXPECT_EQ(work.preflight().shares(0).name(), "home");
  EXPECT_EQ(work.preflight().quorum_address(), "10.0.0.1");
  EXPECT_EQ(work.preflight().quorum_port(), 7443u);
  EXPECT_THAT(work.preflight().addresses(), ElementsAre("203.0.113.10", "203.0.113.99"));
  EXPECT_EQ(SummaryOf("preflight {}", {"web3"}),
            "preflight node/preflight: 0:web3; supersedes preflight; also before the preflight");
}

TEST_F(ClusterPlanTest, UidsAreNotHandedOutAgainSoon) {
  HomeShare();
  const auto uid_of = [&](const std::string& domain) {
    return Work(Create(domain, absl::StrCat("u", domain.substr(0, 1))))
        .create_account()
        .account()
        .uid();
  };
  EXPECT_EQ(uid_of("a.example"), 20000u);
  EXPECT_EQ(uid_of("b.example"), 20001u);
  Do("delete_account { domain: 'b.example' }");
  EXPECT_EQ(uid_of("c.example"), 20002u) << "not the one just freed";
  Do(Create("z.example", "z", "203.0.113.10", "uid: 20003"));
  EXPECT_EQ(uid_of("d.example"), 20004u) << "not one that was given";
  for (const char* domain : {"e.example", "f.example", "g.example", "h.example", "i.example"}) {
    uid_of(domain);
  }
  EXPECT_EQ(uid_of("j.example"), 20001u) << "round the end of the range, the one freed first";
  EXPECT_EQ(Refusal(Create("k.example", "uk")), "RESOURCE_EXHAUSTED UID_IN_USE");
}

TEST_F(ClusterPlanTest, UidOfAnAccountBeingDeletedIsTaken) {
  HomeShare();
  Do(Create("a.example", "a", "203.0.113.10", "uid: 20005"));
  const Command deletion = Submitted("delete_account { domain: 'a.example' }");
  EXPECT_EQ(Refusal(Create("b.example", "b", "203.0.113.11", "uid: 20005")),
            "ALREADY_EXISTS UID_IN_USE");
  Finish(deletion, Outcome::kSucceeded);
  EXPECT_EQ(Refusal(Create("b.example", "b", "203.0.113.11", "uid: 20005")), "OK");
}

TEST_F(ClusterPlanTest, KindIsTheNameOfTheField) {
  EXPECT_EQ(Plan("preflight {}")->kind, "preflight");
  for (int i = 0; i < v1::CommandSpec::descriptor()->field_count(); ++i) {
    const auto* field = v1::CommandSpec::descriptor()->field(i);
    const auto* work = agent::v1::Work::descriptor()->FindFieldByNumber(field->number());
    ASSERT_NE(work, nullptr);
    EXPECT_EQ(work->name(), field->name());
  }
}

}  // namespace
}  // namespace hostq::manager
