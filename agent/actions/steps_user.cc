#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

// Whether the account's group is there. GID_TAKEN if its name or id is another's.
absl::StatusOr<bool> HasGroup(Host& host, const v1::Account& account) {
  HOSTQ_ASSIGN_OR_RETURN(const auto by_name, host.users().FindGroup(account.user()));
  HOSTQ_ASSIGN_OR_RETURN(const auto by_gid, host.users().FindGroupByGid(account.gid()));
  if (by_name && by_name->gid != account.gid()) {
    return WithEvidence(Precondition(Reason::kGidTaken,
                                     absl::StrCat("the group ", account.user(), " exists with gid ",
                                                  by_name->gid, " instead of ", account.gid())),
                        "gid", absl::StrCat(by_name->gid));
  }
  if (by_gid && by_gid->name != account.user()) {
    return WithEvidence(
        Precondition(Reason::kGidTaken,
                     absl::StrCat("gid ", account.gid(), " belongs to the group ", by_gid->name)),
        "group", by_gid->name);
  }
  return by_name.has_value();
}

absl::StatusOr<StepResult> EnsureGroup(Host& host, const v1::Account& account) {
  const std::string so = absl::StrCat("group ", account.user(), " has gid ", account.gid());
  // A foreign user mostly has a group like it: the user is what to tell of.
  HOSTQ_RETURN_IF_ERROR(CheckIdentity(host, account));
  HOSTQ_ASSIGN_OR_RETURN(const bool there, HasGroup(host, account));
  if (there) return Unchanged(so);
  HOSTQ_RETURN_IF_ERROR(host.users().AddGroup({account.user(), account.gid()}));
  HOSTQ_ASSIGN_OR_RETURN(const bool made, HasGroup(host, account));
  if (!made)
    return Precondition(Reason::kInternal, absl::StrCat("the group was made, but is not there"));
  return Changed(so);
}

// Puts right what differs from the account; whether anything did.
absl::StatusOr<bool> Adjust(Host& host, const v1::Account& account, const User& user) {
  if (user.gid != account.gid()) {
    return WithEvidence(Precondition(Reason::kUserNameTaken,
                                     absl::StrCat("the user ", user.name, " has the primary group ",
                                                  user.gid, " instead of ", account.gid())),
                        "gid", absl::StrCat(user.gid));
  }
  bool changed = false;
  if (user.home != account.home()) {
    HOSTQ_RETURN_IF_ERROR(host.users().SetHome(user.name, account.home()));
    changed = true;
  }
  // While the account is suspended its shell is not the account's, and is to stay so.
  if (user.shell != account.shell() && !account.suspended()) {
    HOSTQ_RETURN_IF_ERROR(host.users().SetShell(user.name, account.shell()));
    changed = true;
  }
  return changed;
}

absl::StatusOr<StepResult> EnsureUser(Host& host, const v1::Account& account) {
  HOSTQ_RETURN_IF_ERROR(CheckIdentity(host, account));
  HOSTQ_ASSIGN_OR_RETURN(const auto user, host.users().FindUser(account.user()));
  bool changed = true;
  if (user) {
    HOSTQ_ASSIGN_OR_RETURN(changed, Adjust(host, account, *user));
  } else {
    HOSTQ_RETURN_IF_ERROR(host.users().AddUser(
        {account.user(), account.uid(), account.gid(), account.home(), account.shell(), true}));
  }
  HOSTQ_ASSIGN_OR_RETURN(const auto now, host.users().FindUser(account.user()));
  if (!now || now->uid != account.uid() || now->home != account.home()) {
    return Precondition(
        Reason::kInternal,
        absl::StrCat("the user ", account.user(), " was made, but is not as it was asked for"));
  }
  const std::string so = absl::StrCat("user ", account.user(), " has uid ", account.uid());
  return changed ? Changed(so) : Unchanged(so);
}

absl::StatusOr<StepResult> RemoveUser(Host& host, const v1::Account& account) {
  HOSTQ_ASSIGN_OR_RETURN(const int ended, host.users().EndProcesses(account.uid()));
  HOSTQ_ASSIGN_OR_RETURN(const auto user, host.users().FindUser(account.user()));
  if (user) HOSTQ_RETURN_IF_ERROR(host.users().RemoveUser(account.user()));
  HOSTQ_ASSIGN_OR_RETURN(const auto left, host.users().FindUser(account.user()));
  if (left) return Precondition(Reason::kInternal, absl::StrCat(account.user(), " is still there"));
  HOSTQ_RETURN_IF_ERROR(
      host.notes().Remove(NoteLife::kDurable, absl::StrCat("suspended/", account.user())));
  const std::string so = absl::StrCat("there is no user ", account.user());
  StepResult result = user || ended > 0 ? Changed(so) : Unchanged(so);
  result.evidence["processes_ended"] = absl::StrCat(ended);
  return result;
}

absl::StatusOr<StepResult> RemoveGroup(Host& host, const v1::Account& account) {
  const std::string so = absl::StrCat("there is no group ", account.user());
  HOSTQ_ASSIGN_OR_RETURN(const auto group, host.users().FindGroup(account.user()));
  if (!group) return Unchanged(so);  // userdel may have taken it along
  if (const absl::Status own = HasGroup(host, account).status(); !own.ok()) {
    if (ReasonOf(own) != Reason::kGidTaken) return own;
    return Skipped(absl::StrCat("left alone: ", own.message()));
  }
  HOSTQ_RETURN_IF_ERROR(host.users().RemoveGroup(account.user()));
  return Changed(so);
}

}  // namespace

absl::Status CheckIdentity(Host& host, const v1::Account& account) {
  HOSTQ_ASSIGN_OR_RETURN(const auto by_name, host.users().FindUser(account.user()));
  HOSTQ_ASSIGN_OR_RETURN(const auto by_uid, host.users().FindUserByUid(account.uid()));
  if (by_name && by_name->uid != account.uid()) {
    return WithEvidence(Precondition(Reason::kUserNameTaken,
                                     absl::StrCat("the user ", account.user(), " exists with uid ",
                                                  by_name->uid, " instead of ", account.uid())),
                        "uid", absl::StrCat(by_name->uid));
  }
  if (by_uid && by_uid->name != account.user()) {
    return WithEvidence(
        Precondition(Reason::kUidTaken,
                     absl::StrCat("uid ", account.uid(), " belongs to the user ", by_uid->name)),
        "user", by_uid->name);
  }
  return absl::OkStatus();
}

absl::StatusOr<User> FindOwnUser(Host& host, const v1::Account& account) {
  HOSTQ_RETURN_IF_ERROR(CheckIdentity(host, account));
  HOSTQ_ASSIGN_OR_RETURN(auto user, host.users().FindUser(account.user()));
  if (!user) {
    return Precondition(Reason::kUserMissing,
                        absl::StrCat("there is no user ", account.user(), " on this node"));
  }
  return *std::move(user);
}

Step RemovalStep(std::string name, const v1::Account& account, StepFunction run,
                 absl::Duration timeout) {
  return MakeStep(
      std::move(name),
      [account, run = std::move(run)](Host& host) -> absl::StatusOr<StepResult> {
        const absl::Status identity = CheckIdentity(host, account);
        if (identity.ok()) return run(host);
        const Reason reason = ReasonOf(identity);
        if (reason != Reason::kUserNameTaken && reason != Reason::kUidTaken) return identity;
        return Skipped(absl::StrCat("left alone: ", identity.message()));
      },
      timeout);
}

std::vector<Step> EnsureUserSteps(const v1::Account& account) {
  return {MakeStep(
              "group", [account](Host& host) { return EnsureGroup(host, account); }, kUserTimeout),
          MakeStep(
              "user", [account](Host& host) { return EnsureUser(host, account); }, kUserTimeout)};
}

std::vector<Step> RemoveUserSteps(const v1::Account& account) {
  return {RemovalStep(
              "user", account, [account](Host& host) { return RemoveUser(host, account); },
              kUserTimeout),
          RemovalStep(
              "group", account, [account](Host& host) { return RemoveGroup(host, account); },
              kUserTimeout)};
}

}  // namespace hostq::agent
