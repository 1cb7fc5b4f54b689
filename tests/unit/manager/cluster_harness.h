#pragma once

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "manager/cluster/cluster.h"

namespace hostq::manager {

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// "INVALID_ARGUMENT INVALID_DOMAIN"; "OK".
inline std::string CodeOf(const absl::Status& status) {
  if (status.ok()) return "OK";
  return absl::StrCat(absl::StatusCodeToString(status.code()), " ", NameOf(ReasonOf(status)));
}

// A cluster and what would be in the store: after every call the two must agree, and after a
// refused one nothing may have changed.
class ClusterHarness : public testing::Test {
 protected:
  using Rows = std::map<std::pair<std::string, std::string>, std::string>;

  explicit ClusterHarness(Cluster::Options options = {"test", "10.0.0.1", 7443, 20000, 20009})
      : options_(options), cluster_(*Cluster::Load(std::move(options), {})) {}

  static Rows RowsOf(const Cluster& cluster) {
    Rows rows;
    for (const ResourceChange& row : cluster.Rows()) rows[{row.kind, row.key}] = *row.data;
    return rows;
  }

  void Stored(const ChangeSet& changes) {
    for (const ResourceChange& change : changes.resources) {
      if (change.data) {
        stored_[{change.kind, change.key}] = *change.data;
      } else {
        EXPECT_EQ(stored_.erase({change.kind, change.key}), 1u) << change.key;
      }
    }
    ExpectInStep();
    own_.insert(own_.end(), changes.commands.begin(), changes.commands.end());
  }

  void ExpectInStep() { EXPECT_EQ(stored_, RowsOf(*cluster_)); }

  // As after a restart of the manager.
  void Reload() {
    const std::vector<ResourceChange> rows = cluster_->Rows();
    auto loaded = Cluster::Load(options_, rows);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    cluster_ = *std::move(loaded);
    ExpectInStep();
  }

  absl::StatusOr<PlannedCommand> Plan(const v1::CommandSpec& spec,
                                      const std::vector<std::string>& nodes = {}) {
    auto plan = cluster_->Plan(spec, nodes, now_);
    Stored(plan.ok() ? plan->changes : ChangeSet{});
    return plan;
  }

  absl::StatusOr<PlannedCommand> Plan(const std::string& spec,
                                      const std::vector<std::string>& nodes = {}) {
    return Plan(FromText<v1::CommandSpec>(spec), nodes);
  }

  std::string Refusal(const std::string& spec, const std::vector<std::string>& nodes = {}) {
    return CodeOf(Plan(spec, nodes).status());
  }

  // A command as the engine would make it of the plan.
  Command Submitted(const PlannedCommand& plan) {
    Command command;
    command.id = ++last_id_;
    command.kind = plan.kind;
    command.resource_key = plan.resource_key;
    command.spec = plan.spec;
    command.work = plan.work;
    for (const PlannedTask& planned : plan.tasks) {
      Task& task = command.tasks.emplace_back();
      task.node = planned.node;
      task.stage = planned.stage;
    }
    return command;
  }

  Command Submitted(const std::string& spec, const std::vector<std::string>& nodes = {}) {
    const auto plan = Plan(spec, nodes);
    EXPECT_TRUE(plan.ok()) << spec << ": " << plan.status();
    return plan.ok() ? Submitted(*plan) : Command{};
  }

  // All tasks end alike; `attempt` 0: no node ever got one.
  void Finish(Command command, Outcome outcome, int attempt = 1) {
    for (Task& task : command.tasks) {
      task.outcome = outcome;
      task.attempt = attempt;
    }
    Finish(command);
  }

  void Finish(const Command& command) { Stored(cluster_->CommandFinished(command)); }

  // Submitted, and done on every node.
  void Do(const std::string& spec, const std::vector<std::string>& nodes = {}) {
    Finish(Submitted(spec, nodes), Outcome::kSucceeded);
  }

  void AddNode(const std::string& name, const std::string& roles, const std::string& address) {
    storage::v1::Token token;
    token.set_id(absl::StrCat("token", ++last_token_));
    token.set_secret_hash("hash");
    token.mutable_expire_time()->set_seconds(2'000'000'000);
    const auto changes =
        cluster_->AddNode(FromText<v1::CreateNodeRequest>(absl::StrCat(
                              "name: '", name, "' address: '", address, "' roles: ", roles)),
                          token, "root", now_);
    ASSERT_TRUE(changes.ok()) << changes.status();
    Stored(*changes);
  }

  void Join(const std::string& name) {
    const auto changes = cluster_->NodeJoined(
        {name, ++last_incarnation_, "serial", now_.wall, now_.wall + absl::Hours(24), "pin"}, now_);
    ASSERT_TRUE(changes.ok()) << changes.status();
    Stored(*changes);
  }

  // It passes its preflight.
  void Admit(const std::string& name) {
    Command command;
    command.kind = "preflight";
    Task task;
    task.node = name;
    v1::Attempt steps;
    steps.add_steps()->set_name("os");
    Attempt attempt;
    attempt.steps = steps.SerializeAsString();
    Stored(cluster_->AttemptEnded(command, task, attempt));
  }

  // One storage node and two app nodes, joined.
  void ThreeNodes() {
    AddNode("storage1", "[STORAGE]", "10.0.0.1");
    AddNode("web1", "[APP]", "10.0.0.11");
    AddNode("web2", "[APP]", "10.0.0.12");
    for (const char* name : {"storage1", "web1", "web2"}) Join(name);
  }

  void HomeShare() {
    Do("mount_share { share: 'home' source: '10.0.0.1:/chroot/home' mount_point: '/home' }");
  }

  static std::string Create(const std::string& domain, const std::string& user,
                            const std::string& address = "203.0.113.10",
                            const std::string& more = "") {
    return absl::StrCat("create_account { domain: '", domain, "' user: '", user, "' address: '",
                        address, "' ", more, " }");
  }

  const v1::Account& Account(const std::string& domain) {
    const storage::v1::Account* row = cluster_->FindAccount(domain);
    HOSTQ_CHECK(row != nullptr);
    return row->account();
  }

  std::string Addresses(const std::string& domain) {
    return absl::StrJoin(Account(domain).addresses(), " ");
  }

  // "kind key: 0:storage1 1:web1; supersedes a, b": one line to compare with.
  static std::string Summary(const PlannedCommand& plan) {
    return absl::StrCat(plan.kind, " ", plan.resource_key, ": ",
                        absl::StrJoin(plan.tasks, " ",
                                      [](std::string* out, const PlannedTask& task) {
                                        absl::StrAppend(out, task.stage, ":", task.node);
                                      }),
                        plan.supersedes.empty() ? "" : "; supersedes ",
                        absl::StrJoin(plan.supersedes, ", "),
                        plan.needs_ready ? "" : "; also before the preflight");
  }

  std::string SummaryOf(const std::string& spec, const std::vector<std::string>& nodes = {}) {
    const auto plan = Plan(spec, nodes);
    return plan.ok() ? Summary(*plan) : CodeOf(plan.status());
  }

  agent::v1::Work Work(const std::string& spec, const std::vector<std::string>& nodes = {}) {
    const auto plan = Plan(spec, nodes);
    EXPECT_TRUE(plan.ok()) << plan.status();
    agent::v1::Work work;
    EXPECT_TRUE(plan.ok() && work.ParseFromString(plan->work));
    return work;
  }

  const Cluster::Options options_;
  std::unique_ptr<Cluster> cluster_;
  Now now_{absl::FromUnixSeconds(1'700'000'000), absl::Hours(1)};
  Rows stored_;
  // Commands of the manager's own; nobody has submitted them.
  std::vector<PlannedCommand> own_;
  CommandId last_id_ = 0;
  int last_token_ = 0;
  int64_t last_incarnation_ = 0;
};

}  // namespace hostq::manager
