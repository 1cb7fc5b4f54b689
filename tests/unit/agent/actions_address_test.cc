// Goal: an address is bound only where nobody else has it and nobody is told; every conflict is
// named.
#include "tests/unit/agent/actions_testing.h"

namespace hostq::agent {
namespace {

class AddressTest : public ActionTest {
 protected:
  AddressTest() {
    bind.mutable_bind_address()->set_address("203.0.113.10");
    unbind.mutable_unbind_address()->set_address("203.0.113.10");
  }
  const IpAddress address = *IpAddress::Parse("203.0.113.10");
  v1::Work bind;
  v1::Work unbind;
};

TEST_F(AddressTest, BoundAndUnbound) {
  ExpectTwice(bind, kApp, app);
  ExpectTwice(unbind, kApp, app);
  bind.mutable_bind_address()->set_address("2001:db8::5");
  ExpectTwice(bind, kApp, app);
}

TEST_F(AddressTest, OnOtherInterface) {
  app.address_table.push_back({"eth1", address, 24});
  Outcome outcome = RunWork(bind, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kAddressOnOtherInterface);
  EXPECT_EQ(outcome.steps["address 203.0.113.10"].evidence["interface"], "eth1");
  EXPECT_FALSE(RunWork(unbind, kApp, app).changed);
}

TEST_F(AddressTest, WrongPrefix) {
  app.address_table.push_back({"lo", address, 24});
  EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kAddressWrongPrefix);
}

TEST_F(AddressTest, OwnedByOtherHostUnlessBoundAlready) {
  network.macs["203.0.113.10"] = "02:00:00:00:00:99";
  Outcome outcome = RunWork(bind, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kAddressOwnedByOtherHost);
  EXPECT_EQ(outcome.steps["address 203.0.113.10"].evidence["mac"], "02:00:00:00:00:99");
  network.macs.clear();
  ASSERT_EQ(RunWork(bind, kApp, app).reason, Reason::kNone);
  network.macs["203.0.113.10"] = "02:00:00:00:00:99";
  EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kNone);
}

TEST_F(AddressTest, ArpHasToBeSilencedForIpv4Only) {
  app.arp = {{"eth0", 1, 2}, {"eth1", 1, 0}};
  Outcome outcome = RunWork(bind, kApp, app);
  EXPECT_EQ(outcome.reason, Reason::kArpNotSilenced);
  EXPECT_EQ(outcome.steps["address 203.0.113.10"].evidence["interface"], "eth1");
  app.arp = {{"eth0", 0, 2}};
  EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kArpNotSilenced);
  bind.mutable_bind_address()->set_address("2001:db8::5");
  EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kNone);
}

TEST_F(AddressTest, KernelErrorsAreNamed) {
  for (const char* operation : {"ListAddresses", "ArpSettings", "FindOwner", "AddToLoopback"}) {
    app.Fail(operation, Error(Reason::kPermissionDenied), 1);
    EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kPermissionDenied) << operation;
  }
}

TEST_F(AddressTest, RefusedAddresses) {
  for (const char* bad : {"0.0.0.0", "224.0.0.1", "127.0.0.2", "::1", "fe80::1", "ff02::1"}) {
    bind.mutable_bind_address()->set_address(bad);
    EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kNotAllowedByPolicy) << bad;
  }
  for (const char* bad : {"", "203.0.113.0/24", "x"}) {
    bind.mutable_bind_address()->set_address(bad);
    EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kBadParameters) << bad;
  }
}

TEST_F(AddressTest, OfAccountsOnAppNodesOnly) {
  v1::Work add;
  *add.mutable_add_account_address()->mutable_account() = Account();
  add.mutable_add_account_address()->set_address("203.0.113.11");
  EXPECT_TRUE(PlanSteps(add, kStorage, {})->empty());
  ExpectTwice(add, kApp, app);
  v1::Work remove;
  *remove.mutable_remove_account_address()->mutable_account() = Account();
  remove.mutable_remove_account_address()->set_address("203.0.113.11");
  EXPECT_TRUE(PlanSteps(remove, kStorage, {})->empty());
  const Outcome kept = RunWork(remove, kApp, app);
  EXPECT_TRUE(kept.steps.at("address 203.0.113.11").skipped);
  remove.mutable_remove_account_address()->set_unbind(true);
  ExpectTwice(remove, kApp, app);
}

}  // namespace
}  // namespace hostq::agent
