// Goal: who is told of stuck work, and when: one message for a cause, quiet hours, at most so many
// mails. Method: findings and a clock that the test sets.
#include "manager/domain/notices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hostq::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNoon = absl::FromCivil(absl::CivilHour(2026, 11, 29, 12), absl::UTCTimeZone());

Finding Stuck(CommandId command, const std::string& node, Reason cause, Owner owner,
              absl::Time since = kNoon) {
  Finding finding;
  finding.command = command;
  finding.node = node;
  finding.reason = Reason::kParked;
  finding.cause = cause;
  finding.since = since;
  finding.owner = owner;
  finding.summary = absl::StrCat("summary of ", command);
  finding.remedy = "mend it";
  finding.stuck = true;
  return finding;
}

Finding OnServer(CommandId command, const std::string& node, Reason cause,
                 const std::string& server) {
  Finding finding = Stuck(command, node, cause, Owner::kFileServer);
  finding.evidence["server"] = server;
  return finding;
}

std::vector<Cause> CausesOf(const std::vector<Finding>& findings) { return GatherCauses(findings); }

std::vector<std::string> KeysOf(const std::vector<Notice>& notices) {
  std::vector<std::string> keys;
  for (const Notice& notice : notices) keys.push_back(notice.cause.Id());
  return keys;
}

class NoticesTest : public testing::Test {
 protected:
  static Notices::Rules Rules() {
    Notices::Rules rules;
    rules.mail = true;
    rules.cluster = "test";
    return rules;
  }
  // Observes now, and again when it has settled.
  Notices::Observed Settle(Notices& notices, const std::vector<Finding>& findings) {
    const auto first = notices.Observe(CausesOf(findings), now_);
    EXPECT_TRUE(first.raised.empty() && first.cleared.empty());
    now_ += absl::Seconds(31);
    return notices.Observe(CausesOf(findings), now_);
  }
  // Sends what is due; its subject, or nothing.
  std::string Send(Notices& notices) {
    const auto mail = notices.DueMail(now_);
    if (!mail) return "";
    body_ = mail->body;
    notices.Mailed(*mail, now_);
    return mail->subject;
  }

  const std::vector<Finding> server_ = {
      OnServer(1, "web1", Reason::kQuotaSetNotPermitted, "192.0.2.1")};
  absl::Time now_ = kNoon;
  std::string body_;
};

TEST_F(NoticesTest, TellsOnceThatItIsThereAndOnceThatItIsGone) {
  Notices notices(Rules());
  const auto seen = Settle(notices, server_);
  EXPECT_THAT(KeysOf(seen.raised), ElementsAre("FILE_SERVER/192.0.2.1"));
  EXPECT_EQ(seen.changed.size(), 1u);
  EXPECT_EQ(Send(notices), "hostq test: FILE_SERVER/192.0.2.1");
  EXPECT_THAT(body_, HasSubstr("mend it"));
  EXPECT_THAT(body_, HasSubstr("1 task\n"));
  for (int i = 0; i < 1000; ++i) {
    now_ += absl::Minutes(5);
    const auto again = notices.Observe(CausesOf(server_), now_);
    EXPECT_TRUE(again.raised.empty() && again.changed.empty());
    EXPECT_EQ(Send(notices), "");
  }
  const auto gone = Settle(notices, {});
  EXPECT_THAT(KeysOf(gone.cleared), ElementsAre("FILE_SERVER/192.0.2.1"));
  EXPECT_EQ(Send(notices), "hostq test: gone: FILE_SERVER/192.0.2.1");
  EXPECT_TRUE(notices.notices().empty());
}

TEST_F(NoticesTest, WhatPassesByItselfIsNotTold) {
  Notices notices(Rules());
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(notices.Observe(CausesOf(server_), now_).raised.empty());
    now_ += absl::Seconds(20);
    EXPECT_TRUE(notices.Observe({}, now_).raised.empty());
    now_ += absl::Seconds(20);
  }
  EXPECT_EQ(Send(notices), "");
}

TEST_F(NoticesTest, WhatVanishesForAMomentIsNotGone) {
  Notices notices(Rules());
  Settle(notices, server_);
  Send(notices);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(notices.Observe({}, now_).cleared.empty());
    now_ += absl::Seconds(20);
    const auto seen = notices.Observe(CausesOf(server_), now_);
    EXPECT_TRUE(seen.raised.empty() && seen.cleared.empty());
    now_ += absl::Seconds(20);
  }
  EXPECT_EQ(Send(notices), "");
}

TEST_F(NoticesTest, ARestartDoesNotRepeat) {
  Notices before(Rules());
  Settle(before, server_);
  Send(before);
  Notices after(Rules());
  for (const auto& [key, notice] : before.notices()) after.Load(notice);
  EXPECT_TRUE(Settle(after, server_).raised.empty());
  EXPECT_EQ(Send(after), "");
  EXPECT_EQ(Settle(after, {}).cleared.size(), 1u);
  EXPECT_EQ(Send(after), "hostq test: gone: FILE_SERVER/192.0.2.1");
}

TEST_F(NoticesTest, AMailThatWasNotSentIsSentAfterARestart) {
  Notices before(Rules());
  Settle(before, server_);
  Notices after(Rules());
  for (const auto& [key, notice] : before.notices()) after.Load(notice);
  EXPECT_EQ(Send(after), "hostq test: FILE_SERVER/192.0.2.1");
}

TEST_F(NoticesTest, QuietHoursGatherAndUrgentReasonsPass) {
  Notices::Rules rules = Rules();
  rules.quiet_start = absl::Hours(22);
  rules.quiet_end = absl::Hours(7);
  rules.urgent = {Reason::kStoreUnavailable};
  Notices notices(rules);
  EXPECT_FALSE(notices.IsQuiet(kNoon));
  EXPECT_FALSE(notices.IsQuiet(kNoon + absl::Hours(10) - absl::Seconds(1)));
  EXPECT_TRUE(notices.IsQuiet(kNoon + absl::Hours(10)));
  EXPECT_TRUE(notices.IsQuiet(kNoon + absl::Hours(19) - absl::Seconds(1)));
  EXPECT_FALSE(notices.IsQuiet(kNoon + absl::Hours(19)));
  now_ = kNoon + absl::Hours(12);
  Finding store;
  store.reason = Reason::kStoreUnavailable;
  store.owner = Owner::kManager;
  store.since = now_;
  store.stuck = true;
  std::vector<Finding> both = server_;
  both.push_back(store);
  EXPECT_EQ(Settle(notices, both).raised.size(), 2u);
  EXPECT_EQ(Send(notices), "hostq test: STORE_UNAVAILABLE");
  EXPECT_EQ(Send(notices), "");
  // The one goes, another comes and goes.
  std::vector<Finding> later = {OnServer(2, "web2", Reason::kShareStale, "192.0.2.2")};
  Settle(notices, later);
  Settle(notices, {});
  EXPECT_EQ(Send(notices), "hostq test: gone: STORE_UNAVAILABLE");  // urgent too
  now_ = kNoon + absl::Hours(19);
  EXPECT_EQ(Send(notices), "hostq test: gone: FILE_SERVER/192.0.2.1, and 1 more");
  EXPECT_THAT(body_, HasSubstr("This came and went by itself:"));
  EXPECT_THAT(body_, HasSubstr("FILE_SERVER/192.0.2.2"));
  EXPECT_TRUE(notices.notices().empty());
}

TEST_F(NoticesTest, MailsOfAnHourAreLimitedAndTheNextOneTellsTheRest) {
  Notices::Rules rules = Rules();
  rules.mails_per_hour = 3;
  Notices notices(rules);
  std::vector<Finding> findings;
  int sent = 0;
  for (int i = 0; i < 20; ++i) {
    findings.push_back(OnServer(i + 1, "web1", Reason::kShareStale, absl::StrCat("192.0.2.", i)));
    EXPECT_EQ(Settle(notices, findings).raised.size(), 1u);
    sent += Send(notices).empty() ? 0 : 1;
  }
  EXPECT_EQ(sent, 3);
  now_ += absl::Hours(1);
  EXPECT_THAT(Send(notices), HasSubstr("and 16 more"));
  EXPECT_EQ(Send(notices), "");
}

TEST_F(NoticesTest, ALongListIsCut) {
  Notices notices(Rules());
  std::vector<Finding> findings;
  for (int i = 0; i < 200; ++i) {
    findings.push_back(OnServer(i + 1, "web1", Reason::kShareStale, absl::StrCat("192.0.2.", i)));
  }
  Settle(notices, findings);
  EXPECT_THAT(Send(notices), HasSubstr("and 199 more"));
  EXPECT_THAT(body_, HasSubstr("150 more are not listed here."));
  EXPECT_EQ(Send(notices), "");
}

TEST_F(NoticesTest, WithoutMailsOnlyWebhooksAreTold) {
  Notices::Rules rules = Rules();
  rules.mail = false;
  Notices notices(rules);
  EXPECT_EQ(Settle(notices, server_).raised.size(), 1u);
  EXPECT_EQ(Send(notices), "");
  EXPECT_EQ(Settle(notices, {}).cleared.size(), 1u);
  EXPECT_TRUE(notices.notices().empty());
}

TEST_F(NoticesTest, BackBeforeAnybodyWasToldThatItWasGone) {
  Notices::Rules rules = Rules();
  rules.quiet_start = absl::Hours(13);
  rules.quiet_end = absl::Hours(14);
  Notices notices(rules);
  Settle(notices, server_);
  EXPECT_NE(Send(notices), "");
  now_ = kNoon + absl::Hours(1);
  Settle(notices, {});
  Settle(notices, server_);
  now_ = kNoon + absl::Hours(2);
  EXPECT_EQ(Send(notices), "");  // they know that it is there
  Settle(notices, {});
  EXPECT_EQ(Send(notices), "hostq test: gone: FILE_SERVER/192.0.2.1");
}

}  // namespace
}  // namespace hostq::manager
