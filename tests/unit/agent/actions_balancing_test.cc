// Goal: a balancer has what the newest table says and nothing else of hostq's, whatever order
// tables come in, and what others have set up is left alone; the app nodes know who may answer.
#include <gmock/gmock.h>

#include "absl/strings/str_join.h"
#include "agent/actions/steps.h"
#include "tests/unit/agent/actions_testing.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Roles kBalancer = {false, false, true};

class BalancingTest : public ActionTest {
 protected:
  BalancingTest() : lb(network) {
    lb.address_table = {{"lo", *IpAddress::Parse("127.0.0.1"), 8},
                        {"eth0", *IpAddress::Parse("10.0.0.2"), 24}};
  }

  static v1::Work Table(uint64_t revision, const std::vector<std::string>& addresses) {
    v1::Work work;
    work.mutable_set_balancing()->add_balancers("10.0.0.2");
    v1::BalancingTable& table = *work.mutable_balancing();
    table.set_revision(revision);
    table.mutable_settings()->add_ports(80);
    table.mutable_settings()->set_scheduler("rr");
    table.mutable_settings()->set_forwarding(hostq::v1::DIRECT);
    for (const std::string& address : addresses) table.add_addresses(address);
    int last = 11;
    for (const char* name : {"web1", "web2"}) {
      auto& server = *table.add_servers();
      server.set_node(name);
      server.add_addresses(absl::StrCat("10.0.0.", last));
      server.add_addresses(absl::StrCat("2001:db8::", last++));
      server.set_weight(1);
    }
    table.add_balancers("10.0.0.2");
    return work;
  }

  Reason Run(const v1::Work& work) { return RunWork(work, kBalancer, lb).reason; }
  StepResult Balance(const v1::Work& work) {
    return RunWork(work, kBalancer, lb).steps["balancing"];
  }

  // "203.0.113.10:80 rr 10.0.0.11/1 10.0.0.12/1".
  std::vector<std::string> Services() const {
    std::vector<std::string> out;
    for (const VirtualService& service : lb.service_table) {
      out.push_back(
          absl::StrCat(service.address.ToString(), ":", service.port, " ", service.scheduler));
      for (const RealServer& server : service.servers) {
        absl::StrAppend(&out.back(), " ", server.address.ToString(), "/", server.weight);
      }
    }
    return out;
  }
  std::vector<std::string> OnUplink() const {
    std::vector<std::string> out;
    for (const InterfaceAddress& one : lb.address_table) {
      if (one.interface == "eth0")
        out.push_back(absl::StrCat(one.address.ToString(), "/", one.prefix));
    }
    return out;
  }

  FakeHost lb;
};

TEST_F(BalancingTest, AppliedOnceForBothFamilies) {
  ExpectTwice(Table(1, {"203.0.113.10", "2001:db8:1::10"}), kBalancer, lb);
  EXPECT_THAT(Services(), ElementsAre("203.0.113.10:80 rr 10.0.0.11/1 10.0.0.12/1",
                                      "2001:db8:1::10:80 rr 2001:db8::11/1 2001:db8::12/1"));
  EXPECT_THAT(OnUplink(), ElementsAre("10.0.0.2/24", "203.0.113.10/32", "2001:db8:1::10/128"));
}

TEST_F(BalancingTest, OnlyWhatDiffersIsChanged) {
  ASSERT_EQ(Run(Table(1, {"203.0.113.10"})), Reason::kNone);
  lb.changes.clear();
  v1::Work work = Table(2, {"203.0.113.10"});
  work.mutable_balancing()->mutable_servers(0)->set_weight(0);
  ASSERT_EQ(Run(work), Reason::kNone);
  EXPECT_THAT(lb.changes, ElementsAre("PutServer 203.0.113.10 80"));
  EXPECT_THAT(Services(), ElementsAre("203.0.113.10:80 rr 10.0.0.11/0 10.0.0.12/1"));
  lb.changes.clear();
  work = Table(3, {"203.0.113.10"});
  work.mutable_balancing()->mutable_servers()->RemoveLast();
  work.mutable_balancing()->mutable_settings()->set_persistence_seconds(300);
  ASSERT_EQ(Run(work), Reason::kNone);
  EXPECT_THAT(lb.changes, ElementsAre("PutService 203.0.113.10 80", "PutServer 203.0.113.10 80",
                                      "RemoveServer 203.0.113.10 80"));
  EXPECT_EQ(lb.service_table[0].persistence, 300u);
}

TEST_F(BalancingTest, AnOlderTableBringsNothingBack) {
  ASSERT_EQ(Run(Table(5, {"203.0.113.10"})), Reason::kNone);
  const StepResult late = Balance(Table(4, {"203.0.113.10", "203.0.113.11"}));
  EXPECT_EQ(late.reason, Reason::kNone);
  EXPECT_FALSE(late.changed);
  EXPECT_THAT(late.message, testing::HasSubstr("revision 5, which is newer than 4"));
  EXPECT_THAT(OnUplink(), ElementsAre("10.0.0.2/24", "203.0.113.10/32"));
  lb.Reboot();
  EXPECT_TRUE(Balance(Table(4, {})).changed) << "the newest is put back";
  EXPECT_THAT(OnUplink(), ElementsAre("10.0.0.2/24", "203.0.113.10/32"));
}

TEST_F(BalancingTest, WhatLeavesIsTakenOffAlsoAfterAFailureInBetween) {
  ASSERT_EQ(Run(Table(1, {"203.0.113.10", "203.0.113.11"})), Reason::kNone);
  lb.Fail("RemoveService", Error(Reason::kPermissionDenied), 1);
  EXPECT_EQ(Run(Table(2, {"203.0.113.11"})), Reason::kPermissionDenied);
  EXPECT_EQ(Run(Table(3, {"203.0.113.12"})), Reason::kNone);
  EXPECT_THAT(Services(), ElementsAre("203.0.113.12:80 rr 10.0.0.11/1 10.0.0.12/1"));
  EXPECT_THAT(OnUplink(), ElementsAre("10.0.0.2/24", "203.0.113.12/32"));
}

TEST_F(BalancingTest, OthersServicesAndAddressesStay) {
  VirtualService others;
  others.address = *IpAddress::Parse("203.0.113.77");
  others.port = 8080;
  others.scheduler = "sh";
  lb.service_table = {others};
  lb.address_table.push_back({"eth0", *IpAddress::Parse("203.0.113.77"), 32});
  ASSERT_EQ(Run(Table(1, {"203.0.113.10"})), Reason::kNone);
  ASSERT_EQ(Run(Table(2, {})), Reason::kNone);
  EXPECT_THAT(Services(), ElementsAre("203.0.113.77:8080 sh"));
  EXPECT_THAT(OnUplink(), ElementsAre("10.0.0.2/24", "203.0.113.77/32"));
}

TEST_F(BalancingTest, ConflictsAreNamed) {
  network.macs["203.0.113.10"] = "02:00:00:00:00:99";
  EXPECT_EQ(Run(Table(1, {"203.0.113.10"})), Reason::kAddressOwnedByOtherHost);
  network.macs.clear();
  lb.address_table.push_back({"eth1", *IpAddress::Parse("203.0.113.10"), 24});
  EXPECT_EQ(Run(Table(1, {"203.0.113.10"})), Reason::kAddressOnOtherInterface);
  lb.address_table.clear();
  EXPECT_EQ(Run(Table(1, {"203.0.113.10"})), Reason::kBalancerUplinkMissing);
  lb.ipvs_in_kernel = false;
  EXPECT_EQ(Run(Table(1, {"203.0.113.10"})), Reason::kKernelWithoutIpvs);
}

TEST_F(BalancingTest, PolicyAndParametersAreChecked) {
  Policy policy;
  policy.address_ranges = {*IpRange::Parse("203.0.113.0/24")};
  EXPECT_EQ(RunWork(Table(1, {"198.51.100.1"}), kBalancer, lb, policy).reason,
            Reason::kNotAllowedByPolicy);
  policy.kinds = {"create_account"};
  EXPECT_EQ(RunWork(Table(1, {}), kBalancer, lb, policy).reason, Reason::kNotAllowedByPolicy);
  const auto bad = [&](const std::function<void(v1::BalancingTable&)>& spoil) {
    v1::Work work = Table(1, {"203.0.113.10"});
    spoil(*work.mutable_balancing());
    return Run(work);
  };
  EXPECT_EQ(bad([](auto& table) { table.add_addresses("x"); }), Reason::kBadParameters);
  EXPECT_EQ(bad([](auto& table) { table.mutable_settings()->clear_ports(); }),
            Reason::kBadParameters);
  EXPECT_EQ(bad([](auto& table) { table.mutable_settings()->add_ports(65536); }),
            Reason::kBadParameters);
  EXPECT_EQ(bad([](auto& table) { table.mutable_settings()->set_scheduler("sh"); }),
            Reason::kBadParameters);
  EXPECT_EQ(bad([](auto& table) { table.mutable_settings()->clear_forwarding(); }),
            Reason::kBadParameters);
  EXPECT_EQ(bad([](auto& table) { table.mutable_settings()->set_persistence_seconds(90000); }),
            Reason::kBadParameters);
  EXPECT_EQ(bad([](auto& table) { table.mutable_servers(0)->set_weight(65536); }),
            Reason::kBadParameters);
  EXPECT_EQ(bad([](auto& table) { table.mutable_servers(0)->add_addresses("web1"); }),
            Reason::kBadParameters);
  EXPECT_THAT(lb.changes, IsEmpty());
}

TEST_F(BalancingTest, ComesLastWhereAccountsComeAndFirstWhereTheyGo) {
  const auto names = [](const v1::Work& work, const Roles& roles) {
    std::vector<std::string> out;
    const auto steps = PlanSteps(work, roles, {});
    for (const Step& step : *steps) out.push_back(step.name);
    return out;
  };
  *create.mutable_balancing() = Table(1, {"203.0.113.10"}).balancing();
  EXPECT_THAT(names(create, kBalancer), ElementsAre("balancing"));
  EXPECT_EQ(names(create, {false, true, true}).back(), "balancing");
  EXPECT_THAT(names(create, kStorage), testing::Not(testing::Contains("balancing")));
  v1::Work remove;
  *remove.mutable_delete_account()->mutable_account() = Account();
  remove.mutable_delete_account()->add_addresses_to_unbind("203.0.113.10");
  *remove.mutable_balancing() = Table(2, {}).balancing();
  EXPECT_EQ(names(remove, {true, true, true}).front(), "balancing");
  EXPECT_THAT(names(remove, {true, true, true}),
              testing::Not(testing::Contains("address 203.0.113.10")))
      << "a balancer has it on its uplink, not on lo";
}

TEST_F(BalancingTest, BalancerThatIsAnAppNodeToo) {
  constexpr Roles kAll = {true, true, true};
  *create.mutable_balancing() = Table(1, {"203.0.113.10"}).balancing();
  EXPECT_THAT(RunWork(create, kAll, lb).steps, testing::Contains(testing::Key("balancing")));
  v1::Work bind;
  bind.mutable_bind_address()->set_address("203.0.113.10");
  lb.address_table.push_back({"eth0", *IpAddress::Parse("203.0.113.10"), 32});
  EXPECT_EQ(RunWork(bind, {true, false, true}, lb).reason, Reason::kNone);
  EXPECT_EQ(RunWork(bind, kApp, lb).reason, Reason::kAddressOnOtherInterface);
}

TEST_F(BalancingTest, AppNodesLetTheBalancerAnswer) {
  v1::Work bind;
  bind.mutable_bind_address()->set_address("203.0.113.10");
  network.macs = {{"203.0.113.10", "02:00:00:00:00:02"}, {"10.0.0.2", "02:00:00:00:00:02"}};
  EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kAddressOwnedByOtherHost);
  bind.mutable_bind_address()->add_balancers("10.0.0.2");
  EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kNone);
  network.macs["203.0.113.11"] = "02:00:00:00:00:99";
  bind.mutable_bind_address()->set_address("203.0.113.11");
  EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kAddressOwnedByOtherHost);
}

TEST_F(BalancingTest, AppNodesNoteWhoBalances) {
  ExpectTwice(Table(1, {}), kApp, app);
  network.macs = {{"203.0.113.10", "02:00:00:00:00:02"}, {"10.0.0.2", "02:00:00:00:00:02"}};
  v1::Work bind;
  bind.mutable_bind_address()->set_address("203.0.113.10");
  bind.mutable_bind_address()->add_balancers("10.0.0.7");  // the one of before
  EXPECT_EQ(RunWork(bind, kApp, app).reason, Reason::kNone);
  v1::Work bad = Table(2, {});
  bad.mutable_set_balancing()->add_balancers("lb");
  EXPECT_EQ(RunWork(bad, kApp, app).reason, Reason::kBadParameters);
}

TEST_F(BalancingTest, PreflightOfABalancer) {
  v1::Work preflight;
  preflight.mutable_preflight()->add_balancers("10.0.0.2");
  Outcome outcome = RunWork(preflight, kBalancer, lb);
  EXPECT_EQ(outcome.reason, Reason::kNone) << outcome.failed_step;
  EXPECT_THAT(outcome.steps.at("balancer-uplink").message, testing::HasSubstr("eth0"));
  lb.ipvs_in_kernel = false;
  lb.address_table.clear();
  outcome = RunWork(preflight, kBalancer, lb);
  EXPECT_EQ(outcome.steps.at("kernel-ipvs").reason, Reason::kKernelWithoutIpvs);
  EXPECT_EQ(outcome.steps.at("balancer-uplink").reason, Reason::kBalancerUplinkMissing);
}

}  // namespace
}  // namespace hostq::agent
