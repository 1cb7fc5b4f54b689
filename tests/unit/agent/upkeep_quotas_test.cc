// Goal: every account's quota is looked at in its turn, one at a time, and what a look says is held
// against what is meant then. Method: Upkeep with a clock that the test moves; the test answers.

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "agent/upkeep/upkeep.h"
#include "common/base/clock.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class UpkeepQuotasTest : public testing::Test {
 protected:
  UpkeepQuotasTest() { Make(true); }
  void Make(bool repair) {
    UpkeepOptions options;
    options.look = [this](const Kept&) -> absl::StatusOr<std::vector<Deviation>> {
      return deviations;
    };
    options.repair = repair;
    upkeep = std::make_unique<Upkeep>(options, clock);
  }
  static KeptItem Account(const std::string& name, int64_t quota, const std::string& role) {
    v1::Work work;
    v1::ResyncAccount& resync = *work.mutable_resync_account();
    resync.set_apply(true);
    resync.mutable_account()->set_domain(name);
    resync.mutable_account()->set_quota_bytes(quota);
    return {"resync_account", work.SerializeAsString(), {role}};
  }
  void Keep(const std::string& name, int64_t quota = 1, const std::string& role = "storage") {
    upkeep->Keep("account/" + name, Account(name, quota, role));
  }
  // What is to be run now: "look a", "repair a".
  std::vector<std::string> Advance(const std::set<std::string>& changing = {}) {
    std::vector<std::string> texts;
    for (Upkeep::Repair& one : upkeep->Advance(changing)) {
      texts.push_back(absl::StrCat(one.purpose == Upkeep::Purpose::kQuotaLook ? "look " : "repair ",
                                   one.key.substr(8)));
      begun[texts.back()] = std::move(one);
    }
    return texts;
  }
  void Ends(const std::string& what, Reason reason = Reason::kNone) {
    upkeep->OnRepaired(begun.at(what), reason, "as it is");
  }
  std::vector<std::string> Open() {
    std::vector<std::string> open;
    const auto news = upkeep->TakeNews();
    if (!news) return {"nothing new"};
    for (const auto& one : news->open()) {
      open.push_back(
          absl::StrCat(one.resource_key(), " ", NameOf(static_cast<Reason>(one.reason()))));
    }
    return open;
  }

  FakeClock clock;
  std::vector<Deviation> deviations;
  std::unique_ptr<Upkeep> upkeep;
  std::map<std::string, Upkeep::Repair> begun;
};

TEST_F(UpkeepQuotasTest, EachInItsTurnWithinTheRoundAndOneAtATime) {
  Keep("a");
  Keep("b");
  Keep("c", 1, "app");
  EXPECT_THAT(Advance(), ElementsAre("look a"));
  clock.Advance(absl::Seconds(25));
  EXPECT_THAT(Advance(), IsEmpty()) << "a is still looked at";
  Ends("look a");
  EXPECT_THAT(Advance(), ElementsAre("look b"));
  Ends("look b");
  EXPECT_THAT(Advance(), IsEmpty());
  EXPECT_EQ(upkeep->NextWake(), clock.Monotonic() + absl::Seconds(5)) << "the look at the rest";
  clock.Advance(absl::Seconds(25));
  EXPECT_THAT(Advance(), ElementsAre("look a")) << "again, and never c, which has none here";
  v1::Work work;
  ASSERT_TRUE(work.ParseFromString(begun.at("look a").item.work));
  EXPECT_FALSE(work.resync_account().apply());
}

// Found by a tester: the first one's turn was set for one account, and those that came meanwhile
// waited for it.
TEST_F(UpkeepQuotasTest, WhatComesLaterDoesNotWaitForTheRoundOfOne) {
  Keep("a");
  EXPECT_THAT(Advance(), ElementsAre("look a"));
  Ends("look a");
  Keep("b");
  Keep("c");
  std::vector<std::string> looked;
  for (int second = 0; second < 50; ++second) {
    clock.Advance(absl::Seconds(1));
    for (const std::string& what : Advance()) {
      looked.push_back(what);
      Ends(what);
    }
  }
  EXPECT_THAT(looked, testing::IsSupersetOf({"look b", "look c"}));
}

TEST_F(UpkeepQuotasTest, ThousandsInAMinuteAndMoreTakeLonger) {
  for (int i = 0; i < 2500; ++i) Keep(absl::StrCat("n", 10000 + i));
  std::set<std::string> seen;
  for (absl::Duration t; t < absl::Seconds(60); t += absl::Milliseconds(20)) {
    for (const std::string& what : Advance()) {
      seen.insert(what);
      Ends(what);
    }
    clock.Advance(absl::Milliseconds(20));
  }
  EXPECT_EQ(seen.size(), 2500U);
  for (int i = 0; i < 7500; ++i) Keep(absl::StrCat("m", 10000 + i));
  for (const std::string& what : Advance()) Ends(what);
  EXPECT_EQ(upkeep->NextWake(), clock.Monotonic() + absl::Milliseconds(20))
      << "at most 50 a second";
}

TEST_F(UpkeepQuotasTest, OneThatIsAnotherIsToldAndSetRight) {
  Keep("a");
  EXPECT_THAT(Advance(), ElementsAre("look a"));
  Ends("look a", Reason::kDiffers);
  EXPECT_THAT(Open(), ElementsAre("account/a QUOTA_MISMATCH"));
  EXPECT_THAT(Advance(), ElementsAre("repair a"));
  clock.Advance(absl::Seconds(10));
  EXPECT_THAT(Advance(), IsEmpty()) << "not looked at meanwhile";
  EXPECT_THAT(Open(), ElementsAre("nothing new")) << "the look at the rest does not see it";
  Ends("repair a");
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(UpkeepQuotasTest, WithoutRepairItIsToldUntilSomebodyElseSetsItRight) {
  Make(false);
  Keep("a");
  Advance();
  Ends("look a", Reason::kDiffers);
  EXPECT_THAT(Open(), ElementsAre("account/a QUOTA_MISMATCH"));
  clock.Advance(absl::Seconds(50));
  EXPECT_THAT(Advance(), ElementsAre("look a"));
  Ends("look a", Reason::kQuotaNotEnabled);
  EXPECT_THAT(Open(), ElementsAre("nothing new")) << "it could not be seen";
  clock.Advance(absl::Seconds(50));
  Advance();
  Ends("look a");
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(UpkeepQuotasTest, WhatAnotherCommandSaysMeanwhileCounts) {
  Keep("a");
  Advance();
  Keep("a", 2);
  Ends("look a", Reason::kDiffers);
  EXPECT_THAT(Open(), ElementsAre("nothing new"));
  clock.Advance(absl::Seconds(50));
  EXPECT_THAT(Advance({"account/a"}), IsEmpty()) << "its command is at work";
  clock.Advance(absl::Seconds(50));
  EXPECT_THAT(Advance(), ElementsAre("look a"));
  EXPECT_THAT(Advance({"account/a"}), IsEmpty());
  Ends("look a", Reason::kDiffers);
  EXPECT_THAT(Open(), ElementsAre("nothing new"));
  clock.Advance(absl::Seconds(50));
  Advance();
  upkeep->Drop("account/a");
  Ends("look a", Reason::kDiffers);
  EXPECT_THAT(Open(), ElementsAre("nothing new")) << "deleted";
  clock.Advance(absl::Seconds(50));
  EXPECT_THAT(Advance(), IsEmpty());
}

// A repair says how the account was before: it would undo what the command does.
TEST_F(UpkeepQuotasTest, NothingIsPutBackWhileACommandIsAtWork) {
  Keep("a", 1, "app");
  deviations = {{"account/a", Reason::kDiffers, "another shell"}};
  EXPECT_THAT(Advance({"account/a"}), IsEmpty());
  clock.Advance(absl::Seconds(5));
  EXPECT_THAT(Advance(), ElementsAre("repair a"));
  Ends("repair a", Reason::kAccountDatabaseLocked);
  clock.Advance(absl::Minutes(10));
  EXPECT_THAT(Advance({"account/a"}), IsEmpty());
  EXPECT_GT(upkeep->NextWake(), clock.Monotonic()) << "it would spin";
  EXPECT_THAT(Advance(), ElementsAre("repair a"));
}

}  // namespace
}  // namespace hostq::agent
