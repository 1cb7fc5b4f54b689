#pragma once

#include "manager/http/gateway.h"
#include "manager/http/web_request.h"

namespace hostq::manager {

// The REST API, /v1/...: finds the route, makes the message, has the gateway call, and writes the
// answer. Thread-safe; does not block.
class Rest {
 public:
  // Must outlive it.
  explicit Rest(Gateway& gateway) : gateway_(gateway) {}
  void Handle(const WebRequest& request);

 private:
  Gateway& gateway_;
};

}  // namespace hostq::manager
