#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/histogram.h"
#include "common/base/mutex.h"
#include "common/base/reason.h"
#include "manager/metrics/page.h"

namespace hostq::manager {

// How calls ended, by what was called. Thread-safe; holds a lock for some nanoseconds.
class CallCounts {
 public:
  // The names that are told apart; every other one is "other". They may come from strangers, so
  // that their number has to be bounded.
  explicit CallCounts(std::vector<std::string> names);

  // `code`: "OK", "NOT_FOUND", "404". Bounded by the caller.
  void Ended(absl::string_view name, absl::string_view code, absl::Duration took);
  // A stream: how long it took says nothing.
  void StreamBegan(absl::string_view name);
  void StreamEnded(absl::string_view name, absl::string_view code);

  // To the metrics `total` (labels: name, code), `seconds` and `streams` (label: name).
  void Show(absl::string_view total, absl::string_view seconds, absl::string_view streams,
            Page& page) const;

 private:
  struct Entry {
    std::map<std::string, uint64_t, std::less<>> codes;
    Histogram seconds{kCallBounds};
    bool timed = false;
    bool streams = false;
    int64_t open = 0;
  };
  Entry& Find(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);
};

// Refusals, by reason. Thread-safe.
class RefusalCounts {
 public:
  void Add(Reason reason);
  void Show(absl::string_view total, Page& page) const;

 private:
  mutable Mutex mutex_;
  std::map<Reason, uint64_t> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
