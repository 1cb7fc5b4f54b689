#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {

const storage::v1::Node* Cluster::ServerOf(const v1::Share& share) const {
  const auto source = NormalSource("source", share.source());
  if (!source.ok()) return nullptr;
  for (const std::string& name : NodesWith({v1::Node::STORAGE})) {
    const storage::v1::Node* node = FindNode(name);
    if (source->host == name || absl::c_linear_search(AddressesOf(node->node()), source->host)) {
      return node;
    }
  }
  return nullptr;
}

absl::Status Cluster::CheckExported(const v1::Share& share) const {
  if (!share.exported() || ServerOf(share) != nullptr) return absl::OkStatus();
  return WithRemedy(
      InvalidField(Reason::kInvalidArgument, "exported",
                   absl::StrCat("no storage node of the cluster is ", share.source())),
      "name a storage node by its cluster address: hostq node list; or export the share yourself "
      "and leave this out");
}

bool Cluster::AnyExported() const {
  return absl::c_any_of(shares_, [](const auto& entry) { return entry.second.share().exported(); });
}

agent::v1::ExportTable Cluster::ExportTable() const {
  agent::v1::ExportTable table;
  table.set_revision(counters_.exports_revision());
  for (const auto& [name, row] : shares_) {
    const storage::v1::Node* server = ServerOf(row.share());
    if (!row.share().exported() || row.unwanted() || server == nullptr) continue;
    agent::v1::Export& entry = *table.add_exports();
    entry.set_server(server->node().address());
    entry.set_path(NormalSource("source", row.share().source())->path);
    std::vector<std::string> clients = NodesWith({v1::Node::APP}, {v1::Node::STORAGE});
    for (const std::string& extra : row.extra_nodes()) {
      if (!absl::c_linear_search(clients, extra)) clients.push_back(extra);
    }
    for (const std::string& client : clients) {
      const storage::v1::Node* node = FindNode(client);
      if (node == nullptr || node == server) continue;
      for (std::string& address : AddressesOf(node->node())) {
        entry.add_clients(std::move(address));
      }
    }
  }
  return table;
}

void Cluster::RaiseExportsRevision(ChangeSet& changes) {
  counters_.set_exports_revision(
      std::max(counters_.exports_revision() + 1, options_.revision_floor));
  PutCounters(changes);
}

void Cluster::AddExporters(bool first, Draft& draft) {
  RaiseExportsRevision(draft.changes);
  *draft.work.mutable_exports() = ExportTable();
  const std::vector<std::string> exporters = NodesWith({v1::Node::STORAGE});
  const auto exports = [&](const std::string& node) {
    return absl::c_linear_search(exporters, node);
  };
  // A storage node that was named has one task all the same.
  std::vector<PlannedTask> tasks;
  for (const PlannedTask& task : draft.tasks) {
    if (!exports(task.node)) tasks.push_back({task.node, first ? 1 : 0});
  }
  const int stage = tasks.empty() || first ? 0 : 1;
  for (const std::string& node : exporters) tasks.push_back({node, stage});
  absl::c_sort(tasks, [](const PlannedTask& a, const PlannedTask& b) {
    return std::tie(a.stage, a.node) < std::tie(b.stage, b.node);
  });
  draft.tasks = std::move(tasks);
}

void Cluster::Reexport(ChangeSet& changes) {
  const std::vector<std::string> exporters = NodesWith({v1::Node::STORAGE});
  if (exporters.empty() || !AnyExported()) return;
  RaiseExportsRevision(changes);
  Draft draft;
  draft.resource_key = "storage/exports";
  draft.spec.mutable_set_exports();
  draft.work.mutable_set_exports();
  *draft.work.mutable_exports() = ExportTable();
  draft.tasks = InOneStage(exporters);
  draft.supersedes = {"set_exports"};
  changes.commands.push_back(Finish(std::move(draft)));
}

void Cluster::ExportsFinished(const Command& command, ChangeSet& changes) {
  if (command.kind == "set_exports") return;
  const bool withdrawn = absl::c_any_of(command.tasks, [&](const Task& task) {
    const storage::v1::Node* node = FindNode(task.node);
    return node != nullptr && HasRole(*node, v1::Node::STORAGE) &&
           (task.outcome == Outcome::kCancelled || task.outcome == Outcome::kExpired);
  });
  if (withdrawn) Reexport(changes);
}

absl::StatusOr<PlannedCommand> Cluster::PlanSetExports() {
  if (NodesWith({v1::Node::STORAGE}).empty()) {
    return NoTargets("no node of role storage takes work",
                     "hostq node add NAME --role storage --address ADDRESS");
  }
  if (!AnyExported()) {
    return WithRemedy(NotFound(Reason::kUnknownShare, "spec: hostq exports no share"),
                      "hostq share mount NAME --source NODE:/PATH --at PATH --export");
  }
  ChangeSet changes;
  Reexport(changes);
  PlannedCommand plan = std::move(changes.commands.back());
  changes.commands.clear();
  plan.changes = std::move(changes);
  return plan;
}

}  // namespace hostq::manager
