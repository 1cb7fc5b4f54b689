#include <algorithm>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "google/protobuf/util/time_util.h"
#include "manager/cluster/draft.h"

namespace hostq::manager {
namespace {

constexpr char kKey[] = "balancer/services";
// SMTP, HTTP, POP3, IMAP, HTTPS, submission, IMAPS, POP3S: what a hosting account is reached by.
constexpr uint32_t kPorts[] = {25, 80, 110, 143, 443, 587, 993, 995};
constexpr int kMaxPorts = 64;
constexpr absl::string_view kSchedulers[] = {"rr", "wrr", "lc", "wlc", "lblc"};
constexpr uint32_t kMaxPersistence = 24 * 60 * 60;
constexpr uint32_t kMaxWeight = 65535;  // the kernel's

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return InvalidField(Reason::kInvalidArgument, field, message);
}

absl::Status SetPorts(const v1::SetBalancing& request, v1::BalancingSettings& settings) {
  const std::set<uint32_t> ports(request.ports().begin(), request.ports().end());
  if (ports.empty()) return absl::OkStatus();
  if (ports.size() > kMaxPorts) {
    return Invalid("ports", absl::StrCat(ports.size(), " of them; at most ", kMaxPorts));
  }
  if (*ports.begin() == 0 || *ports.rbegin() > 65535) {
    return Invalid("ports",
                   absl::StrCat(*ports.begin() == 0 ? 0 : *ports.rbegin(), "; wanted: 1 to 65535"));
  }
  *settings.mutable_ports() = {ports.begin(), ports.end()};
  return absl::OkStatus();
}

}  // namespace

bool IsRealServer(const storage::v1::Node& node) {
  return HasRole(node, v1::Node::APP) && !node.draining() && (node.has_weight() || node.admitted());
}

v1::BalancingSettings Cluster::Settings() const {
  if (balancing_.has_settings()) return balancing_.settings();
  v1::BalancingSettings settings;
  *settings.mutable_ports() = {std::begin(kPorts), std::end(kPorts)};
  settings.set_scheduler("wlc");
  settings.set_forwarding(v1::DIRECT);
  return settings;
}

std::vector<std::string> Cluster::BalancerAddresses() const {
  std::vector<std::string> addresses;
  for (const std::string& name : NodesWith({v1::Node::BALANCER})) {
    for (std::string& address : AddressesOf(FindNode(name)->node())) {
      addresses.push_back(std::move(address));
    }
  }
  return addresses;
}

std::vector<std::string> Cluster::VirtualAddresses() const {
  std::vector<std::string> addresses;
  for (const auto& [address, domains] : address_domains_) {
    if (!UserOf(address, "").empty()) addresses.push_back(address);
  }
  absl::c_sort(addresses);
  return addresses;
}

std::vector<v1::RealServer> Cluster::RealServers() const {
  std::vector<v1::RealServer> servers;
  for (const auto& [name, row] : nodes_) {
    if (!IsRealServer(row)) continue;
    v1::RealServer& server = servers.emplace_back();
    server.set_node(name);
    for (const std::string& address : AddressesOf(row.node())) server.add_addresses(address);
    const uint32_t weight = row.has_weight() ? row.weight() : 1;
    server.set_weight(row.node().drained() || row.has_ban() ? 0 : weight);
  }
  return servers;
}

uint32_t Cluster::FirstWeight(const storage::v1::Node& node) const {
  const bool misses = absl::c_any_of(accounts_, [&](const auto& entry) {
    const v1::Account& account = entry.second.account();
    return account.state() != v1::Account::DELETING &&
           FromTimestamp(account.create_time()) < FromTimestamp(node.node().create_time());
  });
  return misses ? 0 : 1;
}

agent::v1::BalancingTable Cluster::BalancingTable() const {
  agent::v1::BalancingTable table;
  table.set_revision(balancing_.revision());
  *table.mutable_settings() = Settings();
  for (std::string& address : VirtualAddresses()) table.add_addresses(std::move(address));
  for (v1::RealServer& server : RealServers()) *table.add_servers() = std::move(server);
  for (std::string& address : BalancerAddresses()) table.add_balancers(std::move(address));
  return table;
}

v1::Balancing Cluster::ShowBalancing() const {
  v1::Balancing out;
  *out.mutable_settings() = Settings();
  out.set_revision(balancing_.revision());
  out.set_confirmed_revision(balancing_.confirmed_revision());
  for (std::string& name : NodesWith({v1::Node::BALANCER})) out.add_balancers(std::move(name));
  for (std::string& address : VirtualAddresses()) out.add_addresses(std::move(address));
  for (v1::RealServer& server : RealServers()) *out.add_servers() = std::move(server);
  return out;
}

void Cluster::RaiseRevision(ChangeSet& changes) {
  balancing_.set_revision(std::max(balancing_.revision() + 1, options_.revision_floor));
  PutBalancing(changes);
}

void Cluster::AddBalancers(bool changed, BalancersCome when, Draft& draft) {
  const std::vector<std::string> balancers = NodesWith({v1::Node::BALANCER});
  const bool behind = balancing_.confirmed_revision() < balancing_.revision();
  if (balancers.empty() || (!changed && !behind)) return;
  if (changed) RaiseRevision(draft.changes);
  *draft.work.mutable_balancing() = BalancingTable();
  const std::vector<std::string> others = NodesOf(draft.tasks);
  const int last = draft.tasks.back().stage;
  std::vector<PlannedTask> first;
  for (const std::string& name : balancers) {
    if (absl::c_linear_search(others, name)) continue;
    if (when == BalancersCome::kFirst) {
      first.push_back({name, 0});
    } else {
      draft.tasks.push_back({name, last + 1});
    }
  }
  if (first.empty()) return;
  for (PlannedTask& task : draft.tasks) first.push_back({task.node, task.stage + 1});
  draft.tasks = std::move(first);
}

PlannedCommand Cluster::SetBalancingOn(const std::vector<std::string>& nodes,
                                       const v1::SetBalancing& request, ChangeSet changes) {
  Draft draft;
  draft.changes = std::move(changes);
  RaiseRevision(draft.changes);
  draft.resource_key = kKey;
  *draft.spec.mutable_set_balancing() = request;
  draft.tasks = InOneStage(nodes);
  draft.supersedes = {"set_balancing"};
  *draft.work.mutable_balancing() = BalancingTable();
  *draft.work.mutable_set_balancing()->mutable_balancers() = draft.work.balancing().balancers();
  return Finish(std::move(draft));
}

void Cluster::Rebalance(bool to_app, ChangeSet& changes) {
  if (NodesWith({v1::Node::BALANCER}).empty()) return;
  const Roles roles = to_app ? Roles{v1::Node::BALANCER, v1::Node::APP} : Roles{v1::Node::BALANCER};
  changes.commands.push_back(SetBalancingOn(NodesWith(roles), {}, {}));
  // The command's own changes are among those that lead to it.
  ChangeSet& own = changes.commands.back().changes;
  std::move(own.resources.begin(), own.resources.end(), std::back_inserter(changes.resources));
  own.resources.clear();
}

absl::Status Cluster::ChangeSettings(const v1::SetBalancing& request,
                                     v1::BalancingSettings& settings,
                                     std::vector<storage::v1::Node>& weighed) const {
  HOSTQ_RETURN_IF_ERROR(SetPorts(request, settings));
  if (!request.scheduler().empty()) {
    if (!absl::c_linear_search(kSchedulers, request.scheduler())) {
      return Invalid("scheduler", absl::StrCat("\"", Printable(request.scheduler(), 40),
                                               "\"; wanted: ", absl::StrJoin(kSchedulers, ", ")));
    }
    settings.set_scheduler(request.scheduler());
  }
  if (request.persistence_seconds() > kMaxPersistence) {
    return Invalid("persistence_seconds", absl::StrCat(request.persistence_seconds(),
                                                       "; wanted: at most ", kMaxPersistence));
  }
  if (request.has_persistence_seconds()) {
    settings.set_persistence_seconds(request.persistence_seconds());
  }
  if (!v1::Forwarding_IsValid(request.forwarding())) {
    return Invalid("forwarding", "wanted: DIRECT or TUNNEL");
  }
  if (request.forwarding() != v1::FORWARDING_UNSPECIFIED) {
    settings.set_forwarding(request.forwarding());
  }
  for (const v1::NodeWeight& weight : request.weights()) {
    const storage::v1::Node* node = FindNode(weight.node());
    if (node == nullptr) {
      return NotFound(Reason::kUnknownNode, absl::StrCat("weights: there is no node \"",
                                                         Printable(weight.node(), 80), "\""));
    }
    if (!IsRealServer(*node)) {
      return Invalid("weights", absl::StrCat("node ", weight.node(),
                                             " is no app node that has passed its preflight"));
    }
    if (weight.weight() > kMaxWeight) {
      return Invalid("weights", absl::StrCat(weight.weight(), "; wanted: 0 to ", kMaxWeight));
    }
    weighed.push_back(*node);
    weighed.back().set_weight(weight.weight());
    weighed.back().set_awaits_accounts(false);
  }
  return absl::OkStatus();
}

absl::StatusOr<PlannedCommand> Cluster::PlanSetBalancing(const v1::SetBalancing& request) {
  v1::BalancingSettings settings = Settings();
  std::vector<storage::v1::Node> weighed;
  HOSTQ_RETURN_IF_ERROR(ChangeSettings(request, settings, weighed));
  const std::vector<std::string> balancers = NodesWith({v1::Node::BALANCER});
  if (balancers.empty()) {
    return NoTargets("no node of role balancer takes work",
                     "hostq node add NAME --role balancer --address ADDRESS");
  }
  *balancing_.mutable_settings() = std::move(settings);
  ChangeSet changes;
  for (storage::v1::Node& node : weighed) Put(std::move(node), changes);
  return SetBalancingOn(balancers, request, std::move(changes));
}

// One that was taken back, or never came, must not leave a balancer with what is not so any more.
void Cluster::BalancingFinished(const Command& command, const agent::v1::BalancingTable& told,
                                ChangeSet& changes) {
  bool everywhere = true;
  bool withdrawn = false;
  for (const Task& task : command.tasks) {
    const storage::v1::Node* node = FindNode(task.node);
    if (node == nullptr || !HasRole(*node, v1::Node::BALANCER)) continue;
    everywhere &= task.outcome == Outcome::kSucceeded;
    withdrawn |= task.outcome == Outcome::kCancelled || task.outcome == Outcome::kExpired;
  }
  if (everywhere && told.revision() > balancing_.confirmed_revision()) {
    balancing_.set_confirmed_revision(told.revision());
    PutBalancing(changes);
  }
  if (withdrawn && command.kind != "set_balancing") Rebalance(false, changes);
}

}  // namespace hostq::manager
