#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hostq/agent/v1/session.pb.h"
#include "manager/domain/changes.h"
#include "manager/domain/queue.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// What a session takes of an agent; longer text is cut, more is left out, and the result says so.
inline constexpr int kMaxHelloTasks = 10'000;  // also bounds the credits
inline constexpr int kMaxHelloKinds = 1'000;
inline constexpr size_t kMaxSteps = 1'000;        // of one result
inline constexpr size_t kMaxDeviations = 100;     // of one node
inline constexpr size_t kMaxNameText = 200;       // bytes, of a step's name
inline constexpr size_t kMaxMessageText = 2'000;  // bytes, of a step's or a result's message
inline constexpr size_t kMaxEvidence = 32;        // entries
inline constexpr size_t kMaxEvidenceText = 1'024;
inline constexpr size_t kMaxStepsBytes = 1 << 20;  // what is stored of one attempt

DriftFacts FromProto(const agent::v1::Drift& drift, absl::Time now);

// Wire to domain. `node` is the peer's name from its certificate: a lease of another node is
// INVALID_ARGUMENT (NOT_AUTHORIZED), a malformed one INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::StatusOr<Lease> FromProto(const agent::v1::Lease& lease, absl::string_view node);
// `now`: when it arrived, for the clocks' difference. Errors: FAILED_PRECONDITION (another version
// of the protocol), INVALID_ARGUMENT (INVALID_ARGUMENT: a limit; and as above for its leases).
absl::StatusOr<HelloFacts> FromProto(const agent::v1::Hello& hello, absl::string_view node,
                                     absl::Time now);
// If the result itself does not say what failed, the first failed step that is more than a warning
// does. Times that are missing or make no sense become `now`, when it arrived.
ResultFacts FromProto(const agent::v1::Result& result, const Lease& lease, absl::Time now);
Evidence FromProto(const google::protobuf::Map<std::string, std::string>& evidence);

// Nothing if it is no valid timestamp.
std::optional<absl::Time> FromProto(const google::protobuf::Timestamp& time);
// At most `limit` bytes, "..." at the end if it was cut; not within a character.
std::string CutText(absl::string_view text, size_t limit);

// A number that this version does not know, or one that cannot be what a node met, is INTERNAL.
Reason ResultReason(int number);
// The same for what an agent may refuse a task with.
Reason RefusalReason(int number);

// Domain to wire.
agent::v1::Lease ToProto(const Lease& lease);
agent::v1::Assign ToProto(const SendAssign& assign);

}  // namespace hostq::manager
