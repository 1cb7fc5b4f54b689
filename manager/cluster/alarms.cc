#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cluster/audit_json.h"
#include "manager/cluster/draft.h"

namespace hostq::manager {
namespace {

// Whoever provokes an alarm again and again must not make the manager write each time.
constexpr absl::Duration kStoreInterval = absl::Seconds(1);
// Addresses are the one sort of subject that strangers make up: all others name a node or a key
// that the cluster has. What came from more addresses than this is one alarm.
constexpr ptrdiff_t kMaxSources = 100;
constexpr absl::string_view kSourcePrefix = "source/";
constexpr absl::string_view kOtherSources = "source/various";

Event AlarmEvent(EventType type, const storage::v1::Alarm& alarm, absl::string_view actor,
                 std::string message) {
  Event event;
  event.type = type;
  event.node = alarm.node();
  event.reason = static_cast<Reason>(alarm.reason());
  event.actor = std::string(actor);
  event.message = std::move(message);
  return event;
}

}  // namespace

bool Cluster::IsOneSourceTooMany(absl::string_view subject) const {
  if (!absl::StartsWith(subject, kSourcePrefix) || subject == kOtherSources) return false;
  const auto begin = alarms_.lower_bound(kSourcePrefix);
  const auto end = std::find_if(begin, alarms_.end(), [](const auto& entry) {
    return !absl::StartsWith(entry.first, kSourcePrefix);
  });
  return alarms_.count(subject) == 0 && std::distance(begin, end) >= kMaxSources;
}

ChangeSet Cluster::RaiseAlarm(absl::string_view subject, Reason reason, absl::string_view node,
                              absl::string_view message, absl::string_view source, const Now& now) {
  ChangeSet changes;
  if (IsOneSourceTooMany(subject)) subject = kOtherSources;
  const auto found = alarms_.find(subject);
  const bool first = found == alarms_.end();
  storage::v1::Alarm row = first ? storage::v1::Alarm() : found->second;
  const bool store = first || now.wall - FromTimestamp(row.last_time()) >= kStoreInterval;
  row.set_subject(std::string(subject));
  row.set_reason(static_cast<v1::Reason::Code>(reason));
  row.set_node(std::string(node));
  row.set_message(std::string(message));
  row.set_count(row.count() + 1);
  if (first) *row.mutable_first_time() = ToTimestamp(now.wall);
  row.set_last_source(std::string(source));
  if (!store) {
    found->second = std::move(row);
    return changes;
  }
  *row.mutable_last_time() = ToTimestamp(now.wall);
  if (first) {
    changes.events.push_back(AlarmEvent(EventType::kAlarmRaised, row, "manager",
                                        absl::StrCat(subject, ": ", message, ", from ", source)));
  }
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Cluster::ClearAlarm(absl::string_view subject, absl::string_view actor) {
  const auto found = alarms_.find(subject);
  if (found == alarms_.end()) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownAlarm,
                     absl::StrCat("subject: there is no alarm ", Printable(subject, 100)));
  }
  ChangeSet changes;
  changes.before = AuditJsonOf(found->second);
  changes.events.push_back(AlarmEvent(EventType::kAlarmCleared, found->second, actor,
                                      absl::StrCat(subject, ", after ", found->second.count())));
  EraseAlarm(std::string(subject), changes);
  return changes;
}

}  // namespace hostq::manager
