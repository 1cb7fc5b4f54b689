#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "manager/domain/audit.h"
#include "manager/domain/plan.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// --- mutations: what the store writes, in order, in one transaction ---

struct InsertCommand {
  Command command;  // with its tasks
};

// Guarded: the task must be in `from`, with that attempt and epoch, or the whole batch fails.
struct UpdateTask {
  CommandId command = 0;
  Phase from = Phase::kQueued;
  int from_attempt = 0;
  uint64_t from_epoch = 0;
  Task task;
};

// Guarded: the command must be active.
struct FinishCommand {
  CommandId command = 0;
  CommandState state = CommandState::kSucceeded;
  absl::Time finish_time;
};

struct InsertAttempt {
  CommandId command = 0;
  std::string node;
  Attempt attempt;
};

// A result nobody waits for (the manager was restored from an older backup, say). Kept for ever.
struct InsertOrphan {
  Lease lease;
  absl::Time time;
  Attempt attempt;
};

struct SetTerm {
  uint64_t term = 0;
};

// An AuditEntry gets its sequence and hash from the store.
using Mutation = std::variant<InsertCommand, UpdateTask, FinishCommand, InsertAttempt, InsertOrphan,
                              ResourceChange, Event, SetTerm, AuditEntry>;

// --- effects: what leaves the manager after the commit that justifies it ---

struct SendAssign {
  std::string node;
  uint64_t session = 0;
  Lease lease;
  std::string kind;
  std::string resource_key;
  std::string work;
  std::string traceparent;  // the command's
  std::vector<std::string> roles;
  absl::Duration timeout;
  absl::Duration start_within = absl::InfiniteDuration();
  absl::Time start_before = absl::InfiniteFuture();  // by the node's clock
};

struct SendAck {
  std::string node;
  uint64_t session = 0;
  Lease lease;
};

struct SendCancel {
  std::string node;
  uint64_t session = 0;
  Lease lease;
};

// The session must end: a newer one of the same node took over, or the node was removed.
struct CloseSession {
  std::string node;
  uint64_t session = 0;
  absl::Status status;
};

using Effect = std::variant<SendAssign, SendAck, SendCancel, CloseSession>;

struct Changes {
  std::vector<Mutation> mutations;
  std::vector<Effect> effects;
  // Something here justifies an effect or an answer: commit now. Otherwise the mutations may wait
  // for the next commit (an accepted or started task: the next hello tells it again).
  bool urgent = false;
};

}  // namespace hostq::manager
