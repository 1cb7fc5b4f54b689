#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "manager/access/gateway_calls.h"
#include "manager/http/message.h"
#include "manager/http/target.h"

namespace hostq::manager {

// A request that has passed the front: what it is for and who shows what, though not yet whether
// that is let in. Copied freely.
struct WebRequest {
  std::shared_ptr<HttpExchange> exchange;
  HttpTarget target;
  std::string request_id;
  // For the gateway.
  GatewayCall who;
  // Whether the dashboard's session, if it came with one, still is.
  std::function<bool()> wanted;
  // The credentials it came with are good no more: ends that session.
  std::function<void()> end_session;

  const HttpRequest& http() const { return exchange->request(); }
  // With the headers that every answer has.
  void Answer(HttpResponse response) const;
  void Answer(const absl::Status& error) const;
  // Those headers: the request's id, and what browsers are to keep to.
  static HttpHeaders CommonHeaders(const std::string& request_id);
};

}  // namespace hostq::manager
