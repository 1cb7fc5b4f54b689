// Goal: accounts are made, suspended, given back and deleted on storage and app nodes; every
// failure has its reason; a second run changes nothing.
#include <gmock/gmock.h>

#include "tests/unit/agent/actions_testing.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using CreateAccountTest = ActionTest;

TEST_F(CreateAccountTest, StorageMakesUserHomeAndQuota) {
  ExpectTwice(create, kStorage, storage);
  EXPECT_EQ(storage.user_table["exampleco"].uid, 2001U);
  EXPECT_EQ(storage.user_table["exampleco"].home, "/home/exampleco");
  const FileInfo& home = server().files.at("/chroot/home/exampleco");
  EXPECT_EQ(home.uid, 2001U);
  EXPECT_EQ(home.mode, 0711U);
  EXPECT_EQ(server().limits[2001], 10LL << 30);
  EXPECT_THAT(RunWork(create, kStorage, storage).order,
              ElementsAre("group", "user", "home", "quota"));
}

TEST_F(CreateAccountTest, AppVerifiesAndBinds) {
  RunWork(create, kStorage, storage);
  RunWork(Mount(), kApp, app);
  ExpectTwice(create, kApp, app);
  EXPECT_THAT(RunWork(create, kApp, app).order,
              ElementsAre("group", "user", "share", "home", "quota", "address 203.0.113.10"));
  // Nothing of the file server was changed from there.
  for (const std::string& change : app.changes) {
    EXPECT_EQ(change.find("Quota"), std::string::npos) << change;
    EXPECT_EQ(change.find("MakeDirectory"), std::string::npos) << change;
  }
}

TEST_F(CreateAccountTest, BothRolesWithoutDuplicates) {
  ExpectTwice(create, kBoth, storage);
  EXPECT_THAT(RunWork(create, kBoth, storage).order,
              ElementsAre("group", "user", "home", "quota", "address 203.0.113.10"));
}

TEST_F(CreateAccountTest, WithoutShareHomeIsLocal) {
  Account().clear_share();
  ExpectTwice(create, kApp, app);
  EXPECT_EQ(app.local.files.count("/chroot/home/exampleco"), 1U);
}

TEST_F(CreateAccountTest, OtherRolesDoNothing) {
  EXPECT_THAT(*PlanSteps(create, {}, {}), IsEmpty());
}

TEST_F(CreateAccountTest, UserConflicts) {
  storage.user_table["exampleco"] = {"exampleco", 3000, 3000, "/home/x", "/bin/sh", true};
  storage.group_table = {{"exampleco", {"exampleco", 3000}}};
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kUserNameTaken);
  storage.user_table.clear();
  storage.group_table.clear();
  storage.user_table["other"] = {"other", 2001, 100, "/home/x", "/bin/sh", true};
  Outcome outcome = RunWork(create, kStorage, storage);
  EXPECT_EQ(outcome.reason, Reason::kUidTaken);
  EXPECT_EQ(outcome.steps["group"].evidence["user"], "other");
  storage.user_table.clear();
  storage.group_table = {{"other", {"other", 2001}}};
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kGidTaken);
  storage.group_table = {{"exampleco", {"exampleco", 5}}};
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kGidTaken);
  EXPECT_TRUE(server().files.empty());
}

TEST_F(CreateAccountTest, DifferencesOfTheUserArePutRight) {
  CreateEverywhere();
  app.user_table["exampleco"].shell = "/bin/sh";
  app.user_table["exampleco"].home = "/elsewhere";
  ExpectTwice(create, kApp, app);
  EXPECT_EQ(app.user_table["exampleco"].shell, "/bin/bash");
  EXPECT_EQ(app.user_table["exampleco"].home, "/home/exampleco");
  app.user_table["exampleco"].gid = 5;
  EXPECT_EQ(RunWork(create, kApp, app).reason, Reason::kUserNameTaken);
}

TEST_F(CreateAccountTest, LockedDatabaseIsNamedAndWorkGoesOnLater) {
  storage.Fail("AddUser", Error(Reason::kAccountDatabaseLocked), 1);
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kAccountDatabaseLocked);
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kNone);
}

TEST_F(CreateAccountTest, AppNeedsTheShare) {
  Outcome outcome = RunWork(create, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kShareNotMounted);
  server().exports.insert("/other");
  v1::Work other = Mount();
  other.mutable_mount_share()->mutable_share()->set_export_path("/other");
  ASSERT_EQ(RunWork(other, kApp, app).reason, Reason::kNone);
  outcome = RunWork(create, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kShareWrongSource);
  EXPECT_EQ(outcome.steps["share"].evidence["source"], "10.0.0.1:/other");
}

TEST_F(CreateAccountTest, AppNeedsAnAnsweringServerAndTheHome) {
  RunWork(Mount(), kApp, app);
  EXPECT_EQ(RunWork(create, kApp, app).reason, Reason::kHomeMissing);
  RunWork(create, kStorage, storage);
  server().files["/chroot/home/exampleco"].uid = 7;
  EXPECT_EQ(RunWork(create, kApp, app).reason, Reason::kHomeWrongOwner);
  server().up = false;
  EXPECT_EQ(RunWork(create, kApp, app).reason, Reason::kShareUnresponsive);
}

TEST_F(CreateAccountTest, StorageTakesNobodysHome) {
  server().files["/chroot/home/exampleco"] = {FileInfo::Kind::kDirectory, 7, 7, 0755};
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kHomeWrongOwner);
  server().files["/chroot/home/exampleco"] = {FileInfo::Kind::kSymlink, 2001, 2001, 0777};
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kHomeWrongOwner);
}

TEST_F(CreateAccountTest, QuotaFailuresOnTheStorageNode) {
  server().quotas_enabled = false;
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kQuotaNotEnabled);
  server().quotas_enabled = true;
  server().quotas_enforced = false;  // could be written and read back
  EXPECT_EQ(RunWork(create, kStorage, storage).reason, Reason::kQuotaNotEnabled);
  server().quotas_enabled = false;
  Account().set_quota_bytes(0);  // no limit was asked for: none is missing
  const Outcome outcome = RunWork(create, kStorage, storage);
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_TRUE(outcome.steps.at("quota").skipped);
}

// The administrator's choice: said, and in nobody's way.
TEST_F(CreateAccountTest, QuotasSwitchedOffAreAStandingWarning) {
  storage.quota_backend = app.quota_backend = QuotaBackend::kSwitchedOff;
  for (auto [host, roles] : {std::pair(&storage, kStorage), std::pair(&app, kApp)}) {
    if (host == &app) RunWork(Mount(), kApp, app);
    const Outcome outcome = RunWork(create, roles, *host);
    EXPECT_EQ(outcome.reason, Reason::kNone) << outcome.failed_step;
    EXPECT_EQ(outcome.steps.at("quota").reason, Reason::kQuotaSwitchedOff);
    EXPECT_TRUE(outcome.steps.at("quota").warning);
    EXPECT_NE(outcome.steps.at("quota").message.find("the limit of 10GiB is not kept"),
              std::string::npos);
  }
  EXPECT_TRUE(server().limits.empty());
  Account().set_quota_bytes(0);
  EXPECT_TRUE(RunWork(create, kStorage, storage).steps.at("quota").skipped);
}

TEST_F(CreateAccountTest, QuotaFailuresSeenFromTheAppNode) {
  CreateEverywhere();
  server().limits[2001] = 5;
  Outcome outcome = RunWork(create, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kQuotaMismatch);
  EXPECT_EQ(outcome.steps["quota"].evidence["expected"], "10GiB");
  server().quota_service = false;
  EXPECT_EQ(RunWork(create, kApp, app).reason, Reason::kQuotaServiceUnreachable);
  Account().set_quota_bytes(0);
  outcome = RunWork(create, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_TRUE(outcome.steps["quota"].warning);
}

TEST_F(CreateAccountTest, SuspendedAccountIsMadeSuspended) {
  Account().set_suspended(true);
  ExpectTwice(create, kStorage, storage);
  EXPECT_EQ(storage.user_table["exampleco"].shell, "/usr/sbin/nologin");
  v1::Work work;
  *work.mutable_unsuspend_account()->mutable_account() = Account();
  RunWork(work, kStorage, storage);
  EXPECT_EQ(storage.user_table["exampleco"].shell, "/bin/bash");
}

class SuspendTest : public ActionTest {
 protected:
  void SetUp() override {
    CreateEverywhere();
    app.user_table["exampleco"].locked = false;
    app.processes[2001] = 3;
    *suspend.mutable_suspend_account()->mutable_account() = Account();
    *unsuspend.mutable_unsuspend_account()->mutable_account() = Account();
  }
  const User& TheUser() { return app.user_table["exampleco"]; }
  v1::Work suspend;
  v1::Work unsuspend;
};

TEST_F(SuspendTest, ClosesLoginAndEndsProcesses) {
  ExpectTwice(suspend, kApp, app);
  EXPECT_TRUE(TheUser().locked);
  EXPECT_EQ(TheUser().shell, "/usr/sbin/nologin");
  EXPECT_EQ(app.processes[2001], 0);
}

TEST_F(SuspendTest, GivesBackWhatWas) {
  app.user_table["exampleco"].shell = "/bin/sh";  // changed by the administrator
  RunWork(suspend, kApp, app);
  ExpectTwice(unsuspend, kApp, app);
  EXPECT_FALSE(TheUser().locked);
  EXPECT_EQ(TheUser().shell, "/bin/sh");
  EXPECT_TRUE(app.durable_notes.empty());
}

TEST_F(SuspendTest, WasLockedStaysLocked) {
  app.user_table["exampleco"].locked = true;
  RunWork(suspend, kApp, app);
  RunWork(unsuspend, kApp, app);
  EXPECT_TRUE(TheUser().locked);
}

TEST_F(SuspendTest, CutShortDoesNotForget) {
  app.Fail("SetShell", Error(Reason::kAccountDatabaseLocked), 1);
  EXPECT_EQ(RunWork(suspend, kApp, app).reason, Reason::kAccountDatabaseLocked);
  EXPECT_TRUE(TheUser().locked);
  EXPECT_EQ(RunWork(suspend, kApp, app).reason, Reason::kNone);
  app.Reboot();
  RunWork(unsuspend, kApp, app);
  EXPECT_FALSE(TheUser().locked);
  EXPECT_EQ(TheUser().shell, "/bin/bash");
}

TEST_F(SuspendTest, NeverSuspendedIsLeftAlone) {
  app.user_table["exampleco"].shell = "/bin/sh";
  const Outcome outcome = RunWork(unsuspend, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_FALSE(outcome.changed);
}

TEST_F(SuspendTest, MissingOrOtherUserIsNamed) {
  app.user_table.clear();
  EXPECT_EQ(RunWork(suspend, kApp, app).reason, Reason::kUserMissing);
  EXPECT_EQ(RunWork(unsuspend, kApp, app).reason, Reason::kUserMissing);
  app.user_table["exampleco"] = {"exampleco", 5000, 5000, "/", "/bin/sh", false};
  EXPECT_EQ(RunWork(suspend, kApp, app).reason, Reason::kUserNameTaken);
  EXPECT_FALSE(TheUser().locked);
}

TEST_F(SuspendTest, UnkillableProcessesAreNamed) {
  app.Fail("EndProcesses", Error(Reason::kShareUnresponsive), 1);
  EXPECT_EQ(RunWork(suspend, kApp, app).reason, Reason::kShareUnresponsive);
}

TEST_F(SuspendTest, NothingIsChangedWithoutANote) {
  app.Fail("WriteNote", Error(Reason::kJournalUnavailable), 1);
  EXPECT_EQ(RunWork(suspend, kApp, app).reason, Reason::kJournalUnavailable);
  EXPECT_FALSE(TheUser().locked);
}

class DeleteTest : public ActionTest {
 protected:
  void SetUp() override {
    CreateEverywhere();
    *remove.mutable_delete_account()->mutable_account() = Account();
    remove.mutable_delete_account()->add_addresses_to_unbind("203.0.113.10");
  }
  v1::Work remove;
};

TEST_F(DeleteTest, AppLosesUserAndAddressOnly) {
  app.processes[2001] = 1;
  ExpectTwice(remove, kApp, app);
  EXPECT_TRUE(app.user_table.empty());
  EXPECT_TRUE(app.group_table.empty());
  EXPECT_EQ(app.processes[2001], 0);
  EXPECT_EQ(server().files.count("/chroot/home/exampleco"), 1U);
  EXPECT_EQ(server().limits[2001], 10LL << 30);
}

TEST_F(DeleteTest, AddressInUseElsewhereStays) {
  remove.mutable_delete_account()->clear_addresses_to_unbind();
  const size_t before = app.address_table.size();
  RunWork(remove, kApp, app);
  EXPECT_EQ(app.address_table.size(), before);
}

TEST_F(DeleteTest, StoragePutsHomeIntoTheTrash) {
  ExpectTwice(remove, kStorage, storage);
  EXPECT_EQ(server().files.count("/chroot/home/exampleco"), 0U);
  EXPECT_EQ(server().files.count("/chroot/home/.hostq-trash/exampleco.3"), 1U);
  EXPECT_EQ(server().files.at("/chroot/home/.hostq-trash").mode, 0700U);
  EXPECT_EQ(server().limits[2001], 0);
  EXPECT_TRUE(storage.user_table.empty());
}

TEST_F(DeleteTest, AnotherUserIsNeverTouched) {
  storage.user_table["exampleco"].uid = 4000;
  storage.changes.clear();
  storage.group_table["exampleco"].gid = 4000;
  EXPECT_EQ(RunWork(remove, kStorage, storage).reason, Reason::kNone);
  EXPECT_THAT(storage.changes, IsEmpty());
  storage.user_table.clear();
  storage.user_table["other"] = {"other", 2001, 2001, "/home/other", "/bin/sh", true};
  const Outcome outcome = RunWork(remove, kStorage, storage);
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_THAT(storage.changes, IsEmpty());
  for (const auto& [name, step] : outcome.steps) EXPECT_TRUE(step.skipped) << name;
  EXPECT_EQ(server().limits[2001], 10LL << 30);
}

TEST_F(DeleteTest, SomebodyElsesHomeStays) {
  server().files["/chroot/home/exampleco"].uid = 7;
  EXPECT_EQ(RunWork(remove, kStorage, storage).reason, Reason::kHomeWrongOwner);
  EXPECT_EQ(server().files.count("/chroot/home/exampleco"), 1U);
}

TEST_F(DeleteTest, SuspensionIsForgotten) {
  v1::Work suspend;
  *suspend.mutable_suspend_account()->mutable_account() = Account();
  RunWork(suspend, kStorage, storage);
  RunWork(remove, kStorage, storage);
  EXPECT_TRUE(storage.durable_notes.empty());
}

class SetQuotaTest : public ActionTest {
 protected:
  void SetUp() override {
    CreateEverywhere();
    Account().set_quota_bytes(1 << 20);
    *account_quota.mutable_set_account_quota()->mutable_account() = Account();
    *quota.mutable_set_quota()->mutable_account() = Account();
  }
  v1::Work account_quota;
  v1::Work quota;
};

TEST_F(SetQuotaTest, StorageSetsAppVerifies) {
  EXPECT_EQ(RunWork(account_quota, kApp, app).reason, Reason::kQuotaMismatch);
  ExpectTwice(account_quota, kStorage, storage);
  EXPECT_EQ(server().limits[2001], 1 << 20);
  EXPECT_EQ(RunWork(account_quota, kApp, app).reason, Reason::kNone);
}

TEST_F(SetQuotaTest, FromAnAppNodeOverNfs) {
  ExpectTwice(quota, kApp, app);
  EXPECT_EQ(server().limits[2001], 1 << 20);
}

TEST_F(SetQuotaTest, NotPermittedUntilCured) {
  server().quota_settable = false;
  Outcome outcome = RunWork(quota, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kQuotaSetNotPermitted);
  EXPECT_EQ(outcome.steps["quota"].evidence["auth_stat"], "7");
  EXPECT_EQ(server().limits[2001], 10LL << 30);
  server().quota_settable = true;
  EXPECT_EQ(RunWork(quota, kApp, app).reason, Reason::kNone);
}

TEST_F(SetQuotaTest, OtherFailures) {
  server().quotas_enabled = false;
  EXPECT_EQ(RunWork(quota, kApp, app).reason, Reason::kQuotaNotEnabled);
  server().quotas_enabled = true;
  server().quota_service = false;
  EXPECT_EQ(RunWork(quota, kApp, app).reason, Reason::kQuotaServiceUnreachable);
  server().quota_service = true;
  quota.mutable_set_quota()->mutable_account()->set_quota_bytes(4LL << 40);
  EXPECT_EQ(RunWork(quota, kApp, app).reason, Reason::kQuotaTooLarge);
  app.Reboot();
  EXPECT_EQ(RunWork(quota, kApp, app).reason, Reason::kShareNotMounted);
  storage.mount_table[0].fs_type = "overlay";
  EXPECT_EQ(RunWork(account_quota, kStorage, storage).reason, Reason::kQuotaUnsupportedFilesystem);
}

TEST_F(SetQuotaTest, WithoutItsUserThereIsNothingToLimit) {
  storage.user_table.clear();
  storage.group_table.clear();
  EXPECT_EQ(RunWork(account_quota, kStorage, storage).reason, Reason::kUserMissing);
  EXPECT_EQ(server().limits[2001], 10LL << 30);
}

TEST_F(SetQuotaTest, WhatIsNotAMultipleOfAKibibyteIsRoundedUp) {
  account_quota.mutable_set_account_quota()->mutable_account()->set_quota_bytes(1000);
  ExpectTwice(account_quota, kStorage, storage);
  EXPECT_EQ(server().limits[2001], 1024);
}

TEST_F(SetQuotaTest, MoreInUseThanAllowedIsSaid) {
  server().used[2001] = 5 << 20;
  const Outcome outcome = RunWork(account_quota, kStorage, storage);
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_THAT(outcome.steps.at("quota").message, testing::HasSubstr("more is in use"));
}

TEST_F(SetQuotaTest, AnothersUidIsNotLimited) {
  storage.user_table.clear();
  storage.user_table["other"] = {"other", 2001, 2001, "/", "/bin/sh", true};
  EXPECT_EQ(RunWork(account_quota, kStorage, storage).reason, Reason::kUidTaken);
}

class ResyncAccountTest : public ActionTest {
 protected:
  v1::Work Resync(bool apply) {
    v1::Work work;
    *work.mutable_resync_account()->mutable_account() = Account();
    work.mutable_resync_account()->set_apply(apply);
    return work;
  }
};

TEST_F(ResyncAccountTest, ALookTellsEveryDifferenceAndChangesNone) {
  CreateEverywhere();
  app.user_table.clear();
  app.address_table.clear();
  server().limits[2001] = 1 << 20;
  const auto storage_changes = storage.changes, app_changes = app.changes;
  const Outcome at_storage = RunWork(Resync(false), kStorage, storage);
  EXPECT_EQ(at_storage.reason, Reason::kNone) << "what is found stops nothing";
  EXPECT_EQ(at_storage.steps.at("quota").reason, Reason::kDiffers);
  EXPECT_TRUE(at_storage.steps.at("quota").warning);
  EXPECT_EQ(at_storage.steps.at("quota").message,
            "to be done: set the quota of uid 2001 to 10GiB (it is 1MiB)");
  EXPECT_EQ(at_storage.steps.at("user").reason, Reason::kNone);
  const Outcome at_app = RunWork(Resync(false), kApp, app);
  EXPECT_EQ(at_app.steps.at("user").message, "to be done: add the user exampleco with uid 2001");
  EXPECT_EQ(at_app.steps.at("address 203.0.113.10").message, "to be done: put 203.0.113.10 on lo");
  EXPECT_EQ(at_app.steps.at("quota").reason, Reason::kQuotaMismatch) << "cannot be put right here";
  EXPECT_FALSE(at_app.changed);
  EXPECT_EQ(storage.changes, storage_changes);
  EXPECT_EQ(app.changes, app_changes);
  EXPECT_EQ(RunWork(Resync(true), kStorage, storage).reason, Reason::kNone);
  EXPECT_EQ(RunWork(Resync(true), kApp, app).reason, Reason::kNone);
  for (const auto& [name, step] : RunWork(Resync(false), kApp, app).steps) {
    EXPECT_EQ(step.reason, Reason::kNone) << name;
  }
}

TEST_F(ResyncAccountTest, ALookAtANodeComparesSharesAndAddressesToo) {
  v1::Work work;
  v1::ResyncNode& resync = *work.mutable_resync_node();
  *resync.add_shares() = Account().share();
  resync.add_addresses("203.0.113.99");
  resync.add_addresses("203.0.113.98");
  app.address_table.push_back({"lo", *IpAddress::Parse("203.0.113.98"), 32});
  const auto changes = app.changes;
  Outcome outcome = RunWork(work, kApp, app);
  EXPECT_EQ(outcome.steps.at("share/home").reason, Reason::kDiffers);
  EXPECT_TRUE(outcome.steps.at("share/home").warning);
  EXPECT_EQ(outcome.steps.at("address/203.0.113.99").message, "to be done: put 203.0.113.99 on lo");
  EXPECT_EQ(outcome.steps.at("address/203.0.113.98").reason, Reason::kNone);
  EXPECT_FALSE(outcome.changed);
  ASSERT_EQ(RunWork(Mount(), kApp, app).reason, Reason::kNone);
  EXPECT_EQ(RunWork(work, kApp, app).steps.at("share/home").reason, Reason::kNone);
}

// Found by a tester: a node joined, the quota was changed meanwhile, and what would have told the
// node so waited behind the resync that did not succeed for it.
TEST_F(ResyncAccountTest, ALimitThatWasChangedSinceDoesNotHoldUpAnAppNode) {
  CreateEverywhere();
  server().limits[2001] = 12LL << 30;
  app.user_table.clear();
  const Outcome outcome = RunWork(Resync(true), kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_EQ(outcome.steps.at("quota").reason, Reason::kQuotaMismatch) << "and is told";
  EXPECT_TRUE(app.user_table.contains("exampleco"));
  RunWork(Resync(true), kStorage, storage);
  EXPECT_EQ(server().limits[2001], 10LL << 30) << "a storage node sets it";
}

TEST_F(ResyncAccountTest, ASuspendedAccountStaysSuspended) {
  CreateEverywhere();
  Account().set_suspended(true);
  EXPECT_TRUE(RunWork(Resync(true), kApp, app).changed) << "it was not";
  EXPECT_TRUE(app.user_table["exampleco"].locked);
  EXPECT_FALSE(RunWork(Resync(true), kApp, app).changed);
}

}  // namespace
}  // namespace hostq::agent
