#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "google/protobuf/util/time_util.h"
#include "manager/cluster/audit_json.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxPauseNote = 500;

std::string RoleName(v1::Node::Role role) {
  return absl::AsciiStrToLower(v1::Node::Role_Name(role));
}

// Without repetition, in the order of the enum.
absl::StatusOr<std::set<v1::Node::Role>> NormalRoles(const v1::CreateNodeRequest& request) {
  std::set<v1::Node::Role> roles;
  for (const int value : request.roles()) {
    const auto role = static_cast<v1::Node::Role>(value);
    if (role != v1::Node::APP && role != v1::Node::STORAGE && role != v1::Node::BALANCER) {
      const std::string name = v1::Node::Role_IsValid(value) ? RoleName(role) : absl::StrCat(value);
      return InvalidField(
          Reason::kInvalidArgument, "roles",
          absl::StrCat("\"", name, "\" does nothing yet; wanted: app, storage, balancer"));
    }
    roles.insert(role);
  }
  if (roles.empty()) {
    return InvalidField(Reason::kInvalidArgument, "roles",
                        "missing; wanted: app, storage, balancer, or several of them");
  }
  return roles;
}

absl::Status Exists(absl::string_view message) {
  return MakeError(absl::StatusCode::kAlreadyExists, Reason::kNodeExists, message);
}

// Empty: none was given.
absl::StatusOr<std::string> SecondAddress(const v1::CreateNodeRequest& request,
                                          const std::string& first) {
  if (request.second_address().empty()) return std::string();
  HOSTQ_ASSIGN_OR_RETURN(std::string second,
                         NormalNodeAddress("second_address", request.second_address()));
  if (absl::StrContains(first, ':') != absl::StrContains(second, ':')) return second;
  return InvalidField(Reason::kInvalidAddress, "second_address",
                      absl::StrCat(second, " is of the same family as ", first,
                                   "; wanted: one IPv4 and one IPv6 address"));
}

Event NodeEvent(EventType type, absl::string_view node, absl::string_view actor,
                std::string message) {
  Event event;
  event.type = type;
  event.node = std::string(node);
  event.actor = std::string(actor);
  event.message = std::move(message);
  return event;
}

}  // namespace

std::vector<std::string> AddressesOf(const v1::Node& node) {
  std::vector<std::string> addresses = {node.address()};
  if (!node.second_address().empty()) addresses.push_back(node.second_address());
  return addresses;
}

bool HasRole(const storage::v1::Node& node, v1::Node::Role role) {
  return std::find(node.node().roles().begin(), node.node().roles().end(), role) !=
         node.node().roles().end();
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(time));
}

absl::Time FromTimestamp(const google::protobuf::Timestamp& time) {
  return absl::FromUnixNanos(google::protobuf::util::TimeUtil::TimestampToNanoseconds(time));
}

NodeState Cluster::NodeStateOf(const storage::v1::Node& node) const {
  NodeState state;
  state.name = node.node().name();
  for (const int role : node.node().roles()) {
    state.roles.push_back(RoleName(static_cast<v1::Node::Role>(role)));
  }
  state.joined = HasJoined(node);
  state.admitted = node.admitted();
  state.draining = node.draining();
  state.awaits_accounts = node.awaits_accounts();
  for (const v1::PreflightCheck& check : node.node().checks()) {
    if (state.admitted || check.status() != v1::PreflightCheck::FAILED) continue;
    state.failed_checks.push_back({absl::StrCat("check/", check.id()),
                                   static_cast<Reason>(check.reason()), check.message(),
                                   FromTimestamp(node.node().preflight_time()), check.remedy()});
  }
  if (const storage::v1::Certificate* certificate = CertificateOf(node)) {
    state.certificate_expire_time = FromTimestamp(certificate->expire_time());
  }
  state.banned = node.has_ban();
  if (state.banned) {
    state.banned_by = node.ban().actor();
    state.ban_note = node.ban().note();
    state.ban_time = FromTimestamp(node.ban().time());
  }
  if (node.manager_address() != options_.agents_address) {
    state.old_manager_address = node.manager_address();
  }
  state.paused = node.has_pause_time();
  if (!state.paused) return state;
  state.paused_by = node.node().paused_by();
  state.pause_note = node.node().pause_note();
  state.pause_time = FromTimestamp(node.pause_time());
  return state;
}

absl::StatusOr<ChangeSet> Cluster::AddNode(const v1::CreateNodeRequest& request,
                                           const storage::v1::Token& token, absl::string_view actor,
                                           const Now& now) {
  HOSTQ_RETURN_IF_ERROR(CheckName("name", request.name(), kMaxNodeName));
  HOSTQ_ASSIGN_OR_RETURN(const std::set<v1::Node::Role> roles, NormalRoles(request));
  HOSTQ_ASSIGN_OR_RETURN(const std::string address,
                         NormalNodeAddress("address", request.address()));
  HOSTQ_ASSIGN_OR_RETURN(const std::string second, SecondAddress(request, address));
  const storage::v1::Node* old = FindNode(request.name());
  if (old != nullptr && HasJoined(*old)) {
    return Exists(absl::StrCat("name: node ", request.name(),
                               " has joined; to join it again: hostq node rejoin ",
                               request.name()));
  }
  if (old != nullptr && old->has_ban()) {
    return Precondition(Reason::kNodeBanned, CheckNotBanned(*old).message());
  }
  HOSTQ_RETURN_IF_ERROR(CheckAddressFree("address", address, request.name()));
  if (!second.empty()) {
    HOSTQ_RETURN_IF_ERROR(CheckAddressFree("second_address", second, request.name()));
  }
  if (roles.count(v1::Node::BALANCER) != 0) {
    HOSTQ_RETURN_IF_ERROR(CheckNoOtherBalancer(request.name()));
  }
  if (!options_.outside_certificates) HOSTQ_RETURN_IF_ERROR(CheckNewToken(token));

  storage::v1::Node row;
  if (old != nullptr) row = *old;
  row.set_draining(false);
  if (options_.outside_certificates) row.set_least_incarnation(counters_.incarnation() + 1);
  v1::Node& node = *row.mutable_node();
  node.set_name(request.name());
  node.clear_roles();
  for (const v1::Node::Role role : roles) node.add_roles(role);
  node.set_address(address);
  node.set_second_address(second);
  if (old == nullptr) *node.mutable_create_time() = ToTimestamp(now.wall);
  ChangeSet changes;
  changes.events.push_back(
      NodeEvent(EventType::kNodeAdded, request.name(), actor,
                absl::StrCat(absl::StrJoin(NodeStateOf(row).roles, ", "), " at ", address,
                             old == nullptr ? "" : " (again: new join token)")));
  if (old != nullptr) changes.before = AuditJsonOf(*old);
  changes.after = AuditJsonOf(row);
  Put(std::move(row), changes);
  if (!options_.outside_certificates) {
    storage::v1::Token mine = token;
    mine.set_node(request.name());
    EraseTokensOf(request.name(), changes);
    Put(std::move(mine), changes);
  }
  // Its first preflight tries the share already.
  if (roles.count(v1::Node::APP) != 0) Reexport(changes);
  return changes;
}

absl::Status Cluster::CheckAddressFree(absl::string_view field, const std::string& address,
                                       absl::string_view node) const {
  for (const auto& [name, other] : nodes_) {
    const std::vector<std::string> taken = AddressesOf(other.node());
    if (name != node && std::find(taken.begin(), taken.end(), address) != taken.end()) {
      return WithRemedy(
          Exists(absl::StrCat(field, ": ", address, " is node ", name, "'s")),
          absl::StrCat("choose another address, or remove that node first: hostq node remove ",
                       name));
    }
  }
  if (!address_domains_.contains(address) && addresses_.count(address) == 0) {
    return absl::OkStatus();
  }
  return WithRemedy(
      Precondition(Reason::kAddressInUse,
                   absl::StrCat(field, ": ", address, " is one of those on lo of the app nodes")),
      "give the node's own address inside the cluster");
}

// Two would both answer for the accounts' addresses.
absl::Status Cluster::CheckNoOtherBalancer(absl::string_view node) const {
  for (const auto& [name, other] : nodes_) {
    if (name == node || !HasRole(other, v1::Node::BALANCER)) continue;
    return WithRemedy(
        Precondition(Reason::kBalancerExists,
                     absl::StrCat("roles: node ", name,
                                  " is the balancer, and two would both answer for the accounts' "
                                  "addresses")),
        absl::StrCat("leave the role out; or remove the other one first: hostq node remove ",
                     name));
  }
  return absl::OkStatus();
}

absl::StatusOr<ChangeSet> Cluster::RemoveNode(absl::string_view name, int unfinished_tasks,
                                              bool force, absl::string_view actor) {
  if (FindNode(name) == nullptr) return UnknownNode(name);
  if (unfinished_tasks > 0 && !force) {
    return Precondition(Reason::kNodeHasTasks,
                        absl::StrCat("name: node ", name, " has ", unfinished_tasks,
                                     " unfinished tasks; wait for them, or force the removal to "
                                     "cancel them"));
  }
  if (const int served = AccountsOnlyOn(*FindNode(name)); served > 0 && !force) {
    return WithRemedy(
        Precondition(Reason::kShareInUse, absl::StrCat("name: the homes of ", served,
                                                       " accounts lie on shares of the "
                                                       "cluster, and ",
                                                       name, " is its only storage node")),
        absl::StrCat(
            "add another storage node first, or delete the accounts; or, if the machine is "
            "gone: hostq node remove ",
            name, " --force"));
  }
  ChangeSet changes;
  const std::string removed(name);
  changes.before = AuditJsonOf(*FindNode(name));
  changes.removed_nodes.push_back(removed);
  changes.events.push_back(
      NodeEvent(EventType::kNodeRemoved, removed, actor,
                unfinished_tasks > 0 ? absl::StrCat(unfinished_tasks, " tasks cancelled") : ""));
  EraseTokensOf(removed, changes);
  const bool balanced = IsRealServer(*FindNode(removed));
  const bool app = HasRole(*FindNode(removed), v1::Node::APP);
  EraseNode(removed, changes);
  ForgetNode(removed, changes);
  if (balanced) Rebalance(false, changes);
  if (app) Reexport(changes);
  return changes;
}

int Cluster::AccountsOnlyOn(const storage::v1::Node& node) const {
  const auto other = [&](const auto& entry) {
    const storage::v1::Node& row = entry.second;
    return row.node().name() != node.node().name() && HasJoined(row) && !row.draining() &&
           HasRole(row, v1::Node::STORAGE);
  };
  if (!HasRole(node, v1::Node::STORAGE) || absl::c_any_of(nodes_, other)) return 0;
  size_t count = 0;
  for (const auto& [share, accounts] : share_accounts_) count += share.empty() ? 0 : accounts;
  return static_cast<int>(count);
}

// A later node of the same name has not mounted or bound anything.
void Cluster::ForgetNode(const std::string& name, ChangeSet& changes) {
  for (const auto& [share, row] : std::map(shares_)) {
    storage::v1::Share changed = row;
    if (Remove(*changed.mutable_extra_nodes(), name)) Put(std::move(changed), changes);
  }
  for (const auto& [address, row] : std::map(addresses_)) {
    storage::v1::Address changed = row;
    if (Remove(*changed.mutable_nodes(), name)) PutOrErase(std::move(changed), changes);
  }
}

absl::StatusOr<ChangeSet> Cluster::PauseNode(absl::string_view name, absl::string_view note,
                                             absl::string_view actor, const Now& now, bool drain) {
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr) return UnknownNode(name);
  if (absl::StripAsciiWhitespace(note).empty()) {
    return InvalidField(Reason::kInvalidArgument, "note", "missing; wanted: why it is paused");
  }
  HOSTQ_RETURN_IF_ERROR(CheckText("note", note, kMaxPauseNote));
  storage::v1::Node row = *old;
  row.mutable_node()->set_paused_by(IsUtf8(actor) ? std::string(actor) : "?");
  row.mutable_node()->set_pause_note(std::string(note));
  *row.mutable_pause_time() = ToTimestamp(now.wall);
  const bool drained = drain && !old->node().drained();
  if (drain) row.mutable_node()->set_drained(true);
  const bool balanced = IsRealServer(row);
  ChangeSet changes;
  changes.events.push_back(NodeEvent(EventType::kNodePaused, name, actor, std::string(note)));
  changes.before = AuditJsonOf(*old);
  changes.after = AuditJsonOf(row);
  Put(std::move(row), changes);
  if (drained && balanced) Rebalance(false, changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::ResumeNode(absl::string_view name, absl::string_view actor) {
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr) return UnknownNode(name);
  ChangeSet changes;
  if (!old->has_pause_time()) return changes;
  storage::v1::Node row = *old;
  row.mutable_node()->clear_paused_by();
  row.mutable_node()->clear_pause_note();
  row.clear_pause_time();
  const bool undrained = row.node().drained() && IsRealServer(row);
  row.mutable_node()->clear_drained();
  changes.events.push_back(NodeEvent(EventType::kNodeResumed, name, actor, ""));
  changes.before = AuditJsonOf(*old);
  changes.after = AuditJsonOf(row);
  Put(std::move(row), changes);
  if (undrained) Rebalance(false, changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::DrainNode(absl::string_view name) {
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr) return UnknownNode(name);
  ChangeSet changes;
  if (old->draining()) return changes;
  storage::v1::Node row = *old;
  row.set_draining(true);
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::NodeJoined(const ShownCertificate& issued, const Now& now) {
  const absl::string_view name = issued.node;
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr) return UnknownNode(name);
  // A ban made all tokens void: one that is there was made since.
  if (!HasToken(name, issued.incarnation)) HOSTQ_RETURN_IF_ERROR(CheckNotBanned(*old));
  if (issued.incarnation < old->incarnation() || issued.incarnation <= 0) {
    return Precondition(Reason::kTokenInvalid,
                        absl::StrCat("incarnation: ", issued.incarnation, " of node ", name,
                                     " is not the present one, ", old->incarnation()));
  }
  const bool joined = !HasJoined(*old) || issued.incarnation > old->incarnation();
  // The certificates of before are void from here on, and so is the ban.
  HOSTQ_ASSIGN_OR_RETURN(ChangeSet changes, UnbanNode(name, absl::StrCat("node/", name)));
  storage::v1::Node row = *FindNode(name);
  if (joined) {
    // A node that joins again goes on serving meanwhile.
    if (IsRealServer(row) && !row.has_weight()) row.set_weight(1);
    row.set_incarnation(issued.incarnation);
    row.set_admitted(false);
    row.clear_certificates();
    row.clear_current();
    row.clear_trusts();
    row.mutable_node()->clear_checks();
    row.mutable_node()->clear_preflight_time();
    *row.mutable_node()->mutable_join_time() = ToTimestamp(now.wall);
    changes.events.push_back(NodeEvent(EventType::kNodeJoined, name, absl::StrCat("node/", name),
                                       absl::StrCat("certificate ", issued.serial)));
  }
  storage::v1::Certificate& next = *row.mutable_next();
  next.set_serial(issued.serial);
  *next.mutable_start_time() = ToTimestamp(issued.not_before);
  *next.mutable_expire_time() = ToTimestamp(issued.not_after);
  next.set_authority(issued.authority);
  row.set_manager_address(options_.agents_address);
  if (issued.incarnation > counters_.incarnation()) {
    counters_.set_incarnation(issued.incarnation);
    PutCounters(changes);
  }
  changes.after = absl::StrCat("{\"incarnation\":", issued.incarnation, ",\"certificate\":\"",
                               issued.serial, "\",\"node\":", AuditJsonOf(row), "}");
  Put(std::move(row), changes);
  if (joined) BringUp(std::string(name), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::RejoinNode(absl::string_view name,
                                              const storage::v1::Token& token,
                                              absl::string_view actor) {
  const storage::v1::Node* node = FindNode(name);
  if (node == nullptr) return UnknownNode(name);
  ChangeSet changes;
  if (options_.outside_certificates) {
    storage::v1::Node row = *node;
    row.set_least_incarnation(std::max(counters_.incarnation(), node->least_incarnation()) + 1);
    Put(std::move(row), changes);
  } else {
    storage::v1::Token mine = token;
    mine.set_node(std::string(name));
    HOSTQ_ASSIGN_OR_RETURN(changes, PutToken(mine));
  }
  changes.events.push_back(
      NodeEvent(EventType::kNodeAdded, name, actor, "may join again: new join token"));
  changes.before = AuditJsonOf(*node);
  changes.after = absl::StrCat(
      "{\"token_expire_time\":\"",
      absl::FormatTime(absl::RFC3339_sec, FromTimestamp(token.expire_time()), absl::UTCTimeZone()),
      "\"}");
  return changes;
}

absl::Status Cluster::CheckNewToken(const storage::v1::Token& token) const {
  if (token.id().empty() || token.secret_hash().empty() || !token.has_expire_time()) {
    return InvalidField(Reason::kInvalidArgument, "token", "id, hash or time of expiry is missing");
  }
  if (FindToken(token.id()) == nullptr) return absl::OkStatus();
  return MakeError(absl::StatusCode::kAlreadyExists, Reason::kInvalidArgument,
                   absl::StrCat("token: there is one with the id ", Printable(token.id())));
}

absl::StatusOr<ChangeSet> Cluster::PutToken(const storage::v1::Token& token) {
  const storage::v1::Node* node = FindNode(token.node());
  if (node == nullptr) return UnknownNode(token.node());
  HOSTQ_RETURN_IF_ERROR(CheckNewToken(token));
  ChangeSet changes;
  EraseTokensOf(token.node(), changes);
  Put(token, changes);
  return changes;
}

bool Cluster::HasToken(absl::string_view node, int64_t incarnation) const {
  return absl::c_any_of(tokens_, [&](const auto& entry) {
    return entry.second.node() == node && entry.second.incarnation() == incarnation;
  });
}

absl::StatusOr<ChangeSet> Cluster::BindToken(absl::string_view id, absl::string_view key_hash,
                                             const Now& now) {
  const auto refuse = [](Reason reason, absl::string_view message) {
    return MakeError(absl::StatusCode::kPermissionDenied, reason, message);
  };
  const storage::v1::Token* old = FindToken(id);
  const storage::v1::Node* node = old == nullptr ? nullptr : FindNode(old->node());
  if (node == nullptr || key_hash.empty()) {
    return refuse(Reason::kTokenInvalid, "token: it is not valid");
  }
  if (old->key_hash() == key_hash) return ChangeSet{};
  if (!old->key_hash().empty()) {
    return refuse(Reason::kTokenUsed, "token: another key has used it");
  }
  ChangeSet changes;
  counters_.set_incarnation(counters_.incarnation() + 1);
  PutCounters(changes);
  storage::v1::Token token = *old;
  token.set_key_hash(std::string(key_hash));
  token.set_incarnation(counters_.incarnation());
  *token.mutable_used_time() = ToTimestamp(now.wall);
  Put(std::move(token), changes);
  return changes;
}

}  // namespace hostq::manager
