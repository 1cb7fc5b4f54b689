#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "manager/domain/queue.h"

namespace hostq::manager {

// How a harness submits.
struct SubmitOptions {
  std::string kind = "a";
  std::vector<std::string> supersedes;
  absl::Time not_after = absl::InfiniteFuture();
  bool needs_ready = true;
  absl::Time not_before = absl::InfinitePast();
  int priority = 0;
  int max_parallel = 0;
  int max_failures = -1;
  RetryRules retry;
  CommandId part_of = 0;
  int part_stage = 0;
};

// Drives a queue and checks what every change must obey: guards hold, terminal states stay, one
// event a move. Keeps the effects for the test to look at.
class QueueHarness {
 public:
  explicit QueueHarness(QueuePolicy policy = {}) : queue(7, random, policy) {}

  void AddNode(const std::string& name, bool admitted = true) {
    NodeState node;
    node.name = name;
    node.roles = {"app"};
    node.joined = true;
    node.admitted = admitted;
    Changes out;
    queue.SetNode(node, now, out);
    Take(std::move(out));
  }

  std::vector<Lease> Connect(const std::string& node, int credits = 8,
                             std::vector<HelloFacts::InFlight> in_flight = {},
                             std::vector<Lease> outbox = {}, uint64_t max_epoch = 0) {
    HelloFacts hello;
    hello.node = node;
    hello.session = next_session++;
    hello.credits = credits;
    hello.kinds = {"a", "b", "delete"};
    hello.in_flight = std::move(in_flight);
    hello.outbox = std::move(outbox);
    hello.max_epoch = max_epoch;
    Changes out;
    auto forget = queue.Connect(hello, now, out);
    EXPECT_TRUE(forget.ok()) << forget.status();
    Take(std::move(out));
    return forget.ok() ? *forget : std::vector<Lease>();
  }

  void Disconnect(const std::string& node) {
    Changes out;
    queue.Disconnect(node, queue.FindNode(node)->session, now, out);
    Take(std::move(out));
  }

  using Options = SubmitOptions;
  CommandId Submit(const std::string& key, std::vector<std::pair<std::string, int>> nodes,
                   const Options& options = {}) {
    Command command;
    command.id = next_id++;
    command.kind = options.kind;
    command.resource_key = key;
    command.actor = "tester";
    command.create_time = now.wall;
    command.not_after = options.not_after;
    command.needs_ready = options.needs_ready;
    command.supersedes = options.supersedes;
    command.not_before = options.not_before;
    command.priority = options.priority;
    command.max_parallel = options.max_parallel;
    command.max_failures = options.max_failures;
    command.retry = options.retry;
    command.part_of = options.part_of;
    command.part_stage = options.part_stage;
    for (const auto& [node, stage] : nodes) {
      Task& task = command.tasks.emplace_back();
      task.node = node;
      task.stage = stage;
    }
    const CommandId id = command.id;
    Changes out;
    queue.Submit(std::move(command), now, out);
    Take(std::move(out));
    return id;
  }

  // The latest lease of a task that was sent.
  Lease LeaseOf(CommandId id, const std::string& node) {
    const auto found = leases.find({id, node});
    EXPECT_NE(found, leases.end()) << "never sent: " << TaskIdOf(id, node);
    return found == leases.end() ? Lease{} : found->second;
  }
  bool WasSent(CommandId id, const std::string& node) { return leases.contains({id, node}); }

  void Accept(const Lease& lease) {
    Changes out;
    queue.Accepted(lease, now, out);
    Take(std::move(out));
  }
  void Progress(const Lease& lease, bool wedged = false) {
    Changes out;
    queue.Progress(lease, "step", 0, 2, wedged, wedged ? Evidence{{"pid", "42"}} : Evidence{}, now,
                   out);
    Take(std::move(out));
  }
  void NotStarted(const Lease& lease) {
    ResultFacts result;
    result.lease = lease;
    result.reason = Reason::kInterrupted;
    result.started = false;
    Report(std::move(result));
  }
  void Result(const Lease& lease, Reason reason = Reason::kNone, Evidence evidence = {}) {
    ResultFacts result;
    result.lease = lease;
    result.reason = reason;
    result.message = reason == Reason::kNone ? "" : "it failed";
    result.evidence = std::move(evidence);
    Report(std::move(result));
  }
  void Report(ResultFacts result) {
    result.start_time = result.finish_time = now.wall;
    Changes out;
    const NodeState* node = queue.FindNode(result.lease.node);
    queue.Result(result, node == nullptr ? 0 : node->session, now, out);
    Take(std::move(out));
  }
  // A preflight that began now and shows `reasons`.
  // Of those that a preflight covers.
  static inline const std::vector<Reason> kCovered = {
      Reason::kQuotaSetNotPermitted, Reason::kShareStale, Reason::kShareServerUnreachable,
      Reason::kShareUnresponsive, Reason::kQuotaNotEnabled};
  void Check(const std::string& node, std::vector<Reason> reasons) {
    Changes out;
    queue.NodeChecked({node, now.monotonic, std::move(reasons), kCovered}, now, out);
    Take(std::move(out));
  }
  void SetPause(PauseScope scope, const std::string& what, bool paused) {
    Changes out;
    const std::optional<Pause> pause =
        paused ? std::optional<Pause>({"root", "because", now.wall}) : std::nullopt;
    queue.SetPause({scope, what}, pause, now, out);
    Take(std::move(out));
  }
  void Refuse(const Lease& lease, Reason reason) {
    Changes out;
    queue.Refused(lease, reason, "refused", now, out);
    Take(std::move(out));
  }
  void Advance(absl::Duration by) {
    now.wall += by;
    now.monotonic += by;
    Changes out;
    queue.Tick(now, out);
    Take(std::move(out));
  }
  template <typename F>
  absl::Status Do(F f) {
    Changes out;
    const absl::Status status = f(out);
    Take(std::move(out));
    return status;
  }

  Phase PhaseOf(CommandId id, const std::string& node) const { return stored.at({id, node}).phase; }
  Outcome OutcomeOf(CommandId id, const std::string& node) const {
    return stored.at({id, node}).outcome;
  }
  CommandState StateOf(CommandId id) const { return states.at(id); }

  SeededRandom random{1};
  Queue queue;
  Now now{absl::FromUnixSeconds(1'800'000'000), absl::Hours(1)};
  uint64_t next_session = 1;
  CommandId next_id = 1001;
  // As a store would have it.
  std::map<std::pair<CommandId, std::string>, Task> stored;
  std::map<CommandId, CommandState> states;
  std::map<std::pair<CommandId, std::string>, Lease> leases;
  SendAssign last_assign;
  std::vector<Event> other_events;  // than those of tasks
  std::vector<Lease> acknowledged, cancelled;
  std::vector<uint64_t> closed;
  int orphans = 0;
  int attempts = 0;
  std::vector<SendAssign> assigns;
  std::vector<Event> moves_seen;

  // What every change goes through.
  void Take(Changes out) {
    int moves = 0, events = 0;
    for (const Mutation& mutation : out.mutations) {
      if (const auto* insert = std::get_if<InsertCommand>(&mutation)) {
        states[insert->command.id] = CommandState::kActive;
        for (const Task& task : insert->command.tasks) {
          stored[{insert->command.id, task.node}] = task;
        }
      } else if (const auto* update = std::get_if<UpdateTask>(&mutation)) {
        moves +=
            update->from != update->task.phase;  // a cancellation that was asked for moves nothing
        Task& task = stored.at({update->command, update->task.node});
        EXPECT_TRUE(task.live()) << "a finished task was changed";
        EXPECT_EQ(task.phase, update->from);
        EXPECT_EQ(task.attempt, update->from_attempt);
        EXPECT_EQ(task.epoch, update->from_epoch);
        EXPECT_EQ(update->task.phase == Phase::kFinished, update->task.outcome != Outcome::kNone);
        task = update->task;
      } else if (const auto* event = std::get_if<Event>(&mutation)) {
        if (event->type != EventType::kTaskChanged) other_events.push_back(*event);
        if (event->type != EventType::kTaskChanged) continue;
        ++events;
        moves_seen.push_back(*event);
      } else if (const auto* finish = std::get_if<FinishCommand>(&mutation)) {
        EXPECT_EQ(states.at(finish->command), CommandState::kActive);
        states[finish->command] = finish->state;
      }
      orphans += std::holds_alternative<InsertOrphan>(mutation);
      attempts += std::holds_alternative<InsertAttempt>(mutation);
    }
    EXPECT_EQ(moves, events);
    for (const Effect& effect : out.effects) {
      if (const auto* assign = std::get_if<SendAssign>(&effect)) {
        EXPECT_TRUE(out.urgent) << "sent before it is durable";
        leases[{assign->lease.command, assign->lease.node}] = assign->lease;
        last_assign = *assign;
        assigns.push_back(*assign);
      } else if (const auto* ack = std::get_if<SendAck>(&effect)) {
        acknowledged.push_back(ack->lease);
      } else if (const auto* cancel = std::get_if<SendCancel>(&effect)) {
        cancelled.push_back(cancel->lease);
      } else if (const auto* close = std::get_if<CloseSession>(&effect)) {
        closed.push_back(close->session);
      }
    }
    queue.TakeFinished();
  }
};

}  // namespace hostq::manager
