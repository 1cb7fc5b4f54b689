// A request to the HTTPS port, as the server hands it on: "METHOD TARGET", lines of headers, an
// empty line, the body. It is refused with a problem that is JSON, or becomes a message that can be
// sent and shown.
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "hostq/v1/account_service.pb.h"
#include "hostq/v1/administrator_service.pb.h"
#include "hostq/v1/alarm_service.pb.h"
#include "hostq/v1/audit_service.pb.h"
#include "hostq/v1/authority_service.pb.h"
#include "hostq/v1/command_service.pb.h"
#include "hostq/v1/event_service.pb.h"
#include "hostq/v1/key_service.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "input.h"
#include "manager/http/binding.h"
#include "manager/http/problem.h"
#include "manager/http/routes.h"
#include "manager/http/target.h"

namespace {

using namespace hostq;
using namespace hostq::manager;

// The routes find their methods by name; so these have to be in the program.
const google::protobuf::Descriptor* const kUsed[] = {
    v1::Account::descriptor(),       v1::Administrator::descriptor(),
    v1::Alarm::descriptor(),         v1::AuditEntry::descriptor(),
    v1::Authority::descriptor(),     v1::CreateCommandRequest::descriptor(),
    v1::Event::descriptor(),         v1::Key::descriptor(),
    v1::GetNodeRequest::descriptor()};

void Refused(const absl::Status& status) {
  HOSTQ_CHECK(ReasonOf(status) != Reason::kNone);
  const HttpResponse response = ProblemOf(status, "id");
  HOSTQ_CHECK(response.status >= 400 && response.status < 500);
  HOSTQ_CHECK(nlohmann::json::accept(response.body));
}

HttpRequest Parse(absl::string_view text) {
  HttpRequest request;
  const size_t end = text.find("\n\n");
  if (end != absl::string_view::npos) request.body = std::string(text.substr(end + 2));
  bool first = true;
  for (const absl::string_view line : absl::StrSplit(text.substr(0, end), '\n')) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(first ? ' ' : ':', 1));
    if (first) {
      request.method = parts.first;
      request.target = parts.second;
    } else {
      request.headers.push_back(parts);
    }
    first = false;
  }
  return request;
}

void Try(const HttpRequest& request) {
  const auto target = ParseTarget(request.target);
  if (!target.ok()) return Refused(target.status());
  const auto match = FindRoute(request.method, target->path);
  if (!match.ok()) return (void)ProblemOf(match.status(), "id");
  const auto* method = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
      std::string(match->route->rpc));
  HOSTQ_CHECK(method != nullptr);
  const auto message = BindRequest(*method->input_type(), *match, *target, request);
  if (!message.ok()) return Refused(message.status());
  std::string bytes;
  HOSTQ_CHECK((*message)->SerializeToString(&bytes));
  const auto json = ToJson(**message);
  HOSTQ_CHECK(json.ok() && nlohmann::json::accept(*json));
  HOSTQ_CHECK(NamesTag(EntityTag(*json), EntityTag(*json)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  HOSTQ_CHECK(kUsed[0] != nullptr);
  Try(Parse({reinterpret_cast<const char*>(data), size}));
  return 0;
}
