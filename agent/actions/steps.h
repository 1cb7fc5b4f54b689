#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/actions/action.h"

namespace hostq::agent {

// The steps that kinds share, by what they are about. Each observes first, so that a second run
// changes nothing.

// The user database's tools wait 15 s for its lock, and a step may run two of them.
inline constexpr absl::Duration kUserTimeout = absl::Seconds(60);
// The kernel may try a mount for most of a minute.
inline constexpr absl::Duration kMountTimeout = absl::Seconds(60);

// --- results ---
StepResult Changed(std::string message);
StepResult Unchanged(std::string message);
StepResult Skipped(std::string message);
// Reason, message and evidence of the status.
StepResult Failed(const absl::Status& status);
StepResult Warned(const absl::Status& status);
using StepFunction = std::function<absl::StatusOr<StepResult>(Host&)>;
// A step that failed if its function returns an error.
Step MakeStep(std::string name, StepFunction run, absl::Duration timeout = absl::Seconds(30));

// --- where things are (places.cc) ---
// Where an account's home lies on this node: `relative` below what `root` really is (ResolveLink).
struct HomePlace {
  std::string root;
  std::string relative;
  // `root` is where the share has to be mounted.
  bool remote = false;
};
// On a storage node homes lie below the exported directory, on the others below the mount point,
// and without a share in the directory that the home names. BAD_PARAMETERS if the home is not below
// it.
absl::StatusOr<HomePlace> PlaceOfHome(const v1::Account& account, const Roles& roles);
// `path`, or where it points if it is a symbolic link. Followed once, and never if something is
// mounted there, so that no file server is asked. Refuses system directories.
absl::StatusOr<std::string> ResolveLink(Host& host, const std::string& path);
// The share's own mount. Reasons: SHARE_NOT_MOUNTED, SHARE_WRONG_SOURCE, MOUNT_POINT_MISSING.
absl::StatusOr<Mount> FindShare(Host& host, const v1::Share& share);
// What is mounted at `place.root`: the share if it has to be, else what contains it.
absl::StatusOr<Mount> FindHomeMount(Host& host, const v1::Account& account, const HomePlace& place);

// --- checks at planning time (checks.cc) ---
absl::Status CheckAccountUser(const Policy& policy, const v1::Account& account);
absl::Status CheckAccountHome(const Policy& policy, const v1::Account& account, const Roles& roles);
absl::Status CheckShare(const Policy& policy, const v1::Share& share);

// --- steps ---
std::vector<Step> EnsureUserSteps(const v1::Account& account);
std::vector<Step> RemoveUserSteps(const v1::Account& account);
std::vector<Step> SuspendSteps(const v1::Account& account);
// The shell of a suspended account.
std::string NologinShell(Host& host);
std::vector<Step> UnsuspendSteps(const v1::Account& account);

Step MakeHomeStep(const v1::Account& account, const HomePlace& place);
Step VerifyHomeStep(const v1::Account& account, const HomePlace& place);
Step TrashHomeStep(const v1::Account& account, const HomePlace& place);

Step SetQuotaStep(const v1::Account& account, const HomePlace& place);
Step VerifyQuotaStep(const v1::Account& account, const HomePlace& place);
Step ClearQuotaStep(const v1::Account& account, const HomePlace& place);

Step VerifyShareStep(const v1::Share& share);

// Cluster addresses of balancers.
using Balancers = google::protobuf::RepeatedPtrField<std::string>;
// `address` was checked. The hosts with the addresses `balancers`, and those that are noted as
// balancers, may answer for it. On a balancer it may be on the interface to the network instead.
Step BindAddressStep(const std::string& address, const Balancers& balancers, const Roles& roles);
Step UnbindAddressStep(const std::string& address);
// Whether this node keeps silent when the network asks for an address on lo. ARP_NOT_SILENCED.
absl::Status CheckArpSilenced(Host& host);

// --- balancing (steps_balancing.cc) ---
// Reasons at planning time: BAD_PARAMETERS, NOT_ALLOWED_BY_POLICY.
absl::Status CheckTable(const Policy& policy, const v1::BalancingTable& table);
// Brings the balancer to `table`, or to a newer one that it was given before. Other services than
// those of the tables' addresses are left alone.
Step BalanceStep(const v1::BalancingTable& table, const Policy& policy);
// As VirtualServices::List would tell them.
std::vector<VirtualService> ServicesOf(const v1::BalancingTable& table);
// The interface with one of the balancers' addresses. BALANCER_UPLINK_MISSING.
absl::StatusOr<std::string> FindUplink(const std::vector<InterfaceAddress>& all,
                                       const Balancers& balancers);

// --- exports (steps_exports.cc) ---
// Reasons at planning time: BAD_PARAMETERS, NOT_ALLOWED_BY_POLICY.
absl::Status CheckExports(const Policy& policy, const v1::ExportTable& table);
// Exports what `table`, or a newer one that was given before, says of this node, to those clients
// to whom nobody else exports it already.
Step ExportStep(const v1::ExportTable& table, const Policy& policy);

// The events that hooks are told of.
inline constexpr char kHookCreated[] = "created";
inline constexpr char kHookSuspended[] = "suspended";
inline constexpr char kHookUnsuspended[] = "unsuspended";
inline constexpr char kHookDeleted[] = "deleted";
inline constexpr char kHookQuotaChanged[] = "quota_changed";
inline constexpr char kHookAddressAdded[] = "address_added";
inline constexpr char kHookAddressRemoved[] = "address_removed";
// Appends the step that runs the node's hooks for an event, if its policy has any; `address`: which
// was added or removed. Reasons at planning time: BAD_PARAMETERS, NOT_ALLOWED_BY_POLICY.
absl::Status AppendHooks(absl::string_view event, const v1::Account& account, const Roles& roles,
                         const Policy& policy, std::vector<Step>& steps,
                         absl::string_view address = "");

// What an account's user must not be: another's. Reasons: USER_NAME_TAKEN, UID_TAKEN.
absl::Status CheckIdentity(Host& host, const v1::Account& account);
// The account's user. Reasons: as above, USER_MISSING.
absl::StatusOr<User> FindOwnUser(Host& host, const v1::Account& account);
// A step of a deletion. Where the name or the uid is another's (its creation was refused there for
// that very reason), nothing is the account's: the step is skipped, and says so.
Step RemovalStep(std::string name, const v1::Account& account, StepFunction run,
                 absl::Duration timeout = absl::Seconds(30));

}  // namespace hostq::agent
