#pragma once

#include <memory>
#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "hostq/v1/event_service.pb.h"
#include "manager/http/gateway.h"
#include "manager/http/web_request.h"

namespace hostq::manager {

// Answers with server-sent events (the WHATWG's HTML standard, section 9.2) what EventService sends
// for the request: id is the event's sequence, event its type, data the event as JSON. The first
// thing sent is the id of the place where the stream begins, so that whoever connects again with
// last-event-id misses nothing, even if nothing has happened. An error ends the stream with an
// event "problem". A comment is sent when nothing else was for 15 s.
void StartEventStream(Gateway& gateway, const WebRequest& web,
                      const google::protobuf::MethodDescriptor& method,
                      std::unique_ptr<google::protobuf::Message> request);

// "id: 17\nevent: TASK_CHANGED\ndata: {...}\n\n".
std::string ToServerSentEvent(const v1::Event& event);

}  // namespace hostq::manager
