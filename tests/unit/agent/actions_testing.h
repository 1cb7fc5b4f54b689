#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/actions/action.h"
#include "common/base/error.h"
#include "tests/testing/fake_host.h"

namespace hostq::agent {

constexpr Roles kApp = {true, false};
constexpr Roles kStorage = {false, true};
constexpr Roles kBoth = {true, true};

inline absl::Status Error(Reason reason) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, "injected");
}

// What came of running a plan's steps in order, as the executor does.
struct Outcome {
  Reason reason = Reason::kNone;
  std::string failed_step;
  bool changed = false;
  std::map<std::string, StepResult> steps;
  std::vector<std::string> order;
};

inline Outcome RunWork(const v1::Work& work, const Roles& roles, Host& host,
                       const Policy& policy = {}) {
  Outcome outcome;
  const auto steps = PlanSteps(work, roles, policy);
  if (!steps.ok()) {
    outcome.reason = ReasonOf(steps.status());
    outcome.failed_step = "plan";
    return outcome;
  }
  for (const Step& step : *steps) {
    const StepResult result = step.run(host);
    outcome.order.push_back(step.name);
    outcome.steps[step.name] = result;
    outcome.changed |= result.changed;
    EXPECT_FALSE(result.message.empty()) << step.name;
    if (result.reason == Reason::kNone || result.warning) continue;
    if (outcome.reason == Reason::kNone) {
      outcome.reason = result.reason;
      outcome.failed_step = step.name;
    }
    if (!step.independent) break;
  }
  return outcome;
}

// A storage node and an app node of it, and an account to put on them.
class ActionTest : public testing::Test {
 protected:
  static constexpr char kServer[] = "10.0.0.1";

  ActionTest() : storage(network, kServer), app(network) {
    network.servers[kServer];
    v1::Account& account = *create.mutable_create_account()->mutable_account();
    account.set_domain("example.com");
    account.set_user("exampleco");
    account.set_uid(2001);
    account.set_gid(2001);
    account.set_home("/home/exampleco");
    account.set_shell("/bin/bash");
    account.add_addresses("203.0.113.10");
    account.set_quota_bytes(10LL << 30);
    account.set_generation(3);
    *account.mutable_share() = Share();
  }

  static v1::Share Share() {
    v1::Share share;
    share.set_name("home");
    share.set_server(kServer);
    share.set_export_path("/chroot/home");
    share.set_mount_point("/home");
    share.set_nfs_version("4.2");
    return share;
  }
  v1::Account& Account() { return *create.mutable_create_account()->mutable_account(); }
  v1::Work Mount() {
    v1::Work work;
    *work.mutable_mount_share()->mutable_share() = Share();
    return work;
  }
  // The account is on both nodes.
  void CreateEverywhere() {
    ASSERT_EQ(RunWork(Mount(), kApp, app).reason, Reason::kNone);
    ASSERT_EQ(RunWork(create, kStorage, storage).reason, Reason::kNone);
    ASSERT_EQ(RunWork(create, kApp, app).reason, Reason::kNone);
  }
  // Succeeds with `changed`, and the second time without a change.
  void ExpectTwice(const v1::Work& work, const Roles& roles, FakeHost& host) {
    const Outcome first = RunWork(work, roles, host);
    EXPECT_EQ(first.reason, Reason::kNone) << first.failed_step;
    EXPECT_TRUE(first.changed);
    const auto changes = host.changes;
    const Outcome second = RunWork(work, roles, host);
    EXPECT_EQ(second.reason, Reason::kNone) << second.failed_step;
    EXPECT_FALSE(second.changed);
    EXPECT_EQ(host.changes, changes);
  }
  FakeFileServer& server() { return network.servers[kServer]; }

  FakeNetwork network;
  FakeHost storage;
  FakeHost app;
  v1::Work create;
};

}  // namespace hostq::agent
