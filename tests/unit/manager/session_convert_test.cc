// What agents say, as the queue gets it: limits, foreign and malformed leases, reasons, cut text.
#include "manager/session/convert.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "hostq/v1/command.pb.h"

namespace hostq::manager {
namespace {

const absl::Time kHelloTime = absl::FromUnixSeconds(1'800'000'000);
const Lease kLease{4711, "web1", 2, 77};

agent::v1::Hello GoodHello() {
  agent::v1::Hello hello;
  hello.set_protocol_version(1);
  hello.set_agent_version("0.1.0");
  hello.add_kinds("bind_address");
  hello.set_credits(8);
  hello.mutable_clock()->set_seconds(1'800'000'003);
  hello.set_max_epoch(99);
  auto* task = hello.add_in_flight();
  *task->mutable_lease() = ToProto(kLease);
  task->set_started(true);
  *hello.add_outbox() = ToProto(Lease{4712, "web1", 1, 78});
  return hello;
}

TEST(SessionConvertTest, LeaseComesBack) {
  const auto back = FromProto(ToProto(kLease), "web1");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, kLease);
}

TEST(SessionConvertTest, ForeignLeaseIsNotAuthorized) {
  const auto foreign = FromProto(ToProto(kLease), "web2");
  EXPECT_EQ(foreign.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(foreign.status()), Reason::kNotAuthorized);
}

TEST(SessionConvertTest, MalformedLeasesAreRefused) {
  const std::string id = FormatId(4711);
  for (const std::string& task : std::vector<std::string>{
           "", id, "/web1", id + "/web1/", id + "//web1", "x/web1", id + "x/web1",
           "0000000000000/web1", std::string(5'000, 'a') + "/web1"}) {
    agent::v1::Lease lease = ToProto(kLease);
    lease.set_task_id(task);
    EXPECT_EQ(FromProto(lease, "web1").status().code(), absl::StatusCode::kInvalidArgument) << task;
  }
  for (const int attempt : {0, -1}) {
    agent::v1::Lease lease = ToProto(kLease);
    lease.set_attempt(attempt);
    EXPECT_FALSE(FromProto(lease, "web1").ok());
  }
  for (const uint64_t epoch : {uint64_t{0}, uint64_t{1} << 63, UINT64_MAX}) {
    agent::v1::Lease lease = ToProto(kLease);
    lease.set_epoch(epoch);
    EXPECT_FALSE(FromProto(lease, "web1").ok()) << epoch;
  }
}

TEST(SessionConvertTest, HelloComesThrough) {
  const auto facts = FromProto(GoodHello(), "web1", kHelloTime);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->node, "web1");
  EXPECT_EQ(facts->kinds, std::vector<std::string>{"bind_address"});
  EXPECT_EQ(facts->credits, 8);
  EXPECT_EQ(facts->clock_skew, absl::Seconds(3));
  EXPECT_EQ(facts->max_epoch, 99u);
  ASSERT_EQ(facts->in_flight.size(), 1u);
  EXPECT_EQ(facts->in_flight[0].lease, kLease);
  EXPECT_TRUE(facts->in_flight[0].started);
  ASSERT_EQ(facts->outbox.size(), 1u);
}

TEST(SessionConvertTest, HelloBeyondItsLimitsIsRefused) {
  const auto code = [](const agent::v1::Hello& hello) {
    return FromProto(hello, "web1", kHelloTime).status().code();
  };
  agent::v1::Hello hello = GoodHello();
  hello.set_protocol_version(2);
  EXPECT_EQ(code(hello), absl::StatusCode::kFailedPrecondition);
  hello = GoodHello();
  hello.set_credits(-1);
  EXPECT_EQ(code(hello), absl::StatusCode::kInvalidArgument);
  hello.set_credits(kMaxHelloTasks + 1);
  EXPECT_EQ(code(hello), absl::StatusCode::kInvalidArgument);
  hello = GoodHello();
  hello.set_max_epoch(uint64_t{1} << 63);
  EXPECT_EQ(code(hello), absl::StatusCode::kInvalidArgument);
  hello = GoodHello();
  for (int i = 0; i < kMaxHelloTasks; ++i) *hello.add_in_flight() = hello.in_flight(0);
  EXPECT_EQ(code(hello), absl::StatusCode::kInvalidArgument);
  hello = GoodHello();
  for (int i = 0; i < kMaxHelloKinds; ++i) hello.add_kinds("x");
  EXPECT_EQ(code(hello), absl::StatusCode::kInvalidArgument);
  hello = GoodHello();
  hello.mutable_clock()->set_seconds(INT64_MAX);
  EXPECT_EQ(code(hello), absl::StatusCode::kInvalidArgument);
  hello = GoodHello();
  hello.mutable_outbox(0)->set_task_id(FormatId(1) + "/web2");
  EXPECT_EQ(code(hello), absl::StatusCode::kInvalidArgument);
  hello = GoodHello();
  hello.mutable_in_flight(0)->clear_lease();
  EXPECT_EQ(code(hello), absl::StatusCode::kInvalidArgument);
}

TEST(SessionConvertTest, FirstRealFailureExplainsTheResult) {
  agent::v1::Result result;
  auto* warned = result.add_steps();
  warned->set_name("clock");
  warned->set_warning(true);
  warned->set_reason(v1::Reason::CLOCK_SKEW);
  auto* skipped = result.add_steps();
  skipped->set_skipped(true);
  skipped->set_reason(v1::Reason::TOOL_MISSING);
  auto* failed = result.add_steps();
  failed->set_name("quota");
  failed->set_reason(v1::Reason::QUOTA_SET_NOT_PERMITTED);
  failed->set_message("rquotad says no");
  (*failed->mutable_evidence())["auth_stat"] = "7";
  const ResultFacts facts = FromProto(result, kLease, kHelloTime);
  EXPECT_EQ(facts.lease, kLease);
  EXPECT_EQ(facts.reason, Reason::kQuotaSetNotPermitted);
  EXPECT_EQ(facts.message, "rquotad says no");
  EXPECT_EQ(facts.evidence.at("auth_stat"), "7");
  EXPECT_EQ(facts.start_time, kHelloTime);
  EXPECT_EQ(facts.finish_time, kHelloTime);
  v1::Attempt steps;
  ASSERT_TRUE(steps.ParseFromString(facts.steps));
  ASSERT_EQ(steps.steps_size(), 3);
  EXPECT_TRUE(steps.steps(0).warning());
  EXPECT_TRUE(steps.steps(1).skipped());
  EXPECT_EQ(steps.steps(2).evidence().at("auth_stat"), "7");
}

TEST(SessionConvertTest, ResultsOwnWordsStand) {
  agent::v1::Result result;
  result.set_reason(v1::Reason::STEP_TIMED_OUT);
  result.set_message("after 5 minutes");
  auto* step = result.add_steps();
  step->set_reason(v1::Reason::INTERNAL);
  step->set_message("other");
  const ResultFacts facts = FromProto(result, kLease, kHelloTime);
  EXPECT_EQ(facts.reason, Reason::kStepTimedOut);
  EXPECT_EQ(facts.message, "after 5 minutes");
}

TEST(SessionConvertTest, OnlyWarningsIsSuccess) {
  agent::v1::Result result;
  auto* step = result.add_steps();
  step->set_warning(true);
  step->set_reason(v1::Reason::CLOCK_SKEW);
  EXPECT_EQ(FromProto(result, kLease, kHelloTime).reason, Reason::kNone);
}

TEST(SessionConvertTest, EverythingLongIsCut) {
  agent::v1::Result result;
  result.set_message(std::string(100'000, 'm'));
  for (int i = 0; i < 3'000; ++i) {
    auto* step = result.add_steps();
    step->set_name(absl::StrCat("step ", i));
    step->set_message(std::string(i < 5 ? 10'000 : 600, 'x'));
    if (i > 0) continue;
    for (int e = 0; e < 100; ++e) {
      (*step->mutable_evidence())[absl::StrCat("key", e)] = std::string(5'000, 'v');
    }
  }
  const ResultFacts facts = FromProto(result, kLease, kHelloTime);
  EXPECT_EQ(facts.message.size(), kMaxMessageText);
  EXPECT_LE(facts.steps.size(), kMaxStepsBytes + 64);
  v1::Attempt steps;
  ASSERT_TRUE(steps.ParseFromString(facts.steps));
  EXPECT_LE(steps.steps_size(), static_cast<int>(kMaxSteps));
  EXPECT_EQ(steps.steps(0).message().size(), kMaxMessageText);
  EXPECT_EQ(steps.steps(0).evidence_size(), static_cast<int>(kMaxEvidence));
  for (const auto& [name, value] : steps.steps(0).evidence()) {
    EXPECT_EQ(value.size(), kMaxEvidenceText) << name;
  }
  EXPECT_NE(steps.steps().rbegin()->message().find("left out"), std::string::npos);
}

TEST(SessionConvertTest, CutTextIsStillText) {
  std::string text;
  for (int i = 0; i < 1'000; ++i) text += "ä€😀";
  for (size_t limit = 10; limit < 40; ++limit) {
    v1::Attempt attempt;
    attempt.set_message(CutText(text, limit));
    EXPECT_LE(attempt.message().size(), limit);
    v1::Attempt back;  // proto3 refuses what is not UTF-8
    EXPECT_TRUE(back.ParseFromString(attempt.SerializeAsString())) << limit;
  }
  EXPECT_EQ(CutText("short", 100), "short");
}

TEST(SessionConvertTest, ReasonsThatCannotBeAreInternal) {
  EXPECT_EQ(ResultReason(0), Reason::kNone);
  EXPECT_EQ(ResultReason(131), Reason::kQuotaServiceUnreachable);
  EXPECT_EQ(ResultReason(14), Reason::kWedged);
  for (const int number : {-1, 99'999, 1, 17, 300, 325}) {
    EXPECT_EQ(ResultReason(number), Reason::kInternal) << number;
  }
  EXPECT_EQ(RefusalReason(200), Reason::kBufferFull);
  EXPECT_EQ(RefusalReason(203), Reason::kExecutorUnavailable);
  EXPECT_EQ(RefusalReason(8), Reason::kUnsupportedKind);
  EXPECT_EQ(RefusalReason(195), Reason::kInterrupted) << "cancelled before it was accepted";
  for (const int number : {0, 131, -5, 99'999}) {
    EXPECT_EQ(RefusalReason(number), Reason::kInternal) << number;
  }
}

TEST(SessionConvertTest, TimesThatAreNoneBecomeNow) {
  agent::v1::Result result;
  result.mutable_start_time()->set_seconds(INT64_MIN);
  result.mutable_finish_time()->set_nanos(-5);
  const ResultFacts facts = FromProto(result, kLease, kHelloTime);
  EXPECT_EQ(facts.start_time, kHelloTime);
  EXPECT_EQ(facts.finish_time, kHelloTime);
  EXPECT_TRUE(facts.started);
  result.clear_start_time();
  EXPECT_FALSE(FromProto(result, kLease, kHelloTime).started);
}

TEST(SessionConvertTest, AssignCarriesEverything) {
  SendAssign assign;
  assign.lease = kLease;
  assign.kind = "bind_address";
  assign.resource_key = "address/203.0.113.10";
  assign.work = std::string("\x0a\x00\xff", 3);
  assign.roles = {"app", "storage"};
  assign.timeout = absl::Seconds(90);
  const agent::v1::Assign out = ToProto(assign);
  EXPECT_EQ(*FromProto(out.lease(), "web1"), kLease);
  EXPECT_EQ(out.kind(), assign.kind);
  EXPECT_EQ(out.resource_key(), assign.resource_key);
  EXPECT_EQ(out.work(), assign.work);
  EXPECT_EQ(out.roles_size(), 2);
  EXPECT_EQ(out.timeout().seconds(), 90);
  EXPECT_FALSE(out.has_start_within());
  EXPECT_FALSE(out.has_start_before());
  assign.start_before = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(ToProto(assign).start_before().seconds(), 1'700'000'000);
  assign.start_within = absl::Seconds(5);
  EXPECT_EQ(ToProto(assign).start_within().seconds(), 5);
  assign.start_within = absl::Seconds(-5);  // just now: the node is to say so
  EXPECT_TRUE(ToProto(assign).has_start_within());
  EXPECT_EQ(ToProto(assign).start_within().seconds(), 0);
  assign.timeout = absl::InfiniteDuration();
  EXPECT_EQ(ToProto(assign).timeout().seconds(), 365 * 24 * 3600);
}

}  // namespace
}  // namespace hostq::manager
