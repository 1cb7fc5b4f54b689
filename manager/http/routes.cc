#include "manager/http/routes.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/http/target.h"

namespace hostq::manager {
namespace {

// docs/openapi/generate.py reads these lines.
// clang-format off
constexpr Route kRoutes[] = {
    {"POST", "/v1/commands", "hostq.v1.CommandService.CreateCommand", "/v1/commands/{command.id}"},
    {"POST", "/v1/commands:batch", "hostq.v1.CommandService.CreateCommands"},
    {"GET", "/v1/commands", "hostq.v1.CommandService.ListCommands"},
    {"GET", "/v1/commands/{id}", "hostq.v1.CommandService.GetCommand"},
    {"GET", "/v1/commands/{id}/findings", "hostq.v1.CommandService.ExplainCommand"},
    {"POST", "/v1/commands/{id}:retry", "hostq.v1.CommandService.RetryCommand"},
    {"POST", "/v1/commands/{id}:skip", "hostq.v1.CommandService.SkipCommand"},
    {"POST", "/v1/commands/{id}:cancel", "hostq.v1.CommandService.CancelCommand"},
    {"POST", "/v1/tasks:retry", "hostq.v1.CommandService.RetryTasks"},
    {"GET", "/v1/findings", "hostq.v1.CommandService.ListFindings"},
    {"GET", "/v1/pauses", "hostq.v1.CommandService.ListPauses"},
    {"POST", "/v1/pauses", "hostq.v1.CommandService.PauseCommands"},
    {"POST", "/v1/pauses:resume", "hostq.v1.CommandService.ResumeCommands"},
    {"GET", "/v1/orphans", "hostq.v1.CommandService.ListOrphans"},
    {"GET", "/v1/accounts", "hostq.v1.AccountService.ListAccounts"},
    {"GET", "/v1/accounts/{domain}", "hostq.v1.AccountService.GetAccount"},
    {"GET", "/v1/accounts/{domain}/status", "hostq.v1.AccountService.DescribeAccount"},
    {"GET", "/v1/shares", "hostq.v1.AccountService.ListShares"},
    {"GET", "/v1/nodes", "hostq.v1.NodeService.ListNodes"},
    {"POST", "/v1/nodes", "hostq.v1.NodeService.CreateNode", "/v1/nodes/{node.name}"},
    {"GET", "/v1/nodes/{name}", "hostq.v1.NodeService.GetNode"},
    {"DELETE", "/v1/nodes/{name}", "hostq.v1.NodeService.RemoveNode"},
    {"POST", "/v1/nodes/{name}:pause", "hostq.v1.NodeService.PauseNode"},
    {"POST", "/v1/nodes/{name}:resume", "hostq.v1.NodeService.ResumeNode"},
    {"POST", "/v1/nodes/{name}:ban", "hostq.v1.NodeService.BanNode"},
    {"POST", "/v1/nodes/{name}:unban", "hostq.v1.NodeService.UnbanNode"},
    {"POST", "/v1/nodes/{name}:approve", "hostq.v1.NodeService.ApproveNode"},
    {"POST", "/v1/nodes/{name}:rejoin", "hostq.v1.NodeService.RejoinNode"},
    {"GET", "/v1/balancing", "hostq.v1.NodeService.GetBalancing"},
    {"GET", "/v1/events", "hostq.v1.EventService.WatchEvents"},
    {"GET", "/v1/keys", "hostq.v1.KeyService.ListKeys"},
    {"POST", "/v1/keys", "hostq.v1.KeyService.CreateKey", "/v1/keys/{key.name}"},
    {"GET", "/v1/keys/{name}", "hostq.v1.KeyService.GetKey"},
    {"POST", "/v1/keys/{name}:rotate", "hostq.v1.KeyService.RotateKey"},
    {"POST", "/v1/keys/{name}:revoke", "hostq.v1.KeyService.RevokeKey"},
    {"GET", "/v1/administrators", "hostq.v1.AdministratorService.ListAdministrators"},
    {"POST", "/v1/administrators/{name}:revoke", "hostq.v1.AdministratorService.RevokeAdministrator"},
    {"GET", "/v1/alarms", "hostq.v1.AlarmService.ListAlarms"},
    {"POST", "/v1/alarms:clear", "hostq.v1.AlarmService.ClearAlarm"},
    {"GET", "/v1/audit", "hostq.v1.AuditService.ListAuditEntries"},
    {"GET", "/v1/audit/head", "hostq.v1.AuditService.GetAuditHead"},
    {"GET", "/v1/authority", "hostq.v1.AuthorityService.GetAuthority"},
    {"GET", "/v1/overview", "hostq.v1.ManagerService.GetOverview"},
    {"GET", "/v1/diagnosis", "hostq.v1.ManagerService.Diagnose"},
    {"GET", "/v1/webhooks", "hostq.v1.WebhookService.ListWebhooks"},
    {"POST", "/v1/webhooks", "hostq.v1.WebhookService.CreateWebhook", "/v1/webhooks/{webhook.name}"},
    {"GET", "/v1/webhooks/{name}", "hostq.v1.WebhookService.GetWebhook"},
    {"DELETE", "/v1/webhooks/{name}", "hostq.v1.WebhookService.DeleteWebhook"},
    {"POST", "/v1/webhooks/{name}:pause", "hostq.v1.WebhookService.PauseWebhook"},
    {"POST", "/v1/webhooks/{name}:resume", "hostq.v1.WebhookService.ResumeWebhook"},
    {"POST", "/v1/webhooks/{name}:rotate", "hostq.v1.WebhookService.RotateWebhook"},
    {"POST", "/v1/webhooks/{name}:test", "hostq.v1.WebhookService.TestWebhook"},
    {"GET", "/v1/webhooks/{webhook}/deliveries", "hostq.v1.WebhookService.ListDeliveries"},
    {"GET", "/v1/deliveries/{id}", "hostq.v1.WebhookService.GetDelivery"},
    {"POST", "/v1/deliveries:replay", "hostq.v1.WebhookService.ReplayDelivery"},
};
// clang-format on

constexpr char kOnTheSocket[] = "only for administrators on the manager's machine";
constexpr NotInRest kNotInRest[] = {
    {"hostq.v1.AdministratorService.CreateAdministrator", kOnTheSocket},
    {"hostq.v1.AuthorityService.ActivateAuthority", kOnTheSocket},
    {"hostq.v1.AuthorityService.PrepareAuthority", kOnTheSocket},
    {"hostq.v1.AuthorityService.RetireAuthority", kOnTheSocket},
    {"hostq.v1.AuthorityService.UndoAuthority", kOnTheSocket},
};

// The field of "{id}:retry" and what follows it; nothing: it is a word.
struct Variable {
  absl::string_view field;
  absl::string_view rest;
};
std::optional<Variable> VariableOf(absl::string_view segment) {
  const size_t end = segment.find('}');
  if (!absl::StartsWith(segment, "{") || end == absl::string_view::npos) return std::nullopt;
  return Variable{segment.substr(1, end - 1), segment.substr(end + 1)};
}

// The values, still encoded. A colon that is not encoded stands before a verb and nowhere else.
using Values = std::vector<std::pair<absl::string_view, absl::string_view>>;
std::optional<Values> Match(absl::string_view pattern, absl::string_view path) {
  const std::vector<absl::string_view> wanted = absl::StrSplit(pattern, '/');
  const std::vector<absl::string_view> given = absl::StrSplit(path, '/');
  if (wanted.size() != given.size()) return std::nullopt;
  Values values;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::optional<Variable> variable = VariableOf(wanted[i]);
    absl::string_view value = given[i];
    if (!variable) {
      if (wanted[i] != value) return std::nullopt;
      continue;
    }
    if (!absl::ConsumeSuffix(&value, variable->rest)) return std::nullopt;
    if (value.empty() || absl::StrContains(value, ':')) return std::nullopt;
    values.emplace_back(variable->field, value);
  }
  return values;
}

}  // namespace

absl::Span<const Route> Routes() { return kRoutes; }

absl::Span<const NotInRest> MethodsNotInRest() { return kNotInRest; }

std::string AllowedMethods(absl::string_view path) {
  std::vector<absl::string_view> methods;
  for (const Route& route : kRoutes) {
    if (!Match(route.path, path)) continue;
    methods.push_back(route.method);
    if (route.method == "GET") methods.push_back("HEAD");
  }
  if (methods.empty()) return "";
  methods.push_back("OPTIONS");
  return absl::StrJoin(methods, ", ");
}

absl::StatusOr<RouteMatch> FindRoute(absl::string_view method, absl::string_view path) {
  if (method == "HEAD") method = "GET";
  bool known = false;
  for (const Route& route : kRoutes) {
    const std::optional<Values> values = Match(route.path, path);
    if (!values) continue;
    known = true;
    if (route.method != method) continue;
    RouteMatch match{&route, {}};
    for (const auto& [field, value] : *values) {
      HOSTQ_ASSIGN_OR_RETURN(std::string decoded, DecodePart(value));
      match.fields.emplace_back(std::string(field), std::move(decoded));
    }
    return match;
  }
  if (!known) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownRoute,
                     absl::StrCat("there is nothing at ", Printable(path)));
  }
  return MakeError(absl::StatusCode::kUnimplemented, Reason::kMethodNotAllowed,
                   absl::StrCat(Printable(path), " takes ", AllowedMethods(path), ", not ",
                                Printable(method, 20)));
}

}  // namespace hostq::manager
