#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/random.h"

namespace hostq::simulation {

// Everything that happens, in order of time; what is to happen at the same time, in the order in
// which it was planned. Time passes only between events.
class Simulator {
 public:
  using Event = std::function<void()>;

  absl::Duration now() const { return absl::Microseconds(now_); }
  uint64_t steps() const { return steps_; }
  void After(absl::Duration delay, Event event) {
    const int64_t time = now_ + std::max<int64_t>(absl::ToInt64Microseconds(delay), 0);
    heap_.push_back({time, ++planned_, std::move(event)});
    std::push_heap(heap_.begin(), heap_.end());
  }
  // False: nothing is left.
  bool Step() {
    if (heap_.empty()) return false;
    std::pop_heap(heap_.begin(), heap_.end());
    const Entry entry = std::move(heap_.back());
    heap_.pop_back();
    now_ = entry.time;
    ++steps_;
    entry.event();
    return true;
  }

 private:
  struct Entry {
    int64_t time;
    uint64_t order;
    Event event;
    // The heap's top is the earliest.
    bool operator<(const Entry& other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };
  int64_t now_ = 0;
  uint64_t planned_ = 0;
  uint64_t steps_ = 0;
  std::vector<Entry> heap_;
};

// The clocks of one machine.
class MachineClock final : public Clock {
 public:
  explicit MachineClock(const Simulator& simulator) : simulator_(simulator) {}
  absl::Time Now() override { return wall_ + simulator_.now(); }
  absl::Duration Monotonic() override { return monotonic_ + simulator_.now(); }
  // As when an administrator sets it.
  void StepWall(absl::Duration by) { wall_ += by; }
  void Reboot() { monotonic_ = absl::Seconds(10) - simulator_.now(); }

 private:
  const Simulator& simulator_;
  absl::Time wall_ = absl::FromUnixSeconds(1'800'000'000);
  absl::Duration monotonic_ = absl::Hours(1);
};

// Chance, from the seed alone.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  Dice Split() { return Dice(random_.Next()); }
  uint64_t Next() { return random_.Next(); }
  int Roll(int sides) { return static_cast<int>(random_.Next() % static_cast<uint64_t>(sides)); }
  bool Chance(double probability) { return random_.Fraction() < probability; }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return low + (high - low) * random_.Fraction();
  }
  // Mostly short, sometimes long: from `low`, doubled up to ten times.
  absl::Duration LongTail(absl::Duration low) {
    absl::Duration span = low;
    for (int i = 0; i < 10 && Chance(0.5); ++i) span *= 2;
    return Between(absl::ZeroDuration(), span);
  }

 private:
  SeededRandom random_;
};

// The last things that happened, for whoever looks for the cause of a violation; and a number that
// is the same only if the same happened.
class Trace {
 public:
  void Add(absl::Duration time, const char* what, int node, uint64_t a = 0, uint64_t b = 0,
           uint64_t c = 0) {
    for (const uint64_t part : {static_cast<uint64_t>(absl::ToInt64Microseconds(time)),
                                static_cast<uint64_t>(node), a, b, c}) {
      digest_ = (digest_ ^ part) * 0x100000001b3;
    }
    ++counts_[what];
    entries_.push_back({time, what, node, a, b, c});
    if (entries_.size() > limit_) entries_.pop_front();
  }
  void SetLimit(size_t limit) { limit_ = limit; }
  uint64_t digest() const { return digest_; }
  // How often each thing happened.
  const std::map<std::string_view, uint64_t>& counts() const { return counts_; }
  std::string Text() const {
    std::string text;
    for (const Entry& e : entries_) {
      absl::StrAppend(&text, absl::ToDoubleSeconds(e.time), " node", e.node, " ", e.what, " ", e.a,
                      " ", e.b, " ", e.c, "\n");
    }
    return text;
  }

 private:
  struct Entry {
    absl::Duration time;
    const char* what;
    int node;
    uint64_t a, b, c;
  };
  std::map<std::string_view, uint64_t> counts_;
  size_t limit_ = 200;
  uint64_t digest_ = 0xcbf29ce484222325;
  std::deque<Entry> entries_;
};

}  // namespace hostq::simulation
