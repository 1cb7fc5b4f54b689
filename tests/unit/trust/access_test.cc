// Goal: joining: who has the token and nothing else gets a certificate, once for each key, and the
// authority neither loses nor gives away its key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/hash.h"
#include "common/crypto/key.h"
#include "common/crypto/secret_file.h"
#include "manager/access/certificate_authority.h"
#include "manager/access/enroller.h"
#include "manager/access/join_token.h"
#include "manager/access/rate_limiter.h"
#include "tests/unit/trust/fake_token_store.h"
#include "tests/unit/trust/temporary_folder.h"

namespace hostq::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const absl::Duration kDay = absl::Hours(24);

TEST(JoinTokenTest, LooksAsDocumented) {
  const NewJoinToken token = MakeJoinToken("web1", kNow);
  const std::string text(token.text.Reveal());
  EXPECT_EQ(text.size(), 4u + 10 + 1 + 40);
  EXPECT_EQ(text.substr(0, 4), "hqj_");
  EXPECT_EQ(text.substr(4, 10), token.record.id);
  EXPECT_EQ(token.record.secret_hash, Sha256Hex(text.substr(15)));
  EXPECT_EQ(token.record.node, "web1");
  EXPECT_EQ(token.record.key_hash, "");
  EXPECT_EQ(*JoinTokenId(token.text), token.record.id);
}

TEST(JoinTokenTest, LifeCycle) {
  const NewJoinToken token = MakeJoinToken("web1", kNow + absl::Minutes(15));
  JoinToken record = token.record;
  const absl::Time last = record.expire_time - absl::Nanoseconds(1);
  EXPECT_TRUE(CheckJoinToken(token.text, &record, "key-a", kNow).ok());
  EXPECT_TRUE(CheckJoinToken(token.text, &record, "key-a", last).ok());
  record.key_hash = "key-a";
  EXPECT_TRUE(CheckJoinToken(token.text, &record, "key-a", last).ok());
  const auto reason = [&](const char* key, absl::Time now) {
    const absl::Status status = CheckJoinToken(token.text, &record, key, now);
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    return ReasonOf(status);
  };
  EXPECT_EQ(reason("key-b", kNow), Reason::kTokenUsed);
  EXPECT_EQ(reason("key-a", record.expire_time), Reason::kTokenExpired);
  EXPECT_EQ(reason("key-b", record.expire_time), Reason::kTokenExpired);
}

TEST(JoinTokenTest, WrongSecretUnknownIdAndMalformedAreTheSame) {
  const NewJoinToken token = MakeJoinToken("web1", kNow + kDay);
  const NewJoinToken other = MakeJoinToken("web1", kNow + kDay);
  const std::string text(token.text.Reveal());
  const std::string mixed =
      absl::StrCat("hqj_", token.record.id, "_", other.text.Reveal().substr(15));
  const absl::Status unknown = CheckJoinToken(token.text, nullptr, "key", kNow);
  for (const std::string& wrong :
       {mixed, std::string(), std::string("hqj_"), text.substr(0, text.size() - 1), text + "a",
        text + "\n", " " + text, absl::StrCat("HQJ_", text.substr(4)), std::string(5000, 'a'),
        absl::StrCat("hqj_", std::string(10, '_'), "_", text.substr(15)),
        absl::StrCat(text.substr(0, 20), std::string(1, '\0'), text.substr(21))}) {
    const absl::Status status = CheckJoinToken(SecretString(wrong), &token.record, "key", kNow);
    EXPECT_EQ(status, unknown) << wrong;
    EXPECT_EQ(ReasonOf(status), Reason::kTokenInvalid);
  }
  // A record that was fetched for another id, even with the same secret.
  JoinToken swapped = token.record;
  swapped.secret_hash = other.record.secret_hash;
  EXPECT_EQ(CheckJoinToken(other.text, &swapped, "key", kNow), unknown);
  EXPECT_EQ(CheckJoinToken(other.text, &token.record, "key", kNow), unknown);
}

class CertificateAuthorityTest : public testing::Test {
 protected:
  std::unique_ptr<CertificateAuthority> CreateAndOpen() {
    const absl::Status created = CertificateAuthority::Create(folder_.path(), "prod", kNow);
    EXPECT_TRUE(created.ok()) << created;
    auto authority = CertificateAuthority::Open(folder_.path(), kNow);
    EXPECT_TRUE(authority.ok()) << authority.status();
    return *std::move(authority);
  }
  std::string File(const char* name) const { return absl::StrCat(folder_.path(), "/ca/", name); }

  const TemporaryFolder folder_;
};

TEST_F(CertificateAuthorityTest, CreatesOnceAndKeepsTheKeyToItself) {
  const auto authority = CreateAndOpen();
  struct stat status = {};
  ASSERT_EQ(::stat(File("ca.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  const std::string before = *ReadFile(File("ca.key"));
  EXPECT_EQ(CertificateAuthority::Create(folder_.path(), "prod", kNow).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*ReadFile(File("ca.key")), before);
  EXPECT_TRUE(IsPin(authority->pin()));
  const auto info = ParseCertificate(authority->ca_pem());
  EXPECT_EQ(info->not_after, kNow + 3650 * kDay);
  EXPECT_EQ(info->not_before, kNow - absl::Hours(1));
}

TEST_F(CertificateAuthorityTest, GoesOnWithAKeyThatLostItsCertificate) {
  const std::string pin = CreateAndOpen()->pin();
  ASSERT_EQ(::unlink(File("ca.pem").c_str()), 0);
  EXPECT_EQ(CreateAndOpen()->pin(), pin);
}

TEST_F(CertificateAuthorityTest, OpenExplainsWhatIsWrong) {
  const auto error = [&](absl::Time now = kNow) {
    return CertificateAuthority::Open(folder_.path(), now).status();
  };
  EXPECT_EQ(error().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(error().message()), HasSubstr("hostq-manager init"));
  CreateAndOpen();
  EXPECT_THAT(std::string(error(kNow + 3651 * kDay).message()), HasSubstr("expired"));
  ASSERT_EQ(::chmod(File("ca.key").c_str(), 0644), 0);
  EXPECT_THAT(std::string(error().message()), HasSubstr("chmod 600"));
  ASSERT_EQ(::chmod(File("ca.key").c_str(), 0600), 0);
  const std::string other(PrivateKey::Generate().ToPem().Reveal());
  ASSERT_TRUE(WriteFileDurably(File("ca.key"), other, 0600, IfExists::kReplace).ok());
  EXPECT_EQ(error().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(error().message()), HasSubstr("not the key of ca.pem"));
  ASSERT_TRUE(WriteFileDurably(File("ca.key"), "junk", 0600, IfExists::kReplace).ok());
  EXPECT_THAT(std::string(error().message()), HasSubstr("not a private key"));
  ASSERT_TRUE(WriteFileDurably(File("ca.pem"), "junk", 0644, IfExists::kReplace).ok());
  EXPECT_EQ(error().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(CertificateAuthorityTest, ServerIdentityIsKeptUntilHalfOfItsLife) {
  const auto authority = CreateAndOpen();
  const auto serial = [&](absl::Time now, const std::vector<std::string>& addresses) {
    const auto identity = authority->ServerIdentity(addresses, now);
    EXPECT_TRUE(identity.ok()) << identity.status();
    EXPECT_TRUE(PrivateKey::FromPem(identity->private_key_pem).ok());
    EXPECT_TRUE(absl::EndsWith(identity->certificate_chain_pem, authority->ca_pem()));
    EXPECT_TRUE(VerifyCertificate(identity->certificate_chain_pem, authority->ca_pem(),
                                  CertificateSpec::Use::kServer, now)
                    .ok());
    return ParseCertificate(identity->certificate_chain_pem)->serial;
  };
  const std::string first = serial(kNow, {"10.0.0.1"});
  EXPECT_EQ(serial(kNow + 180 * kDay, {"10.0.0.1", "10.0.0.1", "::0:1"}), first);
  EXPECT_NE(serial(kNow + 180 * kDay, {"10.0.0.2"}), first);
  const std::string second = serial(kNow + 180 * kDay, {"10.0.0.2"});
  EXPECT_NE(serial(kNow + 400 * kDay, {"10.0.0.2"}), second);
  ASSERT_TRUE(WriteFileDurably(File("server.pem"), "junk", 0600, IfExists::kReplace).ok());
  serial(kNow, {"10.0.0.1"});
}

TEST_F(CertificateAuthorityTest, NodeCertificateSaysTheNodeWhateverTheRequestSays) {
  const auto authority = CreateAndOpen();
  const PrivateKey key = PrivateKey::Generate();
  const auto issued = authority->IssueNode(MakeCertificateRequest(key, "storage1"), {"web1", 3},
                                           kNodeCertificateLife, kNow);
  ASSERT_TRUE(issued.ok()) << issued.status();
  const auto info = ParseCertificate(issued->pem);
  EXPECT_EQ(info->common_name, "web1");
  EXPECT_THAT(info->uris, ElementsAre("hostq://node/web1/3"));
  EXPECT_EQ(info->serial, issued->serial);
  EXPECT_EQ(info->key_hash, key.public_key().Hash());
  EXPECT_EQ(info->not_after, kNow + 90 * kDay);
  EXPECT_TRUE(
      VerifyCertificate(issued->pem, authority->ca_pem(), CertificateSpec::Use::kClient, kNow)
          .ok());
  EXPECT_EQ(authority->IssueNode("junk", {"web1", 3}, kDay, kNow).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CertificateAuthorityTest, NothingOutlivesTheAuthority) {
  const auto authority = CreateAndOpen();
  const std::string csr = MakeCertificateRequest(PrivateKey::Generate(), "x");
  const auto late = authority->IssueNode(csr, {"web1", 1}, 90 * kDay, kNow + 3649 * kDay);
  ASSERT_TRUE(late.ok());
  EXPECT_EQ(late->not_after, authority->not_after());
  EXPECT_EQ(authority->IssueNode(csr, {"web1", 1}, kDay, kNow + 3651 * kDay).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(CertificateAuthorityTest, SaysOfAnAdministratorsCertificateWhatStandsInIt) {
  const auto authority = CreateAndOpen();
  const std::string csr = MakeCertificateRequest(PrivateKey::Generate(), "somebody");
  const auto issued = authority->IssueAdministrator(csr, "alice", 90 * kDay, kNow);
  ASSERT_TRUE(issued.ok()) << issued.status();
  const auto info = ParseCertificate(issued->pem);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->uris, ElementsAre("hostq://admin/alice"));
  EXPECT_EQ(issued->serial, info->serial);
  EXPECT_EQ(issued->not_before, info->not_before);
  EXPECT_EQ(issued->not_after, info->not_after);
  EXPECT_EQ(issued->not_after, kNow + 90 * kDay);
  EXPECT_EQ(issued->authority, authority->pin());
}

class EnrollerTest : public CertificateAuthorityTest {
 protected:
  EnrollerTest() : clock_(kNow), authority_(CreateAndOpen()) {
    auto authorities = AuthoritySet::Open(folder_.path(), "prod", kNow);
    EXPECT_TRUE(authorities.ok()) << authorities.status();
    authorities_ = *std::move(authorities);
    Enroller::Options options;
    options.manager_address = "10.0.0.1:7443";
    options.rate.burst = 5;
    enroller_ = std::make_unique<Enroller>(*authorities_, store_, clock_, options);
  }

  NewJoinToken Add(const std::string& node) {
    NewJoinToken token = MakeJoinToken(node, clock_.Now() + absl::Minutes(15));
    store_.Put(token.record);
    return token;
  }
  absl::StatusOr<Enrollment> Enroll(const SecretString& token, const PrivateKey& key) {
    clock_.Advance(absl::Seconds(1));  // within the rate
    return enroller_->Enroll(token, MakeCertificateRequest(key, "ignored"), "10.0.0.9");
  }

  FakeClock clock_;
  FakeTokenStore store_;
  std::unique_ptr<CertificateAuthority> authority_;
  std::unique_ptr<AuthoritySet> authorities_;
  std::unique_ptr<Enroller> enroller_;
};

TEST_F(EnrollerTest, TokenGivesACertificate) {
  const PrivateKey key = PrivateKey::Generate();
  const auto enrolled = Enroll(Add("web1").text, key);
  ASSERT_TRUE(enrolled.ok()) << enrolled.status();
  EXPECT_EQ(enrolled->node, (NodeIdentity{"web1", 1}));
  EXPECT_EQ(enrolled->ca_pem, authority_->ca_pem());
  EXPECT_EQ(enrolled->manager_address, "10.0.0.1:7443");
  EXPECT_EQ(enrolled->expire_time, clock_.Now() + 90 * kDay);
  EXPECT_EQ(ParseCertificate(enrolled->certificate_pem)->key_hash, key.public_key().Hash());
}

TEST_F(EnrollerTest, SameKeyMayAskAgainAnotherIsRefused) {
  const NewJoinToken token = Add("web1");
  const PrivateKey key = PrivateKey::Generate();
  ASSERT_TRUE(Enroll(token.text, key).ok());
  const auto again = Enroll(token.text, key);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->node.incarnation, 1);
  const auto thief = Enroll(token.text, PrivateKey::Generate());
  EXPECT_EQ(ReasonOf(thief.status()), Reason::kTokenUsed);
  EXPECT_TRUE(Enroll(token.text, key).ok());
  clock_.Advance(absl::Minutes(15));
  EXPECT_EQ(ReasonOf(Enroll(token.text, key).status()), Reason::kTokenExpired);
}

TEST_F(EnrollerTest, ANewTokenIsANewIncarnationAndVoidsTheOld) {
  const PrivateKey key = PrivateKey::Generate();
  const NewJoinToken first = Add("web1");
  ASSERT_TRUE(Enroll(first.text, key).ok());
  const auto second = Enroll(Add("web1").text, PrivateKey::Generate());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->node.incarnation, 2);
  EXPECT_EQ(ReasonOf(Enroll(first.text, key).status()), Reason::kTokenInvalid);
  EXPECT_EQ(Enroll(Add("web2").text, key)->node, (NodeIdentity{"web2", 1}));
}

TEST_F(EnrollerTest, RefusalsBindNothing) {
  const NewJoinToken token = Add("web1");
  const NewJoinToken unknown = MakeJoinToken("web1", kNow + kDay);
  const PrivateKey key = PrivateKey::Generate();
  EXPECT_EQ(ReasonOf(Enroll(unknown.text, key).status()), Reason::kTokenInvalid);
  EXPECT_EQ(ReasonOf(Enroll("nonsense", key).status()), Reason::kTokenInvalid);
  EXPECT_EQ(enroller_->Enroll(token.text, "no request", "10.0.0.9").status().code(),
            absl::StatusCode::kInvalidArgument);
  store_.FailWith(absl::UnavailableError("disk"));
  EXPECT_EQ(Enroll(token.text, key).status().code(), absl::StatusCode::kUnavailable);
  store_.FailWith(absl::OkStatus());
  EXPECT_EQ((*store_.GetToken(token.record.id))->key_hash, "");
}

TEST_F(EnrollerTest, NoErrorRepeatsTheToken) {
  const NewJoinToken token = Add("web1");
  const std::string secret(token.text.Reveal().substr(15));
  ASSERT_TRUE(Enroll(token.text, PrivateKey::Generate()).ok());
  std::vector<absl::Status> errors = {
      Enroll(token.text, PrivateKey::Generate()).status(),
      Enroll(absl::StrCat(token.text.Reveal(), "x"), PrivateKey::Generate()).status()};
  clock_.Advance(kDay);
  errors.push_back(Enroll(token.text, PrivateKey::Generate()).status());
  for (const absl::Status& error : errors) {
    EXPECT_FALSE(error.ok());
    EXPECT_THAT(error.ToString(), Not(HasSubstr(secret)));
  }
}

TEST_F(EnrollerTest, LimitsAttemptsOfOneAddress) {
  const SecretString junk = "junk";
  const std::string csr = MakeCertificateRequest(PrivateKey::Generate(), "x");
  const auto code = [&](const char* peer) {
    return enroller_->Enroll(junk, csr, peer).status().code();
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code("10.0.0.9"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code("10.0.0.9"), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(code("10.0.0.8"), absl::StatusCode::kPermissionDenied);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(code("10.0.0.9"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code("10.0.0.9"), absl::StatusCode::kResourceExhausted);
}

TEST(RateLimiterTest, MemoryIsBounded) {
  RateLimiter limiter({1, 2, 100});
  int allowed = 0;
  for (int i = 0; i < 10'000; ++i) {
    allowed += limiter.Check(absl::StrCat("source", i), absl::ZeroDuration()).ok() ? 1 : 0;
  }
  EXPECT_EQ(allowed, 102);  // one each of those that had room, and what the others share
  EXPECT_TRUE(limiter.Check("source0", absl::ZeroDuration()).ok());
  EXPECT_FALSE(limiter.Check("source0", absl::ZeroDuration()).ok());
  EXPECT_TRUE(limiter.Check("new", absl::Seconds(10)).ok());
}

TEST(RateLimiterTest, WhoMustWaitIsToldHowLong) {
  RateLimiter limiter({4, 1, 100});
  EXPECT_TRUE(limiter.Check("a", absl::ZeroDuration()).ok());
  const absl::Status status = limiter.Check("a", absl::Milliseconds(50));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), Reason::kRateLimited);
  EXPECT_EQ(RetryDelayOf(status), absl::Milliseconds(200));
  EXPECT_FALSE(limiter.Check("a", absl::Milliseconds(249)).ok());
  EXPECT_TRUE(limiter.Check("a", absl::Milliseconds(251)).ok()) << "as it was told";
  EXPECT_TRUE(limiter.Check("b", absl::Milliseconds(50)).ok()) << "others are not concerned";
}

TEST(RateLimiterTest, SourcesAreMachines) {
  EXPECT_EQ(RateLimitSource("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(RateLimitSource("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(RateLimitSource("2001:db8::1"), RateLimitSource("2001:db8::ffff:2"));
  EXPECT_NE(RateLimitSource("2001:db8::1"), RateLimitSource("2001:db8:0:1::1"));
  EXPECT_EQ(RateLimitSource("unix:/run/x"), "unix:/run/x");
}

}  // namespace
}  // namespace hostq::manager
