// Goal: every check tells what is wrong with its reason, all of them run, and nothing is changed.
#include <gmock/gmock.h>

#include "tests/unit/agent/actions_testing.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;

class PreflightTest : public ActionTest {
 protected:
  PreflightTest() {
    v1::Preflight& preflight = *work.mutable_preflight();
    *preflight.add_shares() = Share();
    preflight.set_quorum_address(kServer);
    preflight.set_quorum_port(7446);
    preflight.add_addresses("203.0.113.10");
    app.listeners.insert("10.0.0.1:7446");
    storage.listeners.insert("10.0.0.1:7446");
  }
  StepResult Check(const std::string& id) {
    const Outcome outcome = RunWork(work, kApp, app);
    EXPECT_TRUE(outcome.steps.count(id)) << id;
    return outcome.steps.count(id) ? outcome.steps.at(id) : StepResult();
  }
  v1::Work work;
};

TEST_F(PreflightTest, HealthyNodesPassAndNothingIsChanged) {
  const Outcome on_app = RunWork(work, kApp, app);
  EXPECT_EQ(on_app.reason, Reason::kNone) << on_app.failed_step;
  EXPECT_THAT(on_app.order, ElementsAre("os", "capabilities", "tools", "hooks", "journal-disk",
                                        "manager-reachable", "home-layout", "kernel-nfs",
                                        "nfs-reachable", "share-export", "share-write", "quota-get",
                                        "quota-set", "lo-address", "arp", "address-conflict"));
  EXPECT_THAT(app.changes, ElementsAre("AddToLoopback 192.0.2.1", "RemoveFromLoopback 192.0.2.1"));
  const Outcome on_storage = RunWork(work, kStorage, storage);
  EXPECT_EQ(on_storage.reason, Reason::kNone) << on_storage.failed_step;
  EXPECT_THAT(on_storage.order, ElementsAre("os", "capabilities", "tools", "hooks", "journal-disk",
                                            "manager-reachable", "home-layout", "nfs-server",
                                            "quota-service", "quota-enabled"));
  for (const auto& [id, result] : on_app.steps) {
    EXPECT_FALSE(result.changed) << id;
    EXPECT_FALSE((result.skipped && id != "hooks") || result.warning) << id;
  }
}

TEST_F(PreflightTest, APingChangesNothingAnywhere) {
  v1::Work ping;
  ping.mutable_ping()->set_payload("abc");
  for (const Roles& roles : {kApp, kStorage, kBoth}) {
    const Outcome outcome = RunWork(ping, roles, app);
    EXPECT_EQ(outcome.reason, Reason::kNone);
    EXPECT_THAT(outcome.order, ElementsAre("ping"));
    EXPECT_FALSE(outcome.changed);
  }
  EXPECT_THAT(app.changes, testing::IsEmpty());
}

TEST_F(PreflightTest, EveryStepIsIndependent) {
  const auto steps = PlanSteps(work, kBoth, {});
  ASSERT_TRUE(steps.ok());
  EXPECT_EQ(steps->size(), 13U);
  for (const Step& step : *steps) EXPECT_TRUE(step.independent) << step.name;
  app.nfs_in_kernel = false;
  app.capabilities = 0;
  app.arp = {{"eth0", 0, 0}};
  const Outcome outcome = RunWork(work, kApp, app);
  EXPECT_EQ(outcome.order.size(), 16U);
  EXPECT_EQ(outcome.steps.at("kernel-nfs").reason, Reason::kKernelWithoutNfs);
  EXPECT_EQ(outcome.steps.at("capabilities").reason, Reason::kPermissionDenied);
  EXPECT_EQ(outcome.steps.at("arp").reason, Reason::kArpNotSilenced);
}

TEST_F(PreflightTest, WithoutSharesTheirChecksAreSkipped) {
  work.mutable_preflight()->clear_shares();
  app.links.clear();
  app.directories.insert("/home");
  const Outcome outcome = RunWork(work, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kNone) << outcome.failed_step;
  for (const char* id :
       {"nfs-reachable", "share-export", "share-write", "quota-get", "quota-set"}) {
    EXPECT_TRUE(outcome.steps.at(id).skipped) << id;
  }
  EXPECT_TRUE(outcome.steps.at("home-layout").warning);
}

TEST_F(PreflightTest, ShareFailures) {
  server().root_squash = true;
  EXPECT_EQ(Check("share-write").reason, Reason::kShareRootSquashed);
  server().exports.clear();
  EXPECT_EQ(Check("share-export").reason, Reason::kShareExportMissing);
  server().up = false;
  const StepResult unreachable = Check("nfs-reachable");
  EXPECT_EQ(unreachable.reason, Reason::kShareServerUnreachable);
  EXPECT_EQ(unreachable.evidence.at("share"), "home");
}

TEST_F(PreflightTest, MountedShareIsAskedItself) {
  RunWork(Mount(), kApp, app);
  app.Fail("TryNfs", Error(Reason::kInternal));
  EXPECT_EQ(RunWork(work, kApp, app).reason, Reason::kNone);
  server().up = false;
  EXPECT_EQ(Check("share-export").reason, Reason::kShareUnresponsive);
}

TEST_F(PreflightTest, QuotaSetOnlyWarns) {
  server().quota_settable = false;
  const Outcome outcome = RunWork(work, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_TRUE(outcome.steps.at("quota-set").warning);
  EXPECT_EQ(outcome.steps.at("quota-set").reason, Reason::kQuotaSetNotPermitted);
  server().quota_service = false;
  EXPECT_EQ(Check("quota-get").reason, Reason::kQuotaServiceUnreachable);
}

TEST_F(PreflightTest, NodeFailures) {
  app.tools.erase("useradd");
  EXPECT_EQ(Check("tools").reason, Reason::kToolMissing);
  app.links["/home"] = "/data";
  app.directories.insert("/data");
  EXPECT_EQ(Check("home-layout").reason, Reason::kHomeLayout);
  app.disk_latency = absl::Seconds(2);
  EXPECT_TRUE(Check("journal-disk").warning);
  app.Fail("MeasureDisk", Error(Reason::kJournalUnavailable));
  EXPECT_EQ(Check("journal-disk").reason, Reason::kJournalUnavailable);
  app.listeners.clear();
  EXPECT_NE(Check("manager-reachable").reason, Reason::kNone);
  app.Fail("AddToLoopback", Error(Reason::kPermissionDenied), 1);
  EXPECT_EQ(Check("lo-address").reason, Reason::kPermissionDenied);
  app.address_table.push_back({"eth0", *IpAddress::Parse("203.0.113.10"), 32});
  EXPECT_EQ(Check("address-conflict").reason, Reason::kAddressOnOtherInterface);
  app.address_table.push_back({"eth0", *IpAddress::Parse("192.0.2.1"), 32});
  EXPECT_TRUE(Check("lo-address").skipped);
}

TEST_F(PreflightTest, HooksThatCannotBeRun) {
  Policy policy;
  policy.hooks.directory = "/hooks";
  const auto hooks = [&] { return RunWork(work, kApp, app, policy).steps.at("hooks"); };
  EXPECT_TRUE(hooks().skipped);
  app.hook_directories["/hooks"] = {
      {"10-nginx"}, {"10-nginx"}, {{"README", "not executable", false}}};
  EXPECT_EQ(hooks().message, "1 hooks and 1 reloads in /hooks");
  EXPECT_FALSE(hooks().warning);
  app.hook_directories["/hooks"].ignored.push_back({"20-mail", "others may write to it", true});
  EXPECT_TRUE(hooks().warning);
  EXPECT_EQ(hooks().message,
            "1 hooks and 1 reloads in /hooks; never run: 20-mail: others may write to it");
  app.Fail("ListHooks", Error(Reason::kHookDirectoryUnsafe));
  EXPECT_EQ(hooks().reason, Reason::kHookDirectoryUnsafe);
  EXPECT_FALSE(hooks().warning);
}

TEST_F(PreflightTest, CapabilitiesInAUserNamespaceAreToldToBeOfLittleUse) {
  app.user_namespace = true;
  EXPECT_TRUE(Check("capabilities").warning);
  EXPECT_EQ(Check("capabilities").reason, Reason::kNone);
  app.capabilities = 0;
  EXPECT_EQ(Check("capabilities").reason, Reason::kPermissionDenied);
  EXPECT_FALSE(Check("capabilities").warning);
}

TEST_F(PreflightTest, AStorageNodeNeedsExportfs) {
  app.tools.erase("exportfs");
  EXPECT_EQ(Check("tools").reason, Reason::kNone);
  storage.tools.erase("exportfs");
  EXPECT_EQ(RunWork(work, kStorage, storage).steps.at("tools").reason, Reason::kToolMissing);
}

TEST_F(PreflightTest, StorageFailures) {
  server().quotas_enforced = false;
  Outcome outcome = RunWork(work, kStorage, storage);
  EXPECT_EQ(outcome.steps.at("quota-enabled").reason, Reason::kQuotaNotEnabled);
  server().quota_service = false;
  outcome = RunWork(work, kStorage, storage);
  EXPECT_TRUE(outcome.steps.at("quota-service").warning);
  server().up = false;
  outcome = RunWork(work, kStorage, storage);
  EXPECT_EQ(outcome.steps.at("nfs-server").reason, Reason::kShareServerUnreachable);
}

TEST_F(PreflightTest, QuotasSwitchedOffWarnAndHideNoOtherShare) {
  app.quota_backend = storage.quota_backend = QuotaBackend::kSwitchedOff;
  Outcome outcome = RunWork(work, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kNone) << outcome.failed_step;
  for (const char* id : {"quota-get", "quota-set"}) {
    EXPECT_TRUE(outcome.steps.at(id).warning) << id;
    EXPECT_EQ(outcome.steps.at(id).reason, Reason::kQuotaSwitchedOff) << id;
  }
  app.Fail("GetQuota", Error(Reason::kQuotaSwitchedOff), 1);
  app.quota_backend.reset();
  server().quota_service = false;
  v1::Share second = Share();
  second.set_name("second");
  *work.mutable_preflight()->add_shares() = second;
  const StepResult get = Check("quota-get");
  EXPECT_FALSE(get.warning);
  EXPECT_EQ(get.reason, Reason::kQuotaServiceUnreachable);
  EXPECT_EQ(get.evidence.at("share"), "second");
  outcome = RunWork(work, kStorage, storage);
  EXPECT_EQ(outcome.reason, Reason::kNone) << outcome.failed_step;
  EXPECT_EQ(outcome.steps.at("quota-enabled").reason, Reason::kQuotaSwitchedOff);
}

// What it finds would keep a task from being tried again that waits for the program.
TEST_F(PreflightTest, WhereAProgramKeepsQuotasRquotadIsNotLookedFor) {
  storage.quota_backend = QuotaBackend::kProgram;
  server().quota_service = false;
  Outcome outcome = RunWork(work, kStorage, storage);
  EXPECT_TRUE(outcome.steps.at("quota-service").skipped);
  EXPECT_EQ(outcome.steps.at("quota-enabled").reason, Reason::kNone);
  storage.Fail("CheckEnforced", Error(Reason::kQuotaProgramFailed));
  outcome = RunWork(work, kStorage, storage);
  EXPECT_EQ(outcome.steps.at("quota-enabled").reason, Reason::kQuotaProgramFailed);
  EXPECT_FALSE(outcome.steps.at("quota-enabled").warning);
}

TEST_F(PreflightTest, ShareOutsideThePolicyIsAFailedCheckNotARefusal) {
  Policy policy;
  policy.share_sources = {"192.0.2.1:/*"};
  const Outcome outcome = RunWork(work, kApp, app, policy);
  EXPECT_EQ(outcome.steps.at("share-export").reason, Reason::kNotAllowedByPolicy);
}

}  // namespace
}  // namespace hostq::agent
