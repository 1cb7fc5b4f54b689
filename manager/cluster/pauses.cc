#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cluster/audit_json.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxPauseNote = 500;
constexpr size_t kMaxKey = 300;

std::vector<std::string> Kinds() {
  std::vector<std::string> kinds;
  const auto& descriptor = *v1::CommandSpec::descriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) kinds.push_back(descriptor.field(i)->name());
  std::sort(kinds.begin(), kinds.end());
  return kinds;
}

absl::Status CheckWhat(const PauseKey& what) {
  const auto& [scope, value] = what;
  if (scope == PauseScope::kKind) return CheckKind(value);
  const size_t slash = value.find('/');
  const std::string type = value.substr(0, slash);
  const bool known = type == "account" || type == "share" || type == "address" || type == "node" ||
                     type == "balancer" || type == "storage";
  if (known && slash != std::string::npos && slash + 1 < value.size() && value.size() <= kMaxKey &&
      CheckText("resource_key", value, kMaxKey).ok()) {
    return absl::OkStatus();
  }
  return InvalidField(
      Reason::kInvalidArgument, "resource_key",
      absl::StrCat("\"", Printable(value, 40),
                   "\" is no resource key; wanted: account/example.com, share/home or "
                   "address/203.0.113.10"));
}

storage::v1::Pause RowOf(const PauseKey& what) {
  storage::v1::Pause row;
  row.set_scope(static_cast<storage::v1::Pause::Scope>(what.first));
  row.set_value(what.second);
  return row;
}

// "create_account", "share/home".
Event PauseEvent(EventType type, const PauseKey& what, absl::string_view actor,
                 absl::string_view note) {
  Event event;
  event.type = type;
  event.actor = std::string(actor);
  event.message = absl::StrCat(what.first == PauseScope::kKind ? "kind " : "key ", what.second,
                               note.empty() ? "" : ": ", note);
  return event;
}

}  // namespace

absl::Status CheckKind(absl::string_view kind) {
  const std::vector<std::string> kinds = Kinds();
  if (std::binary_search(kinds.begin(), kinds.end(), kind)) return absl::OkStatus();
  return InvalidField(Reason::kInvalidArgument, "kind",
                      absl::StrCat("\"", Printable(kind, 40), "\" is no kind of command; wanted: ",
                                   absl::StrJoin(kinds, ", ")));
}

std::string PauseRowKey(const storage::v1::Pause& row) {
  return absl::StrCat(row.scope() == storage::v1::Pause::KIND ? "kind/" : "resource_key/",
                      row.value());
}

absl::StatusOr<ChangeSet> Cluster::PauseCommands(const PauseKey& what, absl::string_view note,
                                                 absl::string_view actor, const Now& now) {
  HOSTQ_RETURN_IF_ERROR(CheckWhat(what));
  if (absl::StripAsciiWhitespace(note).empty()) {
    return InvalidField(Reason::kInvalidArgument, "note", "missing; wanted: why it is paused");
  }
  HOSTQ_RETURN_IF_ERROR(CheckText("note", note, kMaxPauseNote));
  storage::v1::Pause row = RowOf(what);
  row.set_actor(IsUtf8(actor) ? std::string(actor) : "?");
  row.set_note(std::string(note));
  *row.mutable_time() = ToTimestamp(now.wall);
  ChangeSet changes;
  changes.pauses.emplace_back(what, Pause{row.actor(), row.note(), now.wall});
  changes.events.push_back(PauseEvent(EventType::kPaused, what, actor, note));
  if (const auto old = pauses_.find(PauseRowKey(row)); old != pauses_.end()) {
    changes.before = AuditJsonOf(old->second);
  }
  changes.after = AuditJsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::ResumeCommands(const PauseKey& what, absl::string_view actor) {
  HOSTQ_RETURN_IF_ERROR(CheckWhat(what));
  ChangeSet changes;
  const std::string key = PauseRowKey(RowOf(what));
  const auto old = pauses_.find(key);
  if (old == pauses_.end()) return changes;
  changes.before = AuditJsonOf(old->second);
  changes.pauses.emplace_back(what, std::nullopt);
  changes.events.push_back(PauseEvent(EventType::kResumed, what, actor, ""));
  ErasePause(key, changes);
  return changes;
}

std::map<PauseKey, Pause> Cluster::Pauses() const {
  std::map<PauseKey, Pause> pauses;
  for (const auto& [key, row] : pauses_) {
    pauses[{static_cast<PauseScope>(row.scope()), row.value()}] = {row.actor(), row.note(),
                                                                   FromTimestamp(row.time())};
  }
  return pauses;
}

}  // namespace hostq::manager
