#include "manager/api/command_service.h"

#include <algorithm>
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
#include "common/base/id.h"
#include "common/base/text.h"
#include "manager/api/all_findings.h"
#include "manager/api/convert.h"
#include "manager/api/key_scope.h"
#include "manager/api/page_token.h"
#include "manager/api/submission.h"
#include "manager/cluster/validate.h"
#include "manager/domain/findings.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxResourceKey = 300;  // "account/" and the longest domain fit
constexpr int kMaxExplained = 100;       // findings of a command with many parts
// Where a filter may match few of many commands, so many are looked at for one page: it may be
// short.
constexpr int kMaxLookedAt = 20'000;

// What a finding waits for in the end; null: nothing, or it has finished.
const Command* RootOf(const hostq::manager::Queue& queue, const Finding& finding) {
  const std::optional<CommandId> id =
      ParseId(absl::string_view(finding.root_task).substr(0, finding.root_task.find('/')));
  return id ? queue.Find(*id) : nullptr;
}

bool MaySeeNode(const Caller& caller, const std::string& node) {
  return AllowsBeyondAccounts(*caller.rights, Verb::kRead) &&
         AllowsNode(*caller.rights, Verb::kRead, Subject(), node);
}

// As the engine says it, with the id that the caller knows.
absl::Status RequestIdReused(const std::string& request_id) {
  return MakeError(
      absl::StatusCode::kAlreadyExists, Reason::kRequestIdReused,
      absl::StrCat("request_id ", request_id, " was used before, for another request"));
}

bool IsOn(const v1::Command& command, const std::string& node) {
  return std::any_of(command.tasks().begin(), command.tasks().end(),
                     [&](const v1::Task& task) { return task.node() == node; });
}

// All but the page. Errors: INVALID_ARGUMENT.
absl::StatusOr<CommandQuery> QueryOf(const v1::ListCommandsRequest& request) {
  const auto invalid = [](absl::string_view field, absl::string_view why) {
    return InvalidField(Reason::kInvalidArgument, field, why);
  };
  CommandQuery query;
  if (request.resource_key().size() > kMaxResourceKey) {
    return invalid("resource_key", "is too long");
  }
  if (request.node().size() > kMaxNodeName) return invalid("node", "is too long");
  if (request.actor().size() > kMaxResourceKey) return invalid("actor", "is too long");
  if (!v1::Command::State_IsValid(request.state())) {
    return invalid("state", "is none that this manager knows");
  }
  if (!request.kind().empty()) {
    HOSTQ_RETURN_IF_ERROR(CheckKind(request.kind()));
  }
  if (!request.part_of().empty()) {
    HOSTQ_ASSIGN_OR_RETURN(query.part_of, ParseCommandId("part_of", request.part_of()));
    if (!request.resource_key().empty()) {
      return invalid("part_of", "together with resource_key; wanted: one of them");
    }
  }
  query.active_only = request.active_only() || request.state() == v1::Command::ACTIVE;
  query.resource_key = request.resource_key();
  // Active ones have an index of their own.
  if (request.state() > v1::Command::ACTIVE) {
    query.state = static_cast<CommandState>(request.state());
  }
  query.kind = request.kind();
  query.actor = request.actor();
  query.node = request.node();
  if (request.has_since_time()) query.after = FirstIdAt(TimeFromProto(request.since_time())) - 1;
  if (request.has_until_time()) query.before = FirstIdAt(TimeFromProto(request.until_time()));
  return query;
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

Submission CommandService::SubmissionOf(const v1::CreateCommandRequest& request,
                                        const Caller& caller) const {
  Submission submission;
  submission.origin = caller.On("");
  submission.request_id = request.request_id();
  submission.request = ContentOf(request);
  SetRules(request, submission);
  submission.max_unfinished = caller.max_unfinished;
  // A key of before with the same name was another one.
  submission.unfinished_since = caller.rights->create_time;
  // Each key has request ids of its own; no caller can use a blank.
  if (!caller.key_id.empty() && !request.request_id().empty()) {
    submission.request_id = absl::StrCat(caller.key_id, " ", request.request_id());
  }
  submission.plan = [this, &request, caller](const Now& now) -> absl::StatusOr<PlannedCommand> {
    if (request.has_not_after() && TimeFromProto(request.not_after()) <= now.wall) {
      return InvalidField(Reason::kInvalidArgument, "not_after", "has already passed");
    }
    const std::vector<std::string> nodes(request.nodes().begin(), request.nodes().end());
    return PlanFor(caller, request.spec(), nodes, request.validate_only(), now, backend_.cluster);
  };
  return submission;
}

grpc::ServerUnaryReactor* CommandService::CreateCommand(grpc::CallbackServerContext* context,
                                                        const v1::CreateCommandRequest* request,
                                                        v1::CreateCommandResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.CreateCommand", done);
  if (!caller) return reactor;
  if (absl::Status status = CheckRequest(*request); !status.ok()) return done(status), reactor;
  Submission submission = SubmissionOf(*request, *caller);
  if (request->validate_only()) {
    backend_.engine.Try(std::move(submission), [this, caller = *caller, done, response](
                                                   const absl::StatusOr<Engine::Tried>& tried) {
      if (ReasonOf(tried.status()) == Reason::kOutOfScope) {
        return Refuse(backend_, caller, "", tried.status(), done);
      }
      if (!tried.ok()) return done(tried.status());
      AnswerTried(caller, *tried, response, done);
    });
    return reactor;
  }
  backend_.engine.Submit(std::move(submission), [request, caller = *caller, done, response](
                                                    const absl::StatusOr<Submitted>& submitted) {
    if (ReasonOf(submitted.status()) == Reason::kRequestIdReused) {
      return done(RequestIdReused(request->request_id()));
    }
    if (submitted.ok()) {
      LogSubmitted(caller, *submitted);
      *response->mutable_command() = ToProto(submitted->command);
      response->set_repeated(submitted->repeated);
    }
    done(submitted.status());
  });
  return reactor;
}

void CommandService::AnswerTried(const Caller& caller, const Engine::Tried& tried,
                                 v1::CreateCommandResponse* response, const Done& done) {
  if (caller.rights->unlimited) {
    SetTried(tried, *response);
    return done(absl::OkStatus());
  }
  backend_.engine.Read(
      [this, caller, tried = tried, response, done](const LiveQueue& queue, const Now&) mutable {
        for (Finding& finding : tried.findings) {
          ShowPart(caller, RootOf(queue, finding), backend_.cluster, finding);
        }
        SetTried(tried, *response);
        done(absl::OkStatus());
      });
}

void CommandService::FindVisible(CommandId id, const Caller& caller, Done done,
                                 std::function<void(const Command&, const Subject&)> found) {
  if (caller.rights->unlimited) {
    return Find(id, std::move(done),
                [found = std::move(found)](const Command& command) { found(command, Subject()); });
  }
  Find(id, done, [this, caller, done, found = std::move(found)](const Command& command) {
    // Whose account it is about is known on the engine's thread.
    backend_.engine.Read([this, caller, done, found, command](const LiveQueue&, const Now&) {
      if (!MaySee(caller, command, backend_.cluster)) return done(NoSuchCommand(command.id));
      const Subject subject = SubjectOf(command, backend_.cluster);
      OnWorker(backend_, done, [command, subject, found] { found(command, subject); });
    });
  });
}

// What of a command somebody may act on is not what they may see.
Engine::CommandCallback CommandService::Answer(const Caller& caller, const Done& done,
                                               v1::Command* response) {
  return [this, caller, done, response](const absl::StatusOr<Command>& command) {
    if (command.ok()) {
      *response = ToProto(*command);
      ShowPart(caller, SubjectOf(*command, backend_.cluster), *response);
    }
    done(command.status());
  };
}

void CommandService::ActOn(CommandId id, const std::string& node, const Caller& caller,
                           const Done& done, std::function<void()> act) {
  if (caller.rights->unlimited) return act();
  const auto refuse = [this, id, caller, done](const absl::Status& status) {
    Refuse(backend_, caller, absl::StrCat("command/", FormatId(id)), status, done);
  };
  const auto not_found = [refuse, done](const absl::Status& status) {
    absl::IsNotFound(status) ? refuse(status) : done(status);
  };
  Find(id, not_found, [this, node, caller, refuse, act = std::move(act)](const Command& command) {
    backend_.engine.Read([this, node, caller, refuse, act, command](const LiveQueue&, const Now&) {
      const absl::Status status = CheckAct(caller, command, node, backend_.cluster);
      status.ok() ? act() : refuse(status);
    });
  });
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
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.GetCommand", done);
  if (!caller) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  FindVisible(
      *id, *caller, done,
      [this, caller = *caller, done, response](const Command& command, const Subject& subject) {
        *response = ToProto(command);
        ShowPart(caller, subject, *response);
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
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.ListCommands", done);
  if (!caller) return reactor;
  v1::ListCommandsRequest filters = *request;
  filters.clear_page_size();
  filters.clear_page_token();
  const std::string filter = absl::StrCat("ListCommands/", filters.SerializeAsString());
  const absl::StatusOr<int> size = PageSizeOf(request->page_size());
  if (!size.ok()) return done(size.status()), reactor;
  const absl::StatusOr<std::string> token = ParsePageToken(request->page_token(), filter);
  if (!token.ok()) return done(token.status()), reactor;
  absl::StatusOr<CommandQuery> query = QueryOf(*request);
  if (!query.ok()) return done(query.status()), reactor;
  if (!token->empty() && !absl::SimpleAtoi(*token, &query->before)) {
    return done(InvalidField(Reason::kPageTokenInvalid, "page_token", "is not a token")), reactor;
  }
  query->limit = *size + 1;  // one more tells whether there is another page
  OnWorker(backend_, done, [this, query = *query, filter, caller = *caller, response, done] {
    ReadPage(query, filter, caller, response, done);
  });
  return reactor;
}

void CommandService::ReadPage(CommandQuery query, const std::string& filter, const Caller& caller,
                              v1::ListCommandsResponse* response, const Done& done) {
  // Those below it are the next page's; 0: none are.
  CommandId bound = 0;
  if (query.filters() && query.resource_key.empty() && query.part_of == 0) {
    const absl::StatusOr<CommandId> below = backend_.store.CommandBelow(query.before, kMaxLookedAt);
    if (!below.ok()) return done(below.status());
    if (*below - 1 > query.after) bound = *below;
    query.after = std::max(query.after, *below - 1);
  }
  absl::StatusOr<std::vector<Command>> commands = backend_.store.ListCommands(query);
  if (!commands.ok()) return done(commands.status());
  const auto page = std::make_shared<std::vector<Command>>(*std::move(commands));
  const auto limit = static_cast<size_t>(query.limit - 1);
  // Those not finished are further on than what is stored of them.
  backend_.engine.Read([this, page, limit, bound, node = query.node, filter, caller, response,
                        done](const LiveQueue& queue, const Now&) {
    size_t bytes = 0, looked_at = 0;
    CommandId next = bound;
    CommandId last = 0;
    for (const Command& stored : *page) {
      const auto count = static_cast<size_t>(response->commands_size());
      if (looked_at++ == limit || (count > 0 && bytes > kMaxPageBytes)) {
        next = last;
        break;
      }
      last = stored.id;
      // A page of what is left may be short.
      if (!MaySee(caller, stored, backend_.cluster)) continue;
      const Command* live = queue.Find(stored.id);
      v1::Command shown = ToProto(live == nullptr ? stored : *live);
      ShowPart(caller, SubjectOf(stored, backend_.cluster), shown);
      // What is on nodes that the caller may not see is not there to be asked for.
      if (!node.empty() && !IsOn(shown, node)) continue;
      bytes += shown.ByteSizeLong();
      *response->add_commands() = std::move(shown);
    }
    if (next != 0) response->set_next_page_token(MakePageToken(absl::StrCat(next), filter));
    done(absl::OkStatus());
  });
}

grpc::ServerUnaryReactor* CommandService::RetryCommand(grpc::CallbackServerContext* context,
                                                       const v1::RetryCommandRequest* request,
                                                       v1::Command* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.RetryCommand", done);
  if (!caller) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  ActOn(*id, request->node(), *caller, done, [this, id = *id, request, caller, response, done] {
    backend_.engine.Retry(id, request->node(), caller->On(absl::StrCat("command/", request->id())),
                          Answer(*caller, done, response));
  });
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::SkipCommand(grpc::CallbackServerContext* context,
                                                      const v1::SkipCommandRequest* request,
                                                      v1::Command* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.SkipCommand", done);
  if (!caller) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  if (absl::StripAsciiWhitespace(request->note()).empty() || request->note().size() > kMaxNote) {
    done(InvalidField(Reason::kInvalidArgument, "note",
                      absl::StrCat("say why, in at most ", kMaxNote, " characters")));
    return reactor;
  }
  ActOn(*id, request->node(), *caller, done, [this, id = *id, request, caller, response, done] {
    backend_.engine.Skip(id, request->node(), caller->On(absl::StrCat("command/", request->id())),
                         Printable(request->note(), kMaxNote), Answer(*caller, done, response));
  });
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::CancelCommand(grpc::CallbackServerContext* context,
                                                        const v1::CancelCommandRequest* request,
                                                        v1::Command* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.CancelCommand", done);
  if (!caller) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  ActOn(*id, "", *caller, done, [this, id = *id, request, caller, response, done] {
    backend_.engine.Cancel(id, caller->On(absl::StrCat("command/", request->id())),
                           Answer(*caller, done, response));
  });
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::ExplainCommand(grpc::CallbackServerContext* context,
                                                         const v1::ExplainCommandRequest* request,
                                                         v1::ExplainCommandResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.ExplainCommand", done);
  if (!caller) return reactor;
  const absl::StatusOr<CommandId> id = ParseCommandId("id", request->id());
  if (!id.ok()) return done(id.status()), reactor;
  FindVisible(
      *id, *caller, done,
      [this, caller = *caller, response, done](const Command& command, const Subject& subject) {
        *response->mutable_command() = ToProto(command);
        ShowPart(caller, subject, *response->mutable_command());
        backend_.engine.Read([this, caller, id = command.id, response, done](const LiveQueue& queue,
                                                                             const Now& now) {
          if (const Command* live = queue.Find(id)) {
            *response->mutable_command() = ToProto(*live);
            ShowPart(caller, SubjectOf(*live, backend_.cluster), *response->mutable_command());
            AddExplanations(queue, caller, id, now, response);
          }
          done(absl::OkStatus());
        });
      });
  return reactor;
}

void CommandService::AddExplanations(const LiveQueue& queue, const Caller& caller, CommandId id,
                                     const Now& now, v1::ExplainCommandResponse* response) {
  std::set<std::tuple<std::string, Reason, Reason>> seen;  // of parts
  for (const CommandId each : queue.WithParts(id)) {
    const Command& command = *queue.Find(each);
    if (!MaySee(caller, command, backend_.cluster)) continue;
    const Subject subject = SubjectOf(command, backend_.cluster);
    for (const Task& task : command.tasks) {
      auto finding = Explain(queue, command, task, now);
      if (!finding || !AllowsNode(*caller.rights, Verb::kRead, subject, task.node)) continue;
      // Of parts those that are in trouble themselves, one for each sort of it.
      const bool told =
          each == id || (finding->stuck && finding->root_task.empty() &&
                         seen.emplace(finding->node, finding->reason, finding->cause).second);
      if (!told) continue;
      ShowPart(caller, RootOf(queue, *finding), backend_.cluster, *finding);
      *response->add_findings() = ToProto(*finding);
    }
    if (response->findings_size() >= kMaxExplained) break;
  }
}

grpc::ServerUnaryReactor* CommandService::ListFindings(grpc::CallbackServerContext* context,
                                                       const v1::ListFindingsRequest* request,
                                                       v1::ListFindingsResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.ListFindings", done);
  if (!caller) return reactor;
  backend_.engine.Read(
      [this, caller = *caller, request, response, done](const LiveQueue& queue, const Now& now) {
        const bool named = !request->node().empty();
        if (named &&
            (queue.FindNode(request->node()) == nullptr || !MaySeeNode(caller, request->node()))) {
          return done(UnknownNode(request->node()));
        }
        std::vector<Finding> findings =
            AllFindings(backend_.engine, backend_.cluster, queue, now, request->include_all());
        if (!caller.rights->unlimited) KeepVisible(queue, caller, findings);
        AddFindings(findings, *request, kMaxPageBytes, *response);
        done(absl::OkStatus());
      });
  return reactor;
}

void CommandService::KeepVisible(const LiveQueue& queue, const Caller& caller,
                                 std::vector<Finding>& findings) const {
  std::vector<Finding> kept;
  for (Finding& finding : findings) {
    if (finding.command == 0) {
      // About a node, or the manager itself.
      if (MaySeeNode(caller, finding.node)) kept.push_back(std::move(finding));
      continue;
    }
    const Command* command = queue.Find(finding.command);
    if (command == nullptr || !AllowsNode(*caller.rights, Verb::kRead,
                                          SubjectOf(*command, backend_.cluster), finding.node)) {
      continue;
    }
    ShowPart(caller, RootOf(queue, finding), backend_.cluster, finding);
    kept.push_back(std::move(finding));
  }
  findings = std::move(kept);
}

}  // namespace hostq::manager
