#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

absl::Status LeavingNodes(const std::string& address, absl::string_view by) {
  return WithRemedy(Precondition(Reason::kAddressInUse,
                                 absl::StrCat("address: ", address,
                                              " is just being taken off the nodes by ", by)),
                    "wait until that has finished: hostq command list; then submit again");
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
    if (absl::c_linear_search(AddressesOf(node.node()), address)) {
      return reserved(absl::StrCat("node ", name, "'s own"));
    }
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
  return row != addresses_.end() && IsWanted(row->second);
}

bool Cluster::IsFree(const std::string& address, absl::string_view except) const {
  return UserOf(address, except).empty() && !IsBound(address);
}

absl::Status Cluster::CheckNotUnbinding(const std::string& address, absl::string_view key) const {
  const auto row = addresses_.find(address);
  if (row != addresses_.end() && row->second.unbinding_size() != 0 && key != AddressKey(address)) {
    return LeavingNodes(address, "unbind_address");
  }
  const auto domains = address_domains_.find(address);
  if (domains == address_domains_.end()) return absl::OkStatus();
  for (const std::string& domain : domains->second) {
    if (key == AccountKey(domain)) continue;
    const storage::v1::Account& account = accounts_.find(domain)->second;
    if (Contains(account.unbinding(), address)) {
      return LeavingNodes(address, absl::StrCat("delete_account ", domain));
    }
    if (absl::c_any_of(account.address_changes(), [&](const storage::v1::AddressChange& change) {
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

absl::StatusOr<std::vector<PlannedTask>> Cluster::AddressTasks(
    absl::Span<const std::string> nodes) const {
  if (nodes.empty()) return AddressTasks();
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> named, NamedNodes(nodes, {v1::Node::APP}));
  return InOneStage(named);
}

storage::v1::Address Cluster::AddressRow(const std::string& address) const {
  const auto row = addresses_.find(address);
  if (row != addresses_.end()) return row->second;
  storage::v1::Address fresh;
  fresh.set_address(address);
  return fresh;
}

absl::StatusOr<PlannedCommand> Cluster::PlanBindAddress(const v1::BindAddress& request,
                                                        absl::Span<const std::string> nodes) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string address, TakeAddress(request.address()));
  HOSTQ_RETURN_IF_ERROR(CheckNotUnbinding(address, AddressKey(address)));
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AddressTasks(nodes));
  storage::v1::Address row = AddressRow(address);
  if (nodes.empty()) {
    row.set_everywhere(true);
    row.clear_nodes();
  } else if (!row.everywhere()) {
    for (const PlannedTask& task : draft.tasks) {
      if (!Contains(row.nodes(), task.node)) row.add_nodes(task.node);
    }
  }
  draft.resource_key = AddressKey(address);
  draft.spec.mutable_bind_address()->set_address(address);
  draft.work.mutable_bind_address()->set_address(address);
  for (const std::string& balancer : BalancerAddresses()) {
    draft.work.mutable_bind_address()->add_balancers(balancer);
  }
  draft.supersedes = {"bind_address", "unbind_address"};
  Put(std::move(row), draft.changes);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanUnbindAddress(const v1::UnbindAddress& request,
                                                          absl::Span<const std::string> nodes) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string address, TakeAddress(request.address()));
  if (const std::string user = UserOf(address, ""); !user.empty()) {
    return WithRemedy(Precondition(Reason::kAddressInUse,
                                   absl::StrCat("address: account ", user, " uses ", address)),
                      absl::StrCat("take it from the account first: hostq account remove-address ",
                                   user, " ", address));
  }
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AddressTasks(nodes));
  // Also of one that is not there: it may be on a node all the same, and until it is off nobody
  // else may have it.
  storage::v1::Address row = AddressRow(address);
  storage::v1::Unbinding& unbinding = *row.add_unbinding();
  unbinding.set_everywhere_before(row.everywhere());
  *unbinding.mutable_nodes_before() = row.nodes();
  if (row.everywhere()) {
    for (const std::string& node : NodesWith({v1::Node::APP})) row.add_nodes(node);
    row.set_everywhere(false);
  }
  for (const PlannedTask& task : draft.tasks) {
    unbinding.add_nodes(task.node);
    Remove(*row.mutable_nodes(), task.node);
  }
  if (nodes.empty()) row.clear_nodes();
  draft.resource_key = AddressKey(address);
  draft.spec.mutable_unbind_address()->set_address(address);
  draft.work.mutable_unbind_address()->set_address(address);
  draft.supersedes = {"bind_address", "unbind_address"};
  Put(std::move(row), draft.changes);
  return Finish(std::move(draft));
}

}  // namespace hostq::manager
