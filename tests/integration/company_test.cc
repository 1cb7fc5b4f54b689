// Goal: a cluster works with a company's authority, and says what is wrong with files that do not
// fit. Method: the real hostq-manager, hostq and hostq-agent; the company's root is made here.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"
#include "hostq/v1/authority_service.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "real_manager.h"
#include "real_node.h"
#include "tests/unit/trust/company_pki.h"

namespace hostq::manager::testing {
namespace {

using hostq::testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Text(const PrivateKey& key) { return std::string(key.ToPem().Reveal()); }

std::string ToPem(EVP_PKEY* key, const char* password = nullptr) {
  BIO* memory = BIO_new(BIO_s_mem());
  HOSTQ_CHECK(
      PEM_write_bio_PKCS8PrivateKey(memory, key, password == nullptr ? nullptr : EVP_aes_256_cbc(),
                                    password, password == nullptr ? 0 : 8, nullptr, nullptr) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string pem(text, static_cast<size_t>(size));
  BIO_free(memory);
  return pem;
}

class CompanyTest : public ::testing::Test {
 protected:
  // Of the hosting authority, which the company's root has signed.
  std::string Issue(const PublicKey& key, CertificateSpec spec) const {
    spec.not_before = absl::Now() - absl::Hours(1);
    if (spec.not_after == absl::Time()) spec.not_after = absl::Now() + absl::Hours(24 * 30);
    const auto pem = IssueCertificate(ca_pem_, ca_key_, key, spec);
    EXPECT_TRUE(pem.ok()) << pem.status();
    return *pem;
  }
  static CertificateSpec Server() {
    CertificateSpec spec;
    spec.use = CertificateSpec::Use::kServer;
    spec.common_name = "hostq-manager";
    spec.dns_names = {"hostq-manager"};
    return spec;
  }
  static CertificateSpec Node(const std::string& uri) {
    CertificateSpec spec;
    spec.common_name = "web1";
    spec.uris = {uri};
    return spec;
  }
  std::string File(const std::string& name, const std::string& text, int mode = 0600) const {
    return manager_.folder().Write(name, text, mode);
  }
  bool Connected(const std::string& node) {
    return Eventually([&] {
      const v1::Node::State state = manager_.Json<v1::Node>("node show " + node).state();
      return state == v1::Node::READY || state == v1::Node::PREFLIGHT;
    });
  }

  const CompanyPki company_;
  const PrivateKey ca_key_ = PrivateKey::Generate();
  const std::string ca_pem_ = company_.SignAuthority(ca_key_);
  RealManager manager_;
  RealNode node_;
};

// --- an authority that the manager issues with ---

class ImportedTest : public CompanyTest {
 protected:
  int Init(const std::string& ca, const std::string& key) {
    return manager_.Init({"--ca-cert", ca, "--ca-key", key});
  }
  void ExpectRefused(const std::string& ca, const std::string& key, const std::string& why) {
    EXPECT_EQ(Init(ca, key), 1) << why;
    EXPECT_THAT(manager_.program().err(), HasSubstr(why));
    EXPECT_FALSE(std::filesystem::exists(manager_.state("ca"))) << why;
  }
  std::vector<std::string> JoinWords() {
    const auto added =
        manager_.Json<v1::CreateNodeResponse>("node add web1 --role app --address 192.0.2.11");
    std::vector<std::string> words = absl::StrSplit(added.join_command(), ' ');
    words.erase(words.begin(), words.begin() + 2);  // hostq-agent join
    return words;
  }
  int JoinWithToken() { return node_.Join(JoinWords()); }
};

TEST_F(ImportedTest, OneThatEndsSoonIsTakenWithAWarning) {
  const std::string ca =
      company_.SignAuthority(ca_key_, "critical,CA:TRUE,pathlen:0", absl::Now() + absl::Hours(50));
  ASSERT_EQ(Init(File("ca.pem", ca), File("ca.key", Text(ca_key_))), 0) << manager_.program().err();
  EXPECT_THAT(manager_.program().out(), HasSubstr("warning: the authority ends in 2d1h"));
}

TEST_F(ImportedTest, ANodeJoinsAndConnects) {
  // The root stands behind it, as in the file that the company's tool writes.
  ASSERT_EQ(
      Init(File("hosting.pem", ca_pem_ + company_.root_pem()), File("hosting.key", Text(ca_key_))),
      0)
      << manager_.program().err();
  EXPECT_THAT(manager_.program().out(), HasSubstr(PinsOf(ca_pem_)[0]));
  ASSERT_TRUE(manager_.Start()) << manager_.program().err();
  ASSERT_EQ(JoinWithToken(), 0) << node_.agent().err();
  EXPECT_EQ(PinsOf(node_.Identity().ca_pem), PinsOf(ca_pem_)) << "the root is not trusted";
  node_.Start();
  EXPECT_TRUE(Connected("web1")) << node_.agent().err();
  const auto authority = manager_.Json<v1::Authority>("authority show");
  ASSERT_EQ(authority.certificates_size(), 1);
  EXPECT_EQ(authority.certificates(0).subject(), "CN = Company Hosting CA");
  EXPECT_TRUE(authority.certificates(0).signed_by_another());
  EXPECT_EQ(authority.certificates(0).nodes(), 1);
  EXPECT_EQ(manager_.program().End(SIGTERM), 0);
  ASSERT_TRUE(manager_.Start()) << manager_.program().err();
  EXPECT_TRUE(Connected("web1")) << node_.agent().err();
}

TEST_F(ImportedTest, ItIsReplacedByAnotherOfTheCompany) {
  ASSERT_EQ(Init(File("hosting.pem", ca_pem_), File("hosting.key", Text(ca_key_))), 0);
  ASSERT_TRUE(manager_.Start());
  const PrivateKey key = PrivateKey::Generate();
  const std::string certificate = File("next.pem", company_.SignAuthority(key));
  const Finished refused = manager_.Hostq(absl::StrCat(
      "authority prepare --certificate ", certificate, " --key ", File("w.key", Text(ca_key_))));
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("not the one of the certificate"));
  const auto prepared = manager_.Json<v1::Authority>(absl::StrCat(
      "authority prepare --certificate ", certificate, " --key ", File("next.key", Text(key))));
  EXPECT_EQ(prepared.next_step(), v1::Authority::ACTIVATE);
  EXPECT_EQ(manager_.Json<v1::Authority>("authority activate").certificates(0).pin(),
            key.public_key().Hash());
  EXPECT_EQ(manager_.Json<v1::Authority>("authority retire").next_step(), v1::Authority::PREPARE);
  // The listeners follow within a second or two.
  const std::vector<std::string> words = JoinWords();
  ASSERT_TRUE(Eventually([&] { return node_.Join(words) == 0; })) << node_.agent().err();
  node_.Start();
  EXPECT_TRUE(Connected("web1")) << node_.agent().err();
}

TEST_F(ImportedTest, WhatDoesNotFitIsRefusedAndLeavesNothing) {
  const std::string ca = File("ca.pem", ca_pem_);
  const std::string key = File("ca.key", Text(ca_key_));
  const std::string other = File("other.key", Text(PrivateKey::Generate()));
  ExpectRefused(ca, other, "not the one of the certificate of CN = Company Hosting CA");
  const PrivateKey own = PrivateKey::Generate();
  ExpectRefused(File("end.pem", Issue(own.public_key(), Server())), File("end.key", Text(own)),
                "is no authority's");
  ExpectRefused(File("no-ca.pem", company_.SignAuthority(ca_key_, "critical,CA:FALSE")), key,
                "is no authority's");
  ExpectRefused(File("expired.pem", company_.SignAuthority(ca_key_, "critical,CA:TRUE",
                                                           absl::Now() - absl::Minutes(1))),
                key, "not now");
  const openssl::KeyPtr p384(EVP_EC_gen("P-384"));
  ExpectRefused(File("p384.pem", company_.SignAuthority(p384.get(), "critical,CA:TRUE",
                                                        absl::Now() + absl::Hours(24))),
                File("p384.key", ToPem(p384.get())), "P-256");
  ExpectRefused(ca, File("p384.key", ToPem(p384.get())), "P-256");
  ExpectRefused(ca, File("locked.key", ToPem(ca_key_.handle(), "password")), "not encrypted");
  ExpectRefused(File("junk.pem", "junk"), key, "not certificates in PEM");
  ExpectRefused(ca, File("junk.key", "junk"), "the authority's key");
  ExpectRefused(File("empty.pem", ""), key, "empty.pem is empty");
  ExpectRefused(ca, File("empty.key", ""), "empty.key is empty");
  ExpectRefused(manager_.state("none.pem"), key, "none.pem");
  ExpectRefused(ca, manager_.state("none.key"), "none.key");
  ExpectRefused(ca, File("open.key", Text(ca_key_), 0644), "open.key");
  EXPECT_EQ(Init(ca, key), 0) << "with the right files it goes on: " << manager_.program().err();
  EXPECT_EQ(Init(ca, key), 1);
  EXPECT_THAT(manager_.program().err(), HasSubstr("exists"));
}

TEST_F(ImportedTest, FilesThatDoNotGoTogetherAreUsageErrors) {
  const std::string ca = File("ca.pem", ca_pem_);
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--ca-cert", ca},
           {"--ca-key", ca},
           {"--ca-cert", ca, "--server-cert", ca},
           {"--ca-cert", ca, "--server-key", ca},
           {"--server-cert", ca, "--server-key", ca},
           {"--ca-cert", ca, "--ca-key", ca, "--server-cert", ca, "--server-key", ca},
           {"--ca-cert"}}) {
    EXPECT_EQ(manager_.Init(words), 2);
    EXPECT_THAT(manager_.program().err(), HasSubstr("--ca-cert"));
  }
  EXPECT_FALSE(std::filesystem::exists(manager_.state("")));
}

// --- certificates from outside ---

class OutsideTest : public CompanyTest {
 protected:
  int Init(const std::string& ca, const std::string& certificate, const std::string& key) {
    return manager_.Init({"--ca-cert", ca, "--server-cert", certificate, "--server-key", key});
  }
  void InitAndStart() {
    ASSERT_EQ(Init(File("ca.pem", ca_pem_), File("server.pem", server_pem_),
                   File("server.key", Text(server_key_))),
              0)
        << manager_.program().err();
    ASSERT_TRUE(manager_.Start()) << manager_.program().err();
  }
  void ExpectRefused(const std::string& ca, const std::string& certificate, const std::string& key,
                     const std::string& why) {
    EXPECT_EQ(Init(ca, certificate, key), 1) << why;
    EXPECT_THAT(manager_.program().err(), HasSubstr(why));
    EXPECT_FALSE(std::filesystem::exists(manager_.state("ca"))) << why;
  }
  // With a new key and a certificate with this URI.
  int Join(const std::string& uri) {
    const PrivateKey key = PrivateKey::Generate();
    return Join(File("node.pem", Issue(key.public_key(), Node(uri))), File("node.key", Text(key)),
                File("ca.pem", ca_pem_));
  }
  int Join(const std::string& certificate, const std::string& key, const std::string& ca) {
    return node_.Join({"--manager", manager_.agents_address(), "--certificate", certificate,
                       "--key", key, "--ca-cert", ca});
  }
  std::string Serial() { return manager_.Json<v1::Node>("node show web1").certificate_serial(); }

  const PrivateKey server_key_ = PrivateKey::Generate();
  const std::string server_pem_ = Issue(server_key_.public_key(), Server());
};

TEST_F(OutsideTest, ANodeConnectsAndItsCertificateIsReplaced) {
  InitAndStart();
  const auto added =
      manager_.Json<v1::CreateNodeResponse>("node add web1 --role app --address 192.0.2.11");
  EXPECT_EQ(added.certificate_uri(), "hostq://node/web1/1");
  EXPECT_THAT(added.join_command(), HasSubstr("--certificate"));
  ASSERT_EQ(Join(added.certificate_uri()), 0) << node_.agent().err();
  node_.Start();
  ASSERT_TRUE(Connected("web1")) << node_.agent().err();
  const std::string first = Serial();
  EXPECT_EQ(first, node_.Serial());
  // Whoever issues certificates brings the next one: the agent takes it over as it runs.
  Program again(node_.folder().path() + "/again");
  const PrivateKey key = PrivateKey::Generate();
  ASSERT_EQ(
      again.Run({HOSTQ_AGENT, "join", "--config", node_.folder().path() + "/agent.toml",
                 "--manager", manager_.agents_address(), "--certificate",
                 File("node2.pem", Issue(key.public_key(), Node("hostq://node/web1/1"))), "--key",
                 File("node2.key", Text(key)), "--ca-cert", File("ca.pem", ca_pem_)}),
      0)
      << again.err();
  EXPECT_TRUE(Eventually([&] { return Serial() != first; })) << node_.agent().err();
  EXPECT_TRUE(Connected("web1"));
  EXPECT_TRUE(node_.agent().running());
  EXPECT_EQ(Serial(), node_.Serial());
}

TEST_F(OutsideTest, TheManagersOwnCertificateIsReplacedAsItRuns) {
  InitAndStart();
  const PrivateKey key = PrivateKey::Generate();
  const std::string pem = Issue(key.public_key(), Server());
  // Half of it does not fit: what was there stays.
  manager_.folder().Write("state/ca/outside-server.pem", pem);
  EXPECT_TRUE(Eventually([&] {
    return manager_.program().err().find("not the one of the certificate") != std::string::npos;
  })) << manager_.program().err();
  manager_.folder().Write("state/ca/outside-server.key", Text(key));
  EXPECT_TRUE(Eventually([&] {
    const auto shown = ParseCertificate(ReadText(manager_.state("ca/server.pem")));
    return shown.ok() && shown->key_hash == key.public_key().Hash();
  })) << manager_.program().err();
  manager_.Hostq("node add web1 --role app --address 192.0.2.11");
  ASSERT_EQ(Join("hostq://node/web1/1"), 0) << node_.agent().err();
  node_.Start();
  EXPECT_TRUE(Connected("web1")) << node_.agent().err();
  // What fits not at all is not even begun with.
  manager_.program().End(SIGTERM);
  manager_.folder().Write("state/ca/outside-server.key", Text(server_key_));
  EXPECT_FALSE(manager_.Start());
  EXPECT_THAT(manager_.program().err(), HasSubstr("not the one of the certificate"));
}

TEST_F(OutsideTest, WhatNeedsAnAuthorityOfTheManagersOwnSaysSo) {
  InitAndStart();
  manager_.Hostq("node add web1 --role app --address 192.0.2.11");
  for (const char* line :
       {"authority prepare", "authority activate", "authority retire", "authority undo",
        "node approve web1", "administrator add alice --out /tmp/hostq-never-written.pem"}) {
    const Finished run = manager_.Hostq(line);
    EXPECT_EQ(run.exit_code, 3) << line << run.err;
    EXPECT_THAT(run.err, HasSubstr("NO_BUILT_IN_AUTHORITY")) << line;
  }
  EXPECT_FALSE(std::filesystem::exists("/tmp/hostq-never-written.pem"));
  const Finished shown = manager_.Hostq("authority show");
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("come from outside"));
}

TEST_F(OutsideTest, AnEarlierIncarnationIsRefused) {
  InitAndStart();
  manager_.Hostq("node add web1 --role app --address 192.0.2.11");
  ASSERT_EQ(Join("hostq://node/web1/1"), 0) << node_.agent().err();
  node_.Start();
  ASSERT_TRUE(Connected("web1")) << node_.agent().err();
  EXPECT_EQ(node_.agent().End(SIGTERM), 0) << node_.agent().err();
  const auto rejoin = manager_.Json<v1::CreateNodeResponse>("node rejoin web1");
  EXPECT_EQ(rejoin.certificate_uri(), "hostq://node/web1/2");
  ASSERT_EQ(Join(rejoin.certificate_uri()), 0) << node_.agent().err();
  node_.Start();
  EXPECT_TRUE(Eventually([&] { return Serial() == node_.Serial(); })) << node_.agent().err();
  EXPECT_EQ(node_.agent().End(SIGTERM), 0) << node_.agent().err();
  ASSERT_EQ(Join("hostq://node/web1/1"), 0) << node_.agent().err();
  node_.Start();
  EXPECT_TRUE(Eventually([&] {
    return node_.agent().err().find("earlier incarnation") != std::string::npos;
  })) << node_.agent().err();
}

TEST_F(OutsideTest, WhatDoesNotFitIsRefusedAndLeavesNothing) {
  const std::string ca = File("ca.pem", ca_pem_);
  const std::string server = File("server.pem", server_pem_);
  const std::string key = File("server.key", Text(server_key_));
  const auto issue = [&](const std::string& name, const CertificateSpec& spec) {
    return File(name, Issue(server_key_.public_key(), spec));
  };
  ExpectRefused(ca, server, File("other.key", Text(PrivateKey::Generate())),
                "not the one of the certificate");
  CertificateSpec spec = Server();
  spec.dns_names = {"manager.example.com"};
  ExpectRefused(ca, issue("name.pem", spec), key, "does not have the DNS name hostq-manager");
  spec = Server();
  spec.use = CertificateSpec::Use::kClient;
  ExpectRefused(ca, issue("client.pem", spec), key, "the manager's certificate from outside");
  spec = Server();
  spec.not_after = absl::Now() - absl::Minutes(1);
  ExpectRefused(ca, issue("expired.pem", spec), key, "expired");
  const PrivateKey another = PrivateKey::Generate();
  ExpectRefused(File("another.pem", company_.SignAuthority(another)), server, key,
                "the manager's certificate from outside");
  ExpectRefused(server, server, key, "is no authority's");
  ExpectRefused(File("junk.pem", "junk"), server, key, "not certificates in PEM");
  ExpectRefused(ca, File("junk.pem", "junk"), key, "not a certificate in PEM");
  ExpectRefused(ca, server, File("junk.key", "junk"), "the manager's key from outside");
  ExpectRefused(ca, server, File("empty.key", ""), "empty.key is empty");
  ExpectRefused(ca, server, File("open.key", Text(server_key_), 0644), "open.key");
  EXPECT_EQ(Init(ca, server, key), 0) << manager_.program().err();
}

TEST_F(OutsideTest, AnAgentsFilesThatDoNotFitAreRefused) {
  const PrivateKey own = PrivateKey::Generate();
  const std::string ca = File("ca.pem", ca_pem_);
  const std::string key = File("node.key", Text(own));
  const std::string good = File("node.pem", Issue(own.public_key(), Node("hostq://node/web1/1")));
  const auto refused = [&](const std::string& certificate, const std::string& the_key,
                           const std::string& authority, const std::string& why) {
    EXPECT_EQ(Join(certificate, the_key, authority), 1) << why;
    EXPECT_THAT(node_.agent().err(), HasSubstr(why));
    EXPECT_FALSE(std::filesystem::exists(node_.path("identity"))) << why;
  };
  refused(good, File("other.key", Text(PrivateKey::Generate())), ca,
          "not the one of the certificate");
  refused(good, key, File("another.pem", company_.SignAuthority(PrivateKey::Generate())),
          "the node's certificate");
  CertificateSpec spec = Node("hostq://node/web1/1");
  spec.uris.clear();
  refused(File("none.pem", Issue(own.public_key(), spec)), key, ca, "exactly one URI");
  refused(File("admin.pem", Issue(own.public_key(), Node("hostq://admin/alice"))), key, ca,
          "exactly one URI");
  spec = Node("hostq://node/web1/1");
  spec.not_after = absl::Now() - absl::Minutes(1);
  refused(File("expired.pem", Issue(own.public_key(), spec)), key, ca, "expired");
  spec = Node("hostq://node/web1/1");
  spec.use = CertificateSpec::Use::kServer;
  refused(File("server.pem", Issue(own.public_key(), spec)), key, ca, "the node's certificate");
  refused(File("junk.pem", "junk"), key, ca, "the node's certificate");
  refused(good, File("junk.key", "junk"), ca, "the node's key");
  refused(good, key, File("junk.pem", "junk"), "the authority's certificate");
  refused(good, File("open.key", Text(own), 0644), ca, "open.key");
  refused(good, File("none.key", "").append("x"), ca, "none.keyx");
  // Half of it, or both ways at once.
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--certificate", good, "--key", key},
                                             {"--certificate", good, "--ca-cert", ca},
                                             {"--key", key, "--ca-cert", ca},
                                             {"--certificate", good, "--key", key, "--ca-cert", ca,
                                              "--token", "hqj_a_b", "--ca-pin", "sha256:00"},
                                             {"--token", "hqj_a_b"},
                                             {}}) {
    std::vector<std::string> all = {"--manager", manager_.agents_address()};
    all.insert(all.end(), words.begin(), words.end());
    EXPECT_EQ(node_.Join(all), 2);
    EXPECT_THAT(node_.agent().err(), HasSubstr("--certificate, --key and --ca-cert"));
  }
  EXPECT_EQ(Join(good, key, ca), 0) << node_.agent().err();
}

}  // namespace
}  // namespace hostq::manager::testing
