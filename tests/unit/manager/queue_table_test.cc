// What every input does to a task in every state (docs/architecture.md, "States", and
// docs/protocol.md): one table, in which no pair may be missing.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_split.h"
#include "queue_world.h"

namespace hostq::manager {
namespace {

using W = QueueWorld;

struct Input {
  std::string name;
  std::function<void(W&)> run;
  Hold hold = Hold::kNodePaused;
  W::Prepare prepare = nullptr;
};

void LastAttempt(Command& command, Task&) { command.retry.max_attempts = 1; }
void NeverRetried(Command& command, Task&) { command.retry.never = {Reason::kStepTimedOut}; }
void TimeSpent(Command& command, Task& task) {
  command.retry.max_elapsed = absl::Minutes(10);
  task.failures = 1;
  task.budget_time = command.create_time - absl::Hours(1);
}
void LostThrice(Command& command, Task& task) {
  task.losses = 3;
  task.loss_time = command.create_time;
}
void ShortTimeout(Command& command, Task&) { command.timeout = absl::Milliseconds(10); }
void NotAfterNow(Command& command, Task&) { command.not_after = command.create_time; }
void NotAfterSoon(Command& command, Task&) {
  command.not_after = command.create_time + absl::Milliseconds(10);
}

Input Result(const std::string& name, Reason reason, W::Prepare prepare = nullptr) {
  return {name, [reason](W& w) { w.h.Result(w.lease, reason); }, Hold::kNodePaused, prepare};
}
Input Unpause(const std::string& name, Hold hold, PauseScope scope, const std::string& what) {
  return {name, [=](W& w) { w.h.SetPause(scope, what, false); }, hold};
}
Input Node(const std::string& name, Hold hold) {
  return {name, [](W& w) { w.SetNode("web1", true); }, hold};
}

const std::vector<Input>& Inputs() {
  using A = absl::Duration;
  static const auto check = [](W& w, A age, std::vector<Reason> reasons) {
    w.Do([&](Changes& out) {
      w.h.queue.NodeChecked(
          {"web1", w.h.now.monotonic - age, std::move(reasons), QueueHarness::kCovered}, w.h.now,
          out);
    });
  };
  static const auto act = [](W& w, auto f) { w.status = w.h.Do(f); };
  static const auto retry_many = [](W& w, Reason reason) {
    int left = 0;
    w.Do([&](Changes& out) {
      w.h.queue.RetryMatching({.reason = reason}, 9, "root", w.h.now, left, out);
    });
  };
  static const std::vector<Input> inputs = {
      // The node, about its lease.
      {"accepted", [](W& w) { w.h.Accept(w.lease); }},
      {"refused: buffer full", [](W& w) { w.h.Refuse(w.lease, Reason::kBufferFull); }},
      {"refused: after not-after", [](W& w) { w.h.Refuse(w.lease, Reason::kBufferFull); },
       Hold::kNodePaused, NotAfterNow},
      {"refused: policy", [](W& w) { w.h.Refuse(w.lease, Reason::kNotAllowedByPolicy); }},
      {"progress", [](W& w) { w.h.Progress(w.lease); }},
      {"progress: wedged", [](W& w) { w.h.Progress(w.lease, true); }},
      Result("result: ok", Reason::kNone),
      Result("result: transient", Reason::kStepTimedOut),
      Result("result: transient, last attempt", Reason::kStepTimedOut, LastAttempt),
      Result("result: transient, never retried", Reason::kStepTimedOut, NeverRetried),
      Result("result: transient, time spent", Reason::kStepTimedOut, TimeSpent),
      Result("result: environment", Reason::kQuotaSetNotPermitted),
      Result("result: conflict", Reason::kAddressOwnedByOtherHost),
      Result("result: invalid", Reason::kQuotaTooLarge),
      Result("result: final", Reason::kPreflightFailed),
      Result("result: interrupted", Reason::kInterrupted),
      // The node, about a lease that is not the current one.
      {"accepted: older attempt", [](W& w) { w.h.Accept(w.OlderAttempt()); }},
      {"accepted: older epoch", [](W& w) { w.h.Accept(w.OlderEpoch()); }},
      {"refused: older attempt",
       [](W& w) { w.h.Refuse(w.OlderAttempt(), Reason::kNotAllowedByPolicy); }},
      {"refused: older epoch",
       [](W& w) { w.h.Refuse(w.OlderEpoch(), Reason::kNotAllowedByPolicy); }},
      {"progress: older attempt", [](W& w) { w.h.Progress(w.OlderAttempt()); }},
      {"progress: older epoch", [](W& w) { w.h.Progress(w.OlderEpoch()); }},
      {"result: older attempt", [](W& w) { w.h.Result(w.OlderAttempt()); }},
      {"result: older epoch", [](W& w) { w.h.Result(w.OlderEpoch(), Reason::kStepTimedOut); }},
      // Sessions.
      {"heartbeat", [](W& w) { w.h.queue.Heard("web1", w.session(), A(), 0, w.h.now); }},
      {"heartbeat: older session",
       [](W& w) { w.h.queue.Heard("web1", w.session() - 1, A(), 0, w.h.now); }},
      {"disconnect", [](W& w) { w.h.Disconnect("web1"); }},
      {"disconnect: older session",
       [](W& w) {
         w.Do([&](Changes& out) { w.h.queue.Disconnect("web1", w.session() - 1, w.h.now, out); });
       }},
      {"connect: has it",
       [](W& w) {
         w.Reconnect({{w.lease, false}});
       }},
      {"connect: has started it",
       [](W& w) {
         w.Reconnect({{w.lease, true}});
       }},
      {"connect: has its result", [](W& w) { w.Reconnect({}, {w.lease}); }},
      {"connect: has nothing", [](W& w) { w.Reconnect({}); }},
      {"connect: has nothing, 4th time", [](W& w) { w.Reconnect({}); }, Hold::kNodePaused,
       LostThrice},
      {"connect: has nothing, after not-after", [](W& w) { w.Reconnect({}); }, Hold::kNodePaused,
       NotAfterNow},
      {"connect: has an older lease",
       [](W& w) {
         w.Reconnect({{w.OlderEpoch(), true}});
       }},
      {"connect: a second session", [](W& w) { w.Connect({}, {w.lease}); }},
      // Requests.
      {"submit: newer on its key", [](W& w) { w.Submit({}); }},
      {"submit: newer, supersedes it", [](W& w) { w.Submit({.supersedes = {"a"}}); }},
      {"submit: newer, supersedes later",
       [](W& w) {
         w.Submit({.supersedes = {"*"}, .not_before = w.h.now.wall + absl::Milliseconds(1)});
       }},
      {"retry",
       [](W& w) {
         act(w, [&](Changes& out) { return w.h.queue.Retry(W::kId, "web1", "x", w.h.now, out); });
       }},
      {"retry many", [](W& w) { retry_many(w, Reason::kNone); }},
      {"retry many: of its reason", [](W& w) { retry_many(w, Reason::kUidTaken); }},
      {"skip",
       [](W& w) {
         act(w, [&](Changes& out) {
           return w.h.queue.Skip(W::kId, "web1", "root", "no", w.h.now, out);
         });
       }},
      {"cancel",
       [](W& w) {
         act(w, [&](Changes& out) { return w.h.queue.Cancel(W::kId, "root", w.h.now, out); });
       }},
      // What administrators stop and let go on.
      {"node paused", [](W& w) { w.SetNode("web1"); }},
      Node("node resumed", Hold::kNodePaused),
      Node("node no longer draining", Hold::kNodeDraining),
      Node("node passes its preflight", Hold::kNodeNotAdmitted),
      {"kind paused", [](W& w) { w.h.SetPause(PauseScope::kKind, "a", true); }},
      Unpause("kind resumed", Hold::kKindPaused, PauseScope::kKind, "a"),
      {"key paused", [](W& w) { w.h.SetPause(PauseScope::kResourceKey, "k", true); }},
      Unpause("key resumed", Hold::kKeyPaused, PauseScope::kResourceKey, "k"),
      {"node removed",
       [](W& w) {
         w.Do([&](Changes& out) { w.h.queue.RemoveNode("web1", w.h.now, "root", out); });
       }},
      {"node check: green", [](W& w) { check(w, A(), {}); }},
      {"node check: shows its reason",
       [](W& w) { check(w, A(), {Reason::kQuotaSetNotPermitted}); }},
      {"node check: began before", [](W& w) { check(w, absl::Seconds(1), {}); }},
      // Time.
      {"tick: nothing is due", [](W& w) { w.h.Advance(A()); }},
      {"tick: backoff over", [](W& w) { w.h.Advance(absl::Seconds(3)); }},
      {"tick: timeout over", [](W& w) { w.h.Advance(absl::Milliseconds(20)); }, Hold::kNodePaused,
       ShortTimeout},
      {"tick: not-after passed", [](W& w) { w.h.Advance(absl::Milliseconds(20)); },
       Hold::kNodePaused, NotAfterSoon},
      {"tick: start time reached", [](W& w) { w.h.Advance(absl::Milliseconds(20)); },
       Hold::kDelayed},
  };
  return inputs;
}

// Words for states that share their ways.
const std::map<std::string, std::string>& Groups() {
  static const std::map<std::string, std::string> groups = {
      {"WAITING", "QUEUED QUEUED_AGAIN REFUSED BACKING_OFF PARKED AILING"},
      {"WITH_NODE", "LEASED ACCEPTED RUNNING UNKNOWN"},
      {"UNWANTED", "CANCELLING OUTDATED"},
      {"FINISHED", "SUCCEEDED FAILED CANCELLED EXPIRED SUPERSEDED ENDED"},
      {"ANY", "WAITING WITH_NODE UNWANTED FINISHED"},
  };
  return groups;
}

struct Row {
  std::string input;
  std::string states;
  std::string result;  // QueueWorld::WhatHappened
};

// clang-format off
const std::vector<Row>& Table() {
  static const std::vector<Row> rows = {
      {"accepted", "LEASED", "ACCEPTED"},
      {"accepted", "ACCEPTED RUNNING UNKNOWN UNWANTED WAITING FINISHED", "="},
      {"refused: buffer full", "WITH_NODE", "BACKING_OFF BUFFER_FULL + attempt"},
      {"refused: buffer full", "CANCELLING", "CANCELLED + attempt"},
      {"refused: buffer full", "OUTDATED", "SUPERSEDED + attempt"},
      {"refused: buffer full", "WAITING FINISHED", "="},
      {"refused: after not-after", "LEASED ACCEPTED", "EXPIRED + attempt"},
      {"refused: after not-after", "RUNNING UNKNOWN", "BACKING_OFF BUFFER_FULL + attempt"},
      {"refused: after not-after", "CANCELLING", "CANCELLED + attempt"},
      {"refused: after not-after", "OUTDATED", "SUPERSEDED + attempt"},
      {"refused: after not-after", "WAITING FINISHED", "="},
      {"refused: policy", "WITH_NODE", "PARKED NOT_ALLOWED_BY_POLICY + attempt"},
      {"refused: policy", "CANCELLING", "CANCELLED + attempt"},
      {"refused: policy", "OUTDATED", "SUPERSEDED + attempt"},
      {"refused: policy", "WAITING FINISHED", "="},
      {"progress", "LEASED ACCEPTED UNKNOWN", "RUNNING"},
      {"progress", "RUNNING UNWANTED WAITING FINISHED", "="},
      {"progress: wedged", "LEASED ACCEPTED UNKNOWN", "RUNNING"},
      {"progress: wedged", "RUNNING UNWANTED WAITING FINISHED", "="},

      {"result: ok", "WITH_NODE UNWANTED", "SUCCEEDED + attempt + ack"},
      {"result: ok", "WAITING FINISHED", "= + orphan + ack"},
      {"result: transient", "WITH_NODE", "BACKING_OFF STEP_TIMED_OUT + attempt + ack"},
      {"result: transient", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: transient", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: transient", "WAITING FINISHED", "= + orphan + ack"},
      {"result: transient, last attempt", "WITH_NODE", "PARKED STEP_TIMED_OUT + attempt + ack"},
      {"result: transient, last attempt", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: transient, last attempt", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: transient, last attempt", "WAITING FINISHED", "= + orphan + ack"},
      {"result: transient, never retried", "WITH_NODE", "PARKED STEP_TIMED_OUT + attempt + ack"},
      {"result: transient, never retried", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: transient, never retried", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: transient, never retried", "WAITING FINISHED", "= + orphan + ack"},
      {"result: transient, time spent", "WITH_NODE", "PARKED STEP_TIMED_OUT + attempt + ack"},
      {"result: transient, time spent", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: transient, time spent", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: transient, time spent", "WAITING FINISHED", "= + orphan + ack"},
      {"result: environment", "WITH_NODE", "PARKED QUOTA_SET_NOT_PERMITTED + attempt + ack"},
      {"result: environment", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: environment", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: environment", "WAITING FINISHED", "= + orphan + ack"},
      {"result: conflict", "WITH_NODE", "PARKED ADDRESS_OWNED_BY_OTHER_HOST + attempt + ack"},
      {"result: conflict", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: conflict", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: conflict", "WAITING FINISHED", "= + orphan + ack"},
      {"result: invalid", "WITH_NODE", "PARKED QUOTA_TOO_LARGE + attempt + ack"},
      {"result: invalid", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: invalid", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: invalid", "WAITING FINISHED", "= + orphan + ack"},
      {"result: final", "WITH_NODE", "FAILED PREFLIGHT_FAILED + attempt + ack"},
      {"result: final", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: final", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: final", "WAITING FINISHED", "= + orphan + ack"},
      {"result: interrupted", "WITH_NODE", "BACKING_OFF INTERRUPTED + attempt + ack"},
      {"result: interrupted", "CANCELLING", "CANCELLED + attempt + ack"},
      {"result: interrupted", "OUTDATED", "SUPERSEDED + attempt + ack"},
      {"result: interrupted", "WAITING FINISHED", "= + orphan + ack"},

      {"accepted: older attempt", "ANY", "="},
      {"accepted: older epoch", "ANY", "="},
      {"refused: older attempt", "ANY", "="},
      {"refused: older epoch", "ANY", "="},
      {"progress: older attempt", "ANY", "="},
      {"progress: older epoch", "ANY", "="},
      {"result: older attempt", "ANY", "= + orphan + ack"},
      {"result: older epoch", "ANY", "= + orphan + ack"},

      {"heartbeat", "ANY", "="},
      {"heartbeat: older session", "ANY", "="},
      {"disconnect", "ANY", "="},
      {"disconnect: older session", "ANY", "="},
      {"connect: has it", "LEASED RUNNING UNKNOWN OUTDATED", "ACCEPTED"},
      {"connect: has it", "ACCEPTED", "="},
      {"connect: has it", "CANCELLING", "ACCEPTED + cancel"},
      {"connect: has it", "WAITING FINISHED", "= + forget"},
      {"connect: has started it", "LEASED ACCEPTED UNKNOWN", "RUNNING"},
      {"connect: has started it", "RUNNING OUTDATED", "="},
      {"connect: has started it", "CANCELLING", "= + cancel"},
      {"connect: has started it", "WAITING FINISHED", "= + forget"},
      {"connect: has its result", "ANY", "="},
      {"connect: has nothing", "LEASED", "QUEUED"},  // it never arrived
      {"connect: has nothing", "UNKNOWN", "QUEUED + attempt"},
      {"connect: has nothing", "ACCEPTED RUNNING", "UNKNOWN > QUEUED + attempt"},
      {"connect: has nothing", "CANCELLING", "UNKNOWN > CANCELLED + attempt"},
      {"connect: has nothing", "OUTDATED", "UNKNOWN > SUPERSEDED + attempt"},
      {"connect: has nothing", "WAITING FINISHED", "="},
      {"connect: has nothing, 4th time", "LEASED", "QUEUED"},
      {"connect: has nothing, 4th time", "ACCEPTED RUNNING", "UNKNOWN > PARKED OUTCOME_UNKNOWN + attempt"},
      {"connect: has nothing, 4th time", "UNKNOWN", "PARKED OUTCOME_UNKNOWN + attempt"},
      {"connect: has nothing, 4th time", "CANCELLING", "UNKNOWN > CANCELLED + attempt"},
      {"connect: has nothing, 4th time", "OUTDATED", "UNKNOWN > SUPERSEDED + attempt"},
      {"connect: has nothing, 4th time", "WAITING FINISHED", "="},
      {"connect: has nothing, after not-after", "LEASED", "EXPIRED"},
      {"connect: has nothing, after not-after", "UNKNOWN", "QUEUED + attempt"},
      {"connect: has nothing, after not-after", "ACCEPTED RUNNING", "UNKNOWN > QUEUED + attempt"},
      {"connect: has nothing, after not-after", "CANCELLING", "UNKNOWN > CANCELLED + attempt"},
      {"connect: has nothing, after not-after", "OUTDATED", "UNKNOWN > SUPERSEDED + attempt"},
      {"connect: has nothing, after not-after", "WAITING FINISHED", "="},
      {"connect: has an older lease", "LEASED", "QUEUED + forget"},
      {"connect: has an older lease", "UNKNOWN", "QUEUED + forget + attempt"},
      {"connect: has an older lease", "ACCEPTED RUNNING", "UNKNOWN > QUEUED + forget + attempt"},
      {"connect: has an older lease", "CANCELLING", "UNKNOWN > CANCELLED + forget + attempt"},
      {"connect: has an older lease", "OUTDATED", "UNKNOWN > SUPERSEDED + forget + attempt"},
      {"connect: has an older lease", "WAITING FINISHED", "= + forget"},
      {"connect: a second session", "ANY", "= + close"},

      {"submit: newer on its key", "ANY", "="},
      {"submit: newer, supersedes it", "WAITING", "SUPERSEDED"},
      {"submit: newer, supersedes it", "WITH_NODE UNWANTED FINISHED", "="},
      {"submit: newer, supersedes later", "ANY", "="},
      {"retry", "REFUSED BACKING_OFF PARKED AILING", "QUEUED"},
      {"retry", "QUEUED QUEUED_AGAIN WITH_NODE UNWANTED", "= + refused NOT_RETRYABLE"},
      {"retry", "SUCCEEDED FAILED CANCELLED EXPIRED SUPERSEDED", "= + refused NOT_RETRYABLE"},
      {"retry", "ENDED", "= + refused UNKNOWN_COMMAND"},
      {"retry many", "REFUSED BACKING_OFF PARKED AILING", "QUEUED"},
      {"retry many", "QUEUED QUEUED_AGAIN WITH_NODE UNWANTED FINISHED", "="},
      {"retry many: of its reason", "PARKED", "QUEUED"},
      {"retry many: of its reason", "QUEUED QUEUED_AGAIN REFUSED BACKING_OFF AILING", "="},
      {"retry many: of its reason", "WITH_NODE UNWANTED FINISHED", "="},
      {"skip", "REFUSED", "FAILED BUFFER_FULL"},
      {"skip", "BACKING_OFF", "FAILED STEP_TIMED_OUT"},
      {"skip", "PARKED", "FAILED UID_TAKEN"},
      {"skip", "AILING", "FAILED QUOTA_SET_NOT_PERMITTED"},
      {"skip", "QUEUED QUEUED_AGAIN WITH_NODE UNWANTED", "= + refused NOT_RETRYABLE"},
      {"skip", "SUCCEEDED FAILED CANCELLED EXPIRED SUPERSEDED", "= + refused NOT_RETRYABLE"},
      {"skip", "ENDED", "= + refused UNKNOWN_COMMAND"},
      {"cancel", "WAITING", "CANCELLED"},
      {"cancel", "WITH_NODE UNWANTED", "= + cancel"},
      {"cancel", "SUCCEEDED FAILED CANCELLED EXPIRED SUPERSEDED", "="},
      {"cancel", "ENDED", "= + refused COMMAND_FINISHED"},

      {"node paused", "ANY", "="},
      {"node resumed", "QUEUED QUEUED_AGAIN", "LEASED + assign"},
      {"node resumed", "REFUSED BACKING_OFF PARKED AILING WITH_NODE UNWANTED FINISHED", "="},
      {"node no longer draining", "QUEUED QUEUED_AGAIN", "LEASED + assign"},
      {"node no longer draining", "REFUSED BACKING_OFF PARKED AILING WITH_NODE UNWANTED FINISHED", "="},
      {"node passes its preflight", "QUEUED QUEUED_AGAIN", "LEASED + assign"},
      {"node passes its preflight", "REFUSED BACKING_OFF PARKED AILING WITH_NODE UNWANTED FINISHED", "="},
      {"kind paused", "ANY", "="},
      {"kind resumed", "QUEUED QUEUED_AGAIN", "LEASED + assign"},
      {"kind resumed", "REFUSED BACKING_OFF PARKED AILING WITH_NODE UNWANTED FINISHED", "="},
      {"key paused", "ANY", "="},
      {"key resumed", "QUEUED QUEUED_AGAIN", "LEASED + assign"},
      {"key resumed", "REFUSED BACKING_OFF PARKED AILING WITH_NODE UNWANTED FINISHED", "="},
      {"node removed", "WAITING WITH_NODE UNWANTED", "CANCELLED NODE_DRAINING + close"},
      {"node removed", "FINISHED", "= + close"},
      {"node check: green", "AILING", "QUEUED"},
      {"node check: green", "QUEUED QUEUED_AGAIN REFUSED BACKING_OFF PARKED", "="},
      {"node check: green", "WITH_NODE UNWANTED FINISHED", "="},
      {"node check: shows its reason", "ANY", "="},
      {"node check: began before", "ANY", "="},

      {"tick: nothing is due", "ANY", "="},
      {"tick: backoff over", "REFUSED BACKING_OFF", "QUEUED"},
      {"tick: backoff over", "QUEUED QUEUED_AGAIN PARKED AILING", "="},
      {"tick: backoff over", "WITH_NODE UNWANTED FINISHED", "="},
      {"tick: timeout over", "ANY", "="},  // the node's to end; here it is a finding (OVERDUE)
      {"tick: not-after passed", "QUEUED REFUSED", "EXPIRED"},
      {"tick: not-after passed", "QUEUED_AGAIN BACKING_OFF PARKED AILING", "="},
      {"tick: not-after passed", "WITH_NODE UNWANTED FINISHED", "="},
      {"tick: start time reached", "QUEUED QUEUED_AGAIN", "LEASED + assign"},
      {"tick: start time reached", "REFUSED BACKING_OFF PARKED AILING WITH_NODE UNWANTED FINISHED", "="},
  };
  return rows;
}
// clang-format on

// The names of the states that the words stand for.
std::vector<std::string> Expand(const std::string& words) {
  std::vector<std::string> names;
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(words, ' '))) {
    const auto group = Groups().find(word);
    if (group == Groups().end()) {
      names.push_back(word);
      continue;
    }
    for (std::string& name : Expand(group->second)) names.push_back(std::move(name));
  }
  return names;
}

using NamePair = std::pair<std::string, std::string>;  // input, state

TEST(QueueTableTest, EveryPairIsThereOnce) {
  std::set<NamePair> pairs;
  for (const Input& input : Inputs()) {
    for (const TaskState& state : TaskStates()) {
      ASSERT_TRUE(pairs.emplace(input.name, state.name).second) << "two of one name";
    }
  }
  std::set<NamePair> missing = pairs;
  for (const Row& row : Table()) {
    for (const std::string& state : Expand(row.states)) {
      EXPECT_TRUE(pairs.contains({row.input, state})) << row.input << " in " << state;
      EXPECT_EQ(missing.erase({row.input, state}), 1u) << "again: " << row.input << ", " << state;
    }
  }
  for (const auto& [input, state] : missing) ADD_FAILURE() << "missing: " << input << ", " << state;
}

TEST(QueueTableTest, EveryPairDoesWhatTheTableSays) {
  for (const Row& row : Table()) {
    for (const std::string& name : Expand(row.states)) {
      SCOPED_TRACE(absl::StrCat(row.input, " in ", name));
      for (const Input& input : Inputs()) {
        if (input.name != row.input) continue;
        for (const TaskState& state : TaskStates()) {
          if (state.name != name) continue;
          QueueWorld world(state, input.hold, input.prepare);
          input.run(world);
          EXPECT_EQ(world.WhatHappened(), row.result);
          world.CheckWhatTheQueueKeeps();
        }
      }
    }
  }
}

}  // namespace
}  // namespace hostq::manager
