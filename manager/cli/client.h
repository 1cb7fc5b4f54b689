#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hostq/v1/account_service.pb.h"
#include "hostq/v1/command_service.pb.h"
#include "hostq/v1/event_service.pb.h"
#include "hostq/v1/node_service.pb.h"

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

// The manager, as seen over its socket. Each call blocks until it is answered, at most 30 s, and
// returns the manager's own error with its reason (ReasonOf); UNAVAILABLE without a reason: nobody
// answers. Safe to use from several threads.
class Client {
 public:
  // `socket` is a path. `actor` is who asks, for display. Does not connect yet.
  Client(const std::string& socket, const std::string& actor);
  ~Client();

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
  absl::StatusOr<v1::Balancing> GetBalancing();

  absl::StatusOr<v1::Account> GetAccount(const std::string& domain);
  absl::StatusOr<v1::ListAccountsResponse> ListAccounts(const v1::ListAccountsRequest& request);
  absl::StatusOr<v1::ListSharesResponse> ListShares();

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
