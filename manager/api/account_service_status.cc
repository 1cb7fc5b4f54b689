// AccountService.DescribeAccount: gathers what is known of an account, and has it judged
// (manager/cluster/account_status.h).
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "manager/access/scope.h"
#include "manager/api/account_service.h"
#include "manager/api/convert.h"
#include "manager/api/key_scope.h"
#include "manager/cluster/account_status.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr int kShown = 20;  // commands in the answer
// So far back is looked for what each node was last looked at by: an account whose newest so many
// commands never succeeded on some node is in trouble anyway, and says so.
constexpr int kPage = 100;
constexpr int kMostPages = 5;
// Of a node, since it was looked at.
constexpr int kMostRepairs = 1'000;

// What is stored of an account's commands, the newest first.
struct Stored {
  std::vector<Command> shown;
  // Down to where every node's part was last looked at.
  std::vector<PastCommand> past;
};

// Takes out the nodes that the command looked at.
void TakeLookedAt(const Command& command, std::set<std::string>& wanted) {
  if (!LooksAtAll(command)) return;
  for (const Task& task : command.tasks) {
    if (task.outcome == Outcome::kSucceeded) wanted.erase(task.node);
  }
  if (command.kind == "create_account") wanted.clear();  // there was nothing before it
}

absl::StatusOr<Stored> ReadStored(Store& store, const std::string& key,
                                  std::set<std::string> wanted) {
  Stored stored;
  CommandQuery query;
  query.resource_key = key;
  query.limit = kPage;
  for (int page = 0; page < kMostPages; ++page) {
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<Command> commands, store.ListCommands(query));
    for (const Command& command : commands) {
      if (page == 0 && stored.shown.size() < kShown) stored.shown.push_back(command);
      if (wanted.empty()) continue;
      PastCommand& past = stored.past.emplace_back();
      past.command = command;
      HOSTQ_ASSIGN_OR_RETURN(past.attempts, store.ListAttempts(command.id));
      TakeLookedAt(command, wanted);
    }
    if (wanted.empty() || commands.size() < kPage) break;
    query.before = commands.back().id;
  }
  return stored;
}

}  // namespace

// What is in memory of an account, for a caller.
struct AccountService::Described {
  Caller caller;
  storage::v1::Account row;
  std::vector<AccountPlace> places;
  std::map<std::string, v1::Node> nodes;   // those of `places`
  std::vector<std::string> storage_nodes;  // whether or not the caller may see them
  std::vector<Command> live;               // the account's, the oldest first
  std::vector<Finding> findings;           // of their tasks
  absl::Time time;

  bool unfinished() const {
    return std::any_of(live.begin(), live.end(),
                       [](const Command& command) { return !OnlyLooks(command); });
  }
  // One that has not finished is further on than what is stored of it.
  void Refresh(Command& stored) const {
    const auto found = std::find_if(
        live.begin(), live.end(), [&](const Command& command) { return command.id == stored.id; });
    if (found != live.end() && stored.state == CommandState::kActive) stored = *found;
  }
  Subject SubjectOfCommand(const Command& command) const {
    Subject subject;
    subject.kind = command.kind;
    for (const Task& task : command.tasks) subject.nodes.push_back(task.node);
    subject.account = row.account().domain();
    subject.account_key = row.key_id();
    subject.actor = command.actor;
    subject.create_time = command.create_time;
    return subject;
  }
};

absl::Status AccountService::TakeDescribed(const hostq::manager::Queue& queue, const Now& now,
                                           const std::string& domain, Described& described) const {
  const Rights& rights = *described.caller.rights;
  const storage::v1::Account* row = backend_.cluster.FindAccount(domain);
  if (row == nullptr || !AllowsAccount(rights, Verb::kRead, domain, row->key_id())) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownAccount,
                     absl::StrCat("domain: there is no account ", domain));
  }
  described.row = *row;
  described.time = now.wall;
  for (AccountPlace& place : PlacesOf(backend_.cluster, queue, *row, now)) {
    if (place.storage) described.storage_nodes.push_back(place.node);
    if (!AllowsAccountOn(rights, Verb::kRead, domain, row->key_id(), place.node)) continue;
    const storage::v1::Node& node = *backend_.cluster.FindNode(place.node);
    described.nodes[place.node] = ToProto(node, queue.FindNode(place.node), 0);
    described.places.push_back(std::move(place));
  }
  const std::string key = absl::StrCat("account/", domain);
  for (const auto& [id, command] : queue.commands()) {
    if (command.resource_key != key) continue;
    described.live.push_back(command);
    const Subject subject = described.SubjectOfCommand(command);
    for (const Task& task : command.tasks) {
      auto finding = Explain(queue, command, task, now);
      if (!finding || !AllowsNode(rights, Verb::kRead, subject, task.node)) continue;
      if (!rights.unlimited) {
        const auto root =
            ParseId(absl::string_view(finding->root_task).substr(0, finding->root_task.find('/')));
        ShowPart(described.caller, root ? queue.Find(*root) : nullptr, backend_.cluster, *finding);
      }
      described.findings.push_back(*std::move(finding));
    }
  }
  return absl::OkStatus();
}

absl::Status AccountService::Describe(Described& described,
                                      v1::DescribeAccountResponse& response) const {
  const storage::v1::Account& row = described.row;
  std::set<std::string> wanted;
  for (const AccountPlace& place : described.places) {
    if (place.app || place.storage) wanted.insert(place.node);
  }
  HOSTQ_ASSIGN_OR_RETURN(
      Stored stored,
      ReadStored(backend_.store, absl::StrCat("account/", row.account().domain()), wanted));
  for (Command& command : stored.shown) described.Refresh(command);
  for (PastCommand& past : stored.past) described.Refresh(past.command);
  for (const AccountPlace& place : described.places) {
    AccountHistory history = HistoryOn(place, row, stored.past, {}, described.storage_nodes);
    if (!history.differences.empty()) {
      std::set<std::string> tellers(described.storage_nodes.begin(), described.storage_nodes.end());
      tellers.insert(place.node);
      std::vector<Event> repairs;
      for (const std::string& node : tellers) {
        HOSTQ_ASSIGN_OR_RETURN(std::vector<Event> more,
                               backend_.store.ListRepairs(node, history.look->time, kMostRepairs));
        repairs.insert(repairs.end(), more.begin(), more.end());
      }
      history = HistoryOn(place, row, stored.past, repairs, described.storage_nodes);
    }
    v1::AccountOnNode& out = *response.add_nodes();
    const v1::Node& node = described.nodes.at(place.node);
    out.set_node(place.node);
    *out.mutable_roles() = node.roles();
    *out.mutable_verdict() = JudgeNode(place, row, history, described.time);
    *out.mutable_wanted() = WantedOn(place, row);
    out.set_node_state(node.state());
    if (node.has_state_time()) *out.mutable_node_state_time() = node.state_time();
    if (history.last) {
      Command command;
      command.id = history.last->command;
      command.tasks = {history.last->task};
      *out.mutable_last_task() = ToProto(command).tasks(0);
      out.set_last_task_kind(history.last->kind);
    }
    if (history.look) {
      *out.mutable_look_time() = ToProto(history.look->time);
      out.set_look_command_id(FormatId(history.look->command));
    }
    for (const v1::Step& step : history.differences) *out.add_differences() = step;
    for (const Finding& finding : StandingDeviations(place, row, history)) {
      *out.add_findings() = ToProto(finding);
    }
    for (const Finding& finding : place.absences) *out.add_findings() = ToProto(finding);
  }
  const std::vector<v1::AccountOnNode> nodes(response.nodes().begin(), response.nodes().end());
  *response.mutable_account() = row.account();
  *response.mutable_verdict() = JudgeAccount(row, nodes, described.unfinished(), described.time);
  for (const Finding& finding : described.findings) *response.add_findings() = ToProto(finding);
  for (const Command& command : stored.shown) {
    const Subject subject = described.SubjectOfCommand(command);
    if (!AllowsSome(*described.caller.rights, Verb::kRead, subject)) continue;
    v1::Command& shown = *response.add_commands();
    shown = ToProto(command);
    ShowPart(described.caller, subject, shown);
  }
  *response.mutable_time() = ToProto(described.time);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AccountService::DescribeAccount(grpc::CallbackServerContext* context,
                                                          const v1::DescribeAccountRequest* request,
                                                          v1::DescribeAccountResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AccountService.DescribeAccount", done);
  if (!caller) return reactor;
  const absl::StatusOr<std::string> domain = NormalDomain("domain", request->domain());
  if (!domain.ok()) return done(domain.status()), reactor;
  const auto described = std::make_shared<Described>();
  described->caller = *caller;
  // First what is in memory, then what is stored: what has ended meanwhile is there.
  backend_.engine.Read([this, described, domain = *domain, response, done](
                           const hostq::manager::Queue& queue, const Now& now) {
    const absl::Status status = TakeDescribed(queue, now, domain, *described);
    if (!status.ok()) return done(status);
    OnWorker(backend_, done,
             [this, described, response, done] { done(Describe(*described, *response)); });
  });
  return reactor;
}

}  // namespace hostq::manager
