#include "manager/web_metrics.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/access/scope.h"
#include "manager/http/routes.h"

namespace hostq::manager {
namespace {

constexpr char kPath[] = "/metrics";
constexpr const char* kOtherPaths[] = {kPath, "/healthz", "/readyz", "/session"};
// What is no path of the API: the dashboard's files, whatever they are called.
constexpr char kFiles[] = "/";

absl::StatusOr<Caller> MayRead(const WebRequest& request, CallAdmission& admission,
                               Engine& engine) {
  HOSTQ_ASSIGN_OR_RETURN(Caller caller,
                         admission.Recognize({request.who.peer, request.who.certificate_pem,
                                              request.who.key, false, true},
                                             "metrics.read", request.request_id));
  if (AllowsEverything(*caller.rights, Verb::kRead)) return caller;
  const absl::Status status = MakeError(
      absl::StatusCode::kPermissionDenied, Reason::kOutOfScope,
      absl::StrCat(caller.actor, " has no scope \"read\" without limits, which ", kPath, " needs"));
  engine.Audit(caller.On(""), status);
  Refused(caller, status);
  return status;
}

absl::string_view PathOf(const HttpRequest& request) {
  const absl::string_view path =
      absl::string_view(request.target).substr(0, request.target.find('?'));
  for (const char* const known : kOtherPaths) {
    if (path == known) return known;
  }
  if (!absl::StartsWith(path, "/v1/")) return kFiles;
  const absl::StatusOr<RouteMatch> match = FindRoute(request.method, path);
  return match.ok() ? match->route->path : "";  // "other"
}

class CountedExchange final : public HttpExchange {
 public:
  CountedExchange(std::shared_ptr<HttpExchange> exchange, CallCounts& counts, Clock& clock)
      : exchange_(std::move(exchange)),
        counts_(counts),
        clock_(clock),
        begin_(clock.Monotonic()),
        path_(PathOf(exchange_->request())) {}

  const HttpRequest& request() const override { return exchange_->request(); }
  void Answer(HttpResponse response) override {
    counts_.Ended(path_, absl::StrCat(response.status), clock_.Monotonic() - begin_);
    exchange_->Answer(std::move(response));
  }
  void Begin(HttpStream stream) override {
    counts_.StreamBegan(path_);
    stream.gone = [&counts = counts_, path = path_, gone = std::move(stream.gone)] {
      counts.StreamEnded(path, "200");
      if (gone) gone();
    };
    exchange_->Begin(std::move(stream));
  }
  void Send(std::string piece, std::function<void()> sent) override {
    exchange_->Send(std::move(piece), std::move(sent));
  }
  void Finish() override { exchange_->Finish(); }

 private:
  const std::shared_ptr<HttpExchange> exchange_;
  CallCounts& counts_;
  Clock& clock_;
  const absl::Duration begin_;
  const std::string path_;
};

}  // namespace

WebFront::Page MetricsPage(ManagerMetrics& metrics, CallAdmission& admission, Engine& engine,
                           Workers& workers) {
  return {
      kPath, [&](const WebRequest& request) {
        const absl::StatusOr<Caller> caller = MayRead(request, admission, engine);
        if (!caller.ok()) return request.Answer(caller.status());
        const bool taken = workers.Try([&metrics, request] {
          HttpResponse response;
          response.headers = {{"content-type", kPageContentType}, {"cache-control", "no-store"}};
          response.body = metrics.Text();
          request.Answer(std::move(response));
        });
        if (taken) return;
        request.Answer(
            WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, Reason::kQueueFull,
                                     "several others wait for the same page already"),
                           absl::Seconds(5)));
      }};
}

std::shared_ptr<HttpExchange> Counted(std::shared_ptr<HttpExchange> exchange, CallCounts& counts,
                                      Clock& clock) {
  return std::make_shared<CountedExchange>(std::move(exchange), counts, clock);
}

std::vector<std::string> RoutePaths() {
  std::set<std::string> paths(std::begin(kOtherPaths), std::end(kOtherPaths));
  paths.insert(kFiles);
  for (const Route& route : Routes()) paths.emplace(route.path);
  return {paths.begin(), paths.end()};
}

}  // namespace hostq::manager
