// Goal: the share is mounted where it belongs, hides nothing, and is unmounted only if hostq did
// it.
#include "tests/unit/agent/actions_testing.h"

namespace hostq::agent {
namespace {

class ShareTest : public ActionTest {
 protected:
  ShareTest() { *unmount.mutable_unmount_share()->mutable_share() = Share(); }
  Outcome Mounted() { return RunWork(Mount(), kApp, app); }
  v1::Work unmount;
};

TEST_F(ShareTest, MountedAndUnmounted) {
  ExpectTwice(Mount(), kApp, app);
  const Outcome again = Mounted();
  EXPECT_EQ(again.steps.at("mount").evidence.at("version"), "4.2");
  EXPECT_EQ(again.steps.at("mount").evidence.at("mount_point"), "/chroot/home");
  ExpectTwice(unmount, kApp, app);
  EXPECT_TRUE(app.volatile_notes.empty());
}

TEST_F(ShareTest, StorageServesItItself) {
  EXPECT_TRUE(RunWork(Mount(), kStorage, storage).steps.at("mount").skipped);
  EXPECT_TRUE(RunWork(unmount, kBoth, storage).steps.at("unmount").skipped);
}

TEST_F(ShareTest, LayoutOfHome) {
  app.links.clear();
  app.directories.insert("/home");
  EXPECT_EQ(Mounted().reason, Reason::kHomeLayout);
  app.links["/home"] = "/srv";
  EXPECT_EQ(Mounted().reason, Reason::kHomeLayout);
  app.links["/home"] = "/etc";
  EXPECT_EQ(Mounted().reason, Reason::kHomeLayout);
  app.links["/home"] = "chroot/home";
  EXPECT_EQ(Mounted().reason, Reason::kNone);
}

TEST_F(ShareTest, LinkIntoASystemDirectoryIsRefused) {
  v1::Work work = Mount();
  work.mutable_mount_share()->mutable_share()->set_mount_point("/srv/home");
  app.links["/srv/home"] = "/etc";
  Policy policy;
  policy.mount_points = {"/srv/home"};
  EXPECT_EQ(RunWork(work, kApp, app, policy).reason, Reason::kNotAllowedByPolicy);
}

TEST_F(ShareTest, HidesNothing) {
  app.full_directories["/chroot/home"] = "precious";
  const Outcome outcome = Mounted();
  EXPECT_EQ(outcome.reason, Reason::kMountPointNotEmpty);
  EXPECT_EQ(outcome.steps.at("mount").evidence.at("entry"), "precious");
  app.full_directories.clear();
  app.directories.clear();
  EXPECT_EQ(Mounted().reason, Reason::kMountPointMissing);
}

TEST_F(ShareTest, SomethingElseIsMountedThere) {
  hostq::agent::Mount other;
  other.mount_point = "/chroot/home";
  other.fs_type = "ext4";
  other.source = "/dev/vdb1";
  app.mount_table.push_back(other);
  const Outcome outcome = Mounted();
  EXPECT_EQ(outcome.reason, Reason::kShareWrongSource);
  EXPECT_EQ(outcome.steps.at("mount").evidence.at("source"), "/dev/vdb1");
  EXPECT_EQ(RunWork(unmount, kApp, app).reason, Reason::kShareNotOurs);
}

TEST_F(ShareTest, ServerFailures) {
  app.nfs_in_kernel = false;
  EXPECT_EQ(Mounted().reason, Reason::kKernelWithoutNfs);
  app.nfs_in_kernel = true;
  server().exports.clear();
  EXPECT_EQ(Mounted().reason, Reason::kShareExportMissing);
  server().up = false;
  EXPECT_EQ(Mounted().reason, Reason::kShareServerUnreachable);
  for (const Reason reason : {Reason::kShareAccessDenied, Reason::kPermissionDenied}) {
    app.Fail("MountNfs", Error(reason), 1);
    EXPECT_EQ(Mounted().reason, reason);
  }
  EXPECT_TRUE(app.volatile_notes.empty());  // no claim on what was never mounted
}

TEST_F(ShareTest, WritingIsTried) {
  server().root_squash = true;
  EXPECT_EQ(Mounted().reason, Reason::kShareRootSquashed);
  server().read_only = true;
  EXPECT_EQ(Mounted().reason, Reason::kShareReadOnly);
}

TEST_F(ShareTest, DeadServerUnderTheMountIsNamed) {
  Mounted();
  server().up = false;
  EXPECT_EQ(Mounted().reason, Reason::kShareUnresponsive);
  EXPECT_EQ(RunWork(unmount, kApp, app).reason, Reason::kNone);  // needs no server
}

TEST_F(ShareTest, WithoutAMountPointNothingIsMountedThere) {
  app.links.clear();
  app.directories.clear();
  const Outcome outcome = RunWork(unmount, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_TRUE(app.changes.empty());
}

TEST_F(ShareTest, MountedByHandIsUsedButNotUnmounted) {
  Mounted();
  app.volatile_notes.clear();
  EXPECT_FALSE(Mounted().changed);
  EXPECT_EQ(RunWork(unmount, kApp, app).reason, Reason::kShareNotOurs);
}

TEST_F(ShareTest, MountedAgainByHandIsNoLongerOurs) {
  Mounted();
  app.mount_table.back().id = 4711;
  EXPECT_EQ(RunWork(unmount, kApp, app).reason, Reason::kShareNotOurs);
}

TEST_F(ShareTest, KilledAfterMountingIsStillOurs) {
  Mounted();
  app.volatile_notes["mounted/home"] = "intent";
  EXPECT_FALSE(Mounted().changed);
  EXPECT_NE(app.volatile_notes["mounted/home"], "intent");
  EXPECT_EQ(RunWork(unmount, kApp, app).reason, Reason::kNone);
}

TEST_F(ShareTest, BusyIsNamed) {
  Mounted();
  app.Fail("Unmount", Error(Reason::kShareBusy), 1);
  EXPECT_EQ(RunWork(unmount, kApp, app).reason, Reason::kShareBusy);
}

}  // namespace
}  // namespace hostq::agent
