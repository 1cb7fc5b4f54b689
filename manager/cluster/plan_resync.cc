#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

// What a node is to have that has just joined, has lost something, or is to be compared: a
// preflight, and as parts what it mounts, what it carries, and every account.

namespace hostq::manager {
namespace {

// Of the parts.
constexpr int kSharesAndAddresses = 1;
constexpr int kAccounts = 2;

}  // namespace

absl::StatusOr<PlannedCommand> Cluster::PlanResyncAccount(const v1::ResyncAccount& request,
                                                          absl::Span<const std::string> nodes) {
  // Nothing of the account changes: also its generation stays.
  HOSTQ_RETURN_IF_ERROR(TakeAccount(request.domain(), AccountUse::kCommand).status());
  HOSTQ_ASSIGN_OR_RETURN(const std::string domain, NormalDomain("domain", request.domain()));
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> named,
                         NamedNodes(nodes, {v1::Node::APP, v1::Node::STORAGE}));
  // Each node for itself: what one cannot put right does not keep the others from it.
  std::vector<PlannedTask> tasks = InOneStage(named);
  if (named.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(tasks, AccountTasks(Order::kTogether));
  }
  return ResyncAccountOn(*FindAccount(domain), std::move(tasks), request.apply());
}

PlannedCommand Cluster::ResyncAccountOn(const storage::v1::Account& row,
                                        std::vector<PlannedTask> tasks, bool apply) const {
  Draft draft;
  draft.tasks = std::move(tasks);
  draft.resource_key = AccountKey(row.account().domain());
  draft.spec.mutable_resync_account()->set_domain(row.account().domain());
  draft.spec.mutable_resync_account()->set_apply(apply);
  *draft.work.mutable_resync_account()->mutable_account() = WorkOf(row);
  draft.work.mutable_resync_account()->set_apply(apply);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanResyncNode(const v1::ResyncNode& request) {
  const storage::v1::Node* node = FindNode(request.node());
  if (node == nullptr) return UnknownNode(request.node());
  HOSTQ_RETURN_IF_ERROR(NamedNodes({request.node()}, {v1::Node::APP, v1::Node::STORAGE}).status());
  return ResyncNodeOf(request.node(), request.apply());
}

PlannedCommand Cluster::ResyncNodeOf(const std::string& node, bool apply) {
  Draft draft;
  draft.resource_key = absl::StrCat("node/", node);
  draft.spec.mutable_resync_node()->set_node(node);
  draft.spec.mutable_resync_node()->set_apply(apply);
  *draft.work.mutable_resync_node()->mutable_preflight() = PreflightWork();
  draft.tasks = InOneStage({node});
  draft.timeout = kPreflightTimeout;
  // What a command under way forbids is that one's business.
  const auto add = [&draft](absl::StatusOr<PlannedCommand> part) {
    if (!part.ok()) return;
    part->part_stage = kSharesAndAddresses;
    draft.parts.push_back(*std::move(part));
  };
  const storage::v1::Node& row = *FindNode(node);
  const bool app = HasRole(row, v1::Node::APP);
  const bool mounts = app && !HasRole(row, v1::Node::STORAGE);
  // Planning changes the rows.
  for (const auto& [name, share] : std::map(shares_)) {
    if (share.unwanted() || (!mounts && !Contains(share.extra_nodes(), node))) continue;
    if (!apply) {
      *draft.work.mutable_resync_node()->add_shares() = manager::WorkOf(share.share());
      continue;
    }
    v1::MountShare request;
    request.set_share(name);
    request.set_source(share.share().source());
    request.set_mount_point(share.share().mount_point());
    request.set_nfs_version(share.share().nfs_version());
    request.set_exported(share.share().exported());
    add(PlanMountShare(request, {node}));
  }
  for (const auto& [address, bound] : std::map(addresses_)) {
    if (!app || (!bound.everywhere() && !Contains(bound.nodes(), node))) continue;
    if (!apply) {
      draft.work.mutable_resync_node()->add_addresses(address);
      continue;
    }
    v1::BindAddress request;
    request.set_address(address);
    add(PlanBindAddress(request, {node}));
  }
  for (const auto& [domain, account] : accounts_) {
    // Those that are being deleted, or made here too, have commands of their own.
    const v1::Account::State state = account.account().state();
    const bool made_elsewhere =
        state == v1::Account::CREATING &&
        FromTimestamp(account.account().create_time()) < FromTimestamp(row.node().create_time());
    if (state != v1::Account::ACTIVE && state != v1::Account::SUSPENDED && !made_elsewhere)
      continue;
    draft.parts.push_back(ResyncAccountOn(account, InOneStage({node}), apply));
    draft.parts.back().part_stage = kAccounts;
  }
  return Finish(std::move(draft));
}

void Cluster::BringUp(const std::string& node, ChangeSet& changes) {
  const storage::v1::Node& row = *FindNode(node);
  if (!HasRole(row, v1::Node::APP) && !HasRole(row, v1::Node::STORAGE)) return;
  PlannedCommand plan = ResyncNodeOf(node, true);
  if (plan.parts.empty()) return;
  // See ChangeSet::commands.
  const auto take = [&changes](ChangeSet& own) {
    std::move(own.resources.begin(), own.resources.end(), std::back_inserter(changes.resources));
    own.resources.clear();
  };
  take(plan.changes);
  for (PlannedCommand& part : plan.parts) take(part.changes);
  changes.commands.push_back(std::move(plan));
}

void Cluster::ResyncFinished(const Command& command, ChangeSet& changes) {
  v1::CommandSpec spec;
  if (command.state != CommandState::kSucceeded || !spec.ParseFromString(command.spec)) return;
  const storage::v1::Node* node = FindNode(spec.resync_node().node());
  if (!spec.resync_node().apply() || node == nullptr || !node->awaits_accounts()) return;
  storage::v1::Node row = *node;
  row.set_awaits_accounts(false);
  row.set_weight(1);
  Put(std::move(row), changes);
  Rebalance(false, changes);
}

}  // namespace hostq::manager
