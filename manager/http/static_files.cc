#include "manager/http/static_files.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/http/binding.h"
#include "manager/http/problem.h"

namespace hostq::manager {
namespace {

constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

// The names of these have a hash of what is in them.
bool NeverChanges(absl::string_view path) { return absl::StartsWith(path, "/assets/"); }

bool TakesGzip(const HttpRequest& request) {
  for (const absl::string_view each : absl::StrSplit(request.Header("accept-encoding"), ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(each, ';');
    if (absl::StripAsciiWhitespace(parts[0]) != "gzip") continue;
    return parts.size() == 1 || !absl::StartsWith(absl::StripAsciiWhitespace(parts[1]), "q=0") ||
           absl::StartsWith(absl::StripAsciiWhitespace(parts[1]), "q=0.");
  }
  return false;
}

}  // namespace

HttpResponse AnswerWithFile(const HttpRequest& request, absl::string_view path,
                            absl::string_view request_id) {
  if (path == "/") path = "/index.html";
  const auto files = StaticFiles();
  const auto file = std::find_if(files.begin(), files.end(),
                                 [&](const StaticFile& each) { return each.path == path; });
  if (file == files.end()) {
    return ProblemOf(MakeError(absl::StatusCode::kNotFound, Reason::kUnknownRoute,
                               absl::StrCat("there is nothing at ", Printable(path))),
                     request_id);
  }
  HttpResponse response;
  if (request.method != "GET" && request.method != "HEAD") {
    response = ProblemOf(MakeError(absl::StatusCode::kUnimplemented, Reason::kMethodNotAllowed,
                                   "a file can only be read"),
                         request_id);
    if (request.method == "OPTIONS") {
      response = {};
      response.status = 204;
    }
    response.headers.emplace_back("allow", "GET, HEAD, OPTIONS");
    return response;
  }
  response.headers = {
      {"content-type", std::string(file->type)},
      {"content-security-policy", kContentSecurityPolicy},
      {"cross-origin-opener-policy", "same-origin"},
      {"vary", "accept-encoding"},
      {"etag", std::string(file->tag)},
      {"cache-control",
       NeverChanges(file->path) ? "public, max-age=31536000, immutable" : "no-cache"}};
  if (NamesTag(request.Header("if-none-match"), file->tag)) {
    response.status = 304;
  } else if (!file->gzip.empty() && TakesGzip(request)) {
    response.headers.emplace_back("content-encoding", "gzip");
    response.body = std::string(file->gzip);
  } else {
    response.body = std::string(file->bytes);
  }
  return response;
}

}  // namespace hostq::manager
