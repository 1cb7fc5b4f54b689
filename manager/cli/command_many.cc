#include "manager/cli/command_many.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "manager/cli/table.h"
#include "manager/cli/target.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(500);

// Each task that has come to an end or failed again, with how.
using Ended = std::map<std::string, v1::Task>;

absl::StatusOr<Ended> LookAt(Tool& tool, const v1::RetryTasksResponse& tried) {
  std::map<std::string, v1::Command> commands;
  Ended ended;
  for (const std::string& id : tried.task_ids()) {
    const TaskName name = SplitTask(id);
    if (commands.count(name.command) == 0) {
      HOSTQ_ASSIGN_OR_RETURN(commands[name.command], tool.client().GetCommand(name.command));
    }
    for (const v1::Task& task : commands[name.command].tasks()) {
      // It was queued when the answer came: where it waits now, it has failed again.
      const bool failed_again =
          task.phase() == v1::Task::PARKED || task.phase() == v1::Task::BACKING_OFF;
      if (task.node() == name.node && (IsFinished(task) || failed_again)) ended[id] = task;
    }
  }
  return ended;
}

// Until all have ended, or the time is up: then fewer are returned.
absl::StatusOr<Ended> AwaitAll(Tool& tool, const v1::RetryTasksResponse& tried,
                               absl::Duration timeout) {
  const absl::Duration start = tool.clock.Monotonic();
  for (;;) {
    HOSTQ_ASSIGN_OR_RETURN(Ended ended, LookAt(tool, tried));
    const bool late = tool.clock.Monotonic() - start >= timeout;
    if (late || static_cast<int>(ended.size()) == tried.task_ids_size()) return ended;
    absl::SleepFor(kLookEvery);
  }
}

std::string FailureText(const std::string& id, const v1::Task& task) {
  std::string out = absl::StrCat("  ", Clean(id), "  ", StateText(task));
  if (task.reason() != v1::Reason::CODE_UNSPECIFIED) {
    absl::StrAppend(&out, " ", ReasonText(task.reason()));
  }
  if (!task.message().empty()) absl::StrAppend(&out, ": ", Clean(task.message()));
  return out + "\n";
}

int PrintRetried(Tool& tool, const v1::RetryTasksResponse& response) {
  if (tool.document()) {
    tool.PrintDocument(response);
  } else if (response.task_ids().empty()) {
    tool.Print("No parked or backing-off task matches.\n");
  } else {
    tool.Print(absl::StrCat(response.task_ids_size(), " tasks are tried again.\n"));
  }
  return kDone;
}

absl::StatusOr<int> RetryCanary(Tool& tool, const RetryMatch& match, absl::Duration timeout) {
  v1::RetryTasksRequest request = match.request;
  request.set_limit(match.canary);
  HOSTQ_ASSIGN_OR_RETURN(v1::RetryTasksResponse tried, tool.client().RetryTasks(request));
  if (tried.task_ids().empty()) return PrintRetried(tool, tried);
  tool.Note(absl::StrCat("trying ", tried.task_ids_size(), " first; ", tried.remaining(),
                         " more wait for them ..."));
  HOSTQ_ASSIGN_OR_RETURN(const Ended ended, AwaitAll(tool, tried, timeout));
  std::string failures;
  for (const auto& [id, task] : ended) {
    if (task.outcome() != v1::Task::SUCCEEDED) failures += FailureText(id, task);
  }
  const bool timed_out = static_cast<int>(ended.size()) < tried.task_ids_size();
  if (!failures.empty() || timed_out) {
    if (tool.document()) {
      tool.PrintDocument(tried);
    } else {
      tool.Print(absl::StrCat(failures.empty() ? "Those tried first have not ended in time.\n"
                                               : "Of those tried first failed:\n",
                              failures, tried.remaining(), " more were left as they are.\n"));
    }
    return failures.empty() ? kTimedOut : kCommandFailed;
  }
  tool.Note("they succeeded");
  if (tried.remaining() > 0) {
    request.set_limit(0);
    HOSTQ_ASSIGN_OR_RETURN(const v1::RetryTasksResponse rest, tool.client().RetryTasks(request));
    tried.mutable_task_ids()->MergeFrom(rest.task_ids());
    tried.set_remaining(rest.remaining());
  }
  return PrintRetried(tool, tried);
}

struct PauseOptions {
  std::string kind;
  std::string key;
  std::string note;
  int limit = 100;
};

template <typename Message>
absl::Status SetWhat(const PauseOptions& options, Message& message) {
  if (options.kind.empty() == options.key.empty()) return UsageError("give --kind or --key");
  if (!options.kind.empty()) {
    message.set_kind(options.kind);
  } else {
    message.set_resource_key(options.key);
  }
  return absl::OkStatus();
}

std::string WhatText(const PauseOptions& options) {
  return options.kind.empty() ? Clean(options.key) : absl::StrCat("every ", Clean(options.kind));
}

absl::StatusOr<int> RunPause(Tool& tool, const PauseOptions& options) {
  v1::PauseCommandsRequest request;
  HOSTQ_RETURN_IF_ERROR(SetWhat(options, request));
  request.set_note(options.note);
  HOSTQ_ASSIGN_OR_RETURN(const v1::Pause pause, tool.client().PauseCommands(request));
  if (tool.document()) {
    tool.PrintDocument(pause);
  } else {
    tool.Print(absl::StrCat(
        WhatText(options), " is paused: what the nodes have goes on, nothing new is sent.\n",
        "let it go on: hostq command resume ",
        options.kind.empty() ? "--key " + Clean(options.key) : "--kind " + Clean(options.kind),
        "\n"));
  }
  return kDone;
}

absl::StatusOr<int> RunResume(Tool& tool, const PauseOptions& options) {
  v1::ResumeCommandsRequest request;
  HOSTQ_RETURN_IF_ERROR(SetWhat(options, request));
  HOSTQ_ASSIGN_OR_RETURN(const v1::ResumeCommandsResponse response,
                         tool.client().ResumeCommands(request));
  if (tool.document()) {
    tool.PrintDocument(response);
  } else {
    tool.Print(
        absl::StrCat(WhatText(options), response.resumed() ? " goes on" : " was not paused", "\n"));
  }
  return kDone;
}

absl::StatusOr<int> ListPauses(Tool& tool, const PauseOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListPausesResponse response, tool.client().ListPauses({}));
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  if (response.pauses().empty()) {
    tool.Print("Nothing is paused. Nodes: hostq node list\n");
    return kDone;
  }
  Table table({{"PAUSED", Table::Fit::kCut},
               {"AGE", Table::Fit::kKeep, true},
               {"BY", Table::Fit::kCut},
               {"NOTE", Table::Fit::kCut}});
  for (const v1::Pause& pause : response.pauses()) {
    table.AddRow({absl::StrCat(pause.has_kind() ? "kind " : "key ",
                               Clean(pause.has_kind() ? pause.kind() : pause.resource_key())),
                  AgeOf(pause.time(), tool.now()), Clean(pause.actor()), Clean(pause.note())});
  }
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

absl::StatusOr<int> ListOrphans(Tool& tool, const PauseOptions& options) {
  v1::ListOrphansRequest request;
  request.set_limit(options.limit);
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListOrphansResponse response,
                         tool.client().ListOrphans(request));
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  if (response.orphans().empty()) {
    tool.Print("No result came that nobody waited for.\n");
    return kDone;
  }
  Table table({{"TASK"}, {"ATTEMPT", Table::Fit::kKeep, true}, {"RECEIVED"}, {"RESULT"}});
  for (const v1::Orphan& orphan : response.orphans()) {
    const v1::Attempt& attempt = orphan.attempt();
    const bool well = attempt.reason() == v1::Reason::CODE_UNSPECIFIED;
    table.AddRow({Clean(orphan.task_id()), absl::StrCat(attempt.number()),
                  TimeText(orphan.receive_time(), tool.zone),
                  well ? "SUCCEEDED" : ReasonText(attempt.reason())});
    table.AddNote(Clean(attempt.message()));
  }
  tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  return kDone;
}

void AddWhat(CLI::App& leaf, PauseOptions& options) {
  AddText(leaf, "--kind", options.kind, "KIND",
          "every command of this kind: create_account, ... (this or --key)");
  AddText(leaf, "--key", options.key, "KEY",
          "every command on this key: account/example.com, share/home (this or --kind)");
}

}  // namespace

void AddRetryMatch(CLI::App& leaf, RetryMatch& match) {
  const auto reason = [&match](const std::string& text) {
    match.request.set_reason(ParseReason("--reason", text));
  };
  leaf.add_option_function<std::string>("--reason", reason,
                                        "without ID: every task that failed with this")
      ->type_name("CODE");
  const auto kind = [&match](const std::string& text) { match.request.set_kind(text); };
  leaf.add_option_function<std::string>("--kind", kind,
                                        "without ID: every task of this kind of command")
      ->type_name("KIND");
  leaf.add_option("--canary", match.canary,
                  "without ID: so many first, and the others only if those succeed")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""));
}

absl::StatusOr<int> RetryMatching(Tool& tool, const RetryMatch& match, absl::Duration timeout) {
  if (match.canary > 0) return RetryCanary(tool, match, timeout);
  HOSTQ_ASSIGN_OR_RETURN(const v1::RetryTasksResponse response,
                         tool.client().RetryTasks(match.request));
  return PrintRetried(tool, response);
}

void AddPauses(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<PauseOptions>();
  CLI::App& pause =
      AddLeaf(group, "pause", "send nothing of a kind of commands, or on a resource key",
              "hostq command pause --kind set_quota --note 'file server is being upgraded'\n"
              "hostq command pause --key share/home --note 'moving it'");
  AddWhat(pause, *options);
  AddText(pause, "--note", options->note, "WHY", "shown wherever something waits for it")
      ->required();
  OnRun(pause, tool, options, RunPause);

  options = std::make_shared<PauseOptions>();
  CLI::App& resume = AddLeaf(group, "resume", "let a paused kind or resource key go on",
                             "hostq command resume --kind set_quota");
  AddWhat(resume, *options);
  OnRun(resume, tool, options, RunResume);

  options = std::make_shared<PauseOptions>();
  OnRun(AddLeaf(group, "pauses", "the kinds and resource keys that are paused",
                "hostq command pauses"),
        tool, options, ListPauses);

  options = std::make_shared<PauseOptions>();
  CLI::App& orphans = AddLeaf(group, "orphans", "results that came and nobody waited for",
                              "hostq command orphans --limit 10");
  orphans.add_option("--limit", options->limit, "at most so many (default 100), the newest first")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""));
  OnRun(orphans, tool, options, ListOrphans);
}

}  // namespace hostq::cli
