// Goal: an agent's side of the session: what it accepts, refuses, reports, repeats, and what it
// does with messages in the wrong order, a dead connection, a full disk, a restart. Method:
// SessionLogic with a real journal, a clock that the test moves, and the manager and executor
// played by the test.

#include "tests/unit/agent/link_fixture.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(LinkTest, HelloComesFirstAndSaysWhatTheAgentIs) {
  const v1::Hello hello = Connect();
  EXPECT_EQ(hello.protocol_version(), 1);
  EXPECT_EQ(hello.credits(), 2);
  EXPECT_EQ(hello.boot_id(), "boot");
  EXPECT_EQ(hello.process_id(), "process");
  EXPECT_THAT(hello.kinds(), ElementsAre("bind_address", "unbind_address", "create_account",
                                         "resync_account", "suspend_account"));
  EXPECT_TRUE(logic_->welcomed());
  EXPECT_THAT(Sent(), IsEmpty());
}

TEST_F(LinkTest, TaskTravelsTheWholeWayInTwoCommitsAndTheAck) {
  Connect();
  const int before = journal_->commits;
  Deliver(MakeAssign({"t1", 1, 10}));
  EXPECT_THAT(Sent(), ElementsAre("accepted t1", "progress t1"));
  ASSERT_EQ(steps_.size(), 1u);
  EXPECT_EQ(journal_->commits - before, 1);
  Done(0);
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED"));
  EXPECT_EQ(journal_->commits - before, 2);
  EXPECT_EQ(logic_->outbox(), 1u);
  EXPECT_EQ(logic_->in_flight(), 0u);
  Acknowledge({"t1", 1, 10});
  EXPECT_EQ(logic_->outbox(), 0u);
}

TEST_F(LinkTest, RefusalsAreData) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}, "192.0.2.1", "dance"));
  EXPECT_THAT(Sent(), ElementsAre("refused t1 UNSUPPORTED_KIND"));
  Deliver(MakeAssign({"t2", 1, 11}, "10.0.0.1"));
  EXPECT_THAT(Sent(), ElementsAre("refused t2 NOT_ALLOWED_BY_POLICY"));
  Deliver(MakeAssign({"t3", 1, 12}, "bad"));
  EXPECT_THAT(Sent(), ElementsAre("refused t3 BAD_PARAMETERS"));
  auto garbage = MakeAssign({"t4", 1, 13});
  garbage.mutable_assign()->set_work("\xff\xff");
  Deliver(garbage);
  EXPECT_THAT(Sent(), ElementsAre("refused t4 BAD_PARAMETERS"));
  auto empty = MakeAssign({"t5", 1, 13});
  empty.mutable_assign()->set_work("");
  Deliver(empty);
  EXPECT_THAT(Sent(), ElementsAre("refused t5 BAD_PARAMETERS"));
  auto nameless = MakeAssign({"", 1, 13});
  Deliver(nameless);
  EXPECT_THAT(Sent(), ElementsAre("refused  BAD_PARAMETERS"));
  auto unprintable = MakeAssign({"t7", 1, 13});
  unprintable.mutable_assign()->set_resource_key("address/\n");
  Deliver(unprintable);
  EXPECT_THAT(Sent(), ElementsAre("refused t7 BAD_PARAMETERS")) << "a journal with it is damaged";
  Deliver(MakeAssign({"t6", 1, uint64_t{1} << 63}));
  EXPECT_THAT(Sent(), ElementsAre("refused t6 BAD_PARAMETERS")) << "the journal cannot order it";
  EXPECT_THAT(steps_, IsEmpty());
  EXPECT_EQ(logic_->in_flight(), 0u);
}

TEST_F(LinkTest, OlderEpochOfTheKeyIsRefused) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Sent();
  Deliver(MakeAssign({"t2", 1, 9}));
  EXPECT_THAT(Sent(), ElementsAre("refused t2 STALE_EPOCH"));
}

TEST_F(LinkTest, NoMoreThanItsCredits) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}, "192.0.2.1"));
  Deliver(MakeAssign({"t2", 1, 11}, "192.0.2.2"));
  Sent();
  Deliver(MakeAssign({"t3", 1, 12}, "192.0.2.3"));
  EXPECT_THAT(Sent(), ElementsAre("refused t3 BUFFER_FULL"));
  Deliver(MakeAssign({"t1", 1, 10}, "192.0.2.1"));  // a duplicate takes no credit
  EXPECT_THAT(Sent(), ElementsAre("accepted t1"));
  EXPECT_EQ(steps_.size(), 2u);
}

TEST_F(LinkTest, SameKeyRunsInOrder) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Deliver(MakeAssign({"t2", 1, 11}));
  EXPECT_THAT(Sent(), ElementsAre("accepted t1", "progress t1", "accepted t2"));
  Done(0);
  EXPECT_THAT(Sent(), ElementsAre("progress t2", "result t1 10 CODE_UNSPECIFIED"));
  EXPECT_EQ(steps_.size(), 2u);
}

TEST_F(LinkTest, MessagesOutOfOrderEndTheConnection) {
  Flush();
  v1::ManagerMessage heartbeat;
  heartbeat.mutable_heartbeat();
  for (const auto& message : {MakeAssign({"t", 1, 1}), heartbeat, v1::ManagerMessage()}) {
    while (!Flush().connect) clock_.Advance(absl::Seconds(5));
    logic_->OnMessage(connection_, message);  // before the welcome
    EXPECT_TRUE(Flush().close);
    EXPECT_EQ(logic_->in_flight(), 0u);
  }
  Connect();
  v1::ManagerMessage welcome;
  welcome.mutable_welcome();
  logic_->OnMessage(connection_, welcome);  // a second one
  EXPECT_TRUE(Flush().close);
  EXPECT_FALSE(logic_->welcomed());
}

TEST_F(LinkTest, UnknownMessagesAndStrangeLeasesAreIgnored) {
  Connect();
  Deliver(v1::ManagerMessage());
  Acknowledge({"nothing", 1, 1});
  v1::ManagerMessage cancel;
  *cancel.mutable_cancel()->mutable_lease() = ToProto(Lease{"nothing", 1, 1});
  Deliver(cancel);
  EXPECT_THAT(Sent(), IsEmpty());
  EXPECT_TRUE(logic_->welcomed());
}

TEST_F(LinkTest, EventsOfAnOldConnectionAreIgnored) {
  Connect();
  const uint64_t old = connection_;
  logic_->OnClosed(connection_, absl::UnavailableError("gone"));
  Connect();
  logic_->OnClosed(old, absl::UnavailableError("late"));
  logic_->OnMessage(old, MakeAssign({"t", 1, 1}));
  Flush();
  EXPECT_TRUE(logic_->welcomed());
  EXPECT_EQ(logic_->in_flight(), 0u);
}

TEST_F(LinkTest, SilenceEndsTheConnectionAndHeartbeatsAreSent) {
  Connect();
  int heartbeats = 0;
  v1::ManagerMessage heartbeat;
  heartbeat.mutable_heartbeat();
  for (int i = 0; i < 10; ++i) {
    clock_.Advance(absl::Seconds(5));
    Deliver(heartbeat);
    for (const auto& message : std::exchange(sent_, {})) heartbeats += message.has_heartbeat();
  }
  EXPECT_EQ(heartbeats, 10);
  EXPECT_TRUE(logic_->welcomed());
  clock_.Advance(absl::Seconds(15));
  EXPECT_TRUE(Flush().close);
  EXPECT_FALSE(logic_->welcomed());
}

TEST_F(LinkTest, UnansweredConnectionsAreTriedAgainWithinTenSeconds) {
  int connects = 0;
  for (int i = 0; i < 600; ++i) {  // ten minutes
    const Effects effects = Flush();
    if (effects.connect) {
      ++connects;
      logic_->OnClosed(connection_, absl::UnavailableError("refused"));
    }
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_GE(connects, 60);
  EXPECT_LE(connects, 400);
}

TEST_F(LinkTest, WorkGoesOnWithoutConnectionAndIsReportedAfterwards) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Deliver(MakeAssign({"t2", 1, 11}));
  logic_->OnClosed(connection_, absl::UnavailableError("cut off"));
  Sent();
  Done(0);
  EXPECT_THAT(Sent(), IsEmpty());
  EXPECT_EQ(steps_.size(), 2u);
  const v1::Hello hello = Connect();
  ASSERT_EQ(hello.in_flight_size(), 1);
  EXPECT_EQ(hello.in_flight(0).lease().task_id(), "t2");
  EXPECT_TRUE(hello.in_flight(0).started());
  ASSERT_EQ(hello.outbox_size(), 1);
  EXPECT_EQ(hello.max_epoch(), 11u);
  EXPECT_THAT(Sent(), ElementsAre("progress t2", "result t1 10 CODE_UNSPECIFIED"));
}

TEST_F(LinkTest, ResultIsRepeatedOnEveryConnectionUntilAcknowledged) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Done(0);
  for (int i = 0; i < 3; ++i) {
    logic_->OnClosed(connection_, absl::UnavailableError("cut off"));
    Connect();
    EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED"));
  }
  Restart();
  Connect();
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED"));
  Acknowledge({"t1", 1, 10});
  Restart();
  EXPECT_EQ(Connect().outbox_size(), 0);
  EXPECT_THAT(Sent(), IsEmpty());
}

TEST_F(LinkTest, LateDuplicateIsAnsweredNotRun) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Done(0);
  Acknowledge({"t1", 1, 10});
  Sent();
  Deliver(MakeAssign({"t1", 1, 20}));
  EXPECT_THAT(Sent(), ElementsAre("result t1 20 CODE_UNSPECIFIED"));
  EXPECT_EQ(steps_.size(), 1u);
  Acknowledge({"t1", 1, 20});
  EXPECT_EQ(logic_->outbox(), 0u);
}

TEST_F(LinkTest, RestartedAgentWaitsForWelcomeThenBeginsAgain) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Deliver(MakeAssign({"t2", 1, 11}));
  Restart();
  Flush();
  EXPECT_THAT(steps_, IsEmpty());
  const v1::Hello hello = Connect();
  ASSERT_EQ(hello.in_flight_size(), 2);
  EXPECT_TRUE(hello.in_flight(0).started());
  EXPECT_FALSE(hello.in_flight(1).started());
  ASSERT_EQ(steps_.size(), 1u);
  EXPECT_THAT(Sent(), ElementsAre("progress t1"));
}

TEST_F(LinkTest, ForgottenTasksAreNotStarted) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Deliver(MakeAssign({"t2", 1, 11}));
  Restart();
  Connect({{"t1", 1, 10}, {"t2", 1, 11}, {"unknown", 1, 1}});
  // What an earlier process began is reported; what was never begun is gone.
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 INTERRUPTED"));
  EXPECT_THAT(steps_, IsEmpty());
  EXPECT_EQ(logic_->in_flight(), 0u);
  Restart();
  const v1::Hello hello = Connect();
  EXPECT_EQ(hello.in_flight_size(), 0);
  EXPECT_EQ(hello.outbox_size(), 1);
}

TEST_F(LinkTest, ForgottenTaskThatRunsRunsOn) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  logic_->OnClosed(connection_, absl::UnavailableError("cut off"));
  Connect({{"t1", 1, 10}});
  EXPECT_THAT(Sent(), ElementsAre("progress t1"));
  Done(0);
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED"));
}

TEST_F(LinkTest, CancelDropsWhatHasNotBegun) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Deliver(MakeAssign({"t2", 1, 11}));
  Sent();
  for (const Lease& lease : {Lease{"t1", 1, 10}, Lease{"t2", 1, 99}, Lease{"t2", 1, 11}}) {
    v1::ManagerMessage cancel;
    *cancel.mutable_cancel()->mutable_lease() = ToProto(lease);
    Deliver(cancel);
  }
  EXPECT_THAT(Sent(), ElementsAre("result t2 11 INTERRUPTED"));
  Done(0);
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED")) << "that was its last step";
  EXPECT_EQ(steps_.size(), 1u);
}

TEST_F(LinkTest, NotStartedInTimeIsNotStartedAtAll) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  v1::ManagerMessage limited = MakeAssign({"t2", 1, 11});  // behind t1: the same key
  *limited.mutable_assign()->mutable_start_within() = ToProto(absl::Seconds(4));
  Deliver(limited);
  Sent();
  clock_.Step(absl::Hours(1));  // a clock that is set is no time that passes
  Flush();
  EXPECT_THAT(Sent(), IsEmpty());
  clock_.Advance(absl::Seconds(3));
  EXPECT_EQ(logic_->NextWake(), clock_.Monotonic() + absl::Seconds(1));
  clock_.Advance(absl::Seconds(1));
  for (const auto& message : Flush().messages) EXPECT_FALSE(message.result().has_start_time());
  EXPECT_THAT(Sent(), ElementsAre("result t2 11 INTERRUPTED"));
  Done(0);
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED"));
  EXPECT_EQ(steps_.size(), 1u);
}

TEST_F(LinkTest, TimeOnTheWayCountsToo) {
  Connect();
  v1::ManagerMessage late =
      MakeAssign({"t1", 1, 10});  // as if the agent had been stopped meanwhile
  *late.mutable_assign()->mutable_start_within() = ToProto(absl::Seconds(4));
  *late.mutable_assign()->mutable_start_before() = ToProto(clock_.Now() - absl::Seconds(2));
  Deliver(late);
  EXPECT_THAT(Sent(), ElementsAre("accepted t1", "result t1 10 INTERRUPTED"));
  EXPECT_THAT(steps_, IsEmpty());
}

TEST_F(LinkTest, NotStartedInTimeAlsoAfterARestart) {
  Connect();
  for (int i : {1, 2}) {
    v1::ManagerMessage limited = MakeAssign({absl::StrCat("t", i), 1, 10ull + i});
    *limited.mutable_assign()->mutable_start_within() = ToProto(absl::Minutes(1));
    Deliver(limited);
  }
  Restart();  // t1 had begun
  clock_.Advance(absl::Minutes(2));
  Connect();
  EXPECT_THAT(Sent(), testing::UnorderedElementsAre("progress t1", "result t2 12 INTERRUPTED"));
  Done(0);
  EXPECT_THAT(Sent(), ElementsAre("result t1 11 CODE_UNSPECIFIED"));
}

TEST_F(LinkTest, CancelInTheSameBreathAsTheAssignment) {
  Connect();
  logic_->OnMessage(connection_, MakeAssign({"t1", 1, 10}));
  v1::ManagerMessage cancel;
  *cancel.mutable_cancel()->mutable_lease() = ToProto(Lease{"t1", 1, 10});
  Deliver(cancel);
  EXPECT_THAT(Sent(), ElementsAre("refused t1 INTERRUPTED"));
  EXPECT_THAT(steps_, IsEmpty());
}

TEST_F(LinkTest, WithoutJournalNothingIsAcceptedStartedOrReported) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Sent();
  journal_->broken = true;
  Deliver(MakeAssign({"t2", 1, 11}, "192.0.2.2"));
  EXPECT_THAT(Sent(), ElementsAre("refused t2 JOURNAL_UNAVAILABLE"));
  Done(0);
  EXPECT_THAT(Sent(), IsEmpty());  // not durable yet
  clock_.Advance(absl::Seconds(2));
  Flush();
  EXPECT_THAT(Sent(), IsEmpty());
  journal_->broken = false;
  clock_.Advance(absl::Seconds(2));
  Flush();
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED"));
  Deliver(MakeAssign({"t2", 1, 11}, "192.0.2.2"));
  EXPECT_THAT(Sent(), ElementsAre("accepted t2", "progress t2"));
}

TEST_F(LinkTest, LostExecutorBeginsAgainWithoutANewLease) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  logic_->OnExecutorLost();
  Flush();
  logic_->OnExecutorReady();
  Flush();
  ASSERT_EQ(steps_.size(), 2u);
  EXPECT_NE(steps_[0].id(), steps_[1].id());
  Done(0);  // of the dead one
  Sent();
  Done(1);
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED"));
}

TEST_F(LinkTest, QuarantinedKeyIsRefused) {
  Connect();
  v1::ExecutorReport report;
  report.mutable_wedged()->set_resource_key("address/192.0.2.1");
  logic_->OnExecutorReport(report);
  Deliver(MakeAssign({"t1", 1, 10}));
  EXPECT_THAT(Sent(), ElementsAre("refused t1 WEDGED"));
  v1::ExecutorReport released;
  released.mutable_released()->set_resource_key("address/192.0.2.1");
  logic_->OnExecutorReport(released);
  Deliver(MakeAssign({"t1", 1, 11}));
  EXPECT_THAT(Sent(), ElementsAre("accepted t1", "progress t1"));
}

TEST_F(LinkTest, StoppingAgentTakesNothingAndKeepsWhatItHas) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Deliver(MakeAssign({"t2", 1, 11}));
  logic_->Stop();
  Sent();
  Deliver(MakeAssign({"t3", 1, 12}, "192.0.2.3"));
  EXPECT_THAT(Sent(), ElementsAre("refused t3 BUFFER_FULL"));
  EXPECT_FALSE(logic_->Quiet());
  Done(0);
  EXPECT_TRUE(logic_->Quiet());
  EXPECT_THAT(Sent(), ElementsAre("result t1 10 CODE_UNSPECIFIED"));
  Restart();
  EXPECT_EQ(Connect().in_flight_size(), 1);
  EXPECT_EQ(steps_.size(), 1u);
}

TEST_F(LinkTest, RefusedNodeDoesNotHammerTheManager) {
  Connect();
  logic_->OnClosed(connection_, absl::PermissionDeniedError("removed"));
  clock_.Advance(absl::Seconds(29));
  EXPECT_FALSE(Flush().connect.has_value());
  clock_.Advance(absl::Seconds(12));
  EXPECT_TRUE(Flush().connect.has_value());
}

TEST_F(LinkTest, BannedNodeWaitsAndComesBackByItself) {
  Connect();
  for (const Reason reason : {Reason::kNodeBanned, Reason::kCertificateSuperseded}) {
    logic_->OnClosed(connection_, MakeError(absl::StatusCode::kPermissionDenied, reason, "no"));
    EXPECT_FALSE(Flush().certificate_refused) << "another certificate would not help";
    clock_.Advance(absl::Seconds(145));
    EXPECT_FALSE(Flush().connect.has_value());
    clock_.Advance(absl::Seconds(20));
    EXPECT_TRUE(Flush().connect.has_value());
  }
}

// The connection was lost before the node had written whom it trusts now: the hello of the next one
// still says what it trusted before, and the manager must not wait for more than the welcome.
TEST_F(LinkTest, TrustThatIsDurableBeforeTheWelcomeIsToldAfterIt) {
  const auto told = [this] {
    std::vector<std::string> pins;
    for (const auto& message : std::exchange(sent_, {})) {
      for (const std::string& pin : message.trusts().pins()) pins.push_back(pin);
    }
    return pins;
  };
  Flush();
  ASSERT_THAT(Sent(), ElementsAre("hello"));
  logic_->OnIdentity({"old", "next"}, false);
  Flush();
  EXPECT_THAT(told(), IsEmpty()) << "not before the welcome";
  Welcome();
  EXPECT_THAT(told(), ElementsAre("old", "next"));
  // The manager says the same in its welcome, and the node has nothing new to say.
  logic_->OnIdentity({"old", "next"}, false);
  Flush();
  EXPECT_THAT(told(), IsEmpty());
  logic_->OnIdentity({"next"}, false);
  Flush();
  EXPECT_THAT(told(), ElementsAre("next"));
}

}  // namespace
}  // namespace hostq::agent
