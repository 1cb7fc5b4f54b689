#include "agent/upkeep/drift.h"

#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"
#include "hostq/agent/v1/work.pb.h"

namespace hostq::agent {
namespace {

constexpr char kLoopback[] = "lo";

std::optional<Deviation> LookAtShare(Host& host, const std::vector<Mount>& mounts,
                                     const std::string& key, const v1::Share& share) {
  const std::string wanted = NfsSource(share.server(), share.export_path());
  const auto target = ResolveLink(host, share.mount_point());
  const std::string point = target.ok() ? *target : share.mount_point();
  const Mount* const mount = MountAt(mounts, point);
  if (mount == nullptr) {
    return Deviation{key, Reason::kShareNotMounted,
                     absl::StrCat("the share ", wanted, " is not mounted on ", point)};
  }
  // The server may be named otherwise in the list than in the share.
  if (mount->nfs() && absl::EndsWith(mount->source, absl::StrCat(":", share.export_path()))) {
    return std::nullopt;
  }
  return Deviation{key, Reason::kShareWrongSource,
                   absl::StrCat(mount->source, " (", mount->fs_type, ") is mounted on ", point,
                                " instead of ", wanted)};
}

}  // namespace

absl::StatusOr<std::vector<Deviation>> FindDrift(Host& host, const Kept& kept) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Mount> mounts, host.mounts().List());
  HOSTQ_ASSIGN_OR_RETURN(const auto addresses, host.addresses().List());
  std::set<std::string> on_lo;
  for (const InterfaceAddress& one : addresses) {
    if (one.interface == kLoopback && one.prefix == one.address.bits()) {
      on_lo.insert(one.address.ToString());
    }
  }
  std::vector<Deviation> found;
  for (const auto& [key, item] : kept) {
    v1::Work work;
    if (!work.ParseFromString(item.work)) continue;  // the repair would say no more
    if (work.has_mount_share()) {
      auto deviation = LookAtShare(host, mounts, key, work.mount_share().share());
      if (deviation) found.push_back(*std::move(deviation));
    } else if (work.has_bind_address() && !on_lo.contains(work.bind_address().address())) {
      found.push_back({key, Reason::kAddressMissing,
                       absl::StrCat(work.bind_address().address(), " is not on lo")});
    }
  }
  return found;
}

}  // namespace hostq::agent
