#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/actions/action.h"

namespace hostq::agent {

// What hooks are told of one event: the document of docs/reference/hooks.md.
struct HookEvent {
  absl::string_view name;  // "created"
  const v1::Account& account;
  // Of "address_added" and "address_removed".
  std::string address = {};
};

// JSON, with a newline at its end. Everything in it is checked first, because hooks are root and
// make files of it: a domain is a domain, a path has plain characters, and so on, whatever the
// manager sent. Errors: BAD_PARAMETERS, and NOT_ALLOWED_BY_POLICY for a user or a home that is not
// the node's to have.
absl::StatusOr<std::string> HookDocument(const HookEvent& event, const Roles& roles,
                                         const Policy& policy);

}  // namespace hostq::agent
