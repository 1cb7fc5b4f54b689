#include "manager_session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "google/protobuf/util/time_util.h"
#include "manager/domain/findings.h"
#include "manager/session/convert.h"
#include "manager/session/receive.h"

namespace hostq::simulation {
namespace {

constexpr absl::Duration kHeartbeat = absl::Seconds(5);
constexpr int kSilentIntervals = 3;

}  // namespace

SimulatedSession::SimulatedSession(SimulatedManager& manager, uint64_t stream, std::string node)
    : manager_(manager),
      alive_(manager.Alive()),
      stream_(stream),
      node_(std::move(node)),
      heard_(now()) {}

absl::Duration SimulatedSession::now() const { return manager_.simulator_.now(); }

// --- what the engine sends ---

void SimulatedSession::Assign(const manager::SendAssign& assign) {
  if (!alive_()) return;
  manager_.model_.OnAssign(assign);
  manager_.trace_.Add(now(), "assign", -1, assign.lease.command, assign.lease.epoch);
  *outgoing_.emplace_back().mutable_assign() = manager::ToProto(assign);
}

void SimulatedSession::Acknowledge(const manager::Lease& lease) {
  if (!alive_()) return;
  manager_.model_.OnResultAck(lease);
  manager_.trace_.Add(now(), "result stored", -1, lease.command, lease.epoch);
  *outgoing_.emplace_back().mutable_result_ack()->add_leases() = manager::ToProto(lease);
}

void SimulatedSession::Cancel(const manager::Lease& lease) {
  if (!alive_()) return;
  *outgoing_.emplace_back().mutable_cancel()->mutable_lease() = manager::ToProto(lease);
}

void SimulatedSession::Close(const absl::Status& status) {
  if (!alive_()) return;
  engine_told_ = true;
  if (!close_) close_ = status;
}

// --- the stream ---

void SimulatedSession::End(const absl::Status& status) {
  if (!close_) close_ = status;
  if (std::exchange(engine_told_, true) || session_ == 0) return;
  manager_.engine_->Disconnect(node_, session_);
}

bool SimulatedSession::Write() {
  if (close_) {
    manager_.network_.CloseByManager(stream_, *close_);
    return true;
  }
  if (session_ == 0) return false;
  for (agent::v1::ManagerMessage& message : outgoing_) {
    manager_.network_.SendDown(stream_, std::move(message));
  }
  outgoing_.clear();
  return false;
}

void SimulatedSession::Tick() {
  if (close_) return;
  if (now() - heard_ > kSilentIntervals * kHeartbeat) {
    return End(absl::UnavailableError("nothing heard"));
  }
  if (session_ == 0 || now() < next_heartbeat_) return;
  next_heartbeat_ = now() + kHeartbeat;
  outgoing_.emplace_back().mutable_heartbeat();
}

// --- what the agent says ---

void SimulatedSession::OnMessage(const agent::v1::AgentMessage& message) {
  if (close_) return;
  heard_ = now();
  if (const absl::Status status = Handle(message); !status.ok()) {
    manager_.model_.Violate("the manager does not understand an agent: ", status.message());
    End(status);
  }
}

void SimulatedSession::Connect(const agent::v1::Hello& hello) {
  auto facts = manager::FromProto(hello, node_, manager_.clock_.Now());
  if (!facts.ok()) return manager_.model_.Violate("hello: ", facts.status().message());
  hello_ = true;
  manager_.engine_->Connect(
      *facts, shared_from_this(),
      [this, self = shared_from_this()](const absl::StatusOr<manager::Welcomed>& welcomed) {
        if (alive_()) Connected(welcomed);
      });
}

void SimulatedSession::Connected(const absl::StatusOr<manager::Welcomed>& welcomed) {
  if (!welcomed.ok()) {
    return End(absl::IsNotFound(welcomed.status())
                   ? absl::PermissionDeniedError("not of this cluster")
                   : welcomed.status());
  }
  session_ = welcomed->session;
  if (close_) {  // it ended while the engine was asked
    engine_told_ = false;
    return End(*close_);
  }
  next_heartbeat_ = now() + kHeartbeat;
  agent::v1::ManagerMessage message;
  agent::v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_cluster(absl::StrCat(manager_.model_.commits()));
  welcome.set_term(welcomed->term);
  *welcome.mutable_heartbeat_interval() =
      google::protobuf::util::TimeUtil::SecondsToDuration(absl::ToInt64Seconds(kHeartbeat));
  for (const manager::Lease& lease : welcomed->forget) {
    manager_.trace_.Add(now(), "forget", -1, lease.epoch);
    *welcome.add_forget() = ToProto(lease);
  }
  outgoing_.insert(outgoing_.begin(), std::move(message));
}

absl::Status SimulatedSession::Handle(const agent::v1::AgentMessage& message) {
  if (session_ == 0) {
    if (!message.has_hello() || hello_) return absl::InvalidArgumentError("hello comes first");
    Connect(message.hello());
    return absl::OkStatus();
  }
  if (message.has_refused()) manager_.trace_.Add(now(), "refusal", -1, message.refused().reason());
  return manager::Receive(message, node_, session_, manager_.clock_.Now(), *manager_.engine_);
}

// --- findings ---

void CheckFinding(const manager::Queue& queue, const manager::Command& command,
                  const manager::Task& task, const manager::Now& now, Model& model) {
  const std::string name = manager::TaskIdOf(command.id, task.node);
  const std::optional<manager::Finding> finding = Explain(queue, command, task, now);
  if (!finding) return model.Violate(name, " lives and has no finding");
  const manager::NodeState* node = queue.FindNode(task.node);
  bool so = true;
  switch (finding->reason) {
    case Reason::kNodeOffline:
      so = node != nullptr && !node->connected();
      break;
    case Reason::kNodePaused:
      so = node != nullptr && node->paused && model.IsPaused(task.node);
      break;
    case Reason::kBehind:
      so = model.HasAhead(command.id, task.node);
      break;
    default:
      break;
  }
  if (task.phase == Phase::kParked) so &= model.PhaseOf(command.id, task.node) == Phase::kParked;
  if (!so) model.Violate(name, ": its finding is not true: ", NameOf(finding->reason));
}

}  // namespace hostq::simulation
