// Goal: mountinfo is read as the kernel writes it, and an NFS mount is recognized by what it is of.
#include <gtest/gtest.h>

#include "agent/host/mounts.h"
#include "agent/host/quotas.h"

namespace hostq::agent {
namespace {

constexpr char kTable[] =
    "21 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "26 21 0:22 / /chroot/home rw,nosuid,nodev,relatime shared:9 master:2 - nfs4 "
    "10.0.0.1:/chroot/home rw,vers=4.2,hard,clientaddr=10.0.0.2,addr=10.0.0.1\n"
    "27 21 8:1 /sub /srv/with\\040space\\134\\011 rw - xfs /dev/vdb1 rw,usrquota\n"
    "28 21 0:23 / /old//deleted rw - tmpfs tmpfs rw\n";

TEST(MountInfoTest, FieldsAndEscapes) {
  const auto mounts = ParseMountInfo(kTable);
  ASSERT_EQ(mounts.size(), 4U);
  EXPECT_EQ(mounts[1].id, 26);
  EXPECT_EQ(mounts[1].source, "10.0.0.1:/chroot/home");
  EXPECT_EQ(mounts[1].Option("vers"), "4.2");
  EXPECT_EQ(mounts[1].Option("addr"), "10.0.0.1");  // not clientaddr's value
  EXPECT_EQ(mounts[1].Option("none"), "");
  EXPECT_TRUE(mounts[1].nfs());
  EXPECT_EQ(mounts[2].mount_point, "/srv/with space\\\t");
  EXPECT_EQ(mounts[2].root, "/sub");
  EXPECT_TRUE(mounts[3].deleted);
  EXPECT_EQ(MountAt(mounts, "/old"), nullptr);
}

TEST(MountInfoTest, GarbageIsLeftOut) {
  EXPECT_TRUE(ParseMountInfo("").empty());
  EXPECT_TRUE(ParseMountInfo("\n\n1 2 3\nx 1 0:1 / / rw - ext4 a b\n").empty());
  EXPECT_TRUE(ParseMountInfo("21 1 0:20 / / rw,relatime shared:1\n").empty());
  EXPECT_TRUE(ParseMountInfo("21 1 0:20 / / rw -").empty());
  EXPECT_EQ(ParseMountInfo("21 1 0:20 / /a\\04 rw - ext4 d rw").at(0).mount_point, "/a\\04");
}

TEST(MountInfoTest, TheUpperOfStackedMountsCounts) {
  const auto mounts = ParseMountInfo(
      "1 0 0:1 / / rw - ext4 root rw\n2 1 0:2 / /x rw - ext4 lower rw\n3 2 0:3 / /x rw - nfs4 h:/u "
      "rw\n");
  EXPECT_EQ(MountAt(mounts, "/x")->source, "h:/u");
  EXPECT_EQ(MountContaining(mounts, "/x/y/z")->source, "h:/u");
  EXPECT_EQ(MountContaining(mounts, "/xy")->source, "root");
  EXPECT_EQ(MountContaining(mounts, "/")->source, "root");
  EXPECT_EQ(MountContaining({}, "/x"), nullptr);
}

TEST(NfsSourceTest, SameWhateverTheServerIsCalled) {
  Mount mount;
  mount.fs_type = "nfs4";
  mount.source = "files.example.com:/chroot/home/";
  mount.super_options = "rw,addr=10.0.0.1";
  EXPECT_TRUE(IsNfsOf(mount, "10.0.0.1", "10.0.0.1", "/chroot/home"));
  EXPECT_TRUE(IsNfsOf(mount, "files.example.com", "", "/chroot/home"));
  EXPECT_TRUE(IsNfsOf(mount, "other.example.com", "10.0.0.1", "/chroot/home"));
  EXPECT_FALSE(IsNfsOf(mount, "10.0.0.2", "10.0.0.2", "/chroot/home"));
  EXPECT_FALSE(IsNfsOf(mount, "10.0.0.1", "10.0.0.1", "/chroot/home2"));
  mount.source = NfsSource("2001:db8::1", "/x");
  EXPECT_EQ(mount.source, "[2001:db8::1]:/x");
  EXPECT_TRUE(IsNfsOf(mount, "2001:db8::1", "", "/x"));
  mount.fs_type = "ext4";
  EXPECT_FALSE(IsNfsOf(mount, "2001:db8::1", "", "/x"));
}

TEST(QuotaBackendTest, FollowsTheFileSystem) {
  Mount mount;
  mount.fs_type = "nfs";
  EXPECT_EQ(QuotaBackendOf(mount), QuotaBackend::kRquota);
  mount.fs_type = "xfs";
  EXPECT_EQ(QuotaBackendOf(mount), QuotaBackend::kKernel);
  mount.fs_type = "overlay";
  EXPECT_EQ(QuotaBackendOf(mount), QuotaBackend::kNone);
}

}  // namespace
}  // namespace hostq::agent
