#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr absl::string_view kVersions[] = {"4.2", "4.1", "3"};

absl::StatusOr<v1::Share> NormalShare(const v1::MountShare& request) {
  v1::Share share;
  HOSTQ_RETURN_IF_ERROR(CheckName("share", request.share(), kMaxShareName));
  share.set_name(request.share());
  HOSTQ_ASSIGN_OR_RETURN(const ShareSource source, NormalSource("source", request.source()));
  share.set_source(source.text);
  HOSTQ_RETURN_IF_ERROR(CheckMountPoint("mount_point", request.mount_point()));
  share.set_mount_point(request.mount_point());
  const absl::string_view version = request.nfs_version();
  share.set_nfs_version(std::string(version.empty() ? kVersions[0] : version));
  share.set_exported(request.exported());
  if (!absl::c_linear_search(kVersions, share.nfs_version())) {
    return InvalidField(
        Reason::kInvalidArgument, "nfs_version",
        absl::StrCat("\"", Printable(version), "\"; wanted: 4.2 (default), 4.1 or 3"));
  }
  return share;
}

absl::Status InUse(absl::string_view field, absl::string_view message) {
  return Precondition(Reason::kShareInUse, absl::StrCat(field, ": ", message));
}

}  // namespace

size_t Cluster::AccountsOn(const std::string& share) const {
  const auto found = share_accounts_.find(share);
  return found == share_accounts_.end() ? 0 : found->second;
}

absl::Status Cluster::CheckMount(const v1::Share& share) const {
  const storage::v1::Share* old = FindShare(share.name());
  const bool moved = old != nullptr && (old->share().source() != share.source() ||
                                        old->share().mount_point() != share.mount_point());
  if (const size_t count = AccountsOn(share.name()); moved && count != 0) {
    return InUse("share", absl::StrCat(count, " accounts live on ", share.name(), ", which is ",
                                       old->share().source(), " on ", old->share().mount_point(),
                                       "; wanted: the same source and mount point"));
  }
  for (const auto& [name, other] : shares_) {
    if (name != share.name() && other.share().mount_point() == share.mount_point()) {
      return WithRemedy(
          InUse("mount_point", absl::StrCat(share.mount_point(), " is where share ", name, " (",
                                            other.share().source(), ") is mounted")),
          absl::StrCat(
              "choose another mount point; or unmount that share first: hostq share unmount ",
              name));
    }
  }
  if (AccountsOn("") == 0) return absl::OkStatus();
  for (const auto& [domain, row] : accounts_) {
    if (row.share().empty() &&
        absl::StartsWith(row.account().home(), absl::StrCat(share.mount_point(), "/"))) {
      return WithRemedy(InUse("mount_point", absl::StrCat("it would hide ", row.account().home(),
                                                          ", where account ", domain, " lives")),
                        "choose another mount point; or delete the accounts below it first");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PlannedCommand> Cluster::PlanMountShare(const v1::MountShare& request,
                                                       absl::Span<const std::string> nodes) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::Share share, NormalShare(request));
  HOSTQ_RETURN_IF_ERROR(CheckMount(share));
  HOSTQ_RETURN_IF_ERROR(CheckExported(share));
  // A storage node has the files themselves.
  std::vector<std::string> targets = NodesWith({v1::Node::APP}, {v1::Node::STORAGE});
  const std::vector<std::string> usual = targets;
  if (!nodes.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(targets, NamedNodes(nodes, {v1::Node::APP, v1::Node::STORAGE}));
  }
  if (targets.empty()) {
    return NoTargets("no node of role app, without role storage, takes work",
                     "hostq node add NAME --role app --address ADDRESS, or name the nodes");
  }
  storage::v1::Share row;
  bool exported = share.exported();
  if (const storage::v1::Share* old = FindShare(share.name())) {
    row = *old;
    exported |= old->share().exported();
  }
  *row.mutable_share() = share;
  row.set_unwanted(false);
  for (const std::string& node : targets) {
    if (!absl::c_linear_search(usual, node) && !Contains(row.extra_nodes(), node)) {
      row.add_extra_nodes(node);
    }
  }
  Draft draft;
  draft.resource_key = ShareKey(share.name());
  v1::MountShare& spec = *draft.spec.mutable_mount_share();
  spec.set_share(share.name());
  spec.set_source(share.source());
  spec.set_mount_point(share.mount_point());
  spec.set_nfs_version(share.nfs_version());
  spec.set_exported(share.exported());
  *draft.work.mutable_mount_share()->mutable_share() = manager::WorkOf(share);
  draft.tasks = InOneStage(targets);
  draft.supersedes = {"mount_share", "unmount_share"};
  Put(std::move(row), draft.changes);
  // Also one that is not to be exported any more.
  if (exported) AddExporters(true, draft);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanUnmountShare(const v1::UnmountShare& request,
                                                         absl::Span<const std::string> nodes) {
  HOSTQ_RETURN_IF_ERROR(CheckName("share", request.share(), kMaxShareName));
  const storage::v1::Share* old = FindShare(request.share());
  if (old == nullptr) {
    return NotFound(Reason::kUnknownShare,
                    absl::StrCat("share: there is no share ", request.share()));
  }
  storage::v1::Share row = *old;
  Draft draft;
  if (nodes.empty()) {
    if (const size_t count = AccountsOn(request.share()); count != 0) {
      return InUse("share", absl::StrCat(count, " accounts live on ", request.share(),
                                         "; delete them first, or name the nodes"));
    }
    std::set<std::string> targets(row.extra_nodes().begin(), row.extra_nodes().end());
    for (std::string& node : NodesWith({v1::Node::APP}, {v1::Node::STORAGE})) {
      targets.insert(std::move(node));
    }
    if (targets.empty()) {
      return NoTargets("no node has mounted it", "name the nodes");
    }
    draft.tasks = InOneStage({targets.begin(), targets.end()});
    row.set_unwanted(true);
    if (row.share().exported()) {
      for (std::string& node : NodesWith({v1::Node::STORAGE})) targets.insert(std::move(node));
    }
    *row.add_unmounting()->mutable_nodes() = {targets.begin(), targets.end()};
    draft.supersedes = {"mount_share", "unmount_share"};
  } else {
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> named,
                           NamedNodes(nodes, {v1::Node::APP, v1::Node::STORAGE}));
    for (const std::string& node : named) Remove(*row.mutable_extra_nodes(), node);
    draft.tasks = InOneStage(named);
    // One that unmounts it everywhere is not to be counted as done before it is.
    draft.supersedes = {"mount_share"};
  }
  draft.resource_key = ShareKey(request.share());
  draft.spec.mutable_unmount_share()->set_share(request.share());
  *draft.work.mutable_unmount_share()->mutable_share() = manager::WorkOf(row.share());
  const bool exported = row.share().exported();
  Put(std::move(row), draft.changes);
  if (exported) AddExporters(false, draft);
  return Finish(std::move(draft));
}

}  // namespace hostq::manager
