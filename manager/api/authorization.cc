#include "manager/api/authorization.h"

#include <algorithm>

#include "google/protobuf/descriptor.h"

namespace hostq::manager {
namespace {

constexpr auto kAdministration = Listener::kAdministration;

// docs/reference/api.md has the same table.
constexpr MethodRule kRules[] = {
    {"grpc.health.v1.Health.Check", Listener::kHealth, Verb::kNone, Reach::kEverything, false,
     Rate::kSource},
    {"grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo", kAdministration, Verb::kRead,
     Reach::kPart},
    {"hostq.agent.v1.EnrollmentService.Enroll", Listener::kEnrollment, Verb::kNone,
     Reach::kEverything, false, Rate::kSource},
    {"hostq.agent.v1.EnrollmentService.Renew", Listener::kEnrollment, Verb::kNone,
     Reach::kEverything, false, Rate::kSource},
    {"hostq.agent.v1.SessionService.Connect", Listener::kAgents, Verb::kNone, Reach::kEverything,
     false, Rate::kSession},
    {"hostq.v1.AccountService.DescribeAccount", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.AccountService.GetAccount", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.AccountService.ListAccounts", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.AccountService.ListShares", kAdministration, Verb::kRead, Reach::kEverything},
    {"hostq.v1.AdministratorService.CreateAdministrator", kAdministration, Verb::kNone,
     Reach::kEverything, /*local_only=*/true},
    {"hostq.v1.AdministratorService.ListAdministrators", kAdministration, Verb::kAdmin},
    {"hostq.v1.AdministratorService.RevokeAdministrator", kAdministration},
    {"hostq.v1.AlarmService.ClearAlarm", kAdministration, Verb::kAdmin},
    {"hostq.v1.AlarmService.ListAlarms", kAdministration, Verb::kAdmin},
    {"hostq.v1.AuditService.GetAuditHead", kAdministration, Verb::kAdmin},
    {"hostq.v1.AuditService.ListAuditEntries", kAdministration, Verb::kAdmin},
    {"hostq.v1.AuthorityService.ActivateAuthority", kAdministration, Verb::kNone,
     Reach::kEverything,
     /*local_only=*/true},
    {"hostq.v1.AuthorityService.GetAuthority", kAdministration, Verb::kAdmin},
    {"hostq.v1.AuthorityService.PrepareAuthority", kAdministration, Verb::kNone, Reach::kEverything,
     /*local_only=*/true},
    {"hostq.v1.AuthorityService.RetireAuthority", kAdministration, Verb::kNone, Reach::kEverything,
     /*local_only=*/true},
    {"hostq.v1.AuthorityService.UndoAuthority", kAdministration, Verb::kNone, Reach::kEverything,
     /*local_only=*/true},
    {"hostq.v1.CommandService.CancelCommand", kAdministration, Verb::kAct, Reach::kPart},
    {"hostq.v1.CommandService.CreateCommand", kAdministration, Verb::kSubmit, Reach::kPart, false,
     Rate::kCaller, /*other_verb=*/Verb::kOperate},
    {"hostq.v1.CommandService.CreateCommands", kAdministration, Verb::kSubmit, Reach::kPart, false,
     Rate::kCaller, /*other_verb=*/Verb::kOperate},
    {"hostq.v1.CommandService.ExplainCommand", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.CommandService.GetCommand", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.CommandService.ListCommands", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.CommandService.ListFindings", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.CommandService.ListOrphans", kAdministration, Verb::kRead, Reach::kEverything},
    {"hostq.v1.CommandService.ListPauses", kAdministration, Verb::kRead, Reach::kEverything},
    {"hostq.v1.CommandService.PauseCommands", kAdministration, Verb::kOperate, Reach::kPart},
    {"hostq.v1.CommandService.ResumeCommands", kAdministration, Verb::kOperate, Reach::kPart},
    {"hostq.v1.CommandService.RetryCommand", kAdministration, Verb::kAct, Reach::kPart},
    {"hostq.v1.CommandService.RetryTasks", kAdministration, Verb::kAct, Reach::kNodes},
    {"hostq.v1.CommandService.SkipCommand", kAdministration, Verb::kAct, Reach::kPart},
    {"hostq.v1.EventService.WatchEvents", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.KeyService.CreateKey", kAdministration},
    {"hostq.v1.KeyService.GetKey", kAdministration, Verb::kAdmin},
    {"hostq.v1.KeyService.ListKeys", kAdministration, Verb::kAdmin},
    {"hostq.v1.KeyService.RevokeKey", kAdministration},
    {"hostq.v1.KeyService.RotateKey", kAdministration},
    {"hostq.v1.ManagerService.Diagnose", kAdministration, Verb::kRead, Reach::kEverything},
    {"hostq.v1.ManagerService.GetOverview", kAdministration, Verb::kRead, Reach::kEverything},
    {"hostq.v1.NodeService.ApproveNode", kAdministration, Verb::kAdmin},
    {"hostq.v1.NodeService.BanNode", kAdministration, Verb::kAdmin},
    {"hostq.v1.NodeService.CreateNode", kAdministration, Verb::kAdmin},
    {"hostq.v1.NodeService.GetBalancing", kAdministration, Verb::kRead, Reach::kEverything},
    {"hostq.v1.NodeService.GetNode", kAdministration, Verb::kRead, Reach::kNodes},
    {"hostq.v1.NodeService.ListNodes", kAdministration, Verb::kRead, Reach::kNodes},
    {"hostq.v1.NodeService.PauseNode", kAdministration, Verb::kOperate, Reach::kNodes},
    {"hostq.v1.NodeService.RejoinNode", kAdministration, Verb::kAdmin},
    {"hostq.v1.NodeService.RemoveNode", kAdministration, Verb::kAdmin},
    {"hostq.v1.NodeService.ResumeNode", kAdministration, Verb::kOperate, Reach::kNodes},
    {"hostq.v1.NodeService.UnbanNode", kAdministration, Verb::kAdmin},
    {"hostq.v1.WebhookService.CreateWebhook", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.DeleteWebhook", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.GetDelivery", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.GetWebhook", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.ListDeliveries", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.ListWebhooks", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.PauseWebhook", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.ReplayDelivery", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.ResumeWebhook", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.RotateWebhook", kAdministration, Verb::kRead, Reach::kPart},
    {"hostq.v1.WebhookService.TestWebhook", kAdministration, Verb::kRead, Reach::kPart},
};

}  // namespace

absl::Span<const MethodRule> MethodRules() { return kRules; }

const MethodRule* FindRule(absl::string_view method) {
  const auto* rule = std::find_if(std::begin(kRules), std::end(kRules),
                                  [&](const MethodRule& row) { return row.method == method; });
  return rule == std::end(kRules) ? nullptr : rule;
}

bool MayServe(Listener listener, absl::string_view service) {
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(std::string(service));
  if (descriptor == nullptr || descriptor->method_count() == 0) return false;
  for (int i = 0; i < descriptor->method_count(); ++i) {
    const MethodRule* rule = FindRule(descriptor->method(i)->full_name());
    if (rule == nullptr || rule->listener != listener) return false;
  }
  return true;
}

}  // namespace hostq::manager
