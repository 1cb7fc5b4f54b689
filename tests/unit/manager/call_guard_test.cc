#include "manager/api/call_guard.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "manager/api/health_service.h"

namespace hostq::manager {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(PeerAddressAndPort, IsWhatTheAcceptorKnowsAConnectionBy) {
  EXPECT_EQ(PeerAddressAndPort("ipv4:192.0.2.1:4711"), "192.0.2.1:4711");
  EXPECT_EQ(PeerAddressAndPort("ipv6:%5B2001:db8::1%5D:4711"), "[2001:db8::1]:4711");
  EXPECT_EQ(PeerAddressAndPort("ipv6:%5Bfe80::1%252%5D:4711"), "[fe80::1]:4711");
  EXPECT_EQ(PeerAddressAndPort("ipv6:[fe80::1%eth0]:4711"), "[fe80::1]:4711");
  EXPECT_EQ(PeerAddressAndPort("fd:17"), "fd:17");
  for (const char* other : {"", "unix:", "unix:/run/hostq/manager.sock", "ipv5:x"}) {
    EXPECT_EQ(PeerAddressAndPort(other), "") << other;
  }
}

class CallGuardTest : public ::testing::Test {
 protected:
  explicit CallGuardTest(const RateLimiter::Options& rate = {/*per_second=*/1, /*burst=*/3}) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> guards;
    guards.push_back(std::make_unique<CallGuard>(rate, clock_, [this](const std::string& peer) {
      const MutexLock lock(mutex_);
      ended_.push_back(peer);
    }));
    grpc::ServerBuilder builder;
    builder.experimental().SetInterceptorCreators(std::move(guards));
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  std::unique_ptr<grpc::health::v1::Health::Stub> Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::health::v1::Health::NewStub(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(port_), grpc::InsecureChannelCredentials(), arguments));
  }
  static bool Call(grpc::health::v1::Health::Stub& stub) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    grpc::health::v1::HealthCheckResponse response;
    return stub.Check(&context, {}, &response).ok();
  }
  std::vector<std::string> ended() {
    const MutexLock lock(mutex_);
    return ended_;
  }

  FakeClock clock_;
  HealthService service_{SystemClock()};
  int port_ = 0;
  Mutex mutex_;
  std::vector<std::string> ended_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(CallGuardTest, EndsAConnectionOnWhichCallsBeginTooFast) {
  const auto stub = Connect();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Call(*stub));
  EXPECT_THAT(ended(), IsEmpty());
  // It changes no call: whoever is told to ends the connection.
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Call(*stub));
  EXPECT_THAT(ended(), AllOf(SizeIs(2), Each(StartsWith("127.0.0.1:"))));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Call(*stub));
  EXPECT_THAT(ended(), SizeIs(2));
}

TEST_F(CallGuardTest, CountsEachConnectionForItself) {
  const auto first = Connect(), second = Connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Call(*first));
    EXPECT_TRUE(Call(*second));
  }
  EXPECT_THAT(ended(), IsEmpty());
}

}  // namespace
}  // namespace hostq::manager
