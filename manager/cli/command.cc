#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cli/command_many.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/progress.h"
#include "manager/cli/table.h"
#include "manager/cli/target.h"
#include "manager/cli/view.h"
#include "manager/cli/wait.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr int kMaxPage = 1000;

struct CommandOptions {
  std::string id;
  std::string node;
  std::string note;
  bool all = false;
  int limit = 50;
  v1::ListCommandsRequest list;
  RetryMatch match;
  WaitOptions wait;
};

// What is wrong with it, in one line: "web2 PARKED QUOTA_MISMATCH, web3 ...".
std::string Trouble(const v1::Command& command) {
  std::string out;
  for (const v1::Task& task : command.tasks()) {
    const bool failed = IsFinished(task) && task.outcome() != v1::Task::SUCCEEDED;
    if (!failed && !IsTroubled(task)) continue;
    absl::StrAppend(&out, out.empty() ? "" : ", ", Clean(task.node()), " ", StateText(task));
    if (task.reason() != v1::Reason::CODE_UNSPECIFIED) {
      absl::StrAppend(&out, " ", ReasonText(task.reason()));
    }
  }
  return out;
}

// Pages until `limit` commands are there or no more come.
absl::StatusOr<v1::ListCommandsResponse> Fetch(Tool& tool, const CommandOptions& options) {
  v1::ListCommandsResponse all;
  v1::ListCommandsRequest request = options.list;
  // A state names what is wanted, finished or not.
  request.set_active_only(!options.all && request.state() == v1::Command::STATE_UNSPECIFIED);
  do {
    request.set_page_size(std::min(options.limit - all.commands_size(), kMaxPage));
    HOSTQ_ASSIGN_OR_RETURN(const v1::ListCommandsResponse page,
                           tool.client().ListCommands(request));
    all.mutable_commands()->MergeFrom(page.commands());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && all.commands_size() < options.limit);
  all.set_next_page_token(request.page_token());
  return all;
}

absl::StatusOr<int> List(Tool& tool, const CommandOptions& options) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListCommandsResponse response, Fetch(tool, options));
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  Table table({{"COMMAND"},
               {"KIND", Table::Fit::kCut},
               {"KEY", Table::Fit::kCut},
               {"STATE"},
               {"TASKS", Table::Fit::kKeep, true},
               {"AGE", Table::Fit::kKeep, true},
               {"BY", Table::Fit::kCut}});
  for (const v1::Command& command : response.commands()) {
    const auto finished = std::count_if(command.tasks().begin(), command.tasks().end(),
                                        [](const v1::Task& task) { return IsFinished(task); });
    table.AddRow({Clean(command.id()),
                  Clean(command.kind()),
                  Clean(command.resource_key()),
                  {StateText(command), ColourOf(command)},
                  absl::StrCat(finished, "/", command.tasks_size()),
                  AgeOf(command.create_time(), tool.now()),
                  Clean(command.actor())});
    const std::string trouble = Trouble(command);
    table.AddNote(!command.has_parts() ? trouble
                  : trouble.empty()    ? PartsText(command.parts())
                                       : absl::StrCat(trouble, "; ", PartsText(command.parts())));
  }
  if (!table.empty()) tool.Print(table.Render(tool.terminal.width, tool.terminal.colour));
  const bool any = options.all || options.list.state() != v1::Command::STATE_UNSPECIFIED;
  const char* which = any ? "command" : "unfinished command";
  if (!response.next_page_token().empty()) {
    tool.Print(absl::StrCat("The newest ", response.commands_size(), " ", which,
                            "s; there are more: --limit ", options.limit * 10, "\n"));
  } else {
    tool.Print(
        absl::StrCat(response.commands_size() == 0 ? "No" : absl::StrCat(response.commands_size()),
                     " ", which, response.commands_size() == 1 ? "" : "s", ".",
                     any ? "" : " Finished ones too: hostq command list --all", "\n"));
  }
  return kDone;
}

absl::StatusOr<int> Show(Tool& tool, const CommandOptions& options) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::Command command,
                         tool.client().GetCommand(SplitTask(options.id).command));
  if (tool.document()) {
    tool.PrintDocument(command);
  } else {
    tool.Print(RenderCommand(command, MakeView(tool)));
  }
  return kDone;
}

absl::StatusOr<int> Watch(Tool& tool, const CommandOptions& options) {
  return WaitForCommand(tool, SplitTask(options.id).command, options.wait.timeout);
}

// "ID/NODE" is the same as "ID --node NODE".
TaskName TargetOf(Tool& tool, const CommandOptions& options) {
  TaskName target = SplitTask(options.id);
  if (!options.node.empty()) target.node = options.node;
  tool.names = {{"COMMAND", target.command}};
  if (!target.node.empty()) tool.names.emplace("NODE", target.node);
  return target;
}

int PrintState(Tool& tool, const v1::Command& command, absl::string_view done) {
  if (tool.document()) {
    tool.PrintDocument(command);
    return kDone;
  }
  tool.Print(absl::StrCat(Clean(command.id()), " ", done, ": ", TitleOf(command), ", ",
                          StateText(command), "\n", RenderTasks(command, MakeView(tool))));
  return kDone;
}

absl::StatusOr<int> Retry(Tool& tool, const CommandOptions& options) {
  const bool many = options.match.given();
  if (options.id.empty() || many) {
    if (!options.id.empty() || (!many && options.node.empty())) {
      return UsageError("give the ID of a command, or --reason, --node or --kind");
    }
    RetryMatch match = options.match;
    match.request.set_node(options.node);
    return RetryMatching(tool, match, options.wait.timeout);
  }
  const TaskName target = TargetOf(tool, options);
  v1::RetryCommandRequest request;
  request.set_id(target.command);
  request.set_node(target.node);
  HOSTQ_ASSIGN_OR_RETURN(const v1::Command command, tool.client().RetryCommand(request));
  if (options.wait.wait) return WaitForCommand(tool, command.id(), options.wait.timeout);
  return PrintState(tool, command, "is tried again");
}

absl::StatusOr<int> Skip(Tool& tool, const CommandOptions& options) {
  const TaskName target = TargetOf(tool, options);
  v1::SkipCommandRequest request;
  request.set_id(target.command);
  request.set_node(target.node);
  request.set_note(options.note);
  HOSTQ_ASSIGN_OR_RETURN(const v1::Command command, tool.client().SkipCommand(request));
  return PrintState(tool, command, "was skipped");
}

absl::StatusOr<int> Cancel(Tool& tool, const CommandOptions& options) {
  const TaskName target = TargetOf(tool, options);
  HOSTQ_ASSIGN_OR_RETURN(const v1::Command command, tool.client().CancelCommand(target.command));
  if (tool.document()) {
    tool.PrintDocument(command);
    return kDone;
  }
  std::vector<v1::Node> nodes;
  if (command.state() == v1::Command::ACTIVE) {
    // Without it the answer is less telling, but no less true.
    const absl::StatusOr<v1::ListNodesResponse> known = tool.client().ListNodes();
    if (known.ok()) nodes.assign(known->nodes().begin(), known->nodes().end());
  }
  tool.Print(RenderCancellation(command, nodes, MakeView(tool)));
  return kDone;
}

CLI::App& AddOne(CLI::App& group, Tool& tool, const std::shared_ptr<CommandOptions>& options,
                 absl::StatusOr<int> (*run)(Tool&, const CommandOptions&), const std::string& name,
                 const std::string& description, const std::string& example) {
  CLI::App& leaf = AddLeaf(group, name, description, example);
  AddText(leaf, "ID", options->id, "", "the command, as printed when it was submitted")->required();
  OnRun(leaf, tool, options, run);
  return leaf;
}

void AddRetry(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<CommandOptions>();
  CLI::App& retry =
      AddOne(group, tool, options, Retry, "retry", "try parked and backing-off tasks again, now",
             "hostq command retry 01jd4n7zq8w3x --node web2 --wait\n"
             "hostq command retry --reason QUOTA_SET_NOT_PERMITTED --canary 2");
  retry.get_option("ID")->required(false);
  AddText(retry, "--node", options->node, "NODE", "only on this node");
  AddRetryMatch(retry, options->match);
  retry.add_flag("--wait", options->wait.wait, "show the progress until the command has finished");
  AddSpan(retry, "--timeout", options->wait.timeout,
          "with --wait or --canary: give up waiting after this long (the work goes on)");
}

void AddDecisions(CLI::App& group, Tool& tool) {
  AddRetry(group, tool);
  auto options = std::make_shared<CommandOptions>();
  CLI::App& skip =
      AddOne(group, tool, options, Skip, "skip",
             "give up parked and backing-off tasks: they fail, and what waits behind them goes on",
             "hostq command skip 01jd4n7zq8w3x --node web2 --note 'web2 is being replaced'");
  AddText(skip, "--node", options->node, "NODE", "only the task on this node");
  AddText(skip, "--note", options->note, "WHY", "kept in the history")->required();

  options = std::make_shared<CommandOptions>();
  AddOne(group, tool, options, Cancel, "cancel",
         "cancel what has not been sent to a node; a node that has a task drops it if it has not "
         "begun it, and else ends it after the step it is in",
         "hostq command cancel 01jd4n7zq8w3x");
}

void AddFilters(CLI::App& list, Tool& tool, v1::ListCommandsRequest& request) {
  AddText(list, "--key", *request.mutable_resource_key(), "KEY",
          "only those that change this: account/example.com, share/home, address/203.0.113.10");
  AddText(list, "--part-of", *request.mutable_part_of(), "ID", "only the parts of this command");
  const auto state = [&request](const std::string& text) {
    v1::Command::State parsed{};
    if (!v1::Command::State_Parse(absl::AsciiStrToUpper(text), &parsed) || parsed == 0) {
      Reject("--state", text, "a state: active, succeeded, failed, cancelled or superseded");
    }
    request.set_state(parsed);
  };
  list.add_option_function<std::string>(
          "--state", state, "only those that are active, succeeded, failed, cancelled, superseded")
      ->type_name("STATE");
  AddText(list, "--kind", *request.mutable_kind(), "KIND", "only those of this kind");
  AddText(list, "--node", *request.mutable_node(), "NODE", "only those with a task on this node");
  AddText(list, "--actor", *request.mutable_actor(), "NAME",
          "only what this one submitted: alice, key/billing, manager");
  const auto past = [&tool](const std::string& option, const std::string& text) {
    const auto time = ParsePast(text, tool.now());
    if (!time) Reject(option, text, "a time, or how long ago: 2026-12-24T18:00:00Z, 2h");
    return FromTime(*time);
  };
  list.add_option_function<std::string>(
          "--since",
          [&request, past](const std::string& text) {
            *request.mutable_since_time() = past("--since", text);
          },
          "only those submitted then or later; 2h: in the last two hours")
      ->type_name("TIME");
  list.add_option_function<std::string>(
          "--until",
          [&request, past](const std::string& text) {
            *request.mutable_until_time() = past("--until", text);
          },
          "only those submitted before then")
      ->type_name("TIME");
}

}  // namespace

void AddCommandCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "command", "commands in the queue and finished ones");
  auto options = std::make_shared<CommandOptions>();
  CLI::App& list = AddLeaf(group, "list", "unfinished commands, the newest first",
                           "hostq command list\n"
                           "hostq command list --all --key account/example.com\n"
                           "hostq command list --state failed --node web2 --since 2d");
  list.add_flag("--all", options->all, "finished ones too");
  list.add_option("--limit", options->limit, "at most so many (default 50)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""));
  AddFilters(list, tool, options->list);
  OnRun(list, tool, options, List);

  options = std::make_shared<CommandOptions>();
  AddOne(group, tool, options, Show, "show", "a command with its tasks, attempts and steps",
         "hostq command show 01jd4n7zq8w3x");

  options = std::make_shared<CommandOptions>();
  CLI::App& watch = AddOne(group, tool, options, Watch, "watch",
                           "show the progress of a command until it has finished",
                           "hostq command watch 01jd4n7zq8w3x --timeout 10m");
  AddSpan(watch, "--timeout", options->wait.timeout, "give up waiting after this long");
  AddDecisions(group, tool);
  AddPauses(group, tool);
}

}  // namespace hostq::cli
