#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hostq::manager {

struct DiskSpace {
  int64_t total_bytes = 0;
  int64_t free_bytes = 0;  // to who is not root
  // Files that the file system can have; 0: it does not count them.
  int64_t total_files = 0;
  int64_t free_files = 0;
};

// What the kernel says of its clock.
struct ClockState {
  bool synchronized = false;
  absl::Duration estimated_error;
};

// The seam to the machine that the manager runs on. Thread-safe. Errors are what the system said,
// with INTERNAL as reason.
class Machine {
 public:
  virtual ~Machine() = default;
  // Of the file system that has `path`.
  virtual absl::StatusOr<DiskSpace> SpaceAt(const std::string& path) = 0;
  // How long it takes to make 4 KiB durable in a file of its own in `dir`, `times` times; leaves
  // nothing there. Blocks on the disk, but begins no further write after `limit`: at least one is
  // told. Errors too: RESOURCE_EXHAUSTED: the disk is full.
  virtual absl::StatusOr<std::vector<absl::Duration>> TimeWrites(const std::string& dir, int times,
                                                                 absl::Duration limit) = 0;
  // PERMISSION_DENIED: this process may not ask (a hardened service).
  virtual absl::StatusOr<ClockState> LookAtClock() = 0;
  // 0: there is no such file.
  virtual absl::StatusOr<int64_t> SizeOf(const std::string& path) = 0;
};

// Lives for ever.
Machine& ThisMachine();

}  // namespace hostq::manager
