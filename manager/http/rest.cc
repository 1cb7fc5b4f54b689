#include "manager/http/rest.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "google/protobuf/descriptor.h"
#include "manager/http/binding.h"
#include "manager/http/event_stream.h"
#include "manager/http/problem.h"
#include "manager/http/routes.h"

namespace hostq::manager {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

const MethodDescriptor& MethodOf(const Route& route) {
  const auto* method =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(std::string(route.rpc));
  HOSTQ_CHECK(method != nullptr);
  return *method;
}

// It says so of itself: nothing was made, because the request was one that was made before.
bool IsRepeated(const Message& response) {
  const FieldDescriptor* field = response.GetDescriptor()->FindFieldByName("repeated");
  return field != nullptr && field->type() == FieldDescriptor::TYPE_BOOL &&
         response.GetReflection()->GetBool(response, field);
}

HttpResponse AnswerOf(const Route& route, const Message& response, const HttpRequest& request,
                      const std::string& request_id) {
  absl::StatusOr<std::string> json = ToJson(response);
  if (!json.ok()) return ProblemOf(json.status(), request_id);
  HttpResponse out;
  out.headers.emplace_back("content-type", "application/json");
  out.body = *std::move(json);
  if (route.method == "GET") {
    // May be kept, and must be asked for again each time.
    out.headers.emplace_back("cache-control", "private, no-cache");
    std::string tag = EntityTag(out.body);
    if (NamesTag(request.Header("if-none-match"), tag)) {
      out.status = 304;
      out.body.clear();
    }
    out.headers.emplace_back("etag", std::move(tag));
    return out;
  }
  out.headers.emplace_back("cache-control", "no-store");
  if (route.made.empty()) return out;
  std::string location = FillIn(route.made, response);
  if (location.empty()) return out;
  if (!IsRepeated(response)) out.status = 201;
  out.headers.emplace_back("location", std::move(location));
  return out;
}

void Call(Gateway& gateway, const WebRequest& web, const Route& route,
          std::unique_ptr<Message> message) {
  gateway.Call(MethodOf(route), std::move(message), web.who,
               [web, &route](const absl::Status& status, const Message& response) {
                 if (status.code() == absl::StatusCode::kUnauthenticated) web.end_session();
                 status.ok() ? web.Answer(AnswerOf(route, response, web.http(), web.request_id))
                             : web.Answer(status);
               });
}

// What is read is compared with what the caller had read before it decided.
void CallIfSame(Gateway& gateway, const WebRequest& web, const Route& route,
                std::unique_ptr<Message> message) {
  const std::string path = web.target.path.substr(0, web.target.path.rfind(':'));
  absl::StatusOr<RouteMatch> read = FindRoute("GET", path);
  if (!read.ok() || read->fields.empty()) {
    return web.Answer(InvalidField(Reason::kInvalidArgument, "if-match",
                                   absl::StrCat("nothing to compare with can be read at ", path)));
  }
  absl::StatusOr<std::unique_ptr<Message>> question =
      BindRequest(*MethodOf(*read->route).input_type(), *read, HttpTarget{path, {}}, HttpRequest{});
  if (!question.ok()) return web.Answer(question.status());
  const auto held = std::make_shared<std::unique_ptr<Message>>(std::move(message));
  gateway.Call(MethodOf(*read->route), *std::move(question), web.who,
               [&gateway, web, &route, held](const absl::Status& status, const Message& response) {
                 if (!status.ok()) return web.Answer(status);
                 const absl::StatusOr<std::string> json = ToJson(response);
                 if (!json.ok()) return web.Answer(json.status());
                 const std::string tag = EntityTag(*json);
                 if (NamesTag(web.http().Header("if-match"), tag)) {
                   return Call(gateway, web, route, std::move(*held));
                 }
                 HttpResponse problem = ProblemOf(
                     MakeError(absl::StatusCode::kFailedPrecondition, Reason::kPreconditionFailed,
                               "it is not any more as the header if-match has it"),
                     web.request_id);
                 problem.headers.emplace_back("etag", tag);
                 web.Answer(std::move(problem));
               });
}

}  // namespace

void Rest::Handle(const WebRequest& web) {
  const HttpRequest& http = web.http();
  const absl::StatusOr<RouteMatch> match = FindRoute(http.method, web.target.path);
  if (ReasonOf(match.status()) == Reason::kMethodNotAllowed) {
    HttpResponse response;
    if (http.method == "OPTIONS") {
      response.status = 204;
    } else {
      response = ProblemOf(match.status(), web.request_id);
    }
    response.headers.emplace_back("allow", AllowedMethods(web.target.path));
    return web.Answer(std::move(response));
  }
  if (!match.ok()) return web.Answer(match.status());
  const MethodDescriptor& method = MethodOf(*match->route);
  absl::StatusOr<std::unique_ptr<Message>> message =
      BindRequest(*method.input_type(), *match, web.target, http);
  if (!message.ok()) return web.Answer(message.status());
  if (method.server_streaming() && http.method == "HEAD") {
    return web.Answer(MakeError(absl::StatusCode::kUnimplemented, Reason::kMethodNotAllowed,
                                "a stream of events has no HEAD"));
  }
  if (method.server_streaming()) {
    return StartEventStream(gateway_, web, method, *std::move(message));
  }
  const bool changes = match->route->method != "GET";
  changes&& http.Has("if-match") ? CallIfSame(gateway_, web, *match->route, *std::move(message))
                                 : Call(gateway_, web, *match->route, *std::move(message));
}

}  // namespace hostq::manager
