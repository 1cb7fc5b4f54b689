#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

std::string Parent(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

}  // namespace

absl::StatusOr<HomePlace> PlaceOfHome(const v1::Account& account, const Roles& roles) {
  HomePlace place;
  const std::string& home = account.home();
  if (!account.has_share()) {
    place.root = Parent(home);
    place.relative = home.substr(home.rfind('/') + 1);
    return place;
  }
  const v1::Share& share = account.share();
  place.remote = !roles.storage;
  place.root = roles.storage ? share.export_path() : share.mount_point();
  // /home and /chroot/home are two names of one place: the first is a link to the second.
  std::vector<std::string> names = {share.mount_point()};
  if (share.mount_point() == "/home") names.push_back("/chroot/home");
  if (share.mount_point() == "/chroot/home") names.push_back("/home");
  for (const std::string& name : names) {
    absl::string_view rest = home;
    if (absl::ConsumePrefix(&rest, name) && absl::ConsumePrefix(&rest, "/")) {
      place.relative = std::string(rest);
    }
  }
  // Names that begin with a point are hostq's own (the trash) or nobody's home.
  if (place.relative.empty() || place.relative[0] == '.') {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters,
                     absl::StrCat("the home ", home, " does not lie below the share's mount point ",
                                  share.mount_point()));
  }
  return place;
}

absl::StatusOr<std::string> ResolveLink(Host& host, const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Mount> mounts, host.mounts().List());
  if (MountAt(mounts, path) != nullptr || path == "/") return path;
  HOSTQ_ASSIGN_OR_RETURN(const auto target, host.files().ReadLink(path));
  const std::string link = target.value_or("");
  if (link.empty()) return path;
  std::string resolved = absl::StartsWith(link, "/")
                             ? link
                             : absl::StrCat(absl::StripSuffix(Parent(path), "/"), "/", link);
  while (resolved.size() > 1 && resolved.back() == '/') resolved.pop_back();
  HOSTQ_RETURN_IF_ERROR(CheckNoSystemDirectory(resolved));
  return resolved;
}

absl::StatusOr<Mount> FindShare(Host& host, const v1::Share& share) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string target, ResolveLink(host, share.mount_point()));
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Mount> mounts, host.mounts().List());
  const std::string wanted = NfsSource(share.server(), share.export_path());
  const Mount* const mount = MountAt(mounts, target);
  if (mount == nullptr) {
    return WithEvidence(
        MakeError(absl::StatusCode::kFailedPrecondition, Reason::kShareNotMounted,
                  absl::StrCat("the share ", wanted, " is not mounted on ", target)),
        "mount_point", target);
  }
  // A name that cannot be resolved now can still be the name in mountinfo.
  const auto address = host.mounts().ResolveServer(share.server());
  if (!IsNfsOf(*mount, share.server(), address.ok() ? *address : "", share.export_path())) {
    return WithEvidence(
        WithEvidence(MakeError(absl::StatusCode::kFailedPrecondition, Reason::kShareWrongSource,
                               absl::StrCat(mount->source, " (", mount->fs_type, ") is mounted on ",
                                            target, " instead of ", wanted)),
                     "source", mount->source),
        "mount_point", target);
  }
  return *mount;
}

absl::StatusOr<Mount> FindHomeMount(Host& host, const v1::Account& account,
                                    const HomePlace& place) {
  if (place.remote) return FindShare(host, account.share());
  HOSTQ_ASSIGN_OR_RETURN(const std::string root, ResolveLink(host, place.root));
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Mount> mounts, host.mounts().List());
  const Mount* const mount = MountContaining(mounts, root);
  if (mount == nullptr) {
    return MakeError(absl::StatusCode::kInternal, Reason::kInternal,
                     absl::StrCat("no file system is mounted for ", root));
  }
  return *mount;
}

}  // namespace hostq::agent
