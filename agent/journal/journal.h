#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq::agent {

// The right to run one attempt of a task until it ends.
struct Lease {
  std::string task_id;
  int32_t attempt = 0;
  uint64_t epoch = 0;
  friend bool operator==(const Lease&, const Lease&) = default;
};

// A task as the manager sent it.
struct Assignment {
  Lease lease;
  std::string resource_key;
  std::string kind;
  std::string work;  // serialized v1::Work
  std::vector<std::string> roles;
  absl::Duration timeout;
  // By the node's clock. Not started by then: not at all.
  absl::Time start_before = absl::InfiniteFuture();
  // W3C trace context, the command's span. Empty: none.
  std::string traceparent;
};

// Of a task's id, kind and resource key: 1 to 512 characters of ASCII, none of them a space or a
// control character. With others the messages that tell of the task could not be read.
inline bool IsTaskName(absl::string_view name) {
  return !name.empty() && name.size() <= 512 &&
         std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isgraph(c); });
}

// What became of an assignment. Only kAccepted is a new task.
enum class AcceptOutcome {
  kAccepted,    // new, or a new attempt of a task whose last one has ended
  kInFlight,    // the task is in flight with this lease already, or has just taken it over
  kFinished,    // this attempt (or a later one) has ended: `result` is to be sent again
  kStaleEpoch,  // an older lease than the resource key or the task has seen; nothing was changed
};

struct AcceptAnswer {
  AcceptOutcome outcome = AcceptOutcome::kAccepted;
  // kFinished: the lease that the result now answers, and the result. kStaleEpoch: `lease.epoch` is
  // the highest one seen.
  Lease lease;
  std::string result;
};

// What the node keeps as it is, with the work that makes it so (agent/upkeep).
struct KeptItem {
  std::string kind;
  std::string work;  // serialized v1::Work
  std::vector<std::string> roles;
  friend bool operator==(const KeptItem&, const KeptItem&) = default;
};
using Kept = std::map<std::string, KeptItem>;  // by resource key

// One durable step forward. Applied in the order of the fields.
struct JournalBatch {
  struct Finished {
    Lease lease;
    std::string result;  // serialized v1::Result
  };
  std::vector<Finished> finished;
  // Kept from now on, and not any more.
  Kept kept;
  std::vector<std::string> not_kept;
  // The manager has these results. Those not known, or finished again since, are ignored.
  std::vector<Lease> acknowledged;
  // Not started and not wanted any more: forgotten, without a result.
  std::vector<Lease> dropped;
  struct Accept {
    Assignment assignment;
    // If it is a new task, it starts at once.
    bool start = false;
  };
  std::vector<Accept> accept;
  std::vector<Lease> started;

  bool empty() const {
    return finished.empty() && kept.empty() && not_kept.empty() && acknowledged.empty() &&
           dropped.empty() && accept.empty() && started.empty();
  }
};

// What a new process needs to know.
struct JournalState {
  struct InFlight {
    Assignment assignment;
    bool started = false;
  };
  struct Unacknowledged {
    Lease lease;
    std::string result;
  };
  std::vector<InFlight> in_flight;             // in order of acceptance
  std::vector<Unacknowledged> unacknowledged;  // in order of acceptance
  Kept kept;
  uint64_t max_epoch = 0;
};

// What the node was asked to do, what it has done, and what the manager does not yet know of that.
// It is the node's memory of leases: it refuses one that is older than what the same resource key
// has seen (which is where effects are fenced), and it answers a late duplicate with the stored
// result instead of running it again. Belongs to one thread.
class Journal {
 public:
  virtual ~Journal() = default;

  // Everything in the batch is durable when this returns OK, in one transaction; otherwise nothing
  // of it happened and it may be tried again. One answer for each of `batch.accept`, in order.
  // `now` dates finished tasks for Prune. Blocks on the disk.
  // Errors: with JOURNAL_UNAVAILABLE, whatever the disk said.
  virtual absl::StatusOr<std::vector<AcceptAnswer>> Commit(const JournalBatch& batch,
                                                           absl::Time now) = 0;
  // Errors as Commit; DATA_LOSS for what no manager can have sent.
  virtual absl::StatusOr<JournalState> Load() = 0;
  // Forgets acknowledged tasks that finished before `before`. Returns how many. Errors as Commit.
  virtual absl::StatusOr<int64_t> Prune(absl::Time before) = 0;
};

// How long an acknowledged task is remembered, so that a late duplicate is recognized. Longer than
// a manager restored from a backup is likely to be behind.
inline constexpr absl::Duration kJournalRetention = absl::Hours(30 * 24);

}  // namespace hostq::agent
