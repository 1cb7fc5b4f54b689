#include "absl/strings/str_cat.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

// Others may pass (the web server has to reach what is public), but not list.
constexpr uint32_t kHomeMode = 0711;
constexpr char kTrash[] = ".hostq-trash";

absl::Status WrongOwner(const std::string& home, const FileInfo& info, const v1::Account& account) {
  const bool directory = info.kind == FileInfo::Kind::kDirectory;
  return WithEvidence(
      MakeError(absl::StatusCode::kFailedPrecondition, Reason::kHomeWrongOwner,
                directory ? absl::StrCat("the home ", home, " belongs to ", info.uid, ":", info.gid,
                                         " instead of ", account.uid(), ":", account.gid())
                          : absl::StrCat("the home ", home, " is not a directory")),
      "owner", absl::StrCat(info.uid, ":", info.gid));
}

// The home as it is, if it is the account's; nothing if there is none.
absl::StatusOr<bool> HasHome(Host& host, const v1::Account& account, const std::string& root,
                             const HomePlace& place) {
  HOSTQ_ASSIGN_OR_RETURN(const auto info, host.files().Stat(root, place.relative));
  if (!info) return false;
  if (info->kind != FileInfo::Kind::kDirectory || info->uid != account.uid() ||
      info->gid != account.gid()) {
    return WrongOwner(absl::StrCat(root, "/", place.relative), *info, account);
  }
  return true;
}

absl::StatusOr<StepResult> MakeHome(Host& host, const v1::Account& account,
                                    const HomePlace& place) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string root, ResolveLink(host, place.root));
  const std::string so =
      absl::StrCat("home ", root, "/", place.relative, " belongs to ", account.user());
  HOSTQ_ASSIGN_OR_RETURN(const bool there, HasHome(host, account, root, place));
  if (there) return Unchanged(so);
  HOSTQ_RETURN_IF_ERROR(host.files().MakeDirectory(
      root, place.relative, {FileInfo::Kind::kDirectory, account.uid(), account.gid(), kHomeMode}));
  HOSTQ_ASSIGN_OR_RETURN(const bool made, HasHome(host, account, root, place));
  if (!made) {
    return MakeError(
        absl::StatusCode::kInternal, Reason::kHomeMissing,
        absl::StrCat("the home ", root, "/", place.relative, " was made, but is not there"));
  }
  return Changed(so);
}

absl::StatusOr<StepResult> VerifyHome(Host& host, const v1::Account& account,
                                      const HomePlace& place) {
  HOSTQ_ASSIGN_OR_RETURN(const Mount share, FindShare(host, account.share()));
  HOSTQ_ASSIGN_OR_RETURN(const bool there, HasHome(host, account, share.mount_point, place));
  const std::string home = absl::StrCat(share.mount_point, "/", place.relative);
  if (there) return Unchanged(absl::StrCat("home ", home, " belongs to ", account.user()));
  return WithEvidence(MakeError(absl::StatusCode::kFailedPrecondition, Reason::kHomeMissing,
                                absl::StrCat("the home ", home, " does not exist")),
                      "source", share.source);
}

// By renaming: whoever deletes it for good does so later, and not from several nodes at once.
absl::StatusOr<StepResult> TrashHome(Host& host, const v1::Account& account,
                                     const HomePlace& place) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string root, ResolveLink(host, place.root));
  HOSTQ_ASSIGN_OR_RETURN(const bool there, HasHome(host, account, root, place));
  const std::string home = absl::StrCat(root, "/", place.relative);
  if (!there) return Unchanged(absl::StrCat("there is no home ", home));
  HOSTQ_ASSIGN_OR_RETURN(const auto trash, host.files().Stat(root, kTrash));
  if (!trash) {
    HOSTQ_RETURN_IF_ERROR(
        host.files().MakeDirectory(root, kTrash, {FileInfo::Kind::kDirectory, 0, 0, 0700}));
  } else if (trash->kind != FileInfo::Kind::kDirectory || trash->uid != 0) {
    return WrongOwner(absl::StrCat(root, "/", kTrash), *trash, account);
  }
  const std::string target = absl::StrCat(kTrash, "/", account.user(), ".", account.generation());
  HOSTQ_RETURN_IF_ERROR(host.files().Move(root, place.relative, target));
  StepResult result = Changed(absl::StrCat("home ", home, " is in the trash"));
  result.evidence["trash"] = absl::StrCat(root, "/", target);
  return result;
}

}  // namespace

Step MakeHomeStep(const v1::Account& account, const HomePlace& place) {
  return MakeStep("home", [account, place](Host& host) { return MakeHome(host, account, place); });
}

Step VerifyHomeStep(const v1::Account& account, const HomePlace& place) {
  return MakeStep("home",
                  [account, place](Host& host) { return VerifyHome(host, account, place); });
}

Step TrashHomeStep(const v1::Account& account, const HomePlace& place) {
  return RemovalStep("home", account,
                     [account, place](Host& host) { return TrashHome(host, account, place); });
}

}  // namespace hostq::agent
