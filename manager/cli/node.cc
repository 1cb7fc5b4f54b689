#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "google/protobuf/util/time_util.h"
#include "manager/cli/groups.h"
#include "manager/cli/node_view.h"
#include "manager/cli/options.h"
#include "manager/cli/resync.h"
#include "manager/cli/view.h"
#include "manager/cli/wait.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct NodeOptions {
  std::string name;
  std::vector<std::string> roles;
  std::string address;
  std::string second_address;
  absl::Duration token_ttl = absl::Minutes(15);
  std::vector<std::string> sources;
  std::string note;
  bool force = false;
  SubmitOptions submit;
};

absl::StatusOr<int> List(Tool& tool, const NodeOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListNodesResponse response, tool.client().ListNodes());
  if (tool.document()) {
    tool.PrintDocument(response);
  } else {
    tool.Print(RenderNodes(response, MakeView(tool)));
  }
  return kDone;
}

absl::StatusOr<int> Show(Tool& tool, const NodeOptions& options) {
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().GetNode(options.name));
  if (tool.document()) {
    tool.PrintDocument(node);
    return kDone;
  }
  const View view = MakeView(tool);
  tool.Print(RenderNode(node, view));
  v1::ListFindingsRequest request;
  request.set_node(options.name);
  request.set_include_all(true);
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListFindingsResponse findings,
                         tool.client().ListFindings(request));
  if (!findings.findings().empty()) {
    const bool tasks = node.tasks_queued() + node.tasks_in_flight() != 0;
    tool.Print(absl::StrCat(tasks ? "\nUnfinished tasks\n\n" : "\nNot as it should be\n\n",
                            RenderStuck(findings, view)));
  }
  return kDone;
}

google::protobuf::Duration TokenTtl(const NodeOptions& options) {
  return google::protobuf::util::TimeUtil::SecondsToDuration(
      absl::ToInt64Seconds(options.token_ttl));
}

int PrintJoinLine(Tool& tool, const std::string& name, const v1::CreateNodeResponse& response) {
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  if (!response.certificate_uri().empty()) {
    tool.Print(absl::StrCat("Get a certificate for clients from your authority, with the URI\n\n  ",
                            Clean(response.certificate_uri()), "\n\nand run this on ", Clean(name),
                            ", as root, with its files:\n\n  ", Clean(response.join_command()),
                            "\n\nThen see whether it came: hostq node show ", Clean(name), "\n"));
    return kDone;
  }
  tool.Print(absl::StrCat("Run this on ", Clean(name), ", as root, before ",
                          TimeText(response.token_expire_time(), tool.zone),
                          ". It holds a secret and is not shown again:\n\n  ",
                          Clean(response.join_command()),
                          "\n\nThen see whether it came: hostq node show ", Clean(name), "\n"));
  return kDone;
}

// Until it has joined, and has what the cluster had before it.
absl::StatusOr<int> AwaitNode(Tool& tool, const std::string& name, const WaitOptions& wait) {
  const absl::Duration start = tool.clock.Monotonic();
  tool.Flush();
  tool.Note(absl::StrCat("waiting for ", Clean(name), " to join ..."));
  for (;;) {
    HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().GetNode(name));
    if (node.has_join_time()) break;
    if (tool.clock.Monotonic() - start >= wait.timeout) {
      tool.Note(absl::StrCat(Clean(name), " has not joined; the line above stays valid"));
      return kTimedOut;
    }
    absl::SleepFor(absl::Milliseconds(500));
  }
  v1::ListCommandsRequest request;
  request.set_resource_key(absl::StrCat("node/", name));
  request.set_page_size(1);
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListCommandsResponse commands,
                         tool.client().ListCommands(request));
  if (commands.commands().empty()) {
    tool.Print(absl::StrCat(Clean(name), " has joined; there was nothing to bring to it.\n"));
    return kDone;
  }
  return WaitForCommand(tool, commands.commands(0).id(),
                        wait.timeout - (tool.clock.Monotonic() - start));
}

absl::StatusOr<int> Add(Tool& tool, const NodeOptions& options) {
  v1::CreateNodeRequest request;
  request.set_name(options.name);
  request.set_address(options.address);
  request.set_second_address(options.second_address);
  for (const std::string& name : options.roles) {
    v1::Node::Role role{};
    const bool known = v1::Node::Role_Parse(absl::AsciiStrToUpper(name), &role);
    HOSTQ_CHECK(known);  // the option admits no other
    request.add_roles(role);
  }
  *request.mutable_token_ttl() = TokenTtl(options);
  request.mutable_sources()->Assign(options.sources.begin(), options.sources.end());
  tool.names = {{"NODE", options.name}, {"NAME", options.name}, {"ADDRESS", options.address}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::CreateNodeResponse response, tool.client().CreateNode(request));
  const int printed = PrintJoinLine(tool, options.name, response);
  return options.submit.wait.wait ? AwaitNode(tool, options.name, options.submit.wait) : printed;
}

absl::StatusOr<int> Rejoin(Tool& tool, const NodeOptions& options) {
  v1::RejoinNodeRequest request;
  request.set_name(options.name);
  *request.mutable_token_ttl() = TokenTtl(options);
  request.mutable_sources()->Assign(options.sources.begin(), options.sources.end());
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::CreateNodeResponse response, tool.client().RejoinNode(request));
  return PrintJoinLine(tool, options.name, response);
}

absl::StatusOr<int> Preflight(Tool& tool, const NodeOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_preflight();
  SubmitOptions submit = options.submit;
  submit.nodes = {options.name};
  HOSTQ_ASSIGN_OR_RETURN(const int exit_code, Submit(tool, submit, spec));
  if (tool.document() || !submit.wait.wait || exit_code == kTimedOut) return exit_code;
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().GetNode(options.name));
  tool.Print(RenderChecks(node, MakeView(tool)));
  return exit_code;
}

struct PingOptions {
  int64_t size = 0;
  SubmitOptions submit;
};

absl::StatusOr<int> Ping(Tool& tool, const PingOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_ping()->set_payload(std::string(static_cast<size_t>(options.size), 'p'));
  return Submit(tool, options.submit, spec);
}

int PrintState(Tool& tool, const v1::Node& node, absl::string_view text) {
  if (tool.document()) {
    tool.PrintDocument(node);
  } else {
    tool.Print(absl::StrCat(Clean(node.name()), " ", text, "\n"));
  }
  return kDone;
}

absl::StatusOr<int> Pause(Tool& tool, const NodeOptions& options) {
  v1::PauseNodeRequest request;
  request.set_name(options.name);
  request.set_note(options.note);
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().PauseNode(request));
  return PrintState(tool, node,
                    absl::StrCat("is paused: it finishes what it has (", node.tasks_in_flight(),
                                 " tasks) and gets nothing new.\n"
                                 "let it go on: hostq node resume ",
                                 Clean(node.name())));
}

bool HasRole(const v1::Node& node, v1::Node::Role role) {
  return std::find(node.roles().begin(), node.roles().end(), role) != node.roles().end();
}

// Whether the balancers have the table of this revision, as far as that concerns the node: what is
// paused itself gets none, and only app nodes are balanced.
absl::StatusOr<bool> IsBalanced(Tool& tool, const v1::Node& node, uint64_t revision) {
  if (!HasRole(node, v1::Node::APP) || HasRole(node, v1::Node::BALANCER)) return true;
  HOSTQ_ASSIGN_OR_RETURN(const v1::Balancing balancing, tool.client().GetBalancing());
  return balancing.balancers().empty() || balancing.confirmed_revision() >= revision;
}

// Drained, or as it is when the time was up: `done` tells. A node that is offline with tasks is
// waited for: only it knows what became of them.
absl::StatusOr<v1::Node> AwaitDrained(Tool& tool, const NodeOptions& options, bool& done) {
  v1::PauseNodeRequest request;
  request.set_name(options.name);
  request.set_note(options.note);
  request.set_drain(true);
  HOSTQ_ASSIGN_OR_RETURN(v1::Node node, tool.client().PauseNode(request));
  HOSTQ_ASSIGN_OR_RETURN(const v1::Balancing balancing, tool.client().GetBalancing());
  const absl::Duration start = tool.clock.Monotonic();
  int shown = -1;
  while (true) {
    HOSTQ_ASSIGN_OR_RETURN(const bool balanced, IsBalanced(tool, node, balancing.revision()));
    done = node.tasks_in_flight() == 0 && balanced;
    if (done || tool.clock.Monotonic() - start >= options.submit.wait.timeout) return node;
    const std::string waits = balanced ? "" : "; the balancer does not know of it yet";
    if (node.tasks_in_flight() != shown) {
      shown = node.tasks_in_flight();
      const std::string works = shown == 0 ? "" : absl::StrCat(" and works on ", shown, " tasks");
      tool.Note(absl::StrCat(Clean(node.name()), " is paused", works, waits, " ..."));
    }
    absl::SleepFor(absl::Milliseconds(500));
    HOSTQ_ASSIGN_OR_RETURN(node, tool.client().GetNode(options.name));
  }
}

int PrintNotDrained(Tool& tool, const v1::Node& node) {
  const std::string what = node.tasks_in_flight() == 0
                               ? "is not off the balancer yet"
                               : absl::StrCat("still works on ", node.tasks_in_flight(), " tasks");
  PrintState(tool, node,
             absl::StrCat(what, "; it stays paused.\nwhy: hostq node show ", Clean(node.name()),
                          ", hostq stuck"));
  return kTimedOut;
}

absl::StatusOr<int> Drain(Tool& tool, const NodeOptions& options) {
  tool.names = {{"NODE", options.name}};
  bool done = false;
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, AwaitDrained(tool, options, done));
  if (!done) return PrintNotDrained(tool, node);
  return PrintState(tool, node,
                    absl::StrCat("is drained: it has no task and gets none, nor new connections "
                                 "from a balancer.\nlet it go on: hostq node resume ",
                                 Clean(node.name())));
}

absl::StatusOr<int> Resume(Tool& tool, const NodeOptions& options) {
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().ResumeNode(options.name));
  return PrintState(
      tool, node,
      absl::StrCat("goes on: ", StateText(node), ", ", node.tasks_queued(), " tasks wait for it"));
}

absl::StatusOr<int> Remove(Tool& tool, const NodeOptions& options) {
  v1::RemoveNodeRequest request;
  request.set_name(options.name);
  request.set_force(options.force);
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().GetNode(options.name));
  const bool here = node.state() == v1::Node::READY || node.state() == v1::Node::PAUSED;
  // With tasks that wait it is refused: then it is not drained first.
  const bool drains = !options.force && here && node.tasks_queued() == 0;
  if (drains) {
    bool done = false;
    HOSTQ_ASSIGN_OR_RETURN(const v1::Node drained, AwaitDrained(tool, options, done));
    if (!done) return PrintNotDrained(tool, drained);
  }
  const absl::StatusOr<v1::Balancing> balancing = tool.client().GetBalancing();
  const absl::StatusOr<v1::RemoveNodeResponse> response = tool.client().RemoveNode(request);
  if (!response.ok()) {
    if (drains) {
      tool.Note(absl::StrCat(Clean(options.name), " stays paused; let it go on: hostq node resume ",
                             Clean(options.name)));
    }
    return response.status();
  }
  if (tool.document()) {
    tool.PrintDocument(*response);
    return kDone;
  }
  // What is not known of these is left out: the node is removed all the same.
  const absl::StatusOr<v1::ListSharesResponse> shares = tool.client().ListShares();
  tool.Print(RenderRemoved(options.name, shares.ok() ? *shares : v1::ListSharesResponse(),
                           balancing.ok() ? *balancing : v1::Balancing()));
  return kDone;
}

absl::StatusOr<int> Ban(Tool& tool, const NodeOptions& options) {
  v1::BanNodeRequest request;
  request.set_name(options.name);
  request.set_note(options.note);
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().BanNode(request));
  return PrintState(
      tool, node,
      absl::StrCat("is banned: it has no session; its tasks wait (",
                   node.tasks_queued() + node.tasks_in_flight(),
                   ").\nwhen the machine was made anew: hostq node rejoin ", Clean(node.name()),
                   "\nif it was in no strange hands: hostq node unban ", Clean(node.name())));
}

absl::StatusOr<int> Unban(Tool& tool, const NodeOptions& options) {
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().UnbanNode(options.name));
  return PrintState(tool, node, "is not banned; its agent comes back within minutes");
}

absl::StatusOr<int> Approve(Tool& tool, const NodeOptions& options) {
  tool.names = {{"NODE", options.name}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::Node node, tool.client().ApproveNode(options.name));
  return PrintState(tool, node,
                    "may renew its certificate within an hour; its agent asks every 5 minutes");
}

CLI::App& AddOne(CLI::App& group, Tool& tool, const std::shared_ptr<NodeOptions>& options,
                 absl::StatusOr<int> (*run)(Tool&, const NodeOptions&), const std::string& name,
                 const std::string& description, const std::string& example) {
  CLI::App& leaf = AddLeaf(group, name, description, example);
  AddText(leaf, "NAME", options->name, "", "the node")->required();
  OnRun(leaf, tool, options, run);
  return leaf;
}

void AddTokenTtl(CLI::App& leaf, NodeOptions& options) {
  AddSpan(leaf, "--token-ttl", options.token_ttl,
          "how long the line is valid: 15m (the default), at most 24h");
  leaf.add_option("--source", options.sources,
                  "only from there may the line be used, 10.0.0.11 or 10.0.0.0/24: repeated, or "
                  "several with commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("RANGE");
}

void AddTrust(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<NodeOptions>();
  CLI::App& ban = AddOne(group, tool, options, Ban, "ban",
                         "end a node's session and let it have none, nor a certificate; its tasks "
                         "wait",
                         "hostq node ban web2 --note 'its disk was stolen'");
  AddText(ban, "--note", options->note, "WHY", "shown wherever something waits for it")->required();

  options = std::make_shared<NodeOptions>();
  AddOne(group, tool, options, Unban, "unban", "let a banned node back", "hostq node unban web2");

  options = std::make_shared<NodeOptions>();
  AddOne(group, tool, options, Approve, "approve",
         "let a node that was away for long renew its certificate, within an hour",
         "hostq node approve web2");
}

void AddMembership(CLI::App& group, Tool& tool) {
  auto options = std::make_shared<NodeOptions>();
  CLI::App& add = AddOne(group, tool, options, Add, "add",
                         "add a node and print the line with which it joins; again for a new line",
                         "hostq node add web1 --role app --address 10.0.0.11\n"
                         "hostq node add storage1 --role storage --address 10.0.0.10 "
                         "--token-ttl 1h");
  add.add_option("--role", options->roles, "what the node does: repeated, or several with commas")
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check([](const std::string& role) {
        const bool known =
            role == "app" || role == "storage" || role == "balancer" || role == "database";
        return known ? ""
                     : absl::StrCat("\"", Clean(role),
                                    "\" is not a role: use app, storage, balancer or "
                                    "database");
      })
      ->type_name("app|storage|balancer|database");
  AddText(add, "--address", options->address, "ADDRESS", "its address inside the cluster")
      ->required();
  AddText(add, "--second-address", options->second_address, "ADDRESS",
          "its address of the other family, if the balancer is to send it what comes for that one");
  AddTokenTtl(add, *options);
  AddWaitOptions(add, options->submit.wait);

  options = std::make_shared<NodeOptions>();
  CLI::App& rejoin = AddOne(
      group, tool, options, Rejoin, "rejoin",
      "print the line with which a node joins again: its tasks stay, its old certificate is void",
      "hostq node rejoin web1");
  AddTokenTtl(rejoin, *options);

  options = std::make_shared<NodeOptions>();
  CLI::App& remove = AddOne(group, tool, options, Remove, "remove",
                            "drain a node and remove it from the cluster; its certificate is void "
                            "from then on",
                            "hostq node remove web2\nhostq node remove web2 --force");
  options->note = "is being removed";
  AddSpan(remove, "--timeout", options->submit.wait.timeout,
          "give up draining after this long; the node stays paused");
  remove.add_flag(
      "--force", options->force,
      "cancel its unfinished tasks, and with them their commands, also if it is offline");
}

}  // namespace

void AddNodeCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "node", "the machines of the cluster");
  auto options = std::make_shared<NodeOptions>();
  OnRun(AddLeaf(group, "list", "all nodes", "hostq node list"), tool, options, List);
  AddOne(group, tool, options, Show, "show",
         "a node with its preflight checks and its unfinished tasks", "hostq node show web1");
  AddMembership(group, tool);

  options = std::make_shared<NodeOptions>();
  CLI::App& preflight = AddOne(group, tool, options, Preflight, "preflight",
                               "check that a node can do its work; changes nothing",
                               "hostq node preflight web1 --wait");
  AddWaitOptions(preflight, options->submit.wait);
  AddText(preflight, "--request-id", options->submit.request_id, "ID",
          "submitted again with the same id, the command is not made twice");

  const auto ping = std::make_shared<PingOptions>();
  ping->submit.wait.wait = true;
  ping->submit.wait.timeout = absl::Seconds(10);
  CLI::App& leaf = AddLeaf(group, "ping", "see whether commands get to nodes and back",
                           "hostq node ping\nhostq node ping web1 web2 --size 64KiB");
  leaf.add_option("NAMES", ping->submit.nodes, "the nodes; without a name all that have joined");
  AddSize(leaf, "--size", ping->size, "bytes that go along, at most 128KiB");
  AddSpan(leaf, "--timeout", ping->submit.wait.timeout, "how long to wait: 10s (the default)");
  OnRun(leaf, tool, ping, Ping);

  AddNodeResync(group, tool);

  options = std::make_shared<NodeOptions>();
  CLI::App& pause = AddOne(group, tool, options, Pause, "pause", "send no new tasks to a node",
                           "hostq node pause web2 --note 'new disk until noon'");
  AddText(pause, "--note", options->note, "WHY", "shown wherever something waits for it")
      ->required();

  options = std::make_shared<NodeOptions>();
  options->note = "drained";
  CLI::App& drain = AddOne(group, tool, options, Drain, "drain",
                           "pause a node, let the balancer send it no new connections, and wait "
                           "until it has finished its tasks",
                           "hostq node drain web2 --note 'new kernel' --timeout 10m");
  AddText(drain, "--note", options->note, "WHY", "shown wherever something waits for it");
  AddSpan(drain, "--timeout", options->submit.wait.timeout,
          "give up waiting after this long; the node stays paused");

  options = std::make_shared<NodeOptions>();
  AddOne(group, tool, options, Resume, "resume", "send tasks to a paused node again",
         "hostq node resume web2");
  AddTrust(group, tool);
}

}  // namespace hostq::cli
