#include "manager/api/command_service.h"

#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/api/convert.h"
#include "manager/api/page_token.h"
#include "manager/api/submission.h"
#include "manager/domain/findings.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxResourceKey = 300;  // "account/" and the longest domain fit
constexpr int kMaxExplained = 100;       // findings of a command with many parts

Engine::CommandCallback Answer(const Done& done, v1::Command* response) {
  return [done, response](const absl::StatusOr<Command>& command) {
    if (command.ok()) *response = ToProto(*command);
    done(command.status());
  };
}

// A command that is none has no id.
void SetTried(const Engine::Tried& tried, v1::CreateCommandResponse& response) {
  v1::Command& command = *response.mutable_command();
  command = ToProto(tried.command);
  command.clear_id();
  command.clear_request_id();
  for (v1::Task& task : *command.mutable_tasks()) {
    task.clear_id();
    task.clear_command_id();
  }
  for (const Finding& finding : tried.findings) *response.add_findings() = ToProto(finding);
}

}  // namespace

grpc::ServerUnaryReactor* CommandService::CreateCommand(grpc::CallbackServerContext* context,
                                                        const v1::CreateCommandRequest* request,
                                                        v1::CreateCommandResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  if (absl::Status status = CheckRequest(*request); !status.ok()) return done(status), reactor;
  Submission submission;
  submission.actor = ActorOf(*context);
  submission.request_id = request->request_id();
  submission.request = ContentOf(*request);
  SetRules(*request, submission);
  const bool only_try = request->validate_only();
  submission.plan = [this, request, only_try](const Now& now) -> absl::StatusOr<PlannedCommand> {
    if (request->has_not_after() && TimeFromProto(request->not_after()) <= now.wall) {
      return InvalidField(Reason::kInvalidArgument, "not_after", "has already passed");
    }
    const std::vector<std::string> nodes(request->nodes().begin(), request->nodes().end());
    return only_try ? backend_.cluster.TryPlan(request->spec(), nodes, now)
                    : backend_.cluster.Plan(request->spec(), nodes, now);
  };
  if (only_try) {
    backend_.engine.Try(std::move(submission),
                        [done, response](const absl::StatusOr<Engine::Tried>& tried) {
                          if (tried.ok()) SetTried(*tried, *response);
                          done(tried.status());
                        });
    return reactor;
  }
  backend_.engine.Submit(std::move(submission),
                         [done, response](const absl::StatusOr<Submitted>& submitted) {
                           if (submitted.ok()) {
                             *response->mutable_command() = ToProto(submitted->command);
                             response->set_repeated(submitted->repeated);
                           }
                           done(submitted.status());
                         });
  return reactor;
}

void CommandService::Find(CommandId id, Done done, std::function<void(const Command&)> found) {
  backend_.engine.Read([this, id, done = std::move(done), found = std::move(found)](
                           const hostq::manager::Queue& queue, const Now&) {
    std::optional<Command> live;
    if (const Command* command = queue.Find(id)) live = *command;
    OnWorker(backend_, done, [this, id, done, found, live = std::move(live)] {
      if (live) return found(*live);
      const absl::StatusOr<Command> stored = backend_.store.GetCommand(id);
      stored.ok() ? found(*stored) : done(stored.status());
    });
  });
}

grpc::ServerUnaryReactor* CommandService::GetCommand(grpc::CallbackServerContext* context,
                                                     const v1::GetCommandRequest* request,
                                                     v1::Command* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  Find(*id, done, [this, done, response](const Command& command) {
    *response = ToProto(command);
    const auto attempts = backend_.store.ListAttempts(command.id);
    if (attempts.ok()) AddAttempts(*attempts, kMaxPageBytes, *response);
    done(attempts.status());
  });
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::ListCommands(grpc::CallbackServerContext* context,
                                                       const v1::ListCommandsRequest* request,
                                                       v1::ListCommandsResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const std::string filter =
      absl::StrCat("ListCommands/", request->active_only() ? "active" : "all", "/",
                   request->part_of(), "/", request->resource_key());
  const absl::StatusOr<int> size = PageSizeOf(request->page_size());
  if (!size.ok()) return done(size.status()), reactor;
  const absl::StatusOr<std::string> token = ParsePageToken(request->page_token(), filter);
  if (!token.ok()) return done(token.status()), reactor;
  CommandQuery query;
  if (!token->empty() && !absl::SimpleAtoi(*token, &query.before)) {
    return done(InvalidField(Reason::kPageTokenInvalid, "page_token", "is not a token")), reactor;
  }
  if (request->resource_key().size() > kMaxResourceKey) {
    return done(InvalidField(Reason::kInvalidArgument, "resource_key", "is too long")), reactor;
  }
  if (!request->part_of().empty()) {
    const absl::StatusOr<CommandId> whole = ParseCommandId("part_of", request->part_of());
    if (!whole.ok()) return done(whole.status()), reactor;
    if (!request->resource_key().empty()) {
      return done(InvalidField(Reason::kInvalidArgument, "part_of",
                               "together with resource_key; wanted: one of them")),
             reactor;
    }
    query.part_of = *whole;
  }
  query.limit = *size + 1;  // one more tells whether there is another page
  query.active_only = request->active_only();
  query.resource_key = request->resource_key();
  OnWorker(backend_, done,
           [this, query, filter, response, done] { ReadPage(query, filter, response, done); });
  return reactor;
}

void CommandService::ReadPage(const CommandQuery& query, const std::string& filter,
                              v1::ListCommandsResponse* response, const Done& done) {
  absl::StatusOr<std::vector<Command>> commands = backend_.store.ListCommands(query);
  if (!commands.ok()) return done(commands.status());
  const auto page = std::make_shared<std::vector<Command>>(*std::move(commands));
  const auto limit = static_cast<size_t>(query.limit - 1);
  // Those not finished are further on than what is stored of them.
  backend_.engine.Read(
      [page, limit, filter, response, done](const hostq::manager::Queue& queue, const Now&) {
        size_t bytes = 0;
        CommandId last = 0;
        for (const Command& stored : *page) {
          const auto count = static_cast<size_t>(response->commands_size());
          if (count == limit || (count > 0 && bytes > kMaxPageBytes)) {
            response->set_next_page_token(MakePageToken(absl::StrCat(last), filter));
            break;
          }
          const Command* live = queue.Find(stored.id);
          *response->add_commands() = ToProto(live == nullptr ? stored : *live);
          bytes += response->commands(static_cast<int>(count)).ByteSizeLong();
          last = stored.id;
        }
        done(absl::OkStatus());
      });
}

grpc::ServerUnaryReactor* CommandService::RetryCommand(grpc::CallbackServerContext* context,
                                                       const v1::RetryCommandRequest* request,
                                                       v1::Command* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  backend_.engine.Retry(*id, request->node(), ActorOf(*context), Answer(done, response));
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::SkipCommand(grpc::CallbackServerContext* context,
                                                      const v1::SkipCommandRequest* request,
                                                      v1::Command* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  if (absl::StripAsciiWhitespace(request->note()).empty() || request->note().size() > kMaxNote) {
    done(InvalidField(Reason::kInvalidArgument, "note",
                      absl::StrCat("say why, in at most ", kMaxNote, " characters")));
    return reactor;
  }
  backend_.engine.Skip(*id, request->node(), ActorOf(*context),
                       Printable(request->note(), kMaxNote), Answer(done, response));
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::CancelCommand(grpc::CallbackServerContext* context,
                                                        const v1::CancelCommandRequest* request,
                                                        v1::Command* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  backend_.engine.Cancel(*id, ActorOf(*context), Answer(done, response));
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::ExplainCommand(grpc::CallbackServerContext* context,
                                                         const v1::ExplainCommandRequest* request,
                                                         v1::ExplainCommandResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  backend_.engine.Read(
      [this, id = *id, response, done](const hostq::manager::Queue& queue, const Now& now) {
        const Command* live = queue.Find(id);
        if (live == nullptr) {
          return OnWorker(backend_, done, [this, id, response, done] {
            const absl::StatusOr<Command> stored = backend_.store.GetCommand(id);
            if (stored.ok()) *response->mutable_command() = ToProto(*stored);
            done(stored.status());
          });
        }
        *response->mutable_command() = ToProto(*live);
        std::set<std::tuple<std::string, Reason, Reason>> seen;  // of parts
        for (const CommandId each : queue.WithParts(id)) {
          const Command& command = *queue.Find(each);
          for (const Task& task : command.tasks) {
            const auto finding = Explain(queue, command, task, now);
            if (!finding) continue;
            // Of parts those that are in trouble themselves, one for each sort of it.
            const bool told =
                each == id || (finding->stuck && finding->root_task.empty() &&
                               seen.emplace(finding->node, finding->reason, finding->cause).second);
            if (told) *response->add_findings() = ToProto(*finding);
          }
          if (response->findings_size() >= kMaxExplained) break;
        }
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::ListFindings(grpc::CallbackServerContext* context,
                                                       const v1::ListFindingsRequest* request,
                                                       v1::ListFindingsResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  if (!Admit(backend_, *context, done)) return reactor;
  backend_.engine.Read(
      [this, request, response, done](const hostq::manager::Queue& queue, const Now& now) {
        if (!request->node().empty() && queue.FindNode(request->node()) == nullptr) {
          return done(UnknownNode(request->node()));
        }
        std::vector<Finding> findings = ExplainNodes(queue, now);
        if (const absl::Status failed = backend_.engine.failed(); !failed.ok()) {
          findings.insert(findings.begin(), ExplainStore(failed, backend_.engine.failed_since()));
        }
        std::vector<Finding> of_tasks = ExplainAll(queue, now, request->include_all());
        findings.insert(findings.end(), std::make_move_iterator(of_tasks.begin()),
                        std::make_move_iterator(of_tasks.end()));
        AddFindings(findings, *request, kMaxPageBytes, *response);
        done(absl::OkStatus());
      });
  return reactor;
}

}  // namespace hostq::manager
