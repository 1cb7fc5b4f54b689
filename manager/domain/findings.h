#pragma once

#include <optional>
#include <string>
#include <vector>

#include "manager/domain/queue.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// After how long something that should move is called stuck. The values are defaults.
struct FindingThresholds {
  absl::Duration not_dispatched = absl::Seconds(10);
  absl::Duration not_accepted = absl::Seconds(10);
  absl::Duration not_started = absl::Seconds(60);
  absl::Duration no_progress = absl::Seconds(60);
  absl::Duration clock_skew = absl::Seconds(5);
  absl::Duration offline = absl::Seconds(30);  // a restart takes less
  absl::Duration unacknowledged = absl::Seconds(30);
  absl::Duration sweep_stale = absl::Seconds(5);
  absl::Duration overdue = absl::Seconds(5);  // past the task's timeout
  absl::Duration cancel_unseen = absl::Seconds(10);
  absl::Duration cancel_undone = absl::Seconds(60);  // the step it is in must end first
};

// The answer to "why does this task not move". See hostq.v1.Finding.
struct Finding {
  CommandId command = 0;  // 0: about a node, or the manager
  std::string node;
  std::string kind;
  std::string resource_key;
  Reason reason = Reason::kNone;
  Reason cause = Reason::kNone;
  absl::Time since;
  Owner owner = Owner::kNobody;
  std::string owner_node;  // kNode and kAgent: which one
  std::string summary;
  Evidence evidence;
  std::string remedy;
  std::string root_task;  // "COMMAND/NODE"; empty: the task itself
  bool stuck = false;
};

// What is to be done about `reason`, with the names and values of `about` filled in; nothing of
// retrying if that is about no command.
std::string RemedyAbout(Reason reason, const Finding& about);

// Why the task does not move. Nothing if it has finished. Every unfinished task has one.
std::optional<Finding> Explain(const Queue& queue, const Command& command, const Task& task,
                               const Now& now, const FindingThresholds& thresholds = {});

// The manager cannot write its database, `since` when.
Finding ExplainStore(const absl::Status& failed, absl::Time since);

// What is wrong with nodes and with the manager itself, whether or not a task waits for it: such
// findings have no command, and that of the manager no node.
std::vector<Finding> ExplainNodes(const Queue& queue, const Now& now,
                                  const FindingThresholds& thresholds = {});

// Of every unfinished task; only those in which somebody has to act unless `all`. Those that only
// wait for another task come after all others; each oldest first.
std::vector<Finding> ExplainAll(const Queue& queue, const Now& now, bool all,
                                const FindingThresholds& thresholds = {});

}  // namespace hostq::manager
