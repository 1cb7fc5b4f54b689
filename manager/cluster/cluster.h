#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "hostq/agent/v1/work.pb.h"
#include "hostq/storage/v1/resource.pb.h"
#include "hostq/v1/account_service.pb.h"
#include "hostq/v1/command.pb.h"
#include "hostq/v1/node.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "manager/cluster/notice_rows.h"
#include "manager/cluster/webhooks.h"
#include "manager/domain/plan.h"
#include "manager/domain/shown_certificate.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// The cluster as it should be: nodes, accounts, shares, addresses, join tokens. Knows the kinds of
// commands: turns a request into a planned command, and what nodes report into the desired state.
//
// Every method that changes something changes it here and returns the rows to be stored; on error
// nothing has changed. The caller commits what is returned (Engine::Submit and Engine::Change do).
// Deterministic: no I/O, no clock, no chance. Not thread-safe: the engine's thread only.
//
// Messages of errors begin with the request field that is wrong ("domain: ...") and say what is
// wanted.
class Cluster final : public Resources {
 public:
  struct Options {
    std::string name;
    // The address and port on which the nodes reach the manager.
    std::string quorum_address;
    uint16_t quorum_port = 7443;
    // The range of the accounts' uids, both inclusive.
    uint32_t uid_min = 20000;
    uint32_t uid_max = 59999;
    // ADDRESS:PORT of the sessions, as nodes are told when they join.
    std::string agents_address;
    // Revisions of balancing tables begin here at least. Above all that were given before: a store
    // restored from a backup does not know how high they were.
    uint64_t revision_floor = 0;
    // Of the manager's machine, as nodes tell theirs: "debian 12", "x86_64". Empty: not known.
    std::string os, machine;
    // The nodes' certificates come from outside: the first session of a node with one joins it.
    bool outside_certificates = false;
  };

  // `rows` are those of the store. Errors: INVALID_ARGUMENT (options), DATA_LOSS (a row that cannot
  // be read, or was written by a newer version).
  static absl::StatusOr<std::unique_ptr<Cluster>> Load(Options options,
                                                       absl::Span<const ResourceChange> rows);

  // --- commands ---
  // Validates the request and says what goes where. `nodes`: the nodes named in the request, empty
  // for those the kind asks for; most kinds take none. The command must then be submitted: the
  // desired state has changed. See docs/reference/kinds.md for each kind.
  // Errors: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION and (no uid left)
  // RESOURCE_EXHAUSTED, each with a reason.
  // An account that it creates is that of the API key `key_id` (empty: of none).
  absl::StatusOr<PlannedCommand> Plan(const v1::CommandSpec& spec,
                                      absl::Span<const std::string> nodes, const Now& now,
                                      absl::string_view key_id = {});

  // The same, and the desired state is as it was: what would be planned.
  absl::StatusOr<PlannedCommand> TryPlan(const v1::CommandSpec& spec,
                                         absl::Span<const std::string> nodes, const Now& now);

  // --- Resources ---
  // A preflight's steps become the node's checks; the node is admitted when none failed.
  ChangeSet AttemptEnded(const Command& command, const Task& task, const Attempt& attempt) override;
  // The account is active, suspended, gone; the share or address is gone. What was planned is taken
  // back if no node ever got a task of the command; a balancer that was to get a table with it gets
  // one without.
  ChangeSet CommandFinished(const Command& command) override;
  // A preflight, until the node has passed one.
  std::optional<PlannedCommand> NodeConnected(const NodeState& node) override;
  // A preflight.
  std::optional<PlannedCommand> CheckNode(const NodeState& node) override;

  // --- nodes ---
  // Adds a node, or changes one that has not joined. `token` is its join token (id, secret_hash and
  // expire_time set); older ones of the node are void from then on.
  // Errors: INVALID_ARGUMENT, ALREADY_EXISTS (NODE_EXISTS: it has joined, or another node has the
  // address), FAILED_PRECONDITION (ADDRESS_IN_USE: an account has it; BALANCER_EXISTS).
  absl::StatusOr<ChangeSet> AddNode(const v1::CreateNodeRequest& request,
                                    const storage::v1::Token& token, absl::string_view actor,
                                    const Now& now);
  // A token with which a node that has joined joins again, with another key; then its certificates
  // of before are void, and a ban has ended. If certificates come from outside, they are void at
  // once, and a ban is to be lifted. Errors: NOT_FOUND; those of PutToken.
  absl::StatusOr<ChangeSet> RejoinNode(absl::string_view name, const storage::v1::Token& token,
                                       absl::string_view actor);
  // Its tokens and certificates are void. `unfinished_tasks` is how many the queue has for it.
  // Errors: NOT_FOUND; unless `force`: FAILED_PRECONDITION (NODE_HAS_TASKS; SHARE_IN_USE: it is the
  // only storage node, and accounts live on shares).
  absl::StatusOr<ChangeSet> RemoveNode(absl::string_view name, int unfinished_tasks, bool force,
                                       absl::string_view actor);
  // `drain`: the balancers send it no new connections either, until it is resumed.
  // Errors: NOT_FOUND, INVALID_ARGUMENT (no note, or longer than 500 characters).
  absl::StatusOr<ChangeSet> PauseNode(absl::string_view name, absl::string_view note,
                                      absl::string_view actor, const Now& now, bool drain = false);
  // No change if it is not paused. Errors: NOT_FOUND.
  absl::StatusOr<ChangeSet> ResumeNode(absl::string_view name, absl::string_view actor);
  // The node is no target of new commands and gets no tasks. Errors: NOT_FOUND.
  absl::StatusOr<ChangeSet> DrainNode(absl::string_view name);
  // A certificate was issued to the node for its token; with the first one of an incarnation it has
  // joined, and must pass a preflight. Errors: NOT_FOUND, FAILED_PRECONDITION (TOKEN_INVALID: the
  // incarnation is an old one), PERMISSION_DENIED (NODE_BANNED: and its token is of before). By a
  // token that was made while it was banned, the ban ends.
  absl::StatusOr<ChangeSet> NodeJoined(const ShownCertificate& issued, const Now& now);

  // --- nodes' certificates: certificates.cc ---
  // Of each node two count: the one that it uses, and the one that was issued since, which takes
  // the other's place at its first use.
  // Whether somebody who shows this certificate is the node. Errors: PERMISSION_DENIED
  // (NOT_AUTHORIZED: no such node, or an earlier incarnation; NODE_BANNED; CERTIFICATE_SUPERSEDED:
  // a newer one was used).
  absl::Status CheckShown(const ShownCertificate& shown) const;
  // It was used, from `source`: it is the current one from now on. One that is not known, but newer
  // than those that are, is taken over, with an alarm: the manager was restored from a backup, or
  // somebody has the authority's key, which cannot be told apart here. No change if it is the
  // current one. Errors: as CheckShown.
  absl::StatusOr<ChangeSet> CertificateUsed(const ShownCertificate& shown, absl::string_view source,
                                            const Now& now);
  // Another one was issued, which counts from now on. Errors: PERMISSION_DENIED (NOT_AUTHORIZED,
  // NODE_BANNED).
  absl::StatusOr<ChangeSet> CertificateIssued(const ShownCertificate& issued);
  // No session and no certificate until the ban is lifted, or the node has joined anew by a token
  // that was made since; its tokens are void. Errors: NOT_FOUND, INVALID_ARGUMENT (no note, or
  // longer than 500 characters).
  absl::StatusOr<ChangeSet> BanNode(absl::string_view name, absl::string_view note,
                                    absl::string_view actor, const Now& now);
  // Its certificates of before are good again. No change if it is not banned. Errors: NOT_FOUND.
  absl::StatusOr<ChangeSet> UnbanNode(absl::string_view name, absl::string_view actor);
  // For an hour it may renew a certificate that has expired for however long; clears its alarm.
  // Errors: NOT_FOUND, FAILED_PRECONDITION (NODE_BANNED, NODE_NOT_JOINED, NO_BUILT_IN_AUTHORITY).
  absl::StatusOr<ChangeSet> ApproveNode(absl::string_view name, absl::string_view actor,
                                        const Now& now);
  bool IsApproved(absl::string_view name, const Now& now) const;
  // It asked for a certificate after the time of grace: an alarm.
  ChangeSet WantApproval(absl::string_view name, absl::string_view message,
                         absl::string_view source, const Now& now);
  // The authorities that the agent of this incarnation trusts. No change: known already.
  ChangeSet NodeTrusts(absl::string_view name, int64_t incarnation, std::vector<std::string> pins);
  // Joined nodes, not banned, that did not say that they trust the authority; whose certificate
  // another one signed.
  std::vector<std::string> NodesNotTrusting(absl::string_view pin) const;
  std::vector<std::string> NodesNotSignedBy(absl::string_view pin) const;

  // --- pauses of kinds and resource keys ---
  // Again for what is paused already: the newer note holds. Errors: INVALID_ARGUMENT (no such kind;
  // no key; no note, or longer than 500 characters).
  absl::StatusOr<ChangeSet> PauseCommands(const PauseKey& what, absl::string_view note,
                                          absl::string_view actor, const Now& now);
  // No change if it is not paused. Errors: INVALID_ARGUMENT (no such kind, no key).
  absl::StatusOr<ChangeSet> ResumeCommands(const PauseKey& what, absl::string_view actor);
  // For Engine::Start.
  std::map<PauseKey, Pause> Pauses() const;

  // --- alarms ---
  // Something that an administrator should look into. `subject` names it ("token/web1"); again for
  // one that is not cleared: it is counted, and stored at most once a second. `node` may be empty.
  // Of "source/ADDRESS" there are at most 100; "source/various" stands for all others.
  ChangeSet RaiseAlarm(absl::string_view subject, Reason reason, absl::string_view node,
                       absl::string_view message, absl::string_view source, const Now& now);
  // Errors: NOT_FOUND (UNKNOWN_ALARM).
  absl::StatusOr<ChangeSet> ClearAlarm(absl::string_view subject, absl::string_view actor);
  const std::map<std::string, storage::v1::Alarm, std::less<>>& alarms() const { return alarms_; }

  // --- API keys and administrators (principals.cc) ---
  // By name; of revoked ones the one revoked last. Null: none.
  const storage::v1::ApiKey* FindKey(absl::string_view name) const;
  // By id.
  const std::map<std::string, storage::v1::ApiKey, std::less<>>& keys() const { return keys_; }
  // `row`: all but who made it and when; what its scopes and ranges say is the caller's matter.
  // Errors: INVALID_ARGUMENT (name), ALREADY_EXISTS (KEY_EXISTS), RESOURCE_EXHAUSTED
  // (KEY_LIMIT_REACHED).
  absl::StatusOr<ChangeSet> AddKey(storage::v1::ApiKey row, absl::string_view actor,
                                   const Now& now);
  // The newest secret of before ends after `keep`, older ones at once.
  // Errors: NOT_FOUND (UNKNOWN_KEY), FAILED_PRECONDITION (KEY_EXPIRED).
  absl::StatusOr<ChangeSet> RotateKey(absl::string_view name, storage::v1::ApiSecret secret,
                                      absl::Duration keep, const Now& now);
  // No change if it is revoked. Errors: NOT_FOUND (UNKNOWN_KEY), INVALID_ARGUMENT (note).
  absl::StatusOr<ChangeSet> RevokeKey(absl::string_view name, absl::string_view note,
                                      absl::string_view actor, const Now& now);
  // No change if there is no such id.
  ChangeSet KeyUsed(absl::string_view id, absl::string_view source, absl::Time time);
  const std::map<std::string, storage::v1::Administrator, std::less<>>& administrators() const {
    return administrators_;
  }
  // Null: none.
  const storage::v1::Administrator* FindAdministrator(absl::string_view name) const;
  // Whether it can be added, or (`replace`) its certificate replaced. Errors: INVALID_ARGUMENT
  // (name), ALREADY_EXISTS (ADMINISTRATOR_EXISTS: has a valid certificate), NOT_FOUND
  // (UNKNOWN_ADMINISTRATOR: nothing to replace), RESOURCE_EXHAUSTED (KEY_LIMIT_REACHED).
  absl::Status CheckNewAdministrator(absl::string_view name, bool replace, const Now& now) const;
  // Whose certificate counts at `now` and is not of the authority with this pin.
  std::vector<std::string> AdministratorsNotSignedBy(absl::string_view pin, absl::Time now) const;
  // The same.
  absl::StatusOr<ChangeSet> AddAdministrator(absl::string_view name,
                                             storage::v1::AdministratorCertificate certificate,
                                             bool replace, absl::string_view actor, const Now& now);
  // No change if it is revoked. Errors: NOT_FOUND (UNKNOWN_ADMINISTRATOR), INVALID_ARGUMENT (note).
  absl::StatusOr<ChangeSet> RevokeAdministrator(absl::string_view name, absl::string_view note,
                                                absl::string_view actor, const Now& now);

  // --- webhooks, and what was told of stuck work ---
  Webhooks& webhooks() { return webhooks_; }
  const Webhooks& webhooks() const { return webhooks_; }
  NoticeRows& notices() { return notices_; }
  const NoticeRows& notices() const { return notices_; }

  // --- join tokens ---
  const storage::v1::Token* FindToken(absl::string_view id) const;
  // Adds a token for a node; older ones of the node are void from then on. Errors: NOT_FOUND
  // (UNKNOWN_NODE), ALREADY_EXISTS (there is one with this id).
  absl::StatusOr<ChangeSet> PutToken(const storage::v1::Token& token);
  // The first use: binds the token to the key and gives the node its next incarnation. No change if
  // that key has used it already. FindToken tells the token as it is then.
  // Errors: PERMISSION_DENIED (TOKEN_INVALID: no such token; TOKEN_USED: by another key).
  absl::StatusOr<ChangeSet> BindToken(absl::string_view id, absl::string_view key_hash,
                                      const Now& now);

  // --- reading; references live until the next change ---
  const Options& options() const { return options_; }
  const std::map<std::string, storage::v1::Node, std::less<>>& nodes() const { return nodes_; }
  const std::map<std::string, storage::v1::Account, std::less<>>& accounts() const {
    return accounts_;
  }
  const std::map<std::string, storage::v1::Share, std::less<>>& shares() const { return shares_; }
  const std::map<std::string, storage::v1::Address, std::less<>>& addresses() const {
    return addresses_;
  }
  // Null: there is none.
  const storage::v1::Node* FindNode(absl::string_view name) const;
  const storage::v1::Account* FindAccount(absl::string_view domain) const;
  const storage::v1::Share* FindShare(absl::string_view name) const;
  v1::Balancing ShowBalancing() const;
  // At most `limit` accounts whose domain is greater than `after`, by domain.
  std::vector<const storage::v1::Account*> AccountsAfter(absl::string_view after,
                                                         size_t limit) const;
  // For Engine::Start.
  std::vector<NodeState> NodeStates() const;
  // Everything, as it is stored.
  std::vector<ResourceChange> Rows() const;

 private:
  // What a planned command is made of; Finish() puts it together.
  struct Draft;
  // How a finished command ended; see outcomes.cc.
  struct Ending;
  enum class AccountUse { kCommand, kDelete };

  explicit Cluster(Options options) : options_(std::move(options)) {}

  NodeState NodeStateOf(const storage::v1::Node& node) const;

  // cluster.cc: rows. Put and Erase keep the indexes and note the row, and a node's state, in
  // `changes`.
  absl::Status LoadRow(const ResourceChange& row);
  void Put(storage::v1::Node row, ChangeSet& changes);
  void Put(storage::v1::Account row, ChangeSet& changes);
  void Put(storage::v1::Share row, ChangeSet& changes);
  void Put(storage::v1::Address row, ChangeSet& changes);
  void Put(storage::v1::Token row, ChangeSet& changes);
  void Put(storage::v1::Pause row, ChangeSet& changes);
  void Put(storage::v1::Alarm row, ChangeSet& changes);
  void Put(storage::v1::ApiKey row, ChangeSet& changes);
  void Put(storage::v1::Administrator row, ChangeSet& changes);
  void PutCounters(ChangeSet& changes);
  void PutBalancing(ChangeSet& changes);
  void EraseNode(const std::string& name, ChangeSet& changes);
  void EraseAccount(const std::string& domain, ChangeSet& changes);
  void EraseShare(const std::string& name, ChangeSet& changes);
  void EraseAddress(const std::string& address, ChangeSet& changes);
  void EraseTokensOf(absl::string_view node, ChangeSet& changes);
  void ErasePause(const std::string& key, ChangeSet& changes);
  void EraseAlarm(const std::string& subject, ChangeSet& changes);
  void EraseKey(const std::string& id, ChangeSet& changes);
  // What a node, account, share or address was before it is changed, while a plan is tried.
  void Remember(const char* kind, const std::string& key);
  void TakeBack(const ResourceChange& before);
  void Index(const storage::v1::Account& row, bool add);

  // alarms.cc
  bool IsOneSourceTooMany(absl::string_view subject) const;

  // nodes.cc
  absl::Status CheckNewToken(const storage::v1::Token& token) const;
  // That the node's `incarnation` was given to.
  bool HasToken(absl::string_view node, int64_t incarnation) const;
  void ForgetNode(const std::string& name, ChangeSet& changes);
  // On shares, while this is the only storage node; else 0.
  int AccountsOnlyOn(const storage::v1::Node& node) const;
  // Of a node named `node`. NODE_EXISTS, ADDRESS_IN_USE.
  absl::Status CheckAddressFree(absl::string_view field, const std::string& address,
                                absl::string_view node) const;
  absl::Status CheckNoOtherBalancer(absl::string_view node) const;

  // plan.cc
  using Roles = std::vector<v1::Node::Role>;
  // Nodes that take work and have any of these roles but none of `without`, by name.
  std::vector<std::string> NodesWith(const Roles& roles, const Roles& without = {}) const;
  // The nodes named in a request, by name; each must take work and have one of these roles.
  absl::StatusOr<std::vector<std::string>> NamedNodes(absl::Span<const std::string> nodes,
                                                      const Roles& roles) const;
  // Every node that knows accounts, storage nodes in one stage and the others in another.
  enum class Order { kStorageFirst, kStorageLast, kTogether };
  absl::StatusOr<std::vector<PlannedTask>> AccountTasks(Order order) const;
  static PlannedCommand Finish(Draft draft);

  // plan_account.cc
  absl::StatusOr<PlannedCommand> PlanCreateAccount(const v1::CreateAccount& request, const Now& now,
                                                   absl::string_view key_id);
  absl::StatusOr<PlannedCommand> PlanSuspendAccount(const v1::SuspendAccount& request);
  absl::StatusOr<PlannedCommand> PlanUnsuspendAccount(const v1::UnsuspendAccount& request);
  absl::StatusOr<PlannedCommand> PlanDeleteAccount(const v1::DeleteAccount& request);
  absl::StatusOr<PlannedCommand> PlanAddAccountAddress(const v1::AddAccountAddress& request);
  absl::StatusOr<PlannedCommand> PlanRemoveAccountAddress(const v1::RemoveAccountAddress& request);
  // The account, in a state in which commands (or a deletion) apply.
  absl::StatusOr<storage::v1::Account> TakeAccount(absl::string_view domain, AccountUse use) const;
  absl::StatusOr<uint32_t> PickUid(uint32_t wanted) const;
  absl::StatusOr<const storage::v1::Share*> PickHomeShare() const;
  agent::v1::Account WorkOf(const storage::v1::Account& row) const;

  // plan_quota.cc
  absl::StatusOr<PlannedCommand> PlanSetAccountQuota(const v1::SetAccountQuota& request);
  absl::StatusOr<PlannedCommand> PlanSetQuota(const v1::SetQuota& request,
                                              absl::Span<const std::string> nodes);
  // The storage nodes look after the limits: those that had no part in setting this one from
  // another node have to know of it, or they would take it for somebody's mistake.
  void TellStorage(const Command& command, const agent::v1::Account& told, ChangeSet& changes);

  // plan_share.cc
  absl::StatusOr<PlannedCommand> PlanMountShare(const v1::MountShare& request,
                                                absl::Span<const std::string> nodes);
  absl::StatusOr<PlannedCommand> PlanUnmountShare(const v1::UnmountShare& request,
                                                  absl::Span<const std::string> nodes);
  absl::Status CheckMount(const v1::Share& share) const;
  size_t AccountsOn(const std::string& share) const;

  // plan_address.cc
  absl::StatusOr<PlannedCommand> PlanBindAddress(const v1::BindAddress& request,
                                                 absl::Span<const std::string> nodes);
  absl::StatusOr<PlannedCommand> PlanUnbindAddress(const v1::UnbindAddress& request,
                                                   absl::Span<const std::string> nodes);
  // The canonical form of an address that an account may have.
  absl::StatusOr<std::string> TakeAddress(absl::string_view text) const;
  // Whether it may be put on the nodes now: no command on another resource key is about to take it
  // off (commands on the same key are in order anyway).
  absl::Status CheckNotUnbinding(const std::string& address, absl::string_view key) const;
  // An account that uses it and stays, other than `except`; empty: none.
  std::string UserOf(const std::string& address, absl::string_view except) const;
  // Nobody but the account `except` wants it on the nodes.
  bool IsFree(const std::string& address, absl::string_view except) const;
  bool IsBound(const std::string& address) const;
  // One for each app node.
  absl::StatusOr<std::vector<PlannedTask>> AddressTasks() const;
  // The same, or one for each of those named.
  absl::StatusOr<std::vector<PlannedTask>> AddressTasks(absl::Span<const std::string> nodes) const;
  // The stored one, or one to be stored.
  storage::v1::Address AddressRow(const std::string& address) const;

  // plan_balancing.cc
  absl::StatusOr<PlannedCommand> PlanSetBalancing(const v1::SetBalancing& request);
  absl::Status ChangeSettings(const v1::SetBalancing& request, v1::BalancingSettings& settings,
                              std::vector<storage::v1::Node>& weighed) const;
  v1::BalancingSettings Settings() const;
  // The balancers' own addresses.
  std::vector<std::string> BalancerAddresses() const;
  // Accounts', each once, in order.
  std::vector<std::string> VirtualAddresses() const;
  std::vector<v1::RealServer> RealServers() const;
  // Of an app node that passed its first preflight: 0 if there are accounts it never heard of.
  uint32_t FirstWeight(const storage::v1::Node& node) const;
  agent::v1::BalancingTable BalancingTable() const;
  void RaiseRevision(ChangeSet& changes);
  // Adds the balancers to a command that changes the accounts' addresses (or, if it does not, while
  // an earlier table is not on all of them): the table as it is now, and a task for each of them,
  // after all others or before them. A balancer that has a task already does both in one.
  enum class BalancersCome { kFirst, kLast };
  void AddBalancers(bool changed, BalancersCome when, Draft& draft);
  // A command that brings the table as it is now, as a new revision, to these nodes.
  PlannedCommand SetBalancingOn(const std::vector<std::string>& nodes,
                                const v1::SetBalancing& request, ChangeSet changes);
  // For what changes without a command: one of the manager's own. `to_app`: who the balancers are
  // has changed, and the app nodes are told.
  void Rebalance(bool to_app, ChangeSet& changes);
  void BalancingFinished(const Command& command, const agent::v1::BalancingTable& told,
                         ChangeSet& changes);

  // plan_exports.cc
  absl::StatusOr<PlannedCommand> PlanSetExports();
  // The storage node that has it; null: none of the cluster.
  const storage::v1::Node* ServerOf(const v1::Share& share) const;
  absl::Status CheckExported(const v1::Share& share) const;
  bool AnyExported() const;
  agent::v1::ExportTable ExportTable() const;
  void RaiseExportsRevision(ChangeSet& changes);
  // Adds the storage nodes, with the list as it is now, to a command that mounts (`first`: exported
  // before it is mounted) or unmounts (exported until then).
  void AddExporters(bool first, Draft& draft);
  // A command of the manager's own, if hostq exports anything.
  void Reexport(ChangeSet& changes);
  void ExportsFinished(const Command& command, ChangeSet& changes);

  // plan_node.cc
  // Those named, or all that have joined.
  absl::StatusOr<std::vector<std::string>> AnyNodes(absl::Span<const std::string> nodes) const;
  absl::StatusOr<PlannedCommand> PlanPreflight(absl::Span<const std::string> nodes) const;
  PlannedCommand PreflightOn(const std::vector<std::string>& nodes) const;
  agent::v1::Preflight PreflightWork() const;

  // plan_resync.cc
  absl::StatusOr<PlannedCommand> PlanResyncAccount(const v1::ResyncAccount& request,
                                                   absl::Span<const std::string> nodes);
  PlannedCommand ResyncAccountOn(const storage::v1::Account& row, std::vector<PlannedTask> tasks,
                                 bool apply) const;
  absl::StatusOr<PlannedCommand> PlanPing(const v1::Ping& request,
                                          absl::Span<const std::string> nodes);
  absl::StatusOr<PlannedCommand> PlanResyncNode(const v1::ResyncNode& request);
  PlannedCommand ResyncNodeOf(const std::string& node, bool apply);
  // For a node that has joined: a command of the manager's own, if there is anything to bring.
  void BringUp(const std::string& node, ChangeSet& changes);
  void ResyncFinished(const Command& command, ChangeSet& changes);

  // outcomes.cc
  Ending EndingOf(const Command& command) const;
  void AccountCommandFinished(const agent::v1::Work& work, const Ending& ending,
                              ChangeSet& changes);
  // Each changes the row as the end of the command asks; false: a newer command has the say.
  static bool SuspensionDecided(storage::v1::Account& row, const agent::v1::Account& told,
                                const Ending& ending);
  static bool QuotaDecided(storage::v1::Account& row, const agent::v1::Account& told,
                           const Ending& ending);
  static bool AddressDecided(storage::v1::Account& row, uint64_t generation, const Ending& ending);
  void MountFinished(const agent::v1::Share& told, const Ending& ending, ChangeSet& changes);
  void UnmountFinished(const Command& command, const std::string& name, const Ending& ending,
                       ChangeSet& changes);
  void BindFinished(const std::string& address, const Ending& ending, ChangeSet& changes);
  void PutOrErase(storage::v1::Address row, ChangeSet& changes);
  void UnbindFinished(const Command& command, const std::string& address, const Ending& ending,
                      ChangeSet& changes);

  Options options_;
  std::map<std::string, storage::v1::Node, std::less<>> nodes_;
  std::map<std::string, storage::v1::Account, std::less<>> accounts_;
  std::map<std::string, storage::v1::Share, std::less<>> shares_;
  std::map<std::string, storage::v1::Address, std::less<>> addresses_;
  std::map<std::string, storage::v1::Token, std::less<>> tokens_;
  std::map<std::string, storage::v1::Pause, std::less<>> pauses_;
  std::map<std::string, storage::v1::Alarm, std::less<>> alarms_;
  std::map<std::string, storage::v1::ApiKey, std::less<>> keys_;  // by id
  std::map<std::string, storage::v1::Administrator, std::less<>> administrators_;
  Webhooks webhooks_{keys_};
  NoticeRows notices_;
  storage::v1::Counters counters_;
  storage::v1::Balancing balancing_;

  // Indexes of accounts_.
  absl::flat_hash_map<std::string, std::string> users_;  // domain by user
  absl::flat_hash_set<uint32_t> uids_;
  // Domains by address: those that have it, and those with an unfinished command about it.
  absl::flat_hash_map<std::string, std::set<std::string>> address_domains_;
  absl::flat_hash_map<std::string, size_t> share_accounts_;  // "": on no share

  // While a plan is tried: rows as they were, the latest change last. Otherwise null.
  std::vector<ResourceChange>* before_ = nullptr;
  uint64_t pings_ = 0;  // planned since the start: names their keys
};

// PERMISSION_DENIED (NODE_BANNED).
absl::Status CheckNotBanned(const storage::v1::Node& row);
// The certificate that the node uses, as far as is known; null: none.
const storage::v1::Certificate* CertificateOf(const storage::v1::Node& row);
// What alarms about a node are about: its certificate, renewal, token, itself.
std::string CertificateSubject(absl::string_view node);
std::string RenewalSubject(absl::string_view node);
std::string TokenSubject(absl::string_view node);
std::string NodeSubject(absl::string_view node);

// Whether there is such a kind of command. INVALID_ARGUMENT (INVALID_ARGUMENT), with the kinds.
absl::Status CheckKind(absl::string_view kind);

}  // namespace hostq::manager
