#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/domain/node_check.h"
#include "manager/domain/queue.h"

// The part of the queue that nodes talk to: hello and reconciliation, and what they report.

namespace hostq::manager {
namespace {

// A term that a database restored from a backup can be behind: 12 days of a start each second. More
// is another cluster's, or a mistake that must not use up the terms of this one.
constexpr uint64_t kMaxTermGap = 1 << 20;

// Agents' processes of a node that are remembered: more than copies of one machine at once.
constexpr size_t kMaxProcesses = 8;

// True if it was here before the one that is here now.
bool Returns(const std::string& process, std::deque<std::string>& processes) {
  if (process.empty() || (!processes.empty() && processes.back() == process)) return false;
  const auto known = std::find(processes.begin(), processes.end(), process);
  const bool returns = known != processes.end();
  if (returns) processes.erase(known);
  processes.push_back(process);
  if (processes.size() > kMaxProcesses) processes.pop_front();
  return returns;
}

std::string NodeActor(absl::string_view node) { return absl::StrCat("node/", node); }

struct LeaseOrder {
  bool operator()(const Lease& a, const Lease& b) const {
    return std::tie(a.command, a.attempt, a.epoch) < std::tie(b.command, b.attempt, b.epoch);
  }
};

}  // namespace

absl::Status UnknownNode(absl::string_view name) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownNode,
                   absl::StrCat("there is no node ", Printable(name, 80), " in this cluster"));
}

absl::StatusOr<std::vector<Lease>> Queue::Connect(const HelloFacts& hello, const Now& now,
                                                  Changes& out) {
  NodeState* node = MutableNode(hello.node);
  if (node == nullptr) {
    return UnknownNode(hello.node);
  }
  if (TermOfEpoch(hello.max_epoch) > term_ + kMaxTermGap) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kStaleEpoch,
                     absl::StrCat("node ", hello.node, " has seen term ",
                                  TermOfEpoch(hello.max_epoch), ", and this manager is at ", term_,
                                  ": it is of another cluster, or its journal is damaged"));
  }
  if (node->connected()) {
    out.effects.push_back(CloseSession{
        node->name, node->session,
        absl::AbortedError(absl::StrCat("a newer session of node ", hello.node, " took over"))});
  }
  if (Returns(hello.process, node->processes)) {
    if (!node->cloned) node->cloned_since = now.wall;
    node->cloned = true;
    node->cloned_seen_monotonic = now.monotonic;
  }
  node->session = hello.session;
  node->since = now.wall;
  node->heard_monotonic = now.monotonic;
  node->kinds = hello.kinds;
  node->credits = hello.credits;
  node->agent_version = hello.agent_version;
  node->clock_skew = ClockSkew();
  if (hello.clock_skew) node->clock_skew.Add(*hello.clock_skew);
  node->certificate_start_time = hello.certificate_start_time;
  node->certificate_expire_time = hello.certificate_expire_time;
  node->outbox = static_cast<int>(hello.outbox.size());
  node->outbox_since = node->outbox == 0 ? absl::InfiniteDuration() : now.monotonic;
  AddEvent(EventType::kNodeConnected, 0, node->name, NodeActor(node->name), hello.agent_version,
           now, out);
  // The node has seen leases of ours that we do not remember (the database was restored from a
  // backup): new ones must be higher, or it would refuse them.
  if (hello.max_epoch > ((term_ << 32) | leases_)) {
    RaiseTerm(TermOfEpoch(hello.max_epoch) + 1, out);
  }
  const std::set<Lease, LeaseOrder> outbox(hello.outbox.begin(), hello.outbox.end());
  std::map<Lease, bool, LeaseOrder> has;
  for (const HelloFacts::InFlight& in_flight : hello.in_flight) {
    has[in_flight.lease] = in_flight.started;
  }
  for (const auto& [id, name] : TasksOf(hello.node)) {
    const Ref ref = FindRef(id, name);
    if (!ref) continue;
    UpdateReady(ref);
    if (!ref.task->in_flight()) continue;
    const Lease lease = LeaseOf(ref);
    if (const auto found = has.find(lease); found != has.end()) {
      const Phase phase = found->second ? Phase::kRunning : Phase::kAccepted;
      if (phase == Phase::kRunning) Begin(*ref.task, now);
      if (ref.task->phase != phase) Move(ref, phase, NodeActor(name), now, out);
      if (ref.task->cancel_requested()) {
        out.effects.push_back(SendCancel{name, node->session, lease});
      }
      has.erase(found);
    } else if (outbox.contains(lease)) {
      ref.task->progress_monotonic = now.monotonic;  // its result follows
    } else if (ref.task->phase == Phase::kLeased) {
      if (EndIfUnwanted(ref, now, out)) continue;
      Move(ref, Phase::kQueued, kManager, now, out);  // it never arrived
    } else {
      Lose(ref, now, out);
    }
  }
  std::vector<Lease> forget;
  for (const auto& [lease, started] : has) forget.push_back(lease);
  dirty_.insert(node->name);
  Dispatch(now, out);
  return forget;
}

void Queue::Disconnect(absl::string_view name, uint64_t session, const Now& now, Changes& out) {
  NodeState* node = MutableNode(name);
  if (node == nullptr || node->session != session) return;
  node->session = 0;
  node->since = now.wall;
  AddEvent(EventType::kNodeDisconnected, 0, node->name, kManager, "", now, out);
}

void Queue::Accepted(const Lease& lease, const Now& now, Changes& out) {
  const Ref ref = FindLease(lease);
  if (ref && ref.task->phase == Phase::kLeased) {
    Move(ref, Phase::kAccepted, NodeActor(lease.node), now, out);
  }
}

void Queue::Refused(const Lease& lease, Reason reason, absl::string_view message, const Now& now,
                    Changes& out) {
  const Ref ref = FindLease(lease);
  if (!ref) return;
  Task& task = *ref.task;
  AddAttempt(ref, reason, message, now, out);
  ++task.refusals;
  ++stats_.refused_by_node[reason];
  SetTrouble(task, reason, now);
  task.message = std::string(message);
  if (EndIfUnwanted(ref, now, out)) {
    // Not sent again.
  } else if (const ReasonClass c = InfoOf(reason).reason_class;
             c == ReasonClass::kConflict || c == ReasonClass::kInvalid) {
    Move(ref, Phase::kParked, NodeActor(lease.node), now, out);
  } else {
    BackOff(ref, policy_.refusal, task.refusals, NodeActor(lease.node), now, out);
  }
  Dispatch(now, out);
}

void Queue::Progress(const Lease& lease, absl::string_view step, int index, int count, bool wedged,
                     const Evidence& evidence, const Now& now, Changes& out) {
  const Ref ref = FindLease(lease);
  if (!ref) return;
  Task& task = *ref.task;
  Begin(task, now);
  if (task.phase != Phase::kRunning) Move(ref, Phase::kRunning, NodeActor(lease.node), now, out);
  task.progress_monotonic = now.monotonic;
  task.step = std::string(step);
  task.step_index = index;
  task.step_count = count;
  task.wedged = wedged;
  if (wedged) task.evidence = evidence;
}

void Queue::Result(const ResultFacts& result, uint64_t session, const Now& now, Changes& out) {
  const Lease& lease = result.lease;
  Attempt attempt{lease.attempt, lease.epoch,    result.start_time, result.finish_time,
                  result.reason, result.message, result.steps};
  out.urgent = true;
  out.effects.push_back(SendAck{lease.node, session, lease});
  const Ref ref = FindLease(lease);
  if (!ref) {
    // Sent again because the acknowledgement was lost, or an orphan: the store knows which.
    out.mutations.push_back(InsertOrphan{lease, now.wall, std::move(attempt)});
    return;
  }
  out.mutations.push_back(InsertAttempt{lease.command, lease.node, std::move(attempt)});
  const std::string actor = NodeActor(lease.node);
  if (result.reason == Reason::kNone) {
    Finish(ref, Outcome::kSucceeded, actor, now, out);
  } else {
    if (result.started || result.reason != Reason::kInterrupted) Begin(*ref.task, now);
    ref.task->message = result.message;
    ref.task->evidence = result.evidence;
    ++stats_.failed_attempts[result.reason];
    Fail(ref, result.reason, actor, now, out);
  }
  Dispatch(now, out);
}

void Queue::Drifted(absl::string_view name, uint64_t session, DriftFacts drift, const Now& now,
                    Changes& out) {
  NodeState* node = MutableNode(name);
  if (node == nullptr || node->session != session) return;
  const auto add = [&](EventType type, const Deviation& deviation) {
    const char* const done = type == EventType::kNodeRepaired ? "put back; it was: " : "";
    AddEvent(type, 0, node->name, NodeActor(node->name),
             absl::StrCat(deviation.resource_key, ": ", done, deviation.message), now, out);
    std::get<Event>(out.mutations.back()).reason = deviation.reason;
  };
  for (const Deviation& deviation : drift.open) {
    const bool known = std::any_of(
        node->deviations.begin(), node->deviations.end(),
        [&](const Deviation& before) { return before.resource_key == deviation.resource_key; });
    if (!known) add(EventType::kNodeDrifted, deviation);
  }
  for (const Deviation& deviation : drift.repaired) add(EventType::kNodeRepaired, deviation);
  const auto has_share = [](const std::vector<Deviation>& deviations) {
    return std::any_of(deviations.begin(), deviations.end(), [](const Deviation& deviation) {
      return absl::StartsWith(deviation.resource_key, "share/");
    });
  };
  const bool share_is_back =
      has_share(drift.repaired) || (has_share(node->deviations) && !has_share(drift.open));
  node->deviations = std::move(drift.open);
  node->deviation_count = drift.open_count;
  node->repairs = drift.repairs;
  if (share_is_back) {  // as if a command had mounted it
    const auto covered = CoveredBy("mount_share");
    NodeChecked({node->name, now.monotonic, {}, {covered.begin(), covered.end()}}, now, out);
  }
}

void Queue::Heard(absl::string_view name, uint64_t session,
                  std::optional<absl::Duration> clock_skew, int outbox, const Now& now) {
  NodeState* node = MutableNode(name);
  if (node == nullptr || node->session != session) return;
  node->heard_monotonic = now.monotonic;
  if (clock_skew) node->clock_skew.Add(*clock_skew);
  node->outbox = outbox;
  node->outbox_since =
      outbox == 0 ? absl::InfiniteDuration() : std::min(node->outbox_since, now.monotonic);
}

}  // namespace hostq::manager
