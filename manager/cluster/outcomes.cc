#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "manager/cluster/draft.h"
#include "manager/domain/findings.h"

namespace hostq::manager {
namespace {

using Check = v1::PreflightCheck;

std::string RemedyOn(const std::string& node, Reason reason, const v1::Step& step) {
  Finding about;
  about.node = node;
  about.evidence = Evidence(step.evidence().begin(), step.evidence().end());
  return RemedyAbout(reason, about);
}

Check CheckOf(const std::string& node, const v1::Step& step) {
  Check check;
  check.set_id(step.name());
  check.set_message(step.message());
  check.set_reason(step.reason());
  if (step.skipped()) {
    check.set_status(Check::SKIPPED);
  } else if (step.reason() == v1::Reason::CODE_UNSPECIFIED) {
    // A warning may come without a reason of its own.
    check.set_status(step.warning() ? Check::WARNING : Check::OK);
  } else {
    check.set_status(step.warning() ? Check::WARNING : Check::FAILED);
  }
  if (step.reason() != v1::Reason::CODE_UNSPECIFIED) {
    check.set_remedy(RemedyOn(node, static_cast<Reason>(step.reason()), step));
  }
  return check;
}

// Other releases have other programs and paths; hostq runs, and somebody may have meant it so.
void CompareMachine(const v1::Step& step, const Cluster::Options& options, Check& check) {
  const auto& seen = step.evidence();
  const auto value = [&](const char* name) {
    const auto found = seen.find(name);
    return found == seen.end() ? "" : found->second;
  };
  const std::string os = absl::StrCat(value("id"), " ", value("version"));
  const bool same = options.os.empty() || (os == options.os && value("machine") == options.machine);
  if (same || check.status() != Check::OK) return;
  check.set_status(Check::WARNING);
  check.set_message(absl::StrCat(check.message(), "; the manager's machine has ", options.os, ", ",
                                 options.machine));
  check.set_remedy(
      "nothing, if that is meant; else install on the node what the manager's machine has");
}

// What the steps do not say: the attempt ended before they were through.
Check UnfinishedCheck(const std::string& node, const Attempt& attempt) {
  Check check;
  check.set_id("preflight");
  check.set_status(Check::FAILED);
  check.set_reason(static_cast<v1::Reason::Code>(attempt.reason));
  check.set_message(attempt.message);
  check.set_remedy(RemedyOn(node, attempt.reason, {}));
  return check;
}

Event PreflightEvent(const storage::v1::Node& row, const Task& task, const Command& command) {
  std::vector<std::string> failed;
  int warnings = 0;
  for (const Check& check : row.node().checks()) {
    if (check.status() == Check::FAILED) failed.push_back(check.id());
    if (check.status() == Check::WARNING) ++warnings;
  }
  Event event;
  event.type = EventType::kNodePreflight;
  event.command = command.id;
  event.node = task.node;
  event.actor = absl::StrCat("node/", task.node);
  event.reason = failed.empty() ? Reason::kNone : Reason::kPreflightFailed;
  event.message = failed.empty() ? absl::StrCat("passed: ", row.node().checks_size(), " checks, ",
                                                warnings, " warnings")
                                 : absl::StrCat("failed: ", absl::StrJoin(failed, ", "));
  return event;
}

// The state apart from an unfinished deletion, which may yet be cancelled.
void SetState(storage::v1::Account& row, v1::Account::State state) {
  if (row.account().state() == v1::Account::DELETING) {
    row.set_state_before_delete(state);
  } else {
    row.mutable_account()->set_state(state);
  }
}

v1::Account::State StateOf(const storage::v1::Account& row) {
  return row.account().state() == v1::Account::DELETING ? row.state_before_delete()
                                                        : row.account().state();
}

// The entry of an unfinished command, by the nodes it went to; none: end.
template <typename Entries>
auto EntryOf(const Command& command, Entries& entries) {
  return absl::c_find_if(entries, [&](const auto& entry) {
    return static_cast<int>(command.tasks.size()) == entry.nodes_size() &&
           absl::c_all_of(command.tasks,
                          [&](const Task& task) { return Contains(entry.nodes(), task.node); });
  });
}

}  // namespace

struct Cluster::Ending {
  // On every node that is still there.
  bool succeeded = false;
  // On at least one.
  bool reached = false;
  // A node was given a task of it: it may have had an effect.
  bool touched = false;
  // A newer command took over somewhere, and decides.
  bool superseded = false;
};

Cluster::Ending Cluster::EndingOf(const Command& command) const {
  Ending ending;
  bool any_left = false;
  bool all_well = true;
  for (const Task& task : command.tasks) {
    const bool success = task.outcome == Outcome::kSucceeded;
    const bool superseded = task.outcome == Outcome::kSuperseded;
    ending.reached |= success;
    ending.superseded |= superseded;
    ending.touched |= success || task.attempt > 0;
    // A removed node does not keep the others from being done.
    if (FindNode(task.node) == nullptr) continue;
    any_left = true;
    all_well &= success || superseded;
  }
  ending.succeeded = any_left ? all_well : command.state == CommandState::kSucceeded;
  return ending;
}

ChangeSet Cluster::AttemptEnded(const Command& command, const Task& task, const Attempt& attempt) {
  ChangeSet changes;
  const storage::v1::Node* old = FindNode(task.node);
  v1::Attempt steps;
  if (command.kind == "mount_share" && attempt.reason == Reason::kNone) {
    const auto covered = CoveredBy(command.kind);
    changes.checks.push_back(
        {task.node, absl::InfiniteDuration(), {}, {covered.begin(), covered.end()}});
    return changes;
  }
  const bool looks = command.kind == "preflight" || command.kind == "resync_node";
  if (!looks || old == nullptr || !steps.ParseFromString(attempt.steps)) {
    return changes;
  }
  // One that was given up says nothing of a node that is in service.
  if (attempt.reason == Reason::kInterrupted && old->admitted()) return changes;
  storage::v1::Node row = *old;
  v1::Node& node = *row.mutable_node();
  node.clear_checks();
  for (const v1::Step& step : steps.steps()) {
    // Named as a resource key: that was compared, not checked.
    if (absl::StrContains(step.name(), '/')) continue;
    Check& check = *node.add_checks() = CheckOf(task.node, step);
    if (check.id() == "os") CompareMachine(step, options_, check);
  }
  const auto failed = [](const Check& check) { return check.status() == Check::FAILED; };
  if (attempt.reason != Reason::kNone && absl::c_none_of(node.checks(), failed)) {
    *node.add_checks() = UnfinishedCheck(task.node, attempt);
  }
  if (attempt.reason == Reason::kNone || attempt.reason == Reason::kPreflightFailed) {
    NodeCheck& look = changes.checks.emplace_back();
    look.node = task.node;
    look.begin = task.phase_monotonic;
    for (const Check& check : node.checks()) {
      if (check.status() != Check::SKIPPED) {
        const auto covered = CoveredBy(check.id());
        look.covered.insert(look.covered.end(), covered.begin(), covered.end());
      }
      if (check.reason() != v1::Reason::CODE_UNSPECIFIED) {
        look.reasons.push_back(static_cast<Reason>(check.reason()));
      }
    }
  }
  // The manager's clock, not the node's.
  *node.mutable_preflight_time() = ToTimestamp(task.phase_time);
  const bool admitted = !row.admitted() && absl::c_none_of(node.checks(), failed);
  if (admitted) {
    row.set_admitted(true);
    if (HasRole(row, v1::Node::APP) && !row.has_weight()) {
      row.set_weight(FirstWeight(row));
      row.set_awaits_accounts(row.weight() == 0);
    }
  }
  changes.events.push_back(PreflightEvent(row, task, command));
  const bool balancer = HasRole(row, v1::Node::BALANCER);
  const bool app = HasRole(row, v1::Node::APP);
  const bool storage = HasRole(row, v1::Node::STORAGE);
  Put(std::move(row), changes);
  if (admitted && (app || balancer)) Rebalance(balancer, changes);
  if (admitted && storage) Reexport(changes);
  return changes;
}

ChangeSet Cluster::CommandFinished(const Command& command) {
  ChangeSet changes;
  agent::v1::Work work;
  if (!work.ParseFromString(command.work)) return changes;
  const Ending ending = EndingOf(command);
  switch (work.kind_case()) {
    case agent::v1::Work::kMountShare:
      MountFinished(work.mount_share().share(), ending, changes);
      break;
    case agent::v1::Work::kUnmountShare:
      UnmountFinished(command, work.unmount_share().share().name(), ending, changes);
      break;
    case agent::v1::Work::kBindAddress:
      BindFinished(work.bind_address().address(), ending, changes);
      break;
    case agent::v1::Work::kUnbindAddress:
      UnbindFinished(command, work.unbind_address().address(), ending, changes);
      break;
    case agent::v1::Work::kResyncNode:
      ResyncFinished(command, changes);
      break;
    default:
      if (AccountOf(work) != nullptr) AccountCommandFinished(work, ending, changes);
      if (work.has_set_quota() && ending.succeeded && ending.touched) {
        TellStorage(command, work.set_quota().account(), changes);
      }
      break;
  }
  if (work.has_exports()) ExportsFinished(command, changes);
  if (work.has_balancing()) BalancingFinished(command, work.balancing(), changes);
  return changes;
}

const agent::v1::Account* AccountOf(const agent::v1::Work& work) {
  switch (work.kind_case()) {
    case agent::v1::Work::kCreateAccount:
      return &work.create_account().account();
    case agent::v1::Work::kSuspendAccount:
      return &work.suspend_account().account();
    case agent::v1::Work::kUnsuspendAccount:
      return &work.unsuspend_account().account();
    case agent::v1::Work::kDeleteAccount:
      return &work.delete_account().account();
    case agent::v1::Work::kSetAccountQuota:
      return &work.set_account_quota().account();
    case agent::v1::Work::kAddAccountAddress:
      return &work.add_account_address().account();
    case agent::v1::Work::kRemoveAccountAddress:
      return &work.remove_account_address().account();
    case agent::v1::Work::kSetQuota:
      return &work.set_quota().account();
    default:
      return nullptr;
  }
}

void Cluster::AccountCommandFinished(const agent::v1::Work& work, const Ending& ending,
                                     ChangeSet& changes) {
  const agent::v1::Account& told = *AccountOf(work);
  const storage::v1::Account* old = FindAccount(told.domain());
  // The uid tells it from an account of the same domain that was made since.
  if (old == nullptr || old->account().uid() != told.uid()) return;
  storage::v1::Account row = *old;
  switch (work.kind_case()) {
    case agent::v1::Work::kCreateAccount:
      if (StateOf(row) != v1::Account::CREATING) return;
      if (!ending.touched && row.account().state() == v1::Account::CREATING) {
        return EraseAccount(told.domain(), changes);
      }
      if (!ending.succeeded || !ending.touched) return;
      SetState(row, v1::Account::ACTIVE);
      break;
    case agent::v1::Work::kSuspendAccount:
    case agent::v1::Work::kUnsuspendAccount:
      if (!SuspensionDecided(row, told, ending)) return;
      break;
    case agent::v1::Work::kDeleteAccount:
      if (row.delete_generation() != told.generation()) return;
      if (ending.succeeded) return EraseAccount(told.domain(), changes);
      if (!ending.touched) row.mutable_account()->set_state(row.state_before_delete());
      row.set_delete_generation(0);
      row.clear_unbinding();
      break;
    case agent::v1::Work::kSetAccountQuota:
    case agent::v1::Work::kSetQuota:
      if (!QuotaDecided(row, told, ending)) return;
      break;
    default:
      if (!AddressDecided(row, told.generation(), ending)) return;
      break;
  }
  Put(std::move(row), changes);
}

bool Cluster::SuspensionDecided(storage::v1::Account& row, const agent::v1::Account& told,
                                const Ending& ending) {
  // A newer one decides.
  if (row.suspend_generation() != told.generation()) return false;
  row.set_suspend_generation(0);
  if (ending.succeeded && ending.touched) {
    SetState(row, told.suspended() ? v1::Account::SUSPENDED : v1::Account::ACTIVE);
  } else if (!ending.touched) {
    row.set_suspended(StateOf(row) == v1::Account::SUSPENDED);
  }
  if (!row.suspended()) row.mutable_account()->clear_suspend_note();
  return true;
}

bool Cluster::QuotaDecided(storage::v1::Account& row, const agent::v1::Account& told,
                           const Ending& ending) {
  if (row.quota_generation() == 0) return false;
  const bool last = row.quota_generation() == told.generation();
  if (ending.touched) {
    row.set_applied_quota_bytes(told.quota_bytes());
  } else if (last) {
    row.mutable_account()->set_quota_bytes(row.applied_quota_bytes());
  }
  if (last) row.set_quota_generation(0);
  return true;
}

bool Cluster::AddressDecided(storage::v1::Account& row, uint64_t generation, const Ending& ending) {
  auto& all = *row.mutable_address_changes();
  const auto at = absl::c_find_if(all, [&](const storage::v1::AddressChange& change) {
    return change.generation() == generation;
  });
  if (at == all.end()) return false;
  const storage::v1::AddressChange change = *at;
  const auto next = std::find_if(at + 1, all.end(), [&](const storage::v1::AddressChange& later) {
    return later.address() == change.address();
  });
  // Whether the nodes have it now, as far as this command goes.
  const bool present = ending.touched ? !change.remove() : change.remove() != change.redundant();
  auto& addresses = *row.mutable_account()->mutable_addresses();
  if (next != all.end()) {
    next->set_redundant(next->remove() != present);
  } else if (!ending.touched && !present && addresses.size() > 1) {
    Remove(addresses, change.address());
  } else if (!ending.touched && present && !Contains(addresses, change.address())) {
    *addresses.Add() = change.address();
    std::rotate(addresses.begin() + std::min(change.position(), addresses.size() - 1),
                addresses.end() - 1, addresses.end());
  }
  all.erase(at);
  return true;
}

void Cluster::MountFinished(const agent::v1::Share& told, const Ending& ending,
                            ChangeSet& changes) {
  const storage::v1::Share* old = FindShare(told.name());
  if (old == nullptr) return;
  if (ending.reached && !old->mounted()) {
    storage::v1::Share row = *old;
    row.set_mounted(true);
    return Put(std::move(row), changes);
  }
  const bool nobodys = !ending.touched && !ending.superseded && !old->mounted() &&
                       old->unmounting_size() == 0 && AccountsOn(told.name()) == 0;
  if (nobodys) EraseShare(told.name(), changes);
}

void Cluster::UnmountFinished(const Command& command, const std::string& name, const Ending& ending,
                              ChangeSet& changes) {
  const storage::v1::Share* old = FindShare(name);
  if (old == nullptr) return;
  storage::v1::Share row = *old;
  const auto entry = EntryOf(command, *row.mutable_unmounting());
  if (entry == row.mutable_unmounting()->end()) return;
  row.mutable_unmounting()->erase(entry);
  // Another one of its kind decides, or it was mounted again.
  const bool decides = row.unwanted() && row.unmounting_size() == 0;
  if (decides && ending.succeeded) return EraseShare(name, changes);
  if (decides) row.set_unwanted(false);
  Put(std::move(row), changes);
}

void Cluster::BindFinished(const std::string& address, const Ending& ending, ChangeSet& changes) {
  const auto old = addresses_.find(address);
  if (old == addresses_.end() || old->second.bound()) return;
  storage::v1::Address row = old->second;
  if (ending.reached) {
    row.set_bound(true);
  } else if (!ending.touched && !ending.superseded) {
    row.set_everywhere(false);
    row.clear_nodes();
  }
  PutOrErase(std::move(row), changes);
}

void Cluster::UnbindFinished(const Command& command, const std::string& address,
                             const Ending& ending, ChangeSet& changes) {
  const auto old = addresses_.find(address);
  if (old == addresses_.end()) return;
  storage::v1::Address row = old->second;
  const auto entry = EntryOf(command, *row.mutable_unbinding());
  if (entry == row.mutable_unbinding()->end()) return;
  const storage::v1::Unbinding unbinding = *entry;
  row.mutable_unbinding()->erase(entry);
  const bool untouched = !ending.touched && !ending.superseded;
  if (untouched && !IsWanted(row) && row.unbinding_size() == 0) {
    row.set_everywhere(unbinding.everywhere_before());
    *row.mutable_nodes() = unbinding.nodes_before();
  }
  PutOrErase(std::move(row), changes);
}

// A row that says nothing any more goes.
void Cluster::PutOrErase(storage::v1::Address row, ChangeSet& changes) {
  if (!IsWanted(row) && row.unbinding_size() == 0) return EraseAddress(row.address(), changes);
  Put(std::move(row), changes);
}

}  // namespace hostq::manager
