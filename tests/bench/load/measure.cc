#include "measure.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"

namespace hostq::bench {

int64_t Nanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void Latencies::Merge(const Latencies& other) {
  nanos_.insert(nanos_.end(), other.nanos_.begin(), other.nanos_.end());
  sorted_ = false;
}

double Latencies::Quantile(double p) const {
  if (nanos_.empty()) return 0;
  if (!sorted_) std::sort(nanos_.begin(), nanos_.end());
  sorted_ = true;
  const auto at = static_cast<size_t>(p * static_cast<double>(nanos_.size() - 1) + 0.5);
  return static_cast<double>(nanos_[at]) / 1e6;
}

Anchor MeasureAnchor(const std::string& directory, absl::Duration span) {
  const std::string path = absl::StrCat(directory, "/anchor");
  const int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  HOSTQ_CHECK(fd >= 0);
  char block[4096];
  memset(block, 'x', sizeof block);
  Latencies each;
  const int64_t start = Nanos();
  int64_t now = start;
  for (off_t at = 0; now - start < absl::ToInt64Nanoseconds(span); at += sizeof block) {
    HOSTQ_CHECK(pwrite(fd, block, sizeof block, at) == sizeof block && fdatasync(fd) == 0);
    const int64_t before = std::exchange(now, Nanos());
    each.Add(now - before);
  }
  close(fd);
  unlink(path.c_str());
  return {static_cast<double>(each.count()) / (static_cast<double>(now - start) / 1e9),
          each.Quantile(0.5)};
}

ProcessUse UseOf(int pid) {
  ProcessUse use;
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, "RssAnon:")) use.anonymous_kib = atoll(line.c_str() + 8);
    if (absl::StartsWith(line, "Threads:")) use.threads = atoi(line.c_str() + 8);
  }
  std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(stat, line);
  // After the name, which may hold anything: utime and stime are fields 14 and 15 (proc(5)).
  const std::vector<std::string> fields =
      absl::StrSplit(line.substr(std::min(line.size(), line.rfind(')') + 2)), ' ');
  if (fields.size() > 13) {
    use.cpu_seconds = static_cast<double>(atoll(fields[11].c_str()) + atoll(fields[12].c_str())) /
                      static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  return use;
}

std::string StampedPayload(size_t size) {
  std::string payload(std::max<size_t>(size, 8), 'p');
  const int64_t now = Nanos();
  memcpy(payload.data(), &now, sizeof now);
  return payload;
}

int64_t StampOf(absl::string_view payload) {
  int64_t stamp = 0;
  if (payload.size() >= sizeof stamp) memcpy(&stamp, payload.data(), sizeof stamp);
  return stamp;
}

}  // namespace hostq::bench
