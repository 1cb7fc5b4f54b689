// Goal: hooks run at the right place of each kind's plan, are told what is true, and what they say
// becomes the step's result; a reload is never lost. Method: a host in memory whose hooks answer as
// the test says; the JSON is compared as a whole.
#include <gmock/gmock.h>

#include "actions_testing.h"

namespace hostq::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDirectory[] = "/etc/hostq/hooks.d";

class HooksTest : public ActionTest {
 protected:
  HooksTest() {
    policy.hooks.directory = kDirectory;
    app.hook_directories[kDirectory] = {
        .hooks = {"10-web", "20-mail"}, .reloads = {"10-web"}, .ignored = {}};
    app.run_hook = [this](const std::string& path, const std::string& input) {
      ran.push_back(path.substr(path.rfind('/') + 1));
      inputs.push_back(input);
      HookOutcome outcome;
      outcome.output = "said by " + ran.back();
      const auto found = says.find(ran.back());
      outcome.exit_status = found == says.end() ? 0 : found->second;
      return outcome;
    };
  }
  Outcome Create() {
    ran.clear();
    inputs.clear();
    return RunWork(create, kApp, app, policy);
  }
  void PrepareApp() {
    RunWork(Mount(), kApp, app);
    RunWork(create, kStorage, storage);
  }
  // Of the plan, on a node with both roles.
  std::vector<std::string> Steps(const v1::Work& work) {
    const auto steps = PlanSteps(work, kBoth, policy);
    EXPECT_TRUE(steps.ok()) << steps.status();
    std::vector<std::string> names;
    for (const Step& step : *steps) names.push_back(step.name);
    return names;
  }

  Policy policy;
  std::map<std::string, int> says;  // exit statuses
  std::vector<std::string> ran;
  std::vector<std::string> inputs;
};

TEST_F(HooksTest, AfterWhatIsSetUpAndBeforeWhatIsTakenAway) {
  EXPECT_THAT(Steps(create),
              ElementsAre("group", "user", "home", "quota", "address 203.0.113.10", "hooks"));
  v1::Work work;
  *work.mutable_suspend_account()->mutable_account() = Account();
  EXPECT_THAT(Steps(work), ElementsAre("login", "processes", "hooks"));
  *work.mutable_unsuspend_account()->mutable_account() = Account();
  EXPECT_THAT(Steps(work), ElementsAre("login", "hooks"));
  *work.mutable_set_account_quota()->mutable_account() = Account();
  EXPECT_THAT(Steps(work), ElementsAre("quota", "hooks"));
  *work.mutable_set_quota()->mutable_account() = Account();
  EXPECT_THAT(Steps(work), ElementsAre("quota", "hooks"));
  work.mutable_add_account_address()->set_address("203.0.113.11");
  *work.mutable_add_account_address()->mutable_account() = Account();
  EXPECT_THAT(Steps(work), ElementsAre("address 203.0.113.11", "hooks"));
  work.mutable_remove_account_address()->set_address("203.0.113.11");
  *work.mutable_remove_account_address()->mutable_account() = Account();
  EXPECT_THAT(Steps(work), ElementsAre("hooks", "address 203.0.113.11"));
  *work.mutable_delete_account()->mutable_account() = Account();
  EXPECT_THAT(Steps(work), ElementsAre("hooks", "user", "group", "quota", "home"));
  work.mutable_bind_address()->set_address("203.0.113.11");
  EXPECT_THAT(Steps(work), ElementsAre("address 203.0.113.11"));
  policy.hooks.directory.clear();
  EXPECT_THAT(Steps(create), ElementsAre("group", "user", "home", "quota", "address 203.0.113.10"))
      << "the node's policy has none";
}

TEST_F(HooksTest, TheDocument) {
  PrepareApp();
  Account().add_addresses("2001:0db8::0005");
  Account().set_quota_bytes(10LL << 30);
  ASSERT_EQ(Create().reason, Reason::kNone);
  EXPECT_THAT(ran, ElementsAre("10-web", "20-mail", "10-web.reload"));
  EXPECT_EQ(inputs[0], R"({
  "version": 1,
  "event": "created",
  "roles": [
    "app"
  ],
  "account": {
    "domain": "example.com",
    "user": "exampleco",
    "uid": 2001,
    "gid": 2001,
    "home": "/home/exampleco",
    "addresses": [
      "203.0.113.10",
      "2001:db8::5"
    ],
    "quota_bytes": 10737418240,
    "suspended": false,
    "generation": 3
  }
}
)");
  EXPECT_EQ(inputs[0], inputs[1]);
  v1::Work work;
  work.mutable_add_account_address()->set_address("203.0.113.11");
  *work.mutable_add_account_address()->mutable_account() = Account();
  ASSERT_EQ(RunWork(work, kApp, app, policy).reason, Reason::kNone);
  EXPECT_THAT(inputs.back(), HasSubstr("\"event\": \"address_added\""));
  EXPECT_THAT(inputs.back(), HasSubstr("\"address\": \"203.0.113.11\""));
}

TEST_F(HooksTest, WhatWouldBeAPathOrALineOfConfigurationIsRefused) {
  const auto planned = [&] { return ReasonOf(PlanSteps(create, kApp, policy).status()); };
  for (const char* domain : {"", "com", "../../etc/passwd", "a..com", "-a.com", "a b.com",
                             "a;b.com", "a.com\n", "a/b.com", ".com", "a.com."}) {
    Account().set_domain(domain);
    EXPECT_EQ(planned(), Reason::kBadParameters) << domain;
  }
  Account().set_domain("example.com");
  for (const char* home : {"/home/a;b", "/home/a b", "/home/a{", "/home/a\"b", "/home/$a"}) {
    Account().set_home(home);
    EXPECT_EQ(planned(), Reason::kNotAllowedByPolicy) << home;
  }
  Account().set_home("/home/exampleco");
  v1::Work suspend;
  *suspend.mutable_suspend_account()->mutable_account() = Account();
  suspend.mutable_suspend_account()->mutable_account()->add_addresses("0.0.0.0; evil");
  EXPECT_EQ(ReasonOf(PlanSteps(suspend, kApp, policy).status()), Reason::kBadParameters);
}

TEST_F(HooksTest, ExitStatusesAreTheContract) {
  PrepareApp();
  const struct {
    int status;
    Reason reason;
    bool changed;
  } rows[] = {{0, Reason::kNone, true},
              {100, Reason::kNone, false},
              {75, Reason::kHookDeferred, false},
              {1, Reason::kHookFailed, false},
              {127, Reason::kHookFailed, false}};
  app.hook_directories[kDirectory].reloads.clear();
  says["20-mail"] = 100;
  for (const auto& row : rows) {
    says["10-web"] = row.status;
    const Outcome outcome = Create();
    EXPECT_EQ(outcome.reason, row.reason) << row.status;
    const StepResult& step = outcome.steps.at("hooks");
    EXPECT_EQ(step.changed, row.changed) << row.status;
    if (row.reason == Reason::kNone) {
      EXPECT_THAT(ran, ElementsAre("10-web", "20-mail"));
    } else {
      EXPECT_THAT(ran, ElementsAre("10-web")) << "the first failure ends the step";
      EXPECT_EQ(step.evidence.at("hook"), "/etc/hostq/hooks.d/10-web");
      EXPECT_EQ(step.evidence.at("output"), "said by 10-web");
    }
  }
}

TEST_F(HooksTest, DeadlineAndSignalAreNamed) {
  PrepareApp();
  HookOutcome outcome;
  app.run_hook = [&](const std::string&, const std::string&) { return outcome; };
  outcome.signal = 11;
  EXPECT_EQ(Create().reason, Reason::kHookFailed);
  outcome.timed_out = true;
  outcome.left_behind = 2;
  const Outcome late = Create();
  EXPECT_EQ(late.reason, Reason::kHookTimedOut);
  EXPECT_EQ(late.steps.at("hooks").evidence.at("left_behind"), "2");
}

TEST_F(HooksTest, WithoutADirectoryOrHooksTheStepIsSkippedAndSaysSo) {
  PrepareApp();
  app.hook_directories[kDirectory] = {};
  app.hook_directories[kDirectory].ignored = {{"README", "not executable"}};
  StepResult step = Create().steps.at("hooks");
  EXPECT_TRUE(step.skipped);
  EXPECT_EQ(step.evidence.at("ignored"), "README: not executable");
  app.hook_directories.clear();
  step = Create().steps.at("hooks");
  EXPECT_TRUE(step.skipped);
  EXPECT_EQ(step.message, "there is no /etc/hostq/hooks.d");
  app.Fail("ListHooks", Error(Reason::kHookDirectoryUnsafe));
  EXPECT_EQ(Create().reason, Reason::kHookDirectoryUnsafe);
}

TEST_F(HooksTest, AReloadFollowsAChangeAndOnlyThat) {
  PrepareApp();
  ASSERT_EQ(Create().reason, Reason::kNone);
  EXPECT_THAT(ran, ElementsAre("10-web", "20-mail", "10-web.reload"));
  says["10-web"] = 100;
  const Outcome second = Create();
  EXPECT_EQ(second.reason, Reason::kNone);
  EXPECT_THAT(ran, ElementsAre("10-web", "20-mail"));
  EXPECT_THAT(app.waiting_reloads, IsEmpty());
}

TEST_F(HooksTest, AFailedReloadIsAFailedStepAndIsDoneLater) {
  PrepareApp();
  says["10-web.reload"] = 1;
  Outcome outcome = Create();
  EXPECT_EQ(outcome.reason, Reason::kHookReloadFailed);
  EXPECT_EQ(outcome.steps.at("hooks").evidence.at("output"), "said by 10-web.reload");
  // Next time nothing is different any more: the reload is due all the same.
  says = {{"10-web", 100}, {"20-mail", 100}};
  outcome = Create();
  EXPECT_EQ(outcome.reason, Reason::kNone);
  EXPECT_THAT(ran, ElementsAre("10-web", "20-mail", "10-web.reload"));
}

TEST_F(HooksTest, AReloadIsNotLostWhenAnAttemptIsCutShort) {
  PrepareApp();
  app.Fail("RunHook", absl::AbortedError("killed in the middle of the hook"), 1);
  EXPECT_NE(Create().reason, Reason::kNone);
  says = {{"10-web", 100}, {"20-mail", 100}};
  ASSERT_EQ(Create().reason, Reason::kNone);
  EXPECT_THAT(ran, ElementsAre("10-web", "20-mail", "10-web.reload"));
}

TEST_F(HooksTest, ADeletionOfWhatIsAnothersRunsNone) {
  v1::Work work;
  *work.mutable_delete_account()->mutable_account() = Account();
  EXPECT_FALSE(RunWork(work, kApp, app, policy).steps.at("hooks").skipped);
  EXPECT_THAT(ran, ElementsAre("10-web", "20-mail", "10-web.reload"));
  ran.clear();
  app.user_table["exampleco"] = {"exampleco", 3000, 3000, "/home/x", "/bin/sh", true};
  EXPECT_TRUE(RunWork(work, kApp, app, policy).steps.at("hooks").skipped);
  EXPECT_THAT(ran, IsEmpty());
}

}  // namespace
}  // namespace hostq::agent
