#include "manager/http/front.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/crypto/hash.h"
#include "common/rpc/peer.h"
#include "manager/http/problem.h"
#include "manager/http/static_files.h"

namespace hostq::manager {
namespace {

// The prefix makes browsers refuse one that is not ours alone: Secure, for this host, of all paths.
constexpr char kCookie[] = "__Host-hostq";
constexpr char kCookieRules[] = "; Path=/; Secure; HttpOnly; SameSite=Strict";

bool IsChange(const HttpRequest& request) {
  return request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS";
}

absl::Status CrossSite(absl::string_view why) {
  return MakeError(absl::StatusCode::kPermissionDenied, Reason::kCrossSiteRequest, why);
}

// Who sends these headers is a browser, and it says where the page is from that had it do so.
absl::Status CheckSite(const HttpRequest& request) {
  if (request.Has("origin")) {
    const std::string own = absl::StrCat("https://", request.Header("host"));
    if (!absl::EqualsIgnoreCase(request.Header("origin"), own)) {
      return MakeError(absl::StatusCode::kPermissionDenied, Reason::kForeignOrigin,
                       "the request comes from a page of another site in a browser");
    }
  }
  if (!request.Has("sec-fetch-site")) return absl::OkStatus();
  const absl::string_view site = request.Header("sec-fetch-site");
  if (site == "same-origin" || site == "none") return absl::OkStatus();
  return CrossSite("a page of another site has the browser send this");
}

bool IsBrowser(const HttpRequest& request) {
  return request.Has("origin") || request.Has("sec-fetch-site");
}

// Nothing: there is none.
std::optional<absl::string_view> CookieOf(const HttpRequest& request) {
  for (const auto& [name, value] : request.headers) {
    if (name != "cookie") continue;
    for (absl::string_view each : absl::StrSplit(value, ';')) {
      each = absl::StripAsciiWhitespace(each);
      if (absl::ConsumePrefix(&each, absl::StrCat(kCookie, "="))) return each;
    }
  }
  return std::nullopt;
}

absl::Status SessionExpired() {
  return MakeError(absl::StatusCode::kUnauthenticated, Reason::kSessionExpired,
                   "there is no such session, or not any more");
}

HttpResponse Text(int status, absl::string_view text) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"content-type", "text/plain; charset=utf-8"}, {"cache-control", "no-store"}};
  response.body = std::string(text);
  return response;
}

HttpResponse Show(const WebSessions::Session& session) {
  nlohmann::ordered_json out;
  out["actor"] = session.actor;
  out["csrfToken"] = session.csrf_token;
  out["expireTime"] =
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", session.expire_time, absl::UTCTimeZone());
  HttpResponse response;
  response.headers = {{"content-type", "application/json"}, {"cache-control", "no-store"}};
  response.body = out.dump();
  return response;
}

// {"key": "hostq_..."}; an empty body, or object: no key.
absl::StatusOr<std::optional<SecretString>> KeyInBody(const HttpRequest& request) {
  if (request.body.empty()) return std::nullopt;
  if (!absl::StartsWith(request.Header("content-type"), "application/json")) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kUnsupportedMediaType,
                     "the body is not JSON");
  }
  const auto body = nlohmann::json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  if (body.is_object() && body.empty()) return std::nullopt;
  if (!body.is_object() || body.size() != 1 || !body.contains("key") || !body["key"].is_string()) {
    return InvalidField(Reason::kInvalidArgument, "body", "is not {\"key\": \"hostq_...\"}");
  }
  return SecretString(body["key"].get<std::string>());
}

}  // namespace

void WebFront::Handle(std::shared_ptr<HttpExchange> exchange) {
  WebRequest request;
  request.exchange = std::move(exchange);
  const HttpRequest& http = request.http();
  request.request_id = RequestIdFrom(http.Header("hostq-request-id"));
  request.who.peer = http.peer;
  request.who.certificate_pem = http.certificate_pem;
  request.who.request_id = request.request_id;
  request.who.trace_parent = std::string(http.Header("traceparent"));
  request.wanted = [] { return true; };
  request.end_session = [] {};
  const std::string source = RateLimitSource(PeerAddress(http.peer));
  if (absl::Status status = limiter_.Check(source, parts_.clock.Monotonic()); !status.ok()) {
    HttpResponse response = ProblemOf(status, request.request_id);
    response.close = true;
    return request.Answer(std::move(response));
  }
  absl::StatusOr<HttpTarget> target = ParseTarget(http.target);
  if (!target.ok()) return request.Answer(target.status());
  request.target = *std::move(target);
  Dispatch(request);
}

void WebFront::Dispatch(WebRequest& request) {
  const HttpRequest& http = request.http();
  const std::string& path = request.target.path;
  const bool reads = http.method == "GET" || http.method == "HEAD";
  if (path == "/healthz" && reads) return request.Answer(Text(200, "ok\n"));
  if (path == "/readyz" && reads) {
    const absl::Status ready = parts_.ready();
    return ready.ok() ? request.Answer(Text(200, "ready\n")) : request.Answer(ready);
  }
  const bool rest = absl::StartsWith(path, "/v1/");
  const auto page = std::find_if(parts_.pages.begin(), parts_.pages.end(),
                                 [&](const Page& each) { return each.path == path; });
  const bool is_page = reads && page != parts_.pages.end();
  if (rest || is_page || path == "/session" || !reads) {
    if (absl::Status status = CheckSite(http); !status.ok()) return request.Answer(status);
  }
  if (path == "/session") return HandleSession(request);
  if (!rest && !is_page) {
    return request.Answer(AnswerWithFile(http, path, request.request_id));
  }
  if (absl::Status status = TakeCredentials(request); !status.ok()) return request.Answer(status);
  is_page ? page->answer(request) : parts_.rest.Handle(request);
}

// --- who shows what ---

absl::Status WebFront::TakeCredentials(WebRequest& request) {
  const HttpRequest& http = request.http();
  if (http.Has("authorization")) {
    request.who.key = KeyIn(http.Header("authorization"));
    return absl::OkStatus();
  }
  if (const auto token = CookieOf(http)) return TakeSession(*token, request);
  // A browser shows its certificate to whichever page has it ask.
  if (IsBrowser(http) && IsChange(http)) {
    return CrossSite("a browser has to sign in before it changes something");
  }
  return absl::OkStatus();
}

absl::Status WebFront::TakeSession(absl::string_view token, WebRequest& request) {
  const HttpRequest& http = request.http();
  const WebSessions::SessionPtr session = sessions_.Find(token, http.certificate_pem);
  if (session == nullptr) return SessionExpired();
  if (IsChange(http) && !ConstantTimeEquals(http.Header("x-csrf-token"), session->csrf_token)) {
    return CrossSite("the header x-csrf-token is not the session's");
  }
  request.who.key = session->key;
  request.wanted = [this, id = session->id] { return sessions_.Holds(id); };
  request.end_session = [this, id = session->id] { sessions_.End(id); };
  return absl::OkStatus();
}

// --- the dashboard's session ---

WebSessions::SessionPtr WebFront::SessionOf(const WebRequest& request) {
  const auto token = CookieOf(request.http());
  return token ? sessions_.Find(*token, request.http().certificate_pem) : nullptr;
}

void WebFront::HandleSession(WebRequest& request) {
  const HttpRequest& http = request.http();
  if (http.method == "POST") return SignIn(request);
  if (http.method == "OPTIONS") {
    HttpResponse response;
    response.status = 204;
    response.headers.emplace_back("allow", "GET, HEAD, POST, DELETE, OPTIONS");
    return request.Answer(std::move(response));
  }
  const bool reads = !IsChange(http);
  if (!reads && http.method != "DELETE") {
    HttpResponse response =
        ProblemOf(MakeError(absl::StatusCode::kUnimplemented, Reason::kMethodNotAllowed,
                            "/session takes GET, POST and DELETE"),
                  request.request_id);
    response.headers.emplace_back("allow", "GET, HEAD, POST, DELETE, OPTIONS");
    return request.Answer(std::move(response));
  }
  const WebSessions::SessionPtr session = SessionOf(request);
  if (session == nullptr) return request.Answer(SessionExpired());
  reads ? request.Answer(Show(*session)) : SignOut(request, session);
}

void WebFront::SignIn(const WebRequest& request) {
  const HttpRequest& http = request.http();
  absl::StatusOr<std::optional<SecretString>> key = KeyInBody(http);
  if (!key.ok()) return request.Answer(key.status());
  Shown shown;
  shown.peer = http.peer;
  shown.certificate_pem = http.certificate_pem;
  shown.key = *key;
  shown.by_gateway = true;
  const absl::StatusOr<Caller> caller =
      parts_.admission.Recognize(shown, "session.open", request.request_id);
  if (!caller.ok()) return request.Answer(caller.status());
  parts_.signed_in_or_out(*caller);
  const WebSessions::Opened opened =
      sessions_.Open(caller->actor, *std::move(key), http.certificate_pem);
  HttpResponse response = Show(*opened.session);
  response.headers.emplace_back("set-cookie",
                                absl::StrCat(kCookie, "=", opened.token.Reveal(), kCookieRules));
  request.Answer(std::move(response));
}

void WebFront::SignOut(const WebRequest& request, const WebSessions::SessionPtr& session) {
  if (!ConstantTimeEquals(request.http().Header("x-csrf-token"), session->csrf_token)) {
    return request.Answer(CrossSite("the header x-csrf-token is not the session's"));
  }
  sessions_.End(session->id);
  Caller caller;
  caller.actor = session->actor;
  caller.source = PeerAddress(request.http().peer);
  caller.method = "session.end";
  caller.request_id = request.request_id;
  parts_.signed_in_or_out(caller);
  HttpResponse response;
  response.status = 204;
  response.headers = {{"cache-control", "no-store"},
                      {"set-cookie", absl::StrCat(kCookie, "=", kCookieRules, "; Max-Age=0")}};
  request.Answer(std::move(response));
}

}  // namespace hostq::manager
