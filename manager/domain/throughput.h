#pragma once

#include <array>
#include <cstdint>

#include "absl/time/time.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// How much was done lately, counted from the events: a few additions for each, and memory that
// never grows. Not thread-safe.
class Throughput {
 public:
  struct Counts {
    // Shorter than what was asked for right after the start.
    absl::Duration span;
    int64_t commands_accepted = 0;
    int64_t tasks_finished = 0;
    int64_t tasks_failed = 0;  // or expired
  };

  // Times are Now::monotonic and never go back.
  explicit Throughput(absl::Duration start = absl::ZeroDuration()) : start_(start) {}
  void Count(const Event& event, absl::Duration now);
  Counts LastMinute(absl::Duration now) const;
  Counts LastHour(absl::Duration now) const;

 private:
  // A ring of sixty equal spans, the current one not yet full.
  class Window {
   public:
    explicit Window(absl::Duration each) : each_(each) {}
    Counts& At(absl::Duration now);
    Counts Sum(absl::Duration now) const;

   private:
    struct Slot {
      int64_t number = -1;  // of the span, counted from time zero
      Counts counts;
    };
    int64_t NumberAt(absl::Duration now) const { return now / each_; }

    absl::Duration each_;
    std::array<Slot, 60> slots_;
  };
  Counts Of(const Window& window, absl::Duration length, absl::Duration now) const;

  absl::Duration start_;
  Window seconds_{absl::Seconds(1)};
  Window minutes_{absl::Minutes(1)};
};

}  // namespace hostq::manager
