// Goal: every form of output says the same; what is live leaves the terminal as it was. Method: the
// real hostq at a fake manager, its YAML read by python3-yaml, its screen driven through a pty by
// tests/unit/cli/terminal.py.

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/unit/cli/fake_manager.h"
#include "tests/unit/cli/process.h"
#include "tests/unit/cli/sample_cluster.h"

namespace hostq::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OutputTest : public ::testing::Test {
 protected:
  OutputTest() : directory_("/tmp/hostq-cli-XXXXXX") {
    HOSTQ_CHECK(mkdtemp(directory_.data()) != nullptr);
    socket_ = directory_ + "/manager.sock";
    FillIn(manager_, absl::Now());
    manager_.next_id = kDoneId;
  }
  ~OutputTest() override {
    manager_.Stop();
    std::filesystem::remove_all(directory_);
  }

  Finished Run(const std::string& line) {
    std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    words.insert(words.begin(), HOSTQ_BINARY);
    return RunProcess(words, {{"HOSTQ_SOCKET", socket_}, {"TERM", "xterm"}}, "");
  }
  // A python3 program with hostq in $HOSTQ_BINARY.
  Finished Python(const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {"/usr/bin/python3", "-B"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return RunProcess(
        words, {{"HOSTQ_SOCKET", socket_}, {"HOSTQ_BINARY", HOSTQ_BINARY}, {"TERM", "xterm"}}, "");
  }

  std::string directory_;
  std::string socket_;
  FakeManager manager_;
};

// What a node wrote may hold anything.
TEST_F(OutputTest, YamlIsTheSameDocumentAsJson) {
  manager_.nodes[1].set_pause_note(
      "yes: \"it's\" - {a: b} # no\n\ttab\x7f \xc2\x85 \xe2\x80\xa8 \xef\xbb\xbf \xf0\x9f\x98\x80 "
      "\\n");
  manager_.nodes[1].set_paused_by("null");
  manager_.nodes[1].set_address("1e3");
  manager_.Start(socket_);
  const char* program = R"py(
import json, subprocess, sys, os, yaml
for line in sys.argv[1:]:
    out = {}
    for form in "json", "yaml":
        out[form] = subprocess.run([os.environ["HOSTQ_BINARY"], *line.split(), "--output", form],
                                   capture_output=True, check=True).stdout.decode()
    a, b = json.loads(out["json"]), yaml.safe_load(out["yaml"])
    assert a == b, (line, a, b)
    assert not out["yaml"].startswith("{") and "\n" in out["yaml"], out["yaml"]
    print("same:", line)
)py";
  const Finished result =
      Python({"-c", program, "node list", "node show web1", "account show example.com",
              "command show 01jd4n7zq8w3b", "command list --all", "share list", "overview",
              "explain 01jd4n7zq8w3b"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("same: explain 01jd4n7zq8w3b\n"));
}

TEST_F(OutputTest, YamlOfManyAndOfNothing) {
  manager_.accounts.clear();
  manager_.Start(socket_);
  EXPECT_THAT(Run("account list -o yaml").out, StartsWith("accounts: []\n"));
  const std::string events = Run("events --since 0 -o yaml").out;
  EXPECT_THAT(events, StartsWith("---\nsequence: \"1\"\n"));
  const std::vector<std::string> documents = absl::StrSplit(events, "---\n");
  EXPECT_EQ(documents.size(), 4u);
}

TEST_F(OutputTest, WideHasEverythingOnOneLine) {
  manager_.Start(socket_);
  const Finished narrow = RunProcess({HOSTQ_BINARY, "account", "list"},
                                     {{"HOSTQ_SOCKET", socket_}, {"COLUMNS", "40"}}, "");
  EXPECT_THAT(narrow.out, HasSubstr("\n  STATE      ACTIVE\n"));
  const Finished wide = RunProcess({HOSTQ_BINARY, "account", "list", "--output", "wide"},
                                   {{"HOSTQ_SOCKET", socket_}, {"COLUMNS", "40"}}, "");
  EXPECT_THAT(wide.out, HasSubstr("  10GiB  ACTIVE  203.0.113.10, 2001:db8::10\n"));
}

TEST_F(OutputTest, OverviewAndDoctor) {
  manager_.Start(socket_);
  EXPECT_THAT(Run("overview").out, AllOf(HasSubstr("11 READY, 1 OFFLINE (web2)"),
                                         HasSubstr("Stuck: 2 causes"), HasSubstr("5 + 3")));
  // Once, where there is no screen.
  const Finished top = Run("top");
  EXPECT_EQ(top.exit_code, 0) << top.err;
  EXPECT_THAT(top.out, AllOf(StartsWith("Stuck: 2 causes"), HasSubstr("With the nodes"),
                             Not(HasSubstr("\x1b"))));
  const Finished doctor = Run("doctor");
  EXPECT_EQ(doctor.exit_code, 1);
  EXPECT_EQ(doctor.err, "");
  EXPECT_THAT(doctor.out, AllOf(HasSubstr("disk-free       FAIL  DISK_LOW: 12.0 MiB"),
                                HasSubstr("1 failed, 1 warning")));
  manager_.Stop();
}

TEST_F(OutputTest, DoctorEndsWith0UnlessSomethingFailed) {
  manager_.diagnosis.mutable_checks()->DeleteSubrange(1, 1);
  manager_.Start(socket_);
  const Finished doctor = Run("doctor");
  EXPECT_EQ(doctor.exit_code, 0);
  EXPECT_THAT(doctor.out, HasSubstr("0 failed, 1 warning"));
  EXPECT_EQ(Run("doctor -o json").exit_code, 0);
}

TEST_F(OutputTest, DoctorSaysWhatItSeesWithoutAManager) {
  const std::string config = directory_ + "/manager.toml";
  const Finished nothing = Run(absl::StrCat("doctor --config ", config));
  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_THAT(nothing.out, AllOf(HasSubstr("the manager is not running: there is no socket at"),
                                 HasSubstr("configuration  FAIL"), HasSubstr(config)));
  std::ofstream(config) << "state_dir = \"" << directory_ << "/state\"\n"
                        << "[cluster]\nname = \"c\"\nquorum_address = \"127.0.0.1\"\n";
  const Finished absent = Run(absl::StrCat("doctor --config ", config));
  EXPECT_THAT(absent.out, AllOf(HasSubstr("configuration  ok"), HasSubstr("database       FAIL"),
                                HasSubstr("hostq-manager init")));
  const Finished json = Run(absl::StrCat("doctor -o json --config ", config));
  v1::Diagnosis diagnosis;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json.out, &diagnosis).ok()) << json.out;
  EXPECT_EQ(diagnosis.checks(0).id(), "manager");
  EXPECT_EQ(diagnosis.checks(0).status(), v1::PreflightCheck::FAILED);
}

TEST_F(OutputTest, ErrorsEndWithSomethingToType) {
  for (const char* line : {"node list", "stuck", "overview", "account show a.example"}) {
    EXPECT_THAT(Run(line).err, HasSubstr("hostq doctor")) << line;
  }
  manager_.refusal = MakeError(absl::StatusCode::kFailedPrecondition, Reason::kNone, "not now");
  manager_.Start(socket_);
  EXPECT_EQ(Run("node resume web1").err,
            "hostq: not now\n  how it is used: hostq node resume --help\n");
}

// Elsewhere than on a terminal it is printed again; head ends it.
TEST_F(OutputTest, WatchIsRepeatedInAPipe) {
  manager_.Start(socket_);
  const Finished result =
      RunProcess({"/bin/sh", "-c", absl::StrCat(HOSTQ_BINARY, " overview --watch | head -n 30")},
                 {{"HOSTQ_SOCKET", socket_}}, "");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
  EXPECT_NE(result.out.find("\nManager"), result.out.rfind("\nManager"));
}

TEST_F(OutputTest, ScreensComeAndGo) {
  manager_.Start(socket_);
  const Finished result = Python({HOSTQ_SOURCE_DIR "/tests/unit/cli/terminal.py"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr(" passed, 0 failed\n"));
}

}  // namespace
}  // namespace hostq::testing
