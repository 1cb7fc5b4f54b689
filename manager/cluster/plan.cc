#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

// In messages; the rest is counted.
constexpr size_t kNamesShown = 5;

std::string Names(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamesShown);
  std::string text = absl::StrJoin(names.begin(), names.begin() + shown, ", ",
                                   [](std::string* out, const std::string& name) {
                                     absl::StrAppend(out, "\"", Printable(name, 80), "\"");
                                   });
  if (shown < names.size()) absl::StrAppend(&text, " and ", names.size() - shown, " more");
  return text;
}

std::string RoleNames(const std::vector<v1::Node::Role>& roles) {
  return absl::StrJoin(roles, " or ", [](std::string* out, v1::Node::Role role) {
    absl::StrAppend(out, absl::AsciiStrToLower(v1::Node::Role_Name(role)));
  });
}

bool HasAny(const storage::v1::Node& node, const std::vector<v1::Node::Role>& roles) {
  return absl::c_any_of(roles, [&](v1::Node::Role role) { return HasRole(node, role); });
}

// Accounts are the same on every node, or they would be of no use behind a balancer.
bool TakesNodes(v1::CommandSpec::KindCase kind) {
  switch (kind) {
    case v1::CommandSpec::kMountShare:
    case v1::CommandSpec::kUnmountShare:
    case v1::CommandSpec::kSetQuota:
    case v1::CommandSpec::kBindAddress:
    case v1::CommandSpec::kUnbindAddress:
    case v1::CommandSpec::kPreflight:
    case v1::CommandSpec::kPing:
    case v1::CommandSpec::kResyncAccount:
      return true;
    default:
      return false;
  }
}

// What a request may change, and what stands in docs/reference/kinds.md.
RetryRules RetryRulesOf(v1::CommandSpec::KindCase kind) {
  RetryRules rules;
  switch (kind) {
    case v1::CommandSpec::kMountShare:
    case v1::CommandSpec::kUnmountShare:
      // File servers come back in minutes, and what keeps a share busy ends by itself.
      rules.backoff.initial = absl::Seconds(5);
      break;
    case v1::CommandSpec::kPing:
    case v1::CommandSpec::kPreflight:
      // It finds out and changes nothing: soon tried again, or never.
      rules.backoff.cap = absl::Seconds(30);
      rules.max_attempts = 3;
      break;
    default:
      break;
  }
  return rules;
}

}  // namespace

absl::StatusOr<PlannedCommand> Cluster::Plan(const v1::CommandSpec& spec,
                                             absl::Span<const std::string> nodes, const Now& now,
                                             absl::string_view key_id) {
  const v1::CommandSpec::KindCase kind = spec.kind_case();
  if (kind != v1::CommandSpec::KIND_NOT_SET && !TakesNodes(kind) && !nodes.empty()) {
    const bool of_role =
        kind == v1::CommandSpec::kSetBalancing || kind == v1::CommandSpec::kSetExports;
    return InvalidField(Reason::kInvalidArgument, "nodes",
                        kind == v1::CommandSpec::kResyncNode
                            ? "it names its node itself; wanted: no other node named"
                        : of_role ? "it goes to all nodes of its role; wanted: no node named"
                                  : "accounts exist on every node; wanted: no node named");
  }
  switch (kind) {
    case v1::CommandSpec::kCreateAccount:
      return PlanCreateAccount(spec.create_account(), now, key_id);
    case v1::CommandSpec::kSuspendAccount:
      return PlanSuspendAccount(spec.suspend_account());
    case v1::CommandSpec::kUnsuspendAccount:
      return PlanUnsuspendAccount(spec.unsuspend_account());
    case v1::CommandSpec::kDeleteAccount:
      return PlanDeleteAccount(spec.delete_account());
    case v1::CommandSpec::kSetAccountQuota:
      return PlanSetAccountQuota(spec.set_account_quota());
    case v1::CommandSpec::kAddAccountAddress:
      return PlanAddAccountAddress(spec.add_account_address());
    case v1::CommandSpec::kRemoveAccountAddress:
      return PlanRemoveAccountAddress(spec.remove_account_address());
    case v1::CommandSpec::kResyncAccount:
      return PlanResyncAccount(spec.resync_account(), nodes);
    case v1::CommandSpec::kResyncNode:
      return PlanResyncNode(spec.resync_node());
    case v1::CommandSpec::kMountShare:
      return PlanMountShare(spec.mount_share(), nodes);
    case v1::CommandSpec::kUnmountShare:
      return PlanUnmountShare(spec.unmount_share(), nodes);
    case v1::CommandSpec::kSetQuota:
      return PlanSetQuota(spec.set_quota(), nodes);
    case v1::CommandSpec::kBindAddress:
      return PlanBindAddress(spec.bind_address(), nodes);
    case v1::CommandSpec::kUnbindAddress:
      return PlanUnbindAddress(spec.unbind_address(), nodes);
    case v1::CommandSpec::kPreflight:
      return PlanPreflight(nodes);
    case v1::CommandSpec::kPing:
      return PlanPing(spec.ping(), nodes);
    case v1::CommandSpec::kSetBalancing:
      return PlanSetBalancing(spec.set_balancing());
    case v1::CommandSpec::kSetExports:
      return PlanSetExports();
    case v1::CommandSpec::KIND_NOT_SET:
      break;
  }
  return InvalidField(Reason::kInvalidArgument, "spec",
                      "no kind of command, or one that this manager does not know");
}

PlannedCommand Cluster::Finish(Draft draft) {
  HOSTQ_CHECK(!draft.tasks.empty());
  HOSTQ_CHECK(static_cast<int>(draft.spec.kind_case()) == static_cast<int>(draft.work.kind_case()));
  PlannedCommand command;
  command.kind = v1::CommandSpec::descriptor()
                     ->FindFieldByNumber(static_cast<int>(draft.spec.kind_case()))
                     ->name();
  command.resource_key = std::move(draft.resource_key);
  command.spec = draft.spec.SerializeAsString();
  command.work = draft.work.SerializeAsString();
  command.tasks = std::move(draft.tasks);
  command.supersedes = std::move(draft.supersedes);
  command.needs_ready = draft.needs_ready;
  command.timeout = draft.timeout;
  command.retry = RetryRulesOf(draft.spec.kind_case());
  command.changes = std::move(draft.changes);
  command.parts = std::move(draft.parts);
  return command;
}

std::vector<std::string> Cluster::NodesWith(const Roles& roles, const Roles& without) const {
  std::vector<std::string> names;
  for (const auto& [name, node] : nodes_) {
    if (!node.draining() && HasAny(node, roles) && !HasAny(node, without)) names.push_back(name);
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> Cluster::NamedNodes(absl::Span<const std::string> nodes,
                                                             const Roles& roles) const {
  const std::set<std::string> names(nodes.begin(), nodes.end());
  std::vector<std::string> unknown, draining, unfit;
  for (const std::string& name : names) {
    const storage::v1::Node* node = FindNode(name);
    if (node == nullptr) {
      unknown.push_back(name);
    } else if (!HasAny(*node, roles)) {
      unfit.push_back(name);
    } else if (node->draining()) {
      draining.push_back(name);
    }
  }
  if (!unknown.empty()) {
    return NotFound(Reason::kUnknownNode, absl::StrCat("nodes: there is no node ", Names(unknown)));
  }
  if (!unfit.empty()) {
    return NoTargets(
        absl::StrCat(Names(unfit), " cannot do this; wanted: nodes of role ", RoleNames(roles)),
        absl::StrCat("name nodes of role ", RoleNames(roles), ": hostq node list; or name none"));
  }
  if (!draining.empty()) {
    return Precondition(
        Reason::kNodeDraining,
        absl::StrCat("nodes: ", Names(draining), " is being removed and takes no new work"));
  }
  return std::vector<std::string>(names.begin(), names.end());
}

absl::StatusOr<std::vector<PlannedTask>> Cluster::AccountTasks(Order order) const {
  const std::vector<std::string> keepers = NodesWith({v1::Node::STORAGE});
  const std::vector<std::string> others = NodesWith({v1::Node::APP}, {v1::Node::STORAGE});
  if (keepers.empty() && others.empty()) {
    return NoTargets("no node of role app or storage takes work",
                     "hostq node add NAME --role storage --address ADDRESS");
  }
  const bool staged = order != Order::kTogether && !keepers.empty() && !others.empty();
  std::vector<PlannedTask> tasks;
  for (const std::string& name : keepers) {
    tasks.push_back({name, staged && order == Order::kStorageLast ? 1 : 0});
  }
  for (const std::string& name : others) {
    tasks.push_back({name, staged && order == Order::kStorageFirst ? 1 : 0});
  }
  absl::c_sort(tasks, [](const PlannedTask& a, const PlannedTask& b) {
    return std::tie(a.stage, a.node) < std::tie(b.stage, b.node);
  });
  return tasks;
}

absl::Status NotFound(Reason reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kNotFound, reason, message);
}

absl::Status NoTargets(absl::string_view wanted, absl::string_view remedy) {
  return WithRemedy(Precondition(Reason::kNoTargets, absl::StrCat("nodes: ", wanted)), remedy);
}

std::vector<PlannedTask> InOneStage(const std::vector<std::string>& nodes) {
  std::vector<PlannedTask> tasks;
  tasks.reserve(nodes.size());
  for (const std::string& node : nodes) tasks.push_back({node, 0});
  return tasks;
}

std::vector<std::string> NodesOf(const std::vector<PlannedTask>& tasks) {
  std::vector<std::string> names;
  names.reserve(tasks.size());
  for (const PlannedTask& task : tasks) names.push_back(task.node);
  return names;
}

agent::v1::Share WorkOf(const v1::Share& share) {
  agent::v1::Share work;
  work.set_name(share.name());
  if (const auto source = NormalSource("source", share.source()); source.ok()) {
    work.set_server(source->host);
    work.set_export_path(source->path);
  }
  work.set_mount_point(share.mount_point());
  work.set_nfs_version(share.nfs_version());
  return work;
}

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& list,
              absl::string_view value) {
  return absl::c_any_of(list, [&](const std::string& each) { return each == value; });
}

bool Remove(google::protobuf::RepeatedPtrField<std::string>& list, absl::string_view value) {
  for (int i = 0; i < list.size(); ++i) {
    if (list.Get(i) != value) continue;
    list.DeleteSubrange(i, 1);
    return true;
  }
  return false;
}

}  // namespace hostq::manager
