#include "manager/cluster/cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr char kNode[] = "node";
constexpr char kAccount[] = "account";
constexpr char kShare[] = "share";
constexpr char kAddress[] = "address";
constexpr char kToken[] = "token";
constexpr char kPause[] = "pause";
constexpr char kAlarm[] = "alarm";
constexpr char kKey[] = "key";
constexpr char kAdministrator[] = "administrator";
constexpr char kCluster[] = "cluster";
constexpr char kCounters[] = "counters";
constexpr char kBalancing[] = "balancing";

template <typename Row>
const Row* FindIn(const std::map<std::string, Row, std::less<>>& rows, absl::string_view key) {
  const auto found = rows.find(key);
  return found == rows.end() ? nullptr : &found->second;
}

absl::Status Unreadable(const ResourceChange& row, absl::string_view why) {
  return MakeError(
      absl::StatusCode::kDataLoss, Reason::kStoreUnavailable,
      absl::StrCat("stored ", Printable(row.kind), " ", Printable(row.key), ": ", why));
}

template <typename Row>
std::optional<std::string> DataIn(const std::map<std::string, Row, std::less<>>& rows,
                                  const std::string& key) {
  const Row* row = FindIn(rows, key);
  if (row == nullptr) return std::nullopt;
  return row->SerializeAsString();
}

// Parses the row and sees to it that it is stored under its own name.
template <typename Row, typename KeyOf>
absl::Status LoadInto(const ResourceChange& change, KeyOf key_of,
                      std::map<std::string, Row, std::less<>>& rows) {
  Row row;
  if (!row.ParseFromString(*change.data)) return Unreadable(change, "cannot be read");
  if (key_of(row) != change.key) return Unreadable(change, "belongs to another key");
  rows[change.key] = std::move(row);
  return absl::OkStatus();
}

template <typename Row>
void StoreRow(const char* kind, std::string key, Row row,
              std::map<std::string, Row, std::less<>>& rows, ChangeSet& changes) {
  changes.resources.push_back({kind, key, row.SerializeAsString()});
  rows[std::move(key)] = std::move(row);
}

template <typename Row>
void AddRows(const char* kind, const std::map<std::string, Row, std::less<>>& rows,
             std::vector<ResourceChange>& out) {
  for (const auto& [key, row] : rows) out.push_back({kind, key, row.SerializeAsString()});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Load(Options options,
                                                       absl::Span<const ResourceChange> rows) {
  HOSTQ_ASSIGN_OR_RETURN(options.quorum_address,
                         CanonicalAddress("quorum_address", options.quorum_address));
  if (options.uid_min == 0 || options.uid_min > options.uid_max) {
    return InvalidField(Reason::kInvalidArgument, "uid_min",
                        absl::StrCat(options.uid_min, " to ", options.uid_max, " is no range"));
  }
  std::unique_ptr<Cluster> cluster(new Cluster(std::move(options)));
  for (const ResourceChange& row : rows) HOSTQ_RETURN_IF_ERROR(cluster->LoadRow(row));
  for (const auto& [domain, account] : cluster->accounts_) cluster->Index(account, true);
  return cluster;
}

absl::Status Cluster::LoadRow(const ResourceChange& row) {
  if (!row.data) return Unreadable(row, "has no data");
  if (row.kind == kNode) {
    return LoadInto(
        row, [](const storage::v1::Node& node) { return node.node().name(); }, nodes_);
  }
  if (row.kind == kAccount) {
    return LoadInto(
        row, [](const storage::v1::Account& account) { return account.account().domain(); },
        accounts_);
  }
  if (row.kind == kShare) {
    return LoadInto(
        row, [](const storage::v1::Share& share) { return share.share().name(); }, shares_);
  }
  if (row.kind == kAddress) {
    return LoadInto(
        row, [](const storage::v1::Address& address) { return address.address(); }, addresses_);
  }
  if (row.kind == kToken) {
    return LoadInto(
        row, [](const storage::v1::Token& token) { return token.id(); }, tokens_);
  }
  if (row.kind == kPause) return LoadInto(row, PauseRowKey, pauses_);
  if (row.kind == kAlarm) {
    return LoadInto(
        row, [](const storage::v1::Alarm& alarm) { return alarm.subject(); }, alarms_);
  }
  if (row.kind == kKey) {
    return LoadInto(
        row, [](const storage::v1::ApiKey& key) { return key.id(); }, keys_);
  }
  if (row.kind == kAdministrator) {
    return LoadInto(
        row, [](const storage::v1::Administrator& each) { return each.name(); }, administrators_);
  }
  if (row.kind == kCluster && row.key == kCounters) {
    if (counters_.ParseFromString(*row.data)) return absl::OkStatus();
    return Unreadable(row, "cannot be read");
  }
  if (row.kind == kCluster && row.key == kBalancing) {
    if (balancing_.ParseFromString(*row.data)) return absl::OkStatus();
    return Unreadable(row, "cannot be read");
  }
  HOSTQ_ASSIGN_OR_RETURN(const bool webhook, webhooks_.Load(row));
  if (webhook) return absl::OkStatus();
  HOSTQ_ASSIGN_OR_RETURN(const bool notice, notices_.Load(row));
  if (notice) return absl::OkStatus();
  return Unreadable(row, "is of a kind that this version does not know");
}

void Cluster::Put(storage::v1::Node row, ChangeSet& changes) {
  std::string key = row.node().name();
  Remember(kNode, key);
  changes.nodes.push_back(NodeStateOf(row));
  StoreRow(kNode, std::move(key), std::move(row), nodes_, changes);
}

void Cluster::Put(storage::v1::Account row, ChangeSet& changes) {
  std::string key = row.account().domain();
  Remember(kAccount, key);
  if (const storage::v1::Account* old = FindAccount(key)) Index(*old, false);
  Index(row, true);
  StoreRow(kAccount, std::move(key), std::move(row), accounts_, changes);
}

void Cluster::Put(storage::v1::Share row, ChangeSet& changes) {
  std::string key = row.share().name();
  Remember(kShare, key);
  StoreRow(kShare, std::move(key), std::move(row), shares_, changes);
}

void Cluster::Put(storage::v1::Address row, ChangeSet& changes) {
  std::string key = row.address();
  Remember(kAddress, key);
  StoreRow(kAddress, std::move(key), std::move(row), addresses_, changes);
}

void Cluster::Put(storage::v1::Token row, ChangeSet& changes) {
  std::string key = row.id();
  StoreRow(kToken, std::move(key), std::move(row), tokens_, changes);
}

void Cluster::Put(storage::v1::Pause row, ChangeSet& changes) {
  std::string key = PauseRowKey(row);
  StoreRow(kPause, std::move(key), std::move(row), pauses_, changes);
}

void Cluster::Put(storage::v1::Alarm row, ChangeSet& changes) {
  std::string key = row.subject();
  StoreRow(kAlarm, std::move(key), std::move(row), alarms_, changes);
}

void Cluster::Put(storage::v1::ApiKey row, ChangeSet& changes) {
  std::string key = row.id();
  StoreRow(kKey, std::move(key), std::move(row), keys_, changes);
}

void Cluster::Put(storage::v1::Administrator row, ChangeSet& changes) {
  std::string key = row.name();
  StoreRow(kAdministrator, std::move(key), std::move(row), administrators_, changes);
}

void Cluster::PutCounters(ChangeSet& changes) {
  changes.resources.push_back({kCluster, kCounters, counters_.SerializeAsString()});
}

void Cluster::PutBalancing(ChangeSet& changes) {
  changes.resources.push_back({kCluster, kBalancing, balancing_.SerializeAsString()});
}

void Cluster::EraseAccount(const std::string& domain, ChangeSet& changes) {
  const auto found = accounts_.find(domain);
  HOSTQ_CHECK(found != accounts_.end());
  Remember(kAccount, domain);
  const uint64_t generation = found->second.account().generation();
  Index(found->second, false);
  changes.resources.push_back({kAccount, domain, std::nullopt});
  accounts_.erase(found);
  if (generation <= counters_.generation()) return;
  counters_.set_generation(generation);
  PutCounters(changes);
}

void Cluster::EraseNode(const std::string& name, ChangeSet& changes) {
  changes.resources.push_back({kNode, name, std::nullopt});
  nodes_.erase(name);
}

void Cluster::EraseShare(const std::string& name, ChangeSet& changes) {
  Remember(kShare, name);
  changes.resources.push_back({kShare, name, std::nullopt});
  shares_.erase(name);
}

void Cluster::EraseAddress(const std::string& address, ChangeSet& changes) {
  Remember(kAddress, address);
  changes.resources.push_back({kAddress, address, std::nullopt});
  addresses_.erase(address);
}

void Cluster::EraseTokensOf(absl::string_view node, ChangeSet& changes) {
  for (auto token = tokens_.begin(); token != tokens_.end();) {
    if (token->second.node() != node) {
      ++token;
      continue;
    }
    changes.resources.push_back({kToken, token->first, std::nullopt});
    token = tokens_.erase(token);
  }
}

void Cluster::ErasePause(const std::string& key, ChangeSet& changes) {
  changes.resources.push_back({kPause, key, std::nullopt});
  pauses_.erase(key);
}

void Cluster::EraseAlarm(const std::string& subject, ChangeSet& changes) {
  changes.resources.push_back({kAlarm, subject, std::nullopt});
  alarms_.erase(subject);
}

void Cluster::EraseKey(const std::string& id, ChangeSet& changes) {
  changes.resources.push_back({kKey, id, std::nullopt});
  keys_.erase(id);
}

// Plans change neither tokens nor pauses nor alarms, and add or remove no node.
void Cluster::Remember(const char* kind, const std::string& key) {
  if (before_ == nullptr) return;
  if (kind == kNode) {
    before_->push_back({kind, key, DataIn(nodes_, key)});
  } else if (kind == kAccount) {
    before_->push_back({kind, key, DataIn(accounts_, key)});
  } else if (kind == kShare) {
    before_->push_back({kind, key, DataIn(shares_, key)});
  } else {
    before_->push_back({kind, key, DataIn(addresses_, key)});
  }
}

void Cluster::TakeBack(const ResourceChange& before) {
  const storage::v1::Account* account = before.kind == kAccount ? FindAccount(before.key) : nullptr;
  if (account != nullptr) Index(*account, false);
  if (before.data) {
    HOSTQ_CHECK(LoadRow(before).ok());
    if (before.kind == kAccount) Index(*FindAccount(before.key), true);
  } else if (before.kind == kAccount) {
    accounts_.erase(before.key);
  } else if (before.kind == kShare) {
    shares_.erase(before.key);
  } else {
    addresses_.erase(before.key);
  }
}

absl::StatusOr<PlannedCommand> Cluster::TryPlan(const v1::CommandSpec& spec,
                                                absl::Span<const std::string> nodes,
                                                const Now& now) {
  std::vector<ResourceChange> before;
  const storage::v1::Counters counters = counters_;
  const storage::v1::Balancing balancing = balancing_;
  before_ = &before;
  absl::StatusOr<PlannedCommand> plan = Plan(spec, nodes, now);
  before_ = nullptr;
  for (auto row = before.rbegin(); row != before.rend(); ++row) TakeBack(*row);
  counters_ = counters;
  balancing_ = balancing;
  return plan;
}

void Cluster::Index(const storage::v1::Account& row, bool add) {
  const v1::Account& account = row.account();
  std::set<std::string> addresses(account.addresses().begin(), account.addresses().end());
  for (const auto& change : row.address_changes()) addresses.insert(change.address());
  addresses.insert(row.unbinding().begin(), row.unbinding().end());
  if (add) {
    users_[account.user()] = account.domain();
    uids_.insert(account.uid());
    ++share_accounts_[row.share()];
    for (const std::string& address : addresses) {
      address_domains_[address].insert(account.domain());
    }
    return;
  }
  users_.erase(account.user());
  uids_.erase(account.uid());
  if (--share_accounts_[row.share()] == 0) share_accounts_.erase(row.share());
  for (const std::string& address : addresses) {
    const auto found = address_domains_.find(address);
    found->second.erase(account.domain());
    if (found->second.empty()) address_domains_.erase(found);
  }
}

const storage::v1::Node* Cluster::FindNode(absl::string_view name) const {
  return FindIn(nodes_, name);
}

const storage::v1::Account* Cluster::FindAccount(absl::string_view domain) const {
  return FindIn(accounts_, domain);
}

const storage::v1::Share* Cluster::FindShare(absl::string_view name) const {
  return FindIn(shares_, name);
}

const storage::v1::Token* Cluster::FindToken(absl::string_view id) const {
  return FindIn(tokens_, id);
}

std::vector<const storage::v1::Account*> Cluster::AccountsAfter(absl::string_view after,
                                                                size_t limit) const {
  std::vector<const storage::v1::Account*> page;
  for (auto at = accounts_.upper_bound(after); at != accounts_.end() && page.size() < limit; ++at) {
    page.push_back(&at->second);
  }
  return page;
}

std::vector<NodeState> Cluster::NodeStates() const {
  std::vector<NodeState> states;
  states.reserve(nodes_.size());
  for (const auto& [name, node] : nodes_) states.push_back(NodeStateOf(node));
  return states;
}

std::vector<ResourceChange> Cluster::Rows() const {
  std::vector<ResourceChange> rows;
  AddRows(kNode, nodes_, rows);
  AddRows(kAccount, accounts_, rows);
  AddRows(kShare, shares_, rows);
  AddRows(kAddress, addresses_, rows);
  AddRows(kToken, tokens_, rows);
  AddRows(kPause, pauses_, rows);
  AddRows(kAlarm, alarms_, rows);
  AddRows(kKey, keys_, rows);
  AddRows(kAdministrator, administrators_, rows);
  webhooks_.AddRows(rows);
  notices_.AddRows(rows);
  const std::string counters = counters_.SerializeAsString();
  if (!counters.empty()) rows.push_back({kCluster, kCounters, counters});
  const std::string balancing = balancing_.SerializeAsString();
  if (!balancing.empty()) rows.push_back({kCluster, kBalancing, balancing});
  return rows;
}

}  // namespace hostq::manager
