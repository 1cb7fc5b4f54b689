// Goal: nothing outside the node's policy, and nothing of the system under any policy, is touched.
#include <algorithm>

#include "tests/unit/agent/actions_testing.h"

namespace hostq::agent {
namespace {

Reason Why(const absl::Status& status) { return ReasonOf(status); }

TEST(PolicyTest, MountPointsAndHomes) {
  Policy policy;
  EXPECT_TRUE(CheckMountPoint(policy, "/home").ok());
  EXPECT_TRUE(CheckMountPoint(policy, "/chroot/home").ok());
  EXPECT_TRUE(CheckHome(policy, "/home/exampleco").ok());
  for (const char* path : {"/home/x", "/srv", "/etc", "/homes", "/usr/local"}) {
    EXPECT_EQ(Why(CheckMountPoint(policy, path)), Reason::kNotAllowedByPolicy) << path;
  }
  for (const char* path : {"/home", "/homes/x", "/etc/x", "/root"}) {
    EXPECT_EQ(Why(CheckHome(policy, path)), Reason::kNotAllowedByPolicy) << path;
  }
  for (const char* path : {"", "/", "home", "/home/", "/home/../etc", "/home//x", "/home/./x",
                           "/home/a:b", "/home/a\nb"}) {
    EXPECT_EQ(Why(CheckHome(policy, path)), Reason::kBadParameters) << path;
  }
  policy.mount_points = {"/etc", "/usr/home"};
  EXPECT_EQ(Why(CheckMountPoint(policy, "/etc")), Reason::kNotAllowedByPolicy);
  EXPECT_EQ(Why(CheckHome(policy, "/usr/home/x")), Reason::kNotAllowedByPolicy);
}

TEST(PolicyTest, ShareSources) {
  Policy policy;
  EXPECT_TRUE(CheckShareSource(policy, "10.0.0.1", "/chroot/home").ok());
  EXPECT_TRUE(CheckShareSource(policy, "2001:db8::1", "/").ok());
  policy.share_sources = {"10.0.0.*:/chroot/*"};
  EXPECT_TRUE(CheckShareSource(policy, "10.0.0.1", "/chroot/home").ok());
  EXPECT_EQ(Why(CheckShareSource(policy, "10.0.1.1", "/chroot/home")), Reason::kNotAllowedByPolicy);
  EXPECT_EQ(Why(CheckShareSource(policy, "10.0.0.1", "/other")), Reason::kNotAllowedByPolicy);
  for (const char* server : {"", "-o", "a b", "a,vers=3", "a/b"}) {
    EXPECT_EQ(Why(CheckShareSource(policy, server, "/x")), Reason::kBadParameters) << server;
  }
  EXPECT_EQ(Why(CheckShareSource(policy, "a", "/x/../y")), Reason::kBadParameters);
}

TEST(PolicyTest, Users) {
  Policy policy;
  EXPECT_TRUE(CheckUser(policy, "exampleco", 1000, 65000).ok());
  for (const char* name : {"root", "www-data", "nobody", "hostq", "Upper", "1st", "a.b"}) {
    EXPECT_EQ(Why(CheckUser(policy, name, 2001, 2001)), Reason::kNotAllowedByPolicy) << name;
  }
  for (const char* name : {"", "-r", "a b", "a:b", "a/b", "a\n"}) {
    EXPECT_EQ(Why(CheckUser(policy, name, 2001, 2001)), Reason::kBadParameters) << name;
  }
  for (const uint32_t id : {0U, 999U, 65001U, 65534U, 0xffffffffU}) {
    EXPECT_EQ(Why(CheckUser(policy, "a", id, 2001)), Reason::kNotAllowedByPolicy) << id;
    EXPECT_EQ(Why(CheckUser(policy, "a", 2001, id)), Reason::kNotAllowedByPolicy) << id;
  }
  policy.uid_min = 0;
  EXPECT_EQ(Why(CheckUser(policy, "a", 999, 2001)), Reason::kNotAllowedByPolicy);
  policy.user_name_pattern = "web.*";
  EXPECT_TRUE(CheckUser(policy, "web1", 2001, 2001).ok());
  EXPECT_FALSE(CheckUser(policy, "xweb1", 2001, 2001).ok());
  policy.user_name_pattern = "a|b";
  EXPECT_FALSE(CheckUser(policy, "ax", 2001, 2001).ok());
  policy.user_name_pattern = "(";
  EXPECT_FALSE(CheckUser(policy, "a", 2001, 2001).ok());
}

TEST(PolicyTest, ShellsKindsAndRanges) {
  Policy policy;
  EXPECT_TRUE(CheckShell(policy, "/bin/bash").ok());
  EXPECT_EQ(Why(CheckShell(policy, "/home/exampleco/evil")), Reason::kNotAllowedByPolicy);
  EXPECT_TRUE(CheckKind(policy, "mount_share").ok());
  policy.kinds = {"preflight"};
  EXPECT_EQ(Why(CheckKind(policy, "mount_share")), Reason::kNotAllowedByPolicy);
  policy.address_ranges = {*IpRange::Parse("203.0.113.0/24")};
  EXPECT_TRUE(CheckAddress(policy, "203.0.113.7").ok());
  EXPECT_EQ(Why(CheckAddress(policy, "203.0.114.7")), Reason::kNotAllowedByPolicy);
  EXPECT_EQ(Why(CheckAddress(policy, "2001:db8::1")), Reason::kNotAllowedByPolicy);
  policy.address_ranges = {*IpRange::Parse("0.0.0.0/0")};
  EXPECT_EQ(Why(CheckAddress(policy, "0.0.0.0")), Reason::kNotAllowedByPolicy);
}

class PlanTest : public ActionTest {
 protected:
  Reason PlanReason(const Policy& policy = {}) {
    return ReasonOf(PlanSteps(create, kApp, policy).status());
  }
};

TEST_F(PlanTest, UnknownAndMissingKinds) {
  EXPECT_EQ(ReasonOf(PlanSteps({}, kApp, {}).status()), Reason::kUnsupportedKind);
  EXPECT_EQ(SupportedKinds().size(), 18U);
  EXPECT_TRUE(std::is_sorted(SupportedKinds().begin(), SupportedKinds().end()));
  for (const std::string& kind : SupportedKinds()) {
    EXPECT_NE(v1::Work::descriptor()->FindFieldByName(kind), nullptr) << kind;
  }
  EXPECT_EQ(v1::Work::descriptor()->FindOneofByName("kind")->field_count(), 18);
}

TEST_F(PlanTest, EveryFieldOfAnAccountIsChecked) {
  const v1::Work good = create;
  const auto check = [&](auto change, Reason reason) {
    create = good;
    change(Account());
    EXPECT_EQ(PlanReason(), reason) << create.ShortDebugString();
  };
  check([](v1::Account&) {}, Reason::kNone);
  check([](v1::Account& a) { a.set_user("root"); }, Reason::kNotAllowedByPolicy);
  check([](v1::Account& a) { a.set_uid(0); }, Reason::kNotAllowedByPolicy);
  check([](v1::Account& a) { a.set_gid(0); }, Reason::kNotAllowedByPolicy);
  check([](v1::Account& a) { a.set_home("/etc/x"); }, Reason::kNotAllowedByPolicy);
  check([](v1::Account& a) { a.set_home("/home/.hostq-trash"); }, Reason::kBadParameters);
  check([](v1::Account& a) { a.set_shell("/tmp/x"); }, Reason::kNotAllowedByPolicy);
  check([](v1::Account& a) { a.add_addresses("224.0.0.1"); }, Reason::kNotAllowedByPolicy);
  check([](v1::Account& a) { a.set_quota_bytes(-1); }, Reason::kBadParameters);
  check([](v1::Account& a) { a.mutable_share()->set_mount_point("/etc"); },
        Reason::kNotAllowedByPolicy);
  check([](v1::Account& a) { a.mutable_share()->set_name("../x"); }, Reason::kBadParameters);
  check([](v1::Account& a) { a.mutable_share()->set_nfs_version("5"); }, Reason::kBadParameters);
  check([](v1::Account& a) { a.mutable_share()->set_server(""); }, Reason::kBadParameters);
  check([](v1::Account& a) { a.set_home("/chroot/home/exampleco"); }, Reason::kNone);
  create = good;
  Account().mutable_share()->set_export_path("/etc");
  EXPECT_EQ(ReasonOf(PlanSteps(create, kStorage, {}).status()), Reason::kNotAllowedByPolicy);
}

TEST_F(PlanTest, TheSameArgumentsGiveTheSameSteps) {
  const auto one = PlanSteps(create, kApp, {});
  const auto two = PlanSteps(create, kApp, {});
  ASSERT_EQ(one->size(), two->size());
  for (size_t i = 0; i < one->size(); ++i) EXPECT_EQ((*one)[i].name, (*two)[i].name);
}

}  // namespace
}  // namespace hostq::agent
