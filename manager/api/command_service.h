#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hostq/v1/command_service.grpc.pb.h"
#include "manager/api/request.h"
#include "manager/domain/findings.h"

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
  grpc::ServerUnaryReactor* CreateCommands(grpc::CallbackServerContext* context,
                                           const v1::CreateCommandsRequest* request,
                                           v1::CreateCommandsResponse* response) override;
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
  using LiveQueue = hostq::manager::Queue;

  // `request` was checked, and outlives it.
  Submission SubmissionOf(const v1::CreateCommandRequest& request, const Caller& caller) const;
  // The command as the engine has it or, if it has finished, as the store has it; `found` is called
  // on a worker.
  void Find(CommandId id, Done done, std::function<void(const Command&)> found);
  // The same if the caller may see some of it, with what that is judged by (of a caller without
  // limits: nothing); otherwise the call ends as if there were no such command.
  void FindVisible(CommandId id, const Caller& caller, Done done,
                   std::function<void(const Command&, const Subject&)> found);
  // Answers with what the caller may see of the command; runs on the engine's thread.
  Engine::CommandCallback Answer(const Caller& caller, const Done& done, v1::Command* response);
  // Calls `act`, on some thread, if the caller may act on the command; otherwise ends the call.
  void ActOn(CommandId id, const std::string& node, const Caller& caller, const Done& done,
             std::function<void()> act);
  void ReadPage(CommandQuery query, const std::string& filter, const Caller& caller,
                v1::ListCommandsResponse* response, const Done& done);
  void AnswerTried(const Caller& caller, const Engine::Tried& tried,
                   v1::CreateCommandResponse* response, const Done& done);
  void AddExplanations(const LiveQueue& queue, const Caller& caller, CommandId id, const Now& now,
                       v1::ExplainCommandResponse* response);
  // Leaves out what the caller may not see.
  void KeepVisible(const LiveQueue& queue, const Caller& caller,
                   std::vector<Finding>& findings) const;

  const Backend backend_;
};

}  // namespace hostq::manager
