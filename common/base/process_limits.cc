#include "common/base/process_limits.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace hostq {

void ForbidCoreDumps() {
  // The hard limit too: nobody may raise it again.
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

void ReturnFreedMemory() {
  // mallinfo() knows one arena only, and threads have theirs.
  constexpr int64_t kWorthwhile = int64_t{64} << 20;
  if (ResidentBytes() > kWorthwhile) malloc_trim(0);
}

bool ReturnSchedule::IsTime(absl::Duration monotonic, int64_t resident_bytes) {
  constexpr int64_t kGrown = int64_t{16} << 20;
  constexpr absl::Duration kLongest = absl::Minutes(1);
  if (resident_bytes > least_ + kGrown) {
    least_ = resident_bytes;
    interval_ = absl::Seconds(1);
    next_ = monotonic;
  }
  least_ = std::min(least_, resident_bytes);
  if (monotonic < next_) return false;
  next_ = monotonic + interval_;
  interval_ = std::min(2 * interval_, kLongest);
  return true;
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace hostq
