#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq::bench {

// CLOCK_MONOTONIC in nanoseconds: the same for every process of the machine.
int64_t Nanos();

// What is measured of a time each. Not thread-safe.
class Latencies {
 public:
  void Add(int64_t nanos) { nanos_.push_back(nanos); }
  void Merge(const Latencies& other);
  size_t count() const { return nanos_.size(); }
  // Milliseconds; 0 without any. `p` from 0 to 1.
  double Quantile(double p) const;

 private:
  mutable std::vector<int64_t> nanos_;
  mutable bool sorted_ = false;
};

// The disk's own speed: 4 KiB appended to a file in `directory` and made durable by fdatasync(2),
// one after the other, for `span`. How many a second, and the median of one in milliseconds.
struct Anchor {
  double per_second = 0;
  double p50_ms = 0;
};
Anchor MeasureAnchor(const std::string& directory, absl::Duration span);

// Of a process: what it has used, and has now. Zeros if there is none.
struct ProcessUse {
  double cpu_seconds = 0;
  int64_t anonymous_kib = 0;  // RssAnon of /proc/PID/status
  int threads = 0;
};
ProcessUse UseOf(int pid);

// A payload of `size` bytes, at least 8, that begins with when it was made; and that time.
std::string StampedPayload(size_t size);
int64_t StampOf(absl::string_view payload);

}  // namespace hostq::bench
