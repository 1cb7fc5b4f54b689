#include "manager/cli/resync.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "manager/cli/options.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(300);
constexpr absl::Duration kNoteEvery = absl::Seconds(5);

struct ResyncOptions {
  std::string name;  // a domain, or a node
  std::vector<std::string> nodes;
  bool apply = false;
  absl::Duration timeout = absl::InfiniteDuration();
};

v1::CreateCommandRequest ResyncOf(const std::string& domain, const std::vector<std::string>& nodes,
                                  bool apply) {
  v1::CreateCommandRequest request;
  request.mutable_spec()->mutable_resync_account()->set_domain(domain);
  request.mutable_spec()->mutable_resync_account()->set_apply(apply);
  for (const std::string& node : nodes) request.add_nodes(node);
  return request;
}

// One after the other, as fast as the manager takes them.
absl::StatusOr<std::vector<v1::Command>> SubmitAll(
    Tool& tool, const std::vector<v1::CreateCommandRequest>& requests) {
  std::vector<v1::Command> commands;
  commands.reserve(requests.size());
  for (const v1::CreateCommandRequest& request : requests) {
    auto response = tool.client().CreateCommand(request);
    while (!response.ok() && RetryDelayOf(response.status()) > absl::ZeroDuration()) {
      absl::SleepFor(RetryDelayOf(response.status()));
      response = tool.client().CreateCommand(request);
    }
    HOSTQ_RETURN_IF_ERROR(response.status());
    commands.push_back(response->command());
  }
  return commands;
}

// Or waits for somebody: a parked task, and with it the stages after it.
bool HasEnded(const v1::Command& command) {
  int parked = std::numeric_limits<int>::max();
  for (const v1::Task& task : command.tasks()) {
    if (task.phase() == v1::Task::PARKED) parked = std::min(parked, task.stage());
  }
  return std::all_of(command.tasks().begin(), command.tasks().end(), [&](const v1::Task& task) {
    return IsFinished(task) || task.phase() == v1::Task::PARKED || task.stage() > parked;
  });
}

// False: the time was up first.
absl::StatusOr<bool> AwaitAll(Tool& tool, std::vector<v1::Command>& commands,
                              absl::Duration timeout) {
  const absl::Duration start = tool.clock.Monotonic();
  absl::Duration told = start;
  for (;;) {
    for (v1::Command& command : commands) {
      if (HasEnded(command)) continue;
      HOSTQ_ASSIGN_OR_RETURN(command, tool.client().GetCommand(command.id()));
    }
    const auto ended = std::count_if(commands.begin(), commands.end(), HasEnded);
    if (ended == static_cast<int64_t>(commands.size())) return true;
    const absl::Duration now = tool.clock.Monotonic();
    if (now - start >= timeout) return false;
    if (now - told >= kNoteEvery) {
      tool.Note(absl::StrCat(ended, " of ", commands.size(), " are done ..."));
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
  int lines = 0;
  // Tasks of which nothing is known, because they have not ended or have failed.
  int unknown = 0;
};

Found Read(const std::vector<v1::Command>& commands) {
  Found found;
  const auto add = [&found](const v1::Command& command, const v1::Task& task,
                            const std::string& step, const std::string& what) {
    found.table.AddRow({Clean(command.resource_key()), Clean(task.node()), Clean(step), what});
  };
  for (const v1::Command& command : commands) {
    for (const v1::Task& task : command.tasks()) {
      if (task.outcome() != v1::Task::SUCCEEDED) {
        ++found.unknown;
        add(command, task, "",
            absl::StrCat(StateText(task), ": hostq explain ", Clean(command.id())));
        continue;
      }
      if (task.attempts().empty()) continue;
      for (const v1::Step& step : task.attempts(task.attempts_size() - 1).steps()) {
        if (!step.warning() && !step.changed()) continue;
        ++found.lines;
        const bool differs = step.reason() == v1::Reason::DIFFERS || step.changed();
        add(command, task, step.name(),
            absl::StrCat(differs ? "" : ReasonText(step.reason()) + ": ", Clean(step.message())));
      }
    }
  }
  return found;
}

using Requests = std::vector<v1::CreateCommandRequest>;

// `before` has to have ended before `requests` can succeed.
absl::StatusOr<int> Resync(Tool& tool, const ResyncOptions& options, const Requests& before,
                           const Requests& requests, absl::string_view again) {
  HOSTQ_ASSIGN_OR_RETURN(std::vector<v1::Command> commands, SubmitAll(tool, before));
  HOSTQ_ASSIGN_OR_RETURN(bool in_time, AwaitAll(tool, commands, options.timeout));
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<v1::Command> others, SubmitAll(tool, requests));
  commands.insert(commands.end(), others.begin(), others.end());
  HOSTQ_ASSIGN_OR_RETURN(in_time, AwaitAll(tool, commands, options.timeout));
  const Found found = Read(commands);
  const int code = !in_time                            ? kTimedOut
                   : found.unknown > 0                 ? kCommandFailed
                   : options.apply || found.lines == 0 ? kDone
                                                       : kCommandFailed;
  if (tool.json) {
    v1::ListCommandsResponse all;
    for (v1::Command& command : commands) *all.add_commands() = std::move(command);
    tool.PrintJson(all);
    return code;
  }
  if (found.lines + found.unknown > 0) {
    tool.Print(found.table.Render(tool.terminal.width, tool.terminal.colour));
    tool.Print("\n");
  }
  if (found.unknown > 0) {
    tool.Print(absl::StrCat(found.unknown, " could not be ",
                            options.apply ? "put right" : "looked at",
                            ": hostq explain says why.\n"));
  }
  if (options.apply) {
    tool.Print(absl::StrCat(found.lines, " changed",
                            found.unknown == 0 ? "; all is as it should be" : "", ".\n"));
  } else if (found.lines > 0) {
    tool.Print(absl::StrCat(found.lines, found.lines == 1 ? " difference" : " differences",
                            "; nothing was changed. Put it right: ", again, " --apply\n"));
  } else if (found.unknown == 0) {
    tool.Print("All is as it should be.\n");
  }
  return code;
}

absl::StatusOr<int> ResyncAccount(Tool& tool, const ResyncOptions& options) {
  tool.names = {{"DOMAIN", options.name}};
  return Resync(tool, options, {}, {ResyncOf(options.name, options.nodes, options.apply)},
                absl::StrCat("hostq account resync ", Clean(options.name)));
}

absl::StatusOr<std::vector<std::string>> ExistingAccounts(Tool& tool) {
  std::vector<std::string> domains;
  v1::ListAccountsRequest request;
  request.set_page_size(1000);
  do {
    HOSTQ_ASSIGN_OR_RETURN(const v1::ListAccountsResponse page,
                           tool.client().ListAccounts(request));
    for (const v1::Account& account : page.accounts()) {
      const bool exists =
          account.state() == v1::Account::ACTIVE || account.state() == v1::Account::SUSPENDED;
      if (exists) domains.push_back(account.domain());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return domains;
}

absl::StatusOr<int> ResyncNode(Tool& tool, const ResyncOptions& options) {
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().GetNode(options.name));
  const auto has = [&node](v1::Node::Role role) {
    return std::find(node.roles().begin(), node.roles().end(), role) != node.roles().end();
  };
  Requests mounts, requests;
  if (options.apply && has(v1::Node::APP) && !has(v1::Node::STORAGE)) {
    HOSTQ_ASSIGN_OR_RETURN(const v1::ListSharesResponse shares, tool.client().ListShares());
    for (const v1::Share& share : shares.shares()) {
      v1::CreateCommandRequest& request = mounts.emplace_back();
      v1::MountShare& mount = *request.mutable_spec()->mutable_mount_share();
      mount.set_share(share.name());
      mount.set_source(share.source());
      mount.set_mount_point(share.mount_point());
      mount.set_nfs_version(share.nfs_version());
      mount.set_exported(share.exported());
      request.add_nodes(options.name);
    }
  }
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> domains, ExistingAccounts(tool));
  for (const std::string& domain : domains) {
    requests.push_back(ResyncOf(domain, {options.name}, options.apply));
  }
  tool.Note(absl::StrCat(options.apply ? "putting right " : "looking at ", domains.size(),
                         domains.size() == 1 ? " account on " : " accounts on ",
                         Clean(options.name), " ..."));
  return Resync(tool, options, mounts, requests,
                absl::StrCat("hostq node resync ", Clean(options.name)));
}

void AddOptions(CLI::App& leaf, ResyncOptions& options) {
  leaf.add_flag("--apply", options.apply, "put right what differs; without it nothing is changed");
  AddSpan(leaf, "--timeout", options.timeout, "give up waiting after this long (the work goes on)");
}

}  // namespace

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
  CLI::App& leaf = AddLeaf(group, "resync",
                           "compare all accounts on a node with what it should have; --apply puts "
                           "them and its shares right",
                           "hostq node resync web2\nhostq node resync web2 --apply --timeout 10m");
  AddText(leaf, "NAME", options->name, "", "the node")->required();
  AddOptions(leaf, *options);
  OnRun(leaf, tool, options, ResyncNode);
}

}  // namespace hostq::cli
