// Goal: what a node was told to have is remembered, seen to be missing, and comes back with the
// work that is kept for it. Method: the real actions on a host in memory that is rebooted, and
// whose state somebody changes.

#include <gmock/gmock.h>

#include "agent/executor/planner.h"
#include "agent/upkeep/drift.h"
#include "agent/upkeep/kept.h"
#include "tests/unit/agent/actions_testing.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class UpkeepTest : public ActionTest {
 protected:
  // What the node keeps after it has done all this.
  void Did(const v1::Work& work, const Roles& roles) {
    for (const std::string& key : NotKeptSince(work, roles)) kept.erase(key);
    for (auto& [key, item] : KeptAfter(work, roles, kept)) kept[key] = std::move(item);
  }
  std::vector<std::string> Drift() {
    const auto found = FindDrift(app, kept);
    EXPECT_TRUE(found.ok()) << found.status();
    std::vector<std::string> texts;
    for (const Deviation& one : *found) {
      texts.push_back(one.resource_key + " " + std::string(NameOf(one.reason)));
    }
    return texts;
  }
  // Of all but accounts, or of accounts.
  std::vector<std::string> Keys(bool accounts = false) const {
    std::vector<std::string> keys;
    for (const auto& [key, item] : kept) {
      if (key.starts_with("account/") == accounts) keys.push_back(key);
    }
    return keys;
  }
  v1::Account KeptAccount() { return WorkOf(kept.at(kKey)).resync_account().account(); }
  // What StepsFor says of the work that is kept for the account.
  void Repair(const Roles& roles, FakeHost& host) {
    const auto steps = PlanSteps(WorkOf(kept.at(kKey)), roles, {});
    ASSERT_TRUE(steps.ok()) << steps.status();
    for (const Step& step : *steps) {
      if (!StepsFor(kept.at(kKey)).contains(step.name)) continue;
      EXPECT_EQ(step.run(host).reason, Reason::kNone) << step.name;
    }
  }
  static v1::Work WorkOf(const KeptItem& item) {
    v1::Work work;
    EXPECT_TRUE(work.ParseFromString(item.work));
    return work;
  }

  static constexpr char kKey[] = "account/example.com";
  Kept kept;
};

TEST_F(UpkeepTest, AddressesAndSharesAreKeptUntilTheyAreTakenAway) {
  Did(Mount(), kApp);
  Did(create, kApp);
  v1::Work work;
  work.mutable_bind_address()->set_address("2001:db8::10");
  Did(work, kApp);
  work.mutable_add_account_address()->set_address("203.0.113.11");
  Did(work, kApp);
  EXPECT_THAT(Keys(), ElementsAre("address/2001:db8::10", "address/203.0.113.10",
                                  "address/203.0.113.11", "share/home"));
  work.mutable_remove_account_address()->set_address("203.0.113.10");  // another account has it
  Did(work, kApp);
  EXPECT_EQ(Keys().size(), 4u);
  work.mutable_remove_account_address()->set_unbind(true);
  Did(work, kApp);
  work.mutable_delete_account()->add_addresses_to_unbind("203.0.113.11");
  Did(work, kApp);
  work.mutable_unbind_address()->set_address("2001:db8::10");
  Did(work, kApp);
  *work.mutable_unmount_share()->mutable_share() = Share();
  Did(work, kApp);
  EXPECT_THAT(Keys(), IsEmpty());
  Did(Mount(), kStorage);
  Did(create, kStorage);
  EXPECT_THAT(Keys(), IsEmpty()) << "a file server mounts nothing and carries no address";
}

TEST_F(UpkeepTest, AfterARebootEverythingComesBack) {
  CreateEverywhere();
  Did(Mount(), kApp);
  Did(create, kApp);
  EXPECT_THAT(Drift(), IsEmpty());
  app.Reboot();
  EXPECT_THAT(Drift(),
              ElementsAre("address/203.0.113.10 ADDRESS_MISSING", "share/home SHARE_NOT_MOUNTED"));
  for (const auto& [key, item] : kept) {
    if (key == kKey) continue;  // lies on disks
    EXPECT_EQ(RunWork(WorkOf(item), RolesFromNames(item.roles), app).reason, Reason::kNone) << key;
  }
  EXPECT_THAT(Drift(), IsEmpty());
}

TEST_F(UpkeepTest, WhatABalancerBalancesIsKept) {
  constexpr Roles kBalancer = {false, false, true};
  app.address_table.push_back({"eth0", *IpAddress::Parse("10.0.0.11"), 24});
  v1::BalancingTable& table = *create.mutable_balancing();
  table.set_revision(7);
  table.mutable_settings()->add_ports(80);
  table.mutable_settings()->set_scheduler("rr");
  table.mutable_settings()->set_persistence_seconds(300);
  table.mutable_settings()->set_forwarding(hostq::v1::DIRECT);
  table.add_addresses("203.0.113.10");
  table.add_balancers("10.0.0.11");
  ASSERT_EQ(RunWork(create, kBalancer, app).reason, Reason::kNone);
  Did(create, kBalancer);
  EXPECT_THAT(Keys(), ElementsAre("balancer/services"));
  EXPECT_THAT(Drift(), IsEmpty());
  app.service_table.clear();
  EXPECT_THAT(Drift(), ElementsAre("balancer/services BALANCING_INCOMPLETE"));
  EXPECT_THAT(ChangedBesides(create, kBalancer), ElementsAre("balancer/services"));
  EXPECT_THAT(ChangedBesides(create, kApp), IsEmpty());
  const KeptItem item = kept.at("balancer/services");
  EXPECT_EQ(RunWork(WorkOf(item), RolesFromNames(item.roles), app).reason, Reason::kNone);
  EXPECT_THAT(Drift(), IsEmpty());
  std::erase_if(app.address_table, [](const auto& one) { return one.prefix == 32; });
  EXPECT_THAT(Drift(), ElementsAre("balancer/services BALANCING_INCOMPLETE"));
  app.address_table.clear();
  EXPECT_THAT(Drift(), ElementsAre("balancer/services BALANCER_UPLINK_MISSING"));
  app.address_table = {{"eth0", *IpAddress::Parse("10.0.0.11"), 24}};
  table.set_revision(8);
  table.clear_addresses();
  ASSERT_EQ(RunWork(create, kBalancer, app).reason, Reason::kNone);
  table.set_revision(6);
  EXPECT_TRUE(IsOutdated(KeptAfter(create, kBalancer, {}).front().second, item));
  EXPECT_FALSE(IsOutdated(item, item));
}

TEST_F(UpkeepTest, SeesWhatSomebodyHasChanged) {
  CreateEverywhere();
  Did(Mount(), kApp);
  Did(create, kApp);
  app.address_table.clear();
  EXPECT_THAT(Drift(), ElementsAre("address/203.0.113.10 ADDRESS_MISSING"));
  for (struct Mount& mount : app.mount_table) {
    if (mount.mount_point == "/chroot/home") mount.source = "10.0.0.9:/other";
  }
  EXPECT_THAT(Drift(),
              ElementsAre("address/203.0.113.10 ADDRESS_MISSING", "share/home SHARE_WRONG_SOURCE"));
}

TEST_F(UpkeepTest, AnItemIsUndoneByTheOppositeWork) {
  CreateEverywhere();
  Did(Mount(), kApp);
  Did(create, kApp);
  EXPECT_FALSE(Undo(kept.at(kKey)).has_value()) << "an account goes by its own command";
  kept.erase(kKey);
  for (const auto& [key, item] : kept) {
    const auto undo = Undo(item);
    ASSERT_TRUE(undo.has_value()) << key;
    EXPECT_EQ(RunWork(WorkOf(*undo), RolesFromNames(undo->roles), app).reason, Reason::kNone);
    EXPECT_FALSE(Undo(*undo).has_value());
  }
  EXPECT_EQ(Drift().size(), 2u);
}

TEST_F(UpkeepTest, AccountsAreKeptAsTheirCommandsLeftThem) {
  v1::Work quota, suspend, unsuspend, remove;
  *quota.mutable_set_account_quota()->mutable_account() = Account();
  quota.mutable_set_account_quota()->mutable_account()->set_quota_bytes(20LL << 30);
  // Wanted, and not done here yet: no business of the quota's.
  quota.mutable_set_account_quota()->mutable_account()->set_suspended(true);
  Did(quota, kStorage);
  EXPECT_THAT(Keys(true), IsEmpty()) << "made before accounts were kept";
  Did(create, kStorage);
  EXPECT_THAT(Keys(true), ElementsAre(kKey));
  Did(quota, kStorage);
  EXPECT_EQ(KeptAccount().quota_bytes(), 20LL << 30);
  EXPECT_FALSE(KeptAccount().suspended());
  *suspend.mutable_suspend_account()->mutable_account() = Account();
  Did(suspend, kStorage);
  EXPECT_TRUE(KeptAccount().suspended());
  EXPECT_EQ(KeptAccount().quota_bytes(), 20LL << 30);
  *unsuspend.mutable_unsuspend_account()->mutable_account() = Account();
  Did(unsuspend, kStorage);
  EXPECT_FALSE(KeptAccount().suspended());
  v1::Work set;
  *set.mutable_set_quota()->mutable_account() = Account();
  Did(set, kStorage);
  EXPECT_EQ(KeptAccount().quota_bytes(), 10LL << 30);
  v1::Work look;
  *look.mutable_resync_account()->mutable_account() = Account();
  look.mutable_resync_account()->mutable_account()->set_quota_bytes(1);
  Did(look, kStorage);
  EXPECT_EQ(KeptAccount().quota_bytes(), 10LL << 30) << "only compared";
  look.mutable_resync_account()->set_apply(true);
  Did(look, kStorage);
  EXPECT_EQ(KeptAccount().quota_bytes(), 1);
  *remove.mutable_delete_account()->mutable_account() = Account();
  Did(remove, kStorage);
  EXPECT_THAT(Keys(true), IsEmpty());
  constexpr Roles kBalancer = {false, false, true};
  Did(create, kBalancer);
  EXPECT_THAT(Keys(true), IsEmpty()) << "a balancer has no users";
}

TEST_F(UpkeepTest, UsersThatWereChangedByHandAreSeenAndPutRight) {
  CreateEverywhere();
  Did(create, kApp);
  EXPECT_THAT(Drift(), IsEmpty());
  User& user = app.user_table["exampleco"];
  const User right = user;
  user.shell = "/bin/sh";
  EXPECT_THAT(Drift(), ElementsAre("account/example.com DIFFERS"));
  user = right;
  user.home = "/srv/exampleco";
  EXPECT_THAT(Drift(), ElementsAre("account/example.com DIFFERS"));
  Repair(kApp, app);
  EXPECT_THAT(Drift(), IsEmpty());
  app.user_table.erase("exampleco");
  app.group_table.erase("exampleco");
  EXPECT_THAT(Drift(), ElementsAre("account/example.com USER_MISSING"));
  Repair(kApp, app);
  EXPECT_THAT(Drift(), IsEmpty());
  app.user_table["exampleco"].gid = 5;
  EXPECT_THAT(Drift(), ElementsAre("account/example.com USER_NAME_TAKEN"));
  app.user_table["exampleco"] = right;
  app.user_table["exampleco"].uid = 5;
  EXPECT_THAT(Drift(), ElementsAre("account/example.com USER_NAME_TAKEN"));
  app.user_table.erase("exampleco");
  app.user_table["other"] = {"other", 2001, 7, "/", "/bin/sh"};
  EXPECT_THAT(Drift(), ElementsAre("account/example.com UID_TAKEN"));
  app.Fail("ListUsers", Error(Reason::kInternal));
  EXPECT_FALSE(FindDrift(app, kept).ok());
}

TEST_F(UpkeepTest, ASuspendedAccountStaysSuspended) {
  CreateEverywhere();
  Did(create, kApp);
  v1::Work suspend;
  *suspend.mutable_suspend_account()->mutable_account() = Account();
  suspend.mutable_suspend_account()->mutable_account()->set_suspended(true);
  ASSERT_EQ(RunWork(suspend, kApp, app).reason, Reason::kNone);
  Did(suspend, kApp);
  EXPECT_THAT(Drift(), IsEmpty());
  app.user_table["exampleco"].shell = "/bin/bash";
  app.user_table["exampleco"].locked = false;
  EXPECT_THAT(Drift(), ElementsAre("account/example.com DIFFERS"));
  Repair(kApp, app);
  EXPECT_THAT(Drift(), IsEmpty());
  EXPECT_TRUE(app.user_table["exampleco"].locked);
  app.user_table.erase("exampleco");
  Repair(kApp, app);
  EXPECT_THAT(Drift(), IsEmpty());
  EXPECT_TRUE(app.user_table["exampleco"].locked) << "made anew, and suspended still";
}

TEST_F(UpkeepTest, AQuotaIsLookedAtWhereItIsSetAndNowhereElse) {
  CreateEverywhere();
  Did(create, kApp);
  EXPECT_FALSE(QuotaLook(kept.at(kKey)).has_value());
  EXPECT_FALSE(StepsFor(kept.at(kKey)).contains("quota"));
  Did(create, kStorage);
  const auto look = QuotaLook(kept.at(kKey));
  ASSERT_TRUE(look.has_value());
  const auto quota = [&] { return RunWork(WorkOf(*look), kStorage, storage).steps.at("quota"); };
  EXPECT_EQ(quota().reason, Reason::kNone);
  server().limits[2001] = 5 << 20;
  EXPECT_EQ(quota().reason, Reason::kDiffers);
  EXPECT_EQ(server().limits[2001], 5 << 20) << "only looked at";
  Repair(kStorage, storage);
  EXPECT_EQ(server().limits[2001], 10LL << 30);
  EXPECT_TRUE(StepsFor({"mount_share", "", {"app"}}).empty()) << "all of them";
}

}  // namespace
}  // namespace hostq::agent
