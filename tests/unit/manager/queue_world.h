#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/domain/findings.h"
#include "queue_harness.h"

namespace hostq::manager {

// Where a task can be. Beside the phases: what changes the way out of them.
struct TaskState {
  std::string name;
  Phase phase = Phase::kQueued;
  Outcome outcome = Outcome::kNone;
  Reason reason = Reason::kNone;
  bool sent = true;   // has had a lease
  bool begun = true;  // the node has begun an attempt
  bool cancelling = false;
  bool outdated = false;  // a newer command supersedes it
  bool ended = false;     // the whole command is over
};

inline const std::vector<TaskState>& TaskStates() {
  static const std::vector<TaskState> states = {
      {.name = "QUEUED", .phase = Phase::kQueued, .sent = false, .begun = false},
      {.name = "QUEUED_AGAIN", .phase = Phase::kQueued},
      {.name = "LEASED", .phase = Phase::kLeased, .begun = false},
      {.name = "ACCEPTED", .phase = Phase::kAccepted, .begun = false},
      {.name = "RUNNING", .phase = Phase::kRunning},
      {.name = "UNKNOWN", .phase = Phase::kUnknown},
      {.name = "CANCELLING", .phase = Phase::kRunning, .cancelling = true},
      {.name = "OUTDATED", .phase = Phase::kRunning, .outdated = true},
      {.name = "REFUSED",
       .phase = Phase::kBackingOff,
       .reason = Reason::kBufferFull,
       .begun = false},
      {.name = "BACKING_OFF", .phase = Phase::kBackingOff, .reason = Reason::kStepTimedOut},
      {.name = "PARKED", .phase = Phase::kParked, .reason = Reason::kUidTaken},
      {.name = "AILING", .phase = Phase::kParked, .reason = Reason::kQuotaSetNotPermitted},
      {.name = "SUCCEEDED", .phase = Phase::kFinished, .outcome = Outcome::kSucceeded},
      {.name = "FAILED", .phase = Phase::kFinished, .outcome = Outcome::kFailed},
      {.name = "CANCELLED", .phase = Phase::kFinished, .outcome = Outcome::kCancelled},
      {.name = "EXPIRED", .phase = Phase::kFinished, .outcome = Outcome::kExpired},
      {.name = "SUPERSEDED", .phase = Phase::kFinished, .outcome = Outcome::kSuperseded},
      {.name = "ENDED", .ended = true},
  };
  return states;
}

// What keeps a queued task from being sent, so that the table shows what a rule makes of it and not
// what follows at once.
enum class Hold { kNodePaused, kNodeDraining, kNodeNotAdmitted, kKindPaused, kKeyPaused, kDelayed };

// One task in one state on web1, which is connected; its command goes on on web2.
class QueueWorld {
 public:
  using Prepare = std::function<void(Command&, Task&)>;

  QueueWorld(const TaskState& state, Hold held_by, const Prepare& prepare) : hold(held_by) {
    SetNode("web1");
    SetNode("web2");
    if (hold == Hold::kKindPaused) h.SetPause(PauseScope::kKind, "a", true);
    if (hold == Hold::kKeyPaused) h.SetPause(PauseScope::kResourceKey, "k", true);
    if (!state.ended) Load(state, prepare);
    if (state.outdated) Submit({.supersedes = {"a"}});
    Connect({}, {lease});
    before_ = h.moves_seen.size();
    h.acknowledged.clear();
    h.cancelled.clear();
    h.closed.clear();
    h.assigns.clear();
    h.attempts = h.orphans = 0;
  }

  // Stored part of the node, with what the hold says unless it is lifted.
  void SetNode(const std::string& name, bool lifted = false) {
    NodeState node;
    node.name = name;
    node.joined = true;
    node.admitted = lifted || hold != Hold::kNodeNotAdmitted;
    node.paused = !lifted && hold == Hold::kNodePaused;
    node.draining = !lifted && hold == Hold::kNodeDraining;
    Do([&](Changes& out) { h.queue.SetNode(node, h.now, out); });
  }
  void Connect(std::vector<HelloFacts::InFlight> in_flight, std::vector<Lease> outbox) {
    forget = h.Connect("web1", 8, std::move(in_flight), std::move(outbox));
  }
  void Reconnect(std::vector<HelloFacts::InFlight> in_flight, std::vector<Lease> outbox = {}) {
    h.Disconnect("web1");
    Connect(std::move(in_flight), std::move(outbox));
  }
  // A later command on the same key.
  void Submit(const SubmitOptions& options) { h.Submit("k", {{"web1", 0}}, options); }
  uint64_t session() const { return h.queue.FindNode("web1")->session; }
  Lease OlderAttempt() const { return {kId, "web1", lease.attempt - 1, lease.epoch}; }
  Lease OlderEpoch() const { return {kId, "web1", lease.attempt, lease.epoch - 1}; }
  template <typename F>
  void Do(F f) {
    Changes out;
    f(out);
    h.Take(std::move(out));
  }

  // The phases it went through, with the reason that goes with them, and what else came of it:
  // "UNKNOWN > PARKED OUTCOME_UNKNOWN + close". "=": it stayed where it was.
  std::string WhatHappened() const {
    std::string text;
    for (size_t i = before_; i < h.moves_seen.size(); ++i) {
      const Event& event = h.moves_seen[i];
      if (event.command != kId || event.node != "web1") continue;
      absl::StrAppend(&text, text.empty() ? "" : " > ",
                      event.outcome == Outcome::kNone ? NameOf(static_cast<Phase>(event.to_phase))
                                                      : NameOf(event.outcome));
      if (event.reason != Reason::kNone) absl::StrAppend(&text, " ", NameOf(event.reason));
    }
    if (text.empty()) text = "=";
    for (const SendAssign& assign : h.assigns) {
      if (assign.lease.command == kId) text += " + assign";
    }
    if (!h.cancelled.empty()) text += " + cancel";
    if (!forget.empty()) text += " + forget";
    if (h.attempts > 0) text += " + attempt";
    if (h.orphans > 0) text += " + orphan";
    if (!h.acknowledged.empty()) text += " + ack";
    if (!h.closed.empty()) text += " + close";
    if (!status.ok()) absl::StrAppend(&text, " + refused ", NameOf(ReasonOf(status)));
    return text;
  }

  // What is stored and what is in memory are the same; every unfinished task has a finding.
  void CheckWhatTheQueueKeeps() const {
    int in_flight = 0;
    for (const auto& [id, command] : h.queue.commands()) {
      for (const Task& task : command.tasks) {
        const Task& stored = h.stored.at({id, task.node});
        EXPECT_EQ(stored.phase, task.phase) << TaskIdOf(id, task.node);
        EXPECT_EQ(stored.epoch, task.epoch) << TaskIdOf(id, task.node);
        EXPECT_EQ(Explain(h.queue, command, task, h.now).has_value(), task.live());
        in_flight += task.node == "web1" && task.in_flight();
      }
    }
    const NodeState* node = h.queue.FindNode("web1");
    EXPECT_EQ(node == nullptr ? 0 : node->in_flight, in_flight);
  }

  static constexpr CommandId kId = 500;
  QueueHarness h;
  const Hold hold;
  const Lease lease{kId, "web1", 2, (uint64_t{6} << 32) + 50};
  std::vector<Lease> forget;
  absl::Status status;  // of a request

 private:
  void Load(const TaskState& state, const Prepare& prepare) {
    Command command;
    command.id = kId;
    command.kind = "a";
    command.resource_key = "k";
    command.create_time = h.now.wall;
    if (hold == Hold::kDelayed) command.not_before = h.now.wall + absl::Milliseconds(10);
    command.tasks.resize(2);
    command.tasks[1].node = "web2";
    Task& task = command.tasks[0];
    task.node = "web1";
    task.phase = state.phase;
    task.outcome = state.outcome;
    task.reason = state.reason;
    if (state.sent) {
      task.attempt = lease.attempt;
      task.epoch = lease.epoch;
    }
    if (state.begun) task.budget_time = h.now.wall;
    if (state.phase == Phase::kBackingOff) {
      (state.begun ? task.failures : task.refusals) = 1;
      task.next_attempt_time = h.now.wall + absl::Seconds(2);
    }
    if (state.cancelling) {
      task.cancel_time = h.now.wall;
      task.cancel_actor = "root";
    }
    if (prepare) prepare(command, task);
    for (const Task& each : command.tasks) h.stored[{kId, each.node}] = each;
    h.states[kId] = CommandState::kActive;
    h.queue.Load(std::move(command), h.now);
  }

  size_t before_ = 0;
};

}  // namespace hostq::manager
