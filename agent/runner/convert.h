#pragma once

#include "agent/executor/convert.h"
#include "agent/journal/journal.h"
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

}  // namespace hostq::agent
