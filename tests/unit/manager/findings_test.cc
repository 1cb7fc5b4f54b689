// Each reason why a task does not move is provoked, and only then named.
#include "manager/domain/findings.h"

#include <gtest/gtest.h>

#include "common/base/id.h"
#include "queue_harness.h"

namespace hostq::manager {
namespace {

Finding Of(QueueHarness& h, CommandId id, const std::string& node) {
  const Command* command = h.queue.Find(id);
  EXPECT_NE(command, nullptr);
  return *Explain(h.queue, *command, *command->FindTask(node), h.now);
}

TEST(FindingsTest, NodeThatNeverJoinedIsNamed) {
  QueueHarness h;
  NodeState node;
  node.name = "web1";
  (void)h.Do([&](Changes& out) {
    h.queue.SetNode(node, h.now, out);
    return absl::OkStatus();
  });
  const Finding finding = Of(h, h.Submit("a/x", {{"web1", 0}}), "web1");
  EXPECT_EQ(finding.reason, Reason::kNodeNotJoined);
  EXPECT_TRUE(finding.stuck);
}

TEST(FindingsTest, OfflineNodeSinceItLeft) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  h.Disconnect("web1");
  const absl::Time left = h.now.wall;
  h.Advance(absl::Minutes(3));
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  const Finding finding = Of(h, id, "web1");
  EXPECT_EQ(finding.reason, Reason::kNodeOffline);
  EXPECT_EQ(finding.since, left);
  EXPECT_EQ(finding.owner, Owner::kNode);
  EXPECT_NE(finding.summary.find("3m00s"), std::string::npos) << finding.summary;
  EXPECT_NE(finding.remedy.find("on web1"), std::string::npos) << finding.remedy;
}

TEST(FindingsTest, PausedUnreadyFullAndUnknownKind) {
  QueueHarness h;
  h.AddNode("web1", false);
  h.Connect("web1", 1);
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kNodeNotReady);
  h.AddNode("web1", true);
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kInProgress);
  const CommandId waits = h.Submit("a/y", {{"web1", 0}});
  const Finding full = Of(h, waits, "web1");
  EXPECT_EQ(full.reason, Reason::kNoCredit);
  EXPECT_EQ(full.evidence.at("working_on"), "a a/x");
  EXPECT_FALSE(full.stuck);
  const CommandId unknown = h.Submit("a/z", {{"web1", 0}}, {.kind = "new_kind"});
  EXPECT_EQ(Of(h, unknown, "web1").reason, Reason::kUnsupportedKind);
  NodeState node = *h.queue.FindNode("web1");
  node.paused = true;
  node.paused_by = "anna";
  node.pause_note = "new disk";
  (void)h.Do([&](Changes& out) {
    h.queue.SetNode(node, h.now, out);
    return absl::OkStatus();
  });
  const Finding paused = Of(h, waits, "web1");
  EXPECT_EQ(paused.reason, Reason::kNodePaused);
  EXPECT_EQ(paused.evidence.at("note"), "new disk");
}

TEST(FindingsTest, BehindNamesTheRootThroughTheWholeChain) {
  QueueHarness h;
  for (const char* node : {"storage1", "web1"}) {
    h.AddNode(node);
    h.Connect(node);
  }
  const CommandId root = h.Submit("account/x", {{"storage1", 0}});
  h.Result(h.LeaseOf(root, "storage1"), Reason::kUidTaken);
  const CommandId staged = h.Submit("account/x", {{"storage1", 0}, {"web1", 1}});
  const CommandId last = h.Submit("account/x", {{"web1", 0}});
  const Finding behind = Of(h, last, "web1");
  EXPECT_EQ(behind.reason, Reason::kBehind);
  EXPECT_EQ(behind.root_task, TaskIdOf(root, "storage1"));
  EXPECT_TRUE(behind.stuck);
  EXPECT_EQ(behind.owner, InfoOf(Reason::kUidTaken).owner);
  EXPECT_NE(behind.summary.find("UID_TAKEN"), std::string::npos) << behind.summary;
  EXPECT_NE(behind.remedy.find(FormatId(root)), std::string::npos) << behind.remedy;
  EXPECT_EQ(Of(h, staged, "web1").reason, Reason::kEarlierStage);
}

// Found by a tester: the node of the task that waits was named, and it can do nothing.
TEST(FindingsTest, WhoWaitsNamesTheNodeAtTheRoot) {
  QueueHarness h;
  for (const char* node : {"storage1", "web1"}) {
    h.AddNode(node);
    h.Connect(node);
  }
  h.Disconnect("storage1");
  const CommandId staged = h.Submit("account/x", {{"storage1", 0}, {"web1", 1}});
  const CommandId last = h.Submit("account/x", {{"web1", 0}});
  const Finding root = Of(h, staged, "storage1");
  EXPECT_EQ(root.owner, Owner::kNode);
  EXPECT_EQ(root.owner_node, "storage1");
  const Finding stage = Of(h, staged, "web1");
  EXPECT_EQ(stage.reason, Reason::kEarlierStage);
  EXPECT_EQ(stage.owner, Owner::kNode);
  EXPECT_EQ(stage.owner_node, "storage1");
  // A dry run has no id that anyone could look up.
  EXPECT_NE(stage.summary.find("its own task on storage1"), std::string::npos) << stage.summary;
  const Finding behind = Of(h, last, "web1");
  EXPECT_EQ(behind.reason, Reason::kBehind);
  EXPECT_EQ(behind.owner_node, "storage1");
}

TEST(FindingsTest, CausesStandBeforeWhatOnlyWaitsForThem) {
  QueueHarness h;
  for (const char* node : {"storage1", "web1"}) {
    h.AddNode(node);
    h.Connect(node);
  }
  const CommandId staged = h.Submit("account/x", {{"storage1", 0}, {"web1", 1}});
  h.Advance(absl::Seconds(1));
  // Now it is younger than the task that waits for it.
  h.Result(h.LeaseOf(staged, "storage1"), Reason::kUidTaken);
  const std::vector<Finding> stuck = ExplainAll(h.queue, h.now, false);
  ASSERT_EQ(stuck.size(), 2u);
  EXPECT_LT(stuck[1].since, stuck[0].since);
  EXPECT_EQ(stuck[0].node, "storage1");
  EXPECT_EQ(stuck[1].reason, Reason::kEarlierStage);
  EXPECT_EQ(stuck[1].owner_node, "storage1");
}

TEST(FindingsTest, BackingOffAndParkedTellTheCauseAndItsRemedy) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("account/x", {{"web1", 0}});
  h.Result(h.LeaseOf(id, "web1"), Reason::kQuotaSetNotPermitted);
  const Finding environment = Of(h, id, "web1");
  EXPECT_EQ(environment.reason, Reason::kParked);
  EXPECT_EQ(environment.cause, Reason::kQuotaSetNotPermitted);
  EXPECT_EQ(environment.owner, Owner::kFileServer);
  EXPECT_TRUE(environment.stuck);
  EXPECT_NE(environment.remedy.find("-S"), std::string::npos);
  const CommandId other = h.Submit("account/y", {{"web1", 0}});
  h.Result(h.LeaseOf(other, "web1"), Reason::kUidTaken);
  const Finding parked = Of(h, other, "web1");
  EXPECT_EQ(parked.reason, Reason::kParked);
  EXPECT_EQ(parked.cause, Reason::kUidTaken);
  EXPECT_NE(parked.remedy.find("hostq command retry " + FormatId(other)), std::string::npos)
      << parked.remedy;
}

// Found in the lab: "find the host with that 02:00:... address".
TEST(FindingsTest, RemedyFillsInPlaceholdersAndLeavesOtherCapitalsAlone) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("address/203.0.113.9", {{"web1", 0}});
  h.Result(h.LeaseOf(id, "web1"), Reason::kAddressOwnedByOtherHost,
           {{"mac", "02:00:00:00:00:01"}, {"interface", "eth7"}});
  const Finding taken = Of(h, id, "web1");
  EXPECT_NE(taken.remedy.find("that MAC address"), std::string::npos) << taken.remedy;
  EXPECT_EQ(taken.evidence.at("mac"), "02:00:00:00:00:01");
  (void)h.Do([&](Changes& out) { return h.queue.Retry(id, "", "x", h.now, out); });
  h.Result(h.LeaseOf(id, "web1"), Reason::kAddressOnOtherInterface, {{"interface", "eth7"}});
  EXPECT_NE(Of(h, id, "web1").remedy.find("ip addr del 203.0.113.9 dev eth7"), std::string::npos)
      << Of(h, id, "web1").remedy;
}

TEST(FindingsTest, EachPhaseWithTheNodeHasItsThreshold) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kInProgress);
  h.Advance(absl::Seconds(11));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kNotAccepted);
  h.Accept(h.LeaseOf(id, "web1"));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kInProgress);
  h.Advance(absl::Seconds(61));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kNotStarted);
  h.Progress(h.LeaseOf(id, "web1"));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kInProgress);
  h.Advance(absl::Seconds(61));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kNoProgress);
  h.Advance(absl::Minutes(5));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kOverdue);
  h.Progress(h.LeaseOf(id, "web1"), true);
  const Finding wedged = Of(h, id, "web1");
  EXPECT_EQ(wedged.reason, Reason::kWedged);
  EXPECT_EQ(wedged.evidence.at("pid"), "42");
}

TEST(FindingsTest, CancellationThatDoesNotTakeEffectIsNamed) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  h.Accept(h.LeaseOf(id, "web1"));
  (void)h.Do([&](Changes& out) { return h.queue.Cancel(id, "admin", h.now, out); });
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kCancelUnseen);
  h.Progress(h.LeaseOf(id, "web1"));
  h.Advance(absl::Seconds(11));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kCancelUndone);
  EXPECT_FALSE(Of(h, id, "web1").stuck) << "the step it is in must end first";
  h.Advance(absl::Seconds(50));
  EXPECT_TRUE(Of(h, id, "web1").stuck);
}

TEST(FindingsTest, CancellationThatTheNodeHasNotAnsweredIsNamedAtOnce) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  (void)h.Do([&](Changes& out) { return h.queue.Cancel(id, "admin", h.now, out); });
  const Finding unseen = Of(h, id, "web1");
  EXPECT_EQ(unseen.reason, Reason::kCancelUnseen);
  EXPECT_FALSE(unseen.stuck);
  EXPECT_EQ(unseen.owner_node, "web1");
  h.Advance(absl::Seconds(11));
  EXPECT_TRUE(Of(h, id, "web1").stuck);
  h.Disconnect("web1");
  const Finding offline = Of(h, id, "web1");
  EXPECT_EQ(offline.reason, Reason::kNodeOffline);
  EXPECT_EQ(offline.owner, Owner::kNode);
  EXPECT_NE(offline.summary.find("cancellation was asked for"), std::string::npos)
      << offline.summary;
}

// A heartbeat that lay in a socket while a cable was out is old, and the node's clock is right.
TEST(FindingsTest, AMessageThatTravelledLongIsNoWrongClock) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const uint64_t session = h.queue.FindNode("web1")->session;
  h.queue.Heard("web1", session, absl::Seconds(-8), 0, h.now);
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty()) << "one message proves nothing";
  h.queue.Heard("web1", session, absl::ZeroDuration(), 0, h.now);
  for (int i = 0; i < 5; ++i) h.queue.Heard("web1", session, absl::Seconds(-8 + i), 0, h.now);
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty()) << "it was right once within the last six";
  h.queue.Heard("web1", session, absl::Seconds(7), 0, h.now);
  ASSERT_EQ(ExplainNodes(h.queue, h.now).size(), 1u) << "no delay makes a clock look early";
}

TEST(FindingsTest, NodesWithWrongClocksOldCertificatesOrResultsLeftAreNamed) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const NodeState& node = *h.queue.FindNode("web1");
  h.Advance(absl::Seconds(1));
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty());
  for (int i = 0; i < 6; ++i) {
    h.queue.Heard("web1", node.session, absl::Seconds(-6), 3, h.now);
  }
  h.Advance(absl::Seconds(31));
  std::vector<Finding> findings = ExplainNodes(h.queue, h.now);
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[0].reason, Reason::kSweepStale) << "31 s between two ticks";
  EXPECT_EQ(findings[1].reason, Reason::kClockSkew);
  EXPECT_EQ(findings[1].node, "web1");
  EXPECT_EQ(findings[2].reason, Reason::kResultUnacknowledged);
  EXPECT_EQ(findings[2].evidence.at("results"), "3");
  h.queue.Heard("web1", node.session, absl::Seconds(1), 0, h.now);
  for (int i = 0; i < 61; ++i) h.Advance(absl::Seconds(1));
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty());

  HelloFacts hello;
  hello.node = "web1";
  hello.session = 99;
  hello.certificate_start_time = h.now.wall - absl::Hours(21);
  hello.certificate_expire_time = h.now.wall + absl::Hours(9);
  Changes out;
  ASSERT_TRUE(h.queue.Connect(hello, h.now, out).ok());
  h.Take(std::move(out));
  findings = ExplainNodes(h.queue, h.now);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].reason, Reason::kCertificateExpiring);
  EXPECT_EQ(findings[0].since, hello.certificate_expire_time - absl::Hours(10));
}

NodeState Unready(const char* message) {
  NodeState node;
  node.name = "web1";
  node.joined = true;
  node.failed_checks = {
      {"check/arp", Reason::kArpNotSilenced, message, absl::FromUnixSeconds(5)},
      {"check/tools", Reason::kToolMissing, "no exportfs", absl::FromUnixSeconds(5), "install it"},
      {"check/more", Reason::kToolMissing, "no setquota", absl::FromUnixSeconds(5)}};
  return node;
}

// Somebody who looks why a task does not move, or whether a node works, is told which checks fail.
TEST(FindingsTest, WhatKeepsANodeOutIsNamed) {
  QueueHarness h;
  const auto set = [&h](const NodeState& node) {
    Changes out;
    h.queue.SetNode(node, h.now, out);
    h.Take(std::move(out));
  };
  set(Unready("on eth0"));
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  const Finding finding = Of(h, id, "web1");
  EXPECT_EQ(finding.reason, Reason::kNodeNotReady);
  EXPECT_EQ(finding.cause, Reason::kArpNotSilenced);
  EXPECT_EQ(finding.summary,
            "node web1 has not passed its preflight; what fails: arp (ARP_NOT_SILENCED), tools "
            "(TOOL_MISSING), more (TOOL_MISSING)");
  EXPECT_EQ(finding.owner, InfoOf(Reason::kArpNotSilenced).owner);
  std::vector<Finding> findings = ExplainNodes(h.queue, h.now);
  ASSERT_EQ(findings.size(), 2u) << "each reason once";
  EXPECT_EQ(findings[1].remedy, "install it") << "it knows what was seen there";
  EXPECT_EQ(findings[0].reason, Reason::kArpNotSilenced);
  EXPECT_EQ(findings[0].resource_key, "check/arp");
  EXPECT_EQ(findings[0].summary, "check arp: on eth0; web1 gets no work until that is mended");
  EXPECT_EQ(findings[0].since, absl::FromUnixSeconds(5));
  EXPECT_EQ(findings[0].remedy.find("NODE"), std::string::npos) << findings[0].remedy;
  NodeState ready = Unready("");
  ready.admitted = true;
  ready.failed_checks.clear();
  set(ready);
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty());
}

TEST(FindingsTest, ANodeThatWaitsForItsAccountsInVainIsNamed) {
  QueueHarness h;
  NodeState node;
  node.name = "web1";
  node.joined = node.admitted = node.awaits_accounts = true;
  Changes out;
  h.queue.SetNode(node, h.now, out);
  h.Take(std::move(out));
  h.Connect("web1");
  const CommandId id = h.Submit("node/web1", {{"web1", 0}}, {.kind = "resync_node"});
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty()) << "they are on their way";
  (void)h.Do([&](Changes& cancelled) { return h.queue.Cancel(id, "admin", h.now, cancelled); });
  const std::vector<Finding> findings = ExplainNodes(h.queue, h.now);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].reason, Reason::kAccountsAwaited);
  EXPECT_NE(findings[0].remedy.find("hostq node resync web1 --apply"), std::string::npos);
}

// Nobody waits for it yet; somebody will.
TEST(FindingsTest, AnAbsentNodeIsNamedThoughNoCommandWaits) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  h.Disconnect("web1");
  h.Advance(absl::Seconds(20));
  const auto reasons = [&h] {
    std::vector<Reason> seen;
    for (const Finding& finding : ExplainNodes(h.queue, h.now)) {
      if (finding.reason != Reason::kSweepStale) seen.push_back(finding.reason);
    }
    return seen;
  };
  EXPECT_TRUE(reasons().empty()) << "it may have been restarted";
  h.Advance(absl::Seconds(20));
  EXPECT_EQ(reasons(), std::vector<Reason>{Reason::kNodeOffline});
  NodeState paused;
  paused.name = "web1";
  paused.joined = paused.admitted = paused.paused = true;
  Changes out;
  h.queue.SetNode(paused, h.now, out);
  h.Take(std::move(out));
  EXPECT_TRUE(reasons().empty()) << "somebody may have switched it off";
}

// What the node's own preflight finds: nothing puts that back.
TEST(FindingsTest, AFailingCheckOfANodeThatWorksIsNamed) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  DriftFacts drift;
  drift.repairs = true;
  drift.open = {{"check/arp", Reason::kArpNotSilenced, "on eth0", h.now.wall}};
  Changes out;
  h.queue.Drifted("web1", h.queue.FindNode("web1")->session, drift, h.now, out);
  h.Take(std::move(out));
  const std::vector<Finding> findings = ExplainNodes(h.queue, h.now);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].reason, Reason::kArpNotSilenced);
  EXPECT_EQ(findings[0].summary, "check arp: on eth0; it is looked at again and again");
}

HelloFacts HelloOf(const std::string& process, uint64_t session) {
  HelloFacts hello;
  hello.node = "web1";
  hello.session = session;
  hello.process = process;
  hello.credits = 8;
  hello.kinds = {"a"};
  return hello;
}

void Connect(QueueHarness& h, const HelloFacts& hello) {
  Changes out;
  ASSERT_TRUE(h.queue.Connect(hello, h.now, out).ok());
  h.Take(std::move(out));
}

// It was NODE_OFFLINE, and what to do was to look at the agent, which was well.
TEST(FindingsTest, NodeWhoseCertificateHasExpiredIsNotJustOffline) {
  QueueHarness h;
  h.AddNode("web1");
  HelloFacts hello = HelloOf("1", 1);
  hello.certificate_expire_time = h.now.wall + absl::Minutes(1);
  Connect(h, hello);
  h.Disconnect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kNodeOffline);
  h.Advance(absl::Minutes(2));
  const Finding expired = Of(h, id, "web1");
  EXPECT_EQ(expired.reason, Reason::kCertificateExpired);
  EXPECT_EQ(expired.since, hello.certificate_expire_time);
  EXPECT_NE(expired.remedy.find("hostq node rejoin web1"), std::string::npos) << expired.remedy;
}

// Whoever looked while it was tried again was told that nothing is wrong.
TEST(FindingsTest, WhatFailedBeforeIsSaidWhileItIsTriedAgain) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_EQ(Of(h, id, "web1").cause, Reason::kNone);
  h.Result(h.LeaseOf(id, "web1"), Reason::kStepCrashed);
  for (int i = 0; i < 2; ++i) h.Advance(absl::Seconds(1));
  const Finding again = Of(h, id, "web1");
  EXPECT_EQ(again.reason, Reason::kInProgress);
  EXPECT_EQ(again.cause, Reason::kStepCrashed);
  EXPECT_FALSE(again.stuck);
  EXPECT_NE(again.summary.find("attempt 1 failed"), std::string::npos) << again.summary;
}

TEST(FindingsTest, NodeThatCallsAnOldAddressOfTheManager) {
  QueueHarness h;
  h.AddNode("web1");
  NodeState node = *h.queue.FindNode("web1");
  node.old_manager_address = "10.0.0.1:7443";
  (void)h.Do([&](Changes& out) {
    h.queue.SetNode(node, h.now, out);
    return absl::OkStatus();
  });
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  const Finding moved = Of(h, id, "web1");
  EXPECT_EQ(moved.reason, Reason::kManagerMoved);
  EXPECT_EQ(moved.evidence.at("told"), "10.0.0.1:7443");
  h.Connect("web1");
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kInProgress) << "it came, whatever it was told";
}

TEST(FindingsTest, TwoAgentsOfOneNodeAreToldFromOneThatWasRestarted) {
  QueueHarness h;
  h.AddNode("web1");
  Connect(h, HelloOf("1", 1));
  Connect(h, HelloOf("1", 2));
  Connect(h, HelloOf("2", 3));
  Connect(h, HelloOf("3", 4));
  Connect(h, HelloOf("", 5));
  Connect(h, HelloOf("", 6));
  h.Advance(absl::Seconds(1));
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty()) << "restarted, reconnected, of an old version";
  Connect(h, HelloOf("2", 7));
  std::vector<Finding> findings = ExplainNodes(h.queue, h.now);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].reason, Reason::kNodeCloned);
  const auto tells = [&h](std::vector<Deviation> open) {
    Changes out;
    h.queue.Drifted("web1", 7, {.open = std::move(open)}, h.now, out);
    h.Take(std::move(out));
  };
  tells({{"share/home", Reason::kShareNotMounted, "it is not mounted", h.now.wall}});
  EXPECT_EQ(ExplainNodes(h.queue, h.now).size(), 1u) << "that may be so of the copy alone";
  tells({});
  const CommandId id = h.Submit("a/x", {{"web1", 0}});
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kNodeCloned) << "neither of the two gets anything";
  for (int i = 0; i < 19; ++i) h.Advance(absl::Seconds(1));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kNodeCloned);
  h.Advance(absl::Seconds(1));
  EXPECT_EQ(Of(h, id, "web1").reason, Reason::kInProgress) << "the other one stayed away";
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty());
}

TEST(FindingsTest, ManagerThatCannotWriteIsStuckItself) {
  const absl::Time since = absl::FromUnixSeconds(1'700'000'000);
  const Finding finding = ExplainStore(absl::UnavailableError("the disk is full"), since);
  EXPECT_EQ(finding.reason, Reason::kStoreUnavailable);
  EXPECT_EQ(finding.owner, Owner::kManager);
  EXPECT_EQ(finding.since, since);
  EXPECT_TRUE(finding.stuck);
  EXPECT_TRUE(finding.node.empty());
  EXPECT_NE(finding.summary.find("the disk is full"), std::string::npos) << finding.summary;
  EXPECT_FALSE(finding.remedy.empty());
}

TEST(FindingsTest, FanOutNamesWhoIsInFront) {
  QueueHarness h;
  for (const char* node : {"web1", "web2"}) {
    h.AddNode(node);
    h.Connect(node);
  }
  const CommandId id = h.Submit("a/x", {{"web1", 0}, {"web2", 0}}, {.max_parallel = 1});
  h.Result(h.LeaseOf(id, "web1"), Reason::kUidTaken);
  const Finding waits = Of(h, id, "web2");
  EXPECT_EQ(waits.reason, Reason::kParallelLimit);
  EXPECT_EQ(waits.root_task, TaskIdOf(id, "web1"));
  EXPECT_NE(waits.summary.find("its command goes to 1 nodes at a time"), std::string::npos);
  EXPECT_NE(waits.summary.find("its own task on web1 (UID_TAKEN"), std::string::npos);
  EXPECT_TRUE(waits.stuck) << "as the one in front is";
}

TEST(FindingsTest, NodeThatIsBeingRemovedTakesNothing) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  NodeState node = *h.queue.FindNode("web1");
  node.draining = true;
  (void)h.Do([&](Changes& out) {
    h.queue.SetNode(node, h.now, out);
    return absl::OkStatus();
  });
  EXPECT_EQ(Of(h, h.Submit("a/x", {{"web1", 0}}), "web1").reason, Reason::kNodeDraining);
}

TEST(FindingsTest, WhatShouldHaveBeenSentLongAgoIsABugOfTheManager) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  Command command;  // never submitted: as if it had been overlooked
  command.id = 5;
  command.kind = "a";
  command.resource_key = "a/x";
  Task& task = command.tasks.emplace_back();
  task.node = "web1";
  task.phase_monotonic = h.now.monotonic;
  EXPECT_EQ(Explain(h.queue, command, task, h.now)->reason, Reason::kInProgress);
  h.Advance(absl::Seconds(11));
  const Finding late = *Explain(h.queue, command, task, h.now);
  EXPECT_EQ(late.reason, Reason::kNotDispatched);
  EXPECT_EQ(late.owner, Owner::kManager);
  EXPECT_TRUE(late.stuck);
  task.phase = Phase::kFinished;
  EXPECT_FALSE(Explain(h.queue, command, task, h.now).has_value());
}

TEST(FindingsTest, WhatANodeKeepsAndIsNotSo) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const auto report = [&](DriftFacts drift) {
    Changes out;
    h.queue.Drifted("web1", h.queue.FindNode("web1")->session, std::move(drift), h.now, out);
    h.other_events.clear();
    h.Take(std::move(out));
  };
  const Deviation gone = {"address/203.0.113.10", Reason::kAddressMissing,
                          "203.0.113.10 is not on lo", h.now.wall - absl::Minutes(1)};
  report({{gone}, {}, 1, false});
  ASSERT_EQ(h.other_events.size(), 1u);
  EXPECT_EQ(h.other_events[0].type, EventType::kNodeDrifted);
  EXPECT_EQ(h.other_events[0].reason, Reason::kAddressMissing);
  EXPECT_EQ(h.other_events[0].actor, "node/web1");
  std::vector<Finding> findings = ExplainNodes(h.queue, h.now);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].reason, Reason::kAddressMissing);
  EXPECT_EQ(findings[0].node, "web1");
  EXPECT_EQ(findings[0].resource_key, gone.resource_key);
  EXPECT_EQ(findings[0].since, gone.since);
  EXPECT_EQ(
      findings[0].remedy,
      "put it back on web1: ip addr add 203.0.113.10/32 dev lo (IPv6: /128); or let its agent "
      "do so (policy.repair)");
  EXPECT_NE(findings[0].summary.find("policy leaves it so"), std::string::npos);
  report({{gone}, {}, 1, true});
  EXPECT_TRUE(h.other_events.empty()) << "that is known";
  report({{}, {gone}, 0, true});
  ASSERT_EQ(h.other_events.size(), 1u);
  EXPECT_EQ(h.other_events[0].type, EventType::kNodeRepaired);
  EXPECT_EQ(h.other_events[0].message,
            "address/203.0.113.10: put back; it was: 203.0.113.10 is not on lo");
  EXPECT_TRUE(ExplainNodes(h.queue, h.now).empty());
}

TEST(FindingsTest, AShareThatComesBackLetsTasksGoOn) {
  QueueHarness h;
  h.AddNode("web1");
  h.Connect("web1");
  const auto report = [&](DriftFacts drift) {
    Changes out;
    h.queue.Drifted("web1", h.queue.FindNode("web1")->session, std::move(drift), h.now, out);
    h.Take(std::move(out));
  };
  const Deviation gone = {"share/home", Reason::kMountPointNotEmpty, "it is full", h.now.wall};
  for (const DriftFacts& back : {DriftFacts{{}, {gone}, 0, true}, DriftFacts{{}, {}, 0, false}}) {
    report({{gone}, {}, 1, true});
    const std::string remedy = ExplainNodes(h.queue, h.now).at(0).remedy;
    EXPECT_EQ(remedy.find("retry"), std::string::npos) << remedy << ": there is no command";
    const CommandId id = h.Submit("a/x", {{"web1", 0}});
    h.Result(h.LeaseOf(id, "web1"), Reason::kShareNotMounted);
    EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kParked);
    report(back);
    EXPECT_EQ(h.PhaseOf(id, "web1"), Phase::kLeased);
    h.Result(h.LeaseOf(id, "web1"));
  }
}

TEST(FindingsTest, ListsWhatIsStuckOldestFirst) {
  QueueHarness h;
  h.AddNode("web1");
  h.AddNode("web2");
  h.Connect("web1");
  h.Advance(absl::Minutes(1));
  const CommandId parked = h.Submit("a/x", {{"web1", 0}});
  h.Result(h.LeaseOf(parked, "web1"), Reason::kUidTaken);
  const CommandId moving = h.Submit("a/y", {{"web1", 0}});
  h.Submit("a/z", {{"web2", 0}});
  const std::vector<Finding> stuck = ExplainAll(h.queue, h.now, false);
  ASSERT_EQ(stuck.size(), 2u);
  EXPECT_EQ(stuck[0].node, "web2") << "offline since before";
  EXPECT_EQ(stuck[1].command, parked);
  EXPECT_EQ(ExplainAll(h.queue, h.now, true).size(), 3u);
  h.Result(h.LeaseOf(moving, "web1"));
  EXPECT_EQ(ExplainAll(h.queue, h.now, true).size(), 2u);
}

}  // namespace
}  // namespace hostq::manager
