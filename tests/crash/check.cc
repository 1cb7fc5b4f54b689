#include "tests/crash/check.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "hostq/v1/audit_service.grpc.pb.h"
#include "hostq/v1/event_service.grpc.pb.h"

namespace hostq::crash {
namespace {

// How often each address came to a node's lo, and went.
struct Changes {
  int added = 0;
  int removed = 0;
};
using AddressChanges = std::map<std::string, Changes>;

// The address of a line of `ip -o address` or its monitor; empty if it is not about lo.
std::string AddressOf(absl::string_view line) {
  const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  const size_t at = absl::StartsWith(line, "Deleted") ? 1 : 0;
  if (words.size() < at + 4 || words[at + 1] != "lo") return "";
  return words[at + 3].substr(0, words[at + 3].find('/'));
}

AddressChanges ReadMonitor(const std::string& file) {
  AddressChanges changes;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const std::string address = AddressOf(line);
    if (address.empty()) continue;
    ++(absl::StartsWith(line, "Deleted") ? changes[address].removed : changes[address].added);
  }
  return changes;
}

std::set<std::string> ReadLoopback(const std::string& netns) {
  std::set<std::string> addresses;
  FILE* pipe = popen(absl::StrCat("nsenter --net=", netns, " ip -o addr show dev lo").c_str(), "r");
  HOSTQ_CHECK(pipe != nullptr);
  for (char line[1024]; std::fgets(line, sizeof(line), pipe) != nullptr;) {
    addresses.insert(AddressOf(line));
  }
  pclose(pipe);
  return addresses;
}

class Checker {
 public:
  Checker(const std::string& socket, const std::vector<Node>& nodes)
      : channel_(AdminChannel(socket)), stub_(v1::CommandService::NewStub(channel_)) {
    for (const Node& node : nodes) {
      names_.push_back(node.name);
      changes_[node.name] = ReadMonitor(node.monitor);
      present_[node.name] = ReadLoopback(node.netns);
    }
    ReadCommands();
    ReadEvents();
    ReadAudit();
  }

  Findings Run(const std::vector<Submission>& submissions) {
    std::set<std::string> wanted;
    for (const Submission& submission : submissions) {
      wanted.insert(submission.request.request_id());
      found_.lost_answers += submission.lost_answer;
      CheckCommand(submission);
    }
    for (const auto& [request_id, ids] : by_request_) {
      if (!wanted.contains(request_id)) {
        found_.duplicates.push_back(absl::StrCat("nobody was told of ", request_id));
      }
    }
    CheckEffects(submissions);
    for (const Submission& submission : submissions) Repeat(submission);
    return std::move(found_);
  }

 private:
  void ReadCommands() {
    v1::ListCommandsRequest request;
    v1::ListCommandsResponse response;
    do {
      Call call(30);
      response.Clear();
      const grpc::Status status = stub_->ListCommands(&call, request, &response);
      HOSTQ_CHECK(status.ok());
      for (const v1::Command& command : response.commands()) {
        // Without a request id: the manager's own looks at its nodes.
        if (!command.request_id().empty()) {
          by_request_[command.request_id()].push_back(command.id());
        }
      }
      request.set_page_token(response.next_page_token());
    } while (!response.next_page_token().empty());
  }

  void ReadEvents() {
    Call call(60);
    v1::WatchEventsRequest request;
    request.set_no_follow(true);
    const auto stream = v1::EventService::NewStub(channel_)->WatchEvents(&call, request);
    int64_t last = 0;
    for (v1::Event event; stream->Read(&event);) {
      if (event.sequence() != last + 1) {
        found_.lost.push_back(absl::StrCat("events between ", last, " and ", event.sequence()));
      }
      last = event.sequence();
      if (event.type() == v1::Event::COMMAND_CREATED) ++created_[event.command_id()];
      if (event.type() == v1::Event::COMMAND_FINISHED) ++finished_[event.command_id()];
      if (event.to_phase() == v1::Task::FINISHED) {
        ++ended_[absl::StrCat(event.command_id(), "/", event.node())];
      }
    }
    HOSTQ_CHECK(stream->Finish().ok());
  }

  // What was submitted, by what its entry says of it: {"id":"01jd...", ...}.
  void ReadAudit() {
    const auto stub = v1::AuditService::NewStub(channel_);
    v1::ListAuditEntriesRequest request;
    v1::ListAuditEntriesResponse response;
    int64_t last = 0;
    do {
      Call call(30);
      response.Clear();
      HOSTQ_CHECK(stub->ListAuditEntries(&call, request, &response).ok());
      for (const v1::AuditEntry& entry : response.entries()) {
        if (entry.sequence() != last + 1) {
          found_.lost.push_back(absl::StrCat("entries of the audit after ", last));
        }
        last = entry.sequence();
        const std::vector<std::string> words = absl::StrSplit(entry.after(), '"');
        const bool submission = entry.act() == "hostq.v1.CommandService.CreateCommand";
        if (submission && words.size() > 3 && words[1] == "id") ++audited_[words[3]];
      }
      request.set_page_token(response.next_page_token());
    } while (!response.next_page_token().empty());
  }

  void Exactly(int want, int have, const std::string& what) {
    if (have < want) found_.lost.push_back(absl::StrCat(what, ": ", have, ", not ", want));
    if (have > want) found_.duplicates.push_back(absl::StrCat(what, ": ", have, ", not ", want));
  }

  void CheckCommand(const Submission& submission) {
    ++found_.commands;
    const std::string& id = submission.id;
    const std::vector<std::string>& ids = by_request_[submission.request.request_id()];
    Exactly(1, static_cast<int>(ids.size()),
            absl::StrCat("commands of ", submission.request.request_id()));
    Exactly(1, created_[id], absl::StrCat("creations of ", id));
    Exactly(1, finished_[id], absl::StrCat("ends of ", id));
    Exactly(1, audited_[id], absl::StrCat("entries of the audit about ", id));
    v1::GetCommandRequest request;
    request.set_id(id);
    v1::Command command;
    Call call;
    const grpc::Status status = stub_->GetCommand(&call, request, &command);
    if (!status.ok() || command.request_id() != submission.request.request_id() ||
        command.state() != v1::Command::SUCCEEDED) {
      found_.lost.push_back(absl::StrCat(
          id, " (", submission.request.request_id(),
          "): ", status.ok() ? v1::Command::State_Name(command.state()) : status.error_message()));
      return;
    }
    const int nodes = submission.request.nodes().empty() ? static_cast<int>(names_.size()) : 1;
    Exactly(nodes, command.tasks_size(), absl::StrCat("tasks of ", id));
    for (const v1::Task& task : command.tasks()) {
      ++found_.tasks;
      found_.attempts += task.attempts_size();
      found_.repeated += task.attempts_size() - 1;
      Exactly(1, ended_[task.id()], absl::StrCat("ends of ", task.id()));
      const auto succeeded =
          std::count_if(task.attempts().begin(), task.attempts().end(),
                        [](const v1::Attempt& attempt) { return attempt.reason() == 0; });
      Exactly(1, static_cast<int>(succeeded), absl::StrCat("results of ", task.id()));
    }
  }

  // Long after it has finished, the request is still the command it was.
  void Repeat(const Submission& submission) {
    v1::CreateCommandResponse response;
    Call call;
    const grpc::Status status = stub_->CreateCommand(&call, submission.request, &response);
    if (!status.ok() || !response.repeated() || response.command().id() != submission.id) {
      found_.duplicates.push_back(
          absl::StrCat(submission.request.request_id(), " repeated is not ", submission.id, " but ",
                       status.ok() ? response.command().id() : status.error_message()));
    }
  }

  // On every node, every bind brought its address once, and every unbind took it once.
  void CheckEffects(const std::vector<Submission>& submissions) {
    std::map<std::string, AddressChanges> wanted;
    for (const Submission& submission : submissions) {
      const v1::CommandSpec& spec = submission.request.spec();
      std::vector<std::string> nodes(submission.request.nodes().begin(),
                                     submission.request.nodes().end());
      for (const std::string& node : nodes.empty() ? names_ : nodes) {
        if (spec.has_bind_address()) ++wanted[node][spec.bind_address().address()].added;
        if (spec.has_unbind_address()) ++wanted[node][spec.unbind_address().address()].removed;
      }
    }
    for (const std::string& node : names_) {
      for (const auto& [address, want] : wanted[node]) {
        Changes have = changes_[node][address];
        // The kernel announces an IPv6 address a little later, and not at all if it has gone by
        // then; that it went is always told.
        have.added = std::max(have.added, have.removed);
        found_.effects += have.added + have.removed;
        Exactly(want.added, have.added, absl::StrCat(address, " added to ", node));
        Exactly(want.removed, have.removed, absl::StrCat(address, " removed from ", node));
        Exactly(want.added - want.removed, present_[node].contains(address),
                absl::StrCat(address, " on ", node));
      }
      for (const auto& [address, have] : changes_[node]) {
        // A preflight tries whether addresses can be put on lo with one that belongs to nobody.
        if (!wanted[node].contains(address) && address != "192.0.2.1") {
          found_.duplicates.push_back(absl::StrCat(address, " on ", node, " was not asked for"));
        }
      }
    }
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::CommandService::Stub> stub_;
  std::vector<std::string> names_;
  std::map<std::string, AddressChanges> changes_;               // by node
  std::map<std::string, std::set<std::string>> present_;        // by node
  std::map<std::string, std::vector<std::string>> by_request_;  // ids
  std::map<std::string, int> created_, finished_, ended_;       // events: by command, or task
  std::map<std::string, int> audited_;                          // submissions
  Findings found_;
};

}  // namespace

Findings Check(const std::string& socket, const std::vector<Submission>& submissions,
               const std::vector<Node>& nodes) {
  return Checker(socket, nodes).Run(submissions);
}

}  // namespace hostq::crash
