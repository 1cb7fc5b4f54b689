#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

// What a suspension has to give back: kept on the node, because only the node knows it.
struct Before {
  uint32_t uid = 0;
  std::string shell;
  bool locked = false;
};

std::string NoteName(const v1::Account& account) {
  return absl::StrCat("suspended/", account.user());
}

std::string Format(const Before& before) {
  return absl::StrCat("uid=", before.uid, "\nshell=", before.shell,
                      "\nlocked=", before.locked ? 1 : 0, "\n");
}

Before Parse(const std::string& text) {
  Before before;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, "uid=")) (void)absl::SimpleAtoi(line, &before.uid);
    if (absl::ConsumePrefix(&line, "shell=")) before.shell = std::string(line);
    if (absl::ConsumePrefix(&line, "locked=")) before.locked = line == "1";
  }
  return before;
}

// Nothing if there is no note, or one of an earlier user of that name.
absl::StatusOr<std::optional<Before>> ReadNote(Host& host, const v1::Account& account) {
  HOSTQ_ASSIGN_OR_RETURN(const auto text, host.notes().Read(NoteLife::kDurable, NoteName(account)));
  if (!text) return std::optional<Before>();
  const Before before = Parse(*text);
  if (before.uid != account.uid() || before.shell.empty()) return std::optional<Before>();
  return std::optional<Before>(before);
}

// Makes it so, and reads it back; whether anything differed.
absl::StatusOr<bool> SetLogin(Host& host, const v1::Account& account, const std::string& shell,
                              bool locked) {
  HOSTQ_ASSIGN_OR_RETURN(const User user, FindOwnUser(host, account));
  if (user.locked != locked) {
    HOSTQ_RETURN_IF_ERROR(locked ? host.users().Lock(user.name) : host.users().Unlock(user.name));
  }
  if (user.shell != shell) HOSTQ_RETURN_IF_ERROR(host.users().SetShell(user.name, shell));
  HOSTQ_ASSIGN_OR_RETURN(const User now, FindOwnUser(host, account));
  if (now.locked != locked || now.shell != shell) {
    return MakeError(absl::StatusCode::kInternal, Reason::kInternal,
                     absl::StrCat("the login of ", user.name, " was changed, but reads back as ",
                                  now.locked ? "locked" : "unlocked", " with shell ", now.shell));
  }
  return user.locked != locked || user.shell != shell;
}

absl::StatusOr<StepResult> CloseLogin(Host& host, const v1::Account& account) {
  HOSTQ_ASSIGN_OR_RETURN(const User user, FindOwnUser(host, account));
  HOSTQ_ASSIGN_OR_RETURN(const auto before, ReadNote(host, account));
  // Before anything is changed: an attempt that is cut short must not lose it.
  if (!before) {
    HOSTQ_RETURN_IF_ERROR(host.notes().Write(NoteLife::kDurable, NoteName(account),
                                             Format({user.uid, user.shell, user.locked})));
  }
  HOSTQ_ASSIGN_OR_RETURN(const bool changed, SetLogin(host, account, NologinShell(host), true));
  const std::string so = absl::StrCat("nobody can log in as ", account.user());
  return changed || !before ? Changed(so) : Unchanged(so);
}

absl::StatusOr<StepResult> EndProcesses(Host& host, const v1::Account& account) {
  HOSTQ_RETURN_IF_ERROR(FindOwnUser(host, account).status());
  HOSTQ_ASSIGN_OR_RETURN(const int ended, host.users().EndProcesses(account.uid()));
  if (ended == 0) return Unchanged(absl::StrCat(account.user(), " has no processes"));
  return Changed(absl::StrCat(ended, " processes of ", account.user(), " ended"));
}

absl::StatusOr<StepResult> OpenLogin(Host& host, const v1::Account& account) {
  HOSTQ_ASSIGN_OR_RETURN(const User user, FindOwnUser(host, account));
  HOSTQ_ASSIGN_OR_RETURN(const auto note, ReadNote(host, account));
  Before before = {user.uid, user.shell, user.locked};
  if (note) {
    before = *note;
  } else if (user.shell == NologinShell(host)) {
    before.shell = account.shell();  // suspended by hand, or the note was lost
  }
  HOSTQ_ASSIGN_OR_RETURN(const bool changed, SetLogin(host, account, before.shell, before.locked));
  if (note) HOSTQ_RETURN_IF_ERROR(host.notes().Remove(NoteLife::kDurable, NoteName(account)));
  const std::string so = absl::StrCat(account.user(), " can log in as before: shell ", before.shell,
                                      before.locked ? ", without a password" : "");
  return changed || note ? Changed(so) : Unchanged(so);
}

}  // namespace

std::string NologinShell(Host& host) {
  return host.system().FindTool("nologin").value_or("/bin/false");
}

std::vector<Step> SuspendSteps(const v1::Account& account) {
  return {MakeStep(
              "login", [account](Host& host) { return CloseLogin(host, account); }, kUserTimeout),
          MakeStep("processes", [account](Host& host) { return EndProcesses(host, account); })};
}

std::vector<Step> UnsuspendSteps(const v1::Account& account) {
  return {MakeStep(
      "login", [account](Host& host) { return OpenLogin(host, account); }, kUserTimeout)};
}

}  // namespace hostq::agent
