// Goal: whoever reads an explanation knows what, why, since when, who and what to do. Method:
// golden texts at 80 columns. After a change on purpose, look at the new text and put it here.

#include "manager/cli/explain.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manager/cli/event_view.h"
#include "manager/cli/node_view.h"
#include "manager/cli/progress.h"
#include "tests/unit/cli/sample_cluster.h"

namespace hostq::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// 2023-11-14 22:13:20.
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

View At80() { return View{kNow, absl::UTCTimeZone(), 80, 80, false}; }

v1::ExplainCommandResponse Response(const v1::Command& command,
                                    const std::vector<v1::Finding>& findings) {
  v1::ExplainCommandResponse response;
  *response.mutable_command() = command;
  for (const v1::Finding& finding : findings) *response.add_findings() = finding;
  return response;
}

TEST(ExplainTest, ParkedTask) {
  EXPECT_EQ(RenderExplanation(
                Response(testing::ParkedCommand(kNow), {testing::ParkedFinding(kNow)}), "", At80()),
            R"(01jd4n7zq8w3b  create_account on account/example.com, by root, 4m10s ago
2 of 3 tasks finished, 1 stuck.

web2  ADDRESS_OWNED_BY_OTHER_HOST
  What        create_account on account/example.com, task 01jd4n7zq8w3b/web2
  Why         PARKED: failed; waits for a person, or for its node to be mended
  Cause       ADDRESS_OWNED_BY_OTHER_HOST: another host on the network answers
              for the address
  Details     02:42:ac:11:00:05 answers for 203.0.113.10 on eth0
  Since       3m02s (2023-11-14 22:10:18)
  Must act    whoever looks after the network, or another host on it
  Evidence    interface = eth0
              mac       = 02:42:ac:11:00:05
  What to do  find the host with that MAC address and take the address off it,
              or use another address
              then: hostq command retry 01jd4n7zq8w3b
)");
}

TEST(ExplainTest, BackingOffTask) {
  EXPECT_EQ(RenderFinding(testing::QuotaFinding(kNow), At80()),
            R"(web1  QUOTA_SET_NOT_PERMITTED
  What        set_quota on account/example.org, task 01jd4n7zq8w3e/web1
  Why         BACKING_OFF: failed; will be tried again by itself
  Cause       QUOTA_SET_NOT_PERMITTED: the file server does not permit setting
              quotas
  Details     failed 4 times; rquotad on 10.0.0.10 refused to set the quota of
              uid 2001
  Since       1m30s (2023-11-14 22:11:50)
  Must act    whoever looks after the file server
  Evidence    rquotad = 10.0.0.10
              status  = EPERM
  What to do  start rpc.rquotad with -S on the file server (Debian:
              RPCRQUOTADOPTS="-S" in /etc/default/quota, then: systemctl restart
              quotarpc)
              or set the quota on the file server itself:
              hostq account set-quota example.org --quota 20GiB
)");
}

TEST(ExplainTest, BehindNamesTheRoot) {
  v1::Finding finding = testing::ParkedFinding(kNow);
  finding.set_reason(v1::Reason::BEHIND);
  finding.clear_cause();
  finding.clear_evidence();
  finding.clear_remedy();
  finding.clear_summary();
  finding.set_root_task_id("01jd4n7zq8w3a/web2");
  EXPECT_THAT(RenderFinding(finding, At80()),
              HasSubstr("  Root        the task to look at: hostq explain 01jd4n7zq8w3a/web2\n"));
}

TEST(ExplainTest, NothingIsStuckWhileItMoves) {
  EXPECT_EQ(RenderExplanation(
                Response(testing::MovingCommand(kNow), {testing::MovingFinding(kNow)}), "", At80()),
            R"(01jd4n7zq8w3c  create_account on account/moving.example, by root, 4m10s ago
2 of 3 tasks finished. Nothing is stuck: nobody has to do anything.

web1  IN_PROGRESS for 3s
  Why         nothing is wrong: the node is working on it
  Details     step address 203.0.113.10
)");
}

TEST(ExplainTest, NothingIsStuckWhenFinished) {
  EXPECT_EQ(RenderExplanation(
                Response(testing::SucceedingCommand("01jd4n7zq8w3a", kNow).back(), {}), "", At80()),
            "01jd4n7zq8w3a  create_account on account/done.example, by root, 4m40s ago\n"
            "It has finished: SUCCEEDED at 2023-11-14 22:08:52, after 12s.\n"
            "Nothing of it is stuck, there is nothing to do for it.\n");
}

TEST(ExplainTest, FailedCommandSaysWhatFailed) {
  EXPECT_EQ(RenderExplanation(Response(testing::FailedCommand(kNow), {}), "", At80()),
            R"(01jd4n7zq8w3d  create_account on account/failed.example, by root, 4m10s ago
It has finished: FAILED at 2023-11-14 22:11:40, after 2m30s.

web1  FAILED
  Why         UID_TAKEN: the user id belongs to another user on the node
  Details     uid 2001 is "olduser" on web1; skipped by root: web1 is being
              replaced

Every attempt with its steps: hostq command show 01jd4n7zq8w3d
)");
}

TEST(ExplainTest, OneTaskOnly) {
  const v1::ExplainCommandResponse response =
      Response(testing::ParkedCommand(kNow), {testing::ParkedFinding(kNow)});
  EXPECT_THAT(RenderExplanation(response, "web2", At80()), HasSubstr("What to do"));
  EXPECT_THAT(RenderExplanation(response, "web1", At80()),
              HasSubstr("Its task on web1 has finished."));
}

TEST(ExplainTest, EmptyFindingDoesNoHarm) {
  EXPECT_NE(RenderFinding(v1::Finding(), At80()), "");
  EXPECT_NE(RenderExplanation(v1::ExplainCommandResponse(), "", At80()), "");
}

TEST(StuckTest, SameCauseStandsTogether) {
  v1::ListFindingsResponse response;
  *response.add_findings() = testing::QuotaFinding(kNow);
  *response.add_findings() = testing::ParkedFinding(kNow);
  v1::Finding other = testing::QuotaFinding(kNow);
  other.set_node("web2");
  *response.add_findings() = other;
  EXPECT_EQ(RenderStuck(response, At80()),
            R"(QUOTA_SET_NOT_PERMITTED  the file server does not permit setting quotas
  must act: file server; 2 tasks
  web1  BACKING_OFF  1m30s  01jd4n7zq8w3e  set_quota account/example.org
    failed 4 times; rquotad on 10.0.0.10 refused to set the quota of uid 2001
  web2  BACKING_OFF  1m30s  01jd4n7zq8w3e  set_quota account/example.org

ADDRESS_OWNED_BY_OTHER_HOST  another host on the network answers for the address
  must act: network
  web2  PARKED  3m02s  01jd4n7zq8w3b  create_account account/example.com
    02:42:ac:11:00:05 answers for 203.0.113.10 on eth0

What to do about one of them: hostq explain 01jd4n7zq8w3e/web1
)");
}

v1::Finding WaitingFinding() {
  v1::Finding finding = testing::ParkedFinding(kNow);
  finding.set_reason(v1::Reason::EARLIER_STAGE);
  finding.clear_cause();
  finding.set_owner(v1::Finding::NODE);
  finding.set_owner_node("storage1");
  finding.set_root_task_id("01jd4n7zq8w3b/storage1");
  return finding;
}

TEST(ExplainTest, TheNodeAtTheRootMustAct) {
  EXPECT_THAT(RenderFinding(WaitingFinding(), At80()),
              HasSubstr("  Must act    whoever looks after the node storage1\n"));
}

TEST(StuckTest, ConsequenceLeadsToItsRoot) {
  v1::ListFindingsResponse response;
  *response.add_findings() = WaitingFinding();
  const std::string text = RenderStuck(response, At80());
  EXPECT_THAT(text, HasSubstr("  must act: node storage1\n  web2  EARLIER_STAGE"));
  EXPECT_THAT(text, HasSubstr("hostq explain 01jd4n7zq8w3b/storage1\n"));
  // What moves is nothing to do something about.
  v1::ListFindingsResponse all;
  *all.add_findings() = testing::MovingFinding(kNow);
  *all.add_findings() = WaitingFinding();
  EXPECT_THAT(RenderStuck(all, At80()), HasSubstr("hostq explain 01jd4n7zq8w3b/storage1\n"));
}

TEST(StuckTest, OneBrokenFileServerIsOneGroup) {
  v1::ListFindingsResponse response;
  for (int i = 0; i < 200; ++i) {
    v1::Finding finding = testing::QuotaFinding(kNow);
    finding.set_node("web" + std::to_string(i % 50));
    finding.set_reason(i % 3 == 0 ? v1::Reason::PARKED : v1::Reason::BACKING_OFF);
    finding.set_summary("failed " + std::to_string(i) + " times");
    *response.add_findings() = finding;
  }
  const std::string text = RenderStuck(response, At80());
  EXPECT_THAT(text, HasSubstr("  must act: file server; 200 tasks on 50 nodes\n"));
  EXPECT_THAT(text, HasSubstr("  and 175 more\n"));
  EXPECT_EQ(text.find("must act"), text.rfind("must act"));
}

TEST(StuckTest, WhatIsWrongWithANodeHasNoCommand) {
  v1::ListFindingsResponse response;
  v1::Finding& skew = *response.add_findings();
  skew.set_node("web1");
  skew.set_reason(v1::Reason::CLOCK_SKEW);
  skew.set_owner(v1::Finding::NODE);
  skew.set_summary("the clock of web1 differs from the manager's by 1m");
  skew.set_remedy("set the clock");
  skew.set_stuck(true);
  v1::Finding& stale = *response.add_findings();
  stale.set_reason(v1::Reason::SWEEP_STALE);
  stale.set_owner(v1::Finding::MANAGER);
  stale.set_stuck(true);
  const std::string text = RenderStuck(response, At80());
  EXPECT_THAT(text, HasSubstr("  What to do  set the clock\n"));
  EXPECT_THAT(text, HasSubstr("\n  manager  SWEEP_STALE"));
  EXPECT_THAT(text, Not(HasSubstr("hostq explain")));
  EXPECT_THAT(RenderFinding(skew, At80()), HasSubstr("about the node or the manager itself"));
  *response.add_findings() = testing::QuotaFinding(kNow);
  EXPECT_THAT(RenderStuck(response, At80()), HasSubstr("hostq explain 01jd4n7zq8w3e/web1\n"));
}

TEST(EventViewTest, PausesAreNamed) {
  v1::Event event;
  event.set_type(v1::Event::PAUSED);
  event.set_actor("alice");
  event.set_message("kind set_quota: upgrade");
  View view = At80();
  view.width = 0;
  EXPECT_THAT(RenderEvent(event, view), HasSubstr("PAUSED  kind set_quota: upgrade (by alice)"));
  event.set_type(v1::Event::CANCEL_REQUESTED);
  EXPECT_THAT(RenderEvent(event, view), HasSubstr("CANCEL_REQUESTED"));
}

TEST(StuckTest, WhatDidNotFitIsCounted) {
  v1::ListFindingsResponse response;
  *response.add_findings() = testing::QuotaFinding(kNow);
  EXPECT_THAT(RenderStuck(response, At80()), Not(HasSubstr("more")));
  response.set_left_out(7);
  EXPECT_THAT(RenderStuck(response, At80()),
              HasSubstr("\n7 more did not fit into the answer: hostq stuck --node NODE\n"));
}

TEST(StuckTest, ManyOfOneCauseAreCounted) {
  v1::ListFindingsResponse response;
  for (int i = 0; i < 1000; ++i) *response.add_findings() = testing::QuotaFinding(kNow);
  const std::string text = RenderStuck(response, At80());
  EXPECT_THAT(text, HasSubstr("; 1000 tasks\n"));
  EXPECT_THAT(text, HasSubstr("  and 975 more\n"));
}

TEST(StuckTest, NothingIsStuck) {
  EXPECT_EQ(RenderStuck(v1::ListFindingsResponse(), At80()), "Nothing is stuck.\n");
}

TEST(ProgressTest, OneLineATaskThatFits) {
  View narrow = At80();
  narrow.width = 40;
  EXPECT_THAT(RenderProgress(testing::ParkedCommand(kNow), 20, narrow),
              ElementsAre("storage1  SUCCEEDED", "web1      SUCCEEDED",
                          "web2      PARKED        3m02s  ADDRES...",
                          "2 of 3 tasks finished, 4m10s; Ctrl-C ..."));
}

TEST(ProgressTest, FinishedTasksGiveWay) {
  EXPECT_THAT(RenderProgress(testing::MovingCommand(kNow), 2, At80()),
              ElementsAre("web1      RUNNING          3s  address 203.0.113.10",
                          "2 of 3 tasks finished, 4m10s; Ctrl-C ends the waiting, not the work"));
}

TEST(ProgressTest, OnlyWhatChangedIsLogged) {
  const std::vector<v1::Command> states = testing::SucceedingCommand("01jd4n7zq8w3a", kNow);
  EXPECT_EQ(DescribeChanges(v1::Command(), states[0], At80()).size(), 3u);
  EXPECT_THAT(DescribeChanges(states[0], states[0], At80()), ElementsAre());
  EXPECT_THAT(DescribeChanges(states[0], states[1], At80()),
              ElementsAre(" 4m40s  storage1  RUNNING      quota"));
}

TEST(ProgressTest, AnotherAttemptIsAChange) {
  const v1::Command before = testing::QuotaCommand(kNow);
  v1::Command after = before;
  after.mutable_tasks(0)->set_attempt(5);
  EXPECT_EQ(DescribeChanges(before, after, At80()).size(), 1u);
}

TEST(SummaryTest, SaysHowItEndedAndWhatToTypeNext) {
  EXPECT_EQ(RenderSummary(testing::SucceedingCommand("01jd4n7zq8w3a", kNow).back(), At80()),
            "SUCCEEDED  create_account on account/done.example in 12s (01jd4n7zq8w3a)\n");
  EXPECT_EQ(RenderSummary(testing::FailedCommand(kNow), At80()),
            "FAILED  create_account on account/failed.example in 2m30s (01jd4n7zq8w3d)\n"
            "  web1 FAILED, UID_TAKEN: uid 2001 is \"olduser\" on web1; skipped by root: web1\n"
            "  is being replaced\n"
            "what happened: hostq explain 01jd4n7zq8w3d\n");
}

TEST(SummaryTest, TimeoutSaysThatTheWorkGoesOn) {
  const std::string text = RenderTimeout(testing::ParkedCommand(kNow), absl::Seconds(5));
  EXPECT_THAT(text, HasSubstr("not finished after 5s (2 of 3 tasks finished); the work goes on."));
  EXPECT_THAT(text, HasSubstr("hostq explain 01jd4n7zq8w3b\n"));
}

TEST(CommandViewTest, ShowsAttemptsAndStepsWithEvidence) {
  EXPECT_EQ(RenderCommand(testing::ParkedCommand(kNow), At80()),
            R"(Command     01jd4n7zq8w3b
What        create_account on account/example.com
Parameters  domain=example.com user=exampleco address=203.0.113.10 quota=10GiB
State       ACTIVE
Submitted   2023-11-14 22:09:10 (4m10s ago) by root

NODE      STATE      STAGE  ATTEMPT  SINCE  NOW
storage1  SUCCEEDED      0        1  4m08s
web1      SUCCEEDED      1        1  4m06s
web2      PARKED         1        1  3m02s  ADDRESS_OWNED_BY_OTHER_HOST:
                                            02:42:ac:11:00:05 answers for
                                            203.0.113.10 on eth0

web2, attempt 1 at 2023-11-14 22:10:16: ADDRESS_OWNED_BY_OTHER_HOST after 1.2s
  02:42:ac:11:00:05 answers for 203.0.113.10 on eth0
  STEP                  TIME  RESULT
  user                  84ms  changed
  quota                  3ms  was right already
  address 203.0.113.10  1.1s  ADDRESS_OWNED_BY_OTHER_HOST: 02:42:ac:11:00:05
                              answers for 203.0.113.10 on eth0 interface=eth0
                              mac=02:42:ac:11:00:05

why it does not move: hostq explain 01jd4n7zq8w3b
)");
}

// Found by a tester: "runs since 20780d3h".
TEST(CommandViewTest, AttemptThatWasNotBegunSaysWhenItWasSent) {
  v1::Command command = testing::MovingCommand(kNow);
  v1::Task& task = *command.mutable_tasks(1);
  task.set_phase(v1::Task::LEASED);
  task.add_attempts()->set_number(1);
  EXPECT_THAT(RenderCommand(command, At80()),
              HasSubstr("\nweb1, attempt 1: sent at 2023-11-14 22:13:17 (3s ago)\n"));
  task.set_phase(v1::Task::ACCEPTED);
  EXPECT_THAT(RenderCommand(command, At80()), HasSubstr("accepted at 2023-11-14 22:13:17"));
  task.set_phase(v1::Task::UNKNOWN);
  EXPECT_THAT(RenderCommand(command, At80()), HasSubstr("what became of it is not known"));
  // One that ended before it began.
  *task.mutable_attempts(0)->mutable_finish_time() = task.phase_time();
  task.mutable_attempts(0)->set_reason(v1::Reason::INTERRUPTED);
  EXPECT_THAT(RenderCommand(command, At80()), HasSubstr("web1, attempt 1: INTERRUPTED\n"));
}

TEST(CancellationTest, SaysWhatBecameOfEachTask) {
  v1::Command command = testing::MovingCommand(kNow);
  command.mutable_tasks(1)->set_phase(v1::Task::LEASED);
  command.mutable_tasks(2)->set_outcome(v1::Task::CANCELLED);
  v1::Node web1 = testing::CheckedNode(kNow);
  EXPECT_EQ(
      RenderCancellation(command, {web1}, At80()),
      R"(01jd4n7zq8w3c  create_account on account/moving.example: not all of it is cancelled yet
  storage1  SUCCEEDED  had ended before
  web1      LEASED     the node was asked to drop it and has not answered yet
  web2      CANCELLED
what it waits for: hostq explain 01jd4n7zq8w3c
)");
  web1.set_state(v1::Node::OFFLINE);
  command.mutable_tasks(1)->set_phase(v1::Task::RUNNING);
  View wide = At80();
  wide.width = 0;
  EXPECT_THAT(
      RenderCancellation(command, {web1}, wide),
      HasSubstr(
          "it ends after the step it is in; it has been offline for 5h00m and must come back\n"));
  command.set_state(v1::Command::CANCELLED);
  command.mutable_tasks(1)->set_phase(v1::Task::FINISHED);
  command.mutable_tasks(1)->set_outcome(v1::Task::CANCELLED);
  EXPECT_THAT(RenderCancellation(command, {}, At80()), HasSubstr("moving.example: CANCELLED\n"));
}

TEST(CommandViewTest, WarningsAndSkippedStepsAreNotFailures) {
  v1::Command command = testing::ParkedCommand(kNow);
  v1::Step& warning = *command.mutable_tasks(2)->mutable_attempts(0)->add_steps();
  warning.set_name("arp");
  warning.set_warning(true);
  warning.set_reason(v1::Reason::ARP_NOT_SILENCED);
  v1::Step& skipped = *command.mutable_tasks(2)->mutable_attempts(0)->add_steps();
  skipped.set_name("quota-enforced");
  skipped.set_skipped(true);
  skipped.set_message("not a storage node");
  const std::string text = RenderCommand(command, At80());
  EXPECT_THAT(text, HasSubstr("warning ARP_NOT_SILENCED"));
  EXPECT_THAT(text, HasSubstr("skipped: not a storage node"));
}

TEST(NodeViewTest, ChecksAreATable) {
  EXPECT_EQ(RenderChecks(testing::CheckedNode(kNow), At80()),
            R"(Preflight 3m00s ago: 1 ok, 1 warn, 1 FAIL
  CHECK                 FOUND
  kernel-nfs      ok    the kernel knows nfs4
  arp             warn  ARP_NOT_SILENCED: net.ipv4.conf.all.arp_ignore is 0
                        -> on web1: sysctl -w net.ipv4.conf.all.arp_ignore=1
                        net.ipv4.conf.all.arp_announce=2
  quota-set       FAIL  QUOTA_SET_NOT_PERMITTED: rquotad on 10.0.0.10 does not
                        permit setting quotas
                        -> start rpc.rquotad with -S on the file server
                        -> then: hostq node preflight web1
  quota-enforced  skip  not a storage node
)");
}

TEST(NodeViewTest, RemovedNodeKeepsWhatWasPutOnIt) {
  v1::ListSharesResponse shares;
  shares.add_shares()->set_source("203.0.113.1:/chroot/home");
  const std::string text = RenderRemoved("web2", shares);
  EXPECT_THAT(text, HasSubstr("Nothing was undone on web2"));
  EXPECT_THAT(text, HasSubstr(" | xargs -r -n 1 ip addr del dev lo\n"));
  EXPECT_THAT(text, HasSubstr("\n  umount 203.0.113.1:/chroot/home\n"));
  v1::Balancing balancing;
  balancing.add_balancers("lb");
  balancing.add_addresses("203.0.113.10");
  EXPECT_EQ(RenderRemoved("web2", shares, balancing), text);
  EXPECT_THAT(RenderRemoved("lb", shares, balancing),
              HasSubstr("\n  ipvsadm --clear\n  ip -o addr show to 203.0.113.10/32 | "));
}

TEST(NodeViewTest, ListFits80Columns) {
  v1::ListNodesResponse response;
  *response.add_nodes() = testing::CheckedNode(kNow);
  v1::Node& paused = *response.add_nodes();
  paused = testing::CheckedNode(kNow);
  paused.set_name("web2");
  paused.set_state(v1::Node::PAUSED);
  paused.set_paused_by("root");
  paused.set_pause_note("new disk");
  paused.clear_checks();
  EXPECT_EQ(RenderNodes(response, At80()),
            R"(NODE  STATE   SINCE  ROLES  ADDRESS    QUEUED  BUSY  PREFLIGHT
web1  READY   5h00m  app    10.0.0.11       1     0  1 ok, 1 warn, 1 FAIL
web2  PAUSED  5h00m  app    10.0.0.11       1     0
  paused by root: new disk
)");
}

TEST(NodeViewTest, NodeThatNeverJoinedSaysHow) {
  v1::Node node;
  node.set_name("web9");
  node.set_state(v1::Node::PENDING);
  const std::string text = RenderNode(node, At80());
  EXPECT_THAT(text, HasSubstr("hostq node add web9"));
  EXPECT_THAT(text, HasSubstr("hostq node preflight web9 --wait"));
  EXPECT_THAT(text, Not(HasSubstr("1970")));
}

TEST(EventViewTest, OneLineWhereItFitsElseSeveral) {
  v1::Event event;
  event.set_sequence(42);
  event.mutable_time()->set_seconds(1'700'000'000);
  event.set_type(v1::Event::TASK_CHANGED);
  event.set_command_id("01jd4n7zq8w3b");
  event.set_node("web2");
  event.set_attempt(1);
  event.set_from_phase(v1::Task::RUNNING);
  event.set_to_phase(v1::Task::PARKED);
  event.set_reason(v1::Reason::UID_TAKEN);
  event.set_actor("node/web2");
  event.set_message("uid 2001 is \"olduser\"");
  View unlimited = At80();
  unlimited.width = 0;
  EXPECT_EQ(RenderEvent(event, unlimited),
            "    42  2023-11-14 22:13:20  01jd4n7zq8w3b  web2        RUNNING -> PARKED"
            "  UID_TAKEN: uid 2001 is \"olduser\" (attempt 1, by node/web2)\n");
  EXPECT_EQ(RenderEvent(event, At80()),
            "    42  2023-11-14 22:13:20  01jd4n7zq8w3b  web2        RUNNING -> PARKED\n"
            "        UID_TAKEN: uid 2001 is \"olduser\" (attempt 1, by node/web2)\n");
}

}  // namespace
}  // namespace hostq::cli
