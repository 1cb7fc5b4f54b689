#pragma once

#include <string>
#include <utility>

namespace hostq::manager {

// Who asked for a change, from where, and what for: the history shows the actor, the audit all of
// it.
struct Origin {
  Origin() = default;
  // Of what is not audited: what the manager does by itself.
  Origin(std::string the_actor)  // NOLINT(google-explicit-constructor)
      : actor(std::move(the_actor)) {}
  Origin(const char* the_actor) : actor(the_actor) {}  // NOLINT(google-explicit-constructor)

  // A person ("alice"), a key ("key/billing"), a node ("node/web1") or "manager".
  std::string actor;
  // An address without its port, or "socket".
  std::string source;
  // What is done: "hostq.v1.NodeService.PauseNode". Empty: it is not audited.
  std::string act;
  // What it is done to, as a resource key: "node/web1".
  std::string target;
  // Of the call, by which logs, errors and the audit are brought together.
  std::string request_id;
  // W3C trace context that came with the call; empty: none, or none that is one.
  std::string traceparent;
};

}  // namespace hostq::manager
