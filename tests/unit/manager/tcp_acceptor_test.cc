#include "manager/tcp_acceptor.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/mutex.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// Eventually, whatever else the machine does.
bool Eventually(const std::function<bool()>& done) {
  const absl::Duration until = SystemClock().Monotonic() + kPatience;
  while (!done()) {
    if (SystemClock().Monotonic() > until) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

class TcpAcceptorTest : public ::testing::Test {
 protected:
  ~TcpAcceptorTest() override {
    if (acceptor_ != nullptr) acceptor_->Stop();
    for (const int fd : clients_) close(fd);
    for (const int fd : delivered_) close(fd);
  }

  void Start(const TcpAcceptor::Limits& limits) {
    // A port that was free a moment ago.
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    socklen_t size = sizeof(address);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    close(fd);
    port_ = ntohs(address.sin_port);
    auto acceptor = TcpAcceptor::Listen("127.0.0.1", port_, limits, SystemClock());
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
    acceptor_->Start([this](int accepted) {
      const MutexLock lock(mutex_);
      delivered_.push_back(accepted);
    });
  }
  int Connect(const char* source = "127.0.0.1") {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    inet_pton(AF_INET, source, &from.sin_addr);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof(from)), 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port_);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    clients_.push_back(fd);
    return fd;
  }
  // Whether the manager ends this connection: at once, or for `patience` not.
  static bool IsEnded(int fd, absl::Duration patience = kPatience) {
    pollfd waiting = {fd, POLLIN | POLLRDHUP, 0};
    if (poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(patience))) <= 0) return false;
    char byte = 0;
    return recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
  }
  size_t delivered() {
    const MutexLock lock(mutex_);
    return delivered_.size();
  }
  // As gRPC does when a connection ends.
  void CloseDelivered(size_t index) {
    const MutexLock lock(mutex_);
    close(delivered_[index]);
    delivered_.erase(delivered_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  static TcpAcceptor::Limits Generous() {
    TcpAcceptor::Limits limits;
    limits.rate.burst = 1000;
    limits.rate.per_second = 1000;
    return limits;
  }

  uint16_t port_ = 0;
  std::unique_ptr<TcpAcceptor> acceptor_;
  std::vector<int> clients_;
  Mutex mutex_;
  std::vector<int> delivered_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(TcpAcceptorTest, DeliversWhatComes) {
  Start(Generous());
  for (int i = 0; i < 3; ++i) Connect();
  EXPECT_TRUE(Eventually([&] { return delivered() == 3; }));
}

TEST_F(TcpAcceptorTest, OneSourceCannotTakeAll) {
  TcpAcceptor::Limits limits = Generous();
  limits.connections_per_source = 2;
  Start(limits);
  Connect();
  Connect();
  EXPECT_TRUE(IsEnded(Connect()));
  Connect("127.0.0.2");
  EXPECT_TRUE(Eventually([&] { return delivered() == 3; }));
  // Room again when one of them has ended.
  CloseDelivered(0);
  EXPECT_TRUE(Eventually([&] {
    const size_t before = delivered();
    Connect();
    return Eventually([&] {
             return delivered() > before || IsEnded(clients_.back(), absl::Milliseconds(5));
           }) &&
           delivered() > before;
  }));
}

TEST_F(TcpAcceptorTest, AllTogetherHaveALimitToo) {
  TcpAcceptor::Limits limits = Generous();
  limits.connections = 2;
  Start(limits);
  Connect("127.0.0.2");
  Connect("127.0.0.3");
  EXPECT_TRUE(IsEnded(Connect("127.0.0.4")));
  EXPECT_EQ(delivered(), 2u);
}

TEST_F(TcpAcceptorTest, ComingTooOftenIsRefused) {
  TcpAcceptor::Limits limits = Generous();
  limits.rate.burst = 2;
  limits.rate.per_second = 0.001;
  Start(limits);
  Connect();
  Connect();
  EXPECT_TRUE(IsEnded(Connect()));
  Connect("127.0.0.2");
  EXPECT_TRUE(Eventually([&] { return delivered() == 3; }));
}

// The number of a descriptor that was closed is another connection's soon: not that one is ended.
TEST_F(TcpAcceptorTest, WhoSendsTooMuchIsEndedAndNobodyElse) {
  TcpAcceptor::Limits limits = Generous();
  limits.bytes = 10'000;
  Start(limits);
  const int gone = Connect();
  ASSERT_TRUE(Eventually([&] { return delivered() == 1; }));
  CloseDelivered(0);
  EXPECT_TRUE(IsEnded(gone));
  const int quiet = Connect();
  const int loud = Connect();
  ASSERT_TRUE(Eventually([&] { return delivered() == 2; }));
  const std::string data(20'000, 'x');
  EXPECT_EQ(send(loud, data.data(), data.size(), MSG_NOSIGNAL), 20'000);
  EXPECT_TRUE(IsEnded(loud));
  EXPECT_FALSE(IsEnded(quiet, absl::Milliseconds(1)));
}

// Whoever has one connection finds room while somebody else holds all the others and says nothing.
TEST_F(TcpAcceptorTest, SilentConnectionsOfWhoHasMostMakeRoom) {
  TcpAcceptor::Limits limits = Generous();
  limits.connections = 8;
  limits.silent_bytes = 100;
  Start(limits);
  const int other = Connect("127.0.0.3");
  ASSERT_TRUE(Eventually([&] { return delivered() == 1; }));
  std::vector<int> crowd;
  for (size_t i = 0; i < 7; ++i) {
    crowd.push_back(Connect("127.0.0.2"));
    ASSERT_TRUE(Eventually([&] { return delivered() == i + 2; }));
  }
  const int late = Connect("127.0.0.4");
  EXPECT_TRUE(Eventually([&] { return delivered() == 9; }));
  // The oldest of the crowd.
  EXPECT_TRUE(IsEnded(crowd.front()));
  EXPECT_FALSE(IsEnded(crowd.back(), absl::Milliseconds(1)));
  EXPECT_FALSE(IsEnded(other, absl::Milliseconds(1)));
  EXPECT_FALSE(IsEnded(late, absl::Milliseconds(1)));
}

TEST_F(TcpAcceptorTest, IsHandedOnWhenItsFirstByteHasCome) {
  TcpAcceptor::Limits limits = Generous();
  limits.first_byte = absl::Minutes(1);
  Start(limits);
  Connect();
  const int speaks = Connect();
  const int leaves = Connect();
  EXPECT_EQ(send(speaks, "h", 1, MSG_NOSIGNAL), 1);
  shutdown(leaves, SHUT_WR);
  EXPECT_TRUE(Eventually([&] { return delivered() == 1; }));
  EXPECT_TRUE(IsEnded(leaves));
  EXPECT_FALSE(IsEnded(speaks, absl::Milliseconds(1)));
  EXPECT_EQ(delivered(), 1u);
}

TEST_F(TcpAcceptorTest, WhoSaysNothingIsEnded) {
  TcpAcceptor::Limits limits = Generous();
  limits.first_byte = absl::Milliseconds(1);
  Start(limits);
  EXPECT_TRUE(IsEnded(Connect()));
  EXPECT_EQ(delivered(), 0u);
}

TEST_F(TcpAcceptorTest, WhatIsHeldMakesRoomAtOnceAndGoesWithTheAcceptor) {
  TcpAcceptor::Limits limits = Generous();
  limits.connections = 4;
  limits.silent_bytes = 100;
  limits.first_byte = absl::Minutes(1);
  Start(limits);
  for (int i = 0; i < 50; ++i) Connect("127.0.0.2");
  const int other = Connect("127.0.0.3");
  EXPECT_EQ(send(other, "h", 1, MSG_NOSIGNAL), 1);
  EXPECT_TRUE(Eventually([&] { return delivered() == 1; }));
  EXPECT_TRUE(IsEnded(clients_.front()));
  acceptor_->Stop();
  EXPECT_TRUE(IsEnded(clients_[clients_.size() - 2]));
  EXPECT_FALSE(IsEnded(other, absl::Milliseconds(1)));
}

TEST_F(TcpAcceptorTest, WhoHasSpokenMakesNoRoom) {
  TcpAcceptor::Limits limits = Generous();
  limits.connections = 4;
  limits.silent_bytes = 100;
  Start(limits);
  const std::string hello(100, 'h');
  std::vector<int> speakers;
  for (size_t i = 0; i < 4; ++i) {
    speakers.push_back(Connect("127.0.0.2"));
    EXPECT_EQ(send(speakers.back(), hello.data(), hello.size(), MSG_NOSIGNAL), 100);
    ASSERT_TRUE(Eventually([&] { return delivered() == i + 1; }));
  }
  EXPECT_TRUE(IsEnded(Connect("127.0.0.3")));
  for (const int fd : speakers) EXPECT_FALSE(IsEnded(fd, absl::Milliseconds(1)));
}

TEST_F(TcpAcceptorTest, OfTwoThatSayNothingTheOneThatBeganToSpeakStays) {
  TcpAcceptor::Limits limits = Generous();
  limits.connections = 2;
  limits.silent_bytes = 100;
  Start(limits);
  const int begun = Connect("127.0.0.2");
  EXPECT_EQ(send(begun, "hello", 5, MSG_NOSIGNAL), 5);
  ASSERT_TRUE(Eventually([&] { return delivered() == 1; }));
  const int silent = Connect("127.0.0.3");
  ASSERT_TRUE(Eventually([&] { return delivered() == 2; }));
  Connect("127.0.0.4");
  EXPECT_TRUE(Eventually([&] { return delivered() == 3; }));
  EXPECT_TRUE(IsEnded(silent));
  EXPECT_FALSE(IsEnded(begun, absl::Milliseconds(1)));
}

// Ended is not closed: gRPC, which closes them, may be late, and must not be given more and more.
TEST_F(TcpAcceptorTest, WhatIsNotClosedYetIsBoundedToo) {
  TcpAcceptor::Limits limits = Generous();
  limits.connections = 4;
  limits.silent_bytes = 100;
  Start(limits);
  for (int i = 0; i < 50; ++i) Connect("127.0.0.2");
  EXPECT_TRUE(IsEnded(clients_.back()));
  EXPECT_LE(delivered(), 8u);
}

TEST_F(TcpAcceptorTest, StrangersMayNotSendMuchAndWhoIsKnownMay) {
  TcpAcceptor::Limits limits = Generous();
  limits.stranger_bytes = 10'000;
  Start(limits);
  const int known = Connect();
  const int stranger = Connect();
  ASSERT_TRUE(Eventually([&] { return delivered() == 2; }));
  sockaddr_in own{};
  socklen_t size = sizeof(own);
  ASSERT_EQ(getsockname(known, reinterpret_cast<sockaddr*>(&own), &size), 0);
  acceptor_->Know("127.0.0.1:" + std::to_string(ntohs(own.sin_port)));
  acceptor_->Know("127.0.0.1:1");  // nobody
  const std::string data(20'000, 'x');
  EXPECT_EQ(send(known, data.data(), data.size(), MSG_NOSIGNAL), 20'000);
  EXPECT_EQ(send(stranger, data.data(), data.size(), MSG_NOSIGNAL), 20'000);
  EXPECT_TRUE(IsEnded(stranger));
  EXPECT_FALSE(IsEnded(known, absl::Milliseconds(1)));
}

TEST_F(TcpAcceptorTest, StrangersHaveToSayWhoTheyAreInTime) {
  TcpAcceptor::Limits limits = Generous();
  limits.stranger_time = absl::Milliseconds(1);
  Start(limits);
  EXPECT_TRUE(IsEnded(Connect()));
}

TEST_F(TcpAcceptorTest, SendingTooMuchCountsAsManyConnections) {
  TcpAcceptor::Limits limits = Generous();
  limits.rate.burst = 10;
  limits.rate.per_second = 0.001;
  limits.bytes = 10'000;
  limits.penalty = 10;
  Start(limits);
  const int loud = Connect();
  const std::string data(20'000, 'x');
  EXPECT_EQ(send(loud, data.data(), data.size(), MSG_NOSIGNAL), 20'000);
  EXPECT_TRUE(IsEnded(loud));
  // The penalty follows the end.
  EXPECT_TRUE(Eventually([&] { return IsEnded(Connect(), absl::Milliseconds(100)); }));
  Connect("127.0.0.2");
  EXPECT_TRUE(Eventually([&] { return delivered() >= 2; }));
}

TEST_F(TcpAcceptorTest, TakesNothingAfterStop) {
  Start(Generous());
  Connect();
  ASSERT_TRUE(Eventually([&] { return delivered() == 1; }));
  acceptor_->Stop();
  acceptor_->Stop();
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port_);
  EXPECT_NE(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  close(fd);
  EXPECT_EQ(delivered(), 1u);
}

TEST_F(TcpAcceptorTest, AnAddressOfOthersOrTakenIsAnError) {
  Start(Generous());
  for (const auto& [host, port] : std::vector<std::pair<std::string, uint16_t>>{
           {"127.0.0.1", port_}, {"192.0.2.1", uint16_t{7443}}, {"localhost", uint16_t{7443}}}) {
    const absl::Status status = TcpAcceptor::Listen(host, port, Generous(), SystemClock()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << host;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(host));
  }
}

TEST_F(TcpAcceptorTest, ListensOnIpv6) {
  const auto acceptor = TcpAcceptor::Listen("::1", 17'443, Generous(), SystemClock());
  if (!acceptor.ok()) GTEST_SKIP() << "no IPv6 here, or the port is taken: " << acceptor.status();
}

}  // namespace
}  // namespace hostq::manager
