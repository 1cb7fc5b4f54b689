#include "manager/domain/findings.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/id.h"
#include "common/base/text.h"

namespace hostq::manager {
namespace {

// Begins the key of what a check of the preflight found.
constexpr char kCheck[] = "check/";

// Chains of waiting are short; this only bounds a mistake.
constexpr int kMaxChain = 1000;

struct Where {
  const Command* command = nullptr;
  const Task* task = nullptr;
  // Why one waits for it.
  Reason reason = Reason::kNone;
};

// The words in capitals that a remedy may contain, and what stands for them here.
std::string FillIn(absl::string_view remedy, const Finding& finding) {
  // Nothing else: a remedy may speak of a MAC or NFS without meaning a value.
  std::map<std::string, std::string> words = {{"COMMAND", FormatId(finding.command)},
                                              {"NODE", finding.node},
                                              {"KIND", finding.kind},
                                              {"KEY", finding.resource_key}};
  if (!finding.root_task.empty()) {
    words["ROOT"] = finding.root_task.substr(0, finding.root_task.find('/'));
  }
  const size_t slash = finding.resource_key.find('/');
  const std::string type = finding.resource_key.substr(0, slash);
  const std::string name = slash == std::string::npos ? "" : finding.resource_key.substr(slash + 1);
  if (type == "account") words["DOMAIN"] = name;
  if (type == "share") words["SHARE"] = name;
  if (type == "address") words["ADDRESS"] = name;
  constexpr std::pair<const char*, const char*> kFromEvidence[] = {
      {"address", "ADDRESS"},        {"directory", "DIRECTORY"}, {"interface", "INTERFACE"},
      {"mount_point", "MOUNTPOINT"}, {"share", "SHARE"},         {"uid", "UID"}};
  for (const auto& [key, word] : kFromEvidence) {
    const auto seen = finding.evidence.find(key);
    if (seen != finding.evidence.end()) words[word] = seen->second;
  }
  std::string out;
  for (size_t at = 0; at < remedy.size();) {
    size_t end = at;
    while (end < remedy.size() && absl::ascii_isalnum(remedy[end])) ++end;
    if (end == at) {
      out += remedy[at++];
      continue;
    }
    const std::string word(remedy.substr(at, end - at));
    const auto found = words.find(word);
    out += found == words.end() || found->second.empty() ? word : found->second;
    at = end;
  }
  return out;
}

bool IsCheck(const Deviation& deviation) {
  return absl::StartsWith(deviation.resource_key, kCheck);
}

// Several checks find the same thing, one after the other.
bool SaysNothingNew(const Deviation& check, const std::vector<Deviation>& all) {
  if (!IsCheck(check)) return false;
  const auto same = std::find_if(all.begin(), all.end(), [&](const Deviation& other) {
    return IsCheck(other) && other.reason == check.reason;
  });
  return same != all.end() && &*same != &check;
}

// "arp (ARP_NOT_SILENCED), tools (TOOL_MISSING)".
std::string NamesOf(const std::vector<Deviation>& failed_checks) {
  return absl::StrJoin(failed_checks, ", ", [](std::string* out, const Deviation& check) {
    absl::StrAppend(out, absl::StripPrefix(check.resource_key, kCheck), " (", NameOf(check.reason),
                    ")");
  });
}

// Of a finding without a command: there is nothing to retry.
std::string WithoutRetry(absl::string_view remedy) {
  const size_t at = remedy.find("then: hostq command retry COMMAND");
  std::string out(remedy.substr(0, at));
  while (!out.empty() && (out.back() == ' ' || out.back() == ';' || out.back() == ','))
    out.pop_back();
  return out;
}

// The task that this one waits for, because of order, stage or a careful fan-out. Null: none.
Where WaitsFor(const Queue& queue, const Command& command, const Task& task) {
  if (task.in_flight() || !task.live()) return {};
  if (const Command* ahead = queue.Ahead(command, task.node)) {
    return {ahead, ahead->FindTask(task.node), Reason::kBehind};
  }
  for (const Task& earlier : command.tasks) {
    if (earlier.stage < task.stage && earlier.live()) {
      return {&command, &earlier, Reason::kEarlierStage};
    }
  }
  if (const Command* before = queue.PartWaitsFor(command)) {
    for (const Task& other : before->tasks) {
      if (other.live()) return {before, &other, Reason::kEarlierStage};
    }
  }
  const bool full = task.attempt == 0 && command.max_parallel > 0 && !command.delayed &&
                    Queue::Underway(command) >= command.max_parallel;
  if (full) {
    for (const Task& other : command.tasks) {
      if (other.underway()) return {&command, &other, Reason::kParallelLimit};
    }
  }
  return {};
}

// The end of the chain of waiting that starts with a task.
Where Root(const Queue& queue, Where at) {
  for (int i = 0; i < kMaxChain; ++i) {
    const Where next = WaitsFor(queue, *at.command, *at.task);
    if (next.task == nullptr) return at;
    at = next;
  }
  return at;
}

// Why a node is not connected.
struct Absence {
  Reason reason = Reason::kNodeOffline;
  absl::Time since;
  Evidence evidence;
  std::string summary;
};

Absence AbsenceOf(const NodeState& node, const Now& now) {
  Absence absence;
  absence.since = node.since;
  absence.summary = absl::StrCat("node ", node.name, " has not been connected for ",
                                 FormatAge(now.wall - node.since));
  if (now.wall >= node.certificate_expire_time) {
    absence.reason = Reason::kCertificateExpired;
    absence.since = std::max(node.since, node.certificate_expire_time);
    absence.evidence["expired"] =
        absl::FormatTime(absl::RFC3339_sec, node.certificate_expire_time, absl::UTCTimeZone());
    absence.summary =
        absl::StrCat("its certificate expired ", FormatAge(now.wall - node.certificate_expire_time),
                     " ago; ", absence.summary);
  } else if (!node.old_manager_address.empty()) {
    absence.reason = Reason::kManagerMoved;
    absence.evidence["told"] = node.old_manager_address;
    absence.summary = absl::StrCat("it was told that the manager is at ", node.old_manager_address,
                                   "; ", absence.summary);
  }
  return absence;
}

class Explainer {
 public:
  Explainer(const Queue& queue, const Command& command, const Task& task, const Now& now,
            const FindingThresholds& thresholds)
      : queue_(queue),
        command_(command),
        task_(task),
        now_(now),
        thresholds_(thresholds),
        node_(queue.FindNode(task.node)) {
    finding_.command = command.id;
    finding_.node = task.node;
    finding_.kind = command.kind;
    finding_.resource_key = command.resource_key;
    finding_.since = task.phase_time;
  }

  Finding Run() {
    switch (task_.phase) {
      case Phase::kQueued:
        Queued();
        break;
      case Phase::kLeased:
      case Phase::kAccepted:
      case Phase::kRunning:
        InFlight();
        break;
      case Phase::kUnknown:
        Is(Reason::kOutcomeUnknown, false,
           absl::StrCat("the node ", task_.node, " is asked what became of attempt ",
                        task_.attempt));
        break;
      case Phase::kBackingOff:
        BackingOff();
        break;
      case Phase::kParked:
        Parked();
        break;
      case Phase::kFinished:
        break;
    }
    const bool again = task_.in_flight() && task_.attempt > 1 && task_.reason != Reason::kNone;
    if (again && finding_.reason == Reason::kInProgress) AfterFailure();
    finding_.remedy = FillIn(finding_.remedy, finding_);
    const bool on_a_node = finding_.owner == Owner::kNode || finding_.owner == Owner::kAgent;
    if (on_a_node && finding_.owner_node.empty()) finding_.owner_node = task_.node;
    return finding_;
  }

 private:
  void Is(Reason reason, bool stuck, std::string summary) {
    const ReasonInfo& info = InfoOf(reason);
    finding_.reason = reason;
    finding_.owner = info.owner;
    finding_.stuck = stuck;
    finding_.summary = std::move(summary);
    finding_.remedy = std::string(info.remedy);
  }

  // What failed decides who must act and what to do.
  void Cause(Reason cause) {
    const ReasonInfo& info = InfoOf(cause);
    finding_.cause = cause;
    finding_.owner = info.owner;
    finding_.remedy = std::string(info.remedy);
    finding_.evidence = task_.evidence;
    finding_.evidence["attempts"] = absl::StrCat(task_.attempt);
  }

  // It moves, and may fail again: then the waiting between the attempts is not the only time to see
  // why.
  void AfterFailure() {
    finding_.cause = task_.reason;
    finding_.evidence["attempts"] = absl::StrCat(task_.attempt);
    absl::StrAppend(&finding_.summary, "; attempt ", task_.attempt - 1, " failed: ", task_.message);
  }

  void Parked() {
    const bool environment = InfoOf(task_.reason).reason_class == ReasonClass::kEnvironment;
    Is(Reason::kParked, true,
       environment
           ? absl::StrCat("attempt ", task_.attempt, " failed: ", task_.message,
                          IsCovered(task_.reason)
                              ? absl::StrCat("; it goes on as soon as a check of ", task_.node,
                                             " finds that mended")
                              : "; no check can see whether that is mended: it is tried again "
                                "less and less often, at most 10 minutes apart")
           : absl::StrCat("gave up: ", LastAttempt()));
    Cause(task_.reason);
    if (finding_.owner == Owner::kNobody) {
      // What passes by itself has come too often.
      finding_.owner = Owner::kAgent;
      finding_.remedy =
          "find out why NODE does not get to the end of it (journalctl -u hostq-agent), "
          "then: hostq command retry COMMAND";
    }
    Since();
  }

  // A refusal began nothing; how often it came is counted apart.
  std::string LastAttempt() const {
    const ReasonClass c = InfoOf(task_.reason).reason_class;
    const bool refused = task_.refusals > 0 && !task_.begun() && c != ReasonClass::kEnvironment;
    return absl::StrCat(refused ? absl::StrCat("the node refused attempt ", task_.attempt)
                                : absl::StrCat("attempt ", task_.attempt, " failed"),
                        ": ", task_.message);
  }

  // A task that is tried again and again is not stuck since its last attempt only.
  void Since() {
    if (task_.trouble_time != absl::InfinitePast()) finding_.since = task_.trouble_time;
  }

  void BackingOff() {
    const absl::Duration left = task_.next_attempt_time - now_.wall;
    Is(Reason::kBackingOff, task_.failures >= 2 || task_.refusals >= 3,
       absl::StrCat(LastAttempt(), "; tried again in ", FormatAge(left)));
    Cause(task_.reason);
    Since();
  }

  void Offline(absl::string_view what) {
    Absence absence = AbsenceOf(*node_, now_);
    finding_.since = absence.since;
    finding_.evidence = std::move(absence.evidence);
    Is(absence.reason, true, absl::StrCat(absence.summary, "; ", what));
  }

  void Banned(absl::string_view what) {
    finding_.since = node_->ban_time;
    finding_.evidence["banned_by"] = node_->banned_by;
    Is(Reason::kNodeBanned, true,
       absl::StrCat("node ", task_.node, " was banned by ", node_->banned_by, ": ", node_->ban_note,
                    "; ", what));
  }

  void Queued() {
    if (const Where waits = WaitsFor(queue_, command_, task_); waits.task != nullptr) {
      return Waits(waits);
    }
    if (command_.delayed) {
      return Is(Reason::kDelayed, false,
                absl::StrCat(
                    "it is not to start before ",
                    absl::FormatTime(absl::RFC3339_sec, command_.not_before, absl::UTCTimeZone())));
    }
    if (const Pause* pause = queue_.FindPause({PauseScope::kKind, command_.kind})) {
      return Paused(Reason::kKindPaused, command_.kind, *pause);
    }
    if (const Pause* pause = queue_.FindPause({PauseScope::kResourceKey, command_.resource_key})) {
      return Paused(Reason::kResourcePaused, command_.resource_key, *pause);
    }
    if (const int failing = Queue::Failing(command_);
        task_.attempt == 0 && command_.max_failures >= 0 && failing > command_.max_failures) {
      return FailureLimit(failing);
    }
    if (node_ == nullptr || !node_->joined) {
      return Is(Reason::kNodeNotJoined, true,
                absl::StrCat("node ", task_.node, " has been added but has never joined"));
    }
    if (node_->banned) return Banned("the task waits at the manager");
    if (!node_->connected()) return Offline("the task waits at the manager");
    if (node_->cloned) {
      finding_.since = node_->cloned_since;
      return Is(Reason::kNodeCloned, true,
                absl::StrCat("two agents take turns as node ", task_.node,
                             ": nothing is sent as long as either may get it"));
    }
    if (node_->draining) {
      return Is(Reason::kNodeDraining, true,
                absl::StrCat("node ", task_.node, " is being removed"));
    }
    if (node_->paused) {
      return Paused(Reason::kNodePaused, absl::StrCat("node ", task_.node),
                    {node_->paused_by, node_->pause_note, node_->pause_time});
    }
    if (command_.needs_ready && !node_->admitted) {
      return NotReady();
    }
    if (std::find(node_->kinds.begin(), node_->kinds.end(), command_.kind) == node_->kinds.end()) {
      finding_.evidence["agent_version"] = node_->agent_version;
      return Is(Reason::kUnsupportedKind, true,
                absl::StrCat("the agent of ", task_.node, " (", node_->agent_version,
                             ") does not know ", command_.kind));
    }
    if (node_->in_flight >= node_->credits) return NoCredit();
    const bool late = InPhase() > thresholds_.not_dispatched;
    Is(late ? Reason::kNotDispatched : Reason::kInProgress, late,
       late ? "nothing stands in its way and it was not sent" : "about to be sent");
  }

  void NotReady() {
    const std::vector<Deviation>& failed = node_->failed_checks;
    Is(Reason::kNodeNotReady, true,
       absl::StrCat("node ", task_.node, " has not passed its preflight",
                    failed.empty() ? "" : absl::StrCat("; what fails: ", NamesOf(failed))));
    if (failed.empty()) return;
    // The first of them says what must be done; what the others say stands with the node.
    finding_.cause = failed.front().reason;
    finding_.owner = InfoOf(finding_.cause).owner;
    finding_.evidence["failed"] = NamesOf(failed);
    finding_.remedy = absl::StrCat(failed.front().remedy,
                                   "; it is looked at again by itself; all "
                                   "that fails: hostq node show NODE");
  }

  void Paused(Reason reason, absl::string_view what, const Pause& pause) {
    finding_.since = std::max(task_.phase_time, pause.time);
    finding_.evidence["paused_by"] = pause.actor;
    finding_.evidence["note"] = pause.note;
    Is(reason, true, absl::StrCat(what, " was paused by ", pause.actor, ": ", pause.note));
  }

  void FailureLimit(int failing) {
    std::vector<std::string> nodes;
    for (const Task& task : command_.tasks) {
      if (task.failing()) nodes.push_back(absl::StrCat(task.node, " ", NameOf(task.reason)));
    }
    finding_.evidence["failing"] = absl::StrJoin(nodes, ", ");
    Is(Reason::kFailureLimit, true,
       absl::StrCat("the command goes to no further node while more than ", command_.max_failures,
                    " are failing: ", failing, " are (", finding_.evidence["failing"], ")"));
  }

  std::string NameOfRoot(const Command& command, const Task& task) const {
    return command.id == command_.id ? absl::StrCat("its own task on ", task.node)
                                     : TaskIdOf(command.id, task.node);
  }

  void Waits(const Where& waits) {
    const Where root = Root(queue_, waits);
    finding_.root_task = TaskIdOf(root.command->id, root.task->node);
    finding_.evidence["waits_for"] = TaskIdOf(waits.command->id, waits.task->node);
    Finding of_root;
    if (WaitsFor(queue_, *root.command, *root.task).task == nullptr) {
      of_root = Explainer(queue_, *root.command, *root.task, now_, thresholds_).Run();
    } else {
      of_root.reason = Reason::kBehind;
      of_root.summary = absl::StrCat("it waits too, behind more than ", kMaxChain, " others");
    }
    std::string what = "waits for an earlier stage of its command";
    if (waits.reason == Reason::kEarlierStage && waits.command->id != command_.id) {
      what = absl::StrCat("waits for ", waits.command->kind, " ", FormatId(waits.command->id),
                          ", which comes first in what both are part of");
    }
    if (waits.reason == Reason::kBehind) {
      what = absl::StrCat("waits for ", waits.command->kind, " ", FormatId(waits.command->id),
                          " on the same resource");
    } else if (waits.reason == Reason::kParallelLimit) {
      what = absl::StrCat("its command goes to ", command_.max_parallel, " nodes at a time");
    }
    Is(waits.reason, of_root.stuck,
       absl::StrCat(what, "; in front of all: ", NameOfRoot(*root.command, *root.task), " (",
                    NameOf(of_root.cause != Reason::kNone ? of_root.cause : of_root.reason), ": ",
                    of_root.summary, ")"));
    finding_.owner = of_root.owner;
    finding_.owner_node = of_root.owner_node;
  }

  void NoCredit() {
    std::vector<std::string> busy;
    for (const auto& [id, command] : queue_.commands()) {
      const Task* task = command.FindTask(task_.node);
      if (task != nullptr && task->in_flight()) {
        busy.push_back(absl::StrCat(command.kind, " ", command.resource_key));
      }
      if (busy.size() == 5) break;
    }
    finding_.evidence["working_on"] = absl::StrJoin(busy, ", ");
    Is(Reason::kNoCredit, false,
       absl::StrCat("node ", task_.node, " works on ", node_->in_flight,
                    " tasks, as many as it takes at once"));
  }

  void InFlight() {
    if (node_ != nullptr && !node_->connected()) {
      const std::string what =
          absl::StrCat(task_.phase == Phase::kLeased
                           ? "it was sent, and the node has not confirmed that it has it"
                           : "it has the task; what became of it is known when it is back",
                       task_.cancel_requested()
                           ? "; cancellation was asked for, and the node answers when it is back"
                           : "");
      return node_->banned ? Banned(what) : Offline(what);
    }
    if (task_.wedged) {
      finding_.evidence = task_.evidence;
      return Is(Reason::kWedged, true,
                absl::StrCat("step \"", task_.step,
                             "\" cannot be ended: its process hangs in the "
                             "kernel of ",
                             task_.node));
    }
    if (task_.cancel_requested()) return Cancelling();
    const absl::Duration quiet = now_.monotonic - task_.progress_monotonic;
    if (task_.phase == Phase::kLeased) {
      const bool late = InPhase() > thresholds_.not_accepted;
      return Is(late ? Reason::kNotAccepted : Reason::kInProgress, late,
                absl::StrCat("sent to ", task_.node, " ", FormatAge(InPhase()), " ago"));
    }
    if (task_.phase == Phase::kAccepted) {
      const bool late = InPhase() > thresholds_.not_started;
      return Is(late ? Reason::kNotStarted : Reason::kInProgress, late,
                absl::StrCat("accepted by ", task_.node, " ", FormatAge(InPhase()), " ago"));
    }
    const std::string step = absl::StrCat("step ", task_.step_index + 1, " of ", task_.step_count,
                                          " (", task_.step, ") on ", task_.node);
    if (InPhase() > command_.timeout + thresholds_.overdue) {
      return Is(Reason::kOverdue, true,
                absl::StrCat(step, "; its time was up ", FormatAge(InPhase() - command_.timeout),
                             " ago"));
    }
    if (quiet > thresholds_.no_progress) {
      return Is(Reason::kNoProgress, true,
                absl::StrCat(step, "; nothing was heard of it for ", FormatAge(quiet)));
    }
    Is(Reason::kInProgress, false, step);
  }

  // The step it is in must end first.
  void Cancelling() {
    const absl::Duration asked = now_.monotonic - task_.cancel_monotonic;
    const bool seen = task_.phase == Phase::kRunning;
    const bool late = asked > (seen ? thresholds_.cancel_undone : thresholds_.cancel_unseen);
    finding_.since = task_.cancel_time;
    finding_.evidence["cancelled_by"] = task_.cancel_actor;
    Is(seen ? Reason::kCancelUndone : Reason::kCancelUnseen, late,
       absl::StrCat("cancelled by ", task_.cancel_actor, " ", FormatAge(asked), " ago; ",
                    seen ? absl::StrCat("its step (", task_.step, ") has not ended")
                         : absl::StrCat("node ", task_.node, " has not answered")));
  }

  absl::Duration InPhase() const { return now_.monotonic - task_.phase_monotonic; }

  const Queue& queue_;
  const Command& command_;
  const Task& task_;
  const Now& now_;
  const FindingThresholds& thresholds_;
  const NodeState* node_;
  Finding finding_;
};

// A command that gives the node what it is to have is under way.
bool IsBroughtUp(const Queue& queue, absl::string_view node) {
  return std::any_of(queue.commands().begin(), queue.commands().end(), [&](const auto& entry) {
    return entry.second.kind == "resync_node" && entry.second.FindTask(node) != nullptr;
  });
}

}  // namespace

std::string RemedyAbout(Reason reason, const Finding& about) {
  const absl::string_view remedy = InfoOf(reason).remedy;
  return FillIn(about.command == 0 ? WithoutRetry(remedy) : std::string(remedy), about);
}

Finding ExplainStore(const absl::Status& failed, absl::Time since) {
  const ReasonInfo& info = InfoOf(Reason::kStoreUnavailable);
  Finding finding;
  finding.reason = Reason::kStoreUnavailable;
  finding.since = since;
  finding.owner = info.owner;
  finding.summary = absl::StrCat(failed.message(), "; what is shown is from before");
  finding.remedy = std::string(info.remedy);
  finding.stuck = true;
  return finding;
}

std::vector<Finding> ExplainNodes(const Queue& queue, const Now& now,
                                  const FindingThresholds& thresholds) {
  std::vector<Finding> findings;
  const auto add = [&](absl::string_view node, Reason reason, absl::Time since, Evidence evidence,
                       std::string summary) -> Finding& {
    const ReasonInfo& info = InfoOf(reason);
    Finding finding;
    finding.node = std::string(node);
    finding.reason = reason;
    finding.since = since;
    finding.owner = info.owner;
    finding.evidence = std::move(evidence);
    finding.summary = std::move(summary);
    finding.remedy = RemedyAbout(reason, finding);
    finding.stuck = true;
    return findings.emplace_back(std::move(finding));
  };
  const auto deviates = [&](absl::string_view node, const Deviation& deviation,
                            absl::string_view then) {
    const std::string check =
        IsCheck(deviation)
            ? absl::StrCat("check ", absl::StripPrefix(deviation.resource_key, kCheck), ": ")
            : "";
    Finding& drift = add(node, deviation.reason, deviation.since, {},
                         absl::StrCat(check, deviation.message, then));
    drift.resource_key = deviation.resource_key;
    drift.remedy =
        deviation.remedy.empty() ? RemedyAbout(deviation.reason, drift) : deviation.remedy;
  };
  if (const absl::Duration late = queue.lateness(now); late > thresholds.sweep_stale) {
    add("", Reason::kSweepStale, now.wall, {{"late", FormatAge(late)}},
        absl::StrCat("the manager's loop stood still for ", FormatAge(late),
                     " within the last minute"));
  }
  for (const auto& [name, node] : queue.nodes()) {
    if (node.cloned) {
      add(name, Reason::kNodeCloned, node.cloned_since, {},
          absl::StrCat("two agents take turns as node ", name));
      continue;  // what else is told of it may be so of the copy alone
    }
    if (node.joined && !node.admitted) {
      for (const Deviation& check : node.failed_checks) {
        if (SaysNothingNew(check, node.failed_checks)) continue;
        deviates(name, check, absl::StrCat("; ", name, " gets no work until that is mended"));
      }
    }
    if (node.awaits_accounts && node.admitted && !IsBroughtUp(queue, name)) {
      add(name, Reason::kAccountsAwaited, node.since, {},
          absl::StrCat("node ", name,
                       " has passed its preflight and does not have all accounts; "
                       "balancers send it nothing"));
    }
    if (node.banned) {
      add(name, Reason::kNodeBanned, node.ban_time, {{"banned_by", node.banned_by}},
          absl::StrCat("node ", name, " was banned by ", node.banned_by, ": ", node.ban_note));
      continue;
    }
    if (!node.connected()) {
      // One that is paused may be away on purpose.
      const bool missed = node.joined && !node.paused && !node.draining &&
                          now.wall - node.since > thresholds.offline;
      if (!missed) continue;
      Absence absence = AbsenceOf(node, now);
      add(name, absence.reason, absence.since, std::move(absence.evidence),
          std::move(absence.summary));
      continue;
    }
    if (node.clock_skew.Exceeds(thresholds.clock_skew)) {
      const std::string skew = absl::FormatDuration(node.clock_skew.estimate());
      add(name, Reason::kClockSkew, node.since, {{"skew", skew}},
          absl::StrCat("the clock of ", name, " differs from the manager's by ", skew));
    }
    const absl::Duration life = node.certificate_expire_time - node.certificate_start_time;
    const absl::Duration left = node.certificate_expire_time - now.wall;
    if (left < life / 3) {
      add(name, Reason::kCertificateExpiring, node.certificate_expire_time - life / 3,
          {{"left", FormatAge(left)}},
          absl::StrCat("the certificate of ", name, " ends in ", FormatAge(left),
                       ", and was not renewed"));
    }
    for (const Deviation& deviation : node.deviations) {
      if (SaysNothingNew(deviation, node.deviations)) continue;
      deviates(name, deviation,
               deviation.reason == Reason::kWedged ? ""
               : IsCheck(deviation)                ? "; it is looked at again and again"
               : node.repairs                      ? "; the agent puts it back as soon as it can"
                                                   : "; the node's policy leaves it so (repair)");
    }
    const absl::Duration waiting = now.monotonic - node.outbox_since;
    if (waiting > thresholds.unacknowledged) {
      add(name, Reason::kResultUnacknowledged, now.wall - waiting,
          {{"results", absl::StrCat(node.outbox)}},
          absl::StrCat(node.outbox, " results wait on ", name, " for ", FormatAge(waiting)));
    }
  }
  return findings;
}

std::optional<Finding> Explain(const Queue& queue, const Command& command, const Task& task,
                               const Now& now, const FindingThresholds& thresholds) {
  if (!task.live()) return std::nullopt;
  return Explainer(queue, command, task, now, thresholds).Run();
}

std::vector<Finding> ExplainAll(const Queue& queue, const Now& now, bool all,
                                const FindingThresholds& thresholds) {
  std::vector<Finding> findings;
  for (const auto& [id, command] : queue.commands()) {
    for (const Task& task : command.tasks) {
      std::optional<Finding> finding = Explain(queue, command, task, now, thresholds);
      if (finding && (all || finding->stuck)) findings.push_back(*std::move(finding));
    }
  }
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::make_tuple(!a.root_task.empty(), a.since) <
           std::make_tuple(!b.root_task.empty(), b.since);
  });
  return findings;
}

}  // namespace hostq::manager
