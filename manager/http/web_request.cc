#include "manager/http/web_request.h"

#include <utility>

#include "manager/http/problem.h"

namespace hostq::manager {

HttpHeaders WebRequest::CommonHeaders(const std::string& request_id) {
  return {{"hostq-request-id", request_id},
          {"x-content-type-options", "nosniff"},
          {"referrer-policy", "no-referrer"},
          {"cross-origin-resource-policy", "same-origin"},
          {"strict-transport-security", "max-age=31536000"}};
}

void WebRequest::Answer(HttpResponse response) const {
  HttpHeaders common = CommonHeaders(request_id);
  response.headers.insert(response.headers.begin(), std::make_move_iterator(common.begin()),
                          std::make_move_iterator(common.end()));
  exchange->Answer(std::move(response));
}

void WebRequest::Answer(const absl::Status& error) const { Answer(ProblemOf(error, request_id)); }

}  // namespace hostq::manager
