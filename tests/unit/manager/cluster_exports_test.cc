// What storage nodes are told to export, when, and in which order with mounting. Only of shares
// that were mounted with `exported`.
#include "cluster_harness.h"

namespace hostq::manager {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ClusterExportsTest : public ClusterHarness {
 protected:
  ClusterExportsTest() { ThreeNodes(); }

  static agent::v1::ExportTable TableOf(const PlannedCommand& plan) {
    agent::v1::Work work;
    EXPECT_TRUE(work.ParseFromString(plan.work));
    return work.exports();
  }
  static std::string Text(const agent::v1::ExportTable& table) {
    return absl::StrJoin(table.exports(), "; ", [](std::string* out, const auto& entry) {
      absl::StrAppend(out, entry.server(), ":", entry.path(), " ",
                      absl::StrJoin(entry.clients(), " "));
    });
  }

  const std::string mount =
      "mount_share { share: 'home' source: '10.0.0.1:/chroot/home' mount_point: '/home' exported: "
      "true }";
};

TEST_F(ClusterExportsTest, ExportedBeforeItIsMountedAndUntilItIsUnmounted) {
  const auto plan = Plan(mount);
  EXPECT_EQ(Summary(*plan),
            "mount_share share/home: 0:storage1 1:web1 1:web2; supersedes mount_share, "
            "unmount_share");
  EXPECT_EQ(Text(TableOf(*plan)), "10.0.0.1:/chroot/home 10.0.0.11 10.0.0.12");
  Finish(Submitted(*plan), Outcome::kSucceeded);
  const auto unmount = Plan("unmount_share { share: 'home' }");
  EXPECT_EQ(Summary(*unmount),
            "unmount_share share/home: 0:web1 0:web2 1:storage1; supersedes mount_share, "
            "unmount_share");
  EXPECT_EQ(Text(TableOf(*unmount)), "");
  EXPECT_GT(TableOf(*unmount).revision(), TableOf(*plan).revision());
  Finish(Submitted(*unmount), Outcome::kSucceeded);
  EXPECT_TRUE(cluster_->shares().empty());
}

TEST_F(ClusterExportsTest, OnlyWhereItWasAskedFor) {
  EXPECT_EQ(SummaryOf("mount_share { share: 'home' source: '10.0.0.1:/chroot/home' mount_point: "
                      "'/home' }"),
            "mount_share share/home: 0:web1 0:web2; supersedes mount_share, unmount_share");
  AddNode("web3", "[APP]", "10.0.0.13");
  EXPECT_THAT(own_, IsEmpty());
  EXPECT_EQ(Refusal("set_exports {}"), "NOT_FOUND UNKNOWN_SHARE");
}

TEST_F(ClusterExportsTest, NoLongerExportedIsTold) {
  Do(mount);
  const auto plan =
      Plan("mount_share { share: 'home' source: '10.0.0.1:/chroot/home' mount_point: '/home' }");
  EXPECT_EQ(plan->tasks.front().node, "storage1");
  EXPECT_EQ(Text(TableOf(*plan)), "");
}

TEST_F(ClusterExportsTest, ServerHasToBeAStorageNode) {
  for (const char* host : {"10.0.0.11", "filer"}) {
    EXPECT_EQ(Refusal(absl::StrCat("mount_share { share: 'home' source: '", host,
                                   ":/chroot/home' mount_point: '/home' exported: true }")),
              "INVALID_ARGUMENT INVALID_ARGUMENT")
        << host;
  }
  EXPECT_EQ(Text(TableOf(*Plan("mount_share { share: 'home' source: 'storage1:/chroot/home' "
                               "mount_point: '/home' exported: true }"))),
            "10.0.0.1:/chroot/home 10.0.0.11 10.0.0.12")
      << "by its name";
}

TEST_F(ClusterExportsTest, NodesComeAndGo) {
  Do(mount);
  AddNode("web3", "[APP]", "10.0.0.13");
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(Summary(own_[0]), "set_exports storage/exports: 0:storage1; supersedes set_exports");
  EXPECT_EQ(Text(TableOf(own_[0])), "10.0.0.1:/chroot/home 10.0.0.11 10.0.0.12 10.0.0.13");
  Stored(*cluster_->RemoveNode("web1", 0, false, "root"));
  ASSERT_EQ(own_.size(), 2u);
  EXPECT_EQ(Text(TableOf(own_[1])), "10.0.0.1:/chroot/home 10.0.0.12 10.0.0.13");
  EXPECT_EQ(SummaryOf("set_exports {}"),
            "set_exports storage/exports: 0:storage1; supersedes set_exports");
  EXPECT_EQ(Refusal("set_exports {}", {"storage1"}), "INVALID_ARGUMENT INVALID_ARGUMENT");
}

TEST_F(ClusterExportsTest, NamedNodesMountItToo) {
  AddNode("storage2", "[STORAGE]", "10.0.0.2");
  const auto plan = Plan(mount, {"web1", "storage2"});
  EXPECT_EQ(Summary(*plan),
            "mount_share share/home: 0:storage1 0:storage2 1:web1; supersedes mount_share, "
            "unmount_share");
  EXPECT_EQ(Text(TableOf(*plan)), "10.0.0.1:/chroot/home 10.0.0.11 10.0.0.12 10.0.0.2");
}

TEST_F(ClusterExportsTest, WhatWasWithdrawnIsToldWithoutIt) {
  Do(mount);
  own_.clear();
  Finish(Submitted("mount_share { share: 'www' source: '10.0.0.1:/www' mount_point: '/www' "
                   "exported: true }"),
         Outcome::kCancelled, 0);
  ASSERT_EQ(own_.size(), 1u);
  EXPECT_EQ(Text(TableOf(own_[0])), "10.0.0.1:/chroot/home 10.0.0.11 10.0.0.12");
}

}  // namespace
}  // namespace hostq::manager
