#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hostq/v1/account_service.pb.h"
#include "hostq/v1/administrator_service.pb.h"
#include "hostq/v1/alarm_service.pb.h"
#include "hostq/v1/audit_service.pb.h"
#include "hostq/v1/authority_service.pb.h"
#include "hostq/v1/command_service.pb.h"
#include "hostq/v1/event_service.pb.h"
#include "hostq/v1/key_service.pb.h"
#include "hostq/v1/manager_service.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "hostq/v1/webhook_service.pb.h"
#include "manager/cli/endpoint.h"

namespace hostq::cli {

// The events that match a request, as they come. Used by one thread.
class EventStream {
 public:
  enum class Next { kEvent, kNothingYet, kEnd };

  virtual ~EventStream() = default;
  // Blocks at most `timeout`. kEvent: `event` is the next one. kEnd: no more will come; see
  // Finish().
  virtual Next Wait(absl::Duration timeout, v1::Event& event) = 0;
  // Why it ended: OK if everything asked for was sent. Only after kEnd.
  virtual absl::Status Finish() = 0;
};

// The manager, as seen over its socket or its API. Each call blocks until it is answered, at most
// 30 s, and returns the manager's own error with its reason (ReasonOf); UNAVAILABLE without a
// reason: nobody answers. Safe to use from several threads.
class Client {
 public:
  // `actor` is who asks, as root may say on the socket. Does not connect yet.
  Client(const Endpoint& endpoint, const std::string& actor);
  ~Client();
  // For whoever cannot wait 30 s for an answer. Before other threads use it.
  void set_deadline(absl::Duration deadline);

  absl::StatusOr<v1::CreateCommandResponse> CreateCommand(const v1::CreateCommandRequest& request);
  absl::StatusOr<v1::Command> GetCommand(const std::string& id);
  absl::StatusOr<v1::ListCommandsResponse> ListCommands(const v1::ListCommandsRequest& request);
  absl::StatusOr<v1::Command> RetryCommand(const v1::RetryCommandRequest& request);
  absl::StatusOr<v1::Command> SkipCommand(const v1::SkipCommandRequest& request);
  absl::StatusOr<v1::Command> CancelCommand(const std::string& id);
  absl::StatusOr<v1::ExplainCommandResponse> ExplainCommand(const std::string& id);
  absl::StatusOr<v1::ListFindingsResponse> ListFindings(const v1::ListFindingsRequest& request);
  absl::StatusOr<v1::RetryTasksResponse> RetryTasks(const v1::RetryTasksRequest& request);
  absl::StatusOr<v1::Pause> PauseCommands(const v1::PauseCommandsRequest& request);
  absl::StatusOr<v1::ResumeCommandsResponse> ResumeCommands(
      const v1::ResumeCommandsRequest& request);
  absl::StatusOr<v1::ListPausesResponse> ListPauses(const v1::ListPausesRequest& request);
  absl::StatusOr<v1::ListOrphansResponse> ListOrphans(const v1::ListOrphansRequest& request);

  absl::StatusOr<v1::CreateNodeResponse> CreateNode(const v1::CreateNodeRequest& request);
  absl::StatusOr<v1::CreateNodeResponse> RejoinNode(const v1::RejoinNodeRequest& request);
  absl::StatusOr<v1::Node> GetNode(const std::string& name);
  absl::StatusOr<v1::ListNodesResponse> ListNodes();
  absl::StatusOr<v1::Node> PauseNode(const v1::PauseNodeRequest& request);
  absl::StatusOr<v1::Node> ResumeNode(const std::string& name);
  absl::StatusOr<v1::RemoveNodeResponse> RemoveNode(const v1::RemoveNodeRequest& request);
  absl::StatusOr<v1::Node> BanNode(const v1::BanNodeRequest& request);
  absl::StatusOr<v1::Node> UnbanNode(const std::string& name);
  absl::StatusOr<v1::Node> ApproveNode(const std::string& name);
  absl::StatusOr<v1::Balancing> GetBalancing();

  absl::StatusOr<v1::ListAlarmsResponse> ListAlarms();
  absl::StatusOr<v1::ClearAlarmResponse> ClearAlarm(const std::string& subject);
  absl::StatusOr<v1::Authority> GetAuthority();
  absl::StatusOr<v1::Authority> PrepareAuthority(const v1::PrepareAuthorityRequest& request);
  absl::StatusOr<v1::Authority> ActivateAuthority(bool force);
  absl::StatusOr<v1::Authority> RetireAuthority(bool force);
  absl::StatusOr<v1::Authority> UndoAuthority(bool force);

  absl::StatusOr<v1::Account> GetAccount(const std::string& domain);
  absl::StatusOr<v1::DescribeAccountResponse> DescribeAccount(const std::string& domain);
  absl::StatusOr<v1::ListAccountsResponse> ListAccounts(const v1::ListAccountsRequest& request);
  absl::StatusOr<v1::ListSharesResponse> ListShares();

  absl::StatusOr<v1::ListAuditEntriesResponse> ListAuditEntries(
      const v1::ListAuditEntriesRequest& request);
  absl::StatusOr<v1::AuditHead> GetAuditHead();
  absl::StatusOr<v1::CreateKeyResponse> CreateKey(const v1::CreateKeyRequest& request);
  absl::StatusOr<v1::Key> GetKey(const std::string& name);
  absl::StatusOr<v1::ListKeysResponse> ListKeys(const v1::ListKeysRequest& request);
  absl::StatusOr<v1::CreateKeyResponse> RotateKey(const v1::RotateKeyRequest& request);
  absl::StatusOr<v1::Key> RevokeKey(const v1::RevokeKeyRequest& request);
  absl::StatusOr<v1::CreateAdministratorResponse> CreateAdministrator(
      const v1::CreateAdministratorRequest& request);
  absl::StatusOr<v1::ListAdministratorsResponse> ListAdministrators();
  absl::StatusOr<v1::Administrator> RevokeAdministrator(
      const v1::RevokeAdministratorRequest& request);

  absl::StatusOr<v1::Overview> GetOverview();
  absl::StatusOr<v1::Diagnosis> Diagnose();
  absl::StatusOr<v1::CreateWebhookResponse> CreateWebhook(const v1::CreateWebhookRequest& request);
  absl::StatusOr<v1::Webhook> GetWebhook(const std::string& name);
  absl::StatusOr<v1::ListWebhooksResponse> ListWebhooks();
  absl::StatusOr<v1::DeleteWebhookResponse> DeleteWebhook(const std::string& name);
  absl::StatusOr<v1::Webhook> PauseWebhook(const v1::PauseWebhookRequest& request);
  absl::StatusOr<v1::Webhook> ResumeWebhook(const v1::ResumeWebhookRequest& request);
  absl::StatusOr<v1::CreateWebhookResponse> RotateWebhook(const v1::RotateWebhookRequest& request);
  absl::StatusOr<v1::Delivery> TestWebhook(const std::string& name);
  absl::StatusOr<v1::ListDeliveriesResponse> ListDeliveries(
      const v1::ListDeliveriesRequest& request);
  absl::StatusOr<v1::Delivery> GetDelivery(const std::string& id);
  absl::StatusOr<v1::ReplayDeliveryResponse> ReplayDelivery(
      const v1::ReplayDeliveryRequest& request);

  std::unique_ptr<EventStream> WatchEvents(const v1::WatchEventsRequest& request);

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

// "/run/hostq/manager.sock" of "unix:/run/hostq/manager.sock" or of the path itself.
std::string SocketPath(const std::string& text);
// Who runs the program: the one behind sudo, else the user.
std::string CurrentActor();
// Why nobody answers at the socket, as far as can be seen from here, and what to do.
struct Unreachable {
  std::string message;
  std::string remedy;
};
Unreachable WhyUnreachable(const std::string& socket, const absl::Status& status);

}  // namespace hostq::cli
