#pragma once

#include "absl/time/time.h"
#include "agent/journal/journal.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
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

inline google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return proto;
}

inline absl::Duration FromProto(const google::protobuf::Duration& proto) {
  return absl::Seconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

inline google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  const google::protobuf::Duration since_epoch = ToProto(time - absl::UnixEpoch());
  proto.set_seconds(since_epoch.seconds());
  proto.set_nanos(since_epoch.nanos());
  return proto;
}

}  // namespace hostq::agent
