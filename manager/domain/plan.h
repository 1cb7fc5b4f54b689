#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "manager/domain/node_check.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// A row of the cluster's desired state. Opaque to queue and store.
struct ResourceChange {
  std::string kind;  // "node", "account", "share", "token"
  std::string key;
  std::optional<std::string> data;  // nothing: the row is deleted
};

struct PlannedCommand;

// Changes of desired state, committed together or not at all.
struct ChangeSet {
  std::vector<ResourceChange> resources;
  // Nodes added or changed; only the stored part of NodeState counts.
  std::vector<NodeState> nodes;
  // Kinds and keys that are paused from now on, or (nothing) no longer.
  std::vector<std::pair<PauseKey, std::optional<Pause>>> pauses;
  // Nodes that have been looked at.
  std::vector<NodeCheck> checks;
  std::vector<std::string> removed_nodes;
  // Sequence and time are filled in by the engine.
  std::vector<Event> events;
  // What follows from them, as the manager's own; their own changes are among `resources`.
  std::vector<PlannedCommand> commands;
  // What is changed as it was and as it is, in JSON, for the audit. Optional; without secrets.
  std::string before;
  std::string after;
};

struct PlannedTask {
  std::string node;
  int stage = 0;
};

// A request turned into a command: what goes where, and what of the desired state changes with it.
struct PlannedCommand {
  std::string kind;
  std::string resource_key;
  std::string spec;
  std::string work;
  // Not empty; at most one for each node.
  std::vector<PlannedTask> tasks;
  // See Command::supersedes.
  std::vector<std::string> supersedes;
  bool needs_ready = true;
  absl::Duration timeout = absl::Minutes(5);
  RetryRules retry;
  ChangeSet changes;
  // Submitted with it; see Command::part_of.
  std::vector<PlannedCommand> parts;
  int part_stage = 0;
};

}  // namespace hostq::manager
