#include "tests/unit/cli/fake_manager.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace hostq::testing {
namespace {

grpc::Status NotFound(Reason reason, const std::string& what) {
  return ToGrpc(MakeError(absl::StatusCode::kNotFound, reason, absl::StrCat("no ", what)));
}

bool IsActive(const v1::Command& command) { return command.state() == v1::Command::ACTIVE; }

}  // namespace

FakeManager::FakeManager() = default;
FakeManager::~FakeManager() { Stop(); }

void FakeManager::Start(const std::string& socket) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(static_cast<v1::CommandService::Service*>(this));
  builder.RegisterService(static_cast<v1::NodeService::Service*>(this));
  builder.RegisterService(static_cast<v1::AccountService::Service*>(this));
  builder.RegisterService(static_cast<v1::EventService::Service*>(this));
  builder.RegisterService(static_cast<v1::ManagerService::Service*>(this));
  server_ = builder.BuildAndStart();
  HOSTQ_CHECK(server_ != nullptr);
}

void FakeManager::Stop() {
  if (!server_) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stopped_.NotifyAll();
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
  server_.reset();
}

std::string FakeManager::Actor() {
  MutexLock lock(mutex_);
  return actor_;
}

v1::CreateCommandRequest FakeManager::Created() {
  MutexLock lock(mutex_);
  return created_;
}

std::vector<std::string> FakeManager::Calls() {
  MutexLock lock(mutex_);
  return calls_;
}

std::string FakeManager::LastRequest() {
  MutexLock lock(mutex_);
  return last_request_;
}

grpc::Status FakeManager::Enter(grpc::ServerContext* context, const std::string& method,
                                const google::protobuf::Message& request) {
  MutexLock lock(mutex_);
  const auto actor = context->client_metadata().find("hostq-actor");
  if (actor != context->client_metadata().end()) {
    actor_ = std::string(actor->second.data(), actor->second.size());
  }
  calls_.push_back(method);
  last_request_ = request.ShortDebugString();
  return ToGrpc(refusal);
}

const v1::Command* FakeManager::Look(const std::string& id, bool advance) {
  const auto found = commands.find(id);
  if (found == commands.end()) return nullptr;
  MutexLock lock(mutex_);
  size_t& look = looks_[id];
  const size_t index = std::min(look, found->second.size() - 1);
  if (advance) ++look;
  return &found->second[index];
}

grpc::Status FakeManager::AnswerWith(const std::string& id, v1::Command* response) {
  const v1::Command* command = Look(id, /*advance=*/false);
  if (command == nullptr) return NotFound(Reason::kUnknownCommand, "command " + id);
  *response = *command;
  return grpc::Status::OK;
}

grpc::Status FakeManager::CreateCommand(grpc::ServerContext* context,
                                        const v1::CreateCommandRequest* request,
                                        v1::CreateCommandResponse* response) {
  grpc::Status status = Enter(context, "CreateCommand", *request);
  if (!status.ok()) return status;
  {
    MutexLock lock(mutex_);
    created_ = *request;
  }
  response->set_repeated(request->request_id() == "used-before");
  if (request->validate_only()) {
    for (const v1::Finding& finding : findings[next_id]) *response->add_findings() = finding;
  }
  return AnswerWith(next_id, response->mutable_command());
}

grpc::Status FakeManager::GetCommand(grpc::ServerContext* context,
                                     const v1::GetCommandRequest* request, v1::Command* response) {
  grpc::Status status = Enter(context, "GetCommand", *request);
  if (!status.ok()) return status;
  const v1::Command* command = Look(request->id(), /*advance=*/true);
  if (command == nullptr) return NotFound(Reason::kUnknownCommand, "command " + request->id());
  *response = *command;
  return grpc::Status::OK;
}

// Pages of at most two, so that paging is used.
grpc::Status FakeManager::ListCommands(grpc::ServerContext* context,
                                       const v1::ListCommandsRequest* request,
                                       v1::ListCommandsResponse* response) {
  grpc::Status status = Enter(context, "ListCommands", *request);
  if (!status.ok()) return status;
  const int size = std::min(request->page_size(), 2);
  for (auto entry = commands.rbegin(); entry != commands.rend(); ++entry) {
    const v1::Command& command = *Look(entry->first, /*advance=*/false);
    if (request->active_only() && !IsActive(command)) continue;
    if (!request->resource_key().empty() && command.resource_key() != request->resource_key()) {
      continue;
    }
    if (!request->page_token().empty() && command.id() >= request->page_token()) continue;
    if (response->commands_size() == size) {
      response->set_next_page_token(response->commands(size - 1).id());
      break;
    }
    *response->add_commands() = command;
  }
  return grpc::Status::OK;
}

grpc::Status FakeManager::RetryCommand(grpc::ServerContext* context,
                                       const v1::RetryCommandRequest* request,
                                       v1::Command* response) {
  grpc::Status status = Enter(context, "RetryCommand", *request);
  return status.ok() ? AnswerWith(request->id(), response) : status;
}

grpc::Status FakeManager::SkipCommand(grpc::ServerContext* context,
                                      const v1::SkipCommandRequest* request,
                                      v1::Command* response) {
  grpc::Status status = Enter(context, "SkipCommand", *request);
  return status.ok() ? AnswerWith(request->id(), response) : status;
}

grpc::Status FakeManager::CancelCommand(grpc::ServerContext* context,
                                        const v1::CancelCommandRequest* request,
                                        v1::Command* response) {
  grpc::Status status = Enter(context, "CancelCommand", *request);
  return status.ok() ? AnswerWith(request->id(), response) : status;
}

grpc::Status FakeManager::ExplainCommand(grpc::ServerContext* context,
                                         const v1::ExplainCommandRequest* request,
                                         v1::ExplainCommandResponse* response) {
  grpc::Status status = Enter(context, "ExplainCommand", *request);
  if (!status.ok()) return status;
  status = AnswerWith(request->id(), response->mutable_command());
  if (!status.ok() || !IsActive(response->command())) return status;
  for (const v1::Finding& finding : findings[request->id()]) *response->add_findings() = finding;
  return grpc::Status::OK;
}

grpc::Status FakeManager::ListFindings(grpc::ServerContext* context,
                                       const v1::ListFindingsRequest* request,
                                       v1::ListFindingsResponse* response) {
  grpc::Status status = Enter(context, "ListFindings", *request);
  if (!status.ok()) return status;
  for (const auto& [id, of_command] : findings) {
    for (const v1::Finding& finding : of_command) {
      if (!finding.stuck() && !request->include_all()) continue;
      if (!request->node().empty() && finding.node() != request->node()) continue;
      *response->add_findings() = finding;
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeManager::RetryTasks(grpc::ServerContext* context,
                                     const v1::RetryTasksRequest* request,
                                     v1::RetryTasksResponse* response) {
  grpc::Status status = Enter(context, "RetryTasks", *request);
  MutexLock lock(mutex_);
  const size_t limit =
      request->limit() == 0 ? parked.size() : static_cast<size_t>(request->limit());
  while (retried_ < parked.size() && static_cast<size_t>(response->task_ids_size()) < limit) {
    response->add_task_ids(parked[retried_++]);
  }
  response->set_remaining(static_cast<int>(parked.size() - retried_));
  return status;
}

grpc::Status FakeManager::PauseCommands(grpc::ServerContext* context,
                                        const v1::PauseCommandsRequest* request, v1::Pause*) {
  return Enter(context, "PauseCommands", *request);
}

grpc::Status FakeManager::ResumeCommands(grpc::ServerContext* context,
                                         const v1::ResumeCommandsRequest* request,
                                         v1::ResumeCommandsResponse* response) {
  response->set_resumed(true);
  return Enter(context, "ResumeCommands", *request);
}

grpc::Status FakeManager::ListPauses(grpc::ServerContext* context,
                                     const v1::ListPausesRequest* request,
                                     v1::ListPausesResponse* response) {
  response->mutable_pauses()->Assign(pauses.begin(), pauses.end());
  return Enter(context, "ListPauses", *request);
}

grpc::Status FakeManager::ListOrphans(grpc::ServerContext* context,
                                      const v1::ListOrphansRequest* request,
                                      v1::ListOrphansResponse* response) {
  response->mutable_orphans()->Assign(orphans.begin(), orphans.end());
  return Enter(context, "ListOrphans", *request);
}

grpc::Status FakeManager::CreateNode(grpc::ServerContext* context,
                                     const v1::CreateNodeRequest* request,
                                     v1::CreateNodeResponse* response) {
  grpc::Status status = Enter(context, "CreateNode", *request);
  if (!status.ok()) return status;
  response->mutable_node()->set_name(request->name());
  response->mutable_node()->set_state(v1::Node::PENDING);
  response->set_join_command("hostq-agent join --manager 10.0.0.1:7444 --token s3cret");
  response->mutable_token_expire_time()->set_seconds(
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) +
      request->token_ttl().seconds());
  return grpc::Status::OK;
}

grpc::Status FakeManager::RejoinNode(grpc::ServerContext* context,
                                     const v1::RejoinNodeRequest* request,
                                     v1::CreateNodeResponse* response) {
  grpc::Status status = Enter(context, "RejoinNode", *request);
  if (!status.ok()) return status;
  v1::CreateNodeRequest create;
  create.set_name(request->name());
  return CreateNode(context, &create, response);
}

grpc::Status FakeManager::GetNode(grpc::ServerContext* context, const v1::GetNodeRequest* request,
                                  v1::Node* response) {
  grpc::Status status = Enter(context, "GetNode", *request);
  if (!status.ok()) return status;
  for (const v1::Node& node : nodes) {
    if (node.name() != request->name()) continue;
    *response = node;
    return grpc::Status::OK;
  }
  return NotFound(Reason::kUnknownNode, "node " + request->name());
}

grpc::Status FakeManager::ListNodes(grpc::ServerContext* context,
                                    const v1::ListNodesRequest* request,
                                    v1::ListNodesResponse* response) {
  grpc::Status status = Enter(context, "ListNodes", *request);
  for (const v1::Node& node : nodes) *response->add_nodes() = node;
  return status;
}

grpc::Status FakeManager::GetBalancing(grpc::ServerContext* context,
                                       const v1::GetBalancingRequest* request,
                                       v1::Balancing* response) {
  grpc::Status status = Enter(context, "GetBalancing", *request);
  *response = balancing;
  return status;
}

grpc::Status FakeManager::PauseNode(grpc::ServerContext* context,
                                    const v1::PauseNodeRequest* request, v1::Node* response) {
  grpc::Status status = Enter(context, "PauseNode", *request);
  for (const v1::Node& node : nodes) {
    if (node.name() == request->name()) *response = node;
  }
  response->set_name(request->name());
  response->set_state(v1::Node::PAUSED);
  return status;
}

grpc::Status FakeManager::ResumeNode(grpc::ServerContext* context,
                                     const v1::ResumeNodeRequest* request, v1::Node* response) {
  grpc::Status status = Enter(context, "ResumeNode", *request);
  response->set_name(request->name());
  response->set_state(v1::Node::READY);
  return status;
}

grpc::Status FakeManager::RemoveNode(grpc::ServerContext* context,
                                     const v1::RemoveNodeRequest* request,
                                     v1::RemoveNodeResponse*) {
  return Enter(context, "RemoveNode", *request);
}

grpc::Status FakeManager::GetAccount(grpc::ServerContext* context,
                                     const v1::GetAccountRequest* request, v1::Account* response) {
  grpc::Status status = Enter(context, "GetAccount", *request);
  if (!status.ok()) return status;
  for (const v1::Account& account : accounts) {
    if (account.domain() != request->domain()) continue;
    *response = account;
    return grpc::Status::OK;
  }
  return NotFound(Reason::kUnknownAccount, "account " + request->domain());
}

grpc::Status FakeManager::DescribeAccount(grpc::ServerContext* context,
                                          const v1::DescribeAccountRequest* request,
                                          v1::DescribeAccountResponse* response) {
  grpc::Status status = Enter(context, "DescribeAccount", *request);
  if (!status.ok()) return status;
  for (const v1::Account& account : accounts) {
    if (account.domain() != request->domain()) continue;
    if (const auto found = descriptions.find(account.domain()); found != descriptions.end()) {
      *response = found->second;
    }
    *response->mutable_account() = account;
    return grpc::Status::OK;
  }
  return NotFound(Reason::kUnknownAccount, "account " + request->domain());
}

grpc::Status FakeManager::ListAccounts(grpc::ServerContext* context,
                                       const v1::ListAccountsRequest* request,
                                       v1::ListAccountsResponse* response) {
  grpc::Status status = Enter(context, "ListAccounts", *request);
  for (const v1::Account& account : accounts) *response->add_accounts() = account;
  return status;
}

grpc::Status FakeManager::ListShares(grpc::ServerContext* context,
                                     const v1::ListSharesRequest* request,
                                     v1::ListSharesResponse* response) {
  grpc::Status status = Enter(context, "ListShares", *request);
  for (const v1::Share& share : shares) *response->add_shares() = share;
  return status;
}

grpc::Status FakeManager::GetOverview(grpc::ServerContext* context,
                                      const v1::GetOverviewRequest* request,
                                      v1::Overview* response) {
  *response = overview;
  return Enter(context, "GetOverview", *request);
}

grpc::Status FakeManager::Diagnose(grpc::ServerContext* context, const v1::DiagnoseRequest* request,
                                   v1::Diagnosis* response) {
  *response = diagnosis;
  return Enter(context, "Diagnose", *request);
}

bool FakeManager::Stopping(std::chrono::milliseconds timeout) {
  MutexLock lock(mutex_);
  if (!stopping_) stopped_.WaitFor(mutex_, timeout);
  return stopping_;
}

grpc::Status FakeManager::WatchEvents(grpc::ServerContext* context,
                                      const v1::WatchEventsRequest* request,
                                      grpc::ServerWriter<v1::Event>* writer) {
  grpc::Status status = Enter(context, "WatchEvents", *request);
  if (!status.ok()) return status;
  for (const v1::Event& event : events) {
    if (request->from_now() || event.sequence() <= request->since_sequence()) continue;
    if (!request->command_id().empty() && event.command_id() != request->command_id()) continue;
    if (!request->node().empty() && event.node() != request->node()) continue;
    if (!writer->Write(event)) return grpc::Status::OK;
  }
  if (request->no_follow()) return grpc::Status::OK;
  // Something happens all the time: whoever waits looks again at once.
  v1::Event event;
  event.set_type(v1::Event::TASK_CHANGED);
  event.set_command_id(request->command_id());
  event.set_sequence(1000);
  while (!Stopping(std::chrono::milliseconds(50)) && !context->IsCancelled()) {
    event.set_sequence(event.sequence() + 1);
    if (!request->command_id().empty() && !writer->Write(event)) break;
  }
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the manager stops");
}

}  // namespace hostq::testing
