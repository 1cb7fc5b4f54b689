#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxPingPayload = 128 << 10;

}  // namespace

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

absl::StatusOr<std::vector<std::string>> Cluster::AnyNodes(
    absl::Span<const std::string> nodes) const {
  if (!nodes.empty()) {
    return NamedNodes(nodes,
                      {v1::Node::APP, v1::Node::STORAGE, v1::Node::BALANCER, v1::Node::DATABASE});
  }
  std::vector<std::string> joined;
  for (const auto& [name, node] : nodes_) {
    if (HasJoined(node) && !node.draining()) joined.push_back(name);
  }
  if (!joined.empty()) return joined;
  return NoTargets("no node that has joined takes work",
                   "hostq node add NAME --role ROLE --address ADDRESS, and run what it prints "
                   "on the node");
}

absl::StatusOr<PlannedCommand> Cluster::PlanPreflight(absl::Span<const std::string> nodes) const {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> targets, AnyNodes(nodes));
  return PreflightOn(targets);
}

absl::StatusOr<PlannedCommand> Cluster::PlanPing(const v1::Ping& request,
                                                 absl::Span<const std::string> nodes) {
  if (request.payload().size() > kMaxPingPayload) {
    return InvalidField(
        Reason::kInvalidArgument, "spec.ping.payload",
        absl::StrCat(request.payload().size(), " bytes; wanted: at most ", kMaxPingPayload));
  }
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> targets, AnyNodes(nodes));
  draft.tasks = InOneStage(targets);
  // Each on a key of its own: they are not kept in order.
  draft.resource_key = absl::StrCat("ping/", ++pings_);
  *draft.spec.mutable_ping() = request;
  draft.work.mutable_ping()->set_payload(request.payload());
  draft.needs_ready = false;
  return Finish(std::move(draft));
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
