// Goal: which files are hooks, and that one which hangs, floods or leaves processes behind harms
// nobody; that a reload is done once for all who wait. Method: real scripts in a directory of the
// test's own, and real processes. Owners need root; without it the tests say loudly that they did
// not run.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "agent/host/evidence.h"
#include "agent/host/processes.h"
#include "agent/host/real_host.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class HostHooksTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) {
      std::fprintf(stderr, "SKIPPED LOUDLY: no root: hooks were NOT tested\n");
      GTEST_SKIP();
    }
    char pattern[] = "/tmp/hostq_hooks_XXXXXX";
    directory_ = mkdtemp(pattern);
    hooks_ = directory_ + "/hooks.d";
    std::filesystem::create_directory(hooks_);
    RealHostOptions options;
    options.state_directory = directory_ + "/state";
    options.run_directory = directory_ + "/run";
    host_ = MakeRealHost(options);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, const std::string& script, mode_t mode = 0755) {
    const std::string path = absl::StrCat(hooks_, "/", name);
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  HookOutcome Run(const std::string& script, absl::Duration timeout = absl::Seconds(20),
                  const std::string& input = "{}\n") {
    const auto outcome = host_->hooks().Run(Write("hook", script), input, timeout);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.value_or(HookOutcome());
  }

  std::string directory_;
  std::string hooks_;
  std::unique_ptr<Host> host_;
};

TEST_F(HostHooksTest, RegularExecutableFilesOfRootInOrderOfNameAndNothingElse) {
  for (const char* name : {"20-mail", "10-nginx", "9", "Z_z", "10-nginx.reload"}) Write(name, "");
  Write("plain", "", 0644);
  Write("group", "", 0775);
  Write("world", "", 0757);
  Write("a~", "");
  Write("b.dpkg-old", "");
  Write("none.reload", "");
  Write("plain.reload", "");
  ASSERT_EQ(chown(Write("foreign", "").c_str(), 1234, 0), 0);
  ASSERT_EQ(symlink("/bin/true", (hooks_ + "/link").c_str()), 0);
  ASSERT_EQ(mkdir((hooks_ + "/folder").c_str(), 0755), 0);
  const auto found = host_->hooks().List(hooks_);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->hooks, ElementsAre("10-nginx", "20-mail", "9", "Z_z"));
  EXPECT_THAT(found->reloads, ElementsAre("10-nginx"));
  std::vector<std::string> ignored, meant;
  for (const auto& one : found->ignored) {
    ignored.push_back(absl::StrCat(one.name, ": ", one.why));
    if (one.meant) meant.push_back(one.name);
  }
  EXPECT_THAT(meant,
              ElementsAre("foreign", "group", "link", "none.reload", "plain.reload", "world"));
  EXPECT_THAT(
      ignored,
      ElementsAre("a~: its name is not of letters, digits, - and _",
                  "b.dpkg-old: its name is not of letters, digits, - and _",
                  "folder: not a regular file", "foreign: owned by uid 1234 instead of root",
                  "group: others may write to it", "link: not a regular file",
                  "none.reload: there is no hook none", "plain: not executable",
                  "plain.reload: there is no hook plain", "world: others may write to it"));
}

TEST_F(HostHooksTest, ADirectoryThatOthersCanChangeIsNotUsed) {
  Write("hook", "");
  EXPECT_TRUE(absl::IsNotFound(host_->hooks().List(directory_ + "/none").status()));
  ASSERT_EQ(chmod(hooks_.c_str(), 0775), 0);
  const absl::Status group = host_->hooks().List(hooks_).status();
  EXPECT_EQ(ReasonOf(group), Reason::kHookDirectoryUnsafe);
  EXPECT_EQ(EvidenceOf(group).at("directory"), hooks_);
  ASSERT_EQ(chmod(hooks_.c_str(), 0755), 0);
  ASSERT_EQ(chown(hooks_.c_str(), 1234, 0), 0);
  EXPECT_EQ(ReasonOf(host_->hooks().List(hooks_).status()), Reason::kHookDirectoryUnsafe);
}

// Who may change what is above it may put another one in its place.
TEST_F(HostHooksTest, ADirectoryThatOthersCanReplaceIsNotUsed) {
  Write("hook", "");
  ASSERT_TRUE(host_->hooks().List(hooks_).ok());
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  const absl::Status replaceable = host_->hooks().List(hooks_).status();
  EXPECT_EQ(ReasonOf(replaceable), Reason::kHookDirectoryUnsafe) << replaceable;
  EXPECT_EQ(EvidenceOf(replaceable).at("directory"), hooks_);
}

TEST_F(HostHooksTest, EnvironmentDirectoryGroupAndInputAreFixed) {
  ASSERT_EQ(setenv("HOSTQ_SECRET", "x", 1), 0);
  const HookOutcome outcome =
      Run("env | grep -v ^PWD= | sort; pwd; cat; cut -d' ' -f5 /proc/$$/stat; echo $$; "
          "ls /proc/$$/fd; echo to stderr >&2; exit 3",
          absl::Seconds(20), "{\"event\": \"created\"}\n");
  EXPECT_EQ(outcome.exit_status, 3);
  EXPECT_FALSE(outcome.timed_out);
  const std::vector<std::string> lines = absl::StrSplit(outcome.output, '\n');
  ASSERT_GE(lines.size(), 7U) << outcome.output;
  EXPECT_EQ(lines[0], "LC_ALL=C");
  EXPECT_EQ(lines[1], "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
  EXPECT_EQ(lines[2], "/");
  EXPECT_EQ(lines[3], "{\"event\": \"created\"}");
  EXPECT_EQ(lines[4], lines[5]) << "not the leader of a process group of its own";
  EXPECT_EQ(lines.back(), "to stderr");
  // 10 is the shell's own: its script.
  EXPECT_EQ(absl::StrJoin(lines.begin() + 6, lines.end() - 1, " "), "0 1 10 2");
}

// Of a step's process it is the step's (agent/executor/step_process.cc).
TEST_F(HostHooksTest, TheTraceOfTheStepIsHandedOnIfItIsOne) {
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  ASSERT_EQ(setenv("TRACEPARENT", trace.c_str(), 1), 0);
  EXPECT_EQ(Run("echo \"$TRACEPARENT\"").output, trace);
  ASSERT_EQ(setenv("TRACEPARENT", "x; rm -rf /", 1), 0);
  EXPECT_EQ(Run("echo \"${TRACEPARENT-none}\"").output, "none");
  ASSERT_EQ(unsetenv("TRACEPARENT"), 0);
  EXPECT_EQ(Run("echo \"${TRACEPARENT-none}\"").output, "none");
}

TEST_F(HostHooksTest, InputThatNobodyReadsHarmsNobody) {
  EXPECT_EQ(Run("exit 0", absl::Seconds(20), std::string(1 << 20, 'x')).exit_status, 0);
}

TEST_F(HostHooksTest, HowItEndedIsTold) {
  EXPECT_EQ(Run("exit 100").exit_status, 100);
  EXPECT_EQ(Run("kill -SEGV $$").signal, SIGSEGV);
  const std::string path = Write("bad", "");
  std::ofstream(path) << "#!/no/such/interpreter\n";
  const auto outcome = host_->hooks().Run(path, "", absl::Seconds(20));
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->exit_status, 127);
  EXPECT_THAT(outcome->output, HasSubstr("cannot be run: No such file or directory"));
}

TEST_F(HostHooksTest, AtItsDeadlineItIsKilledWithAllItsChildren) {
  const absl::Time begin = absl::Now();
  // One child in its group, one that left it for a session of its own and has no parent any more.
  const HookOutcome outcome =
      Run("trap '' TERM INT HUP\necho before\nsleep 971 &\nsetsid sh -c 'sleep 972 & sleep 973' &\n"
          "sleep 974",
          absl::Seconds(1));
  EXPECT_TRUE(outcome.timed_out);
  EXPECT_EQ(outcome.signal, SIGKILL);
  EXPECT_EQ(outcome.output, "before");
  EXPECT_EQ(outcome.stuck_in, "");
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  EXPECT_TRUE(DescendantsOf(getpid()).empty());
}

TEST_F(HostHooksTest, WhatItLeavesBehindIsKilledAndNobodyWaitsForItsOutput) {
  const absl::Time begin = absl::Now();
  const HookOutcome outcome = Run("sleep 981 &\nsetsid sleep 982 &\nsleep 0.2\necho done");
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_EQ(outcome.output, "done");
  EXPECT_EQ(outcome.left_behind, 2);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  EXPECT_TRUE(DescendantsOf(getpid()).empty());
}

TEST_F(HostHooksTest, WhatItClosesDoesNotMatter) {
  EXPECT_EQ(Run("exec >&- 2>&- <&-; sleep 0.2; exit 5").exit_status, 5);
}

TEST_F(HostHooksTest, OfAFloodTheEndIsKept) {
  const HookOutcome outcome = Run("yes 'a line' | head -c 21000000; echo the last words; exit 1");
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_LE(outcome.output.size(), kMaxContainedOutput);
  EXPECT_THAT(outcome.output, EndsWith("a line\nthe last words"));
  const HookOutcome endless = Run("yes", absl::Seconds(1));
  EXPECT_TRUE(endless.timed_out);
  EXPECT_LE(endless.output.size(), kMaxContainedOutput);
}

class ReloadsTest : public HostHooksTest {
 protected:
  // Somebody who has asked waits, in a process of its own, which exits with 0 if that went well, 1
  // if the reload failed, 2 on any other error.
  pid_t Start(const std::string& who, const std::string& log, bool fail = false) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    const auto outcome = host_->reloads().Await(
        "web", who, absl::ZeroDuration(), absl::Seconds(30), [&]() -> absl::Status {
          std::ofstream(log, std::ios::app) << "reload\n";
          absl::SleepFor(absl::Milliseconds(300));
          return fail ? MakeError(absl::StatusCode::kInternal, Reason::kHookReloadFailed, "bad\xff")
                      : absl::OkStatus();
        });
    if (outcome.ok()) _exit(0);
    _exit(ReasonOf(outcome.status()) == Reason::kHookReloadFailed ? 1 : 2);
  }
  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // How many of twenty, who have all asked, end with `status`.
  int Twenty(const std::string& log, bool fail, int status) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(host_->reloads().Ask("web", absl::StrCat("account", i)).ok());
    }
    std::vector<pid_t> all;
    for (int i = 0; i < 20; ++i) all.push_back(Start(absl::StrCat("account", i), log, fail));
    int count = 0;
    for (const pid_t pid : all) count += Wait(pid) == status ? 1 : 0;
    return count;
  }
  static long Lines(const std::string& log) {
    const std::string text = ReadAll(log);
    return std::count(text.begin(), text.end(), '\n');
  }
  absl::StatusOr<ReloadOutcome> Await(const std::string& who, absl::Status result = {},
                                      absl::Duration interval = absl::ZeroDuration()) {
    return host_->reloads().Await("web", who, interval, absl::Seconds(5), [&] {
      ++runs_;
      return result;
    });
  }

  int runs_ = 0;
};

TEST_F(ReloadsTest, OneIsForAllWhoWait) {
  const std::string log = directory_ + "/log";
  EXPECT_EQ(Twenty(log, false, 0), 20);
  EXPECT_EQ(Lines(log), 1);
}

TEST_F(ReloadsTest, WhoAsksMeanwhileGetsTheNextOneTogether) {
  const std::string log = directory_ + "/log";
  ASSERT_TRUE(host_->reloads().Ask("web", "first").ok());
  const pid_t first = Start("first", log);
  while (Lines(log) == 0) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_EQ(Twenty(log, false, 0), 20);
  EXPECT_EQ(Wait(first), 0);
  EXPECT_EQ(Lines(log), 2);
}

TEST_F(ReloadsTest, AFailureIsEverybodysWhoWaited) {
  const std::string log = directory_ + "/log";
  EXPECT_EQ(Twenty(log, true, 1), 20);
  EXPECT_EQ(Lines(log), 1);
}

TEST_F(ReloadsTest, TheNextOneThatSucceedsIsForThoseWhoFailedToo) {
  const absl::Status bad =
      WithEvidence(MakeError(absl::StatusCode::kInternal, Reason::kHookReloadFailed, "bad"),
                   "output", "nginx: [emerg]");
  ASSERT_TRUE(host_->reloads().Ask("web", "a").ok());
  ASSERT_TRUE(host_->reloads().Ask("web", "b").ok());
  EXPECT_EQ(ReasonOf(Await("a", bad).status()), Reason::kHookReloadFailed);
  // The same failure, without another run.
  const absl::Status same = Await("b").status();
  EXPECT_EQ(ReasonOf(same), Reason::kHookReloadFailed);
  EXPECT_EQ(EvidenceOf(same).at("output"), "nginx: [emerg]");
  EXPECT_EQ(runs_, 1);
  ASSERT_TRUE(host_->reloads().Ask("web", "c").ok());
  const auto good = Await("c");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->others, 2);
  EXPECT_TRUE(Await("a")->by_another);
  EXPECT_EQ(runs_, 2);
}

TEST_F(ReloadsTest, WhatIsOnlyAnnouncedIsNotForgottenAndNotCovered) {
  Reloads& reloads = host_->reloads();
  EXPECT_FALSE(*reloads.Announce("web", "a"));
  ASSERT_TRUE(reloads.Ask("web", "b").ok());
  // a's hook is still at it: b's reload may not have seen all of it.
  EXPECT_EQ(Await("b")->others, 0);
  EXPECT_TRUE(*reloads.Announce("web", "a")) << "cut short, and begun again";
  ASSERT_TRUE(reloads.Ask("web", "a").ok());
  EXPECT_FALSE(Await("a")->by_another);
  EXPECT_EQ(runs_, 2);
  EXPECT_FALSE(*reloads.Announce("web", "a"));
  ASSERT_TRUE(reloads.Withdraw("web", "a").ok());
  EXPECT_FALSE(*reloads.Announce("web", "a"));
}

TEST_F(ReloadsTest, TheyKeepTheirInterval) {
  ASSERT_TRUE(host_->reloads().Ask("web", "a").ok());
  const absl::Time begin = absl::Now();
  ASSERT_TRUE(Await("a", {}, absl::Seconds(30)).ok());
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10)) << "the first one need not wait";
  const absl::Time second = absl::Now();
  ASSERT_TRUE(host_->reloads().Ask("web", "a").ok());
  ASSERT_TRUE(Await("a", {}, absl::Milliseconds(700)).ok());
  EXPECT_GT(absl::Now() - second, absl::Milliseconds(500));
}

TEST_F(ReloadsTest, OneThatIsKilledIsTakenOver) {
  const std::string log = directory_ + "/log";
  ASSERT_TRUE(host_->reloads().Ask("web", "a").ok());
  const pid_t pid = Start("a", log);
  while (Lines(log) == 0) absl::SleepFor(absl::Milliseconds(5));
  kill(pid, SIGKILL);
  EXPECT_EQ(Wait(pid), -1);
  ASSERT_TRUE(host_->reloads().Ask("web", "b").ok());
  EXPECT_EQ(Await("b")->others, 1);
}

TEST_F(ReloadsTest, ADamagedStateIsNamed) {
  ASSERT_TRUE(host_->reloads().Ask("web", "a").ok());
  const std::string path = directory_ + "/run/reloads/web.json";
  std::ofstream(path) << "{";
  EXPECT_THAT(std::string(host_->reloads().Ask("web", "a").message()), HasSubstr(path));
}

}  // namespace
}  // namespace hostq::agent
