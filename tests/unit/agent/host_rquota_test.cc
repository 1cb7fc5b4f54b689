// Goal: the rquota client speaks the protocol that was measured against rpc.rquotad 4.06, and names
// each failure. Method: a server in a thread that answers as rpcbind and rquotad do, on loopback.
#include "agent/host/rquota.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "agent/host/evidence.h"
#include "agent/host/xdr.h"
#include "common/base/error.h"
#include "common/base/mutex.h"

namespace hostq::agent {
namespace {

// rpcbind and rquotad on one port.
class FakeRquotad {
 public:
  enum class Mode {
    kNormal,
    kNotRegistered,
    kSilent,
    kRefusesToSet,
    kNoQuotas,
    kGarbage,
    kReadOnlyService,
    kLosesFirst
  };

  explicit FakeRquotad(Mode mode) : mode_(mode), fd_(socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeRquotad() {
    stop_ = true;
    thread_.join();
    close(fd_);
  }
  RquotaClient Client() const {
    RquotaClient::Options options;
    options.server = "127.0.0.1";
    options.portmapper_port = port_;
    options.privileged_port = false;
    options.timeout = absl::Milliseconds(300);
    options.tries = 2;
    return RquotaClient(options);
  }
  struct State {
    // uid to hard limit in blocks; and the limits on files that came with it.
    std::map<uint32_t, uint32_t> hard;
    std::map<uint32_t, uint32_t> files = {{2001, 77}};
    std::string path;
    uint32_t unit = 1024;
  };
  State state() {
    const MutexLock lock(mutex_);
    return state_;
  }
  void Set(uint32_t uid, uint32_t blocks, uint32_t unit) {
    const MutexLock lock(mutex_);
    state_.hard[uid] = blocks;
    state_.unit = unit;
  }

 private:
  void Serve() {
    while (!stop_) {
      pollfd waiting = {fd_, POLLIN, 0};
      if (poll(&waiting, 1, 20) <= 0) continue;
      char buffer[4096];
      sockaddr_in from = {};
      socklen_t length = sizeof(from);
      const ssize_t got =
          recvfrom(fd_, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (got < 0) continue;
      const std::string reply = Answer({buffer, static_cast<size_t>(got)});
      if (reply.empty()) continue;
      sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }

  std::string Answer(absl::string_view call) {
    XdrReader reader(call);
    const uint32_t xid = reader.U32();
    EXPECT_EQ(reader.U32(), 0U);  // a call
    EXPECT_EQ(reader.U32(), 2U);  // of RPC version 2
    const uint32_t program = reader.U32();
    EXPECT_EQ(reader.U32(), 2U);
    const uint32_t procedure = reader.U32();
    EXPECT_EQ(reader.U32(), 1U);  // AUTH_UNIX
    XdrReader credentials(reader.Opaque());
    credentials.U32();
    credentials.Opaque();
    EXPECT_EQ(credentials.U32(), 0U);  // root
    reader.U32();
    reader.Opaque();
    if (mode_ == Mode::kSilent || (mode_ == Mode::kLosesFirst && !lost_.exchange(true))) return "";
    if (mode_ == Mode::kGarbage) return std::string("\x01garbage", 8);
    XdrWriter reply;
    reply.U32(xid).U32(1);
    if (program == 100000) {
      const auto port = static_cast<uint32_t>(mode_ == Mode::kNotRegistered ? 0 : port_);
      return reply.U32(0).U32(0).U32(0).U32(0).U32(port).bytes();
    }
    EXPECT_EQ(program, 100011U);
    return procedure == 3 ? AnswerSet(reader, reply) : AnswerGet(reader, reply);
  }

  std::string AnswerGet(XdrReader& reader, XdrWriter& reply) {
    const MutexLock lock(mutex_);
    state_.path = std::string(reader.Opaque());
    reader.U32();  // type
    const uint32_t uid = reader.U32();
    reply.U32(0).U32(0).U32(0).U32(0);
    if (mode_ == Mode::kNoQuotas) return reply.U32(2).bytes();
    reply.U32(1).U32(state_.unit).U32(1).U32(state_.hard[uid]).U32(0).U32(5);
    return reply.U32(state_.files[uid]).U32(0).U32(1).U32(0).U32(0).bytes();
  }

  std::string AnswerSet(XdrReader& reader, XdrWriter& reply) {
    if (mode_ == Mode::kRefusesToSet) return reply.U32(1).U32(1).U32(7).bytes();
    if (mode_ == Mode::kReadOnlyService) return reply.U32(0).U32(0).U32(0).U32(3).bytes();
    EXPECT_EQ(reader.U32(), 0x070000U);
    const MutexLock lock(mutex_);
    state_.path = std::string(reader.Opaque());
    const uint32_t uid = reader.U32();
    EXPECT_EQ(reader.U32(), 0U);
    reply.U32(0).U32(0).U32(0).U32(0);
    if (state_.path == "/.hostq-preflight-nonexistent") return reply.U32(2).bytes();
    state_.hard[uid] = reader.U32();
    reader.U32();
    reader.U32();
    state_.files[uid] = reader.U32();
    return reply.U32(1).bytes();
  }

  Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_);
  const Mode mode_;
  const int fd_;
  int port_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> lost_ = false;
  std::thread thread_;
};

using Mode = FakeRquotad::Mode;

TEST(RquotaTest, SetsAndReadsBackAndKeepsFileLimits) {
  FakeRquotad server(Mode::kNormal);
  EXPECT_TRUE(server.Client().Set("chroot/home", 2001, (10LL << 30) + 1).ok());
  EXPECT_EQ(server.state().path, "chroot/home");
  const auto quota = server.Client().Get("chroot/home", 2001);
  ASSERT_TRUE(quota.ok()) << quota.status();
  EXPECT_EQ(quota->hard_bytes, (10LL << 30) + 1024);  // rounded up
  EXPECT_EQ(quota->soft_bytes, 0);
  EXPECT_EQ(quota->used_bytes, 5 * 1024);
  EXPECT_EQ(server.state().files[2001], 77U);
}

TEST(RquotaTest, FsidZeroIsTheEmptyPathAndUnitsScale) {
  FakeRquotad server(Mode::kNormal);
  server.Set(5, 3, 4096);
  const auto quota = server.Client().Get("", 5);
  ASSERT_TRUE(quota.ok());
  EXPECT_EQ(server.state().path, "");
  EXPECT_EQ(quota->hard_bytes, 3 * 4096);
  EXPECT_EQ(quota->unit, 4096);
}

TEST(RquotaTest, LostDatagramIsSentAgain) {
  FakeRquotad server(Mode::kLosesFirst);
  EXPECT_TRUE(server.Client().Get("x", 1).ok());
}

TEST(RquotaTest, RefusalNamesServerPathAndAuthStat) {
  FakeRquotad server(Mode::kRefusesToSet);
  const absl::Status status = server.Client().Set("chroot/home", 2001, 1 << 20);
  EXPECT_EQ(ReasonOf(status), Reason::kQuotaSetNotPermitted);
  const auto evidence = EvidenceOf(status);
  EXPECT_EQ(evidence.at("auth_stat"), "7");
  EXPECT_EQ(evidence.at("server"), "127.0.0.1");
  EXPECT_EQ(evidence.at("path"), "chroot/home");
  EXPECT_EQ(ReasonOf(server.Client().CheckSettable()), Reason::kQuotaSetNotPermitted);
  EXPECT_TRUE(server.Client().Get("chroot/home", 2001).ok());
}

TEST(RquotaTest, HarmlessTrialSetsNothing) {
  FakeRquotad server(Mode::kNormal);
  EXPECT_TRUE(server.Client().CheckSettable().ok());
  EXPECT_TRUE(server.state().hard.empty());
  EXPECT_TRUE(server.Client().CheckRegistered().ok());
}

TEST(RquotaTest, FailuresHaveTheirReasons) {
  const auto get = [](Mode mode) {
    FakeRquotad server(mode);
    return ReasonOf(server.Client().Get("x", 1).status());
  };
  EXPECT_EQ(get(Mode::kNotRegistered), Reason::kQuotaServiceUnreachable);
  EXPECT_EQ(get(Mode::kSilent), Reason::kQuotaServiceUnreachable);
  EXPECT_EQ(get(Mode::kGarbage), Reason::kQuotaServiceUnreachable);
  EXPECT_EQ(get(Mode::kNoQuotas), Reason::kQuotaNotEnabled);
  FakeRquotad filer(Mode::kReadOnlyService);
  EXPECT_EQ(ReasonOf(filer.Client().Set("x", 1, 1024)), Reason::kQuotaSetNotPermitted);
}

TEST(RquotaTest, FourTebibytesCannotBeCarried) {
  FakeRquotad server(Mode::kNormal);
  EXPECT_EQ(ReasonOf(server.Client().Set("x", 1, 4LL << 40)), Reason::kQuotaTooLarge);
  EXPECT_EQ(ReasonOf(server.Client().Set("x", 1, INT64_MAX)), Reason::kQuotaTooLarge);
  EXPECT_TRUE(server.Client().Set("x", 1, (4LL << 40) - 1024).ok());
}

TEST(RquotaTest, NobodyListensIsSaidAtOnce) {
  RquotaClient::Options options;
  options.server = "127.0.0.1";
  options.portmapper_port = 1;
  options.timeout = absl::Milliseconds(50);
  const absl::Status status = RquotaClient(options).CheckRegistered();
  EXPECT_EQ(ReasonOf(status), Reason::kQuotaServiceUnreachable);
  EXPECT_NE(status.message().find("Connection refused"), absl::string_view::npos) << status;
}

TEST(RpcReplyTest, EveryPrefixOfAnAnswerIsRefusedOrRead) {
  XdrWriter reply;
  reply.U32(9).U32(1).U32(0).U32(1).Opaque("verif").U32(0).U32(42);
  for (size_t size = 0; size <= reply.bytes().size(); ++size) {
    const auto decoded = DecodeRpcReply(absl::string_view(reply.bytes()).substr(0, size), 9);
    EXPECT_EQ(decoded.ok(), size >= reply.bytes().size() - 4) << size;
  }
  EXPECT_FALSE(DecodeRpcReply(reply.bytes(), 8).ok());
}

}  // namespace
}  // namespace hostq::agent
