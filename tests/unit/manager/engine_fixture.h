#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "manager/engine/engine.h"
#include "manager/store/sqlite/sqlite_store.h"

namespace hostq::manager {

class FakeResources final : public Resources {
 public:
  ChangeSet AttemptEnded(const Command&, const Task&, const Attempt&) override {
    ++attempts;
    return std::exchange(ended, {});
  }
  ChangeSet CommandFinished(const Command& command) override {
    ChangeSet changes;
    changes.resources.push_back({"account", command.resource_key, std::nullopt});
    return changes;
  }
  std::optional<PlannedCommand> NodeConnected(const NodeState&) override { return first; }
  std::optional<PlannedCommand> CheckNode(const NodeState&) override { return check; }
  int attempts = 0;
  // What it asks for when a node connects, and when one ails.
  std::optional<PlannedCommand> first, check;
  ChangeSet ended;
};

// Fails every commit while told to.
class FaultyStore final : public Store {
 public:
  explicit FaultyStore(Store& store) : store_(store) {}
  absl::StatusOr<Snapshot> Load() override { return store_.Load(); }
  absl::Status Commit(absl::Span<const Mutation> mutations) override {
    ++commits;
    return failing ? absl::ResourceExhaustedError("disk full") : store_.Commit(mutations);
  }
  absl::StatusOr<Command> GetCommand(CommandId id) override { return store_.GetCommand(id); }
  absl::StatusOr<std::vector<Command>> ListCommands(const CommandQuery& query) override {
    return store_.ListCommands(query);
  }
  absl::StatusOr<CommandId> CommandBelow(CommandId before, int count) override {
    return store_.CommandBelow(before, count);
  }
  absl::StatusOr<std::vector<Event>> ListRepairs(absl::string_view node, absl::Time since,
                                                 int limit) override {
    return store_.ListRepairs(node, since, limit);
  }
  absl::StatusOr<std::optional<Command>> FindRequest(absl::string_view id) override {
    return store_.FindRequest(id);
  }
  absl::StatusOr<std::vector<TaskAttempt>> ListAttempts(CommandId id) override {
    return store_.ListAttempts(id);
  }
  absl::StatusOr<std::vector<Event>> ListEvents(int64_t sequence, int limit) override {
    return store_.ListEvents(sequence, limit);
  }
  absl::StatusOr<std::vector<Orphan>> ListOrphans(int limit) override {
    return store_.ListOrphans(limit);
  }
  absl::StatusOr<Archived> MoveToArchive(absl::Time time, int limit) override {
    return store_.MoveToArchive(time, limit);
  }
  absl::StatusOr<int> DeleteLooks(absl::Time time, int limit) override {
    return store_.DeleteLooks(time, limit);
  }
  absl::StatusOr<std::vector<AuditEntry>> ListAudit(const AuditQuery& query) override {
    return store_.ListAudit(query);
  }
  absl::StatusOr<AuditChain> GetAuditChain() override { return store_.GetAuditChain(); }
  absl::StatusOr<int> DeleteAudit(absl::Time time, int limit, absl::Time now) override {
    return store_.DeleteAudit(time, limit, now);
  }
  bool failing = false;
  int commits = 0;

 private:
  Store& store_;
};

class FakeSession final : public AgentSession {
 public:
  void Assign(const SendAssign& assign) override { assigns.push_back(assign); }
  void Acknowledge(const Lease& lease) override { acknowledged.push_back(lease); }
  void Cancel(const Lease& lease) override { cancelled.push_back(lease); }
  void Close(const absl::Status& status) override { closed = status; }
  void Flush() override { ++flushes; }
  std::vector<SendAssign> assigns;
  std::vector<Lease> acknowledged, cancelled;
  absl::Status closed;
  int flushes = 0;
};

class EngineTest : public testing::Test {
 protected:
  EngineTest() {
    char path[] = "/tmp/hostq-engine-test.XXXXXX";
    directory_ = mkdtemp(path);
    Restart();
  }
  ~EngineTest() override {
    engine_.reset();
    std::filesystem::remove_all(directory_);
  }

  // As after kill -9: nothing of the engine's memory survives.
  void Restart(const std::map<PauseKey, Pause>& pauses = {}) {
    engine_.reset();
    sqlite_.reset();
    sqlite_ = *SqliteStore::Open(directory_ + "/hostq.db");
    store_ = std::make_unique<FaultyStore>(*sqlite_);
    absl::StatusOr<Snapshot> snapshot = store_->Load();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    engine_ = std::make_unique<Engine>(*store_, resources_, clock_, random_, options_);
    NodeState node;
    node.name = "web1";
    node.joined = node.admitted = true;
    ASSERT_TRUE(engine_->Start(*std::move(snapshot), {node}, pauses).ok());
    session_ = std::make_shared<FakeSession>();
  }

  Welcomed Connect(std::vector<HelloFacts::InFlight> in_flight = {},
                   std::vector<Lease> outbox = {}) {
    HelloFacts hello;
    hello.node = "web1";
    hello.kinds = {"a"};
    hello.credits = 4;
    hello.in_flight = std::move(in_flight);
    hello.outbox = std::move(outbox);
    absl::StatusOr<Welcomed> welcomed = absl::UnknownError("not answered");
    engine_->Connect(hello, session_,
                     [&](absl::StatusOr<Welcomed> answer) { welcomed = std::move(answer); });
    engine_->RunOnce();
    EXPECT_TRUE(welcomed.ok()) << welcomed.status();
    return welcomed.ok() ? *welcomed : Welcomed{};
  }

  absl::StatusOr<Submitted> Submit(const std::string& request_id = "",
                                   const std::string& request = "r",
                                   const std::string& key = "account/x") {
    absl::StatusOr<Submitted> answer = absl::UnknownError("not answered");
    Submission submission;
    submission.origin = "tester";
    submission.request_id = request_id;
    submission.request = request;
    submission.plan = [key](const Now&) -> absl::StatusOr<PlannedCommand> {
      PlannedCommand plan;
      plan.kind = "a";
      plan.resource_key = key;
      plan.spec = "spec";
      plan.work = "work";
      plan.tasks = {{"web1", 0}};
      plan.changes.resources.push_back({"account", key, "row"});
      return plan;
    };
    engine_->Submit(std::move(submission),
                    [&](absl::StatusOr<Submitted> result) { answer = std::move(result); });
    engine_->RunOnce();
    return answer;
  }

  void Result(uint64_t session, const Lease& lease, Reason reason = Reason::kNone) {
    ResultFacts result;
    result.lease = lease;
    result.reason = reason;
    result.start_time = result.finish_time = clock_.Now();
    engine_->Result(session, result);
    engine_->RunOnce();
  }

  std::string directory_;
  Engine::Options options_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  SeededRandom random_{1};
  FakeResources resources_;
  std::unique_ptr<SqliteStore> sqlite_;
  std::unique_ptr<FaultyStore> store_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<FakeSession> session_;
};

}  // namespace hostq::manager
