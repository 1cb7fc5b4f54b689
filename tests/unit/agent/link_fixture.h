#pragma once

#include "agent/link/session_logic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/journal/sqlite_journal.h"
#include "agent/runner/convert.h"
#include "common/base/error.h"

namespace hostq::agent {
using ReasonCode = hostq::v1::Reason;

// Works, or fails as told.
class FaultyJournal final : public Journal {
 public:
  explicit FaultyJournal(Journal& journal) : journal_(journal) {}
  absl::StatusOr<std::vector<AcceptAnswer>> Commit(const JournalBatch& batch,
                                                   absl::Time now) override {
    if (broken && !batch.empty()) {
      return MakeError(absl::StatusCode::kResourceExhausted, Reason::kJournalUnavailable, "full");
    }
    if (!batch.empty()) ++commits;
    return journal_.Commit(batch, now);
  }
  absl::StatusOr<JournalState> Load() override { return journal_.Load(); }
  absl::StatusOr<int64_t> Prune(absl::Time before) override { return journal_.Prune(before); }

  bool broken = false;
  int commits = 0;

 private:
  Journal& journal_;
};

inline absl::StatusOr<std::vector<Step>> Plan(const v1::Work& work, const Roles&) {
  const std::string& address = work.bind_address().address();
  if (address == "10.0.0.1") {
    return MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAllowedByPolicy, "not here");
  }
  if (address == "bad") return absl::InvalidArgumentError("not an address");
  std::vector<Step> steps(1);
  steps[0].name = "address";
  if (work.has_resync_account()) {
    steps.assign(4, Step());
    int i = 0;
    for (const char* name : {"group", "user", "home", "quota"}) steps[i++].name = name;
  }
  return steps;
}

// SessionLogic with a real journal, a clock that the test moves, and the manager and executor
// played by the test.
class LinkTest : public testing::Test {
 protected:
  LinkTest() {
    char pattern[] = "/tmp/hostq_link_XXXXXX";
    directory_ = mkdtemp(pattern);
    Restart();
  }
  ~LinkTest() override {
    logic_.reset();
    journal_.reset();
    std::filesystem::remove_all(directory_);
  }

  // A new process on the same journal.
  void Restart() {
    logic_.reset();
    journal_.reset();
    disk_.reset();
    auto journal = SqliteJournal::Open(directory_ + "/journal.db");
    ASSERT_TRUE(journal.ok()) << journal.status();
    disk_ = *std::move(journal);
    journal_ = std::make_unique<FaultyJournal>(*disk_);
    SessionOptions options;
    options.agent_version = "1";
    options.kinds = {"bind_address", "unbind_address", "create_account", "resync_account",
                     "suspend_account"};
    options.credits = 2;
    options.boot_id = "boot";
    options.process_id = "process";
    options.upkeep.look = [this](const Kept& kept) -> absl::StatusOr<std::vector<Deviation>> {
      std::vector<Deviation> found;
      for (const auto& [key, item] : kept) {
        if (missing_.contains(key)) found.push_back({key, Reason::kAddressMissing, "it is gone"});
      }
      return found;
    };
    options.upkeep.repair = repair_;
    options.upkeep.interval = absl::Seconds(10);
    logic_ = std::make_unique<SessionLogic>(options, Plan, *journal_, clock_, random_);
    ASSERT_TRUE(logic_->Start().ok());
    logic_->OnExecutorReady();
    sent_.clear();
    steps_.clear();
  }
  Effects Flush() {
    Effects effects = logic_->Flush();
    if (effects.connect) connection_ = *effects.connect;
    for (const auto& message : effects.messages) sent_.push_back(message);
    for (const auto& step : effects.steps) steps_.push_back(step);
    return effects;
  }
  void Deliver(const v1::ManagerMessage& message) {
    logic_->OnMessage(connection_, message);
    Flush();
  }
  void Welcome(const std::vector<Lease>& forget = {}) {
    v1::ManagerMessage message;
    *message.mutable_welcome()->mutable_heartbeat_interval() = ToProto(absl::Seconds(5));
    for (const Lease& lease : forget) *message.mutable_welcome()->add_forget() = ToProto(lease);
    Deliver(message);
  }
  // Connects and is welcomed; what was sent before does not matter.
  v1::Hello Connect(const std::vector<Lease>& forget = {}) {
    sent_.clear();
    for (int i = 0; i < 20 && sent_.empty(); ++i) {
      Flush();
      if (sent_.empty()) clock_.Advance(absl::Seconds(5));
    }
    EXPECT_FALSE(sent_.empty());
    const v1::Hello hello = sent_.empty() ? v1::Hello() : sent_[0].hello();
    sent_.clear();
    Welcome(forget);
    return hello;
  }
  static v1::ManagerMessage MakeAssign(const Lease& lease, const std::string& address = "192.0.2.1",
                                       const std::string& kind = "bind_address") {
    v1::Work work;
    work.mutable_bind_address()->set_address(address);
    v1::ManagerMessage message;
    v1::Assign& assign = *message.mutable_assign();
    *assign.mutable_lease() = ToProto(lease);
    assign.set_resource_key("address/" + address);
    assign.set_kind(kind);
    assign.set_work(work.SerializeAsString());
    *assign.mutable_timeout() = ToProto(absl::Minutes(1));
    return message;
  }
  void Done(size_t step, ReasonCode::Code reason = ReasonCode::CODE_UNSPECIFIED) {
    v1::ExecutorReport report;
    report.mutable_step_done()->set_id(steps_.at(step).id());
    report.mutable_step_done()->mutable_result()->set_name("address");
    report.mutable_step_done()->mutable_result()->set_reason(reason);
    logic_->OnExecutorReport(report);
    Flush();
  }
  void Acknowledge(const Lease& lease) {
    v1::ManagerMessage message;
    *message.mutable_result_ack()->add_leases() = ToProto(lease);
    Deliver(message);
  }
  // "accepted t1", "progress t1", "refused t1 STALE_EPOCH", "result t1"; heartbeats are left out.
  std::vector<std::string> Sent() {
    std::vector<std::string> texts;
    for (const auto& message : std::exchange(sent_, {})) {
      if (message.has_hello()) texts.push_back("hello");
      if (message.has_accepted()) {
        texts.push_back("accepted " + message.accepted().lease().task_id());
      }
      if (message.has_progress()) {
        texts.push_back("progress " + message.progress().lease().task_id());
      }
      if (message.has_refused()) {
        texts.push_back(absl::StrCat("refused ", message.refused().lease().task_id(), " ",
                                     ReasonCode::Code_Name(message.refused().reason())));
      }
      if (message.has_result()) {
        texts.push_back(absl::StrCat("result ", message.result().lease().task_id(), " ",
                                     message.result().lease().epoch(), " ",
                                     ReasonCode::Code_Name(message.result().reason())));
      }
      if (message.has_drift()) AddDrift(message.drift(), texts);
    }
    return texts;
  }
  // Nothing for a first one that has nothing to tell.
  void AddDrift(const v1::Drift& drift, std::vector<std::string>& texts) {
    for (const v1::Deviation& one : drift.open()) {
      texts.push_back(absl::StrCat("drift open: ", one.resource_key(), " ",
                                   ReasonCode::Code_Name(one.reason())));
    }
    for (const v1::Deviation& one : drift.repaired()) {
      texts.push_back(absl::StrCat("drift repaired: ", one.resource_key(), " ",
                                   ReasonCode::Code_Name(one.reason())));
    }
    if (drift.open().empty() && drift.repaired().empty() && drifted_) texts.push_back("drift none");
    drifted_ = !drift.open().empty();
  }
  // At what it keeps. The manager is there meanwhile.
  void Look() {
    for (int i = 0; i < 2; ++i) {
      clock_.Advance(absl::Seconds(5));
      v1::ManagerMessage alive;
      alive.mutable_heartbeat();
      Deliver(alive);
    }
  }
  // On the node with the file system.
  static v1::ManagerMessage MakeAccount(const Lease& lease, const std::string& kind) {
    v1::Work work;
    v1::Account account;
    account.set_domain("a.example");
    if (kind == "create_account") *work.mutable_create_account()->mutable_account() = account;
    if (kind == "suspend_account") *work.mutable_suspend_account()->mutable_account() = account;
    v1::ManagerMessage message = MakeAssign(lease, "192.0.2.1", kind);
    message.mutable_assign()->set_resource_key("account/a.example");
    message.mutable_assign()->add_roles("storage");
    message.mutable_assign()->set_work(work.SerializeAsString());
    return message;
  }
  static v1::ManagerMessage MakeUnbind(const Lease& lease) {
    v1::Work work;
    work.mutable_unbind_address()->set_address("192.0.2.1");
    v1::ManagerMessage message = MakeAssign(lease, "192.0.2.1", "unbind_address");
    message.mutable_assign()->set_work(work.SerializeAsString());
    return message;
  }

  std::string directory_;
  FakeClock clock_;
  std::set<std::string> missing_;  // of what is kept
  bool repair_ = true;
  bool drifted_ = false;
  SeededRandom random_{1};
  std::unique_ptr<SqliteJournal> disk_;
  std::unique_ptr<FaultyJournal> journal_;
  std::unique_ptr<SessionLogic> logic_;
  uint64_t connection_ = 0;
  std::vector<v1::AgentMessage> sent_;
  std::vector<v1::RunStep> steps_;
};

}  // namespace hostq::agent
