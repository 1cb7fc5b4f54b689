#include "manager/cluster/account_status.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "manager/cluster/draft.h"

namespace hostq::manager {
namespace {

// Checks of the preflight that find that homes cannot be reached over the share, as
// agent/actions/preflight_share.cc names them.
constexpr absl::string_view kChecksOfShares[] = {"check/kernel-nfs", "check/nfs-reachable",
                                                 "check/nfs-server", "check/share-export",
                                                 "check/share-write"};

// The step of the agents that looks at an address: "address 203.0.113.10".
constexpr absl::string_view kAddressStep = "address ";
constexpr absl::string_view kQuotaStep = "quota";

bool MountsHome(const AccountPlace& place, const storage::v1::Account& row) {
  return place.app && !place.storage && !row.share().empty();
}

// Whether what a node tells of the thing with this key says something about the account.
bool Concerns(absl::string_view key, const AccountPlace& place, const storage::v1::Account& row) {
  if (key == AccountKey(row.account().domain())) return true;
  if (place.balancer && key == "balancer/services") return true;
  if (absl::ConsumePrefix(&key, "address/")) return Contains(row.account().addresses(), key);
  if (!MountsHome(place, row)) return false;
  return key == ShareKey(row.share()) || absl::c_linear_search(kChecksOfShares, key);
}

v1::CommandSpec SpecOf(const Command& command) {
  v1::CommandSpec spec;
  spec.ParseFromString(command.spec);
  return spec;
}

// Commands of one sort make up for each other: the last one says how it should be.
std::string SortOf(const Command& command) {
  if (command.kind == "unsuspend_account") return "suspend_account";
  if (command.kind == "set_quota") return "set_account_quota";
  const v1::CommandSpec spec = SpecOf(command);
  if (spec.has_add_account_address()) {
    return absl::StrCat("address/", spec.add_account_address().address());
  }
  if (spec.has_remove_account_address()) {
    return absl::StrCat("address/", spec.remove_account_address().address());
  }
  return command.kind;
}

// No node was given any of it: what was asked for was taken back.
bool Untouched(const Command& command) {
  return absl::c_all_of(command.tasks, [](const Task& task) {
    return task.attempt == 0 && task.outcome != Outcome::kSucceeded;
  });
}

// The steps of the attempt with which a task succeeded.
std::vector<v1::Step> StepsOn(const std::string& node, const PastCommand& past) {
  const Attempt* last = nullptr;
  for (const Store::TaskAttempt& each : past.attempts) {
    if (each.node != node || each.attempt.reason != Reason::kNone) continue;
    if (last == nullptr || each.attempt.epoch >= last->epoch) last = &each.attempt;
  }
  v1::Attempt attempt;
  if (last == nullptr || !attempt.ParseFromString(last->steps)) return {};
  return {attempt.steps().begin(), attempt.steps().end()};
}

// What is not so, or was not before it was put right. What the node's administrator wants so is no
// difference.
bool Differs(const v1::Step& step) {
  return step.warning() && step.reason() != v1::Reason::QUOTA_SWITCHED_OFF;
}
bool IsRight(const v1::Step& step) {
  return step.reason() == v1::Reason::CODE_UNSPECIFIED && !step.warning() && !step.skipped();
}

// Goes through the tasks of an account on one node, from the oldest to the newest.
class Replay {
 public:
  Replay(const AccountPlace& place, absl::Span<const std::string> storage)
      : place_(place), storage_(storage) {}

  void Add(const PastCommand& past) {
    const Command& command = past.command;
    if (const Task* task = command.FindTask(place_.node)) AddOwn(past, *task);
    // The limit lies on the file server: set there, it is as well for the others.
    if (place_.storage) return;
    for (const std::string& keeper : storage_) {
      const Task* task = command.FindTask(keeper);
      if (task == nullptr || task->outcome != Outcome::kSucceeded || OnlyLooks(command)) continue;
      // This node may have read it just before it was set by the same command.
      const bool same = history_.look && history_.look->command == command.id;
      for (const v1::Step& step : StepsOn(keeper, past)) {
        if (step.name() != kQuotaStep || !IsRight(step)) continue;
        Right(kQuotaStep, same ? absl::InfiniteFuture() : task->phase_time);
      }
    }
  }

  void Repaired(const std::string& key, const std::string& node, absl::Time time,
                const storage::v1::Account& row) {
    if (key == AccountKey(row.account().domain())) {
      if (node == place_.node) {
        for (const char* step : {"group", "user", "login", "processes"}) Right(step, time);
      }
      if (absl::c_linear_search(storage_, node)) Right(kQuotaStep, time);
      return;
    }
    if (node != place_.node) return;
    absl::string_view rest = key;
    if (absl::ConsumePrefix(&rest, "address/")) Right(absl::StrCat(kAddressStep, rest), time);
    if (key == ShareKey(row.share())) Right("share", time);
  }

  AccountHistory Take() {
    if (!failures_.empty()) {
      history_.failure = absl::c_max_element(failures_, [](const auto& a, const auto& b) {
                           return a.second.command < b.second.command;
                         })->second;
    }
    return std::move(history_);
  }

 private:
  void AddOwn(const PastCommand& past, const Task& task) {
    const Command& command = past.command;
    if (!task.live() || task.attempt > 0) history_.last = {command.id, command.kind, task};
    if (task.live()) return;
    if (task.outcome == Outcome::kSucceeded) {
      const std::vector<v1::Step> steps = StepsOn(place_.node, past);
      if (LooksAtAll(command)) {
        history_.look = {task.phase_time, command.id};
        history_.differences.clear();
        absl::c_copy_if(steps, std::back_inserter(history_.differences), Differs);
        failures_.clear();
        return;
      }
      failures_.erase(SortOf(command));
      for (const v1::Step& step : steps) {
        if (IsRight(step)) Right(step.name(), task.phase_time);
      }
      return;
    }
    // A newer one decides; a look changes nothing.
    if (task.outcome == Outcome::kSuperseded || OnlyLooks(command) || Untouched(command)) return;
    failures_[SortOf(command)] = {command.id,  command.kind, task.outcome,
                                  task.reason, task.message, task.phase_time};
  }

  // So it was at that time.
  void Right(absl::string_view step, absl::Time time) {
    if (!history_.look || time < history_.look->time) return;
    std::erase_if(history_.differences, [&](const v1::Step& each) { return each.name() == step; });
  }

  const AccountPlace& place_;
  const absl::Span<const std::string> storage_;
  AccountHistory history_;
  std::map<std::string, AccountHistory::Failure> failures_;  // by sort
};

}  // namespace

std::vector<AccountPlace> PlacesOf(const Cluster& cluster, const Queue& queue,
                                   const storage::v1::Account& row, const Now& now) {
  std::map<std::string, AccountPlace> places;
  for (const auto& [name, node] : cluster.nodes()) {
    const bool app = HasRole(node, v1::Node::APP);
    const bool storage = HasRole(node, v1::Node::STORAGE);
    const bool balancer = HasRole(node, v1::Node::BALANCER);
    if (node.draining() || !(app || storage || balancer)) continue;
    AccountPlace& place = places[name];
    place.node = name;
    place.app = app;
    place.storage = storage;
    place.balancer = balancer;
    const NodeState* state = queue.FindNode(name);
    if (state == nullptr) continue;
    place.joined = state->joined;
    place.admitted = state->admitted;
    place.connected = state->connected();
    place.banned = state->banned;
    place.cloned = state->cloned;
    place.since = state->since;
    place.more_deviations =
        state->connected() && state->deviation_count > static_cast<int>(state->deviations.size());
  }
  for (Finding& finding : ExplainNodes(queue, now)) {
    const auto place = places.find(finding.node);
    if (place == places.end()) continue;
    const bool away = finding.resource_key.empty() &&
                      (!place->second.connected || place->second.banned || place->second.cloned);
    if (away) {
      place->second.absences.push_back(std::move(finding));
    } else if (Concerns(finding.resource_key, place->second, row)) {
      place->second.deviations.push_back(std::move(finding));
    }
  }
  for (const auto& [id, command] : queue.commands()) {
    if (command.resource_key != AccountKey(row.account().domain())) continue;
    for (const Task& task : command.tasks) {
      const auto place = places.find(task.node);
      if (place == places.end()) continue;
      if (auto finding = Explain(queue, command, task, now)) {
        place->second.unfinished.push_back({*std::move(finding), OnlyLooks(command)});
      }
    }
  }
  std::vector<AccountPlace> list;
  for (auto& [name, place] : places) list.push_back(std::move(place));
  return list;
}

bool OnlyLooks(const Command& command) {
  return command.kind == "resync_account" && !SpecOf(command).resync_account().apply();
}

bool LooksAtAll(const Command& command) {
  return command.kind == "create_account" || command.kind == "resync_account";
}

AccountHistory HistoryOn(const AccountPlace& place, const storage::v1::Account& row,
                         absl::Span<const PastCommand> commands, absl::Span<const Event> repairs,
                         absl::Span<const std::string> storage) {
  Replay replay(place, storage);
  for (auto past = commands.rbegin(); past != commands.rend(); ++past) replay.Add(*past);
  for (const Event& event : repairs) {
    const size_t colon = event.message.find(": ");
    if (event.type != EventType::kNodeRepaired || colon == std::string::npos) continue;
    replay.Repaired(event.message.substr(0, colon), event.node, event.time, row);
  }
  return replay.Take();
}

std::vector<Finding> StandingDeviations(const AccountPlace& place, const storage::v1::Account& row,
                                        const AccountHistory& history) {
  const bool found_right = history.look && history.differences.empty();
  std::vector<Finding> standing;
  absl::c_copy_if(place.deviations, std::back_inserter(standing), [&](const Finding& finding) {
    return !found_right || finding.resource_key != AccountKey(row.account().domain()) ||
           finding.since >= history.look->time;
  });
  return standing;
}

v1::AccountOnNode::Wanted WantedOn(const AccountPlace& place, const storage::v1::Account& row) {
  v1::AccountOnNode::Wanted wanted;
  if (place.app || place.storage) {
    wanted.set_home(row.account().home());
    wanted.set_quota_bytes(row.account().quota_bytes());
    wanted.set_suspended(row.suspended());
  }
  if (place.app || place.balancer) *wanted.mutable_addresses() = row.account().addresses();
  return wanted;
}

}  // namespace hostq::manager
