#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "manager/http/message.h"

namespace hostq::manager {

// The error as application/problem+json (RFC 9457): type, title, status, detail, reason, remedy,
// requestId, and retryAfter (seconds) if the same request may be sent again then. With the headers
// www-authenticate and retry-after where they belong. `status` is not OK.
HttpResponse ProblemOf(const absl::Status& status, absl::string_view request_id);
// The body alone.
std::string ProblemJson(const absl::Status& status, absl::string_view request_id);
// Of what is not a request of HTTP, or no acceptable one: 400, 413, 417, 431, 501, 503 or 505.
HttpResponse ProblemOf(int http_status, absl::string_view detail, absl::string_view request_id);

// "Not Found" of 404.
int HttpStatusOf(const absl::Status& status);

}  // namespace hostq::manager
