#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "manager/access/scope.h"
#include "manager/domain/origin.h"

namespace hostq::manager {

// Who makes a call to the manager, after it was let in. Plain data.
struct Caller {
  enum class Kind {
    kLocal,          // over the Unix socket
    kAdministrator,  // with an administrator's certificate
    kKey,            // with an API key
  };
  Kind kind = Kind::kLocal;
  // As in Origin.
  std::string actor;
  std::string source;
  // "hostq.v1.NodeService.PauseNode".
  std::string method;
  std::string request_id;
  // As in Origin.
  std::string traceparent;
  // Of an API key; empty otherwise.
  std::string key_id;
  // What it was let in with, as long as that holds: the hash of a key's secret, or of an
  // administrator's certificate; empty on the socket.
  std::string credential;
  // Never null.
  std::shared_ptr<const Rights> rights =
      std::make_shared<const Rights>(Rights{true, {}, false, {}, {}, {}});
  // Unfinished commands that it may have. 0: no limit.
  size_t max_unfinished = 0;

  // What this call does to `target` ("node/web1").
  Origin On(std::string target) const {
    Origin origin(actor);
    origin.source = source;
    origin.act = method;
    origin.target = std::move(target);
    origin.request_id = request_id;
    origin.traceparent = traceparent;
    return origin;
  }
};

}  // namespace hostq::manager
