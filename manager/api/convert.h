#pragma once

#include <vector>

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "hostq/storage/v1/resource.pb.h"
#include "hostq/v1/command.pb.h"
#include "hostq/v1/command_service.pb.h"
#include "hostq/v1/event_service.pb.h"
#include "hostq/v1/finding.pb.h"
#include "hostq/v1/node.pb.h"
#include "manager/domain/findings.h"
#include "manager/domain/queue.h"
#include "manager/domain/types.h"
#include "manager/store/store.h"

namespace hostq::manager {

// Domain to wire. Pure.

google::protobuf::Timestamp ToProto(absl::Time time);
absl::Time TimeFromProto(const google::protobuf::Timestamp& time);

// Without attempts.
v1::Command ToProto(const Command& command);
v1::Finding ToProto(const Finding& finding);
// Those that `request` asks for, the first ones first, until `max_bytes` are passed; the others are
// counted.
void AddFindings(const std::vector<Finding>& findings, const v1::ListFindingsRequest& request,
                 size_t max_bytes, v1::ListFindingsResponse& response);
v1::Event ToProto(const Event& event);

// Puts the attempts into their tasks. For a task that a node has now, the current one is added. The
// steps of the oldest are left out if the command were to become larger than `max_bytes`.
void AddAttempts(const std::vector<Store::TaskAttempt>& attempts, size_t max_bytes,
                 v1::Command& command);

// `state`: null if the queue does not have the node.
v1::Node::State StateOf(const storage::v1::Node& node, const NodeState* state);
// `unfinished`: tasks not finished, those with
// the node included.
v1::Node ToProto(const storage::v1::Node& node, const NodeState* state, int unfinished);

}  // namespace hostq::manager
