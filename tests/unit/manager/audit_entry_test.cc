// What goes into an entry is text that can be exported, and bounded.
#include "manager/domain/audit.h"

#include <gtest/gtest.h>

#include "common/base/error.h"

namespace hostq::manager {
namespace {

TEST(AuditTextTest, Utf8Stays) {
  EXPECT_EQ(AuditText("", 10), "");
  EXPECT_EQ(AuditText("web1", 10), "web1");
  EXPECT_EQ(AuditText("müller €", 20), "müller €");
  EXPECT_EQ(AuditText("\xf0\x9f\x98\x80", 4), "\xf0\x9f\x98\x80");
}

TEST(AuditTextTest, WhatIsNoTextIsReplaced) {
  EXPECT_EQ(AuditText("a\nb\x7f", 10), "a?b?");
  EXPECT_EQ(AuditText(absl::string_view("a\0b", 3), 10), "a?b");
  EXPECT_EQ(AuditText("\xff\xfe", 10), "??");
  EXPECT_EQ(AuditText("a\xc3", 10), "a?");               // cut off
  EXPECT_EQ(AuditText("\xc0\xaf", 10), "??");            // overlong
  EXPECT_EQ(AuditText("\xe0\x80\xaf", 10), "???");       // overlong
  EXPECT_EQ(AuditText("\xed\xa0\x80", 10), "???");       // half of a pair
  EXPECT_EQ(AuditText("\xf4\x90\x80\x80", 10), "????");  // beyond the last character
}

TEST(AuditTextTest, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(AuditText("abcdef", 6), "abcdef");
  EXPECT_EQ(AuditText("abcdefg", 6), "abc...");
  EXPECT_EQ(AuditText("abéééé", 8), "abé...");
  EXPECT_EQ(AuditText(std::string(10'000, 'x'), kMaxAuditJson).size(), kMaxAuditJson);
}

TEST(AuditEntryTest, DoneHasWhatChanged) {
  Origin origin("alice");
  origin.source = "socket";
  origin.act = "hostq.v1.NodeService.PauseNode";
  origin.target = "node/web1";
  origin.request_id = "r1";
  const AuditEntry entry =
      MakeAuditEntry(origin, absl::OkStatus(), absl::FromUnixSeconds(7), "{}", "{\"a\":1}");
  EXPECT_EQ(entry.actor, "alice");
  EXPECT_EQ(entry.source, "socket");
  EXPECT_EQ(entry.act, "hostq.v1.NodeService.PauseNode");
  EXPECT_EQ(entry.target, "node/web1");
  EXPECT_EQ(entry.request_id, "r1");
  EXPECT_EQ(entry.outcome, Reason::kNone);
  EXPECT_EQ(entry.before, "{}");
  EXPECT_EQ(entry.after, "{\"a\":1}");
  EXPECT_EQ(entry.count, 1);
  EXPECT_EQ(entry.time, absl::FromUnixSeconds(7));
}

TEST(AuditEntryTest, RefusalHasItsReason) {
  const absl::Status status =
      MakeError(absl::StatusCode::kPermissionDenied, Reason::kOutOfScope, "no\xff");
  const AuditEntry entry = MakeAuditEntry("alice", status, absl::UnixEpoch(), "{}", "{}");
  EXPECT_EQ(entry.outcome, Reason::kOutOfScope);
  EXPECT_NE(entry.message.find("no?"), std::string::npos);
  EXPECT_EQ(entry.before, "");
  EXPECT_EQ(entry.after, "");
}

TEST(AuditEntryTest, RefusalWithoutReasonIsNotTakenForDone) {
  EXPECT_EQ(MakeAuditEntry("a", absl::UnknownError("x"), absl::UnixEpoch()).outcome,
            Reason::kInternal);
}

TEST(AuditEntryTest, NothingIsLongerThanItMayBe) {
  const std::string large(1 << 20, 'x');
  Origin origin(large);
  origin.source = origin.act = origin.target = origin.request_id = large;
  const AuditEntry done = MakeAuditEntry(origin, absl::OkStatus(), absl::UnixEpoch(), large, large);
  const AuditEntry refused =
      MakeAuditEntry(origin, absl::UnknownError(large), absl::UnixEpoch(), large, large);
  for (const AuditEntry& entry : {done, refused}) {
    EXPECT_LE(entry.actor.size() + entry.source.size() + entry.act.size() + entry.target.size() +
                  entry.request_id.size() + entry.message.size() + entry.before.size() +
                  entry.after.size(),
              11'000u);
  }
}

TEST(JsonTextTest, IsEscaped) { EXPECT_EQ(JsonText("a\"\\\nb"), "\"a\\\"\\\\\\u000ab\""); }

}  // namespace
}  // namespace hostq::manager
