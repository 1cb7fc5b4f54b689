// Goal: an agent puts back by itself what its node keeps, without a manager, and never what is
// being taken away. Method: as in link_test; the test says what is missing.

#include "tests/unit/agent/link_fixture.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(LinkTest, WhatIsMissingIsPutBackAndTold) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  missing_ = {"address/192.0.2.1"};
  Look();
  EXPECT_EQ(steps_.size(), 1u) << "not kept before the task has succeeded";
  Done(0);
  missing_.clear();
  Look();
  Sent();
  missing_ = {"address/192.0.2.1"};
  Look();
  EXPECT_THAT(Sent(), ElementsAre("drift open: address/192.0.2.1 ADDRESS_MISSING"));
  ASSERT_EQ(steps_.size(), 2u);
  EXPECT_EQ(steps_[1].resource_key(), "address/192.0.2.1");
  Done(1, ReasonCode::ADDRESS_OWNED_BY_OTHER_HOST);
  EXPECT_THAT(Sent(), ElementsAre("drift open: address/192.0.2.1 ADDRESS_OWNED_BY_OTHER_HOST"));
  Look();
  EXPECT_EQ(steps_.size(), 2u) << "not again at once";
  clock_.Advance(absl::Seconds(10));
  Look();
  ASSERT_EQ(steps_.size(), 3u);
  missing_.clear();
  Done(2);
  EXPECT_THAT(Sent(), ElementsAre("drift repaired: address/192.0.2.1 ADDRESS_OWNED_BY_OTHER_HOST"));
}

TEST_F(LinkTest, WhatATaskIsAboutToChangeIsNoDrift) {
  Connect();
  v1::ManagerMessage table = MakeAssign({"t1", 1, 10});
  table.mutable_assign()->add_roles("balancer");
  v1::Work work;
  ASSERT_TRUE(work.ParseFromString(table.assign().work()));
  work.mutable_balancing()->set_revision(1);
  table.mutable_assign()->set_work(work.SerializeAsString());
  Deliver(table);
  Done(0);
  table.mutable_assign()->mutable_lease()->set_task_id("t2");
  table.mutable_assign()->mutable_lease()->set_epoch(11);
  missing_ = {"balancer/services"};
  Deliver(table);
  Look();
  EXPECT_THAT(Sent(), testing::Not(testing::Contains(testing::HasSubstr("drift"))));
  Done(1);
  Look();
  EXPECT_THAT(Sent(), testing::Contains(testing::HasSubstr("drift open: balancer/services")));
}

// Found by a tester: the file system was frozen, and nobody was told what hung there.
TEST_F(LinkTest, AProcessOfTheAgentsOwnThatHangsIsTold) {
  Connect();
  Deliver(MakeAccount({"t1", 1, 10}, "create_account"));
  Done(0);
  Flush();
  ASSERT_EQ(steps_.size(), 2u);
  EXPECT_EQ(steps_[1].step_name(), "quota");
  EXPECT_LE(steps_[1].timeout().seconds(), 30) << "a look is quick, or hangs";
  Sent();
  v1::ExecutorReport report;
  v1::Wedged& wedged = *report.mutable_wedged();
  wedged.set_id(steps_[1].id());
  wedged.set_resource_key("account/a.example");
  wedged.set_pid(7);
  logic_->OnExecutorReport(report);
  Flush();
  EXPECT_THAT(Sent(), ElementsAre("drift open: account/a.example WEDGED"));
  Done(1);
  report.mutable_released()->set_resource_key("account/a.example");
  logic_->OnExecutorReport(report);
  Flush();
  EXPECT_THAT(Sent(), ElementsAre("drift none"));
}

TEST_F(LinkTest, AQuotaIsLookedAtAndPutRightWithoutTheRestOfItsAccount) {
  Connect();
  Deliver(MakeAccount({"t1", 1, 10}, "create_account"));
  Done(0);
  Flush();
  ASSERT_EQ(steps_.size(), 2u);
  EXPECT_EQ(steps_[1].step_name(), "quota");
  EXPECT_EQ(steps_[1].step_index(), 3);
  EXPECT_EQ(steps_[1].resource_key(), "account/a.example");
  v1::Work work;
  ASSERT_TRUE(work.ParseFromString(steps_[1].work()));
  EXPECT_FALSE(work.resync_account().apply());
  Sent();
  v1::ExecutorReport report;
  report.mutable_step_done()->set_id(steps_[1].id());
  report.mutable_step_done()->mutable_result()->set_reason(ReasonCode::DIFFERS);
  report.mutable_step_done()->mutable_result()->set_warning(true);
  logic_->OnExecutorReport(report);
  Flush();
  Flush();
  EXPECT_THAT(Sent(), ElementsAre("drift open: account/a.example QUOTA_MISMATCH"));
  for (const char* name : {"group", "user", "quota"}) {
    const v1::RunStep& step = steps_.back();
    EXPECT_EQ(step.step_name(), name);
    ASSERT_TRUE(work.ParseFromString(step.work()));
    EXPECT_TRUE(work.resync_account().apply());
    Done(steps_.size() - 1);
  }
  EXPECT_THAT(Sent(), ElementsAre("drift repaired: account/a.example QUOTA_MISMATCH"));
}

// A repair says how it was before: it would open again what a command is closing.
TEST_F(LinkTest, AnAccountWithACommandAtWorkIsLeftAlone) {
  Connect();
  Deliver(MakeAccount({"t1", 1, 10}, "create_account"));
  Done(0);
  Flush();
  Done(1);  // a look at its quota
  missing_ = {"account/a.example"};
  Deliver(MakeAccount({"t2", 1, 11}, "suspend_account"));
  ASSERT_EQ(steps_.size(), 3u);
  for (int i = 0; i < 10; ++i) Look();
  EXPECT_EQ(steps_.size(), 3u);
  Done(2);
  Look();
  ASSERT_EQ(steps_.size(), 4u);
  v1::Work work;
  ASSERT_TRUE(work.ParseFromString(steps_[3].work()));
  EXPECT_TRUE(work.resync_account().account().suspended());
}

TEST_F(LinkTest, AfterARebootTheNodeGetsItsPartAgainWithoutAManager) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Done(0);
  Deliver(MakeAssign({"t2", 1, 11}));  // does not end before the reboot
  missing_ = {"address/192.0.2.1"};
  Restart();
  Flush();
  ASSERT_EQ(steps_.size(), 1u) << "before the task, which waits for a manager that wants it";
  EXPECT_FALSE(logic_->welcomed());
  Done(0);
  missing_.clear();
  Connect();
  EXPECT_THAT(Sent(), testing::Contains("drift repaired: address/192.0.2.1 ADDRESS_MISSING"));
}

TEST_F(LinkTest, WhatIsTakenAwayIsNotPutBack) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Done(0);
  v1::ManagerMessage unbind = MakeUnbind({"t2", 1, 11});
  Deliver(unbind);
  missing_ = {"address/192.0.2.1"};
  Look();
  EXPECT_EQ(steps_.size(), 2u);
  Restart();  // before it ended
  Look();
  EXPECT_THAT(steps_, IsEmpty());
  Connect();
  Done(0);
  Look();
  EXPECT_EQ(steps_.size(), 1u);
}

TEST_F(LinkTest, WhatIsTakenAwayWhileItIsPutBackIsTakenAwayAgain) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Done(0);
  missing_ = {"address/192.0.2.1"};
  Look();
  ASSERT_EQ(steps_.size(), 2u);  // the repair, which is slow
  // Of another key, so that it does not wait for the repair.
  v1::ManagerMessage unbind = MakeUnbind({"t2", 1, 11});
  unbind.mutable_assign()->set_resource_key("account/a");
  Deliver(unbind);
  ASSERT_EQ(steps_.size(), 3u);
  Done(2);
  Done(1);
  ASSERT_EQ(steps_.size(), 4u);
  v1::Work undo;
  ASSERT_TRUE(undo.ParseFromString(steps_[3].work()));
  EXPECT_EQ(undo.unbind_address().address(), "192.0.2.1");
  Done(3);
  Look();
  EXPECT_EQ(steps_.size(), 4u);
}

// The undoing of a repair is slow, and the address is wanted again meanwhile: aborted the agent.
TEST_F(LinkTest, WantedAgainWhileItIsTakenAwayIsPutBackAfterwards) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Done(0);
  missing_ = {"address/192.0.2.1"};
  Look();  // step 1: the repair
  v1::ManagerMessage unbind = MakeUnbind({"t2", 1, 11});
  unbind.mutable_assign()->set_resource_key("account/a");
  Deliver(unbind);  // step 2
  Done(2);
  Done(1);  // step 3: undone
  v1::ManagerMessage bind = MakeAssign({"t3", 1, 12});
  bind.mutable_assign()->set_resource_key("account/b");
  Deliver(bind);  // step 4
  Done(4);
  Look();
  ASSERT_EQ(steps_.size(), 5u) << "not before it has been undone";
  Done(3);
  Look();
  ASSERT_EQ(steps_.size(), 6u);
  Look();
  EXPECT_EQ(steps_.size(), 6u);
  Sent();
  missing_.clear();
  Done(5);
  EXPECT_THAT(Sent(), ElementsAre("drift repaired: address/192.0.2.1 ADDRESS_MISSING"));
}

TEST_F(LinkTest, StoppingAgentPutsNothingBackAndWaits) {
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Done(0);
  missing_ = {"address/192.0.2.1"};
  logic_->Stop();
  clock_.Advance(absl::Seconds(10));
  Flush();
  EXPECT_EQ(steps_.size(), 1u);
  EXPECT_GT(logic_->NextWake(), clock_.Monotonic());
}

TEST_F(LinkTest, WithoutRepairItIsOnlyTold) {
  repair_ = false;
  Restart();
  Connect();
  Deliver(MakeAssign({"t1", 1, 10}));
  Done(0);
  Sent();
  missing_ = {"address/192.0.2.1"};
  Look();
  EXPECT_THAT(Sent(), ElementsAre("drift open: address/192.0.2.1 ADDRESS_MISSING"));
  missing_.clear();  // somebody has put it back
  Look();
  EXPECT_THAT(Sent(), ElementsAre("drift none"));
  EXPECT_EQ(steps_.size(), 1u);
}

}  // namespace
}  // namespace hostq::agent
