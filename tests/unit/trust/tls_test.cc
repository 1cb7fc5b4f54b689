// Goal: who gets through the manager's listeners, and whom an agent believes. Real gRPC on
// loopback; the peers that gRPC would not let us play are raw OpenSSL.
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/log/log.h"
#include "common/rpc/credentials.h"
#include "common/rpc/peer.h"
#include "common/rpc/pin.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "common/rpc/tls_check.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "hostq/agent/v1/enrollment.grpc.pb.h"
#include "tests/unit/trust/pki.h"
#include "tests/unit/trust/tls_peer.h"

namespace hostq {
namespace {

using agent::v1::EnrollmentService;
using agent::v1::EnrollRequest;
using agent::v1::EnrollResponse;
using ::testing::HasSubstr;

// Answers with what it knows of the caller.
class WhoAmI final : public EnrollmentService::Service {
 public:
  grpc::Status Enroll(grpc::ServerContext* context, const EnrollRequest* request,
                      EnrollResponse* response) override {
    ++calls;
    const absl::StatusOr<PeerNode> peer = PeerNodeOf(*context, absl::Now() + skew.load());
    if (!peer.ok()) return ToGrpc(peer.status());
    response->set_node(absl::StrCat(peer->name, "/", peer->incarnation, "/", peer->serial));
    response->set_manager_address(PeerAddress(context->peer()));
    response->set_certificate_pem(request->csr_pem());
    return grpc::Status::OK;
  }
  std::atomic<int> calls{0};
  std::atomic<absl::Duration> skew{absl::ZeroDuration()};
};

constexpr absl::Duration kLong = absl::Seconds(10);

class TlsTest : public testing::Test {
 protected:
  void Start(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    grpc::ServerBuilder builder;
    ConfigureServer(builder);
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    ASSERT_NE(port_, 0);
  }
  void StartMutual() {
    Start(MutualTlsServerCredentials(pki_.Issue(pki_.ServerSpec()), pki_.ca_pem()));
  }
  void TearDown() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  std::string Address() const { return absl::StrCat("127.0.0.1:", port_); }

  absl::StatusOr<EnrollResponse> Call(const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                      const std::string& address, size_t bytes = 0) {
    grpc::ChannelArguments arguments;
    ConfigureChannel(arguments);
    ApplyManagerName(arguments);
    const auto stub =
        EnrollmentService::NewStub(grpc::CreateCustomChannel(address, credentials, arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    EnrollRequest request;
    request.set_csr_pem(std::string(bytes, 'x'));
    EnrollResponse response;
    const grpc::Status status = stub->Enroll(&context, request, &response);
    if (!status.ok()) return FromGrpc(status);
    return response;
  }
  absl::StatusOr<EnrollResponse> CallAs(const TlsIdentity& identity) {
    return Call(MutualTlsChannelCredentials(identity, pki_.ca_pem()), Address());
  }
  // The connection was refused before any service saw it, and the server still serves others.
  void ExpectRefused(const absl::StatusOr<EnrollResponse>& answer) {
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable) << answer.status();
    EXPECT_EQ(service_.calls, 0);
    EXPECT_TRUE(CallAs(pki_.Issue(pki_.NodeSpec("web1"))).ok());
  }

  const TestPki pki_;
  const TestPki foreign_;
  WhoAmI service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(TlsTest, NodeOfOurAuthorityIsKnownByItsCertificate) {
  StartMutual();
  const TlsIdentity identity = pki_.Issue(pki_.NodeSpec("web1", 7));
  const auto answer = CallAs(identity);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->node(),
            absl::StrCat("web1/7/", ParseCertificate(identity.certificate_chain_pem)->serial));
  EXPECT_EQ(answer->manager_address(), "127.0.0.1");
}

TEST_F(TlsTest, NoCertificateIsRefused) {
  StartMutual();
  ExpectRefused(Call(TlsChannelCredentials(pki_.ca_pem()), Address()));
}

TEST_F(TlsTest, ForeignAuthorityIsRefused) {
  StartMutual();
  ExpectRefused(CallAs(foreign_.Issue(foreign_.NodeSpec("web1"))));
}

TEST_F(TlsTest, ExpiredAndNotYetValidAreRefused) {
  StartMutual();
  CertificateSpec spec = pki_.NodeSpec("web1");
  spec.not_after = absl::Now() - absl::Seconds(2);
  ExpectRefused(CallAs(pki_.Issue(spec)));
  service_.calls = 0;
  spec = pki_.NodeSpec("web1");
  spec.not_before = absl::Now() + absl::Minutes(30);
  ExpectRefused(CallAs(pki_.Issue(spec)));
}

TEST_F(TlsTest, AServersCertificateIsNoNodes) {
  StartMutual();
  CertificateSpec spec = pki_.NodeSpec("web1");
  spec.use = CertificateSpec::Use::kServer;
  ExpectRefused(CallAs(pki_.Issue(spec)));
}

TEST_F(TlsTest, PlaintextAndGarbageAreRefused) {
  StartMutual();
  ExpectRefused(Call(grpc::InsecureChannelCredentials(), Address()));
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'),
        std::string("\x16\x03\x01\x40\x00\x01", 6), std::string("\x16\x03\x01\xff\xff", 5)}) {
    const LoopbackSocket socket(port_);
    (void)!::send(socket.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
  }
  EXPECT_TRUE(CallAs(pki_.Issue(pki_.NodeSpec("web1"))).ok());
}

TEST_F(TlsTest, AFloodOfBadHandshakesDoesNotFloodTheLog) {
  StartMutual();
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  const absl::Duration start = SystemClock().Monotonic();
  testing::internal::CaptureStderr();
  for (int i = 0; i < 100; ++i) {
    NegotiatedVersion(port_, node, TLS1_2_VERSION, TLS1_2_VERSION);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const int64_t seconds = absl::ToInt64Seconds(SystemClock().Monotonic() - start);
  EXPECT_THAT(log, HasSubstr("warning grpc message=\"Handshake failed"));
  EXPECT_THAT(log, HasSubstr("reason=UNAUTHENTICATED"));
  // Ten for each second it touched.
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 10 * (seconds + 2));
}

TEST_F(TlsTest, ServerTakesTls13Only) {
  StartMutual();
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  EXPECT_EQ(NegotiatedVersion(port_, node, TLS1_3_VERSION, TLS1_3_VERSION), TLS1_3_VERSION);
  EXPECT_EQ(NegotiatedVersion(port_, node, TLS1_VERSION, TLS1_3_VERSION), TLS1_3_VERSION);
  EXPECT_EQ(NegotiatedVersion(port_, node, TLS1_VERSION, TLS1_2_VERSION), 0);
}

TEST_F(TlsTest, EnrollmentListenerTakesTls13Only) {
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  Start(TlsServerCredentials(pki_.Issue(pki_.ServerSpec())));
  EXPECT_EQ(NegotiatedVersion(port_, node, TLS1_3_VERSION, TLS1_3_VERSION), TLS1_3_VERSION);
  EXPECT_EQ(NegotiatedVersion(port_, node, TLS1_2_VERSION, TLS1_2_VERSION), 0);
}

TEST_F(TlsTest, ChannelTakesTls13Only) {
  const TlsIdentity server = pki_.Issue(pki_.ServerSpec());
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    std::atomic<bool> accepted{false};
    {
      const LoopbackServer peer([&](int client) {
        if (ServeTls(client, server, version)) accepted = true;
      });
      EXPECT_FALSE(Call(MutualTlsChannelCredentials(node, pki_.ca_pem()), peer.address()).ok());
    }  // joins its thread
    EXPECT_EQ(accepted, version == TLS1_3_VERSION);
  }
}

TEST_F(TlsTest, ChannelBelievesOnlyTheManagerOfItsAuthority) {
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  CertificateSpec other_name = pki_.ServerSpec();
  other_name.dns_names = {"web2"};
  other_name.ip_addresses = {"127.0.0.1"};
  CertificateSpec expired = pki_.ServerSpec();
  expired.not_after = absl::Now() - absl::Seconds(2);
  for (const TlsIdentity& wrong :
       {foreign_.Issue(foreign_.ServerSpec()), pki_.Issue(other_name), pki_.Issue(expired), node}) {
    Start(MutualTlsServerCredentials(wrong, pki_.ca_pem()));
    EXPECT_EQ(CallAs(node).status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(service_.calls, 0);
    TearDown();
  }
}

TEST_F(TlsTest, PeerNodeNeedsAnUnexpiredNodeCertificate) {
  StartMutual();
  const TlsIdentity identity = pki_.Issue(pki_.NodeSpec("web1"));
  service_.skew = absl::Hours(2);
  absl::Status status = CallAs(identity).status();
  EXPECT_EQ(ReasonOf(status), Reason::kUnauthenticated) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("certificate of node web1 is valid from"));
  service_.skew = absl::ZeroDuration();
  CertificateSpec two_names = pki_.NodeSpec("web1");
  two_names.uris.push_back("hostq://node/web2/1");
  CertificateSpec no_node = pki_.NodeSpec("web1");
  no_node.uris = {"hostq://person/anna/1"};
  CertificateSpec no_uri = pki_.NodeSpec("web1");
  no_uri.uris.clear();
  for (const CertificateSpec& spec : {two_names, no_node, no_uri}) {
    status = CallAs(pki_.Issue(spec)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  }
}

TEST_F(TlsTest, NoNodeOnAListenerWithoutClientCertificates) {
  Start(TlsServerCredentials(pki_.Issue(pki_.ServerSpec())));
  // Also if the client has one: nobody asked for it, nobody checked it.
  for (const auto& credentials :
       {TlsChannelCredentials(pki_.ca_pem()),
        MutualTlsChannelCredentials(pki_.Issue(pki_.NodeSpec("web1")), pki_.ca_pem())}) {
    const absl::Status status = Call(credentials, Address()).status();
    EXPECT_EQ(ReasonOf(status), Reason::kUnauthenticated) << status;
  }
}

TEST_F(TlsTest, MessagesHaveALimit) {
  StartMutual();
  const auto credentials =
      MutualTlsChannelCredentials(pki_.Issue(pki_.NodeSpec("web1")), pki_.ca_pem());
  EXPECT_TRUE(Call(credentials, Address(), kMaxMessageBytes - 1024).ok());
  EXPECT_EQ(Call(credentials, Address(), kMaxMessageBytes + 1).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(TlsTest, TwoServersDoNotShareAPort) {
  StartMutual();
  grpc::ServerBuilder builder;
  ConfigureServer(builder);
  int port = 0;
  builder.AddListeningPort(
      Address(), MutualTlsServerCredentials(pki_.Issue(pki_.ServerSpec()), pki_.ca_pem()), &port);
  WhoAmI service;
  builder.RegisterService(&service);
  EXPECT_EQ(builder.BuildAndStart(), nullptr);
}

TEST_F(TlsTest, PinGetsTheAuthorityFromEitherListener) {
  StartMutual();
  const auto mutual = FetchCaByPin(Address(), pki_.pin(), absl::Seconds(10));
  ASSERT_TRUE(mutual.ok()) << mutual.status();
  EXPECT_EQ(*mutual, pki_.ca_pem());
  TearDown();
  Start(TlsServerCredentials(pki_.Issue(pki_.ServerSpec())));
  const auto open = FetchCaByPin(absl::StrCat("localhost:", port_), pki_.pin(), absl::Seconds(10));
  ASSERT_TRUE(open.ok()) << open.status();
  EXPECT_EQ(*open, pki_.ca_pem());
}

TEST_F(TlsTest, PinTrustsNothingElse) {
  CertificateSpec other_name = pki_.ServerSpec();
  other_name.dns_names = {"web2"};
  CertificateSpec expired = pki_.ServerSpec();
  expired.not_after = absl::Now() - absl::Seconds(2);
  TlsIdentity leaf_only = pki_.Issue(pki_.ServerSpec());
  leaf_only.certificate_chain_pem.resize(leaf_only.certificate_chain_pem.find(pki_.ca_pem()));
  // The pinned authority is public: whoever sits between can show it beside a certificate of
  // theirs.
  TlsIdentity forged = foreign_.Issue(foreign_.ServerSpec());
  forged.certificate_chain_pem += pki_.ca_pem();
  const struct {
    TlsIdentity identity;
    const char* why;
  } wrong[] = {{foreign_.Issue(foreign_.ServerSpec()), "not the pinned authority"},
               {leaf_only, "shown none"},
               {forged, "certificate refused"},
               {pki_.Issue(other_name), "not a manager's"},
               {pki_.Issue(expired), "expired"},
               {pki_.Issue(pki_.NodeSpec("web1")), "purpose"}};
  for (const auto& one : wrong) {
    const LoopbackServer peer([&](int client) { ServeTls(client, one.identity, TLS1_3_VERSION); });
    const absl::Status status =
        FetchCaByPin(peer.address(), pki_.pin(), absl::Seconds(10)).status();
    EXPECT_EQ(ReasonOf(status), Reason::kUnauthenticated) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(one.why));
  }
}

TEST_F(TlsTest, PinSurvivesBadServers) {
  const TlsIdentity server = pki_.Issue(pki_.ServerSpec());
  const auto fetch = [&](const std::function<void(int)>& serve, absl::Duration timeout) {
    const LoopbackServer peer(serve);
    return FetchCaByPin(peer.address(), pki_.pin(), timeout).status().code();
  };
  EXPECT_EQ(fetch([&](int client) { ServeTls(client, server, TLS1_2_VERSION); }, absl::Seconds(10)),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(fetch([](int) {}, absl::Seconds(10)), absl::StatusCode::kUnavailable);
  EXPECT_EQ(fetch(
                [](int client) {
                  (void)!::send(client, "220 mail ESMTP\r\n", 16, MSG_NOSIGNAL);
                  char byte = 0;
                  (void)!::recv(client, &byte, 1, 0);
                },
                absl::Seconds(10)),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(fetch(
                [](int client) {  // says nothing until the other side goes
                  char bytes[4096];
                  while (::recv(client, bytes, sizeof(bytes), 0) > 0) {
                  }
                },
                absl::Milliseconds(200)),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(TlsTest, CheckFindsNothingWhereCallsGetThrough) {
  StartMutual();
  EXPECT_EQ(CheckTls(Address(), pki_.Issue(pki_.NodeSpec("web1")), pki_.ca_pem(), kLong),
            absl::OkStatus());
  TearDown();
  Start(TlsServerCredentials(pki_.Issue(pki_.ServerSpec())));
  EXPECT_EQ(CheckTls(Address(), {}, pki_.ca_pem(), kLong), absl::OkStatus());
}

TEST_F(TlsTest, CheckSaysWhichCertificateIsNotTaken) {
  StartMutual();
  CertificateSpec expired = pki_.NodeSpec("web1");
  expired.not_after = absl::Now() - absl::Seconds(2);
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  const TlsIdentity foreign = foreign_.Issue(foreign_.NodeSpec("web1"));
  const struct {
    TlsIdentity identity;
    std::string ca_pem;
    std::string why;
    std::string remedy;
  } wrong[] = {
      {foreign, pki_.ca_pem(),
       "it is the manager, but it does not take the certificate of this node",
       "join the node again"},
      {pki_.Issue(expired), pki_.ca_pem(), "does not take the certificate", "compare the clocks"},
      {{}, pki_.ca_pem(), "it is the manager, but it wants a certificate", "listen.enrollment"},
      {node, foreign_.ca_pem(), "it shows a certificate that is not a manager's of this cluster",
       "join the node again"},
  };
  for (const auto& one : wrong) {
    const absl::Status status = CheckTls(Address(), one.identity, one.ca_pem, kLong);
    EXPECT_EQ(ReasonOf(status), Reason::kUnauthenticated) << status;
    EXPECT_THAT(
        std::string(status.message()),
        testing::AllOf(testing::StartsWith("manager at " + Address() + ": "), HasSubstr(one.why)));
    EXPECT_THAT(RemedyOf(status), HasSubstr(one.remedy));
  }
  const absl::Status status = CheckTls(Address(), foreign, pki_.ca_pem(), kLong);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(ParseCertificate(foreign.certificate_chain_pem)->serial));
}

TEST_F(TlsTest, CheckTellsManagersFromOtherServers) {
  CertificateSpec other_name = pki_.ServerSpec();
  other_name.dns_names = {"web2"};
  const TlsIdentity node = pki_.Issue(pki_.NodeSpec("web1"));
  for (const TlsIdentity& server :
       {pki_.Issue(other_name), node, foreign_.Issue(foreign_.ServerSpec())}) {
    const LoopbackServer peer([&](int client) { ServeTls(client, server, TLS1_3_VERSION); });
    const absl::Status status = CheckTls(peer.address(), node, pki_.ca_pem(), kLong);
    EXPECT_EQ(ReasonOf(status), Reason::kUnauthenticated) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("not a manager's of this cluster"));
  }
  const auto check = [&](const std::function<void(int)>& serve, absl::Duration timeout) {
    const LoopbackServer peer(serve);
    return CheckTls(peer.address(), node, pki_.ca_pem(), timeout).code();
  };
  EXPECT_EQ(check([](int) {}, kLong), absl::StatusCode::kUnavailable);
  EXPECT_EQ(check([](int) { absl::SleepFor(absl::Milliseconds(300)); }, absl::Milliseconds(100)),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(CheckTls("127.0.0.1:1", node, pki_.ca_pem(), kLong).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(CheckTls("nowhere", node, pki_.ca_pem(), kLong).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckTls("127.0.0.1:1", {node.certificate_chain_pem, PrivateKey::Generate().ToPem()},
                     pki_.ca_pem(), kLong)
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PinTest, BadArguments) {
  const std::string pin = TestPki().pin();
  for (const char* address : {"", "host", ":7444", "host:", "host:0", "host:65536", "::1:7444",
                              "[::1:7444", "host:port"}) {
    EXPECT_EQ(FetchCaByPin(address, pin, absl::Seconds(1)).status().code(),
              absl::StatusCode::kInvalidArgument)
        << address;
  }
  for (const std::string& bad : {std::string(), std::string("sha256:"), pin.substr(7), pin + "0",
                                 absl::StrCat("sha1:", pin.substr(7))}) {
    EXPECT_EQ(FetchCaByPin("127.0.0.1:1", bad, absl::Seconds(1)).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bad;
  }
  EXPECT_EQ(FetchCaByPin("127.0.0.1:1", pin, absl::Seconds(5)).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hostq

int main(int argc, char** argv) {
  hostq::InitLog("trust_tls_test", hostq::LogLevel::kInfo);
  hostq::RouteGrpcLog();
  hostq::RequireTls13();
  // The raw peers above write to sockets that others close.
  ::signal(SIGPIPE, SIG_IGN);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
