// What administrators see of commands, nodes and events.
#include "manager/api/convert.h"

#include <gtest/gtest.h>

#include "common/base/id.h"
#include "hostq/v1/command_service.pb.h"

namespace hostq::manager {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000) + absl::Milliseconds(250);

Command TwoTasks() {
  Command command;
  command.id = 4711;
  command.kind = "bind_address";
  command.resource_key = "address/203.0.113.10";
  command.actor = "root";
  command.request_id = "r1";
  v1::CommandSpec spec;
  spec.mutable_bind_address()->set_address("203.0.113.10");
  command.spec = spec.SerializeAsString();
  command.create_time = kNow;
  command.tasks.resize(2);
  command.tasks[0].node = "web1";
  command.tasks[0].phase = Phase::kBackingOff;
  command.tasks[0].attempt = 2;
  command.tasks[0].reason = Reason::kAddressOwnedByOtherHost;
  command.tasks[0].next_attempt_time = kNow + absl::Seconds(5);
  command.tasks[1].node = "web2";
  command.tasks[1].phase = Phase::kRunning;
  command.tasks[1].attempt = 1;
  command.tasks[1].epoch = 77;
  command.tasks[1].step = "address";
  command.tasks[1].phase_time = kNow;
  return command;
}

Store::TaskAttempt Attempted(const std::string& node, int number, size_t bytes = 10) {
  v1::Attempt steps;
  steps.add_steps()->set_message(std::string(bytes, 's'));
  Attempt attempt;
  attempt.number = number;
  attempt.reason = Reason::kAddressOwnedByOtherHost;
  attempt.steps = steps.SerializeAsString();
  return {node, attempt};
}

TEST(ApiConvertTest, CommandShowsWhatItIs) {
  const v1::Command out = ToProto(TwoTasks());
  EXPECT_EQ(out.id(), FormatId(4711));
  EXPECT_EQ(out.spec().bind_address().address(), "203.0.113.10");
  EXPECT_EQ(out.state(), v1::Command::ACTIVE);
  EXPECT_FALSE(out.has_finish_time());
  EXPECT_EQ(TimeFromProto(out.create_time()), kNow);
  ASSERT_EQ(out.tasks_size(), 2);
  EXPECT_EQ(out.tasks(0).id(), FormatId(4711) + "/web1");
  EXPECT_EQ(out.tasks(0).phase(), v1::Task::BACKING_OFF);
  EXPECT_EQ(out.tasks(0).reason(), v1::Reason::ADDRESS_OWNED_BY_OTHER_HOST);
  EXPECT_TRUE(out.tasks(0).has_next_attempt_time());
  EXPECT_EQ(out.tasks(1).current_step(), "address");
  EXPECT_FALSE(out.tasks(1).has_next_attempt_time());
}

TEST(ApiConvertTest, TaskTellsThatItIsToBeCancelled) {
  Command command = TwoTasks();
  command.tasks[1].cancel_time = absl::UnixEpoch();
  EXPECT_FALSE(ToProto(command).tasks(0).cancel_requested());
  EXPECT_TRUE(ToProto(command).tasks(1).cancel_requested());
  command.tasks[1].phase = Phase::kFinished;
  EXPECT_FALSE(ToProto(command).tasks(1).cancel_requested());
}

TEST(ApiConvertTest, FindingsThatDoNotFitAreCounted) {
  std::vector<Finding> findings(10);
  for (Finding& finding : findings) {
    finding.node = "web1";
    finding.owner_node = "storage1";
    finding.summary = std::string(1000, 's');
  }
  findings[0].node = "web2";
  v1::ListFindingsRequest request;
  request.set_node("web1");
  v1::ListFindingsResponse all;
  AddFindings(findings, request, 1 << 20, all);
  EXPECT_EQ(all.findings_size(), 9);
  EXPECT_EQ(all.left_out(), 0);
  EXPECT_EQ(all.findings(0).owner_node(), "storage1");
  v1::ListFindingsResponse some;
  AddFindings(findings, request, 3000, some);
  EXPECT_EQ(some.findings_size(), 3);
  EXPECT_EQ(some.left_out(), 6);
}

TEST(ApiConvertTest, AttemptsAreInOrderAndTheCurrentOneIsShown) {
  v1::Command out = ToProto(TwoTasks());
  AddAttempts({Attempted("web1", 1), Attempted("web1", 2), Attempted("gone", 1)}, 1 << 20, out);
  ASSERT_EQ(out.tasks(0).attempts_size(), 2);
  EXPECT_EQ(out.tasks(0).attempts(0).number(), 1);
  EXPECT_EQ(out.tasks(0).attempts(1).number(), 2);
  EXPECT_EQ(out.tasks(0).attempts(1).steps_size(), 1);
  ASSERT_EQ(out.tasks(1).attempts_size(), 1);
  EXPECT_EQ(out.tasks(1).attempts(0).number(), 1);
  EXPECT_FALSE(out.tasks(1).attempts(0).has_finish_time());
}

TEST(ApiConvertTest, OldestStepsGoWhenThereIsNoRoom) {
  v1::Command out = ToProto(TwoTasks());
  AddAttempts({Attempted("web1", 1, 60'000), Attempted("web1", 2, 60'000)}, 100'000, out);
  EXPECT_EQ(out.tasks(0).attempts(0).steps_size(), 0);
  EXPECT_EQ(out.tasks(0).attempts(0).reason(), v1::Reason::ADDRESS_OWNED_BY_OTHER_HOST);
  EXPECT_EQ(out.tasks(0).attempts(1).steps_size(), 1);
  EXPECT_LE(out.ByteSizeLong(), 100'000u);
}

TEST(ApiConvertTest, EveryTimeFitsIntoATimestamp) {
  for (const absl::Time time : {absl::InfiniteFuture(), absl::InfinitePast(), absl::UnixEpoch(),
                                kNow, absl::FromUnixSeconds(-1) + absl::Nanoseconds(1)}) {
    const auto out = ToProto(time);
    EXPECT_GE(out.nanos(), 0);
    EXPECT_LT(out.nanos(), 1'000'000'000);
    if (time != absl::InfiniteFuture() && time != absl::InfinitePast()) {
      EXPECT_EQ(TimeFromProto(out), time);
    }
  }
}

struct NodeCase {
  bool joined;
  bool admitted;
  bool paused;
  bool draining;
  bool connected;
  v1::Node::State state;
};

TEST(ApiConvertTest, NodeStatesFollowTheirTable) {
  const NodeCase cases[] = {
      {false, false, false, false, false, v1::Node::PENDING},
      {true, false, false, false, false, v1::Node::OFFLINE},
      {true, false, false, false, true, v1::Node::PREFLIGHT},
      {true, true, false, false, true, v1::Node::READY},
      {true, true, false, false, false, v1::Node::OFFLINE},
      {true, true, true, false, true, v1::Node::PAUSED},
      {true, true, true, false, false, v1::Node::PAUSED},
      {true, true, true, true, true, v1::Node::DRAINING},
  };
  for (const NodeCase& c : cases) {
    storage::v1::Node row;
    row.mutable_node()->set_name("web1");
    if (c.joined) *row.mutable_node()->mutable_join_time() = ToProto(kNow);
    if (c.paused) *row.mutable_pause_time() = ToProto(kNow);
    row.set_admitted(c.admitted);
    row.set_draining(c.draining);
    NodeState state;
    state.session = c.connected ? 5 : 0;
    state.since = kNow;
    EXPECT_EQ(ToProto(row, &state, 0).state(), c.state) << v1::Node::State_Name(c.state);
  }
  EXPECT_EQ(ToProto(storage::v1::Node(), nullptr, 0).state(), v1::Node::PENDING);
}

TEST(ApiConvertTest, NodeCountsItsTasks) {
  NodeState state;
  state.session = 5;
  state.in_flight = 2;
  state.credits = 8;
  state.clock_skew.Add(absl::Milliseconds(-1'500));
  const v1::Node out = ToProto(storage::v1::Node(), &state, 7);
  EXPECT_EQ(out.tasks_queued(), 5);
  EXPECT_EQ(out.tasks_in_flight(), 2);
  EXPECT_EQ(out.credits(), 8);
  EXPECT_EQ(out.clock_skew_ms(), -1'500);
}

TEST(ApiConvertTest, FindingAboutANodeHasNoTask) {
  Finding finding;
  finding.node = "web1";
  finding.reason = Reason::kClockSkew;
  const v1::Finding out = ToProto(finding);
  EXPECT_EQ(out.task_id(), "");
  EXPECT_EQ(out.command_id(), "");
  EXPECT_EQ(out.node(), "web1");
}

TEST(ApiConvertTest, EventShowsWhatHappened) {
  Event event;
  event.sequence = 9;
  event.time = kNow;
  event.type = EventType::kTaskChanged;
  event.command = 4711;
  event.node = "web1";
  event.from_phase = static_cast<int>(Phase::kRunning);
  event.to_phase = static_cast<int>(Phase::kFinished);
  event.outcome = Outcome::kSucceeded;
  const v1::Event out = ToProto(event);
  EXPECT_EQ(out.sequence(), 9);
  EXPECT_EQ(out.type(), v1::Event::TASK_CHANGED);
  EXPECT_EQ(out.command_id(), FormatId(4711));
  EXPECT_EQ(out.to_phase(), v1::Task::FINISHED);
  EXPECT_EQ(out.outcome(), v1::Task::SUCCEEDED);
  event.command = 0;
  EXPECT_EQ(ToProto(event).command_id(), "");
}

}  // namespace
}  // namespace hostq::manager
