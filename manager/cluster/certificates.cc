// The part of Cluster that has to do with the nodes' certificates: two slots, bans, approvals, who
// trusts which authority.

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cluster/audit_json.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxBanNote = 500;
constexpr absl::Duration kApproval = absl::Hours(1);
constexpr int kMaxTrusts = 16;
// Of certificates in rows of managers before 0.2, which did not store when they began.
constexpr absl::Duration kFormerLife = absl::Hours(24 * 90 + 1);

absl::Status Refused(Reason reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kPermissionDenied, reason, message);
}

storage::v1::Certificate RowOf(const ShownCertificate& shown) {
  storage::v1::Certificate row;
  row.set_serial(shown.serial);
  *row.mutable_start_time() = ToTimestamp(shown.not_before);
  *row.mutable_expire_time() = ToTimestamp(shown.not_after);
  row.set_authority(shown.authority);
  return row;
}

absl::Time StartOf(const storage::v1::Certificate& row) {
  return row.has_start_time() ? FromTimestamp(row.start_time())
                              : FromTimestamp(row.expire_time()) - kFormerLife;
}

// When the latest one began of those that were used, or, before the first use, the one that was
// issued; nothing: there is none.
std::optional<absl::Time> LatestUsed(const storage::v1::Node& row) {
  std::optional<absl::Time> latest;
  if (row.has_current()) latest = StartOf(row.current());
  for (const storage::v1::Certificate& one : row.certificates()) {
    latest = std::max(latest.value_or(absl::InfinitePast()), StartOf(one));
  }
  if (!latest && row.has_next()) latest = StartOf(row.next());
  return latest;
}

bool Among(const storage::v1::Node& row, absl::string_view serial) {
  return std::any_of(row.certificates().begin(), row.certificates().end(),
                     [&](const auto& one) { return one.serial() == serial; });
}

Event Told(EventType type, absl::string_view node, absl::string_view actor, std::string message) {
  Event event;
  event.type = type;
  event.node = std::string(node);
  event.actor = std::string(actor);
  event.message = std::move(message);
  return event;
}

absl::Status Unknown(absl::string_view name) {
  return NotFound(Reason::kUnknownNode, absl::StrCat("name: there is no node ", Printable(name)));
}

}  // namespace

absl::Status CheckNotBanned(const storage::v1::Node& row) {
  if (!row.has_ban()) return absl::OkStatus();
  return Refused(Reason::kNodeBanned, absl::StrCat("node ", row.node().name(), " was banned by ",
                                                   row.ban().actor(), ": ", row.ban().note()));
}

const storage::v1::Certificate* CertificateOf(const storage::v1::Node& row) {
  if (row.has_current()) return &row.current();
  if (!row.certificates().empty()) return &*row.certificates().rbegin();
  return row.has_next() ? &row.next() : nullptr;
}

absl::Status Cluster::CheckShown(const ShownCertificate& shown) const {
  const storage::v1::Node* row = FindNode(shown.node);
  if (row == nullptr) {
    return Refused(Reason::kNotAuthorized,
                   absl::StrCat("node ", shown.node, " is not of this cluster"));
  }
  HOSTQ_RETURN_IF_ERROR(CheckNotBanned(*row));
  const int64_t least = std::max(row->incarnation(), row->least_incarnation());
  const bool later = options_.outside_certificates && shown.incarnation > row->incarnation();
  if (shown.incarnation < least || (shown.incarnation > least && !later)) {
    return Refused(
        Reason::kNotAuthorized,
        absl::StrCat("the certificate is of an earlier incarnation (", shown.incarnation,
                     ") of node ", shown.node,
                     options_.outside_certificates ? absl::StrCat("; wanted: at least ", least)
                                                   : "; it has joined anew since"));
  }
  const std::optional<absl::Time> latest = LatestUsed(*row);
  const bool known = (row->has_current() && row->current().serial() == shown.serial) ||
                     (row->has_next() && row->next().serial() == shown.serial) ||
                     Among(*row, shown.serial);
  // One that the manager does not know of was issued before it was restored from a backup, if it
  // is newer than what it knows; otherwise it was replaced.
  const bool newer = latest && shown.not_before > *latest;
  // Of those from outside only the seconds are known in which they were issued.
  const bool equal = options_.outside_certificates && latest && shown.not_before == *latest;
  if (known || later || !latest || newer || equal) return absl::OkStatus();
  return Refused(Reason::kCertificateSuperseded,
                 absl::StrCat("the certificate of node ", shown.node, " with the serial number ",
                              shown.serial, " was replaced by a newer one, which was used"));
}

absl::StatusOr<ChangeSet> Cluster::CertificateUsed(const ShownCertificate& shown,
                                                   absl::string_view source, const Now& now) {
  HOSTQ_RETURN_IF_ERROR(CheckShown(shown));
  const storage::v1::Node* old = FindNode(shown.node);
  if (old->incarnation() != shown.incarnation) {  // from outside: it joins with it
    HOSTQ_ASSIGN_OR_RETURN(ChangeSet changes, NodeJoined(shown, now));
    HOSTQ_ASSIGN_OR_RETURN(ChangeSet used, CertificateUsed(shown, source, now));
    // Of the same row: the later one holds.
    changes.resources.insert(changes.resources.end(), used.resources.begin(), used.resources.end());
    changes.nodes.insert(changes.nodes.end(), used.nodes.begin(), used.nodes.end());
    return changes;
  }
  ChangeSet changes;
  if (old->has_current() && old->current().serial() == shown.serial) return changes;
  storage::v1::Node row = *old;
  const bool expected =
      (row.has_next() && row.next().serial() == shown.serial) || Among(row, shown.serial);
  if (!expected && !options_.outside_certificates) {
    changes = RaiseAlarm(
        CertificateSubject(shown.node), Reason::kCertificateSuperseded, shown.node,
        absl::StrCat("its certificate ", shown.serial,
                     ", of which this manager did not know, took the place of the last one known: "
                     "it was issued before the manager was restored from a backup; if there was no "
                     "such backup, by somebody who has the authority's key"),
        source, now);
  }
  *row.mutable_current() = RowOf(shown);
  row.clear_certificates();
  if (row.has_next() && StartOf(row.next()) <= shown.not_before) row.clear_next();
  row.clear_approval_wanted_time();
  row.clear_approved_until();
  row.clear_approved_by();
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::CertificateIssued(const ShownCertificate& issued) {
  const storage::v1::Node* old = FindNode(issued.node);
  if (old == nullptr || old->incarnation() != issued.incarnation) {
    return Refused(Reason::kNotAuthorized,
                   absl::StrCat("node ", issued.node, " was removed or has joined anew"));
  }
  HOSTQ_RETURN_IF_ERROR(CheckNotBanned(*old));
  storage::v1::Node row = *old;
  *row.mutable_next() = RowOf(issued);
  row.set_manager_address(options_.agents_address);
  ChangeSet changes;
  if (const storage::v1::Certificate* present = CertificateOf(*old)) {
    changes.before = absl::StrCat("{\"certificate\":\"", present->serial(), "\"}");
  }
  changes.after = absl::StrCat("{\"certificate\":\"", issued.serial, "\"}");
  Put(std::move(row), changes);
  return changes;
}

// --- bans, approvals ---

absl::StatusOr<ChangeSet> Cluster::BanNode(absl::string_view name, absl::string_view note,
                                           absl::string_view actor, const Now& now) {
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr) return Unknown(name);
  if (note.empty()) {
    return InvalidField(Reason::kInvalidArgument, "note", "missing; wanted: why it is banned");
  }
  if (note.size() > kMaxBanNote || !IsUtf8(note)) {
    return InvalidField(Reason::kInvalidArgument, "note",
                        absl::StrCat("must be text of at most ", kMaxBanNote, " characters"));
  }
  storage::v1::Node row = *old;
  storage::v1::Ban& ban = *row.mutable_ban();
  ban.set_actor(IsUtf8(actor) ? std::string(actor) : "?");
  ban.set_note(std::string(note));
  if (!ban.has_time()) *ban.mutable_time() = ToTimestamp(now.wall);
  row.clear_approved_until();
  row.clear_approved_by();
  ChangeSet changes;
  EraseTokensOf(name, changes);
  const bool balanced = !old->has_ban() && IsRealServer(*old);
  changes.events.push_back(
      Told(EventType::kNodePaused, name, actor, absl::StrCat("banned: ", note)));
  changes.events.back().reason = Reason::kNodeBanned;
  changes.before = AuditJsonOf(*old);
  changes.after = absl::StrCat("{\"banned\":", JsonText(note), "}");
  Put(std::move(row), changes);
  if (balanced) Rebalance(false, changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::UnbanNode(absl::string_view name, absl::string_view actor) {
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr) return Unknown(name);
  ChangeSet changes;
  if (!old->has_ban()) return changes;
  storage::v1::Node row = *old;
  row.clear_ban();
  const bool balanced = IsRealServer(row);
  changes.before = absl::StrCat("{\"banned\":", JsonText(old->ban().note()), "}");
  changes.after = AuditJsonOf(row);
  changes.events.push_back(Told(EventType::kNodeResumed, name, actor, "no longer banned"));
  changes.events.back().reason = Reason::kNodeBanned;
  Put(std::move(row), changes);
  if (balanced) Rebalance(false, changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::ApproveNode(absl::string_view name, absl::string_view actor,
                                               const Now& now) {
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr) return Unknown(name);
  if (options_.outside_certificates) {
    return Precondition(Reason::kNoBuiltInAuthority,
                        "this cluster's certificates come from outside");
  }
  if (old->has_ban()) {
    return Precondition(Reason::kNodeBanned, CheckNotBanned(*old).message());
  }
  if (!HasJoined(*old)) {
    return Precondition(Reason::kNodeNotJoined,
                        absl::StrCat("name: node ", name, " has never joined"));
  }
  storage::v1::Node row = *old;
  *row.mutable_approved_until() = ToTimestamp(now.wall + kApproval);
  row.set_approved_by(IsUtf8(actor) ? std::string(actor) : "?");
  row.clear_approval_wanted_time();
  ChangeSet changes;
  const std::string subject = RenewalSubject(name);
  if (alarms_.count(subject) != 0) {
    HOSTQ_ASSIGN_OR_RETURN(changes, ClearAlarm(subject, actor));
  }
  changes.before = AuditJsonOf(*old);
  changes.after = absl::StrCat(
      "{\"approved_until\":\"",
      absl::FormatTime(absl::RFC3339_sec, now.wall + kApproval, absl::UTCTimeZone()), "\"}");
  changes.events.push_back(Told(EventType::kNodeResumed, name, actor,
                                "may renew its expired certificate within an hour"));
  changes.events.back().reason = Reason::kRenewalNeedsApproval;
  Put(std::move(row), changes);
  return changes;
}

bool Cluster::IsApproved(absl::string_view name, const Now& now) const {
  const storage::v1::Node* row = FindNode(name);
  return row != nullptr && row->has_approved_until() &&
         now.wall < FromTimestamp(row->approved_until());
}

ChangeSet Cluster::WantApproval(absl::string_view name, absl::string_view message,
                                absl::string_view source, const Now& now) {
  ChangeSet changes =
      RaiseAlarm(RenewalSubject(name), Reason::kRenewalNeedsApproval, name, message, source, now);
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr || old->has_approval_wanted_time()) return changes;
  storage::v1::Node row = *old;
  *row.mutable_approval_wanted_time() = ToTimestamp(now.wall);
  Put(std::move(row), changes);
  return changes;
}

std::string RenewalSubject(absl::string_view node) { return absl::StrCat("renewal/", node); }
std::string CertificateSubject(absl::string_view node) {
  return absl::StrCat("certificate/", node);
}
std::string TokenSubject(absl::string_view node) { return absl::StrCat("token/", node); }
std::string NodeSubject(absl::string_view node) { return absl::StrCat("node/", node); }

// --- authorities ---

ChangeSet Cluster::NodeTrusts(absl::string_view name, int64_t incarnation,
                              std::vector<std::string> pins) {
  ChangeSet changes;
  const storage::v1::Node* old = FindNode(name);
  if (old == nullptr || old->incarnation() != incarnation) return changes;
  std::sort(pins.begin(), pins.end());
  pins.erase(std::unique(pins.begin(), pins.end()), pins.end());
  if (pins.size() > kMaxTrusts) pins.resize(kMaxTrusts);
  if (std::equal(pins.begin(), pins.end(), old->trusts().begin(), old->trusts().end())) {
    return changes;
  }
  storage::v1::Node row = *old;
  row.mutable_trusts()->Assign(pins.begin(), pins.end());
  Put(std::move(row), changes);
  return changes;
}

std::vector<std::string> Cluster::NodesNotTrusting(absl::string_view pin) const {
  std::vector<std::string> names;
  for (const auto& [name, row] : nodes_) {
    if (HasJoined(row) && !row.has_ban() && !Contains(row.trusts(), pin)) names.push_back(name);
  }
  return names;
}

std::vector<std::string> Cluster::NodesNotSignedBy(absl::string_view pin) const {
  std::vector<std::string> names;
  for (const auto& [name, row] : nodes_) {
    if (!HasJoined(row) || row.has_ban()) continue;
    const storage::v1::Certificate* current = CertificateOf(row);
    if (current == nullptr || current->authority() != pin) names.push_back(name);
  }
  return names;
}

}  // namespace hostq::manager
