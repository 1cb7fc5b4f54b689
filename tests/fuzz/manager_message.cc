// What a manager may send, and what the executor reports: bytes of ManagerMessage and
// ExecutorReport into the agent's real logic and plans over a journal in memory. Whatever comes,
// all that the agent sends can be read by a manager, and it waits for something rather than spin.
//
// The input is a list of records (records.h).
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/link/session_logic.h"
#include "agent/runner/convert.h"
#include "input.h"
#include "records.h"
#include "tests/testing/memory_journal.h"

namespace hostq::agent {
namespace {

class World {
 public:
  World() { Start(); }

  void Do(fuzz::Act act, uint8_t which, absl::string_view chunk) {
    switch (act) {
      case fuzz::Act::kMessage:
        Message(chunk);
        break;
      case fuzz::Act::kMessageOfLease:
        Assign(which, chunk);
        break;
      case fuzz::Act::kTime:
        clock_.Advance(absl::Milliseconds(1 << which % 20));
        break;
      case fuzz::Act::kDisconnect:
        logic_->OnClosed(connection_, absl::UnavailableError("gone"));
        break;
      case fuzz::Act::kRestart:
        Start();
        break;
      default:
        Executor(which, chunk);
    }
    Flush();
  }

 private:
  void Start() {
    SessionOptions options;
    options.kinds = SupportedKinds();
    options.credits = 3;
    // Everything is always missing, and put back.
    options.upkeep.look = [](const Kept& kept) -> absl::StatusOr<std::vector<Deviation>> {
      std::vector<Deviation> missing;
      for (const auto& [key, item] : kept) {
        HOSTQ_CHECK(IsTaskName(key));  // or the journal could not be read again
        missing.push_back({key, Reason::kAddressMissing, "gone"});
      }
      return missing;
    };
    steps_.clear();
    logic_ = std::make_unique<SessionLogic>(
        options,
        [](const v1::Work& work, const Roles& roles) { return PlanSteps(work, roles, Policy()); },
        journal_, clock_, random_);
    HOSTQ_CHECK(logic_->Start().ok());
    logic_->OnExecutorReady();
    Flush();
  }

  void Message(absl::string_view chunk) {
    v1::ManagerMessage message;
    if (!message.ParseFromArray(chunk.data(), static_cast<int>(chunk.size()))) return;
    logic_->OnMessage(connection_, message);
  }

  // The chunk is a Work: assigned as it must be for its kind to be looked at.
  void Assign(uint8_t which, absl::string_view chunk) {
    v1::Work work;
    if (!work.ParseFromArray(chunk.data(), static_cast<int>(chunk.size()))) return;
    if (!logic_->welcomed()) {
      v1::ManagerMessage welcome;
      welcome.mutable_welcome();
      logic_->OnMessage(connection_, welcome);
    }
    const auto* kind = v1::Work::GetReflection()->GetOneofFieldDescriptor(
        work, v1::Work::descriptor()->FindOneofByName("kind"));
    v1::ManagerMessage message;
    v1::Assign& assign = *message.mutable_assign();
    assign.mutable_lease()->set_task_id(absl::StrCat("t", which % 4));
    assign.mutable_lease()->set_attempt(1 + which / 4 % 4);
    assign.mutable_lease()->set_epoch(++epoch_ - which / 64);
    assign.set_resource_key(absl::StrCat("k", which / 2 % 2));
    assign.set_kind(kind == nullptr ? "" : kind->name());
    assign.set_work(std::string(chunk));
    assign.add_roles(which % 2 == 0 ? "app" : "storage");
    if (which % 8 >= 6) assign.add_roles("balancer");
    logic_->OnMessage(connection_, message);
  }

  void Executor(uint8_t which, absl::string_view chunk) {
    if (which % 8 == 0) logic_->OnExecutorLost();
    if (which % 8 <= 1) return logic_->OnExecutorReady();
    v1::ExecutorReport report;
    if (!report.ParseFromArray(chunk.data(), static_cast<int>(chunk.size()))) return;
    if (!steps_.empty()) {
      const v1::RunStep& step = steps_[steps_.size() - 1 - which / 8 % steps_.size()];
      if (report.has_step_done()) report.mutable_step_done()->set_id(step.id());
      if (report.has_wedged()) report.mutable_wedged()->set_id(step.id());
      if (report.has_wedged()) report.mutable_wedged()->set_resource_key(step.resource_key());
      if (report.has_released()) report.mutable_released()->set_resource_key(step.resource_key());
    }
    logic_->OnExecutorReport(report);
  }

  void Flush() {
    const Effects effects = logic_->Flush();
    if (effects.connect) connection_ = *effects.connect;
    for (const v1::AgentMessage& message : effects.messages) {
      v1::AgentMessage read;
      HOSTQ_CHECK(read.ParseFromString(message.SerializeAsString()));
      HOSTQ_CHECK(read.message_case() != v1::AgentMessage::MESSAGE_NOT_SET);
    }
    steps_.insert(steps_.end(), effects.steps.begin(), effects.steps.end());
    HOSTQ_CHECK(logic_->NextWake() > clock_.Monotonic());
  }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  SeededRandom random_{1};
  MemoryJournalDisk disk_;
  MemoryJournal journal_{disk_};
  std::unique_ptr<SessionLogic> logic_;
  uint64_t connection_ = 0;
  uint64_t epoch_ = 8;
  std::vector<v1::RunStep> steps_;  // that the executor was told
};

}  // namespace
}  // namespace hostq::agent

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hostq::agent::World world;
  hostq::fuzz::ForEachRecord(data, size, [&](auto... record) { world.Do(record...); });
  return 0;
}
