// Goal: what has to be mended is named once, whatever waits for it; what is done is counted for the
// last minute and the last hour. Method: findings and events made by hand.
#include "manager/domain/causes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/id.h"
#include "manager/domain/throughput.h"

namespace hostq::manager {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

Finding Stuck(CommandId command, const std::string& node, Reason reason, Owner owner) {
  Finding finding;
  finding.command = command;
  finding.node = node;
  finding.kind = "create_account";
  finding.resource_key = absl::StrCat("account/", command, ".example");
  finding.reason = reason;
  finding.owner = owner;
  finding.since = kStart + absl::Seconds(command);
  finding.summary = absl::StrCat("summary ", command);
  finding.remedy = absl::StrCat("remedy ", command);
  finding.stuck = true;
  return finding;
}

Finding OfServer(CommandId command, const std::string& node, const std::string& server) {
  Finding finding = Stuck(command, node, Reason::kParked, Owner::kFileServer);
  finding.cause = Reason::kQuotaSetNotPermitted;
  if (!server.empty()) finding.evidence["server"] = server;
  return finding;
}

TEST(CausesTest, BrokenFileServerIsOneCauseHoweverManyTasksAndNodesSuffer) {
  std::vector<Finding> findings;
  for (CommandId id = 1; id <= 100; ++id) {
    findings.push_back(OfServer(id, absl::StrCat("web", id % 3), "203.0.113.1"));
  }
  const std::vector<Cause> causes = GatherCauses(findings);
  ASSERT_EQ(causes.size(), 1u);
  EXPECT_EQ(causes[0].Id(), "FILE_SERVER/203.0.113.1");
  EXPECT_EQ(causes[0].tasks, 100);
  EXPECT_EQ(causes[0].waiting, 0);
  EXPECT_EQ(causes[0].nodes, (std::vector<std::string>{"web0", "web1", "web2"}));
  EXPECT_EQ(causes[0].since, kStart + absl::Seconds(1));
  EXPECT_EQ(causes[0].summary, "summary 1");
  EXPECT_EQ(causes[0].example_task, absl::StrCat(FormatId(1), "/web1"));
}

TEST(CausesTest, WhateverAFileServerDoesWrongIsOneCause) {
  std::vector<Finding> findings = {OfServer(2, "web1", "203.0.113.1"),
                                   OfServer(1, "web2", "203.0.113.1")};
  findings[1].cause = Reason::kShareUnresponsive;
  const std::vector<Cause> causes = GatherCauses(findings);
  ASSERT_EQ(causes.size(), 1u);
  EXPECT_EQ(causes[0].Id(), "FILE_SERVER/203.0.113.1");
  EXPECT_EQ(causes[0].reason, Reason::kShareUnresponsive);  // the older one's
  EXPECT_EQ(causes[0].summary, "summary 1");
}

TEST(CausesTest, WebhooksAreToldApart) {
  Finding webhook;
  webhook.reason = Reason::kWebhookFailing;
  webhook.owner = Owner::kAdministrator;
  webhook.resource_key = "webhook/shop";
  webhook.since = kStart;
  webhook.stuck = true;
  ASSERT_EQ(GatherCauses({&webhook, 1}).size(), 1u);
  EXPECT_EQ(GatherCauses({&webhook, 1})[0].Id(), "WEBHOOK_FAILING/webhook/shop");
}

TEST(CausesTest, TwoServersAreTwoCauses) {
  const std::vector<Finding> findings = {OfServer(1, "web1", "203.0.113.1"),
                                         OfServer(2, "web1", "203.0.113.2")};
  EXPECT_EQ(GatherCauses(findings).size(), 2u);
}

// A check of a node, or a share on it, does not name the server.
TEST(CausesTest, WhatDoesNotNameTheServerGoesWithTheOnlyOneThatHasThisTrouble) {
  Finding check = OfServer(0, "web2", "");
  check.resource_key = "check/quota";
  std::vector<Finding> findings = {OfServer(1, "web1", "203.0.113.1"), check};
  ASSERT_EQ(GatherCauses(findings).size(), 1u);
  EXPECT_EQ(GatherCauses(findings)[0].nodes, (std::vector<std::string>{"web1", "web2"}));
  findings.push_back(OfServer(2, "web1", "203.0.113.2"));
  EXPECT_EQ(GatherCauses(findings).size(), 3u);
}

TEST(CausesTest, WhatWaitsForAStuckTaskCountsWithItsCause) {
  Finding offline = Stuck(1, "web1", Reason::kNodeOffline, Owner::kNode);
  offline.owner_node = "web1";
  Finding behind = Stuck(2, "web1", Reason::kBehind, Owner::kNode);
  behind.root_task = TaskIdOf(1, "web1");
  Finding stage = Stuck(3, "web2", Reason::kEarlierStage, Owner::kNode);
  stage.root_task = TaskIdOf(1, "web1");
  const std::vector<Cause> causes = GatherCauses(std::vector<Finding>{offline, behind, stage});
  ASSERT_EQ(causes.size(), 1u);
  EXPECT_EQ(causes[0].Id(), "NODE_OFFLINE/web1");
  EXPECT_EQ(causes[0].tasks, 1);
  EXPECT_EQ(causes[0].waiting, 2);
  EXPECT_EQ(causes[0].nodes, (std::vector<std::string>{"web1", "web2"}));
}

TEST(CausesTest, FindingOfANodeAndThoseOfItsTasksAreOneCause) {
  Finding node = Stuck(0, "web1", Reason::kNodeOffline, Owner::kNode);
  Finding task = Stuck(7, "web1", Reason::kNodeOffline, Owner::kNode);
  const std::vector<Cause> causes = GatherCauses(std::vector<Finding>{node, task});
  ASSERT_EQ(causes.size(), 1u);
  EXPECT_EQ(causes[0].tasks, 1);
  EXPECT_EQ(causes[0].summary, "summary 0");
  EXPECT_NE(causes[0].example_task, "");
}

TEST(CausesTest, WhatMovesIsNoCauseAndTheLargestComesFirst) {
  Finding moving = Stuck(1, "web1", Reason::kInProgress, Owner::kNobody);
  moving.stuck = false;
  std::vector<Finding> findings = {moving};
  EXPECT_TRUE(GatherCauses(findings).empty());
  findings.push_back(Stuck(2, "web1", Reason::kNodeOffline, Owner::kNode));
  for (CommandId id = 3; id < 6; ++id) {
    findings.push_back(Stuck(id, "web2", Reason::kNodeOffline, Owner::kNode));
  }
  const std::vector<Cause> causes = GatherCauses(findings);
  ASSERT_EQ(causes.size(), 2u);
  EXPECT_EQ(causes[0].subject, "web2");
  EXPECT_EQ(causes[1].subject, "web1");
}

TEST(CausesTest, PausesAndAlarmsNameWhatTheyAreAbout) {
  Finding kind = Stuck(1, "web1", Reason::kKindPaused, Owner::kAdministrator);
  Finding key = Stuck(2, "web1", Reason::kResourcePaused, Owner::kAdministrator);
  Finding alarm = Stuck(0, "", Reason::kTokenMisused, Owner::kAdministrator);
  alarm.evidence["subject"] = "token/web1";
  Finding absent = Stuck(3, "web2", Reason::kNodeNotJoined, Owner::kAdministrator);
  Finding taken = Stuck(4, "web1", Reason::kParked, Owner::kAdministrator);
  taken.cause = Reason::kUidTaken;
  std::set<std::string> ids;
  for (const Cause& cause : GatherCauses(std::vector<Finding>{kind, key, alarm, absent, taken})) {
    ids.insert(cause.Id());
  }
  EXPECT_EQ(
      ids, (std::set<std::string>{"KIND_PAUSED/create_account", "RESOURCE_PAUSED/account/2.example",
                                  "TOKEN_MISUSED/token/web1", "NODE_NOT_JOINED/web2",
                                  "UID_TAKEN/account/4.example"}));
}

Event Created() {
  Event event;
  event.type = EventType::kCommandCreated;
  return event;
}

Event Ended(Outcome outcome) {
  Event event;
  event.type = EventType::kTaskChanged;
  event.from_phase = static_cast<int>(Phase::kRunning);
  event.to_phase = static_cast<int>(Phase::kFinished);
  event.outcome = outcome;
  return event;
}

TEST(ThroughputTest, CountsWhatWasAcceptedAndWhatEnded) {
  const absl::Duration start = absl::Hours(5);
  Throughput throughput(start);
  throughput.Count(Created(), start);
  throughput.Count(Ended(Outcome::kSucceeded), start);
  throughput.Count(Ended(Outcome::kFailed), start);
  throughput.Count(Ended(Outcome::kExpired), start);
  throughput.Count(Ended(Outcome::kCancelled), start);
  Event moved = Ended(Outcome::kNone);
  moved.to_phase = static_cast<int>(Phase::kLeased);
  throughput.Count(moved, start);
  const Throughput::Counts counts = throughput.LastMinute(start + absl::Seconds(3));
  EXPECT_EQ(counts.commands_accepted, 1);
  EXPECT_EQ(counts.tasks_finished, 4);
  EXPECT_EQ(counts.tasks_failed, 2);
  EXPECT_EQ(counts.span, absl::Seconds(3));
}

// Against a count of every event, over hours with gaps of all sizes.
TEST(ThroughputTest, WindowsSlide) {
  Throughput throughput;
  std::vector<absl::Duration> all;
  absl::Duration now;
  for (int i = 0; i < 2000; ++i) {
    now += absl::Seconds(i % 7 == 0 ? 97 : i % 5);
    throughput.Count(Created(), now);
    all.push_back(now);
    const auto since = [&](absl::Duration each) {
      // The span that is not yet full counts as one of the sixty.
      const int64_t oldest = now / each - 59;
      return std::count_if(all.begin(), all.end(),
                           [&](absl::Duration at) { return at / each >= oldest; });
    };
    ASSERT_EQ(throughput.LastMinute(now).commands_accepted, since(absl::Seconds(1)));
    ASSERT_EQ(throughput.LastHour(now).commands_accepted, since(absl::Minutes(1)));
  }
  EXPECT_EQ(throughput.LastMinute(now + absl::Minutes(2)).commands_accepted, 0);
  EXPECT_EQ(throughput.LastHour(now + absl::Hours(2)).commands_accepted, 0);
  EXPECT_EQ(throughput.LastHour(now).span, absl::Hours(1));
}

}  // namespace
}  // namespace hostq::manager
