// Goal: a step that hangs, crashes, floods or lies harms nothing but itself. Method: a real
// executor in a process of its own with steps that misbehave, and a real client over its socket.

#include "agent/executor/executor.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/executor/running_steps.h"
#include "agent/executor/step_result.h"
#include "agent/runner/convert.h"
#include "agent/runner/executor_client.h"
#include "common/base/error.h"
#include "tests/testing/no_host.h"

namespace hostq::agent {
namespace {

using ReasonCode = hostq::v1::Reason;

StepResult Good(std::string message) {
  StepResult result;
  result.message = std::move(message);
  return result;
}

StepResult Flood() {
  const std::string line(200, 'x');
  for (int i = 0; i < 20000; ++i) std::fprintf(stderr, "line %d %s\n", i, line.c_str());
  std::fprintf(stderr, "the last line\xff\x01\n");
  StepResult result;
  result.reason = Reason::kInternal;
  result.message = std::string(5000, 'm');
  for (int i = 0; i < 100; ++i) result.evidence[absl::StrCat("key", i)] = std::string(5000, 'v');
  return result;
}

// The work's address says what the one step does.
absl::StatusOr<std::vector<Step>> Plan(const v1::Work& work, const Roles&) {
  const std::string& what = work.bind_address().address();
  if (what == "refused") {
    return MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAllowedByPolicy, "no");
  }
  Step step;
  step.name = what;
  step.run = [what](Host&) -> StepResult {
    if (what == "hang") {
      if (fork() == 0) pause();  // a program that it started hangs as well
      pause();
    }
    if (absl::StartsWith(what, "escape ")) {
      if (fork() == 0) {
        setsid();
        if (fork() == 0) {
          std::ofstream(what.substr(7)) << getpid() << "\n";
          pause();
        }
        _exit(0);
      }
      pause();
    }
    if (what == "slow") {
      usleep(900'000);
      return Good("slow");
    }
    if (what == "crash") raise(SIGABRT);
    if (what == "exit") _exit(7);
    if (what == "throw") throw std::runtime_error("thrown");
    if (what == "flood") return Flood();
    if (what == "pid") return Good(absl::StrCat(getpid(), " ", getpgrp()));
    if (what == "sockets") {
      int open = 0;
      for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code error;
        const auto target = std::filesystem::read_symlink(entry.path(), error).string();
        if (target.find("socket") != std::string::npos) ++open;
      }
      return Good(absl::StrCat(open));
    }
    return Good("done");
  };
  return std::vector<Step>{step};
}

class ExecutorTest : public testing::Test {
 protected:
  ExecutorTest() {
    char pattern[] = "/tmp/hostq_executor_XXXXXX";
    directory_ = mkdtemp(pattern);
    StartExecutor();
    client_ = std::make_unique<ExecutorClient>(
        Socket(), SystemClock(),
        ExecutorClient::Events{[this] { ++ready_; }, [this](const absl::Status&) { ++lost_; },
                               [this](const v1::ExecutorReport& r) { reports_.push_back(r); }});
    PollUntil([this] { return ready_ > 0; });
  }
  ~ExecutorTest() override {
    StopExecutor(SIGTERM);
    std::filesystem::remove_all(directory_);
  }

  std::string Socket() const { return directory_ + "/executor.sock"; }
  void StartExecutor() {
    executor_ = fork();
    if (executor_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    NoHost host;
    ExecutorOptions options;
    options.socket_path = Socket();
    options.agent_uid = geteuid();
    options.running_directory = directory_ + "/steps";
    options.kill_grace = absl::Milliseconds(200);
    auto executor = Executor::Create(options, Plan, host, SystemClock());
    if (!executor.ok()) _exit(1);
    (void)(*executor)->Run();
    _exit(0);
  }
  void StopExecutor(int signal_number) {
    if (executor_ <= 0) return;
    kill(executor_, signal_number);
    waitpid(executor_, nullptr, 0);
    executor_ = -1;
  }

  template <typename Condition>
  bool PollUntil(Condition condition, absl::Duration limit = absl::Seconds(10)) {
    const absl::Duration end = SystemClock().Monotonic() + limit;
    while (SystemClock().Monotonic() < end) {
      client_->Poll();
      if (condition()) return true;
      pollfd fd{client_->fd(), POLLIN, 0};
      poll(&fd, 1, 5);
    }
    return false;
  }
  uint64_t Run(const std::string& what, absl::Duration timeout = absl::Seconds(5),
               const std::string& key = "address/1") {
    v1::Work work;
    work.mutable_bind_address()->set_address(what);
    v1::RunStep step;
    step.set_id(++last_id_);
    step.set_resource_key(key);
    step.set_work(work.SerializeAsString());
    step.set_step_name(what);
    *step.mutable_timeout() = ToProto(timeout);
    client_->Send(step);
    return last_id_;
  }
  const v1::StepResult* Find(uint64_t id) const {
    for (const auto& report : reports_) {
      if (report.has_step_done() && report.step_done().id() == id) {
        return &report.step_done().result();
      }
    }
    return nullptr;
  }
  v1::StepResult Wait(uint64_t id) {
    EXPECT_TRUE(PollUntil([&] { return Find(id) != nullptr; }));
    return Find(id) == nullptr ? v1::StepResult() : *Find(id);
  }

  std::string directory_;
  pid_t executor_ = -1;
  std::unique_ptr<ExecutorClient> client_;
  int ready_ = 0;
  int lost_ = 0;
  uint64_t last_id_ = 0;
  std::vector<v1::ExecutorReport> reports_;
};

TEST_F(ExecutorTest, StepRunsInAProcessGroupOfItsOwnWithoutTheExecutorsSockets) {
  const v1::StepResult pid = Wait(Run("pid"));
  EXPECT_EQ(pid.reason(), ReasonCode::CODE_UNSPECIFIED);
  EXPECT_EQ(pid.name(), "pid");
  const std::string text = pid.message();
  EXPECT_EQ(text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1));
  EXPECT_GT(pid.duration_us(), 0);
  EXPECT_EQ(Wait(Run("sockets")).message(), "0");
}

TEST_F(ExecutorTest, HangingStepIsEndedAtItsDeadlineWithWhatItStarted) {
  const v1::StepResult result = Wait(Run("hang", absl::Milliseconds(200)));
  EXPECT_EQ(result.reason(), ReasonCode::STEP_TIMED_OUT);
  EXPECT_EQ(result.evidence().at("state").substr(0, 1), "S");
  EXPECT_GE(result.duration_us(), 200'000);
  EXPECT_LT(result.duration_us(), 2'000'000);
}

TEST_F(ExecutorTest, WhatLeftTheGroupOfAKilledStepIsEndedToo) {
  const std::string file = absl::StrCat(directory_, "/escaped");
  Run(absl::StrCat("escape ", file), absl::Milliseconds(300));
  pid_t pid = 0;
  ASSERT_TRUE(PollUntil([&] { return (std::ifstream(file) >> pid) && pid > 0; }));
  EXPECT_EQ(kill(pid, 0), 0);
  EXPECT_TRUE(PollUntil([&] { return kill(pid, 0) != 0; }));
}

TEST_F(ExecutorTest, StepsRunSideBySide) {
  const absl::Duration start = SystemClock().Monotonic();
  std::vector<uint64_t> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(Run("slow", absl::Seconds(5), absl::StrCat("k/", i)));
  for (const uint64_t id : ids) EXPECT_EQ(Wait(id).message(), "slow");
  // One after the other they take 5.4 s.
  EXPECT_LT(SystemClock().Monotonic() - start, absl::Seconds(5));
}

TEST_F(ExecutorTest, CrashIsReportedWithItsSignal) {
  const v1::StepResult result = Wait(Run("crash"));
  EXPECT_EQ(result.reason(), ReasonCode::STEP_CRASHED);
  EXPECT_EQ(result.evidence().at("signal"), "SIGABRT");
  const v1::StepResult exited = Wait(Run("exit"));
  EXPECT_EQ(exited.reason(), ReasonCode::STEP_CRASHED);
  EXPECT_NE(exited.message().find("status 7"), std::string::npos);
  const v1::StepResult thrown = Wait(Run("throw"));
  EXPECT_EQ(thrown.reason(), ReasonCode::INTERNAL);
  EXPECT_NE(thrown.message().find("thrown"), std::string::npos);
}

TEST_F(ExecutorTest, FloodOfOutputAndEvidenceIsCut) {
  const v1::StepResult result = Wait(Run("flood"));
  EXPECT_EQ(result.reason(), ReasonCode::INTERNAL);
  EXPECT_LE(result.message().size(), kMaxMessageBytesOfStep);
  EXPECT_LE(result.evidence_size(), static_cast<int>(kMaxEvidenceEntries) + 1);
  EXPECT_LE(result.evidence().at("key0").size(), kMaxEvidenceValueBytes);
  const std::string& output = result.evidence().at("output");
  EXPECT_LE(output.size(), kMaxEvidenceValueBytes);
  EXPECT_NE(output.find("the last line??"), std::string::npos) << output;
}

TEST_F(ExecutorTest, PlanIsMadeAndCheckedByTheExecutorItself) {
  EXPECT_EQ(Wait(Run("refused")).reason(), ReasonCode::NOT_ALLOWED_BY_POLICY);
  v1::RunStep step;
  step.set_id(++last_id_);
  step.set_resource_key("k");
  step.set_work("\xff\xff garbage");
  *step.mutable_timeout() = ToProto(absl::Seconds(5));
  client_->Send(step);
  EXPECT_EQ(Wait(last_id_).reason(), ReasonCode::BAD_PARAMETERS);
  v1::Work work;
  work.mutable_bind_address()->set_address("x");
  step.set_id(++last_id_);
  step.set_work(work.SerializeAsString());
  step.set_step_index(3);
  step.set_step_name("x");
  client_->Send(step);
  EXPECT_EQ(Wait(last_id_).reason(), ReasonCode::INTERNAL);
}

TEST_F(ExecutorTest, GarbageOnTheSocketHarmsNobodyElse) {
  {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    FrameSocket garbage(fd);
    (void)!write(fd, "nothing", 7);
  }
  EXPECT_EQ(Wait(Run("good")).message(), "done");
}

TEST_F(ExecutorTest, DeadExecutorIsNoticedAndTheNextOneUsed) {
  Run("hang", absl::Seconds(60));
  client_->Poll();
  StopExecutor(SIGKILL);
  EXPECT_TRUE(PollUntil([this] { return lost_ == 1; }));
  StartExecutor();
  EXPECT_TRUE(PollUntil([this] { return ready_ == 2; }));
  EXPECT_EQ(Wait(Run("good")).message(), "done");
}

TEST_F(ExecutorTest, NewAgentDoesNotRunBesideTheOldAgentsStep) {
  Run("hang", absl::Seconds(60));
  client_->Poll();
  usleep(50'000);
  client_.reset();  // the agent dies
  client_ = std::make_unique<ExecutorClient>(
      Socket(), SystemClock(),
      ExecutorClient::Events{[] {}, [](const absl::Status&) {},
                             [this](const v1::ExecutorReport& r) { reports_.push_back(r); }});
  client_->Poll();
  reports_.clear();
  last_id_ = 0;  // ids begin anew: the old step's end must not be taken for the new one's
  EXPECT_EQ(Wait(Run("good")).message(), "done");
}

// As the kernel does it with a process that waits for a dead file server: tests/system/wedged.sh.
TEST_F(ExecutorTest, ProcessesThatOutliveAnExecutorKeepTheirKeys) {
  StopExecutor(SIGKILL);
  ASSERT_TRUE(PollUntil([this] { return lost_ == 1; }));
  const pid_t held = fork();
  if (held == 0) {
    pause();
    _exit(0);
  }
  const RunningSteps running(directory_ + "/steps");
  running.Add(held, "share/home");
  running.Add(1'000'000'000, "share/other");  // has ended long ago
  StartExecutor();
  ASSERT_TRUE(PollUntil([this] { return ready_ == 2; }));
  const v1::StepResult refused = Wait(Run("good", absl::Seconds(5), "share/home"));
  EXPECT_EQ(refused.reason(), ReasonCode::WEDGED);
  EXPECT_EQ(refused.message(),
            absl::StrCat("process ", held, " of an earlier step on share/home cannot be ended"));
  EXPECT_TRUE(PollUntil([&] {
    return !reports_.empty() && reports_[0].wedged().pid() == held &&
           reports_[0].wedged().resource_key() == "share/home";
  }));
  EXPECT_EQ(Wait(Run("good", absl::Seconds(5), "share/other")).message(), "done");
  kill(held, SIGKILL);
  waitpid(held, nullptr, 0);
  EXPECT_TRUE(
      PollUntil([this] { return reports_.back().released().resource_key() == "share/home"; }));
  EXPECT_EQ(Wait(Run("good", absl::Seconds(5), "share/home")).message(), "done");
  EXPECT_TRUE(running.Left().empty());
}

// Found by a tester: an executor was killed again and again while a file server was dead. Its steps
// died with it; what they had started hung in the kernel, and each next step started one more.
TEST_F(ExecutorTest, WhatAStepStartedKeepsItsKeyToo) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t step = fork();
  if (step == 0) {
    setpgid(0, 0);
    const pid_t started = fork();
    if (started != 0 && write(ends[1], &started, sizeof(started)) < 0) _exit(1);
    for (;;) pause();
  }
  pid_t started = 0;
  ASSERT_EQ(read(ends[0], &started, sizeof(started)), static_cast<ssize_t>(sizeof(started)));
  const RunningSteps running(directory_ + "/steps");
  running.Add(step, "share/home");
  kill(step, SIGKILL);
  waitpid(step, nullptr, 0);
  const std::vector<RunningSteps::Process> left = running.Left();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(RunningSteps::HolderOf(left[0]), started);
  EXPECT_FALSE(running.HasEnded(left[0]));
  kill(started, SIGKILL);
  EXPECT_TRUE(PollUntil([&] { return running.HasEnded(left[0]); }));
  EXPECT_TRUE(running.Left().empty());
  close(ends[0]);
  close(ends[1]);
}

TEST_F(ExecutorTest, AnAgentThatAsksForTooMuchIsCutOffAndTheNextIsServed) {
  for (int i = 0; i < 400; ++i) {
    Run("hang", absl::Minutes(1));
  }
  EXPECT_TRUE(PollUntil([this] { return lost_ == 1; }));
  EXPECT_TRUE(PollUntil([this] { return ready_ == 2; }));
  EXPECT_EQ(Wait(Run("good")).message(), "done");
}

TEST_F(ExecutorTest, OtherUsersAreNotServed) {
  if (geteuid() != 0) GTEST_SKIP() << "SKIPPED LOUDLY: becoming another user needs root";
  // As if the socket were open to all: who asks is what counts.
  ASSERT_EQ(chmod(Socket().c_str(), 0666), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  const pid_t other = fork();
  if (other == 0) {
    if (setresuid(65534, 65534, 65534) != 0) _exit(2);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    Socket().copy(address.sun_path, sizeof(address.sun_path) - 1);
    char byte = 0;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) _exit(3);
    _exit(read(fd, &byte, 1) == 0 ? 0 : 4);  // closed, and nothing was said
  }
  int status = -1;
  waitpid(other, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Wait(Run("good")).message(), "done") << "the agent's own connection has gone";
}

TEST(CleanTextTest, IsValidUtf8WithinTheLimit) {
  EXPECT_EQ(CleanText("plain\n\ttext", 100), "plain\n\ttext");
  EXPECT_EQ(CleanText("\xc3\xa9\x01\xff\xc3", 100), "\xc3\xa9???");
  EXPECT_EQ(CleanText("\xed\xa0\x80", 100), "???");  // a surrogate
  EXPECT_EQ(CleanText(std::string(50, 'a'), 10), "aaaaaaa...");
  EXPECT_EQ(CleanText("aaaaaa\xc3\xa9zzzz", 10), "aaaaaa...");  // not cut inside a character
  EXPECT_EQ(CleanTail("0123456789abc", 10), "...6789abc");
}

}  // namespace
}  // namespace hostq::agent
