#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "hostq/v1/command.pb.h"
#include "hostq/v1/event_service.pb.h"
#include "hostq/v1/finding.pb.h"
#include "manager/access/caller.h"
#include "manager/cluster/cluster.h"
#include "manager/domain/types.h"

// What of the cluster a caller may see and do: nothing here limits an administrator. What looks at
// the cluster is for the engine's thread; nothing blocks. What a caller may not see is not found,
// as if it did not exist.
namespace hostq::manager {

// PERMISSION_DENIED (OUT_OF_SCOPE), logged as a refusal: `what` the caller may not.
absl::Status OutOfScope(const Caller& caller, absl::string_view what);
// As the store says it of a command that does not exist.
absl::Status NoSuchCommand(CommandId id);

// The domain of "account/DOMAIN"; empty for every other resource key.
std::string AccountOfKey(absl::string_view resource_key);
// The id of the key that created the account; empty: none, or no account.
std::string KeyOfAccount(const Cluster& cluster, absl::string_view domain);
Subject SubjectOf(const Command& command, const Cluster& cluster);

// Whether some of it may be seen.
bool MaySee(const Caller& caller, const Command& command, const Cluster& cluster);
// Takes out the tasks on nodes that the caller may not see.
void ShowPart(const Caller& caller, const Subject& subject, v1::Command& command);

// Whether the caller may retry, skip or cancel it, on `node` or (empty) all of its nodes.
// Errors: NOT_FOUND (UNKNOWN_COMMAND: it may not see it either), PERMISSION_DENIED (OUT_OF_SCOPE).
absl::Status CheckAct(const Caller& caller, const Command& command, absl::string_view node,
                      const Cluster& cluster);

// Plans for the caller: `try_only` leaves the cluster as it is. What a caller with limits may not
// know of others is not in the errors. Errors: those of Cluster::Plan; PERMISSION_DENIED
// (OUT_OF_SCOPE).
absl::StatusOr<PlannedCommand> PlanFor(const Caller& caller, const v1::CommandSpec& spec,
                                       absl::Span<const std::string> nodes, bool try_only,
                                       const Now& now, Cluster& cluster);

// Of a finding that the caller may see: what it waits for is left out if that is another's.
// `root` may be null: there is none, or it has finished.
void ShowPart(const Caller& caller, const Command* root, const Cluster& cluster, Finding& finding);

}  // namespace hostq::manager
