// Goal: what is stored of keys and administrators, and that it is read again as it was.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cluster/cluster.h"

namespace hostq::manager {
namespace {

storage::v1::ApiKey Key(const std::string& id, const std::string& name) {
  storage::v1::ApiKey key;
  key.set_id(id);
  key.set_name(name);
  key.add_scopes("read");
  key.add_secrets()->set_hash("first hash");
  key.mutable_expire_time()->set_seconds(2'000'000'000);
  return key;
}

const Now kNow = {absl::FromUnixSeconds(1'700'000'000), absl::Hours(1)};

std::unique_ptr<Cluster> Empty(const std::vector<ResourceChange>& rows = {}) {
  Cluster::Options options;
  options.name = "test";
  options.quorum_address = "192.0.2.1";
  auto cluster = Cluster::Load(options, rows);
  EXPECT_TRUE(cluster.ok()) << cluster.status();
  return *std::move(cluster);
}

TEST(ClusterKeysTest, NamesAreUniqueAmongThoseNotRevoked) {
  const auto cluster = Empty();
  const auto added = cluster->AddKey(Key("aaaaaaaaaa", "billing"), "alice", kNow);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_TRUE(absl::StrContains(added->after, "billing"));
  EXPECT_FALSE(absl::StrContains(added->after, "hash"));
  EXPECT_EQ(ReasonOf(cluster->AddKey(Key("bbbbbbbbbb", "billing"), "bob", kNow).status()),
            Reason::kKeyExists);
  EXPECT_EQ(cluster->AddKey(Key("bbbbbbbbbb", "No Name"), "bob", kNow).status().code(),
            absl::StatusCode::kInvalidArgument);
  const auto revoked = cluster->RevokeKey("billing", "leaked", "bob", kNow);
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_FALSE(absl::StrContains(revoked->before, "leaked"));
  EXPECT_TRUE(absl::StrContains(revoked->after, "leaked"));
  EXPECT_EQ(cluster->FindKey("billing")->revoked_by(), "bob");
  // Again: nothing to do.
  const auto again = cluster->RevokeKey("billing", "other", "eve", kNow);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->resources.empty());
  ASSERT_TRUE(cluster->AddKey(Key("bbbbbbbbbb", "billing"), "bob", kNow).ok());
  EXPECT_EQ(cluster->FindKey("billing")->id(), "bbbbbbbbbb");
  EXPECT_EQ(cluster->keys().size(), 2u);
  EXPECT_EQ(ReasonOf(cluster->RevokeKey("none", "", "bob", kNow).status()), Reason::kUnknownKey);
}

TEST(ClusterKeysTest, RotationKeepsTwoSecrets) {
  const auto cluster = Empty();
  ASSERT_TRUE(cluster->AddKey(Key("aaaaaaaaaa", "billing"), "alice", kNow).ok());
  storage::v1::ApiSecret secret;
  for (const char* hash : {"second", "third"}) {
    secret.set_hash(hash);
    const auto changed = cluster->RotateKey("billing", secret, absl::Hours(1), kNow);
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_FALSE(absl::StrContains(changed->after, "hash"));
    ASSERT_EQ(cluster->FindKey("billing")->secrets_size(), 2);
    EXPECT_EQ(cluster->FindKey("billing")->secrets(0).hash(), hash);
    EXPECT_FALSE(cluster->FindKey("billing")->secrets(0).has_end_time());
    EXPECT_EQ(cluster->FindKey("billing")->secrets(1).end_time().seconds(), 1'700'003'600);
  }
  ASSERT_TRUE(cluster->RotateKey("billing", secret, absl::ZeroDuration(), kNow).ok());
  EXPECT_EQ(cluster->FindKey("billing")->secrets_size(), 1);
  const Now late = {absl::FromUnixSeconds(2'000'000'000), absl::Hours(2)};
  EXPECT_EQ(ReasonOf(cluster->RotateKey("billing", secret, absl::Hours(1), late).status()),
            Reason::kKeyExpired);
  ASSERT_TRUE(cluster->RevokeKey("billing", "", "bob", kNow).ok());
  EXPECT_EQ(ReasonOf(cluster->RotateKey("billing", secret, absl::Hours(1), kNow).status()),
            Reason::kUnknownKey);
}

TEST(ClusterKeysTest, OneCertificateOfAnAdministrator) {
  const auto cluster = Empty();
  storage::v1::AdministratorCertificate certificate;
  certificate.set_serial("01");
  certificate.mutable_expire_time()->set_seconds(1'800'000'000);
  ASSERT_TRUE(cluster->AddAdministrator("alice", certificate, false, "root", kNow).ok());
  EXPECT_EQ(ReasonOf(cluster->AddAdministrator("alice", certificate, false, "root", kNow).status()),
            Reason::kAdministratorExists);
  const Now late = {absl::FromUnixSeconds(1'800'000'000), absl::Hours(2)};
  EXPECT_TRUE(cluster->CheckNewAdministrator("alice", false, late).ok());
  ASSERT_TRUE(cluster->RevokeAdministrator("alice", "left", "root", kNow).ok());
  certificate.set_serial("02");
  ASSERT_TRUE(cluster->AddAdministrator("alice", certificate, false, "root", kNow).ok());
  EXPECT_EQ(cluster->FindAdministrator("alice")->certificates(0).serial(), "02");
  EXPECT_FALSE(cluster->FindAdministrator("alice")->has_revoke_time());
  // Replaced: at no moment are there two, or none.
  certificate.set_serial("03");
  const auto replaced = cluster->AddAdministrator("alice", certificate, true, "root", kNow);
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_TRUE(absl::StrContains(replaced->before, "\"02\""));
  EXPECT_TRUE(absl::StrContains(replaced->after, "\"03\""));
  EXPECT_EQ(cluster->FindAdministrator("alice")->certificates_size(), 1);
  ASSERT_TRUE(cluster->RevokeAdministrator("alice", "left", "root", kNow).ok());
  for (const char* name : {"alice", "bob"}) {
    EXPECT_EQ(ReasonOf(cluster->CheckNewAdministrator(name, true, kNow)),
              Reason::kUnknownAdministrator)
        << name;
  }
  EXPECT_EQ(ReasonOf(cluster->RevokeAdministrator("bob", "", "root", kNow).status()),
            Reason::kUnknownAdministrator);
  for (const char* name : {"manager", "root", "unknown", "various"}) {
    EXPECT_EQ(cluster->CheckNewAdministrator(name, false, kNow).code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_EQ(cluster->CheckNewAdministrator("a/b", false, kNow).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ClusterKeysTest, RowsAreReadAgain) {
  const auto cluster = Empty();
  ASSERT_TRUE(cluster->AddKey(Key("aaaaaaaaaa", "billing"), "alice", kNow).ok());
  EXPECT_TRUE(cluster->KeyUsed("none", "192.0.2.1", kNow.wall).resources.empty());
  EXPECT_EQ(cluster->KeyUsed("aaaaaaaaaa", "192.0.2.1", kNow.wall).resources.size(), 1u);
  ASSERT_TRUE(cluster->AddAdministrator("bob", {}, false, "root", kNow).ok());
  const auto again = Empty(cluster->Rows());
  ASSERT_NE(again->FindKey("billing"), nullptr);
  EXPECT_EQ(again->FindKey("billing")->last_use_source(), "192.0.2.1");
  EXPECT_EQ(again->FindKey("billing")->created_by(), "alice");
  ASSERT_NE(again->FindAdministrator("bob"), nullptr);
}

TEST(ClusterAlarmsTest, StrangersDoNotHideWhatIsKnown) {
  const auto cluster = Empty();
  const auto raise = [&](const std::string& subject, const std::string& source) {
    return cluster->RaiseAlarm(subject, Reason::kKeyGuessed, "", "x", source, kNow);
  };
  size_t events = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::string address = absl::StrCat("192.0.2.", i);
    events += raise(absl::StrCat("source/", address), address).events.size();
  }
  EXPECT_EQ(events, 101u) << "a flood is no flood of events";
  EXPECT_EQ(cluster->alarms().size(), 101u);
  ASSERT_EQ(cluster->alarms().count("source/various"), 1u);
  EXPECT_EQ(cluster->alarms().at("source/various").count(), 900);
  EXPECT_EQ(cluster->alarms().at("source/various").last_source(), "192.0.2.999");
  EXPECT_EQ(raise("source/192.0.2.7", "192.0.2.7").events.size(), 0u);
  EXPECT_EQ(cluster->alarms().at("source/192.0.2.7").count(), 2) << "what it was raised for before";
  for (const char* subject : {"node/web1", "token/web1", "renewal/web1", "key/billing"}) {
    EXPECT_EQ(raise(subject, "").events.size(), 1u) << subject;
    EXPECT_EQ(cluster->alarms().count(subject), 1u) << subject;
  }
  const auto cleared = cluster->ClearAlarm("source/192.0.2.7", "alice");
  ASSERT_TRUE(cleared.ok()) << cleared.status();
  EXPECT_TRUE(absl::StrContains(cleared->before, "\"count\":\"2\"")) << cleared->before;
}

}  // namespace
}  // namespace hostq::manager
