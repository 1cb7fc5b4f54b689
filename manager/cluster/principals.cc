#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "google/protobuf/util/json_util.h"
#include "manager/cluster/cluster.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

// Who may use the API from elsewhere: API keys and administrators.
namespace hostq::manager {
namespace {

constexpr size_t kMaxKeys = 10'000;
// Revoked ones are kept to tell who shows one, the newest of them.
constexpr size_t kMaxRevokedKeys = 1'000;
constexpr size_t kMaxAdministrators = 1'000;
constexpr size_t kMaxNameLength = 63;
constexpr size_t kMaxNoteLength = 500;

// For the audit, without what is no business of anybody.
std::string JsonOf(storage::v1::ApiKey row) {
  for (storage::v1::ApiSecret& secret : *row.mutable_secrets()) secret.clear_hash();
  row.clear_last_use_time();
  row.clear_last_use_source();
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(row, &json);
  return json;
}

std::string JsonOf(const storage::v1::Administrator& row) {
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(row, &json);
  return json;
}

absl::Status UnknownKey(absl::string_view name) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownKey,
                   absl::StrCat("name: there is no API key ", Printable(name, 64)));
}

absl::Status UnknownAdministrator(absl::string_view name) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownAdministrator,
                   absl::StrCat("name: there is no administrator ", Printable(name, 64)));
}

template <typename Row>
absl::Status SetRevoked(absl::string_view note, absl::string_view actor, const Now& now, Row& row) {
  HOSTQ_RETURN_IF_ERROR(CheckText("note", note, kMaxNoteLength));
  *row.mutable_revoke_time() = ToTimestamp(now.wall);
  row.set_revoked_by(std::string(actor));
  row.set_revoke_note(std::string(note));
  return absl::OkStatus();
}

}  // namespace

const storage::v1::ApiKey* Cluster::FindKey(absl::string_view name) const {
  const storage::v1::ApiKey* found = nullptr;
  for (const auto& [id, key] : keys_) {
    if (key.name() != name) continue;
    if (!key.has_revoke_time()) return &key;
    if (found == nullptr ||
        FromTimestamp(found->revoke_time()) < FromTimestamp(key.revoke_time())) {
      found = &key;
    }
  }
  return found;
}

absl::StatusOr<ChangeSet> Cluster::AddKey(storage::v1::ApiKey row, absl::string_view actor,
                                          const Now& now) {
  HOSTQ_RETURN_IF_ERROR(CheckName("name", row.name(), kMaxNameLength));
  const storage::v1::ApiKey* other = FindKey(row.name());
  if (other != nullptr && !other->has_revoke_time()) {
    return MakeError(absl::StatusCode::kAlreadyExists, Reason::kKeyExists,
                     absl::StrCat("name: there is an API key ", row.name()));
  }
  std::vector<const storage::v1::ApiKey*> revoked;
  for (const auto& [id, key] : keys_) {
    if (key.has_revoke_time()) revoked.push_back(&key);
  }
  if (keys_.size() - revoked.size() >= kMaxKeys) {
    return MakeError(absl::StatusCode::kResourceExhausted, Reason::kKeyLimitReached,
                     absl::StrCat("there are ", kMaxKeys, " API keys: revoke what nobody needs"));
  }
  HOSTQ_CHECK(keys_.find(row.id()) == keys_.end());
  ChangeSet changes;
  if (revoked.size() >= kMaxRevokedKeys) {
    const auto oldest =
        std::min_element(revoked.begin(), revoked.end(), [](const auto* a, const auto* b) {
          return FromTimestamp(a->revoke_time()) < FromTimestamp(b->revoke_time());
        });
    EraseKey((*oldest)->id(), changes);
  }
  *row.mutable_create_time() = ToTimestamp(now.wall);
  row.set_created_by(std::string(actor));
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::RotateKey(absl::string_view name, storage::v1::ApiSecret secret,
                                             absl::Duration keep, const Now& now) {
  const storage::v1::ApiKey* found = FindKey(name);
  if (found == nullptr || found->has_revoke_time()) return UnknownKey(name);
  if (now.wall >= FromTimestamp(found->expire_time())) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kKeyExpired,
                     absl::StrCat("API key ", name, " has expired: make a new one"));
  }
  storage::v1::ApiKey row = *found;
  ChangeSet changes;
  changes.before = JsonOf(row);
  row.clear_secrets();
  *secret.mutable_create_time() = ToTimestamp(now.wall);
  *row.add_secrets() = std::move(secret);
  if (keep > absl::ZeroDuration() && !found->secrets().empty()) {
    storage::v1::ApiSecret& old = *row.add_secrets();
    old = found->secrets(0);
    *old.mutable_end_time() = ToTimestamp(now.wall + keep);
  }
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::RevokeKey(absl::string_view name, absl::string_view note,
                                             absl::string_view actor, const Now& now) {
  const storage::v1::ApiKey* found = FindKey(name);
  if (found == nullptr) return UnknownKey(name);
  ChangeSet changes;
  if (found->has_revoke_time()) return changes;
  storage::v1::ApiKey row = *found;
  changes.before = JsonOf(row);
  HOSTQ_RETURN_IF_ERROR(SetRevoked(note, actor, now, row));
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

ChangeSet Cluster::KeyUsed(absl::string_view id, absl::string_view source, absl::Time time) {
  ChangeSet changes;
  const auto found = keys_.find(id);
  if (found == keys_.end()) return changes;
  storage::v1::ApiKey row = found->second;
  *row.mutable_last_use_time() = ToTimestamp(time);
  row.set_last_use_source(std::string(source));
  Put(std::move(row), changes);
  return changes;
}

const storage::v1::Administrator* Cluster::FindAdministrator(absl::string_view name) const {
  const auto found = administrators_.find(name);
  return found == administrators_.end() ? nullptr : &found->second;
}

std::vector<std::string> Cluster::AdministratorsNotSignedBy(absl::string_view pin,
                                                            absl::Time now) const {
  std::vector<std::string> names;
  for (const auto& [name, row] : administrators_) {
    const bool valid = !row.has_revoke_time() && !row.certificates().empty() &&
                       now < FromTimestamp(row.certificates(0).expire_time());
    if (valid && row.certificates(0).authority_pin() != pin) names.push_back(name);
  }
  return names;
}

absl::Status Cluster::CheckNewAdministrator(absl::string_view name, bool replace,
                                            const Now& now) const {
  HOSTQ_RETURN_IF_ERROR(CheckName("name", name, kMaxNameLength));
  // In the audit these are somebody else (docs/reference/audit.md).
  for (const absl::string_view own : {"manager", "root", "unknown", "various"}) {
    if (name == own && !replace) {
      return InvalidField("name", absl::StrCat(own, " is what the audit calls somebody else"));
    }
  }
  const storage::v1::Administrator* other = FindAdministrator(name);
  if (replace) {
    // Who was revoked is added anew, and not by mistake.
    const bool there = other != nullptr && !other->has_revoke_time();
    return there ? absl::OkStatus() : UnknownAdministrator(name);
  }
  if (other == nullptr && administrators_.size() >= kMaxAdministrators) {
    return MakeError(absl::StatusCode::kResourceExhausted, Reason::kKeyLimitReached,
                     absl::StrCat("there are ", kMaxAdministrators, " administrators"));
  }
  if (other == nullptr || other->has_revoke_time() || other->certificates().empty() ||
      now.wall >= FromTimestamp(other->certificates(0).expire_time())) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kAlreadyExists, Reason::kAdministratorExists,
                   absl::StrCat("name: administrator ", name, " has a valid certificate"));
}

absl::StatusOr<ChangeSet> Cluster::AddAdministrator(
    absl::string_view name, storage::v1::AdministratorCertificate certificate, bool replace,
    absl::string_view actor, const Now& now) {
  HOSTQ_RETURN_IF_ERROR(CheckNewAdministrator(name, replace, now));
  ChangeSet changes;
  if (const auto* before = FindAdministrator(name)) changes.before = JsonOf(*before);
  storage::v1::Administrator row;
  row.set_name(std::string(name));
  *row.mutable_create_time() = ToTimestamp(now.wall);
  row.set_created_by(std::string(actor));
  *row.add_certificates() = std::move(certificate);
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::RevokeAdministrator(absl::string_view name,
                                                       absl::string_view note,
                                                       absl::string_view actor, const Now& now) {
  const storage::v1::Administrator* found = FindAdministrator(name);
  if (found == nullptr) return UnknownAdministrator(name);
  ChangeSet changes;
  if (found->has_revoke_time()) return changes;
  storage::v1::Administrator row = *found;
  changes.before = JsonOf(row);
  HOSTQ_RETURN_IF_ERROR(SetRevoked(note, actor, now, row));
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

}  // namespace hostq::manager
