#pragma once

#include "hostq/v1/command_service.grpc.pb.h"
#include "manager/api/request.h"

namespace hostq::manager {

// hostq.v1.CommandService. Each method checks the request, asks the engine or the store, and
// answers from their threads.
class CommandService final : public v1::CommandService::CallbackService {
 public:
  explicit CommandService(const Backend& backend) : backend_(backend) {}

  grpc::ServerUnaryReactor* CreateCommand(grpc::CallbackServerContext* context,
                                          const v1::CreateCommandRequest* request,
                                          v1::CreateCommandResponse* response) override;
  grpc::ServerUnaryReactor* GetCommand(grpc::CallbackServerContext* context,
                                       const v1::GetCommandRequest* request,
                                       v1::Command* response) override;
  grpc::ServerUnaryReactor* ListCommands(grpc::CallbackServerContext* context,
                                         const v1::ListCommandsRequest* request,
                                         v1::ListCommandsResponse* response) override;
  grpc::ServerUnaryReactor* RetryCommand(grpc::CallbackServerContext* context,
                                         const v1::RetryCommandRequest* request,
                                         v1::Command* response) override;
  grpc::ServerUnaryReactor* SkipCommand(grpc::CallbackServerContext* context,
                                        const v1::SkipCommandRequest* request,
                                        v1::Command* response) override;
  grpc::ServerUnaryReactor* CancelCommand(grpc::CallbackServerContext* context,
                                          const v1::CancelCommandRequest* request,
                                          v1::Command* response) override;
  grpc::ServerUnaryReactor* ExplainCommand(grpc::CallbackServerContext* context,
                                           const v1::ExplainCommandRequest* request,
                                           v1::ExplainCommandResponse* response) override;
  grpc::ServerUnaryReactor* ListFindings(grpc::CallbackServerContext* context,
                                         const v1::ListFindingsRequest* request,
                                         v1::ListFindingsResponse* response) override;
  // command_service_many.cc: those about more than one command.
  grpc::ServerUnaryReactor* RetryTasks(grpc::CallbackServerContext* context,
                                       const v1::RetryTasksRequest* request,
                                       v1::RetryTasksResponse* response) override;
  grpc::ServerUnaryReactor* PauseCommands(grpc::CallbackServerContext* context,
                                          const v1::PauseCommandsRequest* request,
                                          v1::Pause* response) override;
  grpc::ServerUnaryReactor* ResumeCommands(grpc::CallbackServerContext* context,
                                           const v1::ResumeCommandsRequest* request,
                                           v1::ResumeCommandsResponse* response) override;
  grpc::ServerUnaryReactor* ListPauses(grpc::CallbackServerContext* context,
                                       const v1::ListPausesRequest* request,
                                       v1::ListPausesResponse* response) override;
  grpc::ServerUnaryReactor* ListOrphans(grpc::CallbackServerContext* context,
                                        const v1::ListOrphansRequest* request,
                                        v1::ListOrphansResponse* response) override;

 private:
  // The command as the engine has it or, if it has finished, as the store has it; `found` is called
  // on a worker.
  void Find(CommandId id, Done done, std::function<void(const Command&)> found);
  void ReadPage(const CommandQuery& query, const std::string& filter,
                v1::ListCommandsResponse* response, const Done& done);

  const Backend backend_;
};

}  // namespace hostq::manager
