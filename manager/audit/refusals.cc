#include "manager/audit/refusals.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "manager/domain/source.h"

namespace hostq::manager {
namespace {

// Of those that are not told apart.
constexpr char kVarious[] = "various";
// Who has not shown who it is.
constexpr char kStranger[] = "unknown";

bool IsOlder(const AuditEntry& a, const AuditEntry& b) {
  return std::tie(a.time, a.actor, a.source, a.act, a.outcome) <
         std::tie(b.time, b.actor, b.source, b.act, b.outcome);
}

}  // namespace

AuditEntry Refusals::Take(Gathered& gathered) {
  AuditEntry entry = std::move(gathered.last);
  entry.count = std::exchange(gathered.count, 0);
  return entry;
}

std::optional<AuditEntry> Refusals::Add(AuditEntry entry, absl::Duration now) {
  const MutexLock lock(mutex_);
  const bool stranger = entry.actor == kStranger || entry.actor.empty();
  Sorts& sorts = stranger ? strangers_ : known_;
  const size_t most = stranger ? options_.max_strangers : options_.max_sorts;
  Sort sort(entry.actor, RateLimitSource(entry.source), entry.act, entry.outcome);
  if (!sorts.contains(sort) && sorts.size() >= most) {
    entry.message = AuditText(
        absl::StrCat("more sorts of refusals than are told apart; the last: ", entry.actor,
                     " from ", entry.source, ": ", entry.message),
        kMaxAuditJson);
    entry.actor = stranger ? kStranger : kVarious;
    entry.source = entry.act = entry.target = kVarious;
    entry.request_id.clear();
    sort = Sort(entry.actor, kVarious, kVarious, Reason::kNone);
  }
  const auto [found, first] = sorts.try_emplace(std::move(sort));
  Gathered& gathered = found->second;
  ++gathered.count;
  gathered.last = std::move(entry);
  if (!first && now - gathered.written < options_.interval) return std::nullopt;
  gathered.written = now;
  next_ = std::min(next_, now + options_.interval);
  return Take(gathered);
}

absl::Duration Refusals::TakeDue(Sorts& sorts, absl::Duration now,
                                 std::vector<AuditEntry>& due) const {
  absl::Duration next = absl::InfiniteDuration();
  for (auto at = sorts.begin(); at != sorts.end();) {
    Gathered& gathered = at->second;
    const bool over = now - gathered.written >= options_.interval;
    if (over && gathered.count == 0) {
      sorts.erase(at++);
      continue;
    }
    if (over) {
      gathered.written = now;
      due.push_back(Take(gathered));
    }
    next = std::min(next, gathered.written + options_.interval);
    ++at;
  }
  return next;
}

std::vector<AuditEntry> Refusals::TakeDue(absl::Duration now) {
  std::vector<AuditEntry> due;
  const MutexLock lock(mutex_);
  if (now < next_) return due;
  next_ = std::min(TakeDue(known_, now, due), TakeDue(strangers_, now, due));
  std::sort(due.begin(), due.end(), IsOlder);
  return due;
}

std::vector<AuditEntry> Refusals::TakeAll() {
  std::vector<AuditEntry> all;
  const MutexLock lock(mutex_);
  for (Sorts* sorts : {&known_, &strangers_}) {
    for (auto& [sort, gathered] : *sorts) {
      if (gathered.count > 0) all.push_back(Take(gathered));
    }
    sorts->clear();
  }
  next_ = absl::InfiniteDuration();
  std::sort(all.begin(), all.end(), IsOlder);
  return all;
}

size_t Refusals::sorts() const {
  const MutexLock lock(mutex_);
  return known_.size() + strangers_.size();
}

}  // namespace hostq::manager
