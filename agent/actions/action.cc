#include "agent/actions/action.h"

#include <algorithm>

#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

struct Kind {
  const char* name;
  v1::Work::KindCase kind;
  Plan (*plan)(const v1::Work& work, const Roles& roles, const Policy& policy);
};

// A row of the table below: the field's accessor and the function that plans it.
#define HOSTQ_KIND(name, constant, function)                                              \
  {                                                                                       \
#name, v1::Work::constant,                                                            \
        [](const v1::Work& work, const Roles& roles,                                      \
           const Policy& policy) -> Plan { return function(work.name(), roles, policy); } \
  }

constexpr Kind kKinds[] = {
    HOSTQ_KIND(add_account_address, kAddAccountAddress, PlanAddAccountAddress),
    HOSTQ_KIND(bind_address, kBindAddress, PlanBindAddress),
    HOSTQ_KIND(create_account, kCreateAccount, PlanCreateAccount),
    HOSTQ_KIND(delete_account, kDeleteAccount, PlanDeleteAccount),
    HOSTQ_KIND(mount_share, kMountShare, PlanMountShare),
    HOSTQ_KIND(ping, kPing, PlanPing),
    HOSTQ_KIND(preflight, kPreflight, PlanPreflight),
    HOSTQ_KIND(remove_account_address, kRemoveAccountAddress, PlanRemoveAccountAddress),
    HOSTQ_KIND(resync_account, kResyncAccount, PlanResyncAccount),
    HOSTQ_KIND(resync_node, kResyncNode, PlanResyncNode),
    HOSTQ_KIND(set_account_quota, kSetAccountQuota, PlanSetAccountQuota),
    HOSTQ_KIND(set_balancing, kSetBalancing, PlanSetBalancing),
    HOSTQ_KIND(set_exports, kSetExports, PlanSetExports),
    HOSTQ_KIND(set_quota, kSetQuota, PlanSetQuota),
    HOSTQ_KIND(suspend_account, kSuspendAccount, PlanSuspendAccount),
    HOSTQ_KIND(unbind_address, kUnbindAddress, PlanUnbindAddress),
    HOSTQ_KIND(unmount_share, kUnmountShare, PlanUnmountShare),
    HOSTQ_KIND(unsuspend_account, kUnsuspendAccount, PlanUnsuspendAccount),
};
#undef HOSTQ_KIND

}  // namespace

absl::StatusOr<std::vector<Step>> PlanSteps(const v1::Work& work, const Roles& roles,
                                            const Policy& policy) {
  for (const Kind& kind : kKinds) {
    if (kind.kind != work.kind_case()) continue;
    HOSTQ_RETURN_IF_ERROR(CheckKind(policy, kind.name));
    Plan steps = kind.plan(work, roles, policy);
    if (steps.ok() && roles.storage && work.has_exports()) {
      HOSTQ_RETURN_IF_ERROR(CheckExports(policy, work.exports()));
      steps->push_back(ExportStep(work.exports(), policy));
    }
    if (!steps.ok() || !roles.balancer || !work.has_balancing()) return steps;
    HOSTQ_RETURN_IF_ERROR(CheckTable(policy, work.balancing()));
    // Where accounts come, the balancer comes last; where they go, first.
    const bool first = work.has_delete_account() || work.has_remove_account_address();
    steps->insert(first ? steps->begin() : steps->end(), BalanceStep(work.balancing(), policy));
    return steps;
  }
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kUnsupportedKind,
                   "this agent does not know this kind of command");
}

const std::vector<std::string>& SupportedKinds() {
  static const auto* const all = [] {
    auto* names = new std::vector<std::string>();
    for (const Kind& kind : kKinds) names->push_back(kind.name);
    std::sort(names->begin(), names->end());
    return names;
  }();
  return *all;
}

}  // namespace hostq::agent
