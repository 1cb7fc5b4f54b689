#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace hostq {

// The seam to time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time, for display and for not-after.
  virtual absl::Time Now() = 0;
  // Never goes back; for leases, deadlines and backoff. Meaningful only as a difference, within one
  // run of the program.
  virtual absl::Duration Monotonic() = 0;
};

// The machine's clocks. Lives for ever.
Clock& SystemClock();

// Moves only when told to.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1'700'000'000)) : now_(now) {}
  absl::Time Now() override { return now_; }
  absl::Duration Monotonic() override { return monotonic_; }
  void Advance(absl::Duration by) {
    now_ += by;
    monotonic_ += by;
  }
  // Wall time only, as when an administrator sets the clock.
  void Step(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_;
  absl::Duration monotonic_ = absl::Hours(1);
};

}  // namespace hostq
