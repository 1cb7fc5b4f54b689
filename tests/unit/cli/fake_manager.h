#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "grpcpp/server.h"
#include "hostq/v1/account_service.grpc.pb.h"
#include "hostq/v1/command_service.grpc.pb.h"
#include "hostq/v1/event_service.grpc.pb.h"
#include "hostq/v1/manager_service.grpc.pb.h"
#include "hostq/v1/node_service.grpc.pb.h"

namespace hostq::testing {

// A manager that answers from a script, over a real Unix socket. Its commands do not run: each look
// at one (GetCommand) shows the next of the states it was given, and the last one for ever.
class FakeManager final : public v1::CommandService::Service,
                          public v1::NodeService::Service,
                          public v1::AccountService::Service,
                          public v1::EventService::Service,
                          public v1::ManagerService::Service {
 public:
  FakeManager();
  ~FakeManager() override;
  // Nothing before it is called, and nothing after Stop(), answers at the path.
  void Start(const std::string& socket);
  void Stop();

  // The script. Before Start() only.
  std::map<std::string, std::vector<v1::Command>> commands;
  std::map<std::string, std::vector<v1::Finding>> findings;  // by command id
  std::vector<v1::Node> nodes;
  std::vector<v1::Account> accounts;
  // By domain; of one that is not here, only the account is told.
  std::map<std::string, v1::DescribeAccountResponse> descriptions;
  std::vector<v1::Share> shares;
  v1::Balancing balancing;
  std::vector<v1::Event> events;
  std::vector<v1::Pause> pauses;
  std::vector<v1::Orphan> orphans;
  v1::Overview overview;
  v1::Diagnosis diagnosis;
  // What matches every retry of many, the first ones first.
  std::vector<std::string> parked;
  // What every call is refused with, if not OK.
  absl::Status refusal;
  // The id of the command that CreateCommand answers with.
  std::string next_id;

  // What was asked last.
  std::string Actor();
  v1::CreateCommandRequest Created();
  // The names of the methods that were called, in order.
  std::vector<std::string> Calls();
  // Of the last request of any kind, in protobuf's text form.
  std::string LastRequest();

 private:
  grpc::Status Enter(grpc::ServerContext* context, const std::string& method,
                     const google::protobuf::Message& request);
  // Waits until Stop() or so long.
  bool Stopping(std::chrono::milliseconds timeout);
  // Null if there is none.
  const v1::Command* Look(const std::string& id, bool advance);
  grpc::Status AnswerWith(const std::string& id, v1::Command* response);

  grpc::Status CreateCommand(grpc::ServerContext* context, const v1::CreateCommandRequest* request,
                             v1::CreateCommandResponse* response) override;
  grpc::Status GetCommand(grpc::ServerContext* context, const v1::GetCommandRequest* request,
                          v1::Command* response) override;
  grpc::Status ListCommands(grpc::ServerContext* context, const v1::ListCommandsRequest* request,
                            v1::ListCommandsResponse* response) override;
  grpc::Status RetryCommand(grpc::ServerContext* context, const v1::RetryCommandRequest* request,
                            v1::Command* response) override;
  grpc::Status SkipCommand(grpc::ServerContext* context, const v1::SkipCommandRequest* request,
                           v1::Command* response) override;
  grpc::Status CancelCommand(grpc::ServerContext* context, const v1::CancelCommandRequest* request,
                             v1::Command* response) override;
  grpc::Status ExplainCommand(grpc::ServerContext* context,
                              const v1::ExplainCommandRequest* request,
                              v1::ExplainCommandResponse* response) override;
  grpc::Status ListFindings(grpc::ServerContext* context, const v1::ListFindingsRequest* request,
                            v1::ListFindingsResponse* response) override;
  grpc::Status RetryTasks(grpc::ServerContext* context, const v1::RetryTasksRequest* request,
                          v1::RetryTasksResponse* response) override;
  grpc::Status PauseCommands(grpc::ServerContext* context, const v1::PauseCommandsRequest* request,
                             v1::Pause* response) override;
  grpc::Status ResumeCommands(grpc::ServerContext* context,
                              const v1::ResumeCommandsRequest* request,
                              v1::ResumeCommandsResponse* response) override;
  grpc::Status ListPauses(grpc::ServerContext* context, const v1::ListPausesRequest* request,
                          v1::ListPausesResponse* response) override;
  grpc::Status ListOrphans(grpc::ServerContext* context, const v1::ListOrphansRequest* request,
                           v1::ListOrphansResponse* response) override;

  grpc::Status RejoinNode(grpc::ServerContext* context, const v1::RejoinNodeRequest* request,
                          v1::CreateNodeResponse* response) override;
  grpc::Status CreateNode(grpc::ServerContext* context, const v1::CreateNodeRequest* request,
                          v1::CreateNodeResponse* response) override;
  grpc::Status GetNode(grpc::ServerContext* context, const v1::GetNodeRequest* request,
                       v1::Node* response) override;
  grpc::Status ListNodes(grpc::ServerContext* context, const v1::ListNodesRequest* request,
                         v1::ListNodesResponse* response) override;
  grpc::Status GetBalancing(grpc::ServerContext* context, const v1::GetBalancingRequest* request,
                            v1::Balancing* response) override;
  grpc::Status PauseNode(grpc::ServerContext* context, const v1::PauseNodeRequest* request,
                         v1::Node* response) override;
  grpc::Status ResumeNode(grpc::ServerContext* context, const v1::ResumeNodeRequest* request,
                          v1::Node* response) override;
  grpc::Status RemoveNode(grpc::ServerContext* context, const v1::RemoveNodeRequest* request,
                          v1::RemoveNodeResponse* response) override;

  grpc::Status GetAccount(grpc::ServerContext* context, const v1::GetAccountRequest* request,
                          v1::Account* response) override;
  grpc::Status DescribeAccount(grpc::ServerContext* context,
                               const v1::DescribeAccountRequest* request,
                               v1::DescribeAccountResponse* response) override;
  grpc::Status ListAccounts(grpc::ServerContext* context, const v1::ListAccountsRequest* request,
                            v1::ListAccountsResponse* response) override;
  grpc::Status ListShares(grpc::ServerContext* context, const v1::ListSharesRequest* request,
                          v1::ListSharesResponse* response) override;

  grpc::Status WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest* request,
                           grpc::ServerWriter<v1::Event>* writer) override;

  grpc::Status GetOverview(grpc::ServerContext* context, const v1::GetOverviewRequest* request,
                           v1::Overview* response) override;
  grpc::Status Diagnose(grpc::ServerContext* context, const v1::DiagnoseRequest* request,
                        v1::Diagnosis* response) override;

  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  CondVar stopped_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  size_t retried_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, size_t> looks_ ABSL_GUARDED_BY(mutex_);
  std::string actor_ ABSL_GUARDED_BY(mutex_);
  v1::CreateCommandRequest created_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
  std::string last_request_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::testing
