#include "manager/api/authorization.h"

#include <algorithm>

#include "google/protobuf/descriptor.h"

namespace hostq::manager {
namespace {

constexpr MethodRule kRules[] = {
    {"hostq.agent.v1.EnrollmentService.Enroll", Listener::kEnrollment},
    {"hostq.agent.v1.SessionService.Connect", Listener::kAgents},
    {"hostq.v1.AccountService.GetAccount", Listener::kAdministration},
    {"hostq.v1.AccountService.ListAccounts", Listener::kAdministration},
    {"hostq.v1.AccountService.ListShares", Listener::kAdministration},
    {"hostq.v1.CommandService.CancelCommand", Listener::kAdministration},
    {"hostq.v1.CommandService.CreateCommand", Listener::kAdministration},
    {"hostq.v1.CommandService.ExplainCommand", Listener::kAdministration},
    {"hostq.v1.CommandService.GetCommand", Listener::kAdministration},
    {"hostq.v1.CommandService.ListCommands", Listener::kAdministration},
    {"hostq.v1.CommandService.ListFindings", Listener::kAdministration},
    {"hostq.v1.CommandService.ListOrphans", Listener::kAdministration},
    {"hostq.v1.CommandService.ListPauses", Listener::kAdministration},
    {"hostq.v1.CommandService.PauseCommands", Listener::kAdministration},
    {"hostq.v1.CommandService.ResumeCommands", Listener::kAdministration},
    {"hostq.v1.CommandService.RetryCommand", Listener::kAdministration},
    {"hostq.v1.CommandService.RetryTasks", Listener::kAdministration},
    {"hostq.v1.CommandService.SkipCommand", Listener::kAdministration},
    {"hostq.v1.EventService.WatchEvents", Listener::kAdministration},
    {"hostq.v1.NodeService.CreateNode", Listener::kAdministration},
    {"hostq.v1.NodeService.GetBalancing", Listener::kAdministration},
    {"hostq.v1.NodeService.GetNode", Listener::kAdministration},
    {"hostq.v1.NodeService.ListNodes", Listener::kAdministration},
    {"hostq.v1.NodeService.PauseNode", Listener::kAdministration},
    {"hostq.v1.NodeService.RejoinNode", Listener::kAdministration},
    {"hostq.v1.NodeService.RemoveNode", Listener::kAdministration},
    {"hostq.v1.NodeService.ResumeNode", Listener::kAdministration},
};

}  // namespace

absl::Span<const MethodRule> MethodRules() { return kRules; }

bool MayServe(Listener listener, absl::string_view service) {
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(std::string(service));
  if (descriptor == nullptr || descriptor->method_count() == 0) return false;
  for (int i = 0; i < descriptor->method_count(); ++i) {
    const std::string& method = descriptor->method(i)->full_name();
    const auto* rule = std::find_if(
        std::begin(kRules), std::end(kRules),
        [&](const MethodRule& row) { return row.method == absl::string_view(method); });
    if (rule == std::end(kRules) || rule->listener != listener) return false;
  }
  return true;
}

}  // namespace hostq::manager
