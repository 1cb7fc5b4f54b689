#include "manager/cli/client.h"

#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/rpc/status.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "hostq/v1/account_service.grpc.pb.h"
#include "hostq/v1/command_service.grpc.pb.h"
#include "hostq/v1/event_service.grpc.pb.h"
#include "hostq/v1/node_service.grpc.pb.h"
#include "manager/cli/event_reader.h"

namespace hostq::cli {
namespace {

// Longer than a group commit on a slow disk; shorter than a person's patience.
constexpr absl::Duration kCallDeadline = absl::Seconds(30);
// A command on a thousand nodes with the evidence of every attempt is a few MiB.
constexpr int kMaxAnswerBytes = 64 << 20;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(absl::StrCat("unix:", socket),
                                   grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct Client::Connection {
  Connection(const std::shared_ptr<grpc::Channel>& channel, std::string who)
      : commands(v1::CommandService::NewStub(channel)),
        nodes(v1::NodeService::NewStub(channel)),
        accounts(v1::AccountService::NewStub(channel)),
        events(v1::EventService::NewStub(channel)),
        actor(std::move(who)) {}

  // One call of `method` of `stub`.
  template <typename Response, typename Stub, typename Method, typename Request>
  absl::StatusOr<Response> Call(Stub& stub, Method method, const Request& request) {
    grpc::ClientContext context;
    context.AddMetadata("hostq-actor", actor);
    context.set_deadline(absl::ToChronoTime(absl::Now() + kCallDeadline));
    Response response;
    absl::Status status = FromGrpc((stub.*method)(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  const std::unique_ptr<v1::CommandService::Stub> commands;
  const std::unique_ptr<v1::NodeService::Stub> nodes;
  const std::unique_ptr<v1::AccountService::Stub> accounts;
  const std::unique_ptr<v1::EventService::Stub> events;
  const std::string actor;
};

Client::Client(const std::string& socket, const std::string& actor)
    : connection_(std::make_unique<Connection>(MakeChannel(socket), actor)) {}
Client::~Client() = default;

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

absl::StatusOr<v1::ListAccountsResponse> Client::ListAccounts(
    const v1::ListAccountsRequest& request) {
  return connection_->Call<v1::ListAccountsResponse>(
      *connection_->accounts, &v1::AccountService::Stub::ListAccounts, request);
}

absl::StatusOr<v1::ListSharesResponse> Client::ListShares() {
  return connection_->Call<v1::ListSharesResponse>(
      *connection_->accounts, &v1::AccountService::Stub::ListShares, v1::ListSharesRequest());
}

std::unique_ptr<EventStream> Client::WatchEvents(const v1::WatchEventsRequest& request) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("hostq-actor", connection_->actor);
  return std::make_unique<EventReader>(*connection_->events, std::move(context), request);
}

}  // namespace hostq::cli
