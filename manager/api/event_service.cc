#include "manager/api/event_service.h"

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/rpc/status.h"

namespace hostq::manager {
namespace {

// One stream. At any time exactly one party has it and may end it: a worker that looks for events,
// gRPC while a write is under way, or the hub while there is nothing to send.
class Watcher final : public grpc::ServerWriteReactor<v1::Event>,
                      public EventHub::Waiter,
                      public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(const Backend& backend, EventHub& hub, v1::WatchEventsRequest request)
      : backend_(backend), hub_(hub), request_(std::move(request)) {}

  // Unless `admitted` says why not.
  void Start(const absl::Status& admitted) {
    self_ = shared_from_this();
    if (!admitted.ok()) return Finish(ToGrpc(admitted));
    // By way of the engine: what a caller was told is done must be in.
    backend_.engine.Read([self = shared_from_this()](const auto&, const Now&) {
      self->until_ = self->backend_.engine.last_sequence();
      if (absl::Status status = self->Begin(); !status.ok()) return self->Finish(ToGrpc(status));
      // Tells the caller that from now on nothing is missed.
      self->StartSendInitialMetadata();
      self->Wake();
    });
  }

  // EventHub::Waiter. The hub gives the stream back.
  void Wake() override {
    backend_.workers.Post([self = shared_from_this()] { self->Pump(); });
  }

  void OnWriteDone(bool ok) override {
    const auto self = shared_from_this();
    if (!ok) return Finish(grpc::Status::CANCELLED);
    batch_.empty() ? Wake() : WriteNext();
  }
  void OnCancel() override {
    const auto self = shared_from_this();
    cancelled_ = true;
    if (hub_.CancelWait(self)) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { const auto self = std::move(self_); }

 private:
  absl::Status Begin() {
    if (request_.since_sequence() < 0) {
      return InvalidField(Reason::kInvalidArgument, "since_sequence", "must not be negative");
    }
    if (!request_.command_id().empty()) {
      HOSTQ_ASSIGN_OR_RETURN(const CommandId id,
                             ParseCommandId("command_id", request_.command_id()));
      request_.set_command_id(FormatId(id));
    }
    position_ = request_.from_now() ? until_ : request_.since_sequence();
    if (position_ <= until_) return absl::OkStatus();
    return MakeError(absl::StatusCode::kOutOfRange, Reason::kInvalidArgument,
                     absl::StrCat("since_sequence: ", position_, " is beyond the last event (",
                                  until_, "); was the manager restored from a backup?"));
  }

  bool Matches(const v1::Event& event) const {
    return (request_.command_id().empty() || request_.command_id() == event.command_id()) &&
           (request_.node().empty() || request_.node() == event.node());
  }

  // One page, then somebody else's turn.
  void Pump() {
    if (cancelled_) return Finish(grpc::Status::CANCELLED);
    if (hub_.stopped()) {
      return Finish(ToGrpc(MakeError(absl::StatusCode::kUnavailable, Reason::kShuttingDown,
                                     "the manager is stopping")));
    }
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
    StartWrite(writing_.get(), options);
  }

  const Backend backend_;
  EventHub& hub_;
  v1::WatchEventsRequest request_;
  std::shared_ptr<Watcher> self_;
  std::atomic<bool> cancelled_ = false;

  // Of whoever has the stream.
  int64_t position_ = 0;
  int64_t until_ = 0;
  std::deque<EventHub::EventPtr> batch_;
  EventHub::EventPtr writing_;
};

}  // namespace

grpc::ServerWriteReactor<v1::Event>* EventService::WatchEvents(
    grpc::CallbackServerContext* context, const v1::WatchEventsRequest* request) {
  const auto watcher = std::make_shared<Watcher>(backend_, hub_, *request);
  watcher->Start(backend_.limiter.Check(ActorOf(*context), backend_.clock.Monotonic()));
  return watcher.get();
}

}  // namespace hostq::manager
