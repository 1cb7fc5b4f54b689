// Goal: what is to be sent to webhooks, when it is tried again, and when it is given up; that what
// is stored says the same as what is in memory. Method: the rules alone, with a clock that the test
// sets.
#include "manager/cluster/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

class WebhooksTest : public testing::Test {
 protected:
  static storage::v1::Webhook Row(const std::string& name, const std::string& key = "") {
    storage::v1::Webhook row;
    row.set_id("id" + name);
    row.set_name(name);
    row.set_url("https://receiver.example/" + name);
    row.add_events("command.finished");
    row.set_key_id(key);
    row.add_secrets()->set_text("hqw_first");
    return row;
  }
  ChangeSet Store(absl::StatusOr<ChangeSet> changes) {
    EXPECT_TRUE(changes.ok()) << changes.status();
    if (!changes.ok()) return {};
    for (const ResourceChange& change : changes->resources) {
      if (change.data) {
        stored_[{change.kind, change.key}] = *change.data;
      } else {
        stored_.erase({change.kind, change.key});
      }
    }
    std::vector<ResourceChange> rows;
    webhooks_.AddRows(rows);
    std::map<std::pair<std::string, std::string>, std::string> now;
    for (const ResourceChange& row : rows) now[{row.kind, row.key}] = *row.data;
    EXPECT_EQ(stored_, now);
    return *std::move(changes);
  }
  void Deliver(const std::string& webhook, int64_t sequence, const std::string& type = "x") {
    ChangeSet changes;
    storage::v1::Delivery delivery;
    delivery.set_id(absl::StrCat("id", webhook, "-", sequence));
    delivery.set_webhook(webhook);
    delivery.set_type(type);
    delivery.set_body("{}");
    webhooks_.Add(delivery, now_, changes);
    webhooks_.Reached(webhook, sequence, changes);
    Store(changes);
  }
  std::vector<std::string> Due(const Webhooks::Busy& busy = {}) {
    std::vector<std::string> ids;
    for (const auto& due : webhooks_.TakeDue(now_.wall, busy, 4, next_)) {
      ids.push_back(due.delivery.id());
    }
    return ids;
  }
  void Attempt(const std::string& id, bool ok) {
    Store(webhooks_.Attempted(id, ok, ok ? "200" : "503", now_, random_));
  }
  void Advance(absl::Duration by) {
    now_.wall += by;
    now_.monotonic += by;
  }

  Webhooks::Keys keys_;
  Webhooks webhooks_{keys_};
  std::map<std::pair<std::string, std::string>, std::string> stored_;
  SeededRandom random_{1};
  Now now_ = {absl::FromUnixSeconds(1'700'000'000), absl::Hours(1)};
  absl::Time next_;
};

TEST_F(WebhooksTest, NamesAreUniqueAndNumbersLimited) {
  Store(webhooks_.Add(Row("billing"), 7, now_));
  EXPECT_EQ(ReasonOf(webhooks_.Add(Row("billing"), 7, now_).status()), Reason::kWebhookExists);
  EXPECT_EQ(ReasonOf(webhooks_.Add(Row("No Name"), 7, now_).status()), Reason::kInvalidName);
  for (size_t i = 0; i < Webhooks::kMaxOfKey; ++i) {
    Store(webhooks_.Add(Row(absl::StrCat("k", i), "key1"), 7, now_));
  }
  EXPECT_EQ(ReasonOf(webhooks_.Add(Row("more", "key1"), 7, now_).status()),
            Reason::kWebhookLimitReached);
  for (size_t i = webhooks_.all().size(); i < Webhooks::kMaxWebhooks; ++i) {
    Store(webhooks_.Add(Row(absl::StrCat("w", i)), 7, now_));
  }
  EXPECT_EQ(ReasonOf(webhooks_.Add(Row("more"), 7, now_).status()), Reason::kWebhookLimitReached);
}

TEST_F(WebhooksTest, SecretsAreInNoAudit) {
  const ChangeSet added = Store(webhooks_.Add(Row("billing"), 7, now_));
  EXPECT_TRUE(absl::StrContains(added.after, "receiver.example"));
  EXPECT_FALSE(absl::StrContains(added.after, "hqw_"));
  storage::v1::SigningSecret secret;
  secret.set_text("hqw_second");
  const ChangeSet rotated = Store(webhooks_.Rotate("billing", secret, absl::Hours(1), now_));
  EXPECT_FALSE(absl::StrContains(rotated.before, "hqw_"));
  EXPECT_FALSE(absl::StrContains(rotated.after, "hqw_"));
}

TEST_F(WebhooksTest, BothSecretsSignWhileRotating) {
  Store(webhooks_.Add(Row("billing"), 7, now_));
  Deliver("billing", 8);
  storage::v1::SigningSecret secret;
  secret.set_text("hqw_second");
  Store(webhooks_.Rotate("billing", secret, absl::Hours(1), now_));
  EXPECT_THAT(webhooks_.TakeDue(now_.wall, {}, 4, next_)[0].secrets,
              ::testing::ElementsAre("hqw_second", "hqw_first"));
  Advance(absl::Hours(1));
  EXPECT_THAT(webhooks_.TakeDue(now_.wall, {}, 4, next_)[0].secrets,
              ::testing::ElementsAre("hqw_second"));
}

TEST_F(WebhooksTest, IsTriedAgainWithGrowingDelaysAndGivenUpAfterThreeDays) {
  Store(webhooks_.Add(Row("billing"), 7, now_));
  Deliver("billing", 8);
  const absl::Time begin = now_.wall;
  int attempts = 0;
  while (webhooks_.CountsOf("billing").pending > 0) {
    ASSERT_THAT(Due(), ::testing::ElementsAre("idbilling-8"));
    Attempt("idbilling-8", false);
    ++attempts;
    ASSERT_TRUE(Due().empty() || next_ == absl::InfiniteFuture());
    if (webhooks_.CountsOf("billing").pending == 0) break;
    ASSERT_GT(next_, now_.wall);
    ASSERT_LE(next_ - now_.wall, absl::Hours(1));
    Advance(next_ - now_.wall);
  }
  EXPECT_GE(now_.wall - begin, absl::Hours(72));
  EXPECT_LE(now_.wall - begin, absl::Hours(73));
  EXPECT_GT(attempts, 72);
  EXPECT_EQ(webhooks_.CountsOf("billing").parked, 1);
  const auto findings = webhooks_.Findings(now_.wall);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].reason, Reason::kWebhookFailing);
  EXPECT_EQ(findings[0].since, begin);
  EXPECT_TRUE(absl::StrContains(findings[0].remedy, "hostq webhook replay billing"));
  // Replayed, under the same id; and taken.
  int replayed = 0;
  Store(webhooks_.ReplayParked("billing", now_, replayed));
  EXPECT_EQ(replayed, 1);
  EXPECT_THAT(Due(), ::testing::ElementsAre("idbilling-8"));
  Attempt("idbilling-8", true);
  EXPECT_TRUE(webhooks_.Findings(now_.wall).empty());
  EXPECT_EQ(webhooks_.FindDelivery("idbilling-8")->state(), storage::v1::Delivery::DELIVERED);
}

TEST_F(WebhooksTest, AFailingReceiverIsAskedForOneAtATimeAndHoldsUpNobody) {
  Store(webhooks_.Add(Row("slow"), 0, now_));
  Store(webhooks_.Add(Row("quick"), 0, now_));
  for (int i = 1; i <= 10; ++i) {
    Deliver("slow", i);
    Deliver("quick", i);
  }
  EXPECT_EQ(Due().size(), 8u);  // four of each
  EXPECT_EQ(Due({{"slow", {"idslow-1", "idslow-10", "idslow-2", "idslow-3"}}}).size(), 4u);
  Attempt("idslow-1", false);
  EXPECT_EQ(Due().size(), 5u);
  EXPECT_EQ(Due({{"slow", {"idslow-10"}}}).size(), 4u);
  Attempt("idslow-10", true);
  EXPECT_EQ(Due().size(), 8u);
}

TEST_F(WebhooksTest, ThereIsRoomForSoManyAndTheHistoryKeepsTheRest) {
  Store(webhooks_.Add(Row("billing"), 0, now_));
  const auto& row = *webhooks_.Find("billing");
  for (size_t i = 1; i <= Webhooks::kMaxWaiting; ++i) {
    ASSERT_TRUE(webhooks_.TakesOn(row, static_cast<int64_t>(i), now_.wall));
    Deliver("billing", static_cast<int64_t>(i));
  }
  EXPECT_FALSE(webhooks_.TakesOn(row, 5'000, now_.wall));
  EXPECT_EQ(webhooks_.NextSequence(now_.wall), std::numeric_limits<int64_t>::max());
  Attempt("idbilling-1", true);
  EXPECT_EQ(webhooks_.NextSequence(now_.wall), static_cast<int64_t>(Webhooks::kMaxWaiting));
}

TEST_F(WebhooksTest, TakenOnesAreKeptForAWhile) {
  Store(webhooks_.Add(Row("billing"), 0, now_));
  for (int i = 1; i <= 150; ++i) {
    Deliver("billing", i);
    Advance(absl::Seconds(1));
    Attempt(absl::StrCat("idbilling-", i), true);
  }
  EXPECT_EQ(webhooks_.DeliveriesOf("billing").size(), Webhooks::kMaxDelivered);
  EXPECT_EQ(webhooks_.DeliveriesOf("billing")[0]->id(), "idbilling-150");
}

TEST_F(WebhooksTest, WhatIsMadeTwiceIsOne) {
  Store(webhooks_.Add(Row("billing"), 0, now_));
  Deliver("billing", 1);
  Attempt("idbilling-1", true);
  Deliver("billing", 1);
  EXPECT_EQ(webhooks_.FindDelivery("idbilling-1")->state(), storage::v1::Delivery::DELIVERED);
}

TEST_F(WebhooksTest, ThePositionIsStoredWithDeliveriesAndNowAndThen) {
  Store(webhooks_.Add(Row("billing"), 10, now_));
  ChangeSet changes;
  webhooks_.Reached("billing", 500, changes);
  EXPECT_TRUE(changes.resources.empty());
  EXPECT_EQ(webhooks_.NextSequence(now_.wall), 500);
  webhooks_.Reached("billing", 1'010, changes);
  EXPECT_EQ(changes.resources.size(), 1u);
  Store(changes);
  // Loaded anew it goes on there.
  Webhooks again(keys_);
  for (const auto& [id, data] : stored_) {
    EXPECT_TRUE(again.Load({id.first, id.second, data}).ok());
  }
  EXPECT_EQ(again.NextSequence(now_.wall), 1'010);
}

TEST_F(WebhooksTest, PausedOnesAreSentTestsOnlyAndForgetNothing) {
  Store(webhooks_.Add(Row("billing"), 0, now_));
  Deliver("billing", 1);
  Store(webhooks_.Pause("billing", "moves", "alice", now_));
  Deliver("billing", 2, "test");
  EXPECT_THAT(Due(), ::testing::ElementsAre("idbilling-2"));
  EXPECT_EQ(webhooks_.NextSequence(now_.wall), std::numeric_limits<int64_t>::max());
  Store(webhooks_.Resume("billing", 0));
  EXPECT_EQ(webhooks_.NextSequence(now_.wall), 2);
  EXPECT_EQ(Due().size(), 2u);
  Store(webhooks_.Pause("billing", "", "alice", now_));
  Store(webhooks_.Resume("billing", 77));
  EXPECT_EQ(webhooks_.NextSequence(now_.wall), 77);
}

TEST_F(WebhooksTest, EndsWithItsKey) {
  storage::v1::ApiKey key;
  key.set_id("key1");
  key.mutable_expire_time()->set_seconds(1'700'000'100);
  keys_["key1"] = key;
  Store(webhooks_.Add(Row("shop", "key1"), 0, now_));
  Deliver("shop", 1);
  EXPECT_EQ(Due().size(), 1u);
  keys_["key1"].mutable_revoke_time()->set_seconds(1);
  EXPECT_TRUE(Due().empty());
  EXPECT_FALSE(webhooks_.TakesOn(*webhooks_.Find("shop"), 2, now_.wall));
  keys_["key1"].clear_revoke_time();
  Advance(absl::Seconds(100));
  EXPECT_TRUE(Due().empty());
}

TEST_F(WebhooksTest, DeletedWithItsDeliveries) {
  Store(webhooks_.Add(Row("billing"), 0, now_));
  Deliver("billing", 1);
  Deliver("billing", 2);
  Attempt("idbilling-1", true);
  int dropped = 0;
  Store(webhooks_.Delete("billing", dropped));
  EXPECT_EQ(dropped, 1);
  EXPECT_TRUE(stored_.empty());
  // An answer that comes late changes nothing.
  EXPECT_TRUE(webhooks_.Attempted("idbilling-2", true, "200", now_, random_).resources.empty());
  EXPECT_EQ(ReasonOf(webhooks_.Delete("billing", dropped).status()), Reason::kUnknownWebhook);
  EXPECT_EQ(ReasonOf(webhooks_.Replay("idbilling-2", now_).status()), Reason::kUnknownDelivery);
}

TEST_F(WebhooksTest, ATestIsTriedOnce) {
  Store(webhooks_.Add(Row("billing"), 0, now_));
  Deliver("billing", 1, "test");
  Attempt("idbilling-1", false);
  EXPECT_EQ(webhooks_.CountsOf("billing").parked, 1);
  EXPECT_TRUE(webhooks_.Findings(now_.wall + absl::Hours(1)).empty()) << "who asked was told";
}

TEST_F(WebhooksTest, RowsThatCannotBeReadAreRefused) {
  EXPECT_EQ(webhooks_.Load({"webhook", "a", "\xff\xff"}).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(webhooks_.Load({"delivery", "a", Row("b").SerializeAsString()}).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_FALSE(*webhooks_.Load({"node", "a", ""}));
}

}  // namespace
}  // namespace hostq::manager
