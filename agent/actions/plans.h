#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "agent/actions/action.h"

namespace hostq::agent {

// One function a kind, each in the file of its name; see PlanSteps.
using Plan = absl::StatusOr<std::vector<Step>>;
Plan PlanResyncAccount(const v1::ResyncAccount& work, const Roles& roles, const Policy& policy);
Plan PlanCreateAccount(const v1::CreateAccount& work, const Roles& roles, const Policy& policy);
Plan PlanSuspendAccount(const v1::SuspendAccount& work, const Roles& roles, const Policy& policy);
Plan PlanUnsuspendAccount(const v1::UnsuspendAccount& work, const Roles& roles,
                          const Policy& policy);
Plan PlanDeleteAccount(const v1::DeleteAccount& work, const Roles& roles, const Policy& policy);
Plan PlanSetAccountQuota(const v1::SetAccountQuota& work, const Roles& roles, const Policy& policy);
Plan PlanAddAccountAddress(const v1::AddAccountAddress& work, const Roles& roles,
                           const Policy& policy);
Plan PlanRemoveAccountAddress(const v1::RemoveAccountAddress& work, const Roles& roles,
                              const Policy& policy);
Plan PlanMountShare(const v1::MountShare& work, const Roles& roles, const Policy& policy);
Plan PlanUnmountShare(const v1::UnmountShare& work, const Roles& roles, const Policy& policy);
Plan PlanSetQuota(const v1::SetQuota& work, const Roles& roles, const Policy& policy);
Plan PlanBindAddress(const v1::BindAddress& work, const Roles& roles, const Policy& policy);
Plan PlanUnbindAddress(const v1::UnbindAddress& work, const Roles& roles, const Policy& policy);
Plan PlanSetBalancing(const v1::SetBalancing& work, const Roles& roles, const Policy& policy);
Plan PlanSetExports(const v1::SetExports& work, const Roles& roles, const Policy& policy);
Plan PlanPreflight(const v1::Preflight& work, const Roles& roles, const Policy& policy);
Plan PlanPing(const v1::Ping& work, const Roles& roles, const Policy& policy);
Plan PlanResyncNode(const v1::ResyncNode& work, const Roles& roles, const Policy& policy);

}  // namespace hostq::agent
