#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

// Free text that is shown in tables.
constexpr size_t kMaxNote = 200;
// More is a mistake of whoever calls; the nodes read all of them at each command of the account.
constexpr int kMaxAddresses = 64;
constexpr char kShell[] = "/bin/bash";
// Where homes are on a cluster of one node, which needs no share.
constexpr char kLocalHome[] = "/home";

absl::Status Busy(const v1::Account& account) {
  const std::string name = absl::StrCat("domain: ", account.domain());
  if (account.state() == v1::Account::CREATING) {
    return Precondition(Reason::kAccountBusy,
                        absl::StrCat(name,
                                     " is being created; wait until its command has "
                                     "succeeded or, if it has failed, delete the account"));
  }
  return Precondition(Reason::kAccountBusy, absl::StrCat(name, " is being deleted"));
}

// Without it every node would make a home of its own.
absl::Status NeedsShare(size_t nodes) {
  return WithRemedy(
      Precondition(Reason::kUnknownShare,
                   absl::StrCat("share: the account is for ", nodes,
                                " nodes, and the cluster has no share for its home")),
      "mount the shared homes first: hostq share mount home --source HOST:/chroot/home --at /home");
}

}  // namespace

absl::StatusOr<storage::v1::Account> Cluster::TakeAccount(absl::string_view domain,
                                                          AccountUse use) const {
  HOSTQ_ASSIGN_OR_RETURN(const std::string name, NormalDomain("domain", domain));
  const storage::v1::Account* row = FindAccount(name);
  if (row == nullptr) {
    return NotFound(Reason::kUnknownAccount, absl::StrCat("domain: there is no account ", name));
  }
  const v1::Account::State state = row->account().state();
  const bool fits = use == AccountUse::kDelete
                        // A deletion that failed may be asked for again.
                        ? state != v1::Account::DELETING || row->delete_generation() == 0
                        : state == v1::Account::ACTIVE || state == v1::Account::SUSPENDED;
  if (!fits) return Busy(row->account());
  storage::v1::Account taken = *row;
  taken.mutable_account()->set_generation(row->account().generation() + 1);
  return taken;
}

absl::StatusOr<uint32_t> Cluster::PickUid(uint32_t wanted) const {
  const uint32_t low = options_.uid_min;
  const uint32_t high = options_.uid_max;
  const std::string range = absl::StrCat(low, " to ", high);
  if (wanted != 0) {
    if (wanted < low || wanted > high) {
      return InvalidField(Reason::kInvalidArgument, "uid",
                          absl::StrCat(wanted, "; wanted: one of ", range));
    }
    if (!uids_.contains(wanted)) return wanted;
    return MakeError(absl::StatusCode::kAlreadyExists, Reason::kUidInUse,
                     absl::StrCat("uid: another account has ", wanted));
  }
  const uint32_t last = counters_.last_uid();
  uint32_t uid = last < low || last >= high ? low : last + 1;
  const uint32_t first = uid;
  while (uids_.contains(uid)) {
    uid = uid == high ? low : uid + 1;
    if (uid == first) {
      return WithRemedy(MakeError(absl::StatusCode::kResourceExhausted, Reason::kUidInUse,
                                  absl::StrCat("uid: none of ", range, " is free")),
                        "configure a wider range on manager and nodes (uid_min, uid_max)");
    }
  }
  return uid;
}

absl::StatusOr<const storage::v1::Share*> Cluster::PickHomeShare() const {
  const storage::v1::Share* share = FindShare("home");
  if (share == nullptr && !shares_.empty()) share = &shares_.begin()->second;
  if (share != nullptr && share->unwanted()) {
    return Precondition(
        Reason::kShareNotMounted,
        absl::StrCat("share ", share->share().name(), ", on which homes lie, is being unmounted"));
  }
  return share;
}

agent::v1::Account Cluster::WorkOf(const storage::v1::Account& row) const {
  const v1::Account& account = row.account();
  agent::v1::Account work;
  work.set_domain(account.domain());
  work.set_user(account.user());
  work.set_uid(account.uid());
  work.set_gid(account.gid());
  work.set_home(account.home());
  work.set_shell(kShell);
  *work.mutable_addresses() = account.addresses();
  work.set_quota_bytes(account.quota_bytes());
  work.set_suspended(row.suspended());
  work.set_generation(account.generation());
  if (const storage::v1::Share* share = FindShare(row.share())) {
    *work.mutable_share() = manager::WorkOf(share->share());
  }
  for (const std::string& address : BalancerAddresses()) work.add_balancers(address);
  return work;
}

absl::StatusOr<PlannedCommand> Cluster::PlanCreateAccount(const v1::CreateAccount& request,
                                                          const Now& now,
                                                          absl::string_view key_id) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string domain, NormalDomain("domain", request.domain()));
  HOSTQ_RETURN_IF_ERROR(CheckUserName("user", request.user()));
  HOSTQ_ASSIGN_OR_RETURN(const std::string address, TakeAddress(request.address()));
  HOSTQ_ASSIGN_OR_RETURN(const int64_t quota, NormalQuota("quota_bytes", request.quota_bytes()));
  if (const storage::v1::Account* other = FindAccount(domain)) {
    const std::string state =
        absl::AsciiStrToLower(v1::Account::State_Name(other->account().state()));
    return MakeError(absl::StatusCode::kAlreadyExists, Reason::kAccountExists,
                     absl::StrCat("domain: there is an account ", domain, " (", state, ")"));
  }
  if (const auto other = users_.find(request.user()); other != users_.end()) {
    return MakeError(
        absl::StatusCode::kAlreadyExists, Reason::kUserInUse,
        absl::StrCat("user: account ", other->second, " has the user name ", request.user()));
  }
  if (request.has_uid() && request.uid() == 0) {
    return WithRemedy(InvalidField(Reason::kInvalidArgument, "uid", "0 is root's"),
                      absl::StrCat("choose one of ", options_.uid_min, " to ", options_.uid_max,
                                   ", or none: the manager then picks the next free one"));
  }
  HOSTQ_ASSIGN_OR_RETURN(const uint32_t uid, PickUid(request.uid()));
  HOSTQ_RETURN_IF_ERROR(CheckNotUnbinding(address, AccountKey(domain)));
  HOSTQ_ASSIGN_OR_RETURN(const storage::v1::Share* share, PickHomeShare());
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AccountTasks(Order::kStorageFirst));
  if (share == nullptr && draft.tasks.size() > 1) return NeedsShare(draft.tasks.size());

  storage::v1::Account row;
  v1::Account& account = *row.mutable_account();
  account.set_domain(domain);
  account.set_user(request.user());
  account.set_uid(uid);
  account.set_gid(uid);
  account.set_home(absl::StrCat(share == nullptr ? kLocalHome : share->share().mount_point(), "/",
                                request.user()));
  account.add_addresses(address);
  account.set_quota_bytes(quota);
  account.set_state(v1::Account::CREATING);
  *account.mutable_create_time() = ToTimestamp(now.wall);
  account.set_generation(counters_.generation() + 1);
  row.set_applied_quota_bytes(quota);
  row.set_key_id(std::string(key_id));
  if (share != nullptr) row.set_share(share->share().name());

  draft.resource_key = AccountKey(domain);
  v1::CreateAccount& spec = *draft.spec.mutable_create_account();
  spec = request;
  spec.set_domain(domain);
  spec.set_address(address);
  spec.set_quota_bytes(quota);
  spec.set_uid(uid);
  *draft.work.mutable_create_account()->mutable_account() = WorkOf(row);
  if (!request.has_uid()) {
    counters_.set_last_uid(uid);
    PutCounters(draft.changes);
  }
  Put(std::move(row), draft.changes);
  AddBalancers(UserOf(address, domain).empty(), BalancersCome::kLast, draft);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanSuspendAccount(const v1::SuspendAccount& request) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Account row,
                         TakeAccount(request.domain(), AccountUse::kCommand));
  HOSTQ_RETURN_IF_ERROR(CheckText("note", request.note(), kMaxNote));
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AccountTasks(Order::kTogether));
  row.set_suspended(true);
  row.set_suspend_generation(row.account().generation());
  row.mutable_account()->set_suspend_note(request.note());
  draft.resource_key = AccountKey(row.account().domain());
  draft.spec.mutable_suspend_account()->set_domain(row.account().domain());
  draft.spec.mutable_suspend_account()->set_note(request.note());
  draft.supersedes = {"suspend_account", "unsuspend_account"};
  *draft.work.mutable_suspend_account()->mutable_account() = WorkOf(row);
  Put(std::move(row), draft.changes);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanUnsuspendAccount(const v1::UnsuspendAccount& request) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Account row,
                         TakeAccount(request.domain(), AccountUse::kCommand));
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AccountTasks(Order::kTogether));
  row.set_suspended(false);
  row.set_suspend_generation(row.account().generation());
  draft.resource_key = AccountKey(row.account().domain());
  draft.spec.mutable_unsuspend_account()->set_domain(row.account().domain());
  draft.supersedes = {"suspend_account", "unsuspend_account"};
  *draft.work.mutable_unsuspend_account()->mutable_account() = WorkOf(row);
  Put(std::move(row), draft.changes);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanDeleteAccount(const v1::DeleteAccount& request) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Account row,
                         TakeAccount(request.domain(), AccountUse::kDelete));
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AccountTasks(Order::kStorageLast));
  v1::Account& account = *row.mutable_account();
  if (account.state() != v1::Account::DELETING) {
    row.set_state_before_delete(account.state());
    account.set_state(v1::Account::DELETING);
  }
  row.set_delete_generation(account.generation());
  draft.resource_key = AccountKey(account.domain());
  draft.spec.mutable_delete_account()->set_domain(account.domain());
  draft.supersedes = {"*"};
  agent::v1::DeleteAccount& work = *draft.work.mutable_delete_account();
  *work.mutable_account() = WorkOf(row);
  row.clear_unbinding();
  // With those whose removal is superseded by this command.
  std::set<std::string> addresses(account.addresses().begin(), account.addresses().end());
  for (const auto& change : row.address_changes()) addresses.insert(change.address());
  for (const std::string& address : addresses) {
    if (IsFree(address, account.domain())) row.add_unbinding(address);
  }
  *work.mutable_addresses_to_unbind() = row.unbinding();
  const bool last = absl::c_any_of(addresses, [&](const std::string& address) {
    return UserOf(address, account.domain()).empty();
  });
  Put(std::move(row), draft.changes);
  AddBalancers(last, BalancersCome::kFirst, draft);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanAddAccountAddress(
    const v1::AddAccountAddress& request) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Account row,
                         TakeAccount(request.domain(), AccountUse::kCommand));
  HOSTQ_ASSIGN_OR_RETURN(const std::string address, TakeAddress(request.address()));
  v1::Account& account = *row.mutable_account();
  HOSTQ_RETURN_IF_ERROR(CheckNotUnbinding(address, AccountKey(account.domain())));
  const bool has = Contains(account.addresses(), address);
  if (!has && account.addresses_size() >= kMaxAddresses) {
    return InvalidField(Reason::kInvalidArgument, "address",
                        absl::StrCat(account.domain(), " has ", kMaxAddresses,
                                     " addresses already, which is the limit"));
  }
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AddressTasks());
  storage::v1::AddressChange& change = *row.add_address_changes();
  change.set_generation(account.generation());
  change.set_address(address);
  change.set_redundant(has);
  if (!has) account.add_addresses(address);
  draft.resource_key = AccountKey(account.domain());
  draft.spec.mutable_add_account_address()->set_domain(account.domain());
  draft.spec.mutable_add_account_address()->set_address(address);
  agent::v1::AddAccountAddress& work = *draft.work.mutable_add_account_address();
  *work.mutable_account() = WorkOf(row);
  work.set_address(address);
  const bool first = !has && UserOf(address, account.domain()).empty();
  Put(std::move(row), draft.changes);
  AddBalancers(first, BalancersCome::kLast, draft);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanRemoveAccountAddress(
    const v1::RemoveAccountAddress& request) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Account row,
                         TakeAccount(request.domain(), AccountUse::kCommand));
  HOSTQ_ASSIGN_OR_RETURN(const std::string address, NormalAddress("address", request.address()));
  v1::Account& account = *row.mutable_account();
  const auto at = absl::c_find(account.addresses(), address);
  if (at == account.addresses().end()) {
    return WithRemedy(NotFound(Reason::kInvalidAddress, absl::StrCat("address: ", account.domain(),
                                                                     " does not have ", address)),
                      absl::StrCat("see its addresses: hostq account show ", account.domain()));
  }
  if (account.addresses_size() == 1) {
    return WithRemedy(
        Precondition(Reason::kAddressInUse,
                     absl::StrCat("address: ", address, " is the only one of ", account.domain())),
        absl::StrCat("give it another one first: hostq account add-address ", account.domain(),
                     " ADDRESS; or delete the account: hostq account delete ", account.domain()));
  }
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AddressTasks());
  const bool unbind = IsFree(address, account.domain());
  storage::v1::AddressChange& change = *row.add_address_changes();
  change.set_generation(account.generation());
  change.set_address(address);
  change.set_remove(true);
  change.set_position(static_cast<int32_t>(at - account.addresses().begin()));
  change.set_unbind(unbind);
  Remove(*account.mutable_addresses(), address);
  draft.resource_key = AccountKey(account.domain());
  draft.spec.mutable_remove_account_address()->set_domain(account.domain());
  draft.spec.mutable_remove_account_address()->set_address(address);
  agent::v1::RemoveAccountAddress& work = *draft.work.mutable_remove_account_address();
  *work.mutable_account() = WorkOf(row);
  work.set_address(address);
  work.set_unbind(unbind);
  const bool last = UserOf(address, account.domain()).empty();
  Put(std::move(row), draft.changes);
  AddBalancers(last, BalancersCome::kFirst, draft);
  return Finish(std::move(draft));
}

}  // namespace hostq::manager
