// Goal: a listener follows the files with its key and the authorities that it trusts, without a
// restart, and is as strict as one whose certificates never change.
#include <chrono>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "common/crypto/secret_file.h"
#include "common/rpc/credentials.h"
#include "common/rpc/peer.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "hostq/agent/v1/enrollment.grpc.pb.h"
#include "tests/unit/trust/company_pki.h"
#include "tests/unit/trust/pki.h"
#include "tests/unit/trust/temporary_folder.h"
#include "tests/unit/trust/tls_peer.h"

namespace hostq {
namespace {

using agent::v1::EnrollmentService;
using agent::v1::EnrollRequest;
using agent::v1::EnrollResponse;

class WhoAmI final : public EnrollmentService::Service {
 public:
  grpc::Status Enroll(grpc::ServerContext* context, const EnrollRequest*,
                      EnrollResponse* response) override {
    const absl::StatusOr<PeerNode> peer = PeerNodeOf(*context);
    response->set_node(peer.ok() ? absl::StrCat(peer->name, "/", peer->incarnation)
                                 : std::string(peer.status().message()));
    return grpc::Status::OK;
  }
};

class WatchedCredentialsTest : public testing::Test {
 protected:
  WatchedCredentialsTest()
      : files_{folder_.path() + "/server.pem", folder_.path() + "/trusted.pem"} {
    Show(pki_.Issue(pki_.ServerSpec()));
    Trust(pki_.ca_pem());
  }
  ~WatchedCredentialsTest() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  void Show(const TlsIdentity& identity) {
    ASSERT_TRUE(WriteFileDurably(
                    files_.identity,
                    absl::StrCat(identity.private_key_pem.Reveal(), identity.certificate_chain_pem),
                    0600, IfExists::kReplace)
                    .ok());
  }
  void Trust(const std::string& pem) {
    ASSERT_TRUE(WriteFileDurably(files_.trusted, pem, 0644, IfExists::kReplace).ok());
  }
  void Start(ClientCertificate wanted) {
    grpc::ServerBuilder builder;
    ConfigureServer(builder);
    builder.AddListeningPort("127.0.0.1:0", WatchedServerCredentials(files_, wanted), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  // Who the server says we are.
  absl::StatusOr<std::string> Call(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    ConfigureChannel(arguments);
    ApplyManagerName(arguments);
    const auto stub = EnrollmentService::NewStub(
        grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port_), credentials, arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    EnrollResponse response;
    const grpc::Status status = stub->Enroll(&context, EnrollRequest(), &response);
    if (!status.ok()) return FromGrpc(status);
    return response.node();
  }
  absl::StatusOr<std::string> CallAs(const TlsIdentity& identity, const std::string& ca_pem) {
    return Call(MutualTlsChannelCredentials(identity, ca_pem));
  }
  // The files are read once a second.
  bool Eventually(const std::function<bool()>& done) {
    for (int i = 0; i < 200 && !done(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return done();
  }

  const TestPki pki_;
  const TestPki next_;
  const TemporaryFolder folder_;
  const WatchedFiles files_;
  WhoAmI service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(WatchedCredentialsTest, KnowsTheNodeAndRefusesOthers) {
  Start(ClientCertificate::kRequired);
  const auto answer = CallAs(pki_.Issue(pki_.NodeSpec("web1", 7)), pki_.ca_pem());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "web1/7");
  EXPECT_TRUE(
      absl::IsUnavailable(CallAs(next_.Issue(next_.NodeSpec("web1")), pki_.ca_pem()).status()));
  EXPECT_TRUE(absl::IsUnavailable(Call(TlsChannelCredentials(pki_.ca_pem())).status()));
  CertificateSpec expired = pki_.NodeSpec("web1");
  expired.not_after = absl::Now() - absl::Seconds(2);
  EXPECT_TRUE(absl::IsUnavailable(CallAs(pki_.Issue(expired), pki_.ca_pem()).status()));
  EXPECT_TRUE(absl::IsUnavailable(CallAs(pki_.Issue(pki_.ServerSpec()), pki_.ca_pem()).status()));
}

TEST_F(WatchedCredentialsTest, Tls13Only) {
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  for (const ClientCertificate wanted :
       {ClientCertificate::kNone, ClientCertificate::kOptional, ClientCertificate::kRequired}) {
    Start(wanted);
    EXPECT_EQ(NegotiatedVersion(port_, node, TLS1_VERSION, TLS1_3_VERSION), TLS1_3_VERSION);
    EXPECT_EQ(NegotiatedVersion(port_, node, TLS1_VERSION, TLS1_2_VERSION), 0);
    server_->Shutdown(std::chrono::system_clock::now());
  }
}

TEST_F(WatchedCredentialsTest, CertificateIsOptionalButVerified) {
  Start(ClientCertificate::kOptional);
  const auto none = Call(TlsChannelCredentials(pki_.ca_pem()));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(*none, "no client certificate");
  EXPECT_EQ(*CallAs(pki_.Issue(pki_.NodeSpec("web1")), pki_.ca_pem()), "web1/1");
  EXPECT_FALSE(CallAs(next_.Issue(next_.NodeSpec("web1")), pki_.ca_pem()).ok());
}

TEST_F(WatchedCredentialsTest, NoneIsAsked) {
  Start(ClientCertificate::kNone);
  EXPECT_EQ(*Call(TlsChannelCredentials(pki_.ca_pem())), "no client certificate");
}

TEST_F(WatchedCredentialsTest, FollowsTheAuthorities) {
  Start(ClientCertificate::kRequired);
  const TlsIdentity of_next = next_.Issue(next_.NodeSpec("web1", 2));
  const TlsIdentity of_old = pki_.Issue(pki_.NodeSpec("web1", 1));
  EXPECT_FALSE(CallAs(of_next, pki_.ca_pem()).ok());
  Trust(absl::StrCat(pki_.ca_pem(), next_.ca_pem()));
  EXPECT_TRUE(Eventually([&] { return CallAs(of_next, pki_.ca_pem()).ok(); }));
  EXPECT_TRUE(CallAs(of_old, pki_.ca_pem()).ok());
  Trust(next_.ca_pem());
  EXPECT_TRUE(Eventually([&] { return !CallAs(of_old, pki_.ca_pem()).ok(); }));
  EXPECT_TRUE(CallAs(of_next, pki_.ca_pem()).ok());
}

TEST_F(WatchedCredentialsTest, FollowsItsOwnCertificate) {
  Start(ClientCertificate::kRequired);
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  EXPECT_FALSE(CallAs(node, next_.ca_pem()).ok());
  Show(next_.Issue(next_.ServerSpec()));
  EXPECT_TRUE(Eventually([&] { return CallAs(node, next_.ca_pem()).ok(); }));
  // With rubbish nobody gets in, until there is something that fits.
  Trust("nonsense");
  Show({"nonsense", SecretString("nonsense")});
  EXPECT_TRUE(Eventually([&] { return !CallAs(node, next_.ca_pem()).ok(); }));
  Trust(pki_.ca_pem());
  Show(pki_.Issue(pki_.ServerSpec()));
  EXPECT_TRUE(Eventually([&] { return CallAs(node, pki_.ca_pem()).ok(); }));
}

TEST_F(WatchedCredentialsTest, AuthoritySignedByACompanysIsAnAnchor) {
  const CompanyPki company;
  const PrivateKey key = PrivateKey::Generate();
  const std::string ca_pem = company.SignAuthority(key);
  const auto issue = [&](const CertificateSpec& spec) {
    const PrivateKey own = PrivateKey::Generate();
    const auto pem = IssueCertificate(ca_pem, key, own.public_key(), spec);
    EXPECT_TRUE(pem.ok()) << pem.status();
    return TlsIdentity{absl::StrCat(*pem, ca_pem), own.ToPem()};
  };
  Show(issue(pki_.ServerSpec()));
  Trust(ca_pem);
  Start(ClientCertificate::kRequired);
  const auto answer = CallAs(issue(pki_.NodeSpec("web1")), ca_pem);
  EXPECT_TRUE(answer.ok()) << answer.status();
  // What the company's root signs elsewhere is nothing here.
  const PrivateKey other_key = PrivateKey::Generate();
  const std::string other = company.SignAuthority(other_key);
  const PrivateKey own = PrivateKey::Generate();
  const auto pem = IssueCertificate(other, other_key, own.public_key(), pki_.NodeSpec("web1"));
  EXPECT_FALSE(CallAs({absl::StrCat(*pem, other), own.ToPem()}, ca_pem).ok());
}

}  // namespace
}  // namespace hostq
