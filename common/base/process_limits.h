#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace hostq {

// What a program of hostq lets be made of itself, set at the top of its main(). What the system
// does not allow is left as it is.

// No core dumps, of this process and its children: they would have private keys and tokens in them.
void ForbidCoreDumps();

// As many descriptors as the hard limit allows. systemd starts services with a soft limit of 1024,
// for the sake of programs that use select(); a manager has one connection for each node.
void RaiseDescriptorLimit();

// Gives memory back to the system that was freed and is kept by the allocator, as after a flood; if
// the process has less than 64 MiB, nothing is done. For a thread that may block for some
// milliseconds.
void ReturnFreedMemory();
// Memory of this process that is in RAM. 0: the system does not say.
int64_t ResidentBytes();

// When ReturnFreedMemory() is worth its time: at once when the process has grown, and again after
// 1, 2, 4, ... up to 60 s, because what grew is freed later. Often means that little is given back
// each time: while an arena of the allocator is gone through, whoever wants memory of it waits,
// which was seen to take more than a second for 250 MiB. Pure; not thread-safe.
class ReturnSchedule {
 public:
  // Asked every second or so.
  bool IsTime(absl::Duration monotonic, int64_t resident_bytes);

 private:
  int64_t least_ = 0;  // since it was time last
  absl::Duration next_ = -absl::InfiniteDuration();
  absl::Duration interval_ = absl::Seconds(1);
};

}  // namespace hostq
