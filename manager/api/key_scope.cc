#include "manager/api/key_scope.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/base/text.h"
#include "google/protobuf/descriptor.h"
#include "manager/api/admission.h"
#include "manager/api/convert.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr absl::string_view kAccountKey = "account/";

// The kind of a request, as in Command::kind; empty: none.
std::string KindOf(const v1::CommandSpec& spec) {
  const auto* field =
      v1::CommandSpec::descriptor()->FindFieldByNumber(static_cast<int>(spec.kind_case()));
  return field == nullptr ? "" : field->name();
}

// Kinds about an account have its domain as "domain".
absl::StatusOr<std::string> DomainOf(const v1::CommandSpec& spec) {
  const auto* kind =
      v1::CommandSpec::descriptor()->FindFieldByNumber(static_cast<int>(spec.kind_case()));
  if (kind == nullptr) return "";
  const auto* domain = kind->message_type()->FindFieldByName("domain");
  if (domain == nullptr) return "";
  const auto& request = spec.GetReflection()->GetMessage(spec, kind);
  return NormalDomain("domain", request.GetReflection()->GetString(request, domain));
}

// All but the nodes, which are not known yet.
bool AllowsSomewhere(const Rights& rights, Verb verb, Subject subject) {
  subject.nodes.clear();
  if (Allows(rights, verb, subject)) return true;
  return std::any_of(rights.scopes.begin(), rights.scopes.end(), [&](const Scope& scope) {
    return std::any_of(scope.nodes.begin(), scope.nodes.end(), [&](const std::string& pattern) {
      return AllowsNode(rights, verb, subject, pattern);
    });
  });
}

void AddNodes(const PlannedCommand& plan, std::vector<std::string>& nodes) {
  for (const PlannedTask& task : plan.tasks) nodes.push_back(task.node);
  for (const PlannedCommand& part : plan.parts) AddNodes(part, nodes);
}

// What another's account is called, and that there is one, is not for everybody.
absl::Status WithoutOthers(const absl::Status& status) {
  absl::string_view message;
  switch (ReasonOf(status)) {
    case Reason::kUserInUse:
      message = "user: another account has the user name";
      break;
    case Reason::kUidInUse:
      message = "uid: another account has it";
      break;
    case Reason::kAccountExists:
      message = "domain: there is an account of this name";
      break;
    case Reason::kAddressInUse:
      message = "address: it is in use";
      break;
    default:
      return status;
  }
  return MakeError(status.code(), ReasonOf(status), message);
}

absl::Status CheckBeforePlan(const Caller& caller, Verb verb, const Subject& subject,
                             bool creates) {
  const Rights& rights = *caller.rights;
  if (AllowsSomewhere(rights, verb, subject)) return absl::OkStatus();
  Subject own = subject;
  own.account_key = rights.key_id;
  if (rights.own_accounts && !creates && !subject.account.empty() &&
      AllowsSomewhere(rights, verb, own)) {
    // Another's account is none.
    return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownAccount,
                     absl::StrCat("domain: there is no account ", subject.account));
  }
  return OutOfScope(caller, subject.account.empty()
                                ? absl::StrCat("submit ", subject.kind)
                                : absl::StrCat("submit ", subject.kind, " for ", subject.account));
}

}  // namespace

absl::Status OutOfScope(const Caller& caller, absl::string_view what) {
  absl::Status status = MakeError(absl::StatusCode::kPermissionDenied, Reason::kOutOfScope,
                                  absl::StrCat(caller.actor, " has no scope to ", what));
  Refused(caller, status);
  return status;
}

absl::Status NoSuchCommand(CommandId id) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownCommand,
                   absl::StrCat("there is no command ", FormatId(id)));
}

std::string AccountOfKey(absl::string_view resource_key) {
  return absl::ConsumePrefix(&resource_key, kAccountKey) ? std::string(resource_key) : "";
}

std::string KeyOfAccount(const Cluster& cluster, absl::string_view domain) {
  const storage::v1::Account* account = cluster.FindAccount(domain);
  return account == nullptr ? "" : account->key_id();
}

Subject SubjectOf(const Command& command, const Cluster& cluster) {
  Subject subject;
  subject.kind = command.kind;
  for (const Task& task : command.tasks) subject.nodes.push_back(task.node);
  subject.account = AccountOfKey(command.resource_key);
  if (const storage::v1::Account* account = cluster.FindAccount(subject.account)) {
    subject.account_key = account->key_id();
    // As exact as a command's.
    subject.account_create_time =
        absl::FromUnixMicros(absl::ToUnixMicros(TimeFromProto(account->account().create_time())));
  }
  subject.actor = command.actor;
  subject.create_time = command.create_time;
  return subject;
}

bool MaySee(const Caller& caller, const Command& command, const Cluster& cluster) {
  return caller.rights->unlimited ||
         AllowsSome(*caller.rights, Verb::kRead, SubjectOf(command, cluster));
}

void ShowPart(const Caller& caller, const Subject& subject, v1::Command& command) {
  if (caller.rights->unlimited) return;
  auto& tasks = *command.mutable_tasks();
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(),
                             [&](const v1::Task& task) {
                               return !AllowsNode(*caller.rights, Verb::kRead, subject,
                                                  task.node());
                             }),
              tasks.end());
}

absl::Status CheckAct(const Caller& caller, const Command& command, absl::string_view node,
                      const Cluster& cluster) {
  if (caller.rights->unlimited) return absl::OkStatus();
  Subject subject = SubjectOf(command, cluster);
  if (!node.empty()) subject.nodes = {std::string(node)};
  if (Allows(*caller.rights, Verb::kAct, subject)) return absl::OkStatus();
  if (!MaySee(caller, command, cluster)) return NoSuchCommand(command.id);
  return OutOfScope(caller, absl::StrCat("act on command ", FormatId(command.id),
                                         node.empty() ? " on all of its nodes" : ""));
}

absl::StatusOr<PlannedCommand> PlanFor(const Caller& caller, const v1::CommandSpec& spec,
                                       absl::Span<const std::string> nodes, bool try_only,
                                       const Now& now, Cluster& cluster) {
  const auto plan = [&](bool only) {
    return only ? cluster.TryPlan(spec, nodes, now) : cluster.Plan(spec, nodes, now, caller.key_id);
  };
  if (caller.rights->unlimited) return plan(try_only);
  const Rights& rights = *caller.rights;
  Subject subject;
  subject.kind = KindOf(spec);
  HOSTQ_ASSIGN_OR_RETURN(subject.account, DomainOf(spec));
  const bool creates = spec.kind_case() == v1::CommandSpec::kCreateAccount;
  subject.account_key = creates ? caller.key_id : KeyOfAccount(cluster, subject.account);
  Verb verb = Verb::kSubmit;
  const bool looks =
      spec.kind_case() == v1::CommandSpec::kPreflight || spec.kind_case() == v1::CommandSpec::kPing;
  if (looks && HasVerb(rights, Verb::kOperate) && !AllowsSomewhere(rights, verb, subject)) {
    verb = Verb::kOperate;
  }
  HOSTQ_RETURN_IF_ERROR(CheckBeforePlan(caller, verb, subject, creates));
  // Named ones first: whether they exist is not for everybody.
  subject.nodes.assign(nodes.begin(), nodes.end());
  if (!nodes.empty() && !Allows(rights, verb, subject)) {
    return OutOfScope(caller, absl::StrCat("submit ", subject.kind, " for the nodes named"));
  }
  absl::StatusOr<PlannedCommand> tried = plan(true);
  if (!tried.ok()) {
    return AllowsBeyondAccounts(rights, verb) ? tried.status() : WithoutOthers(tried.status());
  }
  subject.nodes.clear();
  AddNodes(*tried, subject.nodes);
  if (!Allows(rights, verb, subject)) {
    return OutOfScope(caller,
                      absl::StrCat("submit ", subject.kind, " for all the nodes it would go to"));
  }
  return try_only ? std::move(tried) : plan(false);
}

void ShowPart(const Caller& caller, const Command* root, const Cluster& cluster, Finding& finding) {
  if (caller.rights->unlimited || finding.root_task.empty()) return;
  if (root != nullptr && MaySee(caller, *root, cluster)) return;
  finding.root_task.clear();
  finding.evidence.clear();
  finding.summary = "waits for something else";
  finding.remedy = "nothing to do here: ask the cluster's administrator if it takes long";
}

}  // namespace hostq::manager
