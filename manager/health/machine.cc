#include "manager/health/machine.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

absl::Status SystemError(const std::string& what) {
  const int error = errno;
  return ErrnoError(error, Reason::kInternal, what);
}

// Closed when it goes, and gone from its directory from the beginning.
class ProbeFile {
 public:
  explicit ProbeFile(const std::string& dir) : path_(dir + "/doctor-XXXXXX") {
    fd_ = mkostemp(path_.data(), O_CLOEXEC);
    if (fd_ >= 0) unlink(path_.c_str());
  }
  ~ProbeFile() {
    if (fd_ >= 0) close(fd_);
  }
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;
  int fd() const { return fd_; }

 private:
  std::string path_;
  int fd_ = -1;
};

class LinuxMachine final : public Machine {
 public:
  absl::StatusOr<DiskSpace> SpaceAt(const std::string& path) override {
    struct statvfs info {};
    if (statvfs(path.c_str(), &info) != 0) return SystemError(absl::StrCat("statvfs of ", path));
    const auto bytes = static_cast<int64_t>(info.f_frsize);
    return DiskSpace{static_cast<int64_t>(info.f_blocks) * bytes,
                     static_cast<int64_t>(info.f_bavail) * bytes,
                     static_cast<int64_t>(info.f_files), static_cast<int64_t>(info.f_favail)};
  }

  absl::StatusOr<std::vector<absl::Duration>> TimeWrites(const std::string& dir, int times,
                                                         absl::Duration limit) override {
    const ProbeFile file(dir);
    if (file.fd() < 0) return SystemError(absl::StrCat("making a file in ", dir));
    const std::string block(4096, 'x');
    std::vector<absl::Duration> spans;
    const absl::Duration end = SystemClock().Monotonic() + limit;
    for (int i = 0; i < times && (i == 0 || SystemClock().Monotonic() < end); ++i) {
      const absl::Duration begin = SystemClock().Monotonic();
      // Each time at the end, as a log is written.
      const ssize_t written = write(file.fd(), block.data(), block.size());
      if (written >= 0 && written < static_cast<ssize_t>(block.size())) errno = ENOSPC;
      if (written != static_cast<ssize_t>(block.size())) {
        return SystemError(absl::StrCat("writing to a file in ", dir));
      }
      if (fdatasync(file.fd()) != 0) return SystemError(absl::StrCat("fdatasync in ", dir));
      spans.push_back(SystemClock().Monotonic() - begin);
    }
    return spans;
  }

  absl::StatusOr<ClockState> LookAtClock() override {
    timex state{};  // no modes: it only asks
    const int result = adjtimex(&state);
    if (result < 0) return SystemError("asking the kernel for the state of its clock");
    ClockState clock;
    clock.synchronized = result != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
    clock.estimated_error = absl::Microseconds(state.esterror);
    return clock;
  }

  absl::StatusOr<int64_t> SizeOf(const std::string& path) override {
    struct stat info {};
    if (stat(path.c_str(), &info) == 0) return static_cast<int64_t>(info.st_size);
    if (errno == ENOENT) return 0;
    return SystemError(absl::StrCat("looking at ", path));
  }
};

}  // namespace

Machine& ThisMachine() {
  static LinuxMachine machine;
  return machine;
}

}  // namespace hostq::manager
