// Goal: the agent's real parts together: joining, mutual TLS, the stream, the loop, the journal,
// the executor's process. Method: a scripted manager on the loopback device.

#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/executor/executor.h"
#include "agent/journal/sqlite_journal.h"
#include "agent/link/agent_loop.h"
#include "agent/link/enroll.h"
#include "agent/link/grpc_transport.h"
#include "agent/runner/convert.h"
#include "common/base/error.h"
#include "common/rpc/credentials.h"
#include "common/rpc/peer.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "hostq/agent/v1/enrollment.grpc.pb.h"
#include "hostq/agent/v1/session.grpc.pb.h"
#include "tests/testing/no_host.h"
#include "tests/unit/trust/pki.h"

namespace hostq::agent {
namespace {

// Leaves a line in the file that the work names, so that effects can be counted.
absl::StatusOr<std::vector<Step>> Plan(const v1::Work& work, const Roles&) {
  Step step;
  step.name = "touch";
  const std::string path = work.bind_address().address();
  step.run = [path](Host&) {
    std::ofstream(path, std::ios::app) << "x";
    StepResult result;
    result.changed = true;
    result.message = "touched";
    return result;
  };
  return std::vector<Step>{step};
}

// Forked before gRPC has threads.
class ExecutorProcess final : public testing::Environment {
 public:
  void SetUp() override {
    char pattern[] = "/tmp/hostq_loopback_XXXXXX";
    directory_ = mkdtemp(pattern);
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    NoHost host;
    ExecutorOptions options;
    options.socket_path = socket();
    options.agent_uid = geteuid();
    auto executor = Executor::Create(options, Plan, host, SystemClock());
    if (executor.ok()) (void)(*executor)->Run();
    _exit(0);
  }
  void TearDown() override {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }
  std::string socket() const { return directory_ + "/executor.sock"; }
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  pid_t pid_ = -1;
};
ExecutorProcess* const executor_process = [] {
  RequireTls13();
  auto* environment = new ExecutorProcess;
  testing::AddGlobalTestEnvironment(environment);
  return environment;
}();

using Stream = grpc::ServerReaderWriter<v1::ManagerMessage, v1::AgentMessage>;

class ScriptedManager final : public v1::SessionService::Service,
                              public v1::EnrollmentService::Service {
 public:
  explicit ScriptedManager(const TestPki& pki) : pki_(pki) { Start(); }
  ~ScriptedManager() override { Stop(); }

  void Start() {
    const TlsIdentity identity = pki_.Issue(pki_.ServerSpec());
    grpc::ServerBuilder builder;
    ConfigureServer(builder);
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port_),
                             MutualTlsServerCredentials(identity, pki_.ca_pem()), &port_);
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", enroll_port_),
                             TlsServerCredentials(identity), &enroll_port_);
    builder.RegisterService(static_cast<v1::SessionService::Service*>(this));
    builder.RegisterService(static_cast<v1::EnrollmentService::Service*>(this));
    server_ = builder.BuildAndStart();
    HOSTQ_CHECK(server_ != nullptr);
  }
  void Stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  std::string enroll_address() const { return absl::StrCat("127.0.0.1:", enroll_port_); }

  // What happens in the next sessions.
  void Script(std::function<void(Stream&)> script) {
    MutexLock lock(mutex_);
    script_ = std::move(script);
  }
  std::string LastNode() {
    MutexLock lock(mutex_);
    return node_;
  }

  grpc::Status Connect(grpc::ServerContext* context, Stream* stream) override {
    const auto peer = PeerNodeOf(*context);
    if (!peer.ok()) return ToGrpc(peer.status());
    std::function<void(Stream&)> script;
    {
      MutexLock lock(mutex_);
      node_ = peer->name;
      script = script_;
    }
    if (script) script(*stream);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "end of the script");
  }

  grpc::Status Enroll(grpc::ServerContext*, const v1::EnrollRequest* request,
                      v1::EnrollResponse* response) override {
    const auto csr = ParseCertificateRequest(request->csr_pem());
    if (!csr.ok()) return ToGrpc(csr.status());
    enrolled_keys.push_back(csr->key.Hash());
    if (request->token() != "hqj_1_secret") {
      return ToGrpc(MakeError(absl::StatusCode::kPermissionDenied, Reason::kTokenInvalid, "no"));
    }
    if (lose_answers-- > 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "lost");
    const auto pem = IssueCertificate(pki_.ca_pem(), pki_.key(), csr->key, pki_.NodeSpec("web1"));
    response->set_node("web1");
    response->set_certificate_pem(*pem);
    response->set_ca_pem(pki_.ca_pem());
    response->set_manager_address(address());
    return grpc::Status::OK;
  }

  std::vector<std::string> enrolled_keys;
  int lose_answers = 0;

 private:
  const TestPki& pki_;
  int port_ = 0;
  int enroll_port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  std::function<void(Stream&)> script_ ABSL_GUARDED_BY(mutex_);
  std::string node_ ABSL_GUARDED_BY(mutex_);
};

class LoopbackTest : public testing::Test {
 protected:
  LoopbackTest() {
    state_dir_ = absl::StrCat(executor_process->directory(), "/", ++count_);
    std::filesystem::create_directory(state_dir_);
  }
  ~LoopbackTest() override { StopAgent(); }

  JoinRequest MakeJoin() {
    JoinRequest request;
    request.manager = manager_.enroll_address();
    request.token = SecretString("hqj_1_secret");
    request.ca_pin = pki_.pin();
    request.state_dir = state_dir_;
    return request;
  }
  void StartAgent() {
    auto identity = LoadIdentity(state_dir_);
    ASSERT_TRUE(identity.ok()) << identity.status();
    stop_fd_ = eventfd(0, EFD_CLOEXEC);
    agent_ = std::thread([this, identity = *std::move(identity)]() mutable {
      auto journal = SqliteJournal::Open(state_dir_ + "/journal.db");
      HOSTQ_CHECK(journal.ok());
      SessionOptions options;
      options.kinds = {"bind_address"};
      SeededRandom random(1);
      SessionLogic logic(options, Plan, **journal, SystemClock(), random);
      HOSTQ_CHECK(logic.Start().ok());
      Mailbox mailbox;
      GrpcTransport transport(std::move(identity),
                              [&](TransportEvent event) { mailbox.Post(std::move(event)); });
      AgentLoop loop(logic, transport, mailbox, executor_process->socket(), SystemClock());
      loop.Run(stop_fd_, absl::Seconds(5));
    });
  }
  void StopAgent() {
    if (!agent_.joinable()) return;
    const uint64_t one = 1;
    ASSERT_EQ(write(stop_fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    agent_.join();
    close(stop_fd_);
  }
  static void WriteWelcome(Stream& stream, absl::Duration interval = absl::Seconds(1)) {
    v1::ManagerMessage message;
    *message.mutable_welcome()->mutable_heartbeat_interval() = ToProto(interval);
    stream.Write(message);
  }
  v1::ManagerMessage MakeAssign(const std::string& task, uint64_t epoch) {
    v1::Work work;
    work.mutable_bind_address()->set_address(EffectPath(task));
    v1::ManagerMessage message;
    v1::Assign& assign = *message.mutable_assign();
    *assign.mutable_lease() = ToProto(Lease{task, 1, epoch});
    assign.set_resource_key("key/" + task);
    assign.set_kind("bind_address");
    assign.set_work(work.SerializeAsString());
    return message;
  }
  std::string EffectPath(const std::string& task) const { return state_dir_ + "/effect." + task; }
  std::string Effect(const std::string& task) const {
    std::ifstream file(EffectPath(task));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  // Waits for something that another thread counts up.
  static bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 1500; ++i) {
      if (condition()) return true;
      usleep(10'000);
    }
    return false;
  }

  static inline int count_ = 0;
  TestPki pki_;
  ScriptedManager manager_{pki_};
  std::string state_dir_;
  std::thread agent_;
  int stop_fd_ = -1;
};

TEST_F(LoopbackTest, JoiningSurvivesALostAnswerWithTheSameKey) {
  manager_.lose_answers = 1;
  const auto lost = Join(MakeJoin());
  EXPECT_TRUE(absl::IsUnavailable(lost.status())) << lost.status();
  EXPECT_TRUE(absl::IsNotFound(LoadIdentity(state_dir_).status()));
  const auto joined = Join(MakeJoin());
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->node, "web1");
  ASSERT_EQ(manager_.enrolled_keys.size(), 2u);
  EXPECT_EQ(manager_.enrolled_keys[0], manager_.enrolled_keys[1]);
  const auto identity = LoadIdentity(state_dir_);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->manager_address, manager_.address());
  const auto mode = std::filesystem::status(state_dir_ + "/identity/node.key").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  // Joining again makes a new key and takes the old one's place as a whole.
  ASSERT_TRUE(Join(MakeJoin()).ok());
  EXPECT_NE(manager_.enrolled_keys[2], manager_.enrolled_keys[1]);
  EXPECT_FALSE(std::filesystem::exists(state_dir_ + "/identity.new"));
}

TEST_F(LoopbackTest, WrongTokenAndWrongPinLeaveNothingJoined) {
  JoinRequest request = MakeJoin();
  request.token = SecretString("hqj_1_wrong");
  EXPECT_EQ(ReasonOf(Join(request).status()), Reason::kTokenInvalid);
  request = MakeJoin();
  request.ca_pin = TestPki().pin();
  manager_.enrolled_keys.clear();
  EXPECT_TRUE(absl::IsUnauthenticated(Join(request).status()));
  EXPECT_TRUE(manager_.enrolled_keys.empty());  // the token was not shown to a stranger
  EXPECT_TRUE(absl::IsNotFound(LoadIdentity(state_dir_).status()));
}

TEST_F(LoopbackTest, JoiningAtThePortForNodesSaysSo) {
  JoinRequest request = MakeJoin();
  request.manager = manager_.address();
  const absl::Status status = Join(request).status();
  EXPECT_EQ(ReasonOf(status), Reason::kUnauthenticated) << status;
  EXPECT_TRUE(absl::StrContains(RemedyOf(status), "listen.enrollment")) << RemedyOf(status);
}

TEST_F(LoopbackTest, RefusedCertificatesAreNamed) {
  const TestPki foreign;
  const struct {
    TlsIdentity identity;
    std::string ca_pem;
    std::string why;
  } wrong[] = {{foreign.Issue(foreign.NodeSpec("web1")), pki_.ca_pem(), "does not take"},
               {pki_.Issue(pki_.NodeSpec("web1")), foreign.ca_pem(), "not a manager's"}};
  for (const auto& one : wrong) {
    Mailbox mailbox;
    std::vector<TransportEvent> events;
    {
      GrpcTransport transport({one.identity.private_key_pem, one.identity.certificate_chain_pem,
                               one.ca_pem, manager_.address()},
                              [&](TransportEvent event) { mailbox.Post(std::move(event)); });
      transport.Open(1);
      EXPECT_TRUE(Eventually([&] {
        events = mailbox.Take();
        return !events.empty();
      }));
    }
    ASSERT_EQ(events.size(), 1u);
    const auto& status = std::get<absl::Status>(events[0].what);
    EXPECT_EQ(ReasonOf(status), Reason::kUnauthenticated) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), one.why)) << status;
  }
}

TEST_F(LoopbackTest, TasksTravelTheWholeWayAndRunOnceAcrossReconnects) {
  ASSERT_TRUE(Join(MakeJoin()).ok());
  std::atomic<int> sessions = 0;
  std::atomic<int> acknowledged = 0;
  constexpr int kTasks = 20;
  manager_.Script([&](Stream& stream) {
    ++sessions;
    v1::AgentMessage in;
    if (!stream.Read(&in) || !in.has_hello()) return;
    WriteWelcome(stream);
    int next = acknowledged;
    stream.Write(MakeAssign(absl::StrCat("t", next), static_cast<uint64_t>(next) + 1));
    int messages = 0;
    while (acknowledged < kTasks && stream.Read(&in)) {
      // Cut off in the middle of things, at another place every time.
      if (sessions < 8 && ++messages > sessions) return;
      if (!in.has_result()) continue;
      v1::ManagerMessage out;
      *out.mutable_result_ack()->add_leases() = in.result().lease();
      stream.Write(out);
      EXPECT_EQ(in.result().reason(), hostq::v1::Reason::CODE_UNSPECIFIED);
      if (in.result().lease().task_id() != absl::StrCat("t", next)) continue;
      next = ++acknowledged;
      if (next < kTasks) {
        stream.Write(MakeAssign(absl::StrCat("t", next), static_cast<uint64_t>(next) + 1));
      }
    }
  });
  StartAgent();
  EXPECT_TRUE(Eventually([&] { return acknowledged == kTasks; })) << acknowledged;
  EXPECT_GE(sessions, 8);
  EXPECT_EQ(manager_.LastNode(), "web1");
  StopAgent();
  for (int i = 0; i < kTasks; ++i) EXPECT_EQ(Effect(absl::StrCat("t", i)), "x") << i;
}

TEST_F(LoopbackTest, RestartedManagerIsFoundAgainAndSilenceIsNoticed) {
  ASSERT_TRUE(Join(MakeJoin()).ok());
  std::atomic<int> sessions = 0;
  manager_.Script([&](Stream& stream) {
    ++sessions;
    v1::AgentMessage in;
    stream.Read(&in);
    WriteWelcome(stream, absl::Milliseconds(150));
    while (stream.Read(&in)) {
    }  // hears, and says nothing
  });
  StartAgent();
  EXPECT_TRUE(Eventually([&] { return sessions >= 3; }));
  manager_.Stop();
  const int before = sessions;
  usleep(500'000);
  manager_.Start();
  EXPECT_TRUE(Eventually([&] { return sessions > before; }));
}

TEST_F(LoopbackTest, StrangersAreNotServed) {
  ASSERT_TRUE(Join(MakeJoin()).ok());
  // The manager's place is taken by one of another authority.
  const TestPki other;
  auto identity = LoadIdentity(state_dir_);
  ASSERT_TRUE(identity.ok());
  identity->ca_pem = other.ca_pem();
  Mailbox mailbox;
  std::atomic<bool> closed = false;
  GrpcTransport transport(*identity, [&](TransportEvent event) {
    EXPECT_TRUE(std::holds_alternative<absl::Status>(event.what));
    closed = true;
  });
  transport.Open(1);
  transport.Send(v1::AgentMessage());
  EXPECT_TRUE(Eventually([&] { return closed.load(); }));
  EXPECT_EQ(manager_.LastNode(), "");
}

}  // namespace
}  // namespace hostq::agent
