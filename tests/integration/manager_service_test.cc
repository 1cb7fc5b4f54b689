// Goal: the overview counts what there is, with what is stuck by cause; the diagnosis looks at the
// manager as it is now, and goes on when it cannot write any more. Method: a real manager in this
// process, with scripted agents; its directory is broken in several ways.
#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/status.h"
#include "hostq/v1/manager_service.grpc.pb.h"
#include "manager/api/authorization.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

class ManagerServiceTest : public ::testing::Test {
 protected:
  v1::Overview Overview() {
    Connect();
    v1::Overview response;
    Call call;
    const grpc::Status status = stub_->GetOverview(&call, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  std::map<std::string, v1::ManagerCheck> Diagnose() {
    Connect();
    v1::Diagnosis response;
    Call call;
    const grpc::Status status = stub_->Diagnose(&call, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::map<std::string, v1::ManagerCheck> checks;
    order_.clear();
    for (const v1::ManagerCheck& check : response.checks()) {
      checks[check.id()] = check;
      order_.push_back(check.id());
    }
    return checks;
  }
  // Anew: the manager may have been started again.
  void Connect() {
    stub_ = v1::ManagerService::NewStub(
        grpc::CreateChannel(absl::StrCat("unix:", manager_.config().listen.admin_socket),
                            grpc::InsecureChannelCredentials()));
  }

  TestManager manager_;
  std::unique_ptr<v1::ManagerService::Stub> stub_;
  std::vector<std::string> order_;
};

TEST_F(ManagerServiceTest, EmptyClusterIsWell) {
  const v1::Overview overview = Overview();
  EXPECT_EQ(overview.manager().version(), HOSTQ_VERSION);
  EXPECT_EQ(overview.manager().cluster(), manager_.config().cluster.name);
  EXPECT_TRUE(overview.manager().store_ok());
  EXPECT_GT(overview.manager().term(), 0u);
  EXPECT_GT(overview.manager().start_time().seconds(), 0);
  EXPECT_EQ(overview.nodes_size() + overview.phases_size() + overview.causes_size(), 0);
}

TEST_F(ManagerServiceTest, OverviewCountsNodesTasksAndWhatWasDone) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  manager_.AddNode("web2", v1::Node::APP, "192.0.2.12");
  TestAgent agent(manager_, web1);
  agent.Ready(manager_);
  const v1::Command bound = manager_.Bind("203.0.113.10", "web1");
  agent.Work();
  manager_.WaitUntilFinished(bound.id());
  const v1::Command running = manager_.Bind("203.0.113.11", "web1");
  agent.Accept(agent.ReadAssign().lease());
  manager_.Bind("203.0.113.12", "web2");
  manager_.Bind("203.0.113.13", "web2");

  v1::Overview overview;
  const auto phase = [&](v1::Task::Phase wanted) {
    for (const v1::PhaseCount& count : overview.phases()) {
      if (count.phase() == wanted) return count;
    }
    return v1::PhaseCount();
  };
  // That it was accepted is told with the next batch.
  for (int i = 0; i < 1000 && phase(v1::Task::ACCEPTED).count() == 0; ++i) {
    overview = Overview();
    absl::SleepFor(absl::Milliseconds(20));
  }
  ASSERT_EQ(overview.nodes_size(), 2);
  EXPECT_EQ(overview.nodes(0).state(), v1::Node::PENDING);
  EXPECT_THAT(overview.nodes(0).names(), ::testing::ElementsAre("web2"));
  EXPECT_EQ(overview.nodes(1).state(), v1::Node::READY);
  EXPECT_EQ(phase(v1::Task::QUEUED).count(), 2);
  EXPECT_EQ(phase(v1::Task::ACCEPTED).count(), 1);
  EXPECT_EQ(phase(v1::Task::ACCEPTED).oldest_task_id(), absl::StrCat(running.id(), "/web1"));
  EXPECT_EQ(overview.active_commands(), 3);
  EXPECT_GE(overview.last_minute().commands_accepted(), 4);
  EXPECT_GE(overview.last_minute().tasks_finished(), 1);
  EXPECT_EQ(overview.last_hour().tasks_failed(), 0);
  EXPECT_GT(overview.last_sequence(), 0);
  ASSERT_EQ(overview.in_flight_size(), 1);
  EXPECT_EQ(overview.in_flight(0).task_id(), absl::StrCat(running.id(), "/web1"));
  EXPECT_EQ(overview.in_flight(0).resource_key(), "address/203.0.113.11");
  // Both tasks, one cause.
  ASSERT_EQ(overview.causes_size(), 1);
  EXPECT_EQ(overview.causes(0).id(), "NODE_NOT_JOINED/web2");
  EXPECT_EQ(overview.causes(0).task_count(), 2);
  EXPECT_THAT(overview.causes(0).nodes(), ::testing::ElementsAre("web2"));
  EXPECT_NE(overview.causes(0).remedy(), "");
  EXPECT_EQ(overview.stuck_findings(), 2);
}

// In the order of the reference, and each has its line there.
TEST_F(ManagerServiceTest, DiagnosisHasTheChecksOfTheReference) {
  Diagnose();
  std::vector<std::string> documented;
  std::ifstream file(HOSTQ_SOURCE_DIR "/docs/reference/doctor.md");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## Without")) break;
    if (line.starts_with("| `")) documented.push_back(line.substr(3, line.find('`', 3) - 3));
  }
  EXPECT_EQ(order_, documented);
}

TEST_F(ManagerServiceTest, DiagnosisOfAManagerThatIsWell) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent agent(manager_, web1);
  agent.Hello();
  for (const auto& [id, check] : Diagnose()) {
    // How fast the disk is, how full, how busy this machine is, and its clock, are not of the test.
    if (id == "disk-free" || id == "disk-write" || id == "queue-lag" || id == "clock") continue;
    const bool expected = check.status() == v1::PreflightCheck::OK || id == "backup" ||
                          id == "agent-versions";  // a scripted one
    EXPECT_TRUE(expected) << check.ShortDebugString();
    EXPECT_NE(check.message(), "") << id;
  }
  EXPECT_GT(std::stoll(Diagnose()["database-size"].evidence().at("database_bytes")), 0);
}

TEST_F(ManagerServiceTest, AgentsOfAnotherVersionAreNamed) {
  const Joined web1 = manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  TestAgent agent(manager_, web1);
  agent::v1::Hello hello = TestAgent::DefaultHello();
  hello.set_agent_version("0.0.1");
  agent.Hello(hello);
  const v1::ManagerCheck check = Diagnose()["agent-versions"];
  EXPECT_EQ(check.status(), v1::PreflightCheck::WARNING);
  EXPECT_EQ(check.reason(), v1::Reason::VERSION_SKEW);
  EXPECT_THAT(check.message(), ::testing::HasSubstr("web1 (0.0.1)"));
}

// Short lives by configuration: its certificate ends while nobody renews it.
TEST_F(ManagerServiceTest, CertificatesThatEndAreFound) {
  manager_.Stop();
  manager_.change_config().trust.node_certificate_life = absl::Seconds(6);
  manager_.Start();
  manager_.Join("web1", v1::Node::APP, "192.0.2.11");
  v1::ManagerCheck check;
  const absl::Time end = absl::Now() + absl::Seconds(60);
  bool warned = false;
  do {
    check = Diagnose()["node-certificates"];
    warned = warned || check.status() == v1::PreflightCheck::WARNING;
    absl::SleepFor(absl::Milliseconds(100));
  } while (check.status() != v1::PreflightCheck::FAILED && absl::Now() < end);
  EXPECT_EQ(check.reason(), v1::Reason::CERTIFICATE_EXPIRED) << check.ShortDebugString();
  EXPECT_THAT(check.message(), ::testing::HasSubstr("web1"));
  EXPECT_THAT(check.remedy(), ::testing::HasSubstr("hostq node rejoin"));
}

TEST_F(ManagerServiceTest, ManyAtOnceAreAnsweredOrToldToComeBack) {
  Connect();
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([&] {
      v1::Diagnosis response;
      Call call(absl::Seconds(60));
      const grpc::Status status = stub_->Diagnose(&call, {}, &response);
      EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED)
          << status.error_message();
      if (status.ok()) ++answered;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(answered, 1);
}

}  // namespace
}  // namespace hostq::manager::testing
