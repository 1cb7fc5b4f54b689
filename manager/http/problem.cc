#include "manager/http/problem.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

constexpr char kType[] = "application/problem+json";

int StatusOfReason(Reason reason) {
  switch (reason) {
    case Reason::kUnknownRoute:
      return 404;
    case Reason::kMethodNotAllowed:
      return 405;
    case Reason::kPreconditionFailed:
      return 412;
    case Reason::kRequestTooLarge:
      return 413;
    case Reason::kUnsupportedMediaType:
      return 415;
    case Reason::kSessionExpired:
      return 401;
    default:
      return 0;
  }
}

int StatusOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

std::string Json(int http_status, const absl::Status& status, absl::string_view request_id) {
  const Reason reason = ReasonOf(status);
  const ReasonInfo& info = InfoOf(reason == Reason::kNone ? Reason::kInternal : reason);
  const std::string own_remedy = RemedyOf(status);
  nlohmann::ordered_json out;
  out["type"] = absl::StrCat("urn:hostq:reason:", info.name);
  out["title"] = std::string(info.explanation);
  out["status"] = http_status;
  out["detail"] = std::string(status.message());
  out["reason"] = std::string(info.name);
  out["remedy"] = own_remedy.empty() ? std::string(info.remedy) : own_remedy;
  out["requestId"] = std::string(request_id);
  if (const absl::Duration delay = RetryDelayOf(status); delay > absl::ZeroDuration()) {
    out["retryAfter"] = absl::ToDoubleSeconds(delay);
  }
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

int HttpStatusOf(const absl::Status& status) {
  const int of_reason = StatusOfReason(ReasonOf(status));
  return of_reason != 0 ? of_reason : StatusOfCode(status.code());
}

std::string ProblemJson(const absl::Status& status, absl::string_view request_id) {
  return Json(HttpStatusOf(status), status, request_id);
}

HttpResponse ProblemOf(const absl::Status& status, absl::string_view request_id) {
  HttpResponse response;
  response.status = HttpStatusOf(status);
  response.headers.emplace_back("content-type", kType);
  response.headers.emplace_back("cache-control", "no-store");
  if (response.status == 401) {
    response.headers.emplace_back("www-authenticate", "Bearer realm=\"hostq\"");
  }
  if (const absl::Duration delay = RetryDelayOf(status); delay > absl::ZeroDuration()) {
    response.headers.emplace_back(
        "retry-after", absl::StrCat(static_cast<int64_t>(std::ceil(absl::ToDoubleSeconds(delay)))));
  }
  response.body = Json(response.status, status, request_id);
  return response;
}

HttpResponse ProblemOf(int http_status, absl::string_view detail, absl::string_view request_id) {
  const Reason reason = http_status == 413 || http_status == 431 ? Reason::kRequestTooLarge
                        : http_status == 503                     ? Reason::kRateLimited
                                                                 : Reason::kInvalidArgument;
  absl::Status status = MakeError(absl::StatusCode::kInvalidArgument, reason, detail);
  if (http_status == 503) status = WithRetryDelay(std::move(status), absl::Seconds(1));
  HttpResponse response = ProblemOf(status, request_id);
  response.status = http_status;
  response.body = Json(http_status, status, request_id);
  return response;
}

}  // namespace hostq::manager
