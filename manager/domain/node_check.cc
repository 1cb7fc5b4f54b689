#include "manager/domain/node_check.h"

#include <algorithm>

namespace hostq::manager {
namespace {

struct Coverage {
  absl::string_view check;  // as agent/actions/preflight_node.cc and preflight_share.cc name them
  std::vector<Reason> reasons;
};

const std::vector<Coverage>& Table() {
  static const auto& table = *new std::vector<Coverage>{
      {"capabilities", {Reason::kPermissionDenied, Reason::kExecutorUnavailable}},
      {"tools", {Reason::kToolMissing}},
      {"hooks", {Reason::kHookDirectoryUnsafe}},
      {"journal-disk", {Reason::kJournalUnavailable}},
      {"home-layout", {Reason::kHomeLayout}},
      {"arp", {Reason::kArpNotSilenced}},
      {"kernel-nfs", {Reason::kKernelWithoutNfs}},
      {"nfs-reachable", {Reason::kShareServerUnreachable}},
      {"nfs-server", {Reason::kShareServerUnreachable}},
      {"share-export",
       {Reason::kShareExportMissing, Reason::kShareAccessDenied, Reason::kShareStale,
        Reason::kShareUnresponsive}},
      {"share-write", {Reason::kShareReadOnly, Reason::kShareRootSquashed}},
      {"kernel-ipvs", {Reason::kKernelWithoutIpvs}},
      {"balancer-uplink", {Reason::kBalancerUplinkMissing}},
      {"quota-get", {Reason::kQuotaServiceUnreachable, Reason::kQuotaProgramFailed}},
      {"quota-service", {Reason::kQuotaServiceUnreachable}},
      {"quota-set", {Reason::kQuotaSetNotPermitted}},
      // With a program, this is all that is looked at on the node with the file system.
      {"quota-enabled",
       {Reason::kQuotaNotEnabled, Reason::kQuotaUnsupportedFilesystem, Reason::kQuotaProgramFailed,
        Reason::kQuotaServiceUnreachable, Reason::kQuotaSetNotPermitted}},
      {"mount_share",
       {Reason::kShareNotMounted, Reason::kShareStale, Reason::kQuotaNotEnabled,
        Reason::kQuotaUnsupportedFilesystem}},
  };
  return table;
}

}  // namespace

absl::Span<const Reason> CoveredBy(absl::string_view check) {
  for (const Coverage& coverage : Table()) {
    if (coverage.check == check) return coverage.reasons;
  }
  return {};
}

bool IsCovered(Reason reason) {
  return std::any_of(Table().begin(), Table().end(), [&](const Coverage& coverage) {
    return std::find(coverage.reasons.begin(), coverage.reasons.end(), reason) !=
           coverage.reasons.end();
  });
}

}  // namespace hostq::manager
