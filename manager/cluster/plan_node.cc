#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cluster/draft.h"

namespace hostq::manager {
PlannedCommand Cluster::PreflightOn(const std::vector<std::string>& nodes) const {
  Draft draft;
  draft.resource_key = "node/preflight";
  draft.spec.mutable_preflight();
  draft.tasks = InOneStage(nodes);
  draft.supersedes = {"preflight"};
  draft.needs_ready = false;
  draft.timeout = kPreflightTimeout;
  *draft.work.mutable_preflight() = PreflightWork();
  return Finish(std::move(draft));
}

agent::v1::Preflight Cluster::PreflightWork() const {
  agent::v1::Preflight work;
  for (const auto& [name, row] : shares_) {
    if (!row.unwanted()) *work.add_shares() = manager::WorkOf(row.share());
  }
  work.set_quorum_address(options_.quorum_address);
  work.set_quorum_port(options_.quorum_port);
  std::set<std::string> addresses;
  for (const auto& [address, domains] : address_domains_) {
    if (!UserOf(address, "").empty()) addresses.insert(address);
  }
  for (const auto& [address, row] : addresses_) {
    if (IsBound(address)) addresses.insert(address);
  }
  *work.mutable_addresses() = {addresses.begin(), addresses.end()};
  for (const std::string& address : BalancerAddresses()) work.add_balancers(address);
  return work;
}

absl::StatusOr<PlannedCommand> Cluster::PlanPreflight(absl::Span<const std::string> nodes) const {
  std::vector<std::string> targets;
  if (nodes.empty()) {
    for (const auto& [name, node] : nodes_) {
      if (HasJoined(node) && !node.draining()) targets.push_back(name);
    }
    if (targets.empty()) {
      return NoTargets("no node that has joined takes work",
                       "hostq node add NAME --role ROLE --address ADDRESS, and run what it prints "
                       "on the node");
    }
  } else {
    HOSTQ_ASSIGN_OR_RETURN(targets, NamedNodes(nodes, {v1::Node::APP, v1::Node::STORAGE,
                                                       v1::Node::BALANCER, v1::Node::DATABASE}));
  }
  return PreflightOn(targets);
}

std::optional<PlannedCommand> Cluster::NodeConnected(const NodeState& node) {
  const storage::v1::Node* row = FindNode(node.name);
  if (row == nullptr || row->admitted() || row->draining()) return std::nullopt;
  return PreflightOn({node.name});
}

std::optional<PlannedCommand> Cluster::CheckNode(const NodeState& node) {
  if (FindNode(node.name) == nullptr) return std::nullopt;
  PlannedCommand plan = PreflightOn({node.name});
  plan.supersedes.clear();  // not those that somebody asked for
  return plan;
}

}  // namespace hostq::manager
