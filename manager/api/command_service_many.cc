#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "manager/api/command_service.h"
#include "manager/api/convert.h"
#include "manager/api/key_scope.h"
#include "manager/api/page_token.h"
#include "manager/api/submission.h"

namespace hostq::manager {
namespace {

constexpr int kMaxCreated = 1000;  // by one call

void SetOutcome(const absl::StatusOr<Submitted>& submitted,
                v1::CreateCommandsResponse::Outcome& out) {
  if (submitted.ok()) {
    out.set_id(FormatId(submitted->command.id));
    out.set_repeated(submitted->repeated);
    return;
  }
  out.set_reason(static_cast<v1::Reason::Code>(ReasonOf(submitted.status())));
  out.set_message(std::string(submitted.status().message()));
}

// Of a request or a Pause: its `what`.
template <typename Message>
PauseKey KeyOf(const Message& message) {
  if (message.what_case() == Message::kKind) return {PauseScope::kKind, message.kind()};
  return {PauseScope::kResourceKey, message.resource_key()};
}

template <typename Message>
absl::Status CheckWhat(const Message& message) {
  if (message.what_case() != Message::WHAT_NOT_SET) return absl::OkStatus();
  return InvalidField(Reason::kInvalidArgument, "what", "missing; wanted: kind or resource_key");
}

// For the audit.
template <typename Message>
std::string TargetOf(const Message& message) {
  return message.what_case() == Message::kKind ? absl::StrCat("kind/", message.kind())
                                               : message.resource_key();
}

// A kind is paused on all nodes and for all accounts; a resource key for all kinds.
template <typename Message>
absl::Status CheckOperate(const Caller& caller, const Message& message, const Cluster& cluster) {
  Subject subject;
  if (message.what_case() == Message::kKind) {
    subject.kind = message.kind();
  } else {
    subject.account = AccountOfKey(message.resource_key());
    subject.account_key = KeyOfAccount(cluster, subject.account);
  }
  if (Allows(*caller.rights, Verb::kOperate, subject)) return absl::OkStatus();
  return OutOfScope(caller, absl::StrCat("pause or resume ", TargetOf(message)));
}

v1::Pause PauseToProto(const PauseKey& key, const Pause& pause) {
  v1::Pause out;
  if (key.first == PauseScope::kKind) {
    out.set_kind(key.second);
  } else {
    out.set_resource_key(key.second);
  }
  out.set_actor(pause.actor);
  out.set_note(pause.note);
  *out.mutable_time() = ToProto(pause.time);
  return out;
}

v1::Orphan OrphanToProto(const Store::Orphan& orphan) {
  v1::Orphan out;
  out.set_task_id(TaskIdOf(orphan.lease.command, orphan.lease.node));
  out.set_command_id(FormatId(orphan.lease.command));
  out.set_node(orphan.lease.node);
  *out.mutable_receive_time() = ToProto(orphan.time);
  v1::Attempt& attempt = *out.mutable_attempt();
  attempt.ParseFromString(orphan.attempt.steps);
  attempt.set_number(orphan.attempt.number);
  attempt.set_epoch(orphan.attempt.epoch);
  *attempt.mutable_start_time() = ToProto(orphan.attempt.start_time);
  *attempt.mutable_finish_time() = ToProto(orphan.attempt.finish_time);
  attempt.set_reason(static_cast<v1::Reason::Code>(orphan.attempt.reason));
  attempt.set_message(orphan.attempt.message);
  return out;
}

}  // namespace

grpc::ServerUnaryReactor* CommandService::RetryTasks(grpc::CallbackServerContext* context,
                                                     const v1::RetryTasksRequest* request,
                                                     v1::RetryTasksResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.RetryTasks", done);
  if (!caller) return reactor;
  if (request->reason() == 0 && request->node().empty() && request->kind().empty()) {
    done(InvalidField(Reason::kInvalidArgument, "reason",
                      "missing; wanted: at least one of reason, node and kind"));
    return reactor;
  }
  if (request->limit() < 0) {
    return done(InvalidField(Reason::kInvalidArgument, "limit", "must not be negative")), reactor;
  }
  if (absl::Status status = request->kind().empty() ? absl::OkStatus() : CheckKind(request->kind());
      !status.ok()) {
    return done(status), reactor;
  }
  Subject subject;
  subject.kind = request->kind();
  if (!request->node().empty()) subject.nodes = {request->node()};
  if (!Allows(*caller->rights, Verb::kAct, subject)) {
    Refuse(backend_, *caller, "commands", OutOfScope(*caller, "retry all that this asks for"),
           done);
    return reactor;
  }
  const RetryFilter filter{static_cast<Reason>(request->reason()), request->node(),
                           request->kind()};
  const int limit = request->limit() == 0 ? std::numeric_limits<int>::max() : request->limit();
  backend_.engine.RetryMatching(filter, limit, caller->On("commands"),
                                [done, response](const absl::StatusOr<Engine::Retried>& retried) {
                                  if (!retried.ok()) return done(retried.status());
                                  for (const auto& [command, node] : retried->tasks) {
                                    response->add_task_ids(TaskIdOf(command, node));
                                  }
                                  response->set_remaining(retried->remaining);
                                  done(absl::OkStatus());
                                });
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::CreateCommands(grpc::CallbackServerContext* context,
                                                         const v1::CreateCommandsRequest* request,
                                                         v1::CreateCommandsResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.CreateCommands", done);
  if (!caller) return reactor;
  if (request->requests().empty() || request->requests_size() > kMaxCreated) {
    done(InvalidField(
        Reason::kInvalidArgument, "requests",
        absl::StrCat(request->requests_size(), " of them; wanted: 1 to ", kMaxCreated)));
    return reactor;
  }
  std::vector<Submission> submissions;
  std::vector<v1::CreateCommandsResponse::Outcome*> outcomes;  // of the submissions
  for (const v1::CreateCommandRequest& one : request->requests()) {
    v1::CreateCommandsResponse::Outcome& outcome = *response->add_outcomes();
    absl::Status status = CheckRequest(one);
    if (status.ok() && one.validate_only()) {
      status = InvalidField(Reason::kInvalidArgument, "validate_only", "is for one request alone");
    }
    // The first has been counted with the call.
    if (status.ok() && response->outcomes_size() > 1) status = backend_.admission.Spend(*caller);
    if (!status.ok()) {
      SetOutcome(status, outcome);
      continue;
    }
    submissions.push_back(SubmissionOf(one, *caller));
    outcomes.push_back(&outcome);
  }
  if (submissions.empty()) return done(absl::OkStatus()), reactor;
  backend_.engine.SubmitMany(std::move(submissions),
                             [caller = *caller, outcomes = std::move(outcomes),
                              done](const std::vector<absl::StatusOr<Submitted>>& submitted) {
                               for (size_t i = 0; i < submitted.size(); ++i) {
                                 if (submitted[i].ok()) LogSubmitted(caller, *submitted[i]);
                                 SetOutcome(submitted[i], *outcomes[i]);
                               }
                               done(absl::OkStatus());
                             });
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::PauseCommands(grpc::CallbackServerContext* context,
                                                        const v1::PauseCommandsRequest* request,
                                                        v1::Pause* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.PauseCommands", done);
  if (!caller) return reactor;
  if (absl::Status status = CheckWhat(*request); !status.ok()) return done(status), reactor;
  backend_.engine.Change(
      [this, request, response, caller = *caller,
       actor = caller->actor](const Now& now) -> absl::StatusOr<ChangeSet> {
        HOSTQ_RETURN_IF_ERROR(CheckOperate(caller, *request, backend_.cluster));
        const PauseKey key = KeyOf(*request);
        HOSTQ_ASSIGN_OR_RETURN(ChangeSet changes,
                               backend_.cluster.PauseCommands(key, request->note(), actor, now));
        *response = PauseToProto(key, backend_.cluster.Pauses().at(key));
        return changes;
      },
      caller->On(TargetOf(*request)), done);
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::ResumeCommands(grpc::CallbackServerContext* context,
                                                         const v1::ResumeCommandsRequest* request,
                                                         v1::ResumeCommandsResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.ResumeCommands", done);
  if (!caller) return reactor;
  if (absl::Status status = CheckWhat(*request); !status.ok()) return done(status), reactor;
  backend_.engine.Change(
      [this, request, response, caller = *caller,
       actor = caller->actor](const Now&) -> absl::StatusOr<ChangeSet> {
        HOSTQ_RETURN_IF_ERROR(CheckOperate(caller, *request, backend_.cluster));
        HOSTQ_ASSIGN_OR_RETURN(ChangeSet changes,
                               backend_.cluster.ResumeCommands(KeyOf(*request), actor));
        response->set_resumed(!changes.pauses.empty());
        return changes;
      },
      caller->On(TargetOf(*request)), done);
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::ListPauses(grpc::CallbackServerContext* context,
                                                     const v1::ListPausesRequest*,
                                                     v1::ListPausesResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.ListPauses", done);
  if (!caller) return reactor;
  backend_.engine.Read([response, done](const hostq::manager::Queue& queue, const Now&) {
    for (const auto& [key, pause] : queue.pauses()) {
      *response->add_pauses() = PauseToProto(key, pause);
    }
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* CommandService::ListOrphans(grpc::CallbackServerContext* context,
                                                      const v1::ListOrphansRequest* request,
                                                      v1::ListOrphansResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.CommandService.ListOrphans", done);
  if (!caller) return reactor;
  const absl::StatusOr<int> limit = PageSizeOf(request->limit());
  if (!limit.ok()) return done(limit.status()), reactor;
  OnWorker(backend_, done, [this, limit = *limit, response, done] {
    const auto orphans = backend_.store.ListOrphans(limit);
    if (!orphans.ok()) return done(orphans.status());
    size_t bytes = 0;
    for (const Store::Orphan& orphan : *orphans) {
      v1::Orphan out = OrphanToProto(orphan);
      bytes += out.ByteSizeLong();
      if (bytes > kMaxPageBytes) break;
      *response->add_orphans() = std::move(out);
    }
    done(absl::OkStatus());
  });
  return reactor;
}

}  // namespace hostq::manager
