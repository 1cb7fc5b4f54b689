#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hostq::manager {

// One operation of the REST API: a method of the gRPC API under a method and path of HTTP.
struct Route {
  absl::string_view method;  // "GET", "POST" or "DELETE"
  // What is in braces is a field of the request: "/v1/commands/{id}:retry".
  absl::string_view path;
  absl::string_view rpc;  // "hostq.v1.CommandService.RetryCommand"
  // Where what was made is, if something was: "/v1/commands/{command.id}", with fields of the
  // response. Then the answer is 201. Empty: 200.
  absl::string_view made = "";
};

// All of them, in the order of docs/openapi.yaml, which is made of this table
// (docs/openapi/generate.py), as the server's answers are.
absl::Span<const Route> Routes();

// A method of hostq.v1 that has no route, and why. A test shows that there is no other.
struct NotInRest {
  absl::string_view rpc;
  absl::string_view why;
};
absl::Span<const NotInRest> MethodsNotInRest();

// The route of a request, and the values in its path, by field, decoded.
struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::pair<std::string, std::string>> fields;
};
// HEAD is as GET. Errors: NOT_FOUND (UNKNOWN_ROUTE), UNIMPLEMENTED (METHOD_NOT_ALLOWED: see
// AllowedMethods), INVALID_ARGUMENT (INVALID_ARGUMENT: the path is not encoded as it should be).
absl::StatusOr<RouteMatch> FindRoute(absl::string_view method, absl::string_view path);
// "GET, HEAD, POST, OPTIONS"; empty: there is nothing at the path.
std::string AllowedMethods(absl::string_view path);

}  // namespace hostq::manager
