// Goal: a key is what its text says, lets in who has its secret while it is live, and tells nobody
// else anything.
#include "manager/access/api_key.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/access/key_ring.h"
#include "manager/access/socket_peers.h"

namespace hostq::manager {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

struct Made {
  ApiKey key;
  SecretString text;
};

Made Make(const std::string& name = "billing") {
  Made made;
  made.key.id = MakeApiKeyId();
  made.key.name = name;
  NewApiSecret secret = MakeApiSecret(made.key.id);
  made.key.secrets.push_back({secret.hash, kNow});
  made.key.expire_time = kNow + absl::Hours(1);
  made.text = secret.text;
  return made;
}

absl::Status Check(const SecretString& text, const ApiKey* key, bool& guessed,
                   absl::Time now = kNow, const std::string& source = "192.0.2.1") {
  const auto parts = ParseApiKey(text);
  if (!parts.ok()) return parts.status();
  return CheckApiKey(*parts, key, source, now, guessed);
}

TEST(ApiKeyTest, TextHasFormAndChecksum) {
  const Made made = Make();
  const std::string text(made.text.Reveal());
  EXPECT_TRUE(absl::StartsWith(text, "hostq_" + made.key.id + "_"));
  EXPECT_EQ(text.size(), 6u + 10 + 1 + 40 + 7);
  ASSERT_TRUE(ParseApiKey(made.text).ok());
  // Every single wrong character is noticed before anything is looked up.
  for (size_t i = 0; i < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] = wrong[i] == 'a' ? 'b' : 'a';
    const auto parts = ParseApiKey(SecretString(wrong));
    EXPECT_EQ(ReasonOf(parts.status()), Reason::kKeyInvalid) << i;
    EXPECT_FALSE(absl::StrContains(parts.status().message(), wrong.substr(17, 20)));
  }
  for (const std::string& wrong :
       {std::string(), std::string("hostq_"), text + "a", text.substr(0, text.size() - 1),
        "Hostq_" + text.substr(6), std::string(100'000, 'a'), text + std::string(1, '\0')}) {
    EXPECT_EQ(ReasonOf(ParseApiKey(SecretString(wrong)).status()), Reason::kKeyInvalid);
  }
}

TEST(ApiKeyTest, TwoKeysAreDifferent) {
  const Made a = Make(), b = Make();
  EXPECT_NE(a.key.id, b.key.id);
  EXPECT_NE(a.key.secrets[0].hash, b.key.secrets[0].hash);
  EXPECT_EQ(a.key.secrets[0].hash.size(), 32u);
}

TEST(ApiKeyTest, UnknownIdAndWrongSecretAreTheSame) {
  const Made made = Make();
  // Another secret of the same id, with its right checksum.
  const SecretString other = MakeApiSecret(made.key.id).text;
  bool guessed = false;
  const absl::Status wrong = Check(other, &made.key, guessed);
  EXPECT_TRUE(guessed);
  const absl::Status unknown = Check(other, nullptr, guessed);
  EXPECT_EQ(wrong, unknown);
  EXPECT_EQ(wrong.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ReasonOf(wrong), Reason::kKeyInvalid);
  EXPECT_TRUE(Check(made.text, &made.key, guessed).ok());
  EXPECT_FALSE(guessed);
}

TEST(ApiKeyTest, ExpiredRevokedAndElsewhere) {
  Made made = Make();
  bool guessed = false;
  EXPECT_EQ(ReasonOf(Check(made.text, &made.key, guessed, kNow + absl::Hours(1))),
            Reason::kKeyExpired);
  made.key.sources = {*AddressRange::Parse("10.0.0.0/8")};
  const absl::Status elsewhere = Check(made.text, &made.key, guessed);
  EXPECT_EQ(ReasonOf(elsewhere), Reason::kSourceNotAllowed);
  EXPECT_EQ(elsewhere.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(Check(made.text, &made.key, guessed, kNow, "10.1.2.3").ok());
  made.key.revoke_time = kNow;
  EXPECT_EQ(ReasonOf(Check(made.text, &made.key, guessed, kNow, "10.1.2.3")), Reason::kKeyRevoked);
  // Who has no secret does not learn that it was revoked.
  EXPECT_EQ(ReasonOf(Check(MakeApiSecret(made.key.id).text, &made.key, guessed)),
            Reason::kKeyInvalid);
}

TEST(ApiKeyTest, TwoSecretsAreLiveAndTheOldOneEnds) {
  Made made = Make();
  const NewApiSecret second = MakeApiSecret(made.key.id);
  made.key.secrets[0].end_time = kNow + absl::Minutes(5);
  made.key.secrets.insert(made.key.secrets.begin(), ApiSecret{second.hash, kNow});
  bool guessed = false;
  EXPECT_TRUE(Check(made.text, &made.key, guessed).ok());
  EXPECT_TRUE(Check(second.text, &made.key, guessed).ok());
  const absl::Time later = kNow + absl::Minutes(5);
  EXPECT_EQ(ReasonOf(Check(made.text, &made.key, guessed, later)), Reason::kKeyExpired);
  EXPECT_TRUE(Check(second.text, &made.key, guessed, later).ok());
}

TEST(KeyRingTest, LetsInAndRechecks) {
  KeyRing ring({});
  Made made = Make();
  KeyRing::Failure failure;
  EXPECT_EQ(ReasonOf(ring.Admit(made.text, "192.0.2.1", kNow, failure).status()),
            Reason::kKeyInvalid);
  EXPECT_EQ(failure.guessed_name, "");
  ring.Put(made.key);
  const auto admitted = ring.Admit(made.text, "192.0.2.1", kNow, failure);
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_TRUE(ring.Recheck(made.key.id, admitted->secret_hash, kNow).ok());
  EXPECT_FALSE(ring.Admit(MakeApiSecret(made.key.id).text, "192.0.2.1", kNow, failure).ok());
  EXPECT_EQ(failure.guessed_name, "billing");
  EXPECT_EQ(failure.actor, "") << "whoever it was, it was not the key's owner";
  EXPECT_EQ(ReasonOf(ring.Recheck(made.key.id, admitted->secret_hash, kNow + absl::Hours(2))),
            Reason::kKeyExpired);
  made.key.revoke_time = kNow;
  ring.Put(made.key);
  EXPECT_EQ(ReasonOf(ring.Recheck(made.key.id, admitted->secret_hash, kNow)), Reason::kKeyRevoked);
  KeyRing::Failure revoked;
  EXPECT_FALSE(ring.Admit(made.text, "192.0.2.1", kNow, revoked).ok());
  EXPECT_EQ(revoked.guessed_name, "");
  EXPECT_EQ(revoked.actor, "key/billing");
  EXPECT_EQ(ReasonOf(ring.Recheck("nobody", admitted->secret_hash, kNow)), Reason::kKeyRevoked);
}

TEST(KeyRingTest, EachKeyHasItsRate) {
  KeyRing ring({/*requests_per_second=*/2, /*max_unfinished=*/7});
  Made slow = Make("slow"), fast = Make("fast");
  fast.key.requests_per_second = 100;
  fast.key.max_unfinished = 3;
  ring.Put(slow.key);
  ring.Put(fast.key);
  absl::Duration now = absl::Hours(5);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.Spend(slow.key.id, now).ok()) << i;
  const absl::Status refused = ring.Spend(slow.key.id, now);
  EXPECT_EQ(ReasonOf(refused), Reason::kRateLimited);
  EXPECT_EQ(RetryDelayOf(refused), absl::Milliseconds(500));
  EXPECT_TRUE(absl::StrContains(refused.message(), "key/slow"));
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(ring.Spend(fast.key.id, now).ok()) << i;
  // What a change of the key does not reset.
  ring.Put(slow.key);
  EXPECT_FALSE(ring.Spend(slow.key.id, now).ok());
  now += absl::Milliseconds(500);
  EXPECT_TRUE(ring.Spend(slow.key.id, now).ok());
  EXPECT_FALSE(ring.Spend(slow.key.id, now).ok());
  EXPECT_EQ(ring.MaxUnfinished(slow.key), 7);
  EXPECT_EQ(ring.MaxUnfinished(fast.key), 3);
}

TEST(KeyRingTest, LastUseIsWrittenNowAndThen) {
  KeyRing ring({});
  const Made made = Make();
  EXPECT_FALSE(ring.Used(made.key.id, "192.0.2.1", kNow));
  ring.Put(made.key);
  EXPECT_EQ(ring.LastUse(made.key.id).time, absl::InfinitePast());
  EXPECT_TRUE(ring.Used(made.key.id, "192.0.2.1", kNow));
  EXPECT_FALSE(ring.Used(made.key.id, "192.0.2.2", kNow + absl::Minutes(9)));
  EXPECT_EQ(ring.LastUse(made.key.id).source, "192.0.2.2");
  EXPECT_TRUE(ring.Used(made.key.id, "192.0.2.3", kNow + absl::Minutes(10)));
}

TEST(FailureCounterTest, CountsWithinAnHourAndIsBounded) {
  FailureCounter counter;
  EXPECT_EQ(counter.Count("a", absl::Hours(1)), 1);
  EXPECT_EQ(counter.Count("a", absl::Hours(1)), 2);
  EXPECT_EQ(counter.Count("b", absl::Hours(1)), 1);
  EXPECT_EQ(counter.Count("a", absl::Hours(2)), 1);
  for (int i = 0; i < 20'000; ++i) counter.Count(absl::StrCat("s", i), absl::Hours(2));
  EXPECT_EQ(counter.Count("unknown", absl::Hours(2)), 10'002) << "with all that found no room";
  EXPECT_EQ(counter.Count("a", absl::Hours(2)), 2);
}

TEST(AdministratorRingTest, OnlyTheCurrentCertificate) {
  AdministratorRing ring;
  ring.Trust({"old", "pin"});
  EXPECT_EQ(ReasonOf(ring.Check("alice", "01", kNow)), Reason::kUnauthenticated);
  ring.Put({"alice", "01", "pin", kNow + absl::Hours(1), false});
  EXPECT_TRUE(ring.Check("alice", "01", kNow).ok());
  EXPECT_FALSE(ring.Check("alice", "02", kNow).ok());
  EXPECT_FALSE(ring.Check("bob", "01", kNow).ok());
  EXPECT_FALSE(ring.Check("alice", "01", kNow + absl::Hours(1)).ok());
  ring.Put({"alice", "02", "pin", kNow + absl::Hours(1), false});
  EXPECT_FALSE(ring.Check("alice", "01", kNow).ok());
  ring.Trust({"next"});
  const absl::Status retired = ring.Check("alice", "02", kNow);
  EXPECT_TRUE(absl::StrContains(retired.message(), "trusted no more")) << retired;
  ring.Trust({"next", "pin"});
  EXPECT_TRUE(ring.Check("alice", "02", kNow).ok()) << "taken back";
  ring.Put({"alice", "02", "pin", kNow + absl::Hours(1), true});
  const absl::Status revoked = ring.Check("alice", "02", kNow);
  EXPECT_TRUE(absl::StrContains(revoked.message(), "revoked")) << revoked;
  EXPECT_TRUE(ring.IsNewest("alice", "02"));
  EXPECT_FALSE(ring.IsNewest("alice", "01"));
  EXPECT_FALSE(ring.IsNewest("bob", "02"));
}

TEST(SocketPeersTest, KernelSaysWhoItIs) {
  SocketPeers peers;
  EXPECT_FALSE(peers.Find("fd:7").has_value());
  peers.Put(7, {1000, "bob"});
  EXPECT_EQ(peers.Find("fd:7")->name, "bob");
  peers.Put(7, {0, "root"});
  EXPECT_EQ(peers.Find("fd:7")->uid, 0u);
  for (const char* other : {"fd:8", "fd:", "fd:7x", "ipv4:127.0.0.1:7", "unix:/fd:7", ""}) {
    EXPECT_FALSE(peers.Find(other).has_value()) << other;
  }
}

TEST(SocketPeersTest, OnlyRootIsBelieved) {
  EXPECT_EQ(LocalActor({1000, "bob"}, "alice"), "bob");
  EXPECT_EQ(LocalActor({0, "root"}, "alice"), "alice (root)");
  EXPECT_EQ(LocalActor({0, "root"}, ""), "root");
  EXPECT_EQ(LocalActor({0, "root"}, "root"), "root");
  EXPECT_EQ(LocalActor({0, "root"}, "a\nb"), "a?b (root)");
  EXPECT_LT(LocalActor({0, "root"}, std::string(300, 'a')).size(), 80u);
}

}  // namespace
}  // namespace hostq::manager
