#pragma once

#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/executor/convert.h"
#include "agent/journal/journal.h"
#include "common/base/trace_context.h"
#include "hostq/agent/v1/session.pb.h"

namespace hostq::agent {

inline v1::Lease ToProto(const Lease& lease) {
  v1::Lease proto;
  proto.set_task_id(lease.task_id);
  proto.set_attempt(lease.attempt);
  proto.set_epoch(lease.epoch);
  return proto;
}

inline Lease FromProto(const v1::Lease& proto) {
  return {proto.task_id(), proto.attempt(), proto.epoch()};
}

// What is done for one lease. Nothing: the manager gave no trace.
inline std::optional<Span> AttemptSpan(const Assignment& assignment) {
  return SpanWithin(assignment.traceparent,
                    absl::StrCat(assignment.lease.task_id, " ", assignment.lease.epoch));
}

}  // namespace hostq::agent
