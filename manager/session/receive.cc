#include "manager/session/receive.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "common/base/error.h"
#include "manager/session/convert.h"

namespace hostq::manager {
namespace {

absl::Status OutOfOrder(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument, what);
}

}  // namespace

absl::Status Receive(const agent::v1::AgentMessage& message, absl::string_view node,
                     uint64_t session, absl::Time now, Engine& engine) {
  using agent::v1::AgentMessage;
  switch (message.message_case()) {
    case AgentMessage::kAccepted: {
      HOSTQ_ASSIGN_OR_RETURN(Lease lease, FromProto(message.accepted().lease(), node));
      engine.Accepted(session, std::move(lease));
      return absl::OkStatus();
    }
    case AgentMessage::kRefused: {
      const auto& refused = message.refused();
      HOSTQ_ASSIGN_OR_RETURN(Lease lease, FromProto(refused.lease(), node));
      engine.Refused(session, std::move(lease), RefusalReason(refused.reason()),
                     CutText(refused.message(), kMaxMessageText));
      return absl::OkStatus();
    }
    case AgentMessage::kProgress: {
      const auto& progress = message.progress();
      HOSTQ_ASSIGN_OR_RETURN(Lease lease, FromProto(progress.lease(), node));
      engine.Progress(session, std::move(lease), CutText(progress.step(), kMaxNameText),
                      std::max(progress.step_index(), 0), std::max(progress.step_count(), 0),
                      progress.wedged(), FromProto(progress.evidence()));
      return absl::OkStatus();
    }
    case AgentMessage::kResult: {
      HOSTQ_ASSIGN_OR_RETURN(const Lease lease, FromProto(message.result().lease(), node));
      engine.Result(session, FromProto(message.result(), lease, now));
      return absl::OkStatus();
    }
    case AgentMessage::kHeartbeat: {
      const auto& heartbeat = message.heartbeat();
      const auto clock = FromProto(heartbeat.clock());
      std::optional<absl::Duration> skew;
      if (heartbeat.has_clock() && clock) skew = *clock - now;
      engine.Heard(std::string(node), session, skew, std::max(heartbeat.outbox(), 0));
      return absl::OkStatus();
    }
    case AgentMessage::kDrift:
      engine.Drifted(std::string(node), session, FromProto(message.drift(), now));
      return absl::OkStatus();
    case AgentMessage::kHello:
      return OutOfOrder("a second hello in one stream");
    default:
      return OutOfOrder("a message this manager does not know");
  }
}

}  // namespace hostq::manager
