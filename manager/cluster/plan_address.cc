#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

absl::Status LeavingNodes(const std::string& address, absl::string_view by) {
  return Precondition(Reason::kAddressInUse,
                      absl::StrCat("address: ", address, " is just being taken off the nodes by ",
                                   by, "; wait until that has finished"));
}

template <typename Names>
void SetNodes(const std::vector<std::string>& nodes, Names* names) {
  names->Clear();
  for (const std::string& node : nodes) *names->Add() = node;
}

}  // namespace

absl::StatusOr<std::string> Cluster::TakeAddress(absl::string_view text) const {
  HOSTQ_ASSIGN_OR_RETURN(std::string address, NormalAddress("address", text));
  const auto reserved = [&](absl::string_view what) {
    return Precondition(Reason::kAddressReserved,
                        absl::StrCat("address: ", address, " is ", what,
                                     "; wanted: an address that no machine has"));
  };
  if (address == options_.quorum_address) return reserved("the quorum address");
  for (const auto& [name, node] : nodes_) {
    if (address == node.node().address()) return reserved(absl::StrCat("node ", name, "'s own"));
  }
  return address;
}

std::string Cluster::UserOf(const std::string& address, absl::string_view except) const {
  const auto domains = address_domains_.find(address);
  if (domains == address_domains_.end()) return "";
  for (const std::string& domain : domains->second) {
    const v1::Account& account = accounts_.find(domain)->second.account();
    if (domain != except && account.state() != v1::Account::DELETING &&
        Contains(account.addresses(), address)) {
      return domain;
    }
  }
  return "";
}

bool Cluster::IsBound(const std::string& address) const {
  const auto row = addresses_.find(address);
  return row != addresses_.end() && row->second.unbinding_nodes_size() == 0;
}

bool Cluster::IsFree(const std::string& address, absl::string_view except) const {
  return UserOf(address, except).empty() && !IsBound(address);
}

absl::Status Cluster::CheckNotUnbinding(const std::string& address, absl::string_view key) const {
  if (!IsFree(address, "")) return absl::OkStatus();
  if (addresses_.count(address) != 0 && key != AddressKey(address)) {
    return LeavingNodes(address, "unbind_address");
  }
  const auto domains = address_domains_.find(address);
  if (domains == address_domains_.end()) return absl::OkStatus();
  for (const std::string& domain : domains->second) {
    if (key == AccountKey(domain)) continue;
    const storage::v1::Account& row = accounts_.find(domain)->second;
    if (row.account().state() == v1::Account::DELETING) {
      return LeavingNodes(address, absl::StrCat("delete_account ", domain));
    }
    if (absl::c_any_of(row.address_changes(), [&](const storage::v1::AddressChange& change) {
          return change.unbind() && change.address() == address;
        })) {
      return LeavingNodes(address, absl::StrCat("remove_account_address ", domain));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PlannedTask>> Cluster::AddressTasks() const {
  const std::vector<std::string> nodes = NodesWith({v1::Node::APP});
  if (nodes.empty()) {
    return NoTargets("no node of role app takes work",
                     "hostq node add NAME --role app --address ADDRESS");
  }
  return InOneStage(nodes);
}

absl::StatusOr<PlannedCommand> Cluster::PlanBindAddress(const v1::BindAddress& request,
                                                        absl::Span<const std::string> nodes) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string address, TakeAddress(request.address()));
  HOSTQ_RETURN_IF_ERROR(CheckNotUnbinding(address, AddressKey(address)));
  Draft draft;
  storage::v1::Address row;
  row.set_address(address);
  if (const auto old = addresses_.find(address); old != addresses_.end()) row = old->second;
  if (nodes.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AddressTasks());
    row.clear_nodes();
  } else {
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> named,
                           NamedNodes(nodes, {v1::Node::APP}));
    draft.tasks = InOneStage(named);
    const bool everywhere = IsBound(address) && row.nodes_size() == 0;
    if (!IsBound(address)) row.clear_nodes();
    for (const std::string& node : named) {
      if (!everywhere && !Contains(row.nodes(), node)) row.add_nodes(node);
    }
  }
  row.clear_unbinding_nodes();
  draft.resource_key = AddressKey(address);
  draft.spec.mutable_bind_address()->set_address(address);
  draft.work.mutable_bind_address()->set_address(address);
  draft.supersedes = {"bind_address", "unbind_address"};
  Put(std::move(row), draft.changes);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanUnbindAddress(const v1::UnbindAddress& request,
                                                          absl::Span<const std::string> nodes) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string address, TakeAddress(request.address()));
  if (const std::string user = UserOf(address, ""); !user.empty()) {
    return Precondition(Reason::kAddressInUse,
                        absl::StrCat("address: account ", user, " uses ", address,
                                     "; take it from the account first"));
  }
  Draft draft;
  if (nodes.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AddressTasks());
  } else {
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> named,
                           NamedNodes(nodes, {v1::Node::APP}));
    draft.tasks = InOneStage(named);
  }
  const std::vector<std::string> targets = NodesOf(draft.tasks);
  // Not there: it may be on a node all the same, and until it is off nobody else may have it.
  storage::v1::Address row;
  row.set_address(address);
  if (const auto old = addresses_.find(address); old != addresses_.end()) row = old->second;
  // Where it stays.
  std::vector<std::string> left(row.nodes().begin(), row.nodes().end());
  if (IsBound(address) && left.empty()) left = NodesWith({v1::Node::APP});
  left.erase(
      std::remove_if(left.begin(), left.end(),
                     [&](const std::string& node) { return absl::c_linear_search(targets, node); }),
      left.end());
  if (left.empty() || nodes.empty()) {
    SetNodes(targets, row.mutable_unbinding_nodes());
  } else {
    SetNodes(left, row.mutable_nodes());
  }
  draft.resource_key = AddressKey(address);
  draft.spec.mutable_unbind_address()->set_address(address);
  draft.work.mutable_unbind_address()->set_address(address);
  draft.supersedes = {"bind_address", "unbind_address"};
  Put(std::move(row), draft.changes);
  return Finish(std::move(draft));
}

}  // namespace hostq::manager
