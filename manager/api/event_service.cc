#include "manager/api/event_service.h"

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/rpc/status.h"
#include "manager/api/key_scope.h"

namespace hostq::manager {
namespace {

// One stream. At any time exactly one party has it and may end it: a worker that looks for events,
// gRPC while a write is under way, or the hub while there is nothing to send.
class Watcher final : public grpc::ServerWriteReactor<v1::Event>,
                      public EventHub::Waiter,
                      public OpenStreams::Stream,
                      public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(const Backend& backend, EventHub& hub, v1::WatchEventsRequest request,
          grpc::CallbackServerContext* context)
      : backend_(backend), hub_(hub), request_(std::move(request)), context_(context) {}

  void Refuse(const absl::Status& status) {
    self_ = shared_from_this();
    Finish(ToGrpc(status));
  }

  void Start(const Caller& caller) {
    self_ = shared_from_this();
    caller_ = caller;
    if (absl::Status status = Begin(); !status.ok()) return Finish(ToGrpc(status));
    if (AllowsEverything(*caller.rights, Verb::kRead)) return StartWatching();
    if (id_ == 0) {
      const absl::Status refused =
          OutOfScope(caller, "watch all events: name a command (command_id)");
      backend_.engine.Audit(caller.On("events"), refused);
      return Finish(ToGrpc(refused));
    }
    // Is it one that the caller may see?
    backend_.engine.Read([self = shared_from_this()](const auto& queue, const Now&) {
      if (const Command* live = queue.Find(self->id_)) return self->StartIfVisible(*live);
      self->backend_.workers.Post([self] {
        const absl::StatusOr<Command> stored = self->backend_.store.GetCommand(self->id_);
        if (!stored.ok()) return self->Finish(ToGrpc(stored.status()));
        self->backend_.engine.Read(
            [self, command = *stored](const auto&, const Now&) { self->StartIfVisible(command); });
      });
    });
  }

  // EventHub::Waiter. The hub gives the stream back.
  void Wake() override {
    backend_.workers.Post([self = shared_from_this()] { self->Pump(); });
  }

  void OnWriteDone(bool ok) override {
    const auto self = shared_from_this();
    writing_now_ = false;
    if (!ok) return Finish(grpc::Status::CANCELLED);
    if (absl::Status status = Recheck(); !status.ok()) return Finish(ToGrpc(status));
    batch_.empty() ? Wake() : WriteNext();
  }
  void OnCancel() override {
    const auto self = shared_from_this();
    cancelled_ = true;
    if (hub_.CancelWait(self)) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    const auto self = std::move(self_);
    backend_.streams.Remove(this);
    const std::lock_guard<std::recursive_mutex> lock(context_mutex_);
    context_ = nullptr;
  }

  // OpenStreams::Stream.
  absl::Status Recheck() const override { return backend_.admission.Recheck(caller_); }
  void End() override {
    const auto self = shared_from_this();
    if (hub_.CancelWait(self)) Wake();  // and Pump finds out
  }
  void Abort() override {
    // What is called from within may end in OnDone at once, on this thread.
    const std::lock_guard<std::recursive_mutex> lock(context_mutex_);
    if (context_ != nullptr && writing_now_) context_->TryCancel();
  }

 private:
  // On the engine's thread.
  void StartIfVisible(const Command& command) {
    if (!MaySee(caller_, command, backend_.cluster)) {
      return Finish(ToGrpc(NoSuchCommand(command.id)));
    }
    subject_ = SubjectOf(command, backend_.cluster);
    StartWatching();
  }

  void StartWatching() {
    // By way of the engine: what a caller was told is done must be in.
    backend_.engine.Read([self = shared_from_this()](const auto&, const Now&) {
      self->until_ = self->backend_.engine.last_sequence();
      if (absl::Status status = self->SetPosition(); !status.ok()) {
        return self->Finish(ToGrpc(status));
      }
      if (self->caller_.kind != Caller::Kind::kLocal) self->backend_.streams.Add(self);
      // Tells the caller that from now on nothing is missed, and after which event that is.
      self->AddPosition();
      self->StartSendInitialMetadata();
      self->Wake();
    });
  }

  absl::Status Begin() {
    if (request_.since_sequence() < 0) {
      return InvalidField(Reason::kInvalidArgument, "since_sequence", "must not be negative");
    }
    if (!request_.command_id().empty()) {
      HOSTQ_ASSIGN_OR_RETURN(id_, ParseCommandId("command_id", request_.command_id()));
      request_.set_command_id(FormatId(id_));
    }
    return absl::OkStatus();
  }

  absl::Status SetPosition() {
    position_ = request_.from_now() ? until_ : request_.since_sequence();
    if (position_ <= until_) return absl::OkStatus();
    return MakeError(absl::StatusCode::kOutOfRange, Reason::kInvalidArgument,
                     absl::StrCat("since_sequence: ", position_, " is beyond the last event (",
                                  until_, "); was the manager restored from a backup?"));
  }

  void AddPosition() {
    const std::lock_guard<std::recursive_mutex> lock(context_mutex_);
    if (context_ == nullptr) return;
    context_->AddInitialMetadata(EventService::kPositionMetadata, absl::StrCat(position_));
  }

  bool Matches(const v1::Event& event) const {
    return (request_.command_id().empty() || request_.command_id() == event.command_id()) &&
           (request_.node().empty() || request_.node() == event.node()) &&
           (event.node().empty() ||
            AllowsNode(*caller_.rights, Verb::kRead, subject_, event.node()));
  }

  // One page, then somebody else's turn.
  void Pump() {
    if (cancelled_) return Finish(grpc::Status::CANCELLED);
    if (hub_.stopped()) {
      return Finish(ToGrpc(MakeError(absl::StatusCode::kUnavailable, Reason::kShuttingDown,
                                     "the manager is stopping")));
    }
    if (absl::Status status = Recheck(); !status.ok()) return Finish(ToGrpc(status));
    const bool complete = request_.no_follow() && position_ >= until_;
    if (complete) return Finish(grpc::Status::OK);
    auto events = hub_.After(position_);
    if (!events.ok()) return Finish(ToGrpc(events.status()));
    for (auto& event : *events) {
      if (request_.no_follow() && event->sequence() > until_) break;
      position_ = event->sequence();
      if (Matches(*event)) batch_.push_back(std::move(event));
    }
    if (!batch_.empty()) return WriteNext();
    if (!events->empty()) return Wake();
    const auto self = shared_from_this();
    hub_.Wait(position_, self);
    // It may have been cancelled before the hub had it.
    if (cancelled_ && hub_.CancelWait(self)) Finish(grpc::Status::CANCELLED);
  }

  void WriteNext() {
    writing_ = std::move(batch_.front());
    batch_.pop_front();
    grpc::WriteOptions options;
    if (!batch_.empty()) options.set_buffer_hint();
    writing_now_ = true;
    StartWrite(writing_.get(), options);
  }

  const Backend backend_;
  EventHub& hub_;
  v1::WatchEventsRequest request_;
  std::shared_ptr<Watcher> self_;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> writing_now_ = false;
  std::recursive_mutex context_mutex_;
  grpc::CallbackServerContext* context_;  // null once the call is done; guarded by it

  // Do not change after Start().
  Caller caller_;
  CommandId id_ = 0;
  Subject subject_;

  // Of whoever has the stream.
  int64_t position_ = 0;
  int64_t until_ = 0;
  std::deque<EventHub::EventPtr> batch_;
  EventHub::EventPtr writing_;
};

}  // namespace

grpc::ServerWriteReactor<v1::Event>* EventService::WatchEvents(
    grpc::CallbackServerContext* context, const v1::WatchEventsRequest* request) {
  const auto watcher = std::make_shared<Watcher>(backend_, hub_, *request, context);
  absl::Status refused;
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.EventService.WatchEvents",
            [&refused](const absl::Status& status) { refused = status; });
  caller ? watcher->Start(*caller) : watcher->Refuse(refused);
  return watcher.get();
}

}  // namespace hostq::manager
