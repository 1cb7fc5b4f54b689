#include "manager/domain/notices.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "common/base/text.h"

namespace hostq::manager {
namespace {

// A disk full of broken nodes must not become a disk full of notices.
constexpr size_t kMaxNotices = 1'000;
// Of one mail; the rest is counted.
constexpr size_t kMaxTold = 50;
constexpr size_t kMaxNodes = 10;

std::string TimeIn(absl::Time time, const absl::TimeZone& zone) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", time, zone);
}

absl::string_view WhoActs(Owner owner) {
  switch (owner) {
    case Owner::kAdministrator:
      return "an administrator";
    case Owner::kNode:
      return "whoever looks after the node";
    case Owner::kFileServer:
      return "whoever looks after the file server";
    case Owner::kNetwork:
      return "whoever looks after the network";
    case Owner::kAgent:
      return "whoever looks after the node's agent";
    case Owner::kManager:
      return "whoever looks after the manager";
    case Owner::kRequester:
      return "whoever submitted the command";
    case Owner::kNobody:
      return "nobody";
  }
  return "nobody";
}

void Describe(const Notice& notice, const absl::TimeZone& zone, std::string& out) {
  const Cause& cause = notice.cause;
  absl::StrAppend(&out, cause.Id(), ": ", InfoOf(cause.reason).explanation, "\n  since       ",
                  TimeIn(cause.since, zone), "\n");
  if (notice.cleared()) {
    absl::StrAppend(&out, "  gone since  ", TimeIn(notice.clear_time, zone), "\n");
  }
  if (const int64_t tasks = cause.tasks + cause.waiting; tasks > 0) {
    absl::StrAppend(&out, "  waiting     ", tasks, tasks == 1 ? " task" : " tasks", "\n");
  }
  if (!cause.nodes.empty()) {
    const size_t shown = std::min(cause.nodes.size(), kMaxNodes);
    absl::StrAppend(&out, "  nodes       ",
                    absl::StrJoin(absl::MakeConstSpan(cause.nodes).first(shown), ", "),
                    shown < cause.nodes.size() ? ", ..." : "", "\n");
  }
  if (!notice.cleared()) {
    absl::StrAppend(&out, "  must act    ", WhoActs(cause.owner), "\n  details     ", cause.summary,
                    "\n  what to do  ", cause.remedy, "\n");
  }
  out += "\n";
}

}  // namespace

void Notices::Load(Notice notice) {
  std::string key = notice.cause.Id();
  notices_[std::move(key)] = std::move(notice);
}

Notices::Observed Notices::Observe(const std::vector<Cause>& causes, absl::Time now) {
  Observed observed;
  std::set<std::string> there;
  for (const Cause& cause : causes) {
    const std::string key = cause.Id();
    there.insert(key);
    const auto found = notices_.find(key);
    if (found != notices_.end() && !found->second.cleared()) {
      vanished_.erase(key);
      found->second.cause.tasks = cause.tasks;  // for the mail; not worth a write
      found->second.cause.waiting = cause.waiting;
      found->second.cause.nodes = cause.nodes;
      continue;
    }
    const absl::Time since = appeared_.try_emplace(key, now).first->second;
    if (now - since < rules_.settle ||
        (found == notices_.end() && notices_.size() >= kMaxNotices)) {
      continue;
    }
    appeared_.erase(key);
    Notice notice{cause, now, absl::InfiniteFuture(), rules_.mail, false};
    // It was gone and is back: who was told that it is there, and not yet that it was gone, needs
    // to be told neither.
    if (found != notices_.end()) notice.mail_raised = found->second.mail_raised;
    notices_[key] = notice;
    observed.raised.push_back(std::move(notice));
    observed.changed.insert(key);
  }
  for (auto at = appeared_.begin(); at != appeared_.end();) {
    at = there.count(at->first) == 0 ? appeared_.erase(at) : std::next(at);
  }
  std::vector<std::string> gone;
  for (const auto& [key, notice] : notices_) {
    if (!notice.cleared() && there.count(key) == 0) gone.push_back(key);
  }
  for (const std::string& key : gone) {
    const absl::Time since = vanished_.try_emplace(key, now).first->second;
    if (now - since < rules_.settle) continue;
    vanished_.erase(key);
    Notice& notice = notices_[key];
    notice.clear_time = since;
    notice.mail_cleared = rules_.mail;
    observed.cleared.push_back(notice);
    observed.changed.insert(key);
    Forget(key);
  }
  return observed;
}

void Notices::Forget(const std::string& key) {
  const auto found = notices_.find(key);
  if (found == notices_.end()) return;
  const Notice& notice = found->second;
  if (notice.cleared() && !notice.mail_raised && !notice.mail_cleared) notices_.erase(found);
}

bool Notices::IsQuiet(absl::Time now) const {
  if (rules_.quiet_start == rules_.quiet_end) return false;
  const absl::CivilSecond civil = absl::ToCivilSecond(now, rules_.zone);
  const absl::Duration at =
      absl::Hours(civil.hour()) + absl::Minutes(civil.minute()) + absl::Seconds(civil.second());
  return rules_.quiet_start < rules_.quiet_end ? at >= rules_.quiet_start && at < rules_.quiet_end
                                               : at >= rules_.quiet_start || at < rules_.quiet_end;
}

std::optional<Mail> Notices::DueMail(absl::Time now) const {
  if (!rules_.mail) return std::nullopt;
  const auto recent = std::count_if(mails_.begin(), mails_.end(),
                                    [&](absl::Time sent) { return now - sent < absl::Hours(1); });
  if (recent >= rules_.mails_per_hour) return std::nullopt;
  const bool quiet = IsQuiet(now);
  Mail mail;
  std::string first;
  size_t told = 0;
  size_t all = 0;
  std::string raised, cleared, passed;
  for (const auto& [key, notice] : notices_) {
    if (!notice.mail_raised && !notice.mail_cleared) continue;
    if (quiet && rules_.urgent.count(notice.cause.reason) == 0) continue;
    if (notice.mail_raised) mail.raised.push_back(key);
    if (notice.mail_cleared) mail.cleared.push_back(key);
    ++all;
    if (told == kMaxTold) continue;
    ++told;
    if (first.empty()) first = absl::StrCat(notice.cleared() ? "gone: " : "", key);
    std::string& part = !notice.cleared() ? raised : notice.mail_raised ? passed : cleared;
    Describe(notice, rules_.zone, part);
  }
  if (all == 0) return std::nullopt;
  mail.subject = absl::StrCat("hostq ", rules_.cluster, ": ", first,
                              all > 1 ? absl::StrCat(", and ", all - 1, " more") : "");
  const auto add = [&](absl::string_view title, const std::string& part) {
    if (!part.empty()) absl::StrAppend(&mail.body, title, "\n\n", part);
  };
  add("Something does not move, and somebody has to act:", raised);
  add("This is over:", cleared);
  add("This came and went by itself:", passed);
  if (all > told) {
    absl::StrAppend(&mail.body, all - told, " more are not listed here.\n\n");
  }
  absl::StrAppend(&mail.body, "What is stuck now: hostq stuck\n");
  return mail;
}

std::set<std::string> Notices::Mailed(const Mail& mail, absl::Time now) {
  mails_.erase(std::remove_if(mails_.begin(), mails_.end(),
                              [&](absl::Time sent) { return now - sent >= absl::Hours(1); }),
               mails_.end());
  mails_.push_back(now);
  std::set<std::string> changed;
  const auto told = [&](const std::vector<std::string>& keys, bool Notice::*flag) {
    for (const std::string& key : keys) {
      const auto found = notices_.find(key);
      if (found == notices_.end()) continue;
      found->second.*flag = false;
      changed.insert(key);
    }
  };
  told(mail.raised, &Notice::mail_raised);
  told(mail.cleared, &Notice::mail_cleared);
  for (const std::string& key : changed) Forget(key);
  return changed;
}

}  // namespace hostq::manager
