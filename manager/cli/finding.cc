#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cli/explain.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/target.h"
#include "manager/cli/view.h"

namespace hostq::cli {
namespace {

struct StuckOptions {
  std::string node;
  bool all = false;
  bool exit_code = false;
};

absl::StatusOr<int> Stuck(Tool& tool, const StuckOptions& options) {
  v1::ListFindingsRequest request;
  request.set_include_all(options.all);
  request.set_node(options.node);
  if (!options.node.empty()) tool.names = {{"NODE", options.node}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListFindingsResponse response,
                         tool.client().ListFindings(request));
  if (tool.document()) {
    tool.PrintDocument(response);
  } else {
    tool.Print(RenderStuck(response, MakeView(tool)));
  }
  const bool any = std::any_of(response.findings().begin(), response.findings().end(),
                               [](const v1::Finding& finding) { return finding.stuck(); });
  return options.exit_code && any ? kCommandFailed : kDone;
}

struct ExplainOptions {
  std::string what;
};

// The newest unfinished command on `key`; if there is none, the newest one.
absl::StatusOr<std::string> NewestOn(Tool& tool, const std::string& key) {
  v1::ListCommandsRequest request;
  request.set_page_size(1);
  request.set_resource_key(key);
  for (const bool active : {true, false}) {
    request.set_active_only(active);
    HOSTQ_ASSIGN_OR_RETURN(const v1::ListCommandsResponse response,
                           tool.client().ListCommands(request));
    if (response.commands_size() > 0) return response.commands(0).id();
  }
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownCommand,
                   absl::StrCat("there never was a command on ", key));
}

// What somebody has changed on the nodes since a command that has finished.
absl::Status AddDrift(Tool& tool, v1::ExplainCommandResponse& response) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListFindingsResponse all, tool.client().ListFindings({}));
  for (const v1::Finding& finding : all.findings()) {
    const bool same = finding.resource_key() == response.command().resource_key();
    if (same && finding.command_id().empty()) *response.add_findings() = finding;
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Explain(Tool& tool, const ExplainOptions& options) {
  TaskName target = SplitTask(options.what);
  const std::string key = KeyOf(options.what);
  if (!key.empty()) {
    target.node.clear();
    HOSTQ_ASSIGN_OR_RETURN(target.command, NewestOn(tool, key));
  }
  tool.names = {{"COMMAND", target.command}};
  HOSTQ_ASSIGN_OR_RETURN(v1::ExplainCommandResponse response,
                         tool.client().ExplainCommand(target.command));
  if (!target.node.empty()) {
    const auto& tasks = response.command().tasks();
    if (std::none_of(tasks.begin(), tasks.end(),
                     [&](const v1::Task& task) { return task.node() == target.node; })) {
      return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownCommand,
                       absl::StrCat("command ", target.command, " has no task on ", target.node));
    }
  }
  if (response.command().state() != v1::Command::ACTIVE) {
    HOSTQ_RETURN_IF_ERROR(AddDrift(tool, response));
  }
  if (tool.document()) {
    tool.PrintDocument(response);
  } else {
    tool.Print(RenderExplanation(response, target.node, MakeView(tool)));
  }
  return kDone;
}

}  // namespace

void AddFindingCommands(CLI::App& root, Tool& tool) {
  auto stuck_options = std::make_shared<StuckOptions>();
  CLI::App& stuck = AddLeaf(root, "stuck", "what does not move and needs somebody to act",
                            "hostq stuck\n"
                            "hostq stuck --node web2 --all\n"
                            "hostq stuck --exit-code >/dev/null || echo 'somebody must act'");
  AddText(stuck, "--node", stuck_options->node, "NODE", "only on this node");
  stuck.add_flag("--all", stuck_options->all, "also what is in progress or waits its turn");
  stuck.add_flag("--exit-code", stuck_options->exit_code,
                 "end with 1 if something is stuck (for monitoring)");
  OnRun(stuck, tool, stuck_options, Stuck);

  auto explain_options = std::make_shared<ExplainOptions>();
  CLI::App& explain =
      AddLeaf(root, "explain", "why a command does not move, who must act and what to do",
              "hostq explain 01jd4n7zq8w3x\n"
              "hostq explain 01jd4n7zq8w3x/web2\n"
              "hostq explain example.com");
  AddText(explain, "COMMAND", explain_options->what, "",
          "an id; ID/NODE for one task; or what it changes: a domain, an address, share/home (its "
          "newest unfinished command)")
      ->required();
  OnRun(explain, tool, explain_options, Explain);
}

}  // namespace hostq::cli
