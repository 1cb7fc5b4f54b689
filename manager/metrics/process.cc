#include "manager/metrics/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace hostq::manager {
namespace {

// The fields of /proc/self/stat after the program's name, which may contain anything: proc(5)
// counts them from 1, the state being number 3.
double FieldOf(const std::vector<std::string>& fields, size_t number) {
  double value = 0;
  if (number - 3 < fields.size()) (void)absl::SimpleAtod(fields[number - 3], &value);
  return value;
}

// When the machine started, in seconds since 1970.
double BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double time = 0;
    if (word == "btime" && file >> time) return time;
  }
  return 0;
}

double CountDescriptors() {
  std::error_code error;
  std::filesystem::directory_iterator at("/proc/self/fd", error);
  double count = 0;
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) ++count;
  return count;
}

}  // namespace

void ShowProcess(Page& page) {
  std::ifstream file("/proc/self/stat");
  const std::string stat(std::istreambuf_iterator<char>(file), {});
  const size_t end = stat.rfind(')');
  if (end == std::string::npos || end + 2 >= stat.size()) return;
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(end + 2), ' ');
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  page.Add("process_cpu_seconds_total", {}, (FieldOf(fields, 14) + FieldOf(fields, 15)) / ticks);
  page.Add("process_threads", {}, FieldOf(fields, 20));
  page.Add("process_start_time_seconds", {}, BootTime() + FieldOf(fields, 22) / ticks);
  page.Add("process_virtual_memory_bytes", {}, FieldOf(fields, 23));
  page.Add("process_resident_memory_bytes", {},
           FieldOf(fields, 24) * static_cast<double>(sysconf(_SC_PAGESIZE)));
  page.Add("process_open_fds", {}, CountDescriptors());
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    page.Add("process_max_fds", {}, static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace hostq::manager
