#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "manager/cluster/cluster.h"

namespace hostq::manager {

// Internal to this folder. A planned command before its parts are serialized.
struct Cluster::Draft {
  std::string resource_key;
  v1::CommandSpec spec;  // normal: as the manager understood it
  agent::v1::Work work;
  std::vector<PlannedTask> tasks;
  std::vector<std::string> supersedes;
  bool needs_ready = true;
  absl::Duration timeout = absl::Minutes(5);
  ChangeSet changes;
  std::vector<PlannedCommand> parts;
};

// Some checks wait for a network that does not answer, and the lab's guest kernels are slow.
inline constexpr absl::Duration kPreflightTimeout = absl::Minutes(10);

inline std::string AccountKey(absl::string_view domain) { return absl::StrCat("account/", domain); }
inline std::string ShareKey(absl::string_view name) { return absl::StrCat("share/", name); }
inline std::string AddressKey(absl::string_view address) {
  return absl::StrCat("address/", address);
}

absl::Status NotFound(Reason reason, absl::string_view message);
// FAILED_PRECONDITION (NO_TARGETS).
absl::Status NoTargets(absl::string_view wanted, absl::string_view remedy);

// All in one stage.
std::vector<PlannedTask> InOneStage(const std::vector<std::string>& nodes);
std::vector<std::string> NodesOf(const std::vector<PlannedTask>& tasks);

bool HasRole(const storage::v1::Node& node, v1::Node::Role role);
inline bool HasJoined(const storage::v1::Node& node) { return node.node().has_join_time(); }
// "10.0.0.11" and, if it has one, its second address.
std::vector<std::string> AddressesOf(const v1::Node& node);
// What comes to accounts' addresses may be sent to it, with its weight.
bool IsRealServer(const storage::v1::Node& node);
inline bool IsWanted(const storage::v1::Address& address) {
  return address.everywhere() || address.nodes_size() != 0;
}
// "kind/create_account".
std::string PauseRowKey(const storage::v1::Pause& row);

agent::v1::Share WorkOf(const v1::Share& share);

google::protobuf::Timestamp ToTimestamp(absl::Time time);
absl::Time FromTimestamp(const google::protobuf::Timestamp& time);

// The account a task is about; null: about none.
const agent::v1::Account* AccountOf(const agent::v1::Work& work);

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& list, absl::string_view value);
// False: it was not in it.
bool Remove(google::protobuf::RepeatedPtrField<std::string>& list, absl::string_view value);

}  // namespace hostq::manager
