// Goal: "is the account right everywhere?" is answered by what is known, and by no more. Method:
// tables of what was done and told, each with the verdict that follows.
#include "manager/cluster/account_status.h"

#include <gmock/gmock.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "common/base/id.h"
#include "google/protobuf/text_format.h"

namespace hostq::manager {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using Verdict = v1::AccountVerdict;

const absl::Time kNow = absl::FromUnixSeconds(1'900'000'000);

storage::v1::Account Row(v1::Account::State state = v1::Account::ACTIVE) {
  storage::v1::Account row;
  row.mutable_account()->set_domain("a.example");
  row.mutable_account()->set_home("/home/a");
  row.mutable_account()->set_quota_bytes(1 << 20);
  row.mutable_account()->add_addresses("203.0.113.10");
  row.mutable_account()->set_state(state);
  row.set_share("home");
  return row;
}

AccountPlace Place(const std::string& node, bool app = true) {
  AccountPlace place;
  place.node = node;
  place.app = app;
  place.storage = !app;
  place.joined = place.admitted = place.connected = true;
  place.since = kNow - absl::Hours(2);
  return place;
}

Finding Tells(Reason reason, const std::string& summary) {
  Finding finding;
  finding.node = "web1";
  finding.reason = reason;
  finding.summary = summary;
  finding.remedy = "mend it";
  finding.stuck = true;
  return finding;
}

AccountPlace::Unfinished Unfinished(const std::string& kind, bool stuck, bool only_looks = false) {
  AccountPlace::Unfinished unfinished;
  unfinished.finding = Tells(stuck ? Reason::kParked : Reason::kInProgress, "step quota");
  unfinished.finding.command = 7;
  unfinished.finding.kind = kind;
  unfinished.finding.stuck = stuck;
  unfinished.only_looks = only_looks;
  return unfinished;
}

// An hour ago, by command 1.
AccountHistory LookedAt() {
  AccountHistory history;
  history.look = {kNow - absl::Hours(1), 1};
  return history;
}

v1::Step Step(const std::string& name, v1::Reason::Code reason = v1::Reason::DIFFERS) {
  v1::Step step;
  step.set_name(name);
  step.set_reason(reason);
  step.set_warning(reason != v1::Reason::CODE_UNSPECIFIED);
  step.set_message(absl::StrCat("about ", name));
  return step;
}

// --- one node ---

struct NodeCase {
  const char* what;
  std::function<void(AccountPlace&, AccountHistory&, storage::v1::Account&)> change;
  Verdict::State state;
  const char* summary;  // a part of it
  const char* remedy;   // a part of it; null: there is none
};

TEST(JudgeNodeTest, EveryCase) {
  using P = AccountPlace;
  using H = AccountHistory;
  using R = storage::v1::Account;
  const auto failure = [](H& history, const char* kind) {
    history.failure = {
        9, kind, Outcome::kFailed, Reason::kQuotaMismatch, "1 MiB", kNow - absl::Minutes(3)};
  };
  const NodeCase cases[] = {
      {"nothing is the matter", [](P&, H&, R&) {}, Verdict::RIGHT, "looked at 1h", nullptr},
      {"a deviation",
       [](P& place, H&, R&) {
         place.deviations = {Tells(Reason::kAddressMissing, "203.0.113.10 is not on lo")};
       },
       Verdict::WRONG, "203.0.113.10 is not on lo", "mend it"},
      {"a deviation while a command moves",
       [](P& place, H&, R&) {
         place.deviations = {Tells(Reason::kAddressMissing, "203.0.113.10 is not on lo")};
         place.unfinished = {Unfinished("set_account_quota", false)};
       },
       Verdict::WRONG, "203.0.113.10", "mend it"},
      {"a deviation from before a look that found all right",
       [](P& place, H&, R&) {
         place.deviations = {Tells(Reason::kQuotaMismatch, "1 MiB")};
         place.deviations[0].resource_key = "account/a.example";
         place.deviations[0].since = kNow - absl::Hours(3);
       },
       Verdict::RIGHT, "as it should be", nullptr},
      {"one that began since",
       [](P& place, H&, R&) {
         place.deviations = {Tells(Reason::kQuotaMismatch, "1 MiB")};
         place.deviations[0].resource_key = "account/a.example";
         place.deviations[0].since = kNow - absl::Minutes(3);
       },
       Verdict::WRONG, "1 MiB", "mend it"},
      {"one from before a look that did not find all right",
       [](P& place, H& history, R&) {
         place.deviations = {Tells(Reason::kUidTaken, "somebody has the uid")};
         place.deviations[0].resource_key = "account/a.example";
         place.deviations[0].since = kNow - absl::Hours(3);
         history.differences = {Step("user", v1::Reason::UID_TAKEN)};
       },
       Verdict::WRONG, "somebody has the uid", "mend it"},
      {"one that the look does not look at",
       [](P& place, H&, R&) {
         place.deviations = {Tells(Reason::kShareServerUnreachable, "the server is away")};
         place.deviations[0].resource_key = "check/nfs-server";
         place.deviations[0].since = kNow - absl::Hours(3);
       },
       Verdict::WRONG, "the server is away", "mend it"},
      {"a command moves",
       [](P& place, H&, R&) { place.unfinished = {Unfinished("set_account_quota", false)}; },
       Verdict::CHANGING, "set_account_quota", nullptr},
      {"a command is stuck",
       [](P& place, H&, R&) { place.unfinished = {Unfinished("set_account_quota", true)}; },
       Verdict::WRONG, "does not move", "mend it"},
      {"one moves, and one behind it is stuck",
       [](P& place, H&, R&) {
         place.unfinished = {Unfinished("set_account_quota", false),
                             Unfinished("suspend_account", true)};
       },
       Verdict::WRONG, "suspend_account", "mend it"},
      {"a look is under way, or stuck: nothing changes",
       [](P& place, H&, R&) {
         place.unfinished = {Unfinished("resync_account", false, true),
                             Unfinished("resync_account", true, true)};
       },
       Verdict::RIGHT, "as it should be", nullptr},
      {"a command failed", [&](P&, H& history, R&) { failure(history, "set_account_quota"); },
       Verdict::WRONG, "ended 3m00s ago as FAILED, QUOTA_MISMATCH: 1 MiB",
       "hostq account resync a.example --apply"},
      {"its creation failed", [&](P&, H& history, R&) { failure(history, "create_account"); },
       Verdict::WRONG, "create_account", "hostq account delete a.example"},
      {"a command failed, and another one moves",
       [&](P& place, H& history, R&) {
         failure(history, "set_account_quota");
         place.unfinished = {Unfinished("set_account_quota", false)};
       },
       Verdict::CHANGING, "step quota", nullptr},
      {"a balancer has no part that a command could have failed to make",
       [&](P& place, H& history, R&) {
         place.app = place.storage = false;
         place.balancer = true;
         history.look.reset();
         failure(history, "create_account");
       },
       Verdict::RIGHT, "as it should be", nullptr},
      {"the look found a difference",
       [](P&, H& history, R&) {
         history.differences = {Step("quota"), Step("user")};
       },
       Verdict::WRONG, "quota: about quota; and 1 more (seen 1h00m ago)",
       "hostq account resync a.example --apply"},
      {"the look found a conflict",
       [](P&, H& history, R&) { history.differences = {Step("user", v1::Reason::UID_TAKEN)}; },
       Verdict::WRONG, "about user", "hostq account check a.example"},
      {"it has not joined",
       [](P& place, H&, R&) { place.joined = place.connected = place.admitted = false; },
       Verdict::UNKNOWN, "not joined", "hostq node show web1"},
      {"it is not connected", [](P& place, H&, R&) { place.connected = false; }, Verdict::UNKNOWN,
       "not connected since 2h", "hostq node show web1"},
      {"it is away for long enough to say so",
       [](P& place, H&, R&) {
         place.connected = false;
         place.absences = {Tells(Reason::kNodeOffline, "web1 is offline")};
       },
       Verdict::UNKNOWN, "web1 is offline", "mend it"},
      {"it is away, and something was wrong",
       [](P& place, H& history, R&) {
         place.connected = false;
         history.differences = {Step("quota")};
       },
       Verdict::WRONG, "quota", "resync"},
      {"it has not passed its preflight", [](P& place, H&, R&) { place.admitted = false; },
       Verdict::UNKNOWN, "preflight", "hostq node show web1"},
      {"it was never given the account", [](P&, H& history, R&) { history.look.reset(); },
       Verdict::UNKNOWN, "not known to have been given", "resync a.example --apply"},
      {"it has more to tell than it can", [](P& place, H&, R&) { place.more_deviations = true; },
       Verdict::UNKNOWN, "more is wrong", "hostq stuck --node web1"},
      {"it is being deleted", [](P&, H&, R& row) { row = Row(v1::Account::DELETING); },
       Verdict::CHANGING, "deleted", nullptr},
      {"what is being deleted may be missing",
       [](P& place, H&, R& row) {
         row = Row(v1::Account::DELETING);
         place.deviations = {Tells(Reason::kAddressMissing, "203.0.113.10 is not on lo")};
       },
       Verdict::CHANGING, "deleted", nullptr},
      {"its deletion failed",
       [&](P&, H& history, R& row) {
         row = Row(v1::Account::DELETING);
         failure(history, "delete_account");
       },
       Verdict::WRONG, "delete_account", "hostq account delete a.example"},
  };
  for (const NodeCase& one : cases) {
    AccountPlace place = Place("web1");
    AccountHistory history = LookedAt();
    storage::v1::Account row = Row();
    one.change(place, history, row);
    const Verdict verdict = JudgeNode(place, row, history, kNow);
    EXPECT_EQ(Verdict::State_Name(verdict.state()), Verdict::State_Name(one.state)) << one.what;
    EXPECT_THAT(verdict.summary(), HasSubstr(one.summary)) << one.what;
    if (one.remedy == nullptr) {
      EXPECT_THAT(verdict.remedy(), IsEmpty()) << one.what;
    } else {
      EXPECT_THAT(verdict.remedy(), HasSubstr(one.remedy)) << one.what;
    }
  }
}

// --- all nodes ---

v1::AccountOnNode Judged(const std::string& name, Verdict::State state) {
  v1::AccountOnNode node;
  node.set_node(name);
  node.mutable_verdict()->set_state(state);
  node.mutable_verdict()->set_summary(absl::StrCat("so on ", name));
  node.mutable_verdict()->set_remedy(absl::StrCat("do on ", name));
  node.mutable_look_time()->set_seconds(absl::ToUnixSeconds(kNow) - 300);
  return node;
}

TEST(JudgeAccountTest, EveryCase) {
  const auto one = Judged("web1", Verdict::RIGHT);
  const auto right = Judged("web2", Verdict::RIGHT);
  const auto wrong = Judged("web3", Verdict::WRONG);
  const auto changing = Judged("web4", Verdict::CHANGING);
  const auto unknown = Judged("web5", Verdict::UNKNOWN);
  const struct {
    std::vector<v1::AccountOnNode> nodes;
    bool unfinished;
    v1::Account::State state;
    Verdict::State verdict;
    const char* summary;
  } cases[] = {
      {{one, right},
       false,
       v1::Account::ACTIVE,
       Verdict::RIGHT,
       "a.example is right on all 2 nodes (looked at 5m00s ago)"},
      {{one},
       false,
       v1::Account::ACTIVE,
       Verdict::RIGHT,
       "a.example is right on web1 (looked at 5m00s ago)"},
      {{one, wrong, changing, unknown},
       true,
       v1::Account::ACTIVE,
       Verdict::WRONG,
       "a.example is not right on web3: so on web3"},
      {{wrong, Judged("web6", Verdict::WRONG)},
       false,
       v1::Account::ACTIVE,
       Verdict::WRONG,
       "a.example is not right on all 2 nodes: web3: so on web3"},
      {{one, changing, unknown},
       true,
       v1::Account::ACTIVE,
       Verdict::CHANGING,
       "a.example is being changed on web4: so on web4"},
      {{one, right}, true, v1::Account::ACTIVE, Verdict::CHANGING, "a.example is being changed"},
      {{one, unknown},
       false,
       v1::Account::ACTIVE,
       Verdict::UNKNOWN,
       "a.example may be right, and is not known to be so on web5: so on web5"},
      {{},
       false,
       v1::Account::ACTIVE,
       Verdict::UNKNOWN,
       "no node should have a.example, and none has it"},
      {{one},
       false,
       v1::Account::CREATING,
       Verdict::WRONG,
       "a.example was not made everywhere, and nothing is under way"},
      {{changing},
       false,
       v1::Account::DELETING,
       Verdict::WRONG,
       "a.example was not deleted everywhere, and nothing is under way"},
      {{one, changing},
       true,
       v1::Account::CREATING,
       Verdict::CHANGING,
       "a.example is being changed on web4: so on web4"},
  };
  for (const auto& each : cases) {
    const Verdict verdict = JudgeAccount(Row(each.state), each.nodes, each.unfinished, kNow);
    EXPECT_EQ(Verdict::State_Name(verdict.state()), Verdict::State_Name(each.verdict))
        << each.summary;
    EXPECT_EQ(verdict.summary(), each.summary);
  }
  storage::v1::Account suspended = Row(v1::Account::SUSPENDED);
  suspended.set_suspended(true);
  EXPECT_EQ(JudgeAccount(suspended, {one}, false, kNow).summary(),
            "a.example is right on web1, suspended (looked at 5m00s ago)");
  std::vector<v1::AccountOnNode> many = {one};
  for (int i = 0; i < 5; ++i) many.push_back(Judged(absl::StrCat("w", i), Verdict::WRONG));
  EXPECT_EQ(JudgeAccount(Row(), many, false, kNow).summary(),
            "a.example is not right on w0, w1, w2 and 2 more: w0: so on w0");
  EXPECT_EQ(JudgeAccount(Row(), many, false, kNow).remedy(), "do on w0");
}

// --- what was done ---

class AccountHistoryTest : public testing::Test {
 protected:
  // A command that has ended everywhere in the same way, and what its steps were on each node. Each
  // an hour after the one before.
  void Did(const std::string& spec, Outcome outcome, std::vector<v1::Step> steps = {},
           const std::vector<std::string>& nodes = {"storage1", "web1"}) {
    PastCommand past;
    v1::CommandSpec parsed;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(spec, &parsed)) << spec;
    past.command.id = ++last_;
    past.command.kind = v1::CommandSpec::descriptor()
                            ->FindFieldByNumber(static_cast<int>(parsed.kind_case()))
                            ->name();
    past.command.spec = parsed.SerializeAsString();
    for (const std::string& node : nodes) {
      Task& task = past.command.tasks.emplace_back();
      task.node = node;
      task.phase = Phase::kFinished;
      task.outcome = outcome;
      task.attempt = outcome == Outcome::kCancelled ? 0 : 1;
      task.phase_time = TimeOf(last_);
      v1::Attempt attempt;
      for (const v1::Step& step : steps) *attempt.add_steps() = step;
      Store::TaskAttempt stored;
      stored.node = node;
      stored.attempt.number = 1;
      stored.attempt.reason = outcome == Outcome::kSucceeded ? Reason::kNone : Reason::kInternal;
      stored.attempt.steps = attempt.SerializeAsString();
      past.attempts.push_back(stored);
    }
    past_.insert(past_.begin(), past);
  }
  void Repaired(const std::string& node, const std::string& message, absl::Time time) {
    Event event;
    event.type = EventType::kNodeRepaired;
    event.node = node;
    event.message = message;
    event.time = time;
    repairs_.push_back(event);
  }
  static absl::Time TimeOf(CommandId id) { return kNow - absl::Hours(100 - id); }
  AccountHistory On(const std::string& node) {
    return HistoryOn(Place(node, node != "storage1"), Row(), past_, repairs_, {"storage1"});
  }
  std::vector<std::string> DifferencesOn(const std::string& node) {
    std::vector<std::string> names;
    for (const v1::Step& step : On(node).differences) names.push_back(step.name());
    return names;
  }

  const std::string create_ = "create_account { domain: 'a.example' }";
  const std::string look_ = "resync_account { domain: 'a.example' }";
  const std::string apply_ = "resync_account { domain: 'a.example' apply: true }";
  const std::string quota_ = "set_account_quota { domain: 'a.example' }";
  CommandId last_ = 0;
  std::vector<PastCommand> past_;
  std::vector<Event> repairs_;
};

TEST_F(AccountHistoryTest, NothingIsKnownOfANodeThatNoCommandWentTo) {
  Did(create_, Outcome::kSucceeded);
  EXPECT_FALSE(On("web2").look);
  EXPECT_FALSE(On("web2").last);
  ASSERT_TRUE(On("web1").look);
  EXPECT_EQ(On("web1").look->command, 1);
  EXPECT_EQ(On("web1").look->time, TimeOf(1));
  EXPECT_EQ(On("web1").last->kind, "create_account");
}

TEST_F(AccountHistoryTest, ALookTellsWhatDiffersAndTheNextOneWhatStillDoes) {
  Did(create_, Outcome::kSucceeded);
  Did(look_, Outcome::kSucceeded,
      {Step("user"), Step("home", v1::Reason::CODE_UNSPECIFIED), Step("quota"),
       Step("quota-program", v1::Reason::QUOTA_SWITCHED_OFF)});
  EXPECT_THAT(DifferencesOn("web1"), testing::ElementsAre("user", "quota"));
  Did(look_, Outcome::kSucceeded, {Step("quota")});
  EXPECT_THAT(DifferencesOn("web1"), testing::ElementsAre("quota"));
  EXPECT_EQ(On("web1").look->command, 3);
  Did(apply_, Outcome::kSucceeded);
  EXPECT_THAT(DifferencesOn("web1"), IsEmpty());
  EXPECT_EQ(On("web1").look->command, 4);
}

TEST_F(AccountHistoryTest, WhatALaterCommandReadBackDiffersNoMore) {
  Did(look_, Outcome::kSucceeded, {Step("user"), Step("quota")});
  Did(quota_, Outcome::kSucceeded, {Step("quota", v1::Reason::CODE_UNSPECIFIED)}, {"storage1"});
  EXPECT_THAT(DifferencesOn("storage1"), testing::ElementsAre("user"));
  EXPECT_THAT(DifferencesOn("web1"), testing::ElementsAre("user"))
      << "the limit lies on the file server";
  Did("suspend_account { domain: 'a.example' }", Outcome::kSucceeded,
      {Step("user", v1::Reason::CODE_UNSPECIFIED)}, {"web1"});
  EXPECT_THAT(DifferencesOn("web1"), IsEmpty());
  EXPECT_THAT(DifferencesOn("storage1"), testing::ElementsAre("user"));
}

TEST_F(AccountHistoryTest, AQuotaReadBeforeTheSameCommandSetItIsRight) {
  Did(apply_, Outcome::kSucceeded, {Step("quota", v1::Reason::QUOTA_MISMATCH)});
  for (Store::TaskAttempt& attempt : past_[0].attempts) {
    v1::Attempt set;
    *set.add_steps() = Step("quota", v1::Reason::CODE_UNSPECIFIED);
    if (attempt.node == "storage1") attempt.attempt.steps = set.SerializeAsString();
  }
  past_[0].command.tasks[0].phase_time -= absl::Seconds(1);  // storage1 was ready first
  EXPECT_THAT(DifferencesOn("web1"), IsEmpty());
}

TEST_F(AccountHistoryTest, WhatTheNodePutRightByItselfDiffersNoMore) {
  Did(look_, Outcome::kSucceeded,
      {Step("user"), Step("quota"), Step("share"), Step("address 2001:db8::"), Step("home")});
  const absl::Time later = TimeOf(1) + absl::Seconds(5);
  Repaired("web1", "address/2001:db8::: put back; it was: gone", TimeOf(1) - absl::Seconds(1));
  EXPECT_EQ(DifferencesOn("web1").size(), 5u) << "that was before";
  Repaired("web1", "address/2001:db8::: put back; it was: gone", later);
  EXPECT_THAT(DifferencesOn("web1"), testing::ElementsAre("user", "quota", "share", "home"));
  Repaired("web1", "share/home: put back; it was: gone", later);
  Repaired("web1", "account/other.example: put back; it was: gone", later);
  EXPECT_THAT(DifferencesOn("web1"), testing::ElementsAre("user", "quota", "home"));
  Repaired("web1", "account/a.example: put back; it was: gone", later);
  EXPECT_THAT(DifferencesOn("web1"), testing::ElementsAre("quota", "home"))
      << "an app node does not set limits";
  Repaired("storage1", "account/a.example: put back; it was: 1MiB", later);
  EXPECT_THAT(DifferencesOn("web1"), testing::ElementsAre("home"));
  EXPECT_EQ(DifferencesOn("storage1").size(), 3u) << "of its own: share, address, home";
}

TEST_F(AccountHistoryTest, WhatFailedIsRememberedUntilItIsMadeUpFor) {
  Did(create_, Outcome::kSucceeded);
  EXPECT_FALSE(On("web1").failure);
  Did(quota_, Outcome::kFailed);
  ASSERT_TRUE(On("web1").failure);
  EXPECT_EQ(On("web1").failure->kind, "set_account_quota");
  Did("add_account_address { domain: 'a.example' address: '203.0.113.11' }", Outcome::kFailed);
  EXPECT_EQ(On("web1").failure->kind, "add_account_address") << "the later one";
  Did("remove_account_address { domain: 'a.example' address: '203.0.113.11' }",
      Outcome::kSucceeded);
  EXPECT_EQ(On("web1").failure->kind, "set_account_quota");
  Did("set_quota { domain: 'a.example' }", Outcome::kSucceeded, {}, {"web1"});
  EXPECT_FALSE(On("web1").failure);
  EXPECT_TRUE(On("storage1").failure);
  Did(look_, Outcome::kSucceeded);
  EXPECT_FALSE(On("storage1").failure) << "what is not right, the look says";
}

TEST_F(AccountHistoryTest, WhatHadNoEffectIsNoFailure) {
  Did(create_, Outcome::kSucceeded);
  Did(quota_, Outcome::kCancelled);
  EXPECT_FALSE(On("web1").failure) << "no node ever got it: it was taken back";
  Did(quota_, Outcome::kSuperseded);
  EXPECT_FALSE(On("web1").failure);
  Did(look_, Outcome::kFailed);
  EXPECT_FALSE(On("web1").failure);
  EXPECT_EQ(On("web1").look->command, 1);
  Did(apply_, Outcome::kFailed);
  EXPECT_TRUE(On("web1").failure);
}

}  // namespace
}  // namespace hostq::manager
