// Nobody fills the disk by being refused.
#include "manager/audit/refusals.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"

namespace hostq::manager {
namespace {

AuditEntry Refusal(const std::string& actor, Reason reason = Reason::kOutOfScope,
                   const std::string& message = "no") {
  AuditEntry entry;
  entry.actor = actor;
  entry.source = "192.0.2.7";
  entry.act = "hostq.v1.NodeService.PauseNode";
  entry.outcome = reason;
  entry.message = message;
  return entry;
}

constexpr absl::Duration kStart = absl::Hours(1);

TEST(RefusalsTest, TheFirstIsWrittenAtOnce) {
  Refusals refusals;
  const auto first = refusals.Add(Refusal("alice"), kStart);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->actor, "alice");
  EXPECT_EQ(first->count, 1);
}

TEST(RefusalsTest, OthersOfItsSortAreGatheredForAMinute) {
  Refusals refusals;
  ASSERT_TRUE(refusals.Add(Refusal("alice"), kStart));
  for (int i = 0; i < 500; ++i) {
    EXPECT_FALSE(refusals.Add(Refusal("alice", Reason::kOutOfScope, absl::StrCat("m", i)),
                              kStart + absl::Milliseconds(i)));
  }
  EXPECT_TRUE(refusals.TakeDue(kStart + absl::Seconds(59)).empty());
  const std::vector<AuditEntry> due = refusals.TakeDue(kStart + absl::Seconds(60));
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].count, 500);
  EXPECT_EQ(due[0].message, "m499");
  EXPECT_TRUE(refusals.TakeDue(kStart + absl::Seconds(61)).empty());
}

TEST(RefusalsTest, SortsAreToldApart) {
  Refusals refusals;
  EXPECT_TRUE(refusals.Add(Refusal("alice"), kStart));
  EXPECT_TRUE(refusals.Add(Refusal("bob"), kStart));
  EXPECT_TRUE(refusals.Add(Refusal("alice", Reason::kRateLimited), kStart));
  AuditEntry other = Refusal("alice");
  other.source = "192.0.2.8";
  EXPECT_TRUE(refusals.Add(other, kStart));
  other.act = "hostq.v1.NodeService.RemoveNode";
  EXPECT_TRUE(refusals.Add(other, kStart));
  EXPECT_FALSE(refusals.Add(Refusal("alice"), kStart));
}

TEST(RefusalsTest, WhatComesAfterAMinuteIsWrittenWithWhatWasGathered) {
  Refusals refusals;
  ASSERT_TRUE(refusals.Add(Refusal("alice"), kStart));
  ASSERT_FALSE(refusals.Add(Refusal("alice"), kStart));
  const auto next = refusals.Add(Refusal("alice"), kStart + absl::Minutes(1));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->count, 2);
}

TEST(RefusalsTest, WhoComesNoMoreIsForgotten) {
  Refusals refusals;
  ASSERT_TRUE(refusals.Add(Refusal("alice"), kStart));
  EXPECT_EQ(refusals.sorts(), 1u);
  EXPECT_TRUE(refusals.TakeDue(kStart + absl::Minutes(1)).empty());
  EXPECT_EQ(refusals.sorts(), 0u);
  EXPECT_TRUE(refusals.Add(Refusal("alice"), kStart + absl::Minutes(1)));
}

// Somebody may make names up.
TEST(RefusalsTest, TooManySortsAreOne) {
  Refusals refusals;
  int written = 0;
  for (int i = 0; i < 50'000; ++i) {
    const auto entry = refusals.Add(Refusal(absl::StrCat("actor", i)), kStart);
    if (!entry) continue;
    ++written;
    if (written > 1'000) {
      EXPECT_EQ(entry->actor, "various");
      EXPECT_EQ(entry->outcome, Reason::kOutOfScope);
    }
  }
  EXPECT_EQ(written, 1'001);
  EXPECT_LE(refusals.sorts(), 1'001u);
  const std::vector<AuditEntry> due = refusals.TakeDue(kStart + absl::Minutes(1));
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].count, 48'999);
  EXPECT_NE(due[0].message.find("actor49999"), std::string::npos);
}

AuditEntry Unauthenticated(const std::string& source) {
  AuditEntry entry = Refusal("unknown", Reason::kUnauthenticated);
  entry.source = source;
  return entry;
}

// One host has as many addresses of its network as it likes.
TEST(RefusalsTest, ANetworkIsOneSource) {
  Refusals refusals;
  int written = 0;
  for (int i = 0; i < 2'000; ++i) {
    const std::string source = absl::StrCat("2001:db8::", absl::Hex(i + 1));
    if (refusals.Add(Unauthenticated(source), kStart + i * absl::Milliseconds(60))) ++written;
  }
  EXPECT_LT(written, 10);
  const std::vector<AuditEntry> left = refusals.TakeAll();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].source, "2001:db8::7d0") << "the last address itself";
}

// Who shows nothing may come from as many networks as there are: that is no place to hide in.
TEST(RefusalsTest, StrangersTakeNoPlaceOfThoseWhoAreKnown) {
  Refusals refusals;
  int written = 0;
  for (int i = 0; i < 2'000; ++i) {
    const std::string source = absl::StrCat("2001:db8:0:", absl::Hex(i + 1), "::1");
    const auto entry = refusals.Add(Unauthenticated(source), kStart);
    if (entry) {
      ++written;
      EXPECT_EQ(entry->actor, "unknown");
    }
  }
  EXPECT_EQ(written, 101);
  const auto named = refusals.Add(Refusal("key/billing"), kStart);
  ASSERT_TRUE(named);
  EXPECT_EQ(named->actor, "key/billing");
  EXPECT_EQ(named->source, "192.0.2.7");
  const std::vector<AuditEntry> rest = refusals.TakeDue(kStart + absl::Minutes(1));
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].actor, "unknown");
  EXPECT_EQ(rest[0].source, "various");
  EXPECT_EQ(rest[0].count, 1'899);
}

TEST(RefusalsTest, TheEndTakesAll) {
  Refusals refusals;
  for (const char* actor : {"bob", "alice", "carol"}) {
    ASSERT_TRUE(refusals.Add(Refusal(actor), kStart));
  }
  ASSERT_FALSE(refusals.Add(Refusal("bob"), kStart));
  ASSERT_FALSE(refusals.Add(Refusal("alice"), kStart));
  const std::vector<AuditEntry> all = refusals.TakeAll();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].actor, "alice");
  EXPECT_EQ(all[1].actor, "bob");
  EXPECT_TRUE(refusals.TakeAll().empty());
}

TEST(RefusalsTest, NoneIsLostBetweenThreads) {
  Refusals refusals;
  std::atomic<int64_t> counted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) {
        const auto entry = refusals.Add(Refusal("alice"), kStart + absl::Seconds(i));
        if (entry) counted += entry->count;
        for (const AuditEntry& due : refusals.TakeDue(kStart + absl::Seconds(i))) {
          counted += due.count;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const AuditEntry& left : refusals.TakeAll()) counted += left.count;
  EXPECT_EQ(counted, 20'000);
}

}  // namespace
}  // namespace hostq::manager
