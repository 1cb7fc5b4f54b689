#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "manager/access/scope.h"

namespace hostq::manager {

// Where a service is served; that is also who may call it.
enum class Listener {
  kAdministration,  // the local socket and the API: administrators, and API keys as far as they may
  kAgents,          // mutual TLS: a node, about itself
  kEnrollment,      // server TLS: who has a join token
  kHealth,          // the API, for everybody
};

// How much of the cluster a call is about, and so what a key needs to be let in.
enum class Reach {
  kEverything,  // the verb without any limit
  kNodes,       // the verb, not limited to accounts; which nodes is looked at in the method
  kPart,        // the verb; what of it the key may see or do is looked at in the method
};

// Of which bucket a call is taken.
enum class Rate {
  kCaller,   // the user's, the administrator's or the key's
  kSource,   // of the address it comes from
  kSession,  // a node has one session, and its messages are bounded by credits
};

struct MethodRule {
  absl::string_view method;  // "hostq.v1.CommandService.CreateCommand"
  Listener listener;
  // What a key needs. kNone: no key may.
  Verb verb = Verb::kNone;
  Reach reach = Reach::kEverything;
  // On the manager's socket only.
  bool local_only = false;
  Rate rate = Rate::kCaller;
  // This will do instead of `verb`; the method looks for what.
  Verb other_verb = Verb::kNone;
};

// One row for each method of the product; a test compares with the protos.
absl::Span<const MethodRule> MethodRules();
// Null: there is no such method.
const MethodRule* FindRule(absl::string_view method);

// Whether every method of the service ("hostq.v1.CommandService") has a row, and that row says this
// listener. A server is not started with a service for which this is false.
bool MayServe(Listener listener, absl::string_view service);

}  // namespace hostq::manager
