// Nodes' certificates: which of them count, what bans, approvals and a restored backup change.
#include "cluster_harness.h"

namespace hostq::manager {
namespace {

class ClusterCertificatesTest : public ClusterHarness {
 protected:
  void SetUp() override { ThreeNodes(); }

  static storage::v1::Token Token(const std::string& id) {
    return FromText<storage::v1::Token>(
        absl::StrCat("id: '", id, "' secret_hash: 'hash' expire_time { seconds: 1700000900 }"));
  }
  ShownCertificate Shown(const std::string& serial, absl::Duration later = absl::ZeroDuration()) {
    return {"web1",
            cluster_->FindNode("web1")->incarnation(),
            serial,
            now_.wall + later,
            now_.wall + absl::Hours(24),
            "pin"};
  }
  std::string Check(const ShownCertificate& shown) { return CodeOf(cluster_->CheckShown(shown)); }
  std::string Use(const ShownCertificate& shown) {
    auto changes = cluster_->CertificateUsed(shown, "10.0.0.11", now_);
    if (changes.ok()) Stored(*changes);
    return CodeOf(changes.status());
  }
  void Issue(const ShownCertificate& issued) { Stored(*cluster_->CertificateIssued(issued)); }
  const storage::v1::Node& Row() { return *cluster_->FindNode("web1"); }
};

TEST_F(ClusterCertificatesTest, TheNewOneCountsFromItsFirstUse) {
  const ShownCertificate first = Shown("serial");
  EXPECT_EQ(Use(first), "OK");
  EXPECT_EQ(Row().current().serial(), "serial");
  EXPECT_FALSE(Row().has_next());
  const ShownCertificate second = Shown("s2", absl::Hours(1));
  Issue(second);
  EXPECT_EQ(Check(first), "OK") << "until the other is used";
  EXPECT_EQ(Check(second), "OK");
  EXPECT_EQ(Use(first), "OK");
  EXPECT_TRUE(Row().has_next());
  EXPECT_EQ(Use(second), "OK");
  EXPECT_EQ(Row().current().serial(), "s2");
  EXPECT_EQ(Check(first), "PERMISSION_DENIED CERTIFICATE_SUPERSEDED");
  EXPECT_EQ(Use(first), "PERMISSION_DENIED CERTIFICATE_SUPERSEDED");
  EXPECT_EQ(Row().current().serial(), "s2");
}

TEST_F(ClusterCertificatesTest, ALostAnswerIsReplaced) {
  EXPECT_EQ(Use(Shown("serial")), "OK");
  Issue(Shown("s2", absl::Hours(1)));
  Issue(Shown("s3", absl::Hours(2)));
  EXPECT_EQ(Row().next().serial(), "s3");
  EXPECT_EQ(Use(Shown("s3", absl::Hours(2))), "OK");
  EXPECT_EQ(Check(Shown("s2", absl::Hours(1))), "PERMISSION_DENIED CERTIFICATE_SUPERSEDED");
}

TEST_F(ClusterCertificatesTest, ANewerOneThatIsNotKnownIsTakenOver) {
  EXPECT_EQ(Use(Shown("serial")), "OK");
  EXPECT_TRUE(cluster_->alarms().empty());
  auto changes = cluster_->CertificateUsed(Shown("s7", absl::Hours(1)), "192.0.2.66", now_);
  ASSERT_TRUE(changes.ok()) << changes.status();
  ASSERT_EQ(changes->events.size(), 1u);
  EXPECT_EQ(changes->events[0].type, EventType::kAlarmRaised);
  Stored(*changes);
  EXPECT_EQ(Row().current().serial(), "s7");
  ASSERT_EQ(cluster_->alarms().count("certificate/web1"), 1u) << "or somebody has the CA's key";
  const storage::v1::Alarm& alarm = cluster_->alarms().at("certificate/web1");
  EXPECT_EQ(alarm.node(), "web1");
  EXPECT_EQ(alarm.last_source(), "192.0.2.66");
  EXPECT_THAT(alarm.message(), ::testing::HasSubstr("s7"));
  EXPECT_EQ(Check(Shown("serial")), "PERMISSION_DENIED CERTIFICATE_SUPERSEDED");
}

TEST_F(ClusterCertificatesTest, BeforeTheFirstUseOnlyNewerOnesThanTheOneIssuedAreTakenOver) {
  ASSERT_FALSE(Row().has_current());
  EXPECT_EQ(Check(Shown("s0", -absl::Hours(1))), "PERMISSION_DENIED CERTIFICATE_SUPERSEDED");
  EXPECT_EQ(Check(Shown("serial")), "OK");
  EXPECT_EQ(Use(Shown("s7", absl::Hours(1))), "OK");
  EXPECT_EQ(cluster_->alarms().count("certificate/web1"), 1u);
  EXPECT_EQ(Check(Shown("serial")), "PERMISSION_DENIED CERTIFICATE_SUPERSEDED");
}

TEST_F(ClusterCertificatesTest, RowsOfAnOlderManagerGoOn) {
  storage::v1::Node row = Row();
  row.clear_next();
  row.clear_current();
  for (const char* serial : {"a", "b"}) {
    storage::v1::Certificate& one = *row.add_certificates();
    one.set_serial(serial);
    one.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(now_.wall + absl::Hours(24 * 90)));
  }
  std::vector<ResourceChange> rows = cluster_->Rows();
  for (ResourceChange& one : rows) {
    if (one.kind == "node" && one.key == "web1") one.data = row.SerializeAsString();
  }
  cluster_ = *Cluster::Load(cluster_->options(), rows);
  stored_ = RowsOf(*cluster_);
  EXPECT_EQ(Check(Shown("a")), "OK");
  EXPECT_EQ(Check(Shown("b")), "OK");
  EXPECT_EQ(Check(Shown("c", -absl::Hours(48))), "PERMISSION_DENIED CERTIFICATE_SUPERSEDED");
  EXPECT_EQ(Use(Shown("a")), "OK");
  EXPECT_EQ(Row().certificates_size(), 0);
  EXPECT_EQ(Check(Shown("b")), "PERMISSION_DENIED CERTIFICATE_SUPERSEDED");
}

TEST_F(ClusterCertificatesTest, Bans) {
  EXPECT_EQ(CodeOf(cluster_->BanNode("web9", "x", "root", now_).status()),
            "NOT_FOUND UNKNOWN_NODE");
  EXPECT_EQ(CodeOf(cluster_->BanNode("web1", "", "root", now_).status()),
            "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(CodeOf(cluster_->BanNode("web1", std::string(501, 'x'), "root", now_).status()),
            "INVALID_ARGUMENT INVALID_ARGUMENT");
  const auto banned = cluster_->BanNode("web1", "stolen", "root", now_);
  ASSERT_TRUE(banned.ok()) << banned.status();
  Stored(*banned);
  EXPECT_EQ(Check(Shown("serial")), "PERMISSION_DENIED NODE_BANNED");
  EXPECT_EQ(CodeOf(cluster_->CertificateIssued(Shown("s2")).status()),
            "PERMISSION_DENIED NODE_BANNED");
  EXPECT_EQ(CodeOf(cluster_->ApproveNode("web1", "root", now_).status()),
            "FAILED_PRECONDITION NODE_BANNED");
  Stored(*cluster_->UnbanNode("web1", "root"));
  EXPECT_EQ(Check(Shown("serial")), "OK");
  EXPECT_TRUE(cluster_->UnbanNode("web1", "root")->resources.empty());
}

TEST_F(ClusterCertificatesTest, ABannedNodeJoinsAnewAndNeverWithWhatItHad) {
  const ShownCertificate stolen = Shown("serial");
  ASSERT_EQ(Use(stolen), "OK");
  Stored(*cluster_->RejoinNode("web1", Token("of-before"), "root"));
  Stored(*cluster_->BindToken("of-before", "the intruder's key", now_));
  const int64_t bound = cluster_->FindToken("of-before")->incarnation();
  Stored(*cluster_->BanNode("web1", "stolen", "root", now_));
  EXPECT_EQ(CodeOf(cluster_->BindToken("of-before", "the intruder's key", now_).status()),
            "PERMISSION_DENIED TOKEN_INVALID");
  ShownCertificate joined = Shown("by the line of before");
  joined.incarnation = bound;
  EXPECT_EQ(CodeOf(cluster_->NodeJoined(joined, now_).status()), "PERMISSION_DENIED NODE_BANNED")
      << "it was used just before the ban";

  const auto again = cluster_->RejoinNode("web1", Token("new"), "root");
  ASSERT_TRUE(again.ok()) << again.status();
  Stored(*again);
  EXPECT_EQ(Check(stolen), "PERMISSION_DENIED NODE_BANNED");
  Stored(*cluster_->BindToken("new", "key", now_));
  EXPECT_EQ(Check(stolen), "PERMISSION_DENIED NODE_BANNED");
  joined = Shown("new");
  joined.incarnation = cluster_->FindToken("new")->incarnation();
  const auto changes = cluster_->NodeJoined(joined, now_);
  ASSERT_TRUE(changes.ok()) << changes.status();
  Stored(*changes);
  EXPECT_FALSE(Row().has_ban());
  EXPECT_THAT(changes->before, ::testing::HasSubstr("stolen"));
  ASSERT_EQ(changes->events.size(), 2u);
  EXPECT_EQ(changes->events[0].type, EventType::kNodeResumed);
  EXPECT_EQ(changes->events[1].type, EventType::kNodeJoined);
  EXPECT_EQ(Check(stolen), "PERMISSION_DENIED NOT_AUTHORIZED");
  EXPECT_EQ(Check(joined), "OK");

  // Banned again, the line that it joined by is of before.
  Stored(*cluster_->BanNode("web1", "stolen again", "root", now_));
  EXPECT_EQ(CodeOf(cluster_->NodeJoined(joined, now_).status()), "PERMISSION_DENIED NODE_BANNED");
}

TEST_F(ClusterCertificatesTest, ApprovalHoldsForAnHourAndClearsTheAlarm) {
  EXPECT_FALSE(cluster_->IsApproved("web1", now_));
  Stored(cluster_->WantApproval("web1", "expired long ago", "10.0.0.11", now_));
  EXPECT_EQ(cluster_->alarms().count("renewal/web1"), 1u);
  EXPECT_TRUE(Row().has_approval_wanted_time());
  const auto approved = cluster_->ApproveNode("web1", "alice", now_);
  ASSERT_TRUE(approved.ok()) << approved.status();
  Stored(*approved);
  EXPECT_THAT(approved->before, ::testing::HasSubstr("\"web1\""));
  EXPECT_THAT(approved->after, ::testing::HasSubstr("approved_until"));
  EXPECT_EQ(cluster_->alarms().count("renewal/web1"), 0u);
  EXPECT_TRUE(cluster_->IsApproved("web1", now_));
  now_.wall += absl::Minutes(61);
  EXPECT_FALSE(cluster_->IsApproved("web1", now_));
}

TEST_F(ClusterCertificatesTest, WhoTrustsAndUsesWhichAuthority) {
  const size_t nodes = cluster_->NodesNotTrusting("next").size();
  EXPECT_GT(nodes, 1u);
  const int64_t incarnation = Row().incarnation();
  Stored(cluster_->NodeTrusts("web1", incarnation, {"pin", "next", "pin"}));
  EXPECT_EQ(Row().trusts_size(), 2);
  EXPECT_TRUE(cluster_->NodeTrusts("web1", incarnation, {"next", "pin"}).resources.empty());
  EXPECT_TRUE(cluster_->NodeTrusts("web1", incarnation + 1, {"x"}).resources.empty());
  EXPECT_EQ(cluster_->NodesNotTrusting("next").size(), nodes - 1);
  EXPECT_TRUE(cluster_->NodesNotSignedBy("pin").empty());
  EXPECT_EQ(cluster_->NodesNotSignedBy("next").size(), nodes);
}

TEST_F(ClusterCertificatesTest, OutsideTheIncarnationIsInTheCertificate) {
  Cluster::Options options = cluster_->options();
  options.outside_certificates = true;
  cluster_ = *Cluster::Load(options, cluster_->Rows());
  const int64_t present = Row().incarnation();
  ShownCertificate shown = Shown("o1");
  shown.incarnation = present + 5;
  EXPECT_EQ(Use(shown), "OK");
  EXPECT_EQ(Row().incarnation(), present + 5);
  EXPECT_EQ(Row().current().serial(), "o1");
  shown.incarnation = present + 4;
  EXPECT_EQ(Check(shown), "PERMISSION_DENIED NOT_AUTHORIZED");
  // Banned: what it has is void as soon as it may join anew, before the ban is lifted.
  shown.incarnation = present + 5;
  Stored(*cluster_->BanNode("web1", "stolen", "root", now_));
  Stored(*cluster_->RejoinNode("web1", {}, "root"));
  EXPECT_EQ(Check(shown), "PERMISSION_DENIED NODE_BANNED");
  Stored(*cluster_->UnbanNode("web1", "root"));
  EXPECT_EQ(Check(shown), "PERMISSION_DENIED NOT_AUTHORIZED");
}

}  // namespace
}  // namespace hostq::manager
