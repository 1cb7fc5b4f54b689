// Goal: what is sent to receivers and what is heard from them: answers, redirects, slow ones, TLS,
// and addresses that are refused. Method: the real client, and receivers on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/mutex.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "manager/webhook/http_client.h"
#include "receiver.h"

namespace hostq::manager::testing {
namespace {

using ::testing::HasSubstr;

AddressRules Rules(bool loopback = true) {
  std::vector<AddressRange> allow;
  if (loopback) allow.push_back(*AddressRange::Parse("127.0.0.0/8"));
  return AddressRules(std::move(allow), [] { return std::vector<std::string>(); });
}

// An exchange that can be waited for.
class Exchange {
 public:
  Exchange(HttpClient& client, const std::string& url, const std::string& body = "{}") {
    HttpClient::Request request;
    request.url = *ParseUrl(url);
    request.body = body;
    request.headers = {{"content-type", "application/json"}, {"hostq-delivery", "one"}};
    client.Post(std::move(request), [state = state_](absl::StatusOr<HttpClient::Answer> answer) {
      const MutexLock lock(state->mutex);
      state->answer = std::make_unique<absl::StatusOr<HttpClient::Answer>>(std::move(answer));
      state->wake.NotifyAll();
    });
  }
  bool done() const {
    const MutexLock lock(state_->mutex);
    return state_->answer != nullptr;
  }
  absl::StatusOr<HttpClient::Answer> Wait() const {
    const MutexLock lock(state_->mutex);
    for (int i = 0; i < 200 && state_->answer == nullptr; ++i) {
      state_->wake.WaitFor(state_->mutex, std::chrono::milliseconds(100));
    }
    if (state_->answer == nullptr) return absl::InternalError("the test waits no longer");
    return *state_->answer;
  }

 private:
  struct State {
    Mutex mutex;
    CondVar wake;
    std::unique_ptr<absl::StatusOr<HttpClient::Answer>> answer ABSL_GUARDED_BY(mutex);
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Goes with the test.
struct File {
  File(const std::string& name, const std::string& text)
      : path(absl::StrCat(::testing::TempDir(), "hostq-", getpid(), "-", name)) {
    std::ofstream(path) << text;
  }
  ~File() { unlink(path.c_str()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const std::string path;
};

std::unique_ptr<HttpClient> Client(const HttpClient::Options& options = {}, bool loopback = true) {
  auto client = HttpClient::Start(Rules(loopback), options);
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

TEST(HttpClientTest, SendsTheBodyAndHearsTheAnswer) {
  Receiver receiver;
  receiver.SetReply([](const auto&) { return Receiver::Answer(202, "thank you"); });
  const auto client = Client();
  const auto answer = Exchange(*client, receiver.url("/a/b?c=d"), "{\"a\":1}").Wait();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(answer->body, "thank you");
  const auto request = receiver.requests().at(0);
  EXPECT_EQ(request.target, "/a/b?c=d");
  EXPECT_EQ(request.body, "{\"a\":1}");
  EXPECT_EQ(request.headers.at("content-type"), "application/json");
  EXPECT_EQ(request.headers.at("content-length"), "7");
  EXPECT_EQ("http://" + request.headers.at("host") + "/in", receiver.url());
}

TEST(HttpClientTest, DoesNotFollowRedirects) {
  Receiver other;
  Receiver receiver;
  receiver.SetReply([&](const auto&) {
    return absl::StrCat("HTTP/1.1 302 Found\r\nLocation: ", other.url(),
                        "\r\nContent-Length: 0\r\n\r\n");
  });
  const auto client = Client();
  const auto answer = Exchange(*client, receiver.url()).Wait();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 302);
  EXPECT_FALSE(answer->ok());
  EXPECT_EQ(other.connections(), 0);
}

TEST(HttpClientTest, ReadsNoMoreThanItWantsToKnow) {
  Receiver receiver;
  const auto client = Client();
  for (const bool length : {true, false}) {
    receiver.SetReply([length](const auto&) {
      const std::string body(1 << 20, 'x');
      return length ? Receiver::Answer(200, body)
                    : absl::StrCat("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body);
    });
    const auto answer = Exchange(*client, receiver.url()).Wait();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status, 200);
    EXPECT_LE(answer->body.size(), 4096u);
  }
  receiver.SetReply([](const auto&) {
    return absl::StrCat("HTTP/1.1 200 OK\r\nx: ", std::string(1 << 20, 'x'), "\r\n\r\n");
  });
  EXPECT_FALSE(Exchange(*client, receiver.url()).Wait().ok());
  receiver.SetReply([](const auto&) { return std::string("220 mail.example ESMTP\r\n"); });
  EXPECT_FALSE(Exchange(*client, receiver.url()).Wait().ok());
}

TEST(HttpClientTest, ASlowReceiverHoldsUpNobodyAndIsGivenUp) {
  Receiver slow;
  slow.SetReply([](const auto&) { return std::string(); });
  Receiver quick;
  HttpClient::Options options;
  options.timeout = absl::Seconds(3);
  const auto client = Client(options);
  std::vector<std::unique_ptr<Exchange>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(std::make_unique<Exchange>(*client, slow.url()));
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(Exchange(*client, quick.url()).Wait().ok());
  }
  for (const auto& each : waiting) {
    const absl::Status status = each->Wait().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("waiting for the answer"));
  }
}

TEST(HttpClientTest, RefusedAddressesAreNotConnectedTo) {
  Receiver receiver;
  const auto client = Client({}, /*loopback=*/false);
  // Also by a name that is looked up to such an address.
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    const absl::Status status = Exchange(*client, receiver.url("/in", host)).Wait().status();
    EXPECT_EQ(ReasonOf(status), Reason::kWebhookAddressRefused) << status;
  }
  EXPECT_EQ(receiver.connections(), 0);
}

TEST(HttpClientTest, SaysWhyNobodyAnswers) {
  const auto client = Client();
  const absl::Status gone =
      Exchange(*client, "http://127.0.0.1:1/").Wait().status();  // nobody is there
  EXPECT_THAT(std::string(gone.message()),
              HasSubstr("connecting to 127.0.0.1: Connection refused"));
  const absl::Status unknown = Exchange(*client, "http://no-such-host.invalid/").Wait().status();
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("cannot look up no-such-host.invalid"));
}

TEST(HttpClientTest, VerifiesTheReceiverByAuthorityAndName) {
  // A certificate of 127.0.0.1 and of nothing else, of an authority that the system does not know.
  const PrivateKey ca_key = PrivateKey::Generate();
  const absl::Time now = absl::Now();
  const std::string ca =
      *MakeAuthorityCertificate(ca_key, "Receivers", now - absl::Hours(1), now + absl::Hours(1));
  const PrivateKey key = PrivateKey::Generate();
  CertificateSpec spec;
  spec.use = CertificateSpec::Use::kServer;
  spec.common_name = "receiver";
  spec.ip_addresses = {"127.0.0.1"};
  spec.not_before = now - absl::Hours(1);
  spec.not_after = now + absl::Hours(1);
  const auto certificate = IssueCertificate(ca, ca_key, key.public_key(), spec);
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  const File identity("receiver.pem", absl::StrCat(*certificate, key.ToPem().Reveal()));
  const File authority_file("ca.pem", ca);
  Receiver receiver(identity.path);
  HttpClient::Options options;
  options.ca_cert = authority_file.path;
  const auto client = Client(options);
  const auto answer = Exchange(*client, receiver.url()).Wait();
  EXPECT_TRUE(answer.ok()) << answer.status();
  // Another name.
  const absl::Status name = Exchange(*client, receiver.url("/in", "localhost")).Wait().status();
  EXPECT_THAT(std::string(name.message()), HasSubstr("certificate is not accepted")) << name;
  // The system's authorities do not know it.
  const auto strict = Client();
  const absl::Status authority = Exchange(*strict, receiver.url()).Wait().status();
  EXPECT_THAT(std::string(authority.message()), HasSubstr("certificate is not accepted"));
  EXPECT_EQ(receiver.count(), 1u);
  // No TLS at all.
  Receiver plain;
  const std::string url = absl::StrCat("https://", plain.url().substr(7));
  EXPECT_THAT(std::string(Exchange(*client, url).Wait().status().message()),
              HasSubstr("TLS handshake"));
}

TEST(HttpClientTest, AuthoritiesThatCannotBeReadAreAnError) {
  HttpClient::Options options;
  options.ca_cert = "/nonexistent.pem";
  const auto client = HttpClient::Start(Rules(), options);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("webhooks.ca_cert"));
}

TEST(HttpClientTest, StopsInTheMiddle) {
  Receiver slow;
  slow.SetReply([](const auto&) { return std::string(); });
  auto client = Client();
  Exchange first(*client, slow.url());
  for (int i = 0; i < 1000 && slow.count() == 0; ++i) absl::SleepFor(absl::Milliseconds(20));
  client->Stop();
  client.reset();
  EXPECT_FALSE(first.done());
}

}  // namespace
}  // namespace hostq::manager::testing
