// How commands come into the queue.
#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/base/trace_context.h"
#include "manager/engine/engine.h"
#include "manager/engine/refusal.h"

namespace hostq::manager {
namespace {

// Work on nodes takes seconds.
constexpr absl::Duration kQueueFullDelay = absl::Seconds(10);

}  // namespace

absl::Status TooManyRequests() {
  return WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, Reason::kQueueFull,
                                  "too many requests are waiting"),
                        absl::Seconds(1));
}

Command Engine::MakeCommand(PlannedCommand& plan, const Submission& submission, const Now& now) {
  Command command;
  command.kind = std::move(plan.kind);
  command.resource_key = std::move(plan.resource_key);
  command.actor = submission.origin.actor;
  command.request_id = submission.request_id;
  command.request = submission.request;
  command.spec = std::move(plan.spec);
  command.work = std::move(plan.work);
  command.create_time = now.wall;
  command.not_after = submission.not_after;
  command.not_before = submission.not_before;
  command.priority = submission.priority;
  command.max_parallel = submission.max_parallel;
  command.max_failures = submission.max_failures;
  command.retry = std::move(plan.retry);
  if (submission.retry) submission.retry(command.retry);
  command.timeout = plan.timeout;
  command.needs_ready = plan.needs_ready;
  command.supersedes = std::move(plan.supersedes);
  command.part_stage = plan.part_stage;
  std::stable_sort(plan.tasks.begin(), plan.tasks.end(),
                   [](const PlannedTask& a, const PlannedTask& b) {
                     return std::tie(a.stage, a.node) < std::tie(b.stage, b.node);
                   });
  for (PlannedTask& planned : plan.tasks) {
    Task& task = command.tasks.emplace_back();
    task.node = std::move(planned.node);
    task.stage = planned.stage;
    task.phase_time = now.wall;
    task.phase_monotonic = now.monotonic;
  }
  return command;
}

CommandId Engine::Enqueue(PlannedCommand plan, const Submission& submission, const Now& now,
                          CommandId part_of) {
  Command command = MakeCommand(plan, submission, now);
  const CommandId id = command.id = ids_->Next(now.wall);
  command.part_of = part_of;
  command.traceparent = submission.origin.traceparent;
  if (command.traceparent.empty()) {
    command.traceparent = RootTraceparent(absl::StrCat("command/", FormatId(id)));
  }
  // The request was for the whole.
  if (part_of != 0) command.request_id.clear();
  if (!command.request_id.empty()) uncommitted_requests_.insert(command.request_id);
  ApplyChangeSet(std::move(plan.changes), submission.origin.actor, now);
  queue_->Submit(std::move(command), now, changes_);
  // Ids grow with the stages: on one key a part never waits for one of a later stage.
  std::stable_sort(
      plan.parts.begin(), plan.parts.end(),
      [](const PlannedCommand& a, const PlannedCommand& b) { return a.part_stage < b.part_stage; });
  for (PlannedCommand& part : plan.parts) Enqueue(std::move(part), submission, now, id);
  return id;
}

absl::StatusOr<Submitted> Engine::DoSubmit(const Submission& submission, const Now& now) {
  HOSTQ_ASSIGN_OR_RETURN(std::optional<Command> earlier, FindEarlier(submission.request_id));
  if (earlier) {
    if (earlier->request == submission.request) return Submitted{*std::move(earlier), true};
    return MakeError(absl::StatusCode::kAlreadyExists, Reason::kRequestIdReused,
                     absl::StrCat("request_id ", submission.request_id,
                                  " was used before, for another request"));
  }
  if (queue_->live_tasks() >= options_.max_live_tasks) {
    return WithRetryDelay(
        MakeError(absl::StatusCode::kResourceExhausted, Reason::kQueueFull,
                  absl::StrCat("there are ", queue_->live_tasks(), " unfinished tasks")),
        kQueueFullDelay);
  }
  HOSTQ_RETURN_IF_ERROR(CheckUnfinished(submission));
  HOSTQ_ASSIGN_OR_RETURN(PlannedCommand plan, submission.plan(now));
  return Submitted{*queue_->Find(Enqueue(std::move(plan), submission, now)), false};
}

absl::StatusOr<Submitted> Engine::SubmitOne(const Submission& submission, const Now& now) {
  CrashPoint("manager.submission_received");
  if (absl::Status status = failed(); !status.ok()) {
    Record(submission.origin, status, now);
    return status;
  }
  absl::StatusOr<Submitted> submitted = DoSubmit(submission, now);
  RecordSubmission(submission.origin, submitted, now);
  return submitted;
}

void Engine::Submit(Submission submission, std::function<void(absl::StatusOr<Submitted>)> done) {
  // Here, and where the caller has it from.
  const size_t bytes = 2 * submission.request.size();
  auto handle = [this, submission = std::move(submission), done](const Now& now) {
    absl::StatusOr<Submitted> submitted = SubmitOne(submission, now);
    if (!submitted.ok()) return done(submitted.status());
    // Of one that is repeated, the commit may be that of this very round.
    replies_.push_back([done, submitted = *std::move(submitted)](const absl::Status& status) {
      status.ok() ? done(submitted) : done(status);
    });
  };
  if (!Post(std::move(handle), true, bytes)) done(TooManyRequests());
}

void Engine::SubmitMany(std::vector<Submission> submissions, ManyCallback done) {
  const size_t count = submissions.size();
  size_t bytes = 0;
  for (const Submission& submission : submissions) bytes += 2 * submission.request.size();
  auto handle = [this, submissions = std::move(submissions), done](const Now& now) {
    std::vector<absl::StatusOr<Submitted>> answers;
    answers.reserve(submissions.size());
    for (const Submission& submission : submissions) answers.push_back(SubmitOne(submission, now));
    replies_.push_back([done, answers = std::move(answers)](const absl::Status& status) mutable {
      for (auto& answer : answers) {
        if (answer.ok() && !status.ok()) answer = status;
      }
      done(std::move(answers));
    });
  };
  if (Post(std::move(handle), true, bytes)) return;
  done(std::vector<absl::StatusOr<Submitted>>(count, TooManyRequests()));
}

absl::Status Engine::CheckUnfinished(const Submission& submission) const {
  if (submission.max_unfinished == 0) return absl::OkStatus();
  const size_t unfinished =
      queue_->UnfinishedOf(submission.origin.actor, submission.unfinished_since);
  if (unfinished < submission.max_unfinished) return absl::OkStatus();
  return WithRetryDelay(
      MakeError(absl::StatusCode::kResourceExhausted, Reason::kKeyLimitReached,
                absl::StrCat(submission.origin.actor, " has ", unfinished,
                             " unfinished commands: at most ", submission.max_unfinished)),
      kQueueFullDelay);
}

void Engine::Try(Submission submission, std::function<void(absl::StatusOr<Tried>)> done) {
  auto handle = [this, submission = std::move(submission), done](const Now& now) {
    if (absl::Status status = failed(); !status.ok()) return done(status);
    absl::StatusOr<PlannedCommand> plan = submission.plan(now);
    if (!plan.ok()) return done(plan.status());
    Tried tried{MakeCommand(*plan, submission, now), {}};
    Command& command = tried.command;
    if (!plan->parts.empty()) {
      command.parts[CommandState::kActive] = static_cast<int>(plan->parts.size());
    }
    // Behind all others.
    command.id = std::numeric_limits<CommandId>::max();
    command.delayed = command.not_before > now.wall;
    for (const Task& task : command.tasks) {
      if (std::optional<Finding> finding = Explain(*queue_, command, task, now)) {
        finding->command = 0;
        tried.findings.push_back(*std::move(finding));
      }
    }
    command.id = 0;
    reads_.push_back([done, tried = std::move(tried)](const absl::Status&) { done(tried); });
  };
  if (!Post(std::move(handle), true)) done(TooManyRequests());
}

absl::StatusOr<std::optional<Command>> Engine::FindEarlier(const std::string& request_id) {
  if (request_id.empty()) return std::nullopt;
  if (const Command* live = queue_->FindRequest(request_id)) return *live;
  if (uncommitted_requests_.contains(request_id)) {
    // It ended in the round that it came in: only what is about to be written has it.
    for (const Mutation& mutation : changes_.mutations) {
      const auto* insert = std::get_if<InsertCommand>(&mutation);
      if (insert != nullptr && insert->command.request_id == request_id) return insert->command;
    }
  }
  return store_.FindRequest(request_id);
}

}  // namespace hostq::manager
