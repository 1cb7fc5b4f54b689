#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "hostq/storage/v1/resource.pb.h"
#include "hostq/v1/account_status.pb.h"
#include "hostq/v1/command.pb.h"
#include "manager/cluster/cluster.h"
#include "manager/domain/findings.h"
#include "manager/domain/queue.h"
#include "manager/store/store.h"

// Whether an account is right everywhere, from what is known anyway: what the nodes tell of
// themselves, the account's unfinished tasks, and what its finished ones found and did
// (docs/decisions/0016-verdicts-are-derived.md).
namespace hostq::manager {

// A node that should have its part of an account, as it is now.
struct AccountPlace {
  std::string node;
  bool app = false, storage = false, balancer = false;
  bool joined = false, admitted = false, connected = false, banned = false, cloned = false;
  // Connected, or not, since.
  absl::Time since;
  // What it tells of itself that concerns the account; `resource_key` is what is not so.
  std::vector<Finding> deviations;
  // Why nothing, or nothing certain, is heard of it.
  std::vector<Finding> absences;
  // It tells of more deviations than it names.
  bool more_deviations = false;
  // Its unfinished tasks of the account, the oldest first.
  struct Unfinished {
    Finding finding;
    bool only_looks = false;
  };
  std::vector<Unfinished> unfinished;
};

// The nodes of the roles app, storage and balancer that are not being removed, by name. The
// engine's thread only.
std::vector<AccountPlace> PlacesOf(const Cluster& cluster, const Queue& queue,
                                   const storage::v1::Account& row, const Now& now);

// Compares and changes nothing.
bool OnlyLooks(const Command& command);
// Reads back all of an account on its nodes, where it succeeds: what came before it says no more
// than it.
bool LooksAtAll(const Command& command);

// A command of an account and its attempts, as they are stored.
struct PastCommand {
  Command command;
  std::vector<Store::TaskAttempt> attempts;
};

// What the commands of an account left on one node.
struct AccountHistory {
  struct Look {
    absl::Time time;
    CommandId command = 0;
  };
  // The last one that looked at all; nothing: none did.
  std::optional<Look> look;
  // What it found different, and is not known to have been put right since.
  std::vector<v1::Step> differences;
  // Of the last task that ended without success and that no later one made up for.
  struct Failure {
    CommandId command = 0;
    std::string kind;
    Outcome outcome = Outcome::kNone;
    Reason reason = Reason::kNone;
    std::string message;
    absl::Time time;
  };
  std::optional<Failure> failure;
  // The last task that has begun or ended.
  struct Last {
    CommandId command = 0;
    std::string kind;
    Task task;
  };
  std::optional<Last> last;
};

// `commands`: on the account's key, the newest first, down to one that looked at all of `place` or
// the one that created the account. `repairs`: what nodes told of as put right (NODE_REPAIRED), in
// any order. `storage`: the names of the storage nodes. Pure.
AccountHistory HistoryOn(const AccountPlace& place, const storage::v1::Account& row,
                         absl::Span<const PastCommand> commands, absl::Span<const Event> repairs,
                         absl::Span<const std::string> storage);

// What of the place's deviations still stands: a look at all that found the account right there
// says more than what was seen before it. (Quotas are compared only every minute.) Pure.
std::vector<Finding> StandingDeviations(const AccountPlace& place, const storage::v1::Account& row,
                                        const AccountHistory& history);

// Whether a node has its part of the account as it should be. Pure.
v1::AccountVerdict JudgeNode(const AccountPlace& place, const storage::v1::Account& row,
                             const AccountHistory& history, absl::Time now);

// Whether all have, from the verdicts of the nodes. `unfinished`: a command that changes the
// account has not ended. Pure.
v1::AccountVerdict JudgeAccount(const storage::v1::Account& row,
                                absl::Span<const v1::AccountOnNode> nodes, bool unfinished,
                                absl::Time now);

// What a node should have of the account.
v1::AccountOnNode::Wanted WantedOn(const AccountPlace& place, const storage::v1::Account& row);

}  // namespace hostq::manager
