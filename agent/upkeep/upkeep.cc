#include "agent/upkeep/upkeep.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/actions/comparing_host.h"
#include "agent/runner/convert.h"
#include "common/base/text.h"
#include "common/log/log.h"

namespace hostq::agent {
namespace {

// As in the protocol.
constexpr int kMostTold = 100;

void LogDeviation(const char* what, const Deviation& deviation) {
  LogWarning(what, {{"resource_key", deviation.resource_key},
                    {"reason", NameOf(deviation.reason)},
                    {"message", deviation.message}});
}

}  // namespace

Upkeep::Upkeep(UpkeepOptions options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      next_look_(clock.Monotonic()),
      next_quota_look_(clock.Monotonic()),
      next_preflight_(absl::InfiniteDuration()) {}

void Upkeep::Load(Kept kept) {
  for (const auto& [key, item] : kept) Keep(key, item);
  // The machine may have been started with another kernel, or without its settings.
  if (kept_.contains(kPreflightKey)) PreflightIn(options_.soon);
}

void Upkeep::PreflightIn(absl::Duration delay) {
  next_preflight_ = clock_.Monotonic() + std::min(delay, options_.preflight_interval);
}

bool Upkeep::Keep(const std::string& key, const KeptItem& item) {
  const auto kept = kept_.find(key);
  if (kept != kept_.end() && IsOutdated(item, kept->second)) return false;
  kept_[key] = item;
  if (key == kPreflightKey) {  // it has just been passed
    if (!std::exchange(failed_checks_, {}).empty()) tell_ = true;
    PreflightIn(options_.preflight_interval);
  }
  if (StepsFor(item).contains("quota") && quotas_.insert(key).second) {
    // The more there are, the sooner is the next one's turn.
    next_quota_look_ = std::min(next_quota_look_, clock_.Monotonic() + QuotaPause());
  }
  return true;
}

void Upkeep::Drop(const std::string& key) {
  kept_.erase(key);
  quotas_.erase(key);
  if (open_.erase(key) != 0) tell_ = true;
}

void Upkeep::Look(const std::set<std::string>& changing) {
  const absl::Duration now = clock_.Monotonic();
  next_look_ = now + options_.interval;
  const auto found = options_.look(kept_);
  if (!found.ok()) {
    if (!look_failed_) LogError("the node's state cannot be read", {{"status", found.status()}});
    look_failed_ = true;
    return;
  }
  look_failed_ = false;
  std::map<std::string, Open> still;
  std::vector<const Deviation*> fresh;
  for (const Deviation& deviation : *found) {
    const auto known = open_.find(deviation.resource_key);
    if (known != open_.end()) {
      Open& open = still[deviation.resource_key] = known->second;
      open.quota = false;  // this comes first; its quota is looked at again
      // Until a repair has failed, what is seen is all there is to tell.
      if (open.failures == 0 && open.deviation.reason != deviation.reason) {
        open.deviation = deviation;
        tell_ = true;
      }
      continue;
    }
    if (changing.contains(deviation.resource_key)) continue;
    fresh.push_back(&deviation);
  }
  for (const auto& [key, open] : open_) {
    if (open.quota) still.emplace(key, open);
  }
  if (still.size() != open_.size()) tell_ = true;  // somebody else has put it right
  open_ = std::move(still);
  for (const Deviation* deviation : fresh) Found(*deviation, false);
}

void Upkeep::OnChecked(std::optional<std::vector<Deviation>> failed) {
  preflight_runs_ = false;
  if (!kept_.contains(kPreflightKey)) return;
  PreflightIn(!failed || !failed->empty() ? options_.soon : options_.preflight_interval);
  if (!failed) return;
  std::map<std::string, Open> now_failed;
  for (Deviation& deviation : *failed) {
    const auto known = failed_checks_.find(deviation.resource_key);
    const bool same =
        known != failed_checks_.end() && known->second.deviation.reason == deviation.reason;
    if (same) {
      now_failed.insert(*known);
      continue;
    }
    LogDeviation("the node would not pass its preflight any more", deviation);
    tell_ = true;
    const std::string key = deviation.resource_key;
    now_failed[key] = {std::move(deviation), clock_.Monotonic(), 0, {}, false};
  }
  if (now_failed.size() != failed_checks_.size()) tell_ = true;
  failed_checks_ = std::move(now_failed);
}

void Upkeep::SetWedged(std::vector<Deviation> wedged) {
  if (wedged.empty() && wedged_.empty()) return;
  std::map<std::string, Open> now_wedged;
  for (Deviation& deviation : wedged) {
    const auto known = wedged_.find(deviation.resource_key);
    if (known != wedged_.end()) {
      now_wedged.insert(*known);
      continue;
    }
    tell_ = true;
    const std::string key = deviation.resource_key;
    now_wedged[key] = {std::move(deviation), clock_.Monotonic(), 0, {}, false};
  }
  if (now_wedged.size() != wedged_.size()) tell_ = true;
  wedged_ = std::move(now_wedged);
}

void Upkeep::Found(const Deviation& deviation, bool quota) {
  LogDeviation("the node is not as it was told to be", deviation);
  const absl::Duration now = clock_.Monotonic();
  open_[deviation.resource_key] = {deviation, now, 0, now, quota};
  tell_ = true;
}

absl::Duration Upkeep::QuotaPause() const {
  return std::max(
      options_.shortest_quota_pause,
      options_.quota_round / std::max<int64_t>(1, static_cast<int64_t>(quotas_.size())));
}

// The next one after the last that nothing else is done to.
std::optional<Upkeep::Repair> Upkeep::NextQuotaLook() {
  next_quota_look_ = clock_.Monotonic() + QuotaPause();
  auto key = quotas_.upper_bound(last_quota_);
  for (size_t tried = 0; tried < quotas_.size(); ++tried, ++key) {
    if (key == quotas_.end()) key = quotas_.begin();
    if (running_.contains(*key) || changing_.contains(*key)) continue;
    last_quota_ = *key;
    const auto look = QuotaLook(kept_.at(*key));
    if (!look) return std::nullopt;
    return Repair{*key, *look, Purpose::kQuotaLook};
  }
  return std::nullopt;
}

void Upkeep::OnQuotaSeen(const Repair& look, Reason seen, const std::string& message) {
  // Meanwhile another one may be meant.
  const auto kept = kept_.find(look.key);
  if (kept == kept_.end() || QuotaLook(kept->second) != look.item) return;
  if (changing_.contains(look.key)) return;
  const auto known = open_.find(look.key);
  if (seen == Reason::kDiffers) {
    if (known == open_.end())
      Found({look.key, Reason::kQuotaMismatch, std::string(absl::StripPrefix(message, kToBeDone))},
            true);
  } else if (seen == Reason::kNone && known != open_.end() && known->second.quota) {
    open_.erase(known);  // somebody else has put it right
    tell_ = true;
  }
}

std::vector<Upkeep::Repair> Upkeep::Advance(const std::set<std::string>& changing) {
  std::vector<Repair> repairs;
  if (!options_.look) return repairs;
  const absl::Duration now = clock_.Monotonic();
  changing_ = changing;
  if (now >= next_look_) Look(changing);
  for (const auto& [key, open] : open_) {
    if (!options_.repair || running_.size() >= static_cast<size_t>(options_.repairs_at_once)) break;
    if (now < open.next_try || running_.contains(key) || changing.contains(key)) continue;
    running_.insert(key);
    repairs.push_back({key, kept_.at(key)});
  }
  if (!quota_look_runs_ && !quotas_.empty() && now >= next_quota_look_) {
    if (auto look = NextQuotaLook()) {
      quota_look_runs_ = true;
      running_.insert(look->key);
      repairs.push_back(*std::move(look));
    }
  }
  if (!preflight_runs_ && now >= next_preflight_) {
    if (auto look = PreflightLook(kept_)) {
      preflight_runs_ = true;
      repairs.push_back({kPreflightKey, *std::move(look), Purpose::kPreflight});
    } else {
      next_preflight_ = absl::InfiniteDuration();
    }
  }
  return repairs;
}

std::optional<Upkeep::Repair> Upkeep::OnRepaired(const Repair& repair, Reason failure,
                                                 const std::string& message) {
  running_.erase(repair.key);
  if (repair.purpose == Purpose::kQuotaLook) {
    quota_look_runs_ = false;
    OnQuotaSeen(repair, failure, message);
    return std::nullopt;
  }
  if (repair.purpose == Purpose::kUndo)
    return std::nullopt;  // what is missing now, the next look sees
  const auto found = open_.find(repair.key);
  if (!kept_.contains(repair.key)) {
    const auto undo = Undo(repair.item);
    if (failure != Reason::kNone || !undo) return std::nullopt;
    running_.insert(repair.key);
    return Repair{repair.key, *undo, Purpose::kUndo};
  }
  if (found == open_.end()) return std::nullopt;
  Open& open = found->second;
  tell_ = true;
  if (failure == Reason::kNone) {
    LogInfo("put right", {{"resource_key", repair.key}, {"message", open.deviation.message}});
    if (repaired_.size() < kMostTold) repaired_.push_back(ToProto(open));
    open_.erase(found);
    return std::nullopt;
  }
  ++open.failures;
  open.next_try = clock_.Monotonic() +
                  std::min(options_.longest_pause,
                           options_.interval * (int64_t{1} << std::min(open.failures, 20)));
  if (open.failures == 1) {
    LogWarning("cannot be put right",
               {{"resource_key", repair.key}, {"reason", NameOf(failure)}, {"message", message}});
  }
  open.deviation.reason = failure;
  open.deviation.message = message;
  return std::nullopt;
}

absl::Duration Upkeep::NextWake() const {
  if (!options_.look) return absl::InfiniteDuration();
  absl::Duration next = next_look_;
  if (!preflight_runs_) next = std::min(next, next_preflight_);
  if (!quota_look_runs_ && !quotas_.empty()) next = std::min(next, next_quota_look_);
  if (!options_.repair || running_.size() >= static_cast<size_t>(options_.repairs_at_once)) {
    return next;
  }
  for (const auto& [key, open] : open_) {
    if (running_.contains(key) || changing_.contains(key)) continue;
    next = std::min(next, open.next_try);
  }
  return next;
}

v1::Deviation Upkeep::ToProto(const Open& open) const {
  v1::Deviation out;
  out.set_resource_key(open.deviation.resource_key);
  out.set_reason(static_cast<hostq::v1::Reason::Code>(open.deviation.reason));
  out.set_message(Printable(open.deviation.message, 1000));
  *out.mutable_age() = agent::ToProto(clock_.Monotonic() - open.since);
  return out;
}

std::optional<v1::Drift> Upkeep::TakeNews() {
  if (!tell_) return std::nullopt;
  tell_ = false;
  v1::Drift drift;
  for (const auto* all : {&wedged_, &failed_checks_, &open_}) {
    for (const auto& [key, open] : *all) {
      if (drift.open_size() == kMostTold) break;
      *drift.add_open() = ToProto(open);
    }
  }
  drift.set_open_count(static_cast<int32_t>(wedged_.size() + failed_checks_.size() + open_.size()));
  drift.set_repairs(options_.repair);
  for (v1::Deviation& deviation : std::exchange(repaired_, {})) {
    *drift.add_repaired() = std::move(deviation);
  }
  return drift;
}

}  // namespace hostq::agent
