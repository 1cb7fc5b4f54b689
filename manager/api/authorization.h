#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hostq::manager {

// Where a method is served; that is also who may call it.
enum class Listener {
  kAdministration,  // the local socket: who its group lets in
  kAgents,          // mutual TLS: a node, about itself
  kEnrollment,      // server TLS: who has a join token
};

struct MethodRule {
  absl::string_view method;  // "hostq.v1.CommandService.CreateCommand"
  Listener listener;
};

// One row for each method of the product; a test compares with the protos.
absl::Span<const MethodRule> MethodRules();

// Whether every method of the service ("hostq.v1.CommandService") has a row, and that row says this
// listener. A server is not started with a service for which this is false.
bool MayServe(Listener listener, absl::string_view service);

}  // namespace hostq::manager
