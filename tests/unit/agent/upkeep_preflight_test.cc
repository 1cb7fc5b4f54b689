// Goal: a node that has passed its preflight goes through it again by itself, and tells what fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/upkeep/upkeep.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class UpkeepPreflightTest : public testing::Test {
 protected:
  UpkeepPreflightTest() { Restart({}); }
  void Restart(Kept kept) {
    UpkeepOptions options;
    options.look = [](const Kept&) { return std::vector<Deviation>(); };
    upkeep = std::make_unique<Upkeep>(options, clock);
    upkeep->Load(std::move(kept));
  }
  // The manager's preflight succeeded on a node with these roles.
  void Passes(const Roles& roles = {.app = true}) {
    v1::Work work;
    work.mutable_preflight()->set_quorum_address("10.0.0.1");
    work.mutable_preflight()->add_addresses("203.0.113.1");
    work.mutable_preflight()->add_shares()->set_name("of then");
    Keep(work, roles);
  }
  void Keep(const v1::Work& work, const Roles& roles) {
    for (const auto& [key, item] : KeptAfter(work, roles, upkeep->kept())) upkeep->Keep(key, item);
  }
  // Whether the node's own preflight begins now.
  bool Begins() {
    for (const Upkeep::Repair& one : upkeep->Advance()) {
      if (one.purpose != Upkeep::Purpose::kPreflight) continue;
      EXPECT_TRUE(look.ParseFromString(one.item.work));
      looked_as = one.item.roles;
      return true;
    }
    return false;
  }
  bool BeginsAfter(absl::Duration wait) {
    clock.Advance(wait - absl::Seconds(1));
    EXPECT_FALSE(Begins());
    clock.Advance(absl::Seconds(1));
    return Begins();
  }
  std::vector<std::string> News() {
    const auto news = upkeep->TakeNews();
    if (!news) return {"nothing new"};
    std::vector<std::string> open;
    for (const auto& one : news->open()) {
      open.push_back(
          absl::StrCat(one.resource_key(), " ", NameOf(static_cast<Reason>(one.reason()))));
    }
    EXPECT_EQ(news->open_count(), news->open_size());
    return open;
  }

  FakeClock clock;
  std::unique_ptr<Upkeep> upkeep;
  v1::Work look;
  std::vector<std::string> looked_as;
};

const Deviation kArp = {"check/arp", Reason::kArpNotSilenced, "arp_ignore is 0"};
const Deviation kTools = {"check/tools", Reason::kToolMissing, "no exportfs"};

TEST_F(UpkeepPreflightTest, OnlyOnceOneWasPassedAndThenAgainAndAgain) {
  clock.Advance(absl::Hours(1));
  EXPECT_FALSE(Begins()) << "the manager repeats the first one until it is passed";
  Passes();
  EXPECT_TRUE(BeginsAfter(absl::Minutes(5)));
  clock.Advance(absl::Hours(1));
  EXPECT_FALSE(Begins()) << "one at a time";
  upkeep->OnChecked(std::vector<Deviation>());
  EXPECT_THAT(News(), ElementsAre("nothing new"));
  EXPECT_TRUE(BeginsAfter(absl::Minutes(5)));
}

TEST_F(UpkeepPreflightTest, WhatFailsIsToldOnceAndLookedAtSooner) {
  Passes();
  ASSERT_TRUE(BeginsAfter(absl::Minutes(5)));
  upkeep->OnChecked({{kArp}});
  EXPECT_THAT(News(), ElementsAre("check/arp ARP_NOT_SILENCED"));
  EXPECT_THAT(upkeep->Advance(), IsEmpty()) << "nothing can be put back";
  ASSERT_TRUE(BeginsAfter(absl::Seconds(30)));
  upkeep->OnChecked({{kArp}});
  EXPECT_THAT(News(), ElementsAre("nothing new"));
  ASSERT_TRUE(BeginsAfter(absl::Seconds(30)));
  upkeep->OnChecked(std::nullopt);
  EXPECT_THAT(News(), ElementsAre("nothing new")) << "one that was not through says nothing";
  ASSERT_TRUE(BeginsAfter(absl::Seconds(30)));
  upkeep->OnChecked({{kArp, kTools}});
  EXPECT_THAT(News(), ElementsAre("check/arp ARP_NOT_SILENCED", "check/tools TOOL_MISSING"));
  upkeep->TellAgain();
  EXPECT_THAT(News(), ElementsAre("check/arp ARP_NOT_SILENCED", "check/tools TOOL_MISSING"));
  ASSERT_TRUE(BeginsAfter(absl::Seconds(30)));
  upkeep->OnChecked({{kTools}});
  EXPECT_THAT(News(), ElementsAre("check/tools TOOL_MISSING"));
  // The manager's finds nothing: somebody has just mended it, and asked.
  Passes();
  EXPECT_THAT(News(), IsEmpty());
  EXPECT_TRUE(BeginsAfter(absl::Minutes(5)));
}

TEST_F(UpkeepPreflightTest, SoonAfterTheStart) {
  Passes();
  Restart(upkeep->kept());
  EXPECT_TRUE(BeginsAfter(absl::Seconds(30))) << "the machine may have lost its settings";
}

TEST_F(UpkeepPreflightTest, LooksAtWhatTheNodeHasNow) {
  Passes();
  v1::Work work;
  work.mutable_mount_share()->mutable_share()->set_name("home");
  Keep(work, {.app = true});
  work.mutable_bind_address()->set_address("203.0.113.9");
  Keep(work, {.app = true});
  ASSERT_TRUE(BeginsAfter(absl::Minutes(5)));
  EXPECT_EQ(look.preflight().quorum_address(), "") << "the session shows whether it is there";
  EXPECT_THAT(look.preflight().addresses(), ElementsAre("203.0.113.9"));
  ASSERT_EQ(look.preflight().shares_size(), 1);
  EXPECT_EQ(look.preflight().shares(0).name(), "home");
  EXPECT_THAT(looked_as, ElementsAre("app"));
}

TEST_F(UpkeepPreflightTest, AServerLooksAtWhatItsAccountsLieOn) {
  Passes({.storage = true});
  for (const char* domain : {"a.example", "b.example"}) {
    v1::Work work;
    v1::Account& account = *work.mutable_create_account()->mutable_account();
    account.set_domain(domain);
    account.mutable_share()->set_name("home");
    account.mutable_share()->set_export_path("/chroot/home");
    Keep(work, {.storage = true});
  }
  ASSERT_TRUE(BeginsAfter(absl::Minutes(5)));
  ASSERT_EQ(look.preflight().shares_size(), 1);
  EXPECT_EQ(look.preflight().shares(0).export_path(), "/chroot/home");
  EXPECT_THAT(looked_as, ElementsAre("storage"));
}

// Found by a tester: a process of the agent's own looks hung, and nobody was told.
TEST_F(UpkeepPreflightTest, WhatHangsIsToldUntilItEnds) {
  const Deviation hangs = {"account/a.example", Reason::kWedged, "process 7 cannot be ended"};
  upkeep->SetWedged({});
  EXPECT_THAT(News(), ElementsAre("nothing new"));
  upkeep->SetWedged({hangs});
  EXPECT_THAT(News(), ElementsAre("account/a.example WEDGED"));
  upkeep->SetWedged({hangs});
  EXPECT_THAT(News(), ElementsAre("nothing new"));
  upkeep->SetWedged({});
  EXPECT_THAT(News(), IsEmpty());
}

TEST_F(UpkeepPreflightTest, TheOneOfAResyncCountsToo) {
  v1::Work work;
  work.mutable_resync_node()->mutable_preflight()->set_quorum_port(7443);
  Keep(work, {.app = true});
  ASSERT_TRUE(BeginsAfter(absl::Minutes(5)));
  EXPECT_EQ(look.preflight().quorum_port(), 7443u);
}

}  // namespace
}  // namespace hostq::agent
