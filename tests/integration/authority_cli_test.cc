// Goal: what an administrator types about authorities, alarms, bans and approvals is done, shown
// and refused as the reference says. Method: the real hostq at the real hostq-manager.
#include <gmock/gmock.h>
#include <signal.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hostq/v1/alarm_service.pb.h"
#include "hostq/v1/authority_service.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "manager/cli/exit_code.h"
#include "real_manager.h"
#include "real_node.h"

namespace hostq::manager::testing {
namespace {

using hostq::testing::Finished;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class AuthorityCliTest : public ::testing::Test {
 protected:
  AuthorityCliTest() {
    EXPECT_EQ(manager_.Init(), 0) << manager_.program().err();
    EXPECT_TRUE(manager_.Start()) << manager_.program().err();
  }
  // The words after "hostq-agent join" that make the node join.
  static std::vector<std::string> JoinWords(const v1::CreateNodeResponse& response) {
    std::vector<std::string> words = absl::StrSplit(response.join_command(), ' ');
    words.erase(words.begin(), words.begin() + 2);
    return words;
  }
  std::vector<std::string> AddNode(const std::string& name) {
    const auto added = manager_.Json<v1::CreateNodeResponse>(
        absl::StrCat("node add ", name, " --role app --address 192.0.2.1", name.substr(3)));
    return JoinWords(added);
  }
  void Expect(const Finished& run, int code, const std::string& what) {
    EXPECT_EQ(run.exit_code, code) << run.out << run.err;
    EXPECT_THAT(run.out + run.err, HasSubstr(what));
    if (code != 0) {
      EXPECT_EQ(run.out, "") << "a refusal is no output";
    }
  }
  void Refused(const std::string& line, const std::string& reason) {
    SCOPED_TRACE(line);
    Expect(manager_.Hostq(line), cli::kRefused, reason);
  }
  void Usage(const std::string& line, const std::string& what) {
    SCOPED_TRACE(line);
    Expect(manager_.Hostq(line), cli::kUsage, what);
  }

  RealManager manager_;
};

TEST_F(AuthorityCliTest, HelpOfEachShowsAnExample) {
  for (const char* command :
       {"authority show",     "authority prepare",    "authority activate", "authority retire",
        "authority undo",     "alarm list",           "alarm clear",        "node ban",
        "node unban",         "node approve",         "administrator add",  "administrator renew",
        "administrator list", "administrator revoke", "key create",         "key list",
        "key show",           "key rotate",           "key revoke",         "audit list",
        "audit export",       "audit verify",         "audit head"}) {
    const Finished run = manager_.Hostq(absl::StrCat(command, " --help"));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr(absl::StrCat("hostq ", command))) << command;
    EXPECT_EQ(run.err, "") << command;
  }
  for (const char* group : {"authority", "alarm", "administrator", "key", "audit"}) {
    Usage(group, "--help");
    EXPECT_EQ(manager_.Hostq(absl::StrCat(group, " --help")).exit_code, 0);
    Usage(absl::StrCat(group, " nonsense"), "nonsense");
  }
}

TEST_F(AuthorityCliTest, ARotationIsShownStepByStep) {
  Finished run = manager_.Hostq("authority show");
  Expect(run, 0, "next: hostq authority prepare");
  EXPECT_THAT(run.out, AllOf(HasSubstr("ISSUING"), HasSubstr("CN = test hostq authority"),
                             HasSubstr("sha256:")));
  EXPECT_THAT(run.out, Not(HasSubstr("taken back")));
  Refused("authority activate", "WRONG_ROTATION_STEP");
  Refused("authority retire", "WRONG_ROTATION_STEP");
  Refused("authority undo", "WRONG_ROTATION_STEP");
  run = manager_.Hostq("authority prepare");
  Expect(run, 0, "next: hostq authority activate; all nodes trust the next authority");
  EXPECT_THAT(run.out, AllOf(HasSubstr("NEXT"), HasSubstr("the last step (prepare)")));
  Refused("authority prepare", "WRONG_ROTATION_STEP");
  Refused("authority retire", "WRONG_ROTATION_STEP");
  run = manager_.Hostq("authority activate");
  Expect(run, 0, "next: hostq authority retire; nobody uses the old authority");
  EXPECT_THAT(run.out, AllOf(HasSubstr("OLD"), HasSubstr("the last step (activate)")));
  run = manager_.Hostq("authority retire");
  Expect(run, 0, "next: hostq authority prepare");
  EXPECT_THAT(run.out, AllOf(HasSubstr("RETIRED"), HasSubstr("the last step (retire)")));
  for (const char* step : {"RETIRE", "ACTIVATE", "PREPARE"}) {
    const auto undone = manager_.Json<v1::Authority>("authority undo");
    EXPECT_EQ(v1::Authority::Step_Name(undone.next_step()), step);
  }
  EXPECT_EQ(manager_.Json<v1::Authority>("authority show").certificates_size(), 1);
}

TEST_F(AuthorityCliTest, WhoWouldBeLostIsNamed) {
  RealNode node;
  ASSERT_EQ(node.Join(AddNode("web1")), 0) << node.agent().err();
  Expect(manager_.Hostq("authority prepare"), 0,
         "wait: nodes that do not yet trust the next authority, 1: web1");
  Finished run = manager_.Hostq("authority activate");
  Expect(run, cli::kRefused, "AUTHORITY_IN_USE");
  EXPECT_THAT(run.err, AllOf(HasSubstr("web1"), HasSubstr("--force")));
  node.Start();
  EXPECT_TRUE(Eventually([&] {
    return manager_.Json<v1::Authority>("authority show").nodes_not_trusting().empty();
  })) << node.agent().err();
  // Away while it is activated: it does not renew.
  EXPECT_EQ(node.agent().End(SIGTERM), 0);
  Expect(manager_.Hostq("authority activate"), 0,
         "wait: nodes with a certificate of the old authority, 1: web1");
  run = manager_.Hostq("authority retire");
  Expect(run, cli::kRefused, "AUTHORITY_IN_USE");
  EXPECT_THAT(run.err, AllOf(HasSubstr("web1"), HasSubstr("--force")));
  // Its next certificate is of the new authority: that one is not dropped under it.
  const auto again = manager_.Json<v1::CreateNodeResponse>("node rejoin web1");
  // The listeners follow within a second or two.
  EXPECT_TRUE(Eventually([&] { return node.Join(JoinWords(again)) == 0; })) << node.agent().err();
  EXPECT_EQ(manager_.Hostq("authority undo").exit_code, 0);
  run = manager_.Hostq("authority undo");
  Expect(run, cli::kRefused, "AUTHORITY_IN_USE");
  EXPECT_THAT(run.err, AllOf(HasSubstr("web1"), HasSubstr("--force")));
  EXPECT_EQ(manager_.Json<v1::Authority>("authority show").certificates_size(), 2);
  EXPECT_EQ(manager_.Hostq("authority undo --force").exit_code, 0);
  EXPECT_EQ(manager_.Json<v1::Authority>("authority show").certificates_size(), 1);
}

TEST_F(AuthorityCliTest, ForceGoesOnWithoutThem) {
  RealNode node;
  ASSERT_EQ(node.Join(AddNode("web1")), 0) << node.agent().err();
  EXPECT_EQ(manager_.Hostq("authority prepare").exit_code, 0);
  EXPECT_EQ(manager_.Hostq("authority activate --force").exit_code, 0);
  EXPECT_EQ(manager_.Hostq("authority retire --force").exit_code, 0);
  node.Start();
  // It trusts nobody that it meets, and says so.
  EXPECT_TRUE(Eventually([&] {
    return node.agent().err().find("not connected to the manager") != std::string::npos;
  })) << node.agent().err();
  EXPECT_EQ(manager_.Json<v1::Node>("node show web1").state(), v1::Node::OFFLINE);
}

TEST_F(AuthorityCliTest, FilesOfPrepareAreChecked) {
  const std::string junk = manager_.folder().Write("junk", "junk");
  const std::string none = manager_.folder().path() + "/none";
  Usage("authority prepare --certificate " + junk, "--key");
  Usage("authority prepare --key " + junk, "--certificate");
  Usage("authority prepare --certificate", "--certificate");
  for (const std::string& line : {absl::StrCat(" --certificate ", none, " --key ", junk),
                                  absl::StrCat(" --certificate ", junk, " --key ", none)}) {
    const Finished run = manager_.Hostq("authority prepare" + line);
    EXPECT_EQ(run.exit_code, cli::kUsage) << run.err;
    EXPECT_THAT(run.err, HasSubstr(none));
  }
  Refused(absl::StrCat("authority prepare --certificate ", junk, " --key ", junk),
          "not certificates in PEM");
  EXPECT_EQ(manager_.Json<v1::Authority>("authority show").certificates_size(), 1);
}

TEST_F(AuthorityCliTest, ATokenOfAnotherIsAnAlarmUntilItIsCleared) {
  Expect(manager_.Hostq("alarm list"), 0, "No alarms.");
  EXPECT_EQ(manager_.Json<v1::ListAlarmsResponse>("alarm list").alarms_size(), 0);
  Refused("alarm clear token/web1", "UNKNOWN_ALARM");
  Usage("alarm clear", "SUBJECT");
  const std::vector<std::string> words = AddNode("web1");
  RealNode node;
  RealNode thief;
  ASSERT_EQ(node.Join(words), 0) << node.agent().err();
  // One address may join once a second.
  int code = 0;
  EXPECT_TRUE(Eventually([&] { return (code = thief.Join(words)) != 1; })) << thief.agent().err();
  EXPECT_EQ(code, 4) << thief.agent().err();
  EXPECT_THAT(thief.agent().err(), HasSubstr("TOKEN_USED"));
  Finished run = manager_.Hostq("alarm list");
  Expect(run, 0, "token/web1");
  EXPECT_THAT(run.out, AllOf(HasSubstr("TOKEN_MISUSED"), HasSubstr("127.0.0.1"), HasSubstr("->")));
  const auto alarms = manager_.Json<v1::ListAlarmsResponse>("alarm list");
  ASSERT_EQ(alarms.alarms_size(), 1);
  EXPECT_GE(alarms.alarms(0).count(), 1);
  run = manager_.Hostq("stuck");
  EXPECT_THAT(run.out, HasSubstr("TOKEN_MISUSED"));
  Expect(manager_.Hostq("alarm clear token/web1"), 0, "is cleared");
  Expect(manager_.Hostq("alarm list"), 0, "No alarms.");
  Refused("alarm clear token/web1", "UNKNOWN_ALARM");
}

TEST_F(AuthorityCliTest, BanUnbanApprove) {
  AddNode("web1");
  Usage("node ban web1", "--note");
  Usage("node ban --note x", "NAME");
  Refused("node ban nobody --note x", "UNKNOWN_NODE");
  Refused("node unban nobody", "UNKNOWN_NODE");
  Refused("node approve nobody", "UNKNOWN_NODE");
  Refused("node approve web1", "NODE_NOT_JOINED");
  Finished run = manager_.Hostq({"node", "ban", "web1", "--note", std::string(501, 'x')});
  EXPECT_EQ(run.exit_code, cli::kRefused);
  EXPECT_THAT(run.err, HasSubstr("note"));
  run = manager_.Hostq({"node", "ban", "web1", "--note", ""});
  EXPECT_THAT(run.exit_code, AnyOf(cli::kRefused, cli::kUsage));
  EXPECT_EQ(manager_.Json<v1::Node>("node show web1").has_ban_time(), false);

  run = manager_.Hostq({"node", "ban", "web1", "--note", "its disk was stolen"});
  Expect(run, 0, "hostq node rejoin web1");
  EXPECT_THAT(run.out, HasSubstr("hostq node unban web1"));
  run = manager_.Hostq("node show web1");
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("BANNED"), HasSubstr("its disk was stolen"), HasSubstr("alice")));
  EXPECT_THAT(manager_.Hostq("node list").out, HasSubstr("BANNED"));
  Refused("node approve web1", "NODE_BANNED");
  const auto banned = manager_.Json<v1::Node>("node show web1");
  EXPECT_EQ(banned.state(), v1::Node::BANNED);
  EXPECT_EQ(banned.ban_note(), "its disk was stolen");
  Expect(manager_.Hostq("node unban web1"), 0, "is not banned");
  EXPECT_NE(manager_.Json<v1::Node>("node unban web1").state(), v1::Node::BANNED) << "again";
  EXPECT_EQ(manager_.Json<v1::Node>("node ban web1 --note x").state(), v1::Node::BANNED);
}

TEST_F(AuthorityCliTest, SourcesOfATokenAreChecked) {
  Refused("node add web1 --role app --address 192.0.2.11 --source nonsense", "nonsense");
  Refused("node add web1 --role app --address 192.0.2.11 --source 10.0.0.1/8", "10.0.0.");
  Refused("node add web1 --role app --address 192.0.2.11 --source 10.0.0.0/33", "10.0.0.0/33");
  const auto added = manager_.Json<v1::CreateNodeResponse>(
      "node add web1 --role app --address 192.0.2.11 --source 10.0.0.0/8,2001:db8::/32");
  RealNode node;
  EXPECT_EQ(node.Join(JoinWords(added)), 4);
  EXPECT_THAT(node.agent().err(), HasSubstr("SOURCE_NOT_ALLOWED"));
}

TEST_F(AuthorityCliTest, WithoutAManagerEachSaysSo) {
  manager_.program().End(SIGTERM);
  for (const char* line :
       {"authority show", "authority prepare", "authority undo", "alarm list", "alarm clear x/y",
        "node ban web1 --note x", "node unban web1", "node approve web1", "administrator list",
        "key list", "audit list", "audit head"}) {
    SCOPED_TRACE(line);
    Expect(manager_.Hostq(line), cli::kUnreachable, "manager.sock");
  }
}

}  // namespace
}  // namespace hostq::manager::testing
