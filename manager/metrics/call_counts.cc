#include "manager/metrics/call_counts.h"

namespace hostq::manager {
namespace {

constexpr char kOther[] = "other";

}  // namespace

CallCounts::CallCounts(std::vector<std::string> names) {
  const MutexLock lock(mutex_);
  entries_[kOther];
  for (std::string& name : names) entries_[std::move(name)];
}

CallCounts::Entry& CallCounts::Find(absl::string_view name) {
  const auto found = entries_.find(name);
  return found == entries_.end() ? entries_.find(kOther)->second : found->second;
}

void CallCounts::Ended(absl::string_view name, absl::string_view code, absl::Duration took) {
  const MutexLock lock(mutex_);
  Entry& entry = Find(name);
  ++entry.codes[std::string(code)];
  entry.seconds.Add(took);
  entry.timed = true;
}

void CallCounts::StreamBegan(absl::string_view name) {
  const MutexLock lock(mutex_);
  Entry& entry = Find(name);
  ++entry.open;
  entry.streams = true;
}

void CallCounts::StreamEnded(absl::string_view name, absl::string_view code) {
  const MutexLock lock(mutex_);
  Entry& entry = Find(name);
  --entry.open;
  ++entry.codes[std::string(code)];
}

void CallCounts::Show(absl::string_view total, absl::string_view seconds, absl::string_view streams,
                      Page& page) const {
  const MutexLock lock(mutex_);
  for (const auto& [name, entry] : entries_) {
    for (const auto& [code, count] : entry.codes) {
      page.Add(total, {name, code}, static_cast<double>(count));
    }
    if (entry.timed) page.Add(seconds, {name}, entry.seconds);
    if (entry.streams) page.Add(streams, {name}, static_cast<double>(entry.open));
  }
}

void RefusalCounts::Add(Reason reason) {
  const MutexLock lock(mutex_);
  ++counts_[reason];
}

void RefusalCounts::Show(absl::string_view total, Page& page) const {
  const MutexLock lock(mutex_);
  for (const auto& [reason, count] : counts_) {
    page.Add(total, {NameOf(reason)}, static_cast<double>(count));
  }
}

}  // namespace hostq::manager
