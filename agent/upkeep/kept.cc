#include "agent/upkeep/kept.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "agent/actions/steps.h"
#include "agent/executor/planner.h"
#include "agent/host/ip_address.h"

namespace hostq::agent {
namespace {

constexpr char kBalancingKey[] = "balancer/services";

std::string AddressKey(const std::string& text) {
  const auto address = IpAddress::Parse(text);
  return absl::StrCat("address/", address ? address->ToString() : text);
}

std::string ShareKey(const v1::Share& share) { return absl::StrCat("share/", share.name()); }

KeptItem ItemOf(std::string kind, const v1::Work& work, std::vector<std::string> roles = {"app"}) {
  return {std::move(kind), work.SerializeAsString(), std::move(roles)};
}

std::vector<std::string> NamesOf(const Roles& roles) {
  std::vector<std::string> names;
  if (roles.app) names.push_back("app");
  if (roles.storage) names.push_back("storage");
  if (roles.balancer) names.push_back("balancer");
  return names;
}

std::pair<std::string, KeptItem> KeptAddress(const std::string& address, const Balancers& balancers,
                                             const Roles& roles) {
  v1::Work work;
  work.mutable_bind_address()->set_address(address);
  *work.mutable_bind_address()->mutable_balancers() = balancers;
  return {AddressKey(address),
          ItemOf("bind_address", work, NamesOf({.app = true, .balancer = roles.balancer}))};
}

// A balancer's are kept with its services.
void KeepAddresses(const v1::Account& account, const Roles& roles,
                   std::vector<std::pair<std::string, KeptItem>>& kept) {
  if (!roles.app || roles.balancer) return;
  for (const std::string& address : account.addresses()) {
    kept.push_back(KeptAddress(address, account.balancers(), roles));
  }
}

std::string AccountKey(const v1::Account& account) {
  return absl::StrCat("account/", account.domain());
}

// As an account is after all its steps have been done.
void KeepAccount(v1::Account account, const Roles& roles,
                 std::vector<std::pair<std::string, KeptItem>>& kept) {
  if (!roles.app && !roles.storage) return;
  v1::Work work;
  work.mutable_resync_account()->set_apply(true);
  *work.mutable_resync_account()->mutable_account() = std::move(account);
  const std::string key = AccountKey(work.resync_account().account());
  kept.emplace_back(
      key, ItemOf("resync_account", work, NamesOf({.app = roles.app, .storage = roles.storage})));
}

// The kept account with what a command has changed of it: of the rest the command says what is
// wanted, which this node may not have been given yet. One that is not kept stays so.
template <typename Change>
void ChangeAccount(const v1::Account& told, const Roles& roles, const Kept& before,
                   std::vector<std::pair<std::string, KeptItem>>& kept, Change change) {
  const auto found = before.find(AccountKey(told));
  v1::Work work;
  if (found == before.end() || !work.ParseFromString(found->second.work)) return;
  change(*work.mutable_resync_account()->mutable_account());
  KeepAccount(work.resync_account().account(), roles, kept);
}

void KeepPreflight(const v1::Preflight& passed, const Roles& roles,
                   std::vector<std::pair<std::string, KeptItem>>& kept) {
  v1::Work work;
  *work.mutable_preflight() = passed;
  kept.emplace_back(kPreflightKey, ItemOf("preflight", work, NamesOf(roles)));
}

std::pair<std::string, KeptItem> KeptBalancing(const v1::BalancingTable& table) {
  v1::Work work;
  work.mutable_set_balancing();
  *work.mutable_balancing() = table;
  return {kBalancingKey, ItemOf("set_balancing", work, {"balancer"})};
}

}  // namespace

std::vector<std::pair<std::string, KeptItem>> KeptAfter(const v1::Work& work, const Roles& roles,
                                                        const Kept& before) {
  std::vector<std::pair<std::string, KeptItem>> kept;
  if (roles.balancer && work.has_balancing()) kept.push_back(KeptBalancing(work.balancing()));
  switch (work.kind_case()) {
    case v1::Work::kMountShare:
      // A node that serves the share does not mount it.
      if (!roles.storage) {
        kept.emplace_back(ShareKey(work.mount_share().share()), ItemOf("mount_share", work));
      }
      break;
    case v1::Work::kBindAddress:
      kept.push_back(
          KeptAddress(work.bind_address().address(), work.bind_address().balancers(), roles));
      break;
    case v1::Work::kAddAccountAddress:
      // A balancer's are kept with its services.
      if (!roles.app || roles.balancer) break;
      kept.push_back(KeptAddress(work.add_account_address().address(),
                                 work.add_account_address().account().balancers(), roles));
      break;
    case v1::Work::kCreateAccount:
      KeepAddresses(work.create_account().account(), roles, kept);
      KeepAccount(work.create_account().account(), roles, kept);
      break;
    case v1::Work::kResyncAccount:
      if (!work.resync_account().apply()) break;
      KeepAddresses(work.resync_account().account(), roles, kept);
      KeepAccount(work.resync_account().account(), roles, kept);
      break;
    case v1::Work::kSetAccountQuota:
    case v1::Work::kSetQuota: {
      const v1::Account& told =
          work.has_set_quota() ? work.set_quota().account() : work.set_account_quota().account();
      ChangeAccount(told, roles, before, kept,
                    [&](v1::Account& account) { account.set_quota_bytes(told.quota_bytes()); });
      break;
    }
    case v1::Work::kSuspendAccount:
      ChangeAccount(work.suspend_account().account(), roles, before, kept,
                    [](v1::Account& account) { account.set_suspended(true); });
      break;
    case v1::Work::kUnsuspendAccount:
      ChangeAccount(work.unsuspend_account().account(), roles, before, kept,
                    [](v1::Account& account) { account.set_suspended(false); });
      break;
    case v1::Work::kPreflight:
      KeepPreflight(work.preflight(), roles, kept);
      break;
    case v1::Work::kResyncNode:
      KeepPreflight(work.resync_node().preflight(), roles, kept);
      break;
    default:
      break;
  }
  return kept;
}

std::vector<std::string> NotKeptSince(const v1::Work& work, const Roles& roles) {
  std::vector<std::string> keys;
  switch (work.kind_case()) {
    case v1::Work::kUnmountShare:
      keys.push_back(ShareKey(work.unmount_share().share()));
      break;
    case v1::Work::kUnbindAddress:
      keys.push_back(AddressKey(work.unbind_address().address()));
      break;
    case v1::Work::kRemoveAccountAddress:
      if (roles.app && work.remove_account_address().unbind()) {
        keys.push_back(AddressKey(work.remove_account_address().address()));
      }
      break;
    case v1::Work::kDeleteAccount:
      keys.push_back(AccountKey(work.delete_account().account()));
      if (!roles.app) break;
      for (const std::string& address : work.delete_account().addresses_to_unbind()) {
        keys.push_back(AddressKey(address));
      }
      break;
    default:
      break;
  }
  return keys;
}

std::set<std::string> ChangedBesides(const v1::Work& work, const Roles& roles) {
  return roles.balancer && work.has_balancing() ? std::set<std::string>{kBalancingKey}
                                                : std::set<std::string>{};
}

bool IsOutdated(const KeptItem& item, const KeptItem& kept) {
  v1::Work mine, other;
  return item.kind == "set_balancing" && mine.ParseFromString(item.work) &&
         other.ParseFromString(kept.work) &&
         mine.balancing().revision() < other.balancing().revision();
}

std::set<std::string> StepsFor(const KeptItem& item) {
  if (item.kind != "resync_account") return {};
  std::set<std::string> steps = {"group", "user", "login", "processes"};
  if (RolesFromNames(item.roles).storage) steps.insert("quota");
  return steps;
}

std::optional<KeptItem> QuotaLook(const KeptItem& item) {
  v1::Work work;
  if (!StepsFor(item).contains("quota") || !work.ParseFromString(item.work)) return std::nullopt;
  work.mutable_resync_account()->set_apply(false);
  return ItemOf(item.kind, work, item.roles);
}

std::optional<KeptItem> PreflightLook(const Kept& kept) {
  const auto passed = kept.find(kPreflightKey);
  v1::Work look;
  if (passed == kept.end() || !look.ParseFromString(passed->second.work)) return std::nullopt;
  v1::Preflight& preflight = *look.mutable_preflight();
  preflight.clear_shares();
  preflight.clear_addresses();
  // Whether the manager is there shows in the session; told later, it would not be so any more.
  preflight.clear_quorum_address();
  const bool serves = RolesFromNames(passed->second.roles).storage;
  std::map<std::string, v1::Share> shares;
  for (const auto& [key, item] : kept) {
    v1::Work work;
    if (!work.ParseFromString(item.work)) continue;
    if (work.has_mount_share()) {
      shares[work.mount_share().share().name()] = work.mount_share().share();
    } else if (work.has_bind_address()) {
      preflight.add_addresses(work.bind_address().address());
    } else if (serves && work.resync_account().account().has_share()) {
      // It does not mount what it serves: its accounts tell which that are.
      const v1::Share& share = work.resync_account().account().share();
      shares[share.name()] = share;
    }
  }
  for (auto& [name, share] : shares) *preflight.add_shares() = std::move(share);
  return ItemOf("preflight", look, passed->second.roles);
}

std::optional<KeptItem> Undo(const KeptItem& item) {
  v1::Work made, undo;
  if (!made.ParseFromString(item.work)) return std::nullopt;
  if (made.has_mount_share()) {
    *undo.mutable_unmount_share()->mutable_share() = made.mount_share().share();
    return ItemOf("unmount_share", undo);
  }
  if (made.has_bind_address()) {
    undo.mutable_unbind_address()->set_address(made.bind_address().address());
    return ItemOf("unbind_address", undo);
  }
  return std::nullopt;
}

}  // namespace hostq::agent
