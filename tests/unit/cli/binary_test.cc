// Goal: what scripts and people rely on holds for the program itself: output, errors, exit codes.
// Method: the real hostq as a child process, talking to a fake manager over a real Unix socket.

#include <unistd.h>

#include <algorithm>
#include <thread>

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

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class BinaryTest : public ::testing::Test {
 protected:
  BinaryTest() : directory_("/tmp/hostq-cli-XXXXXX") {
    HOSTQ_CHECK(mkdtemp(directory_.data()) != nullptr);
    socket_ = directory_ + "/manager.sock";
    FillIn(manager_, absl::Now());
    manager_.next_id = kDoneId;
  }
  ~BinaryTest() override {
    manager_.Stop();
    unlink(socket_.c_str());
    rmdir(directory_.c_str());
  }

  static std::vector<std::string> Arguments(const std::string& line) {
    std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    words.insert(words.begin(), HOSTQ_BINARY);
    return words;
  }
  std::map<std::string, std::string> Environment() {
    return {{"HOSTQ_SOCKET", socket_}, {"SUDO_USER", "alice"}, {"TERM", "xterm"}};
  }
  Finished Run(const std::string& line) { return RunProcess(Arguments(line), Environment(), ""); }
  Finished RunThere(const std::string& line, const std::string& input) {
    return RunOnTerminal(Arguments(line), Environment(), input);
  }
  // One JSON document, of this type.
  template <typename Message>
  static Message Parse(const std::string& json) {
    Message message;
    const auto status = google::protobuf::util::JsonStringToMessage(json, &message);
    EXPECT_TRUE(status.ok()) << status << "\n" << json;
    return message;
  }

  static constexpr char kCreate[] =
      "account create done.example --user exampleco --address 203.0.113.10 --quota 10GiB";

  std::string directory_;
  std::string socket_;
  FakeManager manager_;
};

TEST_F(BinaryTest, SubmitsWhatWasTyped) {
  manager_.Start(socket_);
  const Finished result = Run(absl::StrCat(
      kCreate, " --uid 2001 --node web1,web2 --node web3 --request-id r1 --not-after 1h"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "accepted 01jd4n7zq8w3a: create_account on account/done.example, for storage1, web1, "
            "web2\nfollow it: hostq command watch 01jd4n7zq8w3a\n");
  EXPECT_EQ(result.err, "");
  const v1::CreateCommandRequest request = manager_.Created();
  EXPECT_EQ(request.spec().ShortDebugString(),
            "create_account { domain: \"done.example\" user: \"exampleco\" address: "
            "\"203.0.113.10\" quota_bytes: 10737418240 uid: 2001 }");
  EXPECT_THAT(request.nodes(), ::testing::ElementsAre("web1", "web2", "web3"));
  EXPECT_EQ(request.request_id(), "r1");
  EXPECT_NEAR(static_cast<double>(request.not_after().seconds()),
              static_cast<double>(absl::ToUnixSeconds(absl::Now())) + 3600, 30);
  EXPECT_EQ(manager_.Actor(), "alice");
}

// Every submitting command becomes its own kind, with its parameters.
TEST_F(BinaryTest, EveryKindIsSubmitted) {
  manager_.Start(socket_);
  const struct {
    const char* line;
    const char* spec;
  } kRows[] = {
      {"account suspend a.example --note unpaid",
       "suspend_account { domain: \"a.example\" note: \"unpaid\" }"},
      {"account unsuspend a.example", "unsuspend_account { domain: \"a.example\" }"},
      {"account delete a.example --yes", "delete_account { domain: \"a.example\" }"},
      {"account set-quota a.example --quota 512MiB",
       "set_account_quota { domain: \"a.example\" quota_bytes: 536870912 }"},
      {"account add-address a.example 192.0.2.1",
       "add_account_address { domain: \"a.example\" address: \"192.0.2.1\" }"},
      {"account remove-address a.example 192.0.2.1",
       "remove_account_address { domain: \"a.example\" address: \"192.0.2.1\" }"},
      {"share mount home --source s:/chroot/home --at /home --nfs-version 3",
       "mount_share { share: \"home\" source: \"s:/chroot/home\" mount_point: \"/home\" "
       "nfs_version: \"3\" }"},
      {"share unmount home", "unmount_share { share: \"home\" }"},
      {"quota set a.example --size unlimited", "set_quota { domain: \"a.example\" }"},
      {"address bind 192.0.2.1", "bind_address { address: \"192.0.2.1\" }"},
      {"address unbind 192.0.2.1", "unbind_address { address: \"192.0.2.1\" }"},
      {"balancer set --services 443,80 --scheduler rr --persistence 0 --forwarding tunnel",
       "set_balancing { ports: 443 ports: 80 scheduler: \"rr\" persistence_seconds: 0 "
       "forwarding: TUNNEL }"},
      {"balancer weight web1 3", "set_balancing { weights { node: \"web1\" weight: 3 } }"},
      {"node ping web1 --size 3", "ping { payload: \"ppp\" }"},
      {"node preflight web1", "preflight { }"},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(Run(row.line).exit_code, 0) << row.line;
    EXPECT_EQ(manager_.Created().spec().ShortDebugString(), row.spec);
  }
  EXPECT_THAT(manager_.Created().nodes(), ::testing::ElementsAre("web1"));
}

TEST_F(BinaryTest, RepeatedRequestIdIsSaid) {
  manager_.Start(socket_);
  EXPECT_THAT(Run(absl::StrCat(kCreate, " --request-id used-before")).out,
              StartsWith("already accepted 01jd4n7zq8w3a"));
}

TEST_F(BinaryTest, WaitShowsEveryChangeAndSucceeds) {
  manager_.Start(socket_);
  const Finished result = Run(absl::StrCat(kCreate, " --wait"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("  storage1  RUNNING      quota\n"));
  EXPECT_THAT(result.out, HasSubstr("  web2      SUCCEEDED\n"));
  EXPECT_THAT(result.out, HasSubstr("\nSUCCEEDED  create_account on account/done.example in 12s"));
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(manager_.Calls(), Contains("WatchEvents"));
}

TEST_F(BinaryTest, WaitRedrawsOnATerminal) {
  manager_.Start(socket_);
  const Finished result = RunThere(absl::StrCat(kCreate, " --wait"), "");
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("\x1b[4A"));  // three tasks and the line that counts
  EXPECT_THAT(result.out, HasSubstr("\x1b[32mSUCCEEDED\x1b[0m"));
}

TEST_F(BinaryTest, WaitAnnouncesWhatIsStuckAndTimesOut) {
  manager_.next_id = kParkedId;
  manager_.Start(socket_);
  const Finished result = Run(absl::StrCat(kCreate, " --wait --timeout 2500ms"));
  EXPECT_EQ(result.exit_code, 6) << result.err;
  EXPECT_THAT(result.out, HasSubstr("  Cause       ADDRESS_OWNED_BY_OTHER_HOST"));
  EXPECT_THAT(result.out, HasSubstr("then: hostq command retry 01jd4n7zq8w3b\n"));
  EXPECT_THAT(result.out, HasSubstr("not finished after 2s (2 of 3 tasks finished)"));
  EXPECT_THAT(result.out, HasSubstr("hostq explain 01jd4n7zq8w3b\n"));
  // Once, however long it lasts.
  EXPECT_EQ(result.out.find("Must act"), result.out.rfind("Must act"));
}

TEST_F(BinaryTest, WaitEndsWith1IfTheCommandFailed) {
  manager_.next_id = kFailedId;
  manager_.Start(socket_);
  const Finished result = Run(absl::StrCat(kCreate, " --wait"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("web1 FAILED, UID_TAKEN: uid 2001"));
  EXPECT_THAT(result.out, HasSubstr("what happened: hostq explain 01jd4n7zq8w3d\n"));
}

TEST_F(BinaryTest, WaitInJsonPrintsTheFinishedCommandOnly) {
  manager_.Start(socket_);
  const Finished result = Run(absl::StrCat(kCreate, " --wait --output json"));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  const auto command = Parse<v1::Command>(result.out);
  EXPECT_EQ(command.id(), kDoneId);
  EXPECT_EQ(command.state(), v1::Command::SUCCEEDED);
}

TEST_F(BinaryTest, WatchGoesOnWhileTheManagerIsAwayForAMoment) {
  manager_.Start(socket_);
  FakeManager second;
  FillIn(second, absl::Now());
  // Both are asked by one run: the first one stops while it is watched.
  std::thread restart([&] {
    while (manager_.Calls().size() < 3) absl::SleepFor(absl::Milliseconds(20));
    manager_.Stop();
    second.commands[kParkedId] = {FailedCommand(absl::Now())};
    second.Start(socket_);
  });
  const Finished result = Run(absl::StrCat("command watch ", kParkedId, " --timeout 60s"));
  restart.join();
  second.Stop();
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("\nFAILED  create_account"));
}

TEST_F(BinaryTest, JsonIsTheProtosForm) {
  manager_.Start(socket_);
  EXPECT_EQ(Parse<v1::Command>(Run(absl::StrCat(kCreate, " -o json")).out).id(), kDoneId);
  EXPECT_EQ(Parse<v1::Command>(Run("command show 01jd4n7zq8w3b -o json").out).tasks_size(), 3);
  // Paged by two; all pages are one document.
  EXPECT_EQ(Parse<v1::ListCommandsResponse>(Run("command list --all -o json").out).commands_size(),
            5);
  EXPECT_EQ(Parse<v1::ListFindingsResponse>(Run("stuck -o json").out).findings_size(), 2);
  EXPECT_EQ(
      Parse<v1::ExplainCommandResponse>(Run("explain example.com -o json").out).findings_size(), 1);
  EXPECT_EQ(Parse<v1::ListNodesResponse>(Run("node list -o json").out).nodes_size(), 2);
  EXPECT_EQ(Parse<v1::Node>(Run("node show web1 -o json").out).checks_size(), 4);
  EXPECT_EQ(Parse<v1::ListAccountsResponse>(Run("account list -o json").out).accounts_size(), 1);
  EXPECT_EQ(Parse<v1::ListSharesResponse>(Run("share list -o json").out).shares_size(), 1);
  const std::string account = Run("account show example.com -o json").out;
  EXPECT_THAT(account, HasSubstr("\"quotaBytes\": \"10737418240\""));
  EXPECT_THAT(account, HasSubstr("\"state\": \"ACTIVE\""));
  EXPECT_THAT(account, HasSubstr("\"suspendNote\": \"\""));
}

TEST_F(BinaryTest, TablesForPeople) {
  manager_.Start(socket_);
  EXPECT_THAT(Run("stuck").out, StartsWith("ADDRESS_OWNED_BY_OTHER_HOST  another host"));
  EXPECT_THAT(Run("stuck --node web1").out, Not(HasSubstr("web2")));
  EXPECT_THAT(Run("stuck --all").out, HasSubstr("IN_PROGRESS"));
  EXPECT_THAT(Run("explain 01jd4n7zq8w3b/web2").out, HasSubstr("What to do"));
  EXPECT_THAT(Run("explain example.org").out, HasSubstr("QUOTA_SET_NOT_PERMITTED"));
  EXPECT_THAT(Run("command list").out, HasSubstr("4 unfinished commands."));
  EXPECT_THAT(Run("command list --limit 2").out, HasSubstr("there are more: --limit 20"));
  EXPECT_THAT(Run("command show 01jd4n7zq8w3b").out, HasSubstr("was right already"));
  EXPECT_THAT(Run("node list").out, HasSubstr("paused by root: new disk until noon"));
  EXPECT_THAT(Run("node show web1").out, HasSubstr("Unfinished tasks"));
  EXPECT_THAT(Run("account list").out, HasSubstr("203.0.113.10, 2001:db8::10"));
  const std::string account = Run("account show example.com").out;
  EXPECT_THAT(account, StartsWith("example.com is not right on web1: 203.0.113.10 is not on lo\n"
                                  "  -> hostq account resync example.com --apply\n"))
      << "the answer comes first";
  EXPECT_THAT(account, HasSubstr("uid 2001"));
  EXPECT_THAT(account,
              ContainsRegex("web1 +app +READY +wrong +5m0[0-9]s ago +create_account SUCC"));
  EXPECT_THAT(account, HasSubstr("make /bin/bash the shell of exampleco"));
  EXPECT_THAT(account, ContainsRegex("web2 +app +OFFLINE +unknown"));
  EXPECT_THAT(Run("share list").out, HasSubstr("10.0.0.10:/chroot/home"));
  EXPECT_THAT(Run("node add web9 --role app --address 10.0.0.9").out,
              HasSubstr("\n  hostq-agent join --manager 10.0.0.1:7444 --token s3cret\n"));
  EXPECT_THAT(Run("node preflight web1 --wait").out, HasSubstr("quota-enforced  skip"));
}

TEST_F(BinaryTest, DecisionsAreSentAsTyped) {
  manager_.Start(socket_);
  EXPECT_EQ(Run("command retry 01jd4n7zq8w3b/web2").exit_code, 0);
  EXPECT_EQ(manager_.LastRequest(), "id: \"01jd4n7zq8w3b\" node: \"web2\"");
  EXPECT_EQ(Run("command skip 01jd4n7zq8w3b --node web2 --note why").exit_code, 0);
  EXPECT_EQ(manager_.LastRequest(), "id: \"01jd4n7zq8w3b\" node: \"web2\" note: \"why\"");
  EXPECT_EQ(Run("command cancel 01jd4n7zq8w3b -o json").exit_code, 0);
  EXPECT_EQ(manager_.LastRequest(), "id: \"01jd4n7zq8w3b\"");
  EXPECT_EQ(Run("node pause web1 --note disk").exit_code, 0);
  EXPECT_EQ(manager_.LastRequest(), "name: \"web1\" note: \"disk\"");
  EXPECT_EQ(Run("node resume web1").exit_code, 0);
  EXPECT_EQ(Run("node remove web1 --force -o json").exit_code, 0);
  EXPECT_EQ(manager_.LastRequest(), "name: \"web1\" force: true");
  EXPECT_EQ(Run("node add web9 --role storage,app --address 10.0.0.9 --token-ttl 1h").exit_code, 0);
  EXPECT_EQ(manager_.LastRequest(),
            "name: \"web9\" roles: STORAGE roles: APP address: \"10.0.0.9\" token_ttl { seconds: "
            "3600 }");
}

TEST_F(BinaryTest, StuckIsNoErrorUnlessAsked) {
  manager_.Start(socket_);
  EXPECT_EQ(Run("stuck").exit_code, 0);
  EXPECT_EQ(Run("stuck --exit-code").exit_code, 1);
  EXPECT_EQ(Run("stuck --node storage1 --exit-code").exit_code, 0);
}

TEST_F(BinaryTest, EventsAreOneALine) {
  manager_.Start(socket_);
  const Finished result = Run("events");
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 3);
  EXPECT_THAT(result.out, HasSubstr("RUNNING -> PARKED  ADDRESS_OWNED_BY_OTHER_HOST"));
  EXPECT_THAT(Run("events --limit 1").out, StartsWith("     3  "));
  EXPECT_THAT(Run("events --since 1 --command 01jd4n7zq8w3b").out, StartsWith("     2  "));
  const std::string json = Run("events --since 2 -o json").out;
  EXPECT_EQ(Parse<v1::Event>(json).type(), v1::Event::NODE_DISCONNECTED);
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1);
}

TEST_F(BinaryTest, RefusalsSayReasonAndRemedy) {
  manager_.refusal = MakeError(absl::StatusCode::kAlreadyExists, Reason::kAccountExists,
                               "example.com was created before");
  manager_.Start(socket_);
  Finished result = Run("account create example.com --user u --address 192.0.2.1 --quota 1GiB");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "hostq: ACCOUNT_EXISTS: example.com was created before\n"
            "  see it: hostq account show example.com\n");
  result = Run("account create example.com --user u --address 192.0.2.1 --quota 1GiB -o json");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "{\"error\":{\"code\":\"ALREADY_EXISTS\",\"reason\":\"ACCOUNT_EXISTS\",\"message\":"
            "\"example.com was created before\",\"remedy\":\"see it: hostq account show "
            "example.com\"}}\n");
}

TEST_F(BinaryTest, NotAuthorizedIs5) {
  manager_.refusal =
      MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAuthorized, "not you");
  manager_.Start(socket_);
  EXPECT_EQ(Run("node list").exit_code, 5);
}

TEST_F(BinaryTest, OtherErrorsAre7) {
  manager_.refusal =
      MakeError(absl::StatusCode::kUnavailable, Reason::kStoreUnavailable, "disk full");
  manager_.Start(socket_);
  const Finished result = Run("node list");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(result.err, StartsWith("hostq: STORE_UNAVAILABLE: disk full\n"));
}

TEST_F(BinaryTest, UnknownThingsAre3) {
  manager_.Start(socket_);
  for (const char* line :
       {"command show 01jd4n7zq8zzz", "node show nobody", "account show nobody.example",
        "explain nobody.example", "explain 01jd4n7zq8w3b/nobody", "command watch 01jd4n7zq8zzz"}) {
    EXPECT_EQ(Run(line).exit_code, 3) << line;
  }
}

TEST_F(BinaryTest, AbsentManagerIs4AndSaysWhatToLookAt) {
  Finished result = Run("node list");
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.err, HasSubstr("the manager is not running: there is no socket at"));
  EXPECT_THAT(result.err, HasSubstr("systemctl status hostq-manager"));
  // One that was left behind by a manager that died.
  manager_.Start(socket_);
  const std::string kept = socket_ + ".kept";
  HOSTQ_CHECK(link(socket_.c_str(), kept.c_str()) == 0);
  manager_.Stop();
  HOSTQ_CHECK(rename(kept.c_str(), socket_.c_str()) == 0);
  result = Run("node list");
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.err, HasSubstr("nobody answers at the manager's socket"));
  for (const char* line : {"events", "events --follow", "command watch 01jd4n7zq8w3a"}) {
    EXPECT_EQ(Run(line).exit_code, 4) << line;
  }
}

TEST_F(BinaryTest, WrongUsageIs2) {
  Finished result = Run("account create a.example --user u --address 192.0.2.1 --quota 10GB");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("\"10GB\" is not a size"));
  EXPECT_THAT(result.err, HasSubstr("hostq account create --help"));
  result = Run("account nonsense");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, StartsWith("hostq: there is no command \"hostq account nonsense\"\n"));
  result = Run("stuck --nonsense --output json");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, StartsWith("{\"error\":{\"code\":\"INVALID_ARGUMENT\""));
  EXPECT_EQ(Run("").exit_code, 2);
}

// Found by a tester: a script's empty variable, and the dry run was for real.
TEST_F(BinaryTest, AnEmptyValueTakesNoOtherWord) {
  manager_.Start(socket_);
  for (const char* line : {" --request-id= --dry-run", " --note= --dry-run"}) {
    const Finished result = Run(absl::StrCat(kCreate, line));
    EXPECT_EQ(result.exit_code, 2) << line;
    EXPECT_EQ(result.out, "") << line;
  }
  const Finished result = Run(absl::StrCat(kCreate, " --request-id= --dry-run"));
  EXPECT_THAT(result.err, StartsWith("hostq: --request-id has no value"));
}

TEST_F(BinaryTest, WrongSizesHaveTheirReason) {
  for (const char* size : {"foo", "1GB", "-1", "1.5GiB"}) {
    const std::string line =
        absl::StrCat("account create a.example --user u --address 192.0.2.1 --quota ", size);
    Finished result = Run(line);
    EXPECT_EQ(result.exit_code, 2) << size;
    EXPECT_THAT(result.err, StartsWith(absl::StrCat("hostq: INVALID_SIZE: --quota: \"", size,
                                                    "\" is not a size")));
    EXPECT_THAT(result.err, HasSubstr("\n  use a size such as 512MiB"));
    result = Run(line + " -o json");
    EXPECT_EQ(result.exit_code, 2) << size;
    EXPECT_THAT(result.err, HasSubstr("\"reason\":\"INVALID_SIZE\""));
    EXPECT_THAT(result.err, HasSubstr("\"remedy\":\"use a size such as 512MiB"));
  }
}

TEST_F(BinaryTest, UsageErrorsSayWhatIsWrongAndWhatHelps) {
  const struct {
    const char* line;
    const char* error;
  } kRows[] = {
      {"account create -a.com --user u --address 192.0.2.1 --quota 1GiB",
       "hostq: \"hostq account create\" has no option \"-a.com\"\n"
       "  see its options: hostq account create --help\n"
       "  a value that begins with a hyphen comes last, after --\n"},
      {"account create a.com --user u --address 192.0.2.1 --quta 1GiB",
       "hostq: \"hostq account create\" has no option \"--quta\"\n  did you mean --quota?\n"},
      {"acount list",
       "hostq: there is no command \"hostq acount\"\n  did you mean hostq account?\n"},
      {"node lst",
       "hostq: there is no command \"hostq node lst\"\n  did you mean hostq node list?\n"},
      {"account create --bogus",
       "hostq: \"hostq account create\" has no option \"--bogus\"\n"
       "  see its options: hostq account create --help\n"},
      {"--bogus node list", "hostq: \"hostq node list\" has no option \"--bogus\"\n"},
      {"account create a.com --user u --address 192.0.2.1 --quota=",
       "hostq: --quota has no value: wanted is --quota SIZE\n"},
      {"account create a.com --address 192.0.2.1 --quota 1GiB --user=",
       "hostq: --user has no value: wanted is --user NAME\n"},
      {"account create a.com --user u --address 192.0.2.1 --quota 1GiB --uid 0",
       "hostq: --uid: \"0\" is not the user id of an account: use a number above 0, or leave it "
       "out\n"},
      {"share list more", "hostq: \"more\" is one argument too many for \"hostq share list\"\n"},
  };
  for (const auto& row : kRows) {
    const Finished result = Run(row.line);
    EXPECT_EQ(result.exit_code, 2) << row.line;
    EXPECT_THAT(result.err, StartsWith(row.error)) << row.line;
  }
  EXPECT_THAT(Run("share list --bogus -o json").err,
              HasSubstr("\"remedy\":\"see its options: hostq share list --help\""));
  EXPECT_THAT(Run("account show -o json").err,
              HasSubstr("\"remedy\":\"see: hostq account show --help\""));
}

TEST_F(BinaryTest, OwnRemedyOfARefusalIsShownAsItIs) {
  manager_.refusal = WithRemedy(
      MakeError(absl::StatusCode::kFailedPrecondition, Reason::kNoTargets, "nodes: none"),
      "add ADDRESS");
  manager_.Start(socket_);
  EXPECT_EQ(Run("address bind 192.0.2.1").err,
            "hostq: NO_TARGETS: nodes: none\n"
            "  add ADDRESS\n"
            "  how it is used: hostq address bind --help\n");
}

TEST_F(BinaryTest, CancelAndRemoveSayWhatIsLeft) {
  manager_.Start(socket_);
  EXPECT_THAT(Run("command cancel 01jd4n7zq8w3c").out, HasSubstr("not all of it is cancelled yet"));
  EXPECT_THAT(Run("node remove web1 --force").out,
              HasSubstr("\n  umount 10.0.0.10:/chroot/home\n"));
}

TEST_F(BinaryTest, HelpVersionAndCompletionNeedNoManager) {
  EXPECT_THAT(Run("--help").out, HasSubstr("Exit codes:"));
  EXPECT_THAT(Run("account create --help").out, HasSubstr("\nExamples:\n"));
  EXPECT_THAT(Run("--version").out, StartsWith("hostq "));
  EXPECT_THAT(Run("completion bash").out, HasSubstr("complete -F _hostq hostq"));
  EXPECT_THAT(Run("completion bash").out, HasSubstr("--output|-o) echo 'table"));
  EXPECT_THAT(Run("completion zsh").out, StartsWith("#compdef hostq\n"));
  EXPECT_THAT(Run("man").out, HasSubstr(".TH HOSTQ 1"));
}

TEST_F(BinaryTest, DeleteAsksOnATerminalAndRefusesElsewhere) {
  manager_.Start(socket_);
  EXPECT_EQ(Run("account delete example.com").exit_code, 2);
  EXPECT_THAT(manager_.Calls(), Not(Contains("CreateCommand")));
  const Finished no = RunThere("account delete example.com", "n\n");
  EXPECT_EQ(no.exit_code, 7);
  EXPECT_THAT(no.out, HasSubstr("Delete example.com (user exampleco, home /home/exampleco)"));
  EXPECT_THAT(manager_.Calls(), Not(Contains("CreateCommand")));
  EXPECT_EQ(RunThere("account delete example.com", "y\n").exit_code, 0);
  EXPECT_EQ(manager_.Created().spec().delete_account().domain(), "example.com");
}

TEST_F(BinaryTest, FullDiskIsAnError) {
  manager_.Start(socket_);
  const Finished result = RunProcess(
      {"/bin/sh", "-c", absl::StrCat(HOSTQ_BINARY, " node list >/dev/full")}, Environment(), "");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(result.err, HasSubstr("cannot write to standard output"));
}

}  // namespace
}  // namespace hostq::testing
