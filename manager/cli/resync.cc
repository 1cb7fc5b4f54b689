#include "manager/cli/resync.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "manager/cli/account_view.h"
#include "manager/cli/options.h"
#include "manager/cli/progress.h"
#include "manager/cli/table.h"
#include "manager/cli/view.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(300);
constexpr absl::Duration kNoteEvery = absl::Seconds(5);
constexpr absl::Duration kLookTimeout = absl::Minutes(2);

struct ResyncOptions {
  std::string name;  // a domain, or a node
  std::vector<std::string> nodes;
  bool apply = false;
  absl::Duration timeout = absl::InfiniteDuration();
};

bool HasEnded(const v1::Task& task) { return IsFinished(task) || task.phase() == v1::Task::PARKED; }

// Or waits for somebody: a parked task, and with it the stages after it.
bool HasEnded(const v1::Command& command) {
  int parked = std::numeric_limits<int>::max();
  for (const v1::Task& task : command.tasks()) {
    if (task.phase() == v1::Task::PARKED) parked = std::min(parked, task.stage());
  }
  return std::all_of(command.tasks().begin(), command.tasks().end(),
                     [&](const v1::Task& task) { return HasEnded(task) || task.stage() > parked; });
}

// The parts of a command, as they are listed: without attempts.
absl::StatusOr<std::vector<v1::Command>> PartsOf(Tool& tool, const v1::Command& whole,
                                                 bool active_only) {
  std::vector<v1::Command> parts;
  if (!whole.has_parts()) return parts;
  v1::ListCommandsRequest request;
  request.set_part_of(whole.id());
  request.set_active_only(active_only);
  request.set_page_size(1000);
  do {
    HOSTQ_ASSIGN_OR_RETURN(const v1::ListCommandsResponse page,
                           tool.client().ListCommands(request));
    parts.insert(parts.end(), page.commands().begin(), page.commands().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  // As they were submitted.
  std::reverse(parts.begin(), parts.end());
  return parts;
}

// False: the time was up first.
absl::StatusOr<bool> Await(Tool& tool, v1::Command& command, absl::Duration timeout) {
  const absl::Duration start = tool.clock.Monotonic();
  absl::Duration told = start;
  for (;;) {
    HOSTQ_ASSIGN_OR_RETURN(command, tool.client().GetCommand(command.id()));
    if (command.state() != v1::Command::ACTIVE) return true;
    if (HasEnded(command)) {
      HOSTQ_ASSIGN_OR_RETURN(const auto parts, PartsOf(tool, command, true));
      const bool begun = std::all_of(command.tasks().begin(), command.tasks().end(),
                                     [](const v1::Task& task) { return IsFinished(task); });
      const auto ended = [](const v1::Command& part) { return HasEnded(part); };
      if (!begun || std::all_of(parts.begin(), parts.end(), ended)) return true;
    }
    const absl::Duration now = tool.clock.Monotonic();
    if (now - start >= timeout) return false;
    if (now - told >= kNoteEvery) {
      tool.Note(absl::StrCat(command.has_parts() ? PartsText(command.parts()) : CountText(command),
                             " ..."));
      told = now;
    }
    absl::SleepFor(kLookEvery);
  }
}

// What a look has found, or work has changed: a line each.
struct Found {
  Table table{{{"RESOURCE", Table::Fit::kCut},
               {"NODE", Table::Fit::kCut},
               {"STEP", Table::Fit::kCut},
               {"WHAT", Table::Fit::kWrap}}};
  // Changed, or would be.
  int lines = 0;
  // Differences that somebody has to decide about.
  int conflicts = 0;
  // Tasks of which nothing is known: they have failed, or have not ended.
  int failed = 0;
  int waiting = 0;
  bool none() const { return lines + conflicts + failed + waiting == 0; }
};

Found Read(const std::vector<v1::Command>& commands) {
  Found found;
  const auto add = [&found](const std::string& resource, const v1::Task& task,
                            const std::string& step, const std::string& what) {
    found.table.AddRow({Clean(resource), Clean(task.node()), Clean(step), what});
  };
  bool whole_waits = false;
  for (const v1::Command& command : commands) {
    for (const v1::Task& task : command.tasks()) {
      if (task.outcome() != v1::Task::SUCCEEDED) {
        // Of a whole whose task waits the parts do, too.
        const bool waits = !HasEnded(task);
        if (waits && !command.part_of().empty() && whole_waits) continue;
        whole_waits |= waits && command.has_parts();
        ++(waits ? found.waiting : found.failed);
        add(command.resource_key(), task, "",
            absl::StrCat(StateText(task), ": hostq explain ", Clean(command.id())));
        continue;
      }
      if (task.attempts().empty()) continue;
      for (const v1::Step& step : task.attempts(task.attempts_size() - 1).steps()) {
        if (!step.warning() && !step.changed()) continue;
        // What a preflight warns of is not a difference; what it compared is named by its resource
        // key.
        const bool compared = absl::StrContains(step.name(), '/');
        if (command.spec().has_resync_node() && !compared) continue;
        const bool differs = step.reason() == v1::Reason::DIFFERS || step.changed();
        // What the node's administrator wants so is told, and is none.
        const bool wanted = step.reason() == v1::Reason::QUOTA_SWITCHED_OFF;
        found.lines += differs;
        found.conflicts += !differs && !wanted;
        add(compared ? step.name() : command.resource_key(), task, compared ? "" : step.name(),
            absl::StrCat(differs ? "" : ReasonText(step.reason()) + ": ", Clean(step.message())));
      }
    }
  }
  return found;
}

// The last words.
std::string Conclusion(const Found& found, bool apply, const v1::Command& command,
                       absl::string_view again) {
  std::string out;
  if (found.failed > 0) {
    absl::StrAppend(&out, found.failed, " could not be ", apply ? "put right" : "looked at",
                    ": hostq explain says why.\n");
  }
  if (found.waiting > 0) {
    absl::StrAppend(
        &out, "Not finished in time",
        apply ? absl::StrCat("; the work goes on: hostq command watch ", Clean(command.id()))
              : "; what was not looked at by now is given up",
        ".\n");
  }
  if (apply) {
    absl::StrAppend(&out, found.lines, " changed");
    if (found.conflicts > 0) absl::StrAppend(&out, "; ", found.conflicts, " not as it should be");
    const bool well = found.conflicts + found.failed + found.waiting == 0;
    absl::StrAppend(&out, well ? "; all is as it should be" : "", ".\n");
    return out;
  }
  const int all = found.lines + found.conflicts;
  if (all == 0) {
    return found.none() ? absl::StrCat(out, "All is as it should be.\n") : out;
  }
  absl::StrAppend(&out, all, all == 1 ? " difference" : " differences", "; nothing was changed.");
  if (found.lines > 0) absl::StrAppend(&out, " Put it right: ", again, " --apply");
  if (found.conflicts > 0) {
    absl::StrAppend(&out, found.lines > 0 ? "\n" : " ", "Somebody has to see to ", found.conflicts,
                    found.lines > 0 ? " of them" : "",
                    " first: docs/troubleshooting.md has each reason");
  }
  return absl::StrCat(out, "\n");
}

absl::StatusOr<int> Resync(Tool& tool, const ResyncOptions& options,
                           v1::CreateCommandRequest request, absl::string_view again) {
  absl::Duration timeout = options.timeout;
  if (!options.apply) {
    // A look that nobody waits for is none.
    if (timeout == absl::InfiniteDuration()) timeout = kLookTimeout;
    request.mutable_not_after()->set_seconds(absl::ToUnixSeconds(tool.now() + timeout) + 1);
  }
  HOSTQ_ASSIGN_OR_RETURN(const v1::CreateCommandResponse response,
                         tool.client().CreateCommand(request));
  v1::Command command = response.command();
  if (command.has_parts()) {
    const int parts = command.parts().active();
    tool.Note(absl::StrCat(options.apply ? "putting right " : "looking at ", parts,
                           parts == 1 ? " thing" : " things", " on ", Clean(options.name), ", ",
                           Clean(command.id()), " ..."));
  }
  HOSTQ_ASSIGN_OR_RETURN(const bool in_time, Await(tool, command, timeout));
  std::vector<v1::Command> commands = {command};
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<v1::Command> parts, PartsOf(tool, command, false));
  for (const v1::Command& part : parts) {
    HOSTQ_ASSIGN_OR_RETURN(commands.emplace_back(), tool.client().GetCommand(part.id()));
  }
  const Found found = Read(commands);
  const bool well = found.failed + found.conflicts == 0 && (options.apply || found.lines == 0);
  const int code = !in_time ? kTimedOut : well ? kDone : kCommandFailed;
  if (tool.document()) {
    v1::ListCommandsResponse all;
    for (v1::Command& each : commands) *all.add_commands() = std::move(each);
    tool.PrintDocument(all);
    return code;
  }
  if (!found.table.empty()) {
    tool.Print(found.table.Render(tool.terminal.width, tool.terminal.colour));
    tool.Print("\n");
  }
  tool.Print(Conclusion(found, options.apply, command, again));
  return code;
}

absl::StatusOr<int> ResyncAccount(Tool& tool, const ResyncOptions& options) {
  tool.names = {{"DOMAIN", options.name}};
  v1::CreateCommandRequest request;
  request.mutable_spec()->mutable_resync_account()->set_domain(options.name);
  request.mutable_spec()->mutable_resync_account()->set_apply(options.apply);
  for (const std::string& node : options.nodes) request.add_nodes(node);
  return Resync(tool, options, request, absl::StrCat("hostq account resync ", Clean(options.name)));
}

absl::StatusOr<int> ResyncNode(Tool& tool, const ResyncOptions& options) {
  tool.names = {{"NODE", options.name}};
  v1::CreateCommandRequest request;
  request.mutable_spec()->mutable_resync_node()->set_node(options.name);
  request.mutable_spec()->mutable_resync_node()->set_apply(options.apply);
  return Resync(tool, options, request, absl::StrCat("hostq node resync ", Clean(options.name)));
}

// A look at all its nodes, and then the answer, which is about what else is known as well.
absl::StatusOr<int> CheckAccount(Tool& tool, const ResyncOptions& options) {
  tool.names = {{"DOMAIN", options.name}};
  const absl::Duration timeout =
      options.timeout == absl::InfiniteDuration() ? kLookTimeout : options.timeout;
  v1::CreateCommandRequest request;
  request.mutable_spec()->mutable_resync_account()->set_domain(options.name);
  request.mutable_not_after()->set_seconds(absl::ToUnixSeconds(tool.now() + timeout) + 1);
  const absl::StatusOr<v1::CreateCommandResponse> created = tool.client().CreateCommand(request);
  v1::Command command;
  bool in_time = true;
  // What is being made cannot be looked at yet, and what becomes of it is an answer, too.
  if (ReasonOf(created.status()) != Reason::kAccountBusy) {
    HOSTQ_RETURN_IF_ERROR(created.status());
    command = created->command();
    HOSTQ_ASSIGN_OR_RETURN(in_time, Await(tool, command, timeout));
  }
  HOSTQ_ASSIGN_OR_RETURN(const v1::DescribeAccountResponse response,
                         tool.client().DescribeAccount(options.name));
  if (tool.document()) {
    tool.PrintDocument(response);
  } else {
    tool.Print(absl::StrCat(RenderVerdict(response.verdict(), MakeView(tool)), "\n",
                            RenderPlaces(response, MakeView(tool))));
  }
  if (!in_time) {
    tool.Note(
        absl::StrCat("not every node was looked at in time: hostq explain ", Clean(command.id())));
    return kTimedOut;
  }
  const bool looked = command.state() == v1::Command::SUCCEEDED;
  return looked && response.verdict().state() == v1::AccountVerdict::RIGHT ? kDone : kCommandFailed;
}

void AddOptions(CLI::App& leaf, ResyncOptions& options) {
  leaf.add_flag("--apply", options.apply, "put right what differs; without it nothing is changed");
  AddSpan(leaf, "--timeout", options.timeout,
          "give up waiting after this long (with --apply the work goes on; without it: 2m)");
}

}  // namespace

void AddAccountCheck(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<ResyncOptions>();
  CLI::App& leaf = AddLeaf(group, "check",
                           "look at an account on all its nodes and say whether it is right "
                           "everywhere; nothing is changed",
                           "hostq account check example.com && echo right");
  AddText(leaf, "DOMAIN", options->name, "", "the account")->required();
  AddSpan(leaf, "--timeout", options->timeout, "give up waiting after this long (2m)");
  OnRun(leaf, tool, options, CheckAccount);
}

void AddAccountResync(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<ResyncOptions>();
  CLI::App& leaf = AddLeaf(group, "resync",
                           "compare what the nodes have of an account with what they should have; "
                           "--apply puts it right",
                           "hostq account resync example.com\n"
                           "hostq account resync example.com --node web2 --apply");
  AddText(leaf, "DOMAIN", options->name, "", "the account")->required();
  AddNodes(leaf, options->nodes, "only these nodes; default: all of them");
  AddOptions(leaf, *options);
  OnRun(leaf, tool, options, ResyncAccount);
}

void AddNodeResync(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<ResyncOptions>();
  CLI::App& leaf = AddLeaf(
      group, "resync",
      "compare all accounts, shares and addresses on a node with what it should have; --apply puts "
      "them and its shares right",
      "hostq node resync web2\nhostq node resync web2 --apply --timeout 10m");
  AddText(leaf, "NAME", options->name, "", "the node")->required();
  AddOptions(leaf, *options);
  OnRun(leaf, tool, options, ResyncNode);
}

}  // namespace hostq::cli
