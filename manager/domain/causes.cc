#include "manager/domain/causes.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hostq::manager {
namespace {

// What a task that gave up, or will try again, has met.
Reason Met(const Finding& finding) {
  return finding.cause == Reason::kNone ? finding.reason : finding.cause;
}

std::string Seen(const Finding& finding, const std::string& name) {
  const auto found = finding.evidence.find(name);
  return found == finding.evidence.end() ? "" : found->second;
}

// The file servers that findings name, by reason.
using Servers = std::map<Reason, std::set<std::string>>;

Servers ServersIn(absl::Span<const Finding> findings) {
  Servers servers;
  for (const Finding& finding : findings) {
    const std::string server = Seen(finding, "server");
    if (finding.stuck && !server.empty()) servers[Met(finding)].insert(server);
  }
  return servers;
}

// What a check or a share says of its server without naming it is said of the only one that has
// this trouble, if there is just one.
std::string ServerOf(const Finding& finding, const Servers& servers) {
  if (std::string server = Seen(finding, "server"); !server.empty()) return server;
  const auto named = servers.find(Met(finding));
  if (named != servers.end() && named->second.size() == 1) return *named->second.begin();
  const bool of_all_nodes = absl::StartsWith(finding.resource_key, "share/") ||
                            absl::StartsWith(finding.resource_key, "check/");
  return of_all_nodes ? finding.resource_key : "";
}

// The thing itself, so that all that suffers from it has the same.
std::string SubjectOf(const Finding& finding, const Servers& servers) {
  // An alarm's.
  if (std::string subject = Seen(finding, "subject"); !subject.empty()) return subject;
  switch (finding.owner) {
    case Owner::kFileServer:
      return ServerOf(finding, servers);
    case Owner::kNode:
    case Owner::kAgent:
      return finding.owner_node.empty() ? finding.node : finding.owner_node;
    case Owner::kManager:
      return finding.node;
    default:
      break;
  }
  if (finding.reason == Reason::kKindPaused) return finding.kind;
  const bool of_key = finding.reason == Reason::kResourcePaused ||
                      finding.reason == Reason::kFailureLimit ||
                      finding.reason == Reason::kWebhookFailing;
  // Whoever waits, waits for the node; who failed, did so for what it was to change.
  const bool waits = InfoOf(Met(finding)).reason_class == ReasonClass::kWait;
  return (waits && !of_key) || finding.resource_key.empty() ? finding.node : finding.resource_key;
}

// A file server that is down fails in many ways: its causes are one.
using Key = std::tuple<Reason, Owner, std::string>;

Key KeyOf(const Finding& finding, const Servers& servers) {
  std::string subject = SubjectOf(finding, servers);
  const bool server = finding.owner == Owner::kFileServer && !subject.empty();
  return {server ? Reason::kNone : Met(finding), finding.owner, std::move(subject)};
}

struct Gathered {
  Cause cause;
  std::set<std::string> nodes;
};

}  // namespace

std::string Cause::Id() const {
  if (subject.empty()) return std::string(NameOf(reason));
  return absl::StrCat(owner == Owner::kFileServer ? "FILE_SERVER" : NameOf(reason), "/", subject);
}

std::vector<Cause> GatherCauses(absl::Span<const Finding> findings) {
  const Servers servers = ServersIn(findings);
  std::map<Key, Gathered> gathered;
  std::map<std::string, Key> key_of_task;
  const auto add = [&](const Finding& finding) {
    const Key key = KeyOf(finding, servers);
    Gathered& to = gathered[key];
    Cause& cause = to.cause;
    std::string task = finding.command == 0 ? "" : TaskIdOf(finding.command, finding.node);
    if (finding.since < cause.since) {
      cause.reason = Met(finding);
      std::tie(std::ignore, cause.owner, cause.subject) = key;
      cause.since = finding.since;
      cause.summary = finding.summary;
      cause.remedy = finding.remedy;
    }
    if (cause.example_task.empty()) cause.example_task = task;
    if (!finding.node.empty()) to.nodes.insert(finding.node);
    if (!task.empty()) {
      ++cause.tasks;
      key_of_task.emplace(std::move(task), key);
    }
  };
  for (const Finding& finding : findings) {
    if (finding.stuck && finding.root_task.empty()) add(finding);
  }
  for (const Finding& finding : findings) {
    if (!finding.stuck || finding.root_task.empty()) continue;
    const auto root = key_of_task.find(finding.root_task);
    if (root == key_of_task.end()) {
      add(finding);  // what it waits for is not among these findings
      continue;
    }
    Gathered& to = gathered[root->second];
    ++to.cause.waiting;
    to.nodes.insert(finding.node);
  }
  std::vector<Cause> causes;
  for (auto& [key, one] : gathered) {
    one.cause.nodes.assign(one.nodes.begin(), one.nodes.end());
    causes.push_back(std::move(one.cause));
  }
  std::stable_sort(causes.begin(), causes.end(), [](const Cause& a, const Cause& b) {
    return std::make_tuple(-(a.tasks + a.waiting), a.since) <
           std::make_tuple(-(b.tasks + b.waiting), b.since);
  });
  return causes;
}

}  // namespace hostq::manager
