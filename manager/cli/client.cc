#include "manager/cli/client.h"

#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/rpc/credentials.h"
#include "common/rpc/status.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "hostq/v1/account_service.grpc.pb.h"
#include "hostq/v1/administrator_service.grpc.pb.h"
#include "hostq/v1/alarm_service.grpc.pb.h"
#include "hostq/v1/audit_service.grpc.pb.h"
#include "hostq/v1/authority_service.grpc.pb.h"
#include "hostq/v1/command_service.grpc.pb.h"
#include "hostq/v1/event_service.grpc.pb.h"
#include "hostq/v1/key_service.grpc.pb.h"
#include "hostq/v1/manager_service.grpc.pb.h"
#include "hostq/v1/node_service.grpc.pb.h"
#include "hostq/v1/webhook_service.grpc.pb.h"
#include "manager/cli/event_reader.h"

namespace hostq::cli {
namespace {

// Longer than a group commit on a slow disk; shorter than a person's patience.
constexpr absl::Duration kCallDeadline = absl::Seconds(30);
// A command on a thousand nodes with the evidence of every attempt is a few MiB.
constexpr int kMaxAnswerBytes = 64 << 20;

std::shared_ptr<grpc::Channel> MakeChannel(const Endpoint& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!endpoint.remote()) {
    return grpc::CreateCustomChannel(absl::StrCat("unix:", endpoint.socket),
                                     grpc::InsecureChannelCredentials(), arguments);
  }
  ApplyManagerName(arguments);
  return grpc::CreateCustomChannel(
      endpoint.manager,
      endpoint.identity.certificate_chain_pem.empty()
          ? TlsChannelCredentials(endpoint.ca_pem)
          : MutualTlsChannelCredentials(endpoint.identity, endpoint.ca_pem),
      arguments);
}

}  // namespace

struct Client::Connection {
  Connection(const std::shared_ptr<grpc::Channel>& channel, const Endpoint& endpoint,
             std::string who)
      : commands(v1::CommandService::NewStub(channel)),
        nodes(v1::NodeService::NewStub(channel)),
        accounts(v1::AccountService::NewStub(channel)),
        events(v1::EventService::NewStub(channel)),
        audit(v1::AuditService::NewStub(channel)),
        keys(v1::KeyService::NewStub(channel)),
        administrators(v1::AdministratorService::NewStub(channel)),
        remote(endpoint.remote()),
        key(endpoint.key),
        alarms(v1::AlarmService::NewStub(channel)),
        authority(v1::AuthorityService::NewStub(channel)),
        manager(v1::ManagerService::NewStub(channel)),
        webhooks(v1::WebhookService::NewStub(channel)),
        actor(std::move(who)) {}

  // Who asks.
  void Sign(grpc::ClientContext& context) const {
    if (!remote) context.AddMetadata("hostq-actor", actor);
    if (!key.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", key.Reveal()));
  }

  // One call of `method` of `stub`.
  template <typename Response, typename Stub, typename Method, typename Request>
  absl::StatusOr<Response> Call(Stub& stub, Method method, const Request& request) {
    grpc::ClientContext context;
    Sign(context);
    context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
    Response response;
    absl::Status status = FromGrpc((stub.*method)(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  const std::unique_ptr<v1::CommandService::Stub> commands;
  const std::unique_ptr<v1::NodeService::Stub> nodes;
  const std::unique_ptr<v1::AccountService::Stub> accounts;
  const std::unique_ptr<v1::EventService::Stub> events;
  const std::unique_ptr<v1::AuditService::Stub> audit;
  const std::unique_ptr<v1::KeyService::Stub> keys;
  const std::unique_ptr<v1::AdministratorService::Stub> administrators;
  const bool remote;
  const SecretString key;
  const std::unique_ptr<v1::AlarmService::Stub> alarms;
  const std::unique_ptr<v1::AuthorityService::Stub> authority;
  const std::unique_ptr<v1::ManagerService::Stub> manager;
  const std::unique_ptr<v1::WebhookService::Stub> webhooks;
  const std::string actor;
  absl::Duration deadline = kCallDeadline;
};

Client::Client(const Endpoint& endpoint, const std::string& actor)
    : connection_(std::make_unique<Connection>(MakeChannel(endpoint), endpoint, actor)) {}
Client::~Client() = default;

void Client::set_deadline(absl::Duration deadline) { connection_->deadline = deadline; }

absl::StatusOr<v1::CreateCommandResponse> Client::CreateCommand(
    const v1::CreateCommandRequest& request) {
  return connection_->Call<v1::CreateCommandResponse>(
      *connection_->commands, &v1::CommandService::Stub::CreateCommand, request);
}

absl::StatusOr<v1::Command> Client::GetCommand(const std::string& id) {
  v1::GetCommandRequest request;
  request.set_id(id);
  return connection_->Call<v1::Command>(*connection_->commands,
                                        &v1::CommandService::Stub::GetCommand, request);
}

absl::StatusOr<v1::ListCommandsResponse> Client::ListCommands(
    const v1::ListCommandsRequest& request) {
  return connection_->Call<v1::ListCommandsResponse>(
      *connection_->commands, &v1::CommandService::Stub::ListCommands, request);
}

absl::StatusOr<v1::Command> Client::RetryCommand(const v1::RetryCommandRequest& request) {
  return connection_->Call<v1::Command>(*connection_->commands,
                                        &v1::CommandService::Stub::RetryCommand, request);
}

absl::StatusOr<v1::Command> Client::SkipCommand(const v1::SkipCommandRequest& request) {
  return connection_->Call<v1::Command>(*connection_->commands,
                                        &v1::CommandService::Stub::SkipCommand, request);
}

absl::StatusOr<v1::Command> Client::CancelCommand(const std::string& id) {
  v1::CancelCommandRequest request;
  request.set_id(id);
  return connection_->Call<v1::Command>(*connection_->commands,
                                        &v1::CommandService::Stub::CancelCommand, request);
}

absl::StatusOr<v1::ExplainCommandResponse> Client::ExplainCommand(const std::string& id) {
  v1::ExplainCommandRequest request;
  request.set_id(id);
  return connection_->Call<v1::ExplainCommandResponse>(
      *connection_->commands, &v1::CommandService::Stub::ExplainCommand, request);
}

absl::StatusOr<v1::ListFindingsResponse> Client::ListFindings(
    const v1::ListFindingsRequest& request) {
  return connection_->Call<v1::ListFindingsResponse>(
      *connection_->commands, &v1::CommandService::Stub::ListFindings, request);
}

absl::StatusOr<v1::RetryTasksResponse> Client::RetryTasks(const v1::RetryTasksRequest& request) {
  return connection_->Call<v1::RetryTasksResponse>(*connection_->commands,
                                                   &v1::CommandService::Stub::RetryTasks, request);
}

absl::StatusOr<v1::Pause> Client::PauseCommands(const v1::PauseCommandsRequest& request) {
  return connection_->Call<v1::Pause>(*connection_->commands,
                                      &v1::CommandService::Stub::PauseCommands, request);
}

absl::StatusOr<v1::ResumeCommandsResponse> Client::ResumeCommands(
    const v1::ResumeCommandsRequest& request) {
  return connection_->Call<v1::ResumeCommandsResponse>(
      *connection_->commands, &v1::CommandService::Stub::ResumeCommands, request);
}

absl::StatusOr<v1::ListPausesResponse> Client::ListPauses(const v1::ListPausesRequest& request) {
  return connection_->Call<v1::ListPausesResponse>(*connection_->commands,
                                                   &v1::CommandService::Stub::ListPauses, request);
}

absl::StatusOr<v1::ListOrphansResponse> Client::ListOrphans(const v1::ListOrphansRequest& request) {
  return connection_->Call<v1::ListOrphansResponse>(
      *connection_->commands, &v1::CommandService::Stub::ListOrphans, request);
}

absl::StatusOr<v1::CreateNodeResponse> Client::CreateNode(const v1::CreateNodeRequest& request) {
  return connection_->Call<v1::CreateNodeResponse>(*connection_->nodes,
                                                   &v1::NodeService::Stub::CreateNode, request);
}

absl::StatusOr<v1::CreateNodeResponse> Client::RejoinNode(const v1::RejoinNodeRequest& request) {
  return connection_->Call<v1::CreateNodeResponse>(*connection_->nodes,
                                                   &v1::NodeService::Stub::RejoinNode, request);
}

absl::StatusOr<v1::Node> Client::GetNode(const std::string& name) {
  v1::GetNodeRequest request;
  request.set_name(name);
  return connection_->Call<v1::Node>(*connection_->nodes, &v1::NodeService::Stub::GetNode, request);
}

absl::StatusOr<v1::ListNodesResponse> Client::ListNodes() {
  return connection_->Call<v1::ListNodesResponse>(
      *connection_->nodes, &v1::NodeService::Stub::ListNodes, v1::ListNodesRequest());
}

absl::StatusOr<v1::Node> Client::PauseNode(const v1::PauseNodeRequest& request) {
  return connection_->Call<v1::Node>(*connection_->nodes, &v1::NodeService::Stub::PauseNode,
                                     request);
}

absl::StatusOr<v1::Node> Client::ResumeNode(const std::string& name) {
  v1::ResumeNodeRequest request;
  request.set_name(name);
  return connection_->Call<v1::Node>(*connection_->nodes, &v1::NodeService::Stub::ResumeNode,
                                     request);
}

absl::StatusOr<v1::Node> Client::BanNode(const v1::BanNodeRequest& request) {
  return connection_->Call<v1::Node>(*connection_->nodes, &v1::NodeService::Stub::BanNode, request);
}

absl::StatusOr<v1::Node> Client::UnbanNode(const std::string& name) {
  v1::UnbanNodeRequest request;
  request.set_name(name);
  return connection_->Call<v1::Node>(*connection_->nodes, &v1::NodeService::Stub::UnbanNode,
                                     request);
}

absl::StatusOr<v1::Node> Client::ApproveNode(const std::string& name) {
  v1::ApproveNodeRequest request;
  request.set_name(name);
  return connection_->Call<v1::Node>(*connection_->nodes, &v1::NodeService::Stub::ApproveNode,
                                     request);
}

absl::StatusOr<v1::ListAlarmsResponse> Client::ListAlarms() {
  return connection_->Call<v1::ListAlarmsResponse>(
      *connection_->alarms, &v1::AlarmService::Stub::ListAlarms, v1::ListAlarmsRequest());
}

absl::StatusOr<v1::ClearAlarmResponse> Client::ClearAlarm(const std::string& subject) {
  v1::ClearAlarmRequest request;
  request.set_subject(subject);
  return connection_->Call<v1::ClearAlarmResponse>(*connection_->alarms,
                                                   &v1::AlarmService::Stub::ClearAlarm, request);
}

absl::StatusOr<v1::Authority> Client::GetAuthority() {
  return connection_->Call<v1::Authority>(*connection_->authority,
                                          &v1::AuthorityService::Stub::GetAuthority,
                                          v1::GetAuthorityRequest());
}

absl::StatusOr<v1::Authority> Client::PrepareAuthority(const v1::PrepareAuthorityRequest& request) {
  return connection_->Call<v1::Authority>(*connection_->authority,
                                          &v1::AuthorityService::Stub::PrepareAuthority, request);
}

absl::StatusOr<v1::Authority> Client::ActivateAuthority(bool force) {
  v1::ActivateAuthorityRequest request;
  request.set_force(force);
  return connection_->Call<v1::Authority>(*connection_->authority,
                                          &v1::AuthorityService::Stub::ActivateAuthority, request);
}

absl::StatusOr<v1::Authority> Client::RetireAuthority(bool force) {
  v1::RetireAuthorityRequest request;
  request.set_force(force);
  return connection_->Call<v1::Authority>(*connection_->authority,
                                          &v1::AuthorityService::Stub::RetireAuthority, request);
}

absl::StatusOr<v1::Authority> Client::UndoAuthority(bool force) {
  v1::UndoAuthorityRequest request;
  request.set_force(force);
  return connection_->Call<v1::Authority>(*connection_->authority,
                                          &v1::AuthorityService::Stub::UndoAuthority, request);
}

absl::StatusOr<v1::RemoveNodeResponse> Client::RemoveNode(const v1::RemoveNodeRequest& request) {
  return connection_->Call<v1::RemoveNodeResponse>(*connection_->nodes,
                                                   &v1::NodeService::Stub::RemoveNode, request);
}

absl::StatusOr<v1::Balancing> Client::GetBalancing() {
  return connection_->Call<v1::Balancing>(*connection_->nodes, &v1::NodeService::Stub::GetBalancing,
                                          v1::GetBalancingRequest());
}

absl::StatusOr<v1::Account> Client::GetAccount(const std::string& domain) {
  v1::GetAccountRequest request;
  request.set_domain(domain);
  return connection_->Call<v1::Account>(*connection_->accounts,
                                        &v1::AccountService::Stub::GetAccount, request);
}

absl::StatusOr<v1::DescribeAccountResponse> Client::DescribeAccount(const std::string& domain) {
  v1::DescribeAccountRequest request;
  request.set_domain(domain);
  return connection_->Call<v1::DescribeAccountResponse>(
      *connection_->accounts, &v1::AccountService::Stub::DescribeAccount, request);
}

absl::StatusOr<v1::ListAccountsResponse> Client::ListAccounts(
    const v1::ListAccountsRequest& request) {
  return connection_->Call<v1::ListAccountsResponse>(
      *connection_->accounts, &v1::AccountService::Stub::ListAccounts, request);
}

absl::StatusOr<v1::ListSharesResponse> Client::ListShares() {
  return connection_->Call<v1::ListSharesResponse>(
      *connection_->accounts, &v1::AccountService::Stub::ListShares, v1::ListSharesRequest());
}

absl::StatusOr<v1::ListAuditEntriesResponse> Client::ListAuditEntries(
    const v1::ListAuditEntriesRequest& request) {
  return connection_->Call<v1::ListAuditEntriesResponse>(
      *connection_->audit, &v1::AuditService::Stub::ListAuditEntries, request);
}

absl::StatusOr<v1::AuditHead> Client::GetAuditHead() {
  return connection_->Call<v1::AuditHead>(
      *connection_->audit, &v1::AuditService::Stub::GetAuditHead, v1::GetAuditHeadRequest());
}

absl::StatusOr<v1::CreateKeyResponse> Client::CreateKey(const v1::CreateKeyRequest& request) {
  return connection_->Call<v1::CreateKeyResponse>(*connection_->keys,
                                                  &v1::KeyService::Stub::CreateKey, request);
}

absl::StatusOr<v1::Key> Client::GetKey(const std::string& name) {
  v1::GetKeyRequest request;
  request.set_name(name);
  return connection_->Call<v1::Key>(*connection_->keys, &v1::KeyService::Stub::GetKey, request);
}

absl::StatusOr<v1::ListKeysResponse> Client::ListKeys(const v1::ListKeysRequest& request) {
  v1::ListKeysRequest page = request;
  v1::ListKeysResponse all;
  do {
    HOSTQ_ASSIGN_OR_RETURN(v1::ListKeysResponse response,
                           connection_->Call<v1::ListKeysResponse>(
                               *connection_->keys, &v1::KeyService::Stub::ListKeys, page));
    page.set_page_token(response.next_page_token());
    all.MergeFrom(response);
  } while (!page.page_token().empty());
  all.clear_next_page_token();
  return all;
}

absl::StatusOr<v1::CreateKeyResponse> Client::RotateKey(const v1::RotateKeyRequest& request) {
  return connection_->Call<v1::CreateKeyResponse>(*connection_->keys,
                                                  &v1::KeyService::Stub::RotateKey, request);
}

absl::StatusOr<v1::Key> Client::RevokeKey(const v1::RevokeKeyRequest& request) {
  return connection_->Call<v1::Key>(*connection_->keys, &v1::KeyService::Stub::RevokeKey, request);
}

absl::StatusOr<v1::CreateAdministratorResponse> Client::CreateAdministrator(
    const v1::CreateAdministratorRequest& request) {
  return connection_->Call<v1::CreateAdministratorResponse>(
      *connection_->administrators, &v1::AdministratorService::Stub::CreateAdministrator, request);
}

absl::StatusOr<v1::ListAdministratorsResponse> Client::ListAdministrators() {
  return connection_->Call<v1::ListAdministratorsResponse>(
      *connection_->administrators, &v1::AdministratorService::Stub::ListAdministrators,
      v1::ListAdministratorsRequest());
}

absl::StatusOr<v1::Administrator> Client::RevokeAdministrator(
    const v1::RevokeAdministratorRequest& request) {
  return connection_->Call<v1::Administrator>(
      *connection_->administrators, &v1::AdministratorService::Stub::RevokeAdministrator, request);
}

absl::StatusOr<v1::Overview> Client::GetOverview() {
  return connection_->Call<v1::Overview>(
      *connection_->manager, &v1::ManagerService::Stub::GetOverview, v1::GetOverviewRequest());
}

absl::StatusOr<v1::Diagnosis> Client::Diagnose() {
  return connection_->Call<v1::Diagnosis>(
      *connection_->manager, &v1::ManagerService::Stub::Diagnose, v1::DiagnoseRequest());
}

absl::StatusOr<v1::CreateWebhookResponse> Client::CreateWebhook(
    const v1::CreateWebhookRequest& request) {
  return connection_->Call<v1::CreateWebhookResponse>(
      *connection_->webhooks, &v1::WebhookService::Stub::CreateWebhook, request);
}

absl::StatusOr<v1::Webhook> Client::GetWebhook(const std::string& name) {
  v1::GetWebhookRequest request;
  request.set_name(name);
  return connection_->Call<v1::Webhook>(*connection_->webhooks,
                                        &v1::WebhookService::Stub::GetWebhook, request);
}

absl::StatusOr<v1::ListWebhooksResponse> Client::ListWebhooks() {
  const v1::ListWebhooksRequest request;
  return connection_->Call<v1::ListWebhooksResponse>(
      *connection_->webhooks, &v1::WebhookService::Stub::ListWebhooks, request);
}

absl::StatusOr<v1::DeleteWebhookResponse> Client::DeleteWebhook(const std::string& name) {
  v1::DeleteWebhookRequest request;
  request.set_name(name);
  return connection_->Call<v1::DeleteWebhookResponse>(
      *connection_->webhooks, &v1::WebhookService::Stub::DeleteWebhook, request);
}

absl::StatusOr<v1::Webhook> Client::PauseWebhook(const v1::PauseWebhookRequest& request) {
  return connection_->Call<v1::Webhook>(*connection_->webhooks,
                                        &v1::WebhookService::Stub::PauseWebhook, request);
}

absl::StatusOr<v1::Webhook> Client::ResumeWebhook(const v1::ResumeWebhookRequest& request) {
  return connection_->Call<v1::Webhook>(*connection_->webhooks,
                                        &v1::WebhookService::Stub::ResumeWebhook, request);
}

absl::StatusOr<v1::CreateWebhookResponse> Client::RotateWebhook(
    const v1::RotateWebhookRequest& request) {
  return connection_->Call<v1::CreateWebhookResponse>(
      *connection_->webhooks, &v1::WebhookService::Stub::RotateWebhook, request);
}

absl::StatusOr<v1::Delivery> Client::TestWebhook(const std::string& name) {
  v1::TestWebhookRequest request;
  request.set_name(name);
  return connection_->Call<v1::Delivery>(*connection_->webhooks,
                                         &v1::WebhookService::Stub::TestWebhook, request);
}

absl::StatusOr<v1::ListDeliveriesResponse> Client::ListDeliveries(
    const v1::ListDeliveriesRequest& request) {
  return connection_->Call<v1::ListDeliveriesResponse>(
      *connection_->webhooks, &v1::WebhookService::Stub::ListDeliveries, request);
}

absl::StatusOr<v1::Delivery> Client::GetDelivery(const std::string& id) {
  v1::GetDeliveryRequest request;
  request.set_id(id);
  return connection_->Call<v1::Delivery>(*connection_->webhooks,
                                         &v1::WebhookService::Stub::GetDelivery, request);
}

absl::StatusOr<v1::ReplayDeliveryResponse> Client::ReplayDelivery(
    const v1::ReplayDeliveryRequest& request) {
  return connection_->Call<v1::ReplayDeliveryResponse>(
      *connection_->webhooks, &v1::WebhookService::Stub::ReplayDelivery, request);
}

std::unique_ptr<EventStream> Client::WatchEvents(const v1::WatchEventsRequest& request) {
  auto context = std::make_unique<grpc::ClientContext>();
  connection_->Sign(*context);
  return std::make_unique<EventReader>(*connection_->events, std::move(context), request);
}

}  // namespace hostq::cli
