#pragma once

#include "hostq/v1/event_service.grpc.pb.h"
#include "manager/api/event_hub.h"
#include "manager/api/request.h"

namespace hostq::manager {

// hostq.v1.EventService.
class EventService final : public v1::EventService::CallbackService {
 public:
  // In the initial metadata of a stream that was let in: the sequence after which it begins.
  static constexpr char kPositionMetadata[] = "hostq-since-sequence";

  // Both must outlive the gRPC server. Streams end when the hub stops.
  EventService(const Backend& backend, EventHub& hub) : backend_(backend), hub_(hub) {}

  grpc::ServerWriteReactor<v1::Event>* WatchEvents(grpc::CallbackServerContext* context,
                                                   const v1::WatchEventsRequest* request) override;

 private:
  const Backend backend_;
  EventHub& hub_;
};

}  // namespace hostq::manager
