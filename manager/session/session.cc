#include "manager/session/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/crypto/certificate.h"
#include "common/log/log.h"
#include "common/log/log_budget.h"
#include "common/rpc/status.h"
#include "google/protobuf/util/time_util.h"
#include "manager/session/convert.h"
#include "manager/session/receive.h"

namespace hostq::manager {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kRefusalLinesPerSecond = 10;
// After this much read, the session waits until the engine has taken it: an agent cannot fill the
// engine's mailbox.
constexpr int kFenceMessages = 256;
constexpr size_t kFenceBytes = 2 << 20;

// Leases of one acknowledgement: a message stays far below the limit.
constexpr int kMaxAcks = 1'000;
// What a message costs beside its bytes.
constexpr size_t kMessageOverhead = 64;
// Of messages written as one; but one message may be larger.
constexpr size_t kMaxBatchBytes = 1 << 20;
constexpr int kSilentIntervals = 3;
constexpr size_t kMaxPins = 16;

google::protobuf::Timestamp TimestampOf(absl::Time time) {
  return TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

}  // namespace

Session::Session(Engine& engine, Clock& clock, const SessionOptions& options,
                 const Admission& admission, PeerNode peer, grpc::CallbackServerContext* context,
                 DoneCallback done)
    : engine_(engine),
      clock_(clock),
      options_(options),
      admission_(admission),
      peer_(std::move(peer)),
      context_(context),
      address_(PeerAddress(context->peer())),
      done_(std::move(done)),
      heard_(clock.Monotonic()) {}

void Session::Start() { Read(); }

// --- the stream ---

bool Session::Enter() {
  MutexLock lock(mutex_);
  if (finished_) return false;
  ++inside_;
  return true;
}

void Session::Leave() {
  const auto self = shared_from_this();
  absl::Status status;
  {
    MutexLock lock(mutex_);
    --inside_;
    if (!close_ || finished_ || inside_ > 0 || write_under_way_) return;
    finished_ = true;
    status = *close_;
  }
  Finish(ToGrpc(status));
}

void Session::Read() {
  if (!Enter()) return;
  bool go = false;
  {
    MutexLock lock(mutex_);
    go = !close_;
    reading_ = go;
    heard_ = clock_.Monotonic();
  }
  if (go) StartRead(&incoming_);
  Leave();
}

void Session::Flush() {
  if (!Enter()) return;
  bool go = false;
  bool more = false;
  {
    MutexLock lock(mutex_);
    if (state_ == State::kOpen && !write_under_way_ && !close_ && !outgoing_.empty()) {
      TakeNext();
      more = !outgoing_.empty();
      write_under_way_ = go = true;
    }
  }
  grpc::WriteOptions options;
  if (more) options.set_buffer_hint();
  if (go) StartWrite(&writing_, options);
  Leave();
}

void Session::TakeNext() {
  agent::v1::ManagerMessage batch;
  auto& taken = *batch.mutable_batch()->mutable_messages();
  size_t bytes = 0;
  while (!outgoing_.empty()) {
    const bool alone = !batches_ || outgoing_.front().has_welcome();
    const size_t size = outgoing_.front().ByteSizeLong();
    if (!taken.empty() && (alone || bytes + size > kMaxBatchBytes)) break;
    bytes += size;
    outgoing_bytes_ -= size + kMessageOverhead;
    *taken.Add() = std::move(outgoing_.front());
    outgoing_.pop_front();
    if (alone) break;
  }
  writing_ = taken.size() == 1 ? std::move(taken[0]) : std::move(batch);
}

void Session::Push(agent::v1::ManagerMessage message) {
  if (close_) return;
  outgoing_bytes_ += message.ByteSizeLong() + kMessageOverhead;
  outgoing_.push_back(std::move(message));
  if (outgoing_bytes_ <= options_.max_outgoing_bytes) return;
  BeginClose(absl::ResourceExhaustedError(
      absl::StrCat("node ", peer_.name, " does not read what it is sent")));
}

void Session::Queue(agent::v1::ManagerMessage message) {
  MutexLock lock(mutex_);
  Push(std::move(message));
}

void Session::BeginClose(const absl::Status& status) {
  if (close_) return;
  close_ = status;
  close_since_ = clock_.Monotonic();
  outgoing_.clear();
  outgoing_bytes_ = 0;
}

void Session::Close(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    BeginClose(status);
    engine_told_ = true;  // it is the one who says so
  }
  if (Enter()) Leave();
}

void Session::End(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    BeginClose(status);
  }
  TellEngine();
  if (Enter()) Leave();
}

void Session::TellTrust() {
  if (options_.trust == nullptr) return;
  agent::v1::ManagerMessage message;
  *message.mutable_trust() = options_.trust(peer_);
  {
    const MutexLock lock(mutex_);
    if (state_ != State::kOpen) return;  // Welcome will say so
  }
  Queue(std::move(message));
  Flush();
}

void Session::TellEngine() {
  uint64_t session = 0;
  {
    MutexLock lock(mutex_);
    if (engine_told_ || session_ == 0) return;
    engine_told_ = true;
    session = session_;
  }
  engine_.Disconnect(peer_.name, session);
}

void Session::OnWriteDone(bool ok) {
  const auto self = shared_from_this();
  if (!Enter()) return;
  {
    MutexLock lock(mutex_);
    write_under_way_ = false;
  }
  if (ok) {
    Flush();
  } else {
    End(absl::UnavailableError("stream broken"));
  }
  Leave();
}

void Session::OnCancel() { End(absl::CancelledError("stream cancelled")); }

void Session::LogConnected() {
  uint64_t session = 0;
  {
    MutexLock lock(mutex_);
    if (connect_logged_ || state_ != State::kOpen) return;
    connect_logged_ = true;
    session = session_;
  }
  LogInfo("node connected", {{"node", peer_.name},
                             {"peer", address_},
                             {"session", session},
                             {"agent", agent_version_},
                             {"certificate", peer_.serial}});
}

void Session::LogEnd(bool open, const absl::Status& status) const {
  if (open) {
    LogInfo("node disconnected", {{"node", peer_.name}, {"peer", address_}, {"status", status}});
    return;
  }
  // A node that was taken over can begin and end as many streams as it likes.
  static LogBudget refusals(kRefusalLinesPerSecond);
  if (const auto left_out = refusals.Take(clock_.Monotonic())) {
    Log(status.ok() ? LogLevel::kInfo : LogLevel::kWarning, "session refused",
        {{"node", peer_.name},
         {"peer", address_},
         {"status", status},
         {"more_not_shown", *left_out}});
  }
}

void Session::OnDone() {
  const auto self = shared_from_this();
  TellEngine();
  LogConnected();
  absl::Status status;
  bool open = false;
  {
    MutexLock lock(mutex_);
    status = close_.value_or(absl::OkStatus());
    open = state_ == State::kOpen;
  }
  LogEnd(open, status);
  done_(this);
}

void Session::Tick(bool heartbeat) {
  LogConnected();
  const absl::Duration now = clock_.Monotonic();
  const absl::Time wall = clock_.Now();
  absl::Status end;
  bool cancel = false;
  bool send = false;
  {
    MutexLock lock(mutex_);
    const bool silent = now - heard_ > kSilentIntervals * options_.heartbeat_interval;
    if (close_) {
      cancel = !cancelled_ && !finished_ && now - close_since_ > options_.close_grace;
      cancelled_ |= cancel;
    } else if (wall > peer_.not_after) {
      end = MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated,
                      absl::StrCat("certificate of node ", peer_.name, " has expired"));
    } else if (reading_ && silent) {
      end = absl::UnavailableError(
          absl::StrCat("nothing heard of node ", peer_.name, " for ", FormatAge(now - heard_)));
    } else if (state_ == State::kOpen && heartbeat && now >= next_heartbeat_) {
      next_heartbeat_ = now + options_.heartbeat_interval;
      // One that still waits says no less.
      if (outgoing_.empty() || !outgoing_.back().has_heartbeat()) {
        agent::v1::ManagerMessage message;
        *message.mutable_heartbeat()->mutable_clock() = TimestampOf(wall);
        Push(std::move(message));
      }
      send = true;
    }
  }
  if (!end.ok()) End(end);
  if (send) Flush();
  if (cancel && Enter()) {
    context_->TryCancel();
    Leave();
  }
}

// --- what the engine sends ---

void Session::Assign(const SendAssign& assign) {
  agent::v1::ManagerMessage message;
  *message.mutable_assign() = ToProto(assign);
  Queue(std::move(message));
}

void Session::Acknowledge(const Lease& lease) {
  MutexLock lock(mutex_);
  if (close_) return;
  if (!outgoing_.empty() && outgoing_.back().has_result_ack() &&
      outgoing_.back().result_ack().leases_size() < kMaxAcks) {
    outgoing_bytes_ -= outgoing_.back().ByteSizeLong();
    *outgoing_.back().mutable_result_ack()->add_leases() = ToProto(lease);
    outgoing_bytes_ += outgoing_.back().ByteSizeLong();
    return;
  }
  agent::v1::ManagerMessage message;
  *message.mutable_result_ack()->add_leases() = ToProto(lease);
  Push(std::move(message));
}

void Session::Cancel(const Lease& lease) {
  agent::v1::ManagerMessage message;
  *message.mutable_cancel()->mutable_lease() = ToProto(lease);
  Queue(std::move(message));
}

// --- what the agent says ---

void Session::OnReadDone(bool ok) {
  const auto self = shared_from_this();
  if (!Enter()) return;
  bool open = false;
  {
    MutexLock lock(mutex_);
    reading_ = false;
    heard_ = clock_.Monotonic();
    open = state_ == State::kOpen;
  }
  const absl::Status status = ok ? Handle(incoming_) : absl::OkStatus();
  if (!ok || !status.ok()) {
    End(status);
  } else if (open) {
    unfenced_bytes_ += incoming_.ByteSizeLong();
    unfenced_messages_ += std::max(incoming_.batch().messages_size(), 1);
    if (unfenced_messages_ < kFenceMessages && unfenced_bytes_ < kFenceBytes) {
      Read();
    } else {
      unfenced_messages_ = 0;
      unfenced_bytes_ = 0;
      engine_.Read([self](const auto&, const Now&) { self->Read(); });
    }
  }
  Leave();
}

absl::Status Session::Handle(const agent::v1::AgentMessage& message) {
  uint64_t session = 0;
  {
    MutexLock lock(mutex_);
    if (state_ == State::kOpen) session = session_;
  }
  if (session != 0 && message.has_batch()) {
    for (const agent::v1::AgentMessage& one : message.batch().messages()) {
      if (one.has_batch()) {
        return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                         "a batch within a batch");
      }
      HOSTQ_RETURN_IF_ERROR(Handle(one));
    }
    return absl::OkStatus();
  }
  if (session != 0 && message.has_trusts()) {
    HandleTrusts(message.trusts().pins());
    return absl::OkStatus();
  }
  if (session != 0 && message.heartbeat().has_metrics() && options_.counted != nullptr) {
    options_.counted(peer_, message.heartbeat().metrics());
  }
  if (session != 0) return Receive(message, peer_.name, session, clock_.Now(), engine_);
  if (!message.has_hello()) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                     "the first message of an agent is hello");
  }
  return HandleHello(message.hello());
}

void Session::HandleTrusts(const google::protobuf::RepeatedPtrField<std::string>& pins) {
  if (options_.trusts == nullptr) return;
  std::vector<std::string> good;
  for (const std::string& pin : pins) {
    if (IsPin(pin) && good.size() < kMaxPins) good.push_back(pin);
  }
  if (!good.empty()) options_.trusts(peer_, std::move(good));
}

absl::Status Session::HandleHello(const agent::v1::Hello& hello) {
  HOSTQ_ASSIGN_OR_RETURN(HelloFacts facts, FromProto(hello, peer_.name, clock_.Now()));
  facts.certificate_start_time = peer_.not_before;
  facts.certificate_expire_time = peer_.not_after;
  {
    MutexLock lock(mutex_);
    state_ = State::kConnecting;
  }
  agent_version_ = facts.agent_version;
  batches_ = hello.batches();
  HandleTrusts(hello.trusts());
  // A large one need not be kept for the stream's life. Not later: the engine's answer starts the
  // next read.
  incoming_ = agent::v1::AgentMessage();
  // Nothing is read until the engine has answered.
  engine_.Read([self = shared_from_this(), facts = std::move(facts)](const auto&, const Now&) {
    if (absl::Status status = self->admission_(self->peer_); !status.ok()) {
      Origin origin(absl::StrCat("node/", self->peer_.name));
      origin.source = self->address_;
      origin.act = "node.connect";
      origin.target = origin.actor;
      self->engine_.Audit(origin, status);
      self->End(status);
      return;
    }
    self->engine_.Connect(facts, self, [self](const absl::StatusOr<Welcomed>& welcomed) {
      self->Connected(welcomed);
    });
  });
  return absl::OkStatus();
}

void Session::Connected(const absl::StatusOr<Welcomed>& welcomed) {
  if (!welcomed.ok()) {
    End(absl::IsNotFound(welcomed.status())
            ? MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAuthorized,
                        absl::StrCat("node ", peer_.name, " is not of this cluster"))
            : welcomed.status());
    return;
  }
  agent::v1::ManagerMessage message;
  agent::v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_cluster(options_.cluster);
  welcome.set_term(welcomed->term);
  welcome.set_batches(true);
  *welcome.mutable_heartbeat_interval() =
      TimeUtil::MicrosecondsToDuration(absl::ToInt64Microseconds(options_.heartbeat_interval));
  for (const Lease& lease : welcomed->forget) *welcome.add_forget() = ToProto(lease);
  if (options_.trust != nullptr) *welcome.mutable_trust() = options_.trust(peer_);
  bool gone = false;
  {
    MutexLock lock(mutex_);
    session_ = welcomed->session;
    gone = close_.has_value();
    if (!gone) {
      state_ = State::kOpen;
      next_heartbeat_ = clock_.Monotonic() + options_.heartbeat_interval;
      // Before whatever the same commit has assigned.
      outgoing_bytes_ += message.ByteSizeLong() + kMessageOverhead;
      outgoing_.push_front(std::move(message));
    }
  }
  if (gone) return TellEngine();
  Flush();
  Read();
  // The node may have joined anew since it was asked.
  if (absl::Status status = admission_(peer_); !status.ok()) End(status);
}

}  // namespace hostq::manager
