#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "common/base/reason.h"
#include "manager/domain/clock_skew.h"

namespace hostq::manager {

// The two clocks at one instant. Wall time is for display and for not-after; everything that
// measures a span uses the monotonic one.
struct Now {
  absl::Time wall;
  absl::Duration monotonic;
};

// See common/base/id.h.
using CommandId = int64_t;

// The numbers are those of hostq.v1.Task.Phase, and are stored.
enum class Phase : int {
  kQueued = 1,
  kLeased = 2,
  kAccepted = 3,
  kRunning = 4,
  kUnknown = 5,
  kBackingOff = 6,
  kParked = 7,
  kFinished = 8,
};

// The numbers are those of hostq.v1.Task.Outcome, and are stored.
enum class Outcome : int {
  kNone = 0,
  kSucceeded = 1,
  kFailed = 2,
  kCancelled = 3,
  kExpired = 4,
  kSuperseded = 5,
};

// The numbers are those of hostq.v1.Command.State, and are stored.
enum class CommandState : int {
  kActive = 1,
  kSucceeded = 2,
  kFailed = 3,
  kCancelled = 4,
  kSuperseded = 5,
};

absl::string_view NameOf(Phase phase);
absl::string_view NameOf(Outcome outcome);
absl::string_view NameOf(CommandState state);

using Evidence = std::map<std::string, std::string>;

// How a task is tried again after a failure that may pass. Refusals, lost leases, interruptions and
// failures of the node's environment are not counted here.
struct RetryRules {
  BackoffPolicy backoff{absl::Seconds(1), absl::Minutes(5)};
  // Failures until it is parked; at least 1.
  int max_attempts = 10;
  // Parked at the first failure this long after the first attempt.
  absl::Duration max_elapsed = absl::InfiniteDuration();
  // Parked at once.
  std::vector<Reason> never;
  bool operator==(const RetryRules&) const = default;
};

// A command on one node. Identified by (command, node).
struct Task {
  std::string node;
  int stage = 0;
  Phase phase = Phase::kQueued;
  Outcome outcome = Outcome::kNone;
  // Of the current or last lease; 0 before the first.
  int attempt = 0;
  uint64_t epoch = 0;
  // Budgets, counted apart (architecture: failures spend attempts, the others do not).
  int failures = 0;
  int losses = 0;
  int refusals = 0;
  int interruptions = 0;
  // Of the last failure or refusal, or of the outcome.
  Reason reason = Reason::kNone;
  std::string message;
  Evidence evidence;
  // When it entered the phase.
  absl::Time phase_time;
  // kBackingOff: when it is tried again, for display and to survive a restart.
  absl::Time next_attempt_time = absl::InfiniteFuture();
  // When an attempt last began before which no failure is counted: RetryRules::max_elapsed counts
  // from here. InfinitePast: none has begun, as far as the node has said.
  absl::Time budget_time = absl::InfinitePast();
  // The first of the counted lost leases.
  absl::Time loss_time = absl::InfinitePast();
  // Somebody wants what is with the node to be given up. InfiniteFuture: nobody.
  absl::Time cancel_time = absl::InfiniteFuture();
  std::string cancel_actor;

  // What follows is not stored: it is known again after the next hello.
  absl::Time trouble_time = absl::InfinitePast();  // has had no other reason since
  absl::Duration phase_monotonic;                  // when it entered the phase, or was loaded
  absl::Duration queued_monotonic;                 // when it last became kQueued, or was loaded
  absl::Duration progress_monotonic;               // when the node last said something about it
  absl::Duration wake_monotonic;                   // kBackingOff: when to try again
  std::string step;
  int step_index = 0;
  int step_count = 0;
  bool wedged = false;
  absl::Duration cancel_monotonic;  // when the cancellation was asked for, or loaded

  bool live() const { return phase != Phase::kFinished; }
  // The node may be working on it.
  bool in_flight() const {
    return phase == Phase::kLeased || phase == Phase::kAccepted || phase == Phase::kRunning ||
           phase == Phase::kUnknown;
  }
  // Neither with the node nor finished: may be cancelled, superseded, skipped.
  bool waiting() const { return live() && !in_flight(); }
  // A lease that was refused, or never arrived, began nothing.
  bool begun() const { return budget_time != absl::InfinitePast(); }
  bool cancel_requested() const { return cancel_time != absl::InfiniteFuture(); }
  // Has begun and not ended: occupies one of the command's places (Command::max_parallel).
  bool underway() const { return live() && attempt > 0; }
  // Counts against Command::max_failures: a failure that nobody has accepted by skipping it.
  bool failing() const {
    return outcome == Outcome::kFailed
               ? failures > 0
               : phase == Phase::kParked || (phase == Phase::kBackingOff && failures > 0);
  }
};

// What somebody asked for. Fields above the line never change after it was accepted.
struct Command {
  CommandId id = 0;
  std::string kind;
  std::string resource_key;
  std::string actor;
  std::string request_id;
  // What was asked for, as the API received it (serialized hostq.v1.CommandSpec) with the nodes
  // named in the request: opaque here; two requests are the same if these bytes are.
  std::string request;
  std::string spec;
  // What the nodes get (serialized hostq.agent.v1.Work): opaque here.
  std::string work;
  // W3C trace context: as whoever submitted it gave it, or of a trace that begins with the command
  // (common/base/trace_context.h). Empty: it is from before there was one.
  std::string traceparent;
  absl::Time create_time;
  absl::Time not_after = absl::InfiniteFuture();
  // Not sent before. It keeps its place: later commands on its key wait for it.
  absl::Time not_before = absl::InfinitePast();
  // Of two tasks that may be sent to a node, the one with the higher priority goes first. The order
  // on a key is not touched by it.
  int priority = 0;
  // Fan-out: at most so many nodes at once (0: all), and no further node once more than so many
  // are failing (-1: never mind).
  int max_parallel = 0;
  int max_failures = -1;
  RetryRules retry;
  // From start to finish on the node.
  absl::Duration timeout = absl::Minutes(5);
  // Waits until its node has passed the preflight.
  bool needs_ready = true;
  // Kinds whose earlier tasks on the same key this command makes pointless; "*": every kind.
  std::vector<std::string> supersedes;
  // The command that it is a part of; 0: of none. A part begins when all tasks of its whole are
  // finished, and the parts of lower stages; the whole ends with the last of its parts.
  CommandId part_of = 0;
  int part_stage = 0;
  // -----
  CommandState state = CommandState::kActive;
  absl::Time finish_time = absl::InfiniteFuture();
  // In order of stage, then node; at most one for each node.
  std::vector<Task> tasks;
  // not_before lies in the future. Not stored.
  bool delayed = false;
  // How many parts it has, by their state. Not stored: counted.
  std::map<CommandState, int> parts;

  bool fans_out_slowly() const { return max_parallel > 0 || max_failures >= 0; }
  Task* FindTask(absl::string_view node);
  const Task* FindTask(absl::string_view node) const;
};

// The right to run one attempt.
struct Lease {
  CommandId command = 0;
  std::string node;
  int attempt = 0;
  uint64_t epoch = 0;
  bool operator==(const Lease&) const = default;
};

// "COMMAND/NODE".
std::string TaskIdOf(CommandId command, absl::string_view node);

// Who stopped something, when and why.
struct Pause {
  std::string actor;
  std::string note;
  absl::Time time;
};
// What is stopped: every command of a kind, or on a resource key.
enum class PauseScope : int { kKind = 1, kResourceKey = 2 };
using PauseKey = std::pair<PauseScope, std::string>;

// What a node keeps (an address on lo, a share) and is not so, or a check of its preflight that
// failed ("check/arp"). See hostq.agent.v1.Deviation.
struct Deviation {
  std::string resource_key;
  Reason reason = Reason::kNone;
  std::string message;
  absl::Time since;
  std::string remedy;  // empty: the reason's
};

// What the queue knows of a node. The first part is stored with the cluster's resources and set
// with Queue::SetNode; the second part is the session.
struct NodeState {
  std::string name;
  std::vector<std::string> roles;
  bool joined = false;
  bool admitted = false;  // has passed its preflight once
  // Of one that is not: what its last preflight found.
  std::vector<Deviation> failed_checks;
  // Gets no connections until it has the accounts.
  bool awaits_accounts = false;
  bool draining = false;
  bool paused = false;
  std::string paused_by;
  std::string pause_note;
  absl::Time pause_time;
  bool banned = false;
  std::string banned_by;
  std::string ban_note;
  absl::Time ban_time;

  uint64_t session = 0;  // 0: none
  absl::Time since;      // connected or not connected since; the first SetNode may tell it
  absl::Duration heard_monotonic;
  std::vector<std::string> kinds;
  int credits = 0;
  int in_flight = 0;
  std::string agent_version;
  ClockSkew clock_skew;
  // Results that wait on the node for an acknowledgement, and since when (Now::monotonic).
  int outbox = 0;
  absl::Duration outbox_since = absl::InfiniteDuration();
  std::vector<Deviation> deviations;  // at most kMaxDeviations of them
  int deviation_count = 0;
  bool repairs = false;  // its agent puts them right
  absl::Time certificate_start_time = absl::InfinitePast();
  absl::Time certificate_expire_time = absl::InfiniteFuture();
  // The manager's address that the node was told when it joined, if it is another one now.
  std::string old_manager_address;
  // The agents' processes that have connected (HelloFacts::process), the latest last. One that
  // comes back was not ended by the one that took its place: there are two.
  std::deque<std::string> processes;
  bool cloned = false;
  absl::Time cloned_since;
  absl::Duration cloned_seen_monotonic;

  bool connected() const { return session != 0; }
};

// One change of state, as it is stored and shown. Types are those of hostq.v1.Event.Type.
enum class EventType : int {
  kCommandCreated = 1,
  kCommandFinished = 2,
  kTaskChanged = 3,
  kNodeAdded = 4,
  kNodeJoined = 5,
  kNodeConnected = 6,
  kNodeDisconnected = 7,
  kNodePaused = 8,
  kNodeResumed = 9,
  kNodeRemoved = 10,
  kNodePreflight = 11,
  kCancelRequested = 12,
  kPaused = 13,  // a kind or a resource key
  kResumed = 14,
  kNodeDrifted = 15,
  kNodeRepaired = 16,
  kAlarmRaised = 17,
  kAlarmCleared = 18,
};

struct Event {
  int64_t sequence = 0;
  absl::Time time;
  EventType type = EventType::kTaskChanged;
  CommandId command = 0;
  std::string node;
  int attempt = 0;
  int from_phase = 0;
  int to_phase = 0;
  Outcome outcome = Outcome::kNone;
  Reason reason = Reason::kNone;
  std::string actor;
  std::string message;
  // Its command's. Not stored with it: what reads events fills it in.
  std::string traceparent;
};

// One ended attempt. `steps` is opaque here (serialized hostq.v1.Attempt, steps only).
struct Attempt {
  int number = 0;
  uint64_t epoch = 0;
  absl::Time start_time;
  absl::Time finish_time;
  Reason reason = Reason::kNone;
  std::string message;
  std::string steps;
};

}  // namespace hostq::manager
