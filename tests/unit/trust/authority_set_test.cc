// Goal: an authority is replaced in steps, each of which is made or is not, whenever the power
// fails, and each of which can be undone.
#include "manager/access/authority_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/secret_file.h"
#include "tests/unit/trust/company_pki.h"
#include "tests/unit/trust/pki.h"
#include "tests/unit/trust/temporary_folder.h"

namespace hostq::manager {
namespace {

using ::testing::HasSubstr;
using Step = AuthoritySet::Step;

const absl::Time kNow = absl::Now();

class AuthoritySetTest : public testing::Test {
 protected:
  std::unique_ptr<AuthoritySet> Open() {
    auto set = AuthoritySet::Open(folder_.path(), "prod", kNow);
    EXPECT_TRUE(set.ok()) << set.status();
    return set.ok() ? *std::move(set) : nullptr;
  }
  std::unique_ptr<AuthoritySet> CreateAndOpen() {
    EXPECT_FALSE(AuthoritySet::Exists(folder_.path()));
    EXPECT_TRUE(CertificateAuthority::Create(folder_.path(), "prod", kNow).ok());
    EXPECT_TRUE(AuthoritySet::Exists(folder_.path()));
    return Open();
  }
  std::string File(const std::string& name) const {
    return absl::StrCat(folder_.path(), "/ca/", name);
  }
  // "issuing:ca old:ca-2"
  static std::string Shape(const AuthoritySet& set) {
    std::string out;
    for (const auto& one : set.members()) {
      absl::StrAppend(&out, out.empty() ? "" : " ", NameOf(one.role), ":", one.stem);
    }
    return out;
  }
  const TemporaryFolder folder_;
};

TEST_F(AuthoritySetTest, WholeRotationWithEveryUndo) {
  auto set = CreateAndOpen();
  const std::string first = set->pin();
  EXPECT_EQ(Shape(*set), "issuing:ca");
  EXPECT_EQ(set->next_step(), Step::kPrepare);
  EXPECT_EQ(ReasonOf(set->Undo(set->turn()).status()), Reason::kWrongRotationStep);
  EXPECT_EQ(ReasonOf(set->Activate(set->turn(), kNow)), Reason::kWrongRotationStep);
  EXPECT_EQ(ReasonOf(set->Retire(set->turn())), Reason::kWrongRotationStep);

  ASSERT_TRUE(set->Prepare(kNow).ok());
  EXPECT_EQ(Shape(*set), "issuing:ca next:ca-2");
  EXPECT_EQ(set->trusted_pins().size(), 2u);
  EXPECT_EQ(set->pin(), first);
  EXPECT_EQ(ReasonOf(set->Prepare(kNow)), Reason::kWrongRotationStep);
  EXPECT_EQ(*set->Undo(set->turn()), Step::kPrepare);
  EXPECT_EQ(Shape(*set), "issuing:ca");
  EXPECT_FALSE(std::filesystem::exists(File("ca-2.key"))) << "a key that nobody trusts";

  ASSERT_TRUE(set->Prepare(kNow).ok());
  const std::string next = set->trusted_pins().at(1);
  ASSERT_TRUE(set->Activate(set->turn(), kNow).ok());
  EXPECT_EQ(set->pin(), next);
  EXPECT_EQ(set->trusted_pins().size(), 2u);
  EXPECT_EQ(*set->Undo(set->turn()), Step::kActivate);
  EXPECT_EQ(set->pin(), first);
  EXPECT_EQ(set->trusted_pins().size(), 2u);

  ASSERT_TRUE(set->Activate(set->turn(), kNow).ok());
  ASSERT_TRUE(set->Retire(set->turn()).ok());
  EXPECT_EQ(set->trusted_pins(), std::vector<std::string>{next});
  EXPECT_EQ(*set->Undo(set->turn()), Step::kRetire);
  EXPECT_EQ(set->trusted_pins().size(), 2u);
  ASSERT_TRUE(set->Retire(set->turn()).ok());

  // The next rotation forgets the one before.
  ASSERT_TRUE(set->Prepare(kNow).ok());
  ASSERT_TRUE(set->Activate(set->turn(), kNow).ok());
  EXPECT_EQ(Shape(*set), "issuing:ca-3 old:ca-2");
  EXPECT_FALSE(std::filesystem::exists(File("ca.key")));
  EXPECT_TRUE(AuthoritySet::Exists(folder_.path())) << "although there is no ca.pem";
  EXPECT_EQ(Shape(*Open()), "issuing:ca-3 old:ca-2");
}

// Whether a step may be made is decided before it is made, and what is there may change meanwhile.
TEST_F(AuthoritySetTest, AStepIsMadeOfWhatItWasDecidedFor) {
  auto set = CreateAndOpen();
  ASSERT_TRUE(set->Prepare(kNow).ok());
  ASSERT_TRUE(set->Activate(set->turn(), kNow).ok());
  AuthoritySet::Turn seen = set->turn();
  EXPECT_EQ(*set->Undo(seen), Step::kActivate);
  EXPECT_EQ(ReasonOf(set->Undo(seen).status()), Reason::kWrongRotationStep);
  EXPECT_EQ(Shape(*set), "issuing:ca next:ca-2");
  EXPECT_TRUE(std::filesystem::exists(File("ca-2.key"))) << "what it has issued is in use";

  seen = set->turn();
  ASSERT_TRUE(set->Undo(seen).ok());
  ASSERT_TRUE(set->Prepare(kNow).ok());
  EXPECT_EQ(ReasonOf(set->Activate(seen, kNow)), Reason::kWrongRotationStep)
      << "nobody was asked about this one";
  seen = set->turn();
  ASSERT_TRUE(set->Activate(seen, kNow).ok());
  EXPECT_EQ(ReasonOf(set->Retire(seen)), Reason::kWrongRotationStep);
}

// Whatever the last thing on the disk was that a step wrote, what is opened is the state before it
// or the state after it.
TEST_F(AuthoritySetTest, EveryIntermediateStateOfTheDiskOpens) {
  auto set = CreateAndOpen();
  const auto reopens = [&](const std::string& shape) {
    const auto again = Open();
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(Shape(*again), shape);
    EXPECT_EQ(*ReadFile(again->trusted_path()), again->trusted_pem());
  };
  // Prepare: who issues now; the key alone, key and certificate; then the state.
  ASSERT_TRUE(WriteFileDurably(File("authorities"), "issuing ca\n", 0644, IfExists::kReplace).ok());
  reopens("issuing:ca");
  const PrivateKey key = PrivateKey::Generate();
  ASSERT_TRUE(
      WriteFileDurably(File("ca-2.key"), key.ToPem().Reveal(), 0600, IfExists::kReplace).ok());
  reopens("issuing:ca");
  ASSERT_TRUE(WriteFileDurably(File("ca-2.pem"),
                               *MakeAuthorityCertificate(key, "x", kNow - kCertificateBackdating,
                                                         kNow + kAuthorityLife),
                               0644, IfExists::kReplace)
                  .ok());
  reopens("issuing:ca");
  set = Open();
  ASSERT_TRUE(set->Prepare(kNow).ok()) << "what was left is in nobody's way";
  EXPECT_EQ(Shape(*set), "issuing:ca next:ca-3");
  // After the rename, before anything that follows: trusted.pem of before.
  const std::string before = *ReadFile(set->trusted_path());
  const auto interrupted = [&](const std::string& shape, const std::string& trusted) {
    ASSERT_TRUE(WriteFileDurably(set->trusted_path(), trusted, 0644, IfExists::kReplace).ok());
    reopens(shape);
    ::unlink(set->trusted_path().c_str());
    reopens(shape);
    ::unlink(set->server_path().c_str());
    reopens(shape);
  };
  interrupted("issuing:ca next:ca-3", set->issuing()->ca_pem());
  ASSERT_TRUE(set->Activate(set->turn(), kNow).ok());
  interrupted("issuing:ca-3 old:ca", before);
  ASSERT_TRUE(set->Retire(set->turn()).ok());
  interrupted("issuing:ca-3 retired:ca", before);
  ASSERT_TRUE(set->Undo(set->turn()).ok());
  interrupted("issuing:ca-3 old:ca", set->issuing()->ca_pem());
}

// A step is made by one rename; what follows from it may come later.
TEST_F(AuthoritySetTest, AStepThatWasMadeIsToldAsMade) {
  auto set = CreateAndOpen();
  ASSERT_TRUE(set->Prepare(kNow).ok());
  const std::string former = *ReadFile(set->trusted_path());
  std::filesystem::remove(set->trusted_path());
  std::filesystem::create_directories(set->trusted_path() + "/in the way");
  const absl::StatusOr<Step> undone = set->Undo(set->turn());
  ASSERT_TRUE(undone.ok()) << undone.status();
  EXPECT_EQ(Shape(*set), "issuing:ca");
  EXPECT_FALSE(std::filesystem::exists(File("ca-2.key")));
  EXPECT_FALSE(set->Maintain({"10.0.0.1"}, kNow).ok());
  std::filesystem::remove_all(set->trusted_path());
  EXPECT_TRUE(set->Maintain({"10.0.0.1"}, kNow).ok());
  EXPECT_EQ(*ReadFile(set->trusted_path()), set->trusted_pem());
  EXPECT_NE(set->trusted_pem(), former);
}

TEST_F(AuthoritySetTest, NonsenseIsRefused) {
  CreateAndOpen();
  for (const char* text : {"issuing ca\nissuing ca\n", "next ca\n", "issuing ../ca\n", "issuing\n",
                           "issuing ca extra\n", "boss ca\n", "issuing ca\nold nothing\n"}) {
    ASSERT_TRUE(WriteFileDurably(File("authorities"), text, 0644, IfExists::kReplace).ok());
    EXPECT_FALSE(AuthoritySet::Open(folder_.path(), "prod", kNow).ok()) << text;
  }
}

TEST_F(AuthoritySetTest, ARetiredOneDoesNotComeBackWithoutTheFile) {
  auto set = CreateAndOpen();
  ASSERT_TRUE(set->Prepare(kNow).ok());
  ASSERT_TRUE(set->Activate(set->turn(), kNow).ok());
  std::filesystem::remove(File("authorities"));
  const absl::Status status = AuthoritySet::Open(folder_.path(), "prod", kNow).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(status.message().find("ca/authorities: is not there") != absl::string_view::npos)
      << status;
}

TEST_F(AuthoritySetTest, TheServersCertificateFollowsWhoIssues) {
  auto set = CreateAndOpen();
  EXPECT_TRUE(*set->Maintain({"10.0.0.1"}, kNow));
  EXPECT_FALSE(*set->Maintain({"10.0.0.1"}, kNow));
  const auto signer = [&] {
    return *SignerOf(ReadSecretFile(set->server_path())->Reveal(), set->trusted_pem());
  };
  const std::string first = set->pin();
  EXPECT_EQ(signer(), first);
  EXPECT_TRUE(*set->Maintain({"10.0.0.1"}, kNow + absl::Hours(24 * 200))) << "half of its life";
  ASSERT_TRUE(set->Prepare(kNow).ok());
  EXPECT_EQ(signer(), first);
  ASSERT_TRUE(set->Activate(set->turn(), kNow).ok());
  EXPECT_TRUE(*set->Maintain({"10.0.0.1"}, kNow));
  EXPECT_NE(signer(), first);
  ASSERT_TRUE(set->Undo(set->turn()).ok());
  EXPECT_TRUE(*set->Maintain({"10.0.0.1"}, kNow));
  EXPECT_EQ(signer(), first);
}

TEST_F(AuthoritySetTest, CompanySignedAuthority) {
  const CompanyPki company;
  const PrivateKey key = PrivateKey::Generate();
  const std::string pem = company.SignAuthority(key);
  const auto refused = [&](const std::string& ca_pem, const SecretString& key_pem) {
    const absl::Status status = AuthoritySet::CreateImported(folder_.path(), ca_pem, key_pem, kNow);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refused("junk", key.ToPem()), HasSubstr("not certificates"));
  EXPECT_THAT(refused(pem, PrivateKey::Generate().ToPem()), HasSubstr("not the one of"));
  EXPECT_THAT(refused(pem, "junk"), HasSubstr("P-256"));
  EXPECT_THAT(refused(company.SignAuthority(key, "critical,CA:FALSE"), key.ToPem()),
              HasSubstr("no authority's"));
  EXPECT_THAT(
      refused(company.SignAuthority(key, "critical,CA:TRUE", kNow - absl::Hours(1)), key.ToPem()),
      HasSubstr("not now"));
  ASSERT_TRUE(AuthoritySet::CreateImported(folder_.path(), absl::StrCat(pem, company.root_pem()),
                                           key.ToPem(), kNow)
                  .ok());
  const auto set = Open();
  EXPECT_EQ(set->trusted_pins(), std::vector<std::string>{key.public_key().Hash()})
      << "the company's root is not trusted";
  EXPECT_TRUE(set->issuing()->signed_by_another());
  const auto issued = set->issuing()->IssueNode(MakeCertificateRequest(PrivateKey::Generate(), "x"),
                                                {"web1", 1}, absl::Hours(24), kNow);
  ASSERT_TRUE(issued.ok());
  EXPECT_TRUE(
      VerifyCertificate(issued->pem, set->trusted_pem(), CertificateSpec::Use::kClient, kNow).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(set->PrepareImported(pem, key.ToPem(), kNow)))
      << "the same key";
}

TEST_F(AuthoritySetTest, OutsideCertificates) {
  const TestPki pki;
  const TlsIdentity server = pki.Issue(pki.ServerSpec());
  const TlsIdentity node = pki.Issue(pki.NodeSpec("web1"));
  const auto create = [&](const TlsIdentity& shown, const SecretString& key) {
    return AuthoritySet::CreateOutside(folder_.path(), pki.ca_pem(), shown.certificate_chain_pem,
                                       key, kNow);
  };
  EXPECT_TRUE(absl::IsInvalidArgument(create(node, node.private_key_pem))) << "for clients";
  EXPECT_TRUE(absl::IsInvalidArgument(create(server, node.private_key_pem)));
  ASSERT_TRUE(create(server, server.private_key_pem).ok());
  const auto set = Open();
  EXPECT_FALSE(set->built_in());
  EXPECT_EQ(set->issuing(), nullptr);
  EXPECT_EQ(set->pin(), pki.pin());
  EXPECT_EQ(ReasonOf(set->Prepare(kNow)), Reason::kNoBuiltInAuthority);
  EXPECT_EQ(ReasonOf(set->Undo(set->turn()).status()), Reason::kNoBuiltInAuthority);
  EXPECT_FALSE(*set->Maintain({}, kNow));
  // What does not fit changes nothing and is told once.
  const std::string before(ReadSecretFile(set->server_path())->Reveal());
  ASSERT_TRUE(WriteFileDurably(File("outside-server.pem"), node.certificate_chain_pem, 0644,
                               IfExists::kReplace)
                  .ok());
  EXPECT_FALSE(set->Maintain({}, kNow).ok());
  EXPECT_TRUE(set->Maintain({}, kNow).ok());
  EXPECT_EQ(ReadSecretFile(set->server_path())->Reveal(), before);
  const TlsIdentity next = pki.Issue(pki.ServerSpec());
  ASSERT_TRUE(WriteFileDurably(File("outside-server.pem"), next.certificate_chain_pem, 0644,
                               IfExists::kReplace)
                  .ok());
  ASSERT_TRUE(WriteFileDurably(File("outside-server.key"), next.private_key_pem.Reveal(), 0600,
                               IfExists::kReplace)
                  .ok());
  EXPECT_TRUE(*set->Maintain({}, kNow));
}

}  // namespace
}  // namespace hostq::manager
