#include "agent/upkeep/drift.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/actions/balancing_note.h"
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

bool IsBalancer(const KeptItem& item) {
  return std::find(item.roles.begin(), item.roles.end(), "balancer") != item.roles.end();
}

// Whether the service is there as it should be, as far as can be seen.
bool IsThere(const std::vector<VirtualService>& seen, VirtualService wanted) {
  wanted.persistence = wanted.persistence == 0 ? 0 : 1;
  return std::find(seen.begin(), seen.end(), wanted) != seen.end();
}

std::optional<Deviation> LookAtBalancing(Host& host, const std::vector<InterfaceAddress>& addresses,
                                         const std::string& key, const v1::BalancingTable& table) {
  const auto uplink = FindUplink(addresses, table.balancers());
  if (!uplink.ok()) {
    return Deviation{key, Reason::kBalancerUplinkMissing, std::string(uplink.status().message())};
  }
  const auto incomplete = [&](std::string message) {
    return Deviation{key, Reason::kBalancingIncomplete, std::move(message)};
  };
  std::set<std::string> there;
  for (const InterfaceAddress& one : addresses) {
    if (one.interface == *uplink) there.insert(one.address.ToString());
  }
  for (const std::string& address : table.addresses()) {
    if (!there.contains(address)) {
      return incomplete(absl::StrCat(address, " is not on ", *uplink));
    }
  }
  const auto seen = host.virtual_services().Glimpse();
  if (!seen.ok()) return incomplete(std::string(seen.status().message()));
  for (const VirtualService& service : ServicesOf(table)) {
    if (IsThere(*seen, service)) continue;
    return incomplete(absl::StrCat("port ", service.port, " of ", service.address.ToString(),
                                   " is not spread as it should be"));
  }
  return std::nullopt;
}

// Users by name and by uid; read once for all accounts, and not at all if there are none.
class UserList {
 public:
  absl::Status Read(Host& host) {
    if (read_) return absl::OkStatus();
    HOSTQ_ASSIGN_OR_RETURN(all_, host.users().List());
    for (const User& user : all_) {
      by_name_.emplace(user.name, &user);
      by_uid_.emplace(user.uid, &user);
    }
    read_ = true;
    return absl::OkStatus();
  }
  const User* Named(const std::string& name) const { return Find(by_name_, name); }
  const User* WithUid(uint32_t uid) const { return Find(by_uid_, uid); }

 private:
  template <typename Map, typename Key>
  static const User* Find(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : found->second;
  }
  bool read_ = false;
  std::vector<User> all_;
  std::map<std::string, const User*> by_name_;
  std::map<uint32_t, const User*> by_uid_;
};

std::optional<Deviation> LookAtUser(Host& host, const UserList& users, const std::string& key,
                                    const v1::Account& account) {
  const auto is = [&](Reason reason, std::string message) {
    return Deviation{key, reason, std::move(message)};
  };
  const std::string& name = account.user();
  const User* const user = users.Named(name);
  const User* const other = users.WithUid(account.uid());
  if (user != nullptr && user->uid != account.uid()) {
    return is(Reason::kUserNameTaken, absl::StrCat("the user ", name, " has uid ", user->uid,
                                                   " instead of ", account.uid()));
  }
  if (other != nullptr && other->name != name) {
    return is(Reason::kUidTaken,
              absl::StrCat("uid ", account.uid(), " belongs to the user ", other->name));
  }
  if (user == nullptr) return is(Reason::kUserMissing, absl::StrCat("there is no user ", name));
  if (user->gid != account.gid()) {
    return is(Reason::kUserNameTaken, absl::StrCat("the user ", name, " has the primary group ",
                                                   user->gid, " instead of ", account.gid()));
  }
  if (user->home != account.home()) {
    return is(Reason::kDiffers, absl::StrCat("the home of ", name, " is ", user->home,
                                             " instead of ", account.home()));
  }
  const std::string shell = account.suspended() ? NologinShell(host) : account.shell();
  if (user->shell == shell) return std::nullopt;
  return is(Reason::kDiffers,
            absl::StrCat("the shell of ", name, account.suspended() ? ", who is suspended," : "",
                         " is ", user->shell, " instead of ", shell));
}

}  // namespace

absl::StatusOr<std::vector<Deviation>> FindDrift(Host& host, const Kept& kept) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<Mount> mounts, host.mounts().List());
  HOSTQ_ASSIGN_OR_RETURN(const auto addresses, host.addresses().List());
  std::set<std::string> on_lo, anywhere;
  for (const InterfaceAddress& one : addresses) {
    anywhere.insert(one.address.ToString());
    if (one.interface == kLoopback && one.prefix == one.address.bits()) {
      on_lo.insert(one.address.ToString());
    }
  }
  std::vector<Deviation> found;
  UserList users;
  for (const auto& [key, item] : kept) {
    v1::Work work;
    if (!work.ParseFromString(item.work)) continue;  // the repair would say no more
    if (work.has_mount_share()) {
      auto deviation = LookAtShare(host, mounts, key, work.mount_share().share());
      if (deviation) found.push_back(*std::move(deviation));
    } else if (work.has_bind_address()) {
      const std::string& address = work.bind_address().address();
      // A balancer may have it on its interface to the network.
      if (on_lo.contains(address) || (IsBalancer(item) && anywhere.contains(address))) continue;
      found.push_back({key, Reason::kAddressMissing, absl::StrCat(address, " is not on lo")});
    } else if (work.has_set_balancing()) {
      auto deviation = LookAtBalancing(host, addresses, key, work.balancing());
      if (deviation) found.push_back(*std::move(deviation));
    } else if (work.has_resync_account()) {
      HOSTQ_RETURN_IF_ERROR(users.Read(host));
      auto deviation = LookAtUser(host, users, key, work.resync_account().account());
      if (deviation) found.push_back(*std::move(deviation));
    }
  }
  return found;
}

}  // namespace hostq::agent
